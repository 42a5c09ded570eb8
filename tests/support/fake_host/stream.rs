//! One stream, as a test drives it from the client's and the upstream's side.

use std::marker::PhantomData;

use super::headers::{self, Headers};
use super::numbers::Action;
use super::state::{Side, Stage, StreamState, with};
use super::{Sent, drive, owned, replies};

/// A stream. The handle is a copy of its id and outlives it, so that a test can look at how it
/// ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    id: u32,
    here: PhantomData<*const ()>,
}

impl Stream {
    pub(super) fn new(id: u32) -> Self {
        Self {
            id,
            here: PhantomData,
        }
    }

    /// The context's id.
    pub(crate) fn id(self) -> u32 {
        self.id
    }

    // Events.

    /// The client sends a part of the body. Pause also means that a part is held while the headers
    /// are paused.
    #[track_caller]
    pub(crate) fn request_body(self, part: &[u8], end_of_stream: bool) -> Action {
        self.expect_more(Side::Request);
        drive::give_body(self.id, Side::Request, part, end_of_stream)
    }

    /// The client ends the request with trailers.
    #[track_caller]
    pub(crate) fn request_trailers<N: AsRef<str>, V: AsRef<[u8]>>(
        self,
        trailers: &[(N, V)],
    ) -> Action {
        self.expect_more(Side::Request);
        drive::give_trailers(self.id, Side::Request, headers::headers(trailers))
    }

    /// The upstream that the router chose answers.
    ///
    /// Sets the property `response.code_details` to `via_upstream` unless the test has set it.
    #[track_caller]
    pub(crate) fn response<N: AsRef<str>, V: AsRef<[u8]>>(
        self,
        headers: &[(N, V)],
        end_of_stream: bool,
    ) -> Action {
        self.expect_response();
        self.alter(|stream| {
            stream.response.headers = headers::headers(headers);
            stream
                .properties
                .entry(owned(&["response", "code_details"]))
                .or_insert_with(|| b"via_upstream".to_vec());
        });
        drive::give_headers(self.id, Side::Response, end_of_stream)
    }

    /// The router answers itself, because no upstream did: `router_failed(503,
    /// "no_healthy_upstream", b"…")`.
    ///
    /// The answer comes through the response callbacks like any other, with these details as
    /// `response.code_details`. To a client of gRPC it is a 200 with a status of gRPC.
    #[track_caller]
    pub(crate) fn router_failed(self, status: u32, details: &str, body: &[u8]) -> Action {
        self.expect_response();
        let is_grpc = headers::first(&self.request_headers(), "content-type")
            .is_some_and(|content_type| content_type.starts_with(b"application/grpc"));
        let (status, more) = if is_grpc {
            // An upstream that is not there or not in time is UNAVAILABLE, whatever HTTP calls it.
            (200, headers::headers(&[("grpc-status", "14")]))
        } else {
            (status, Headers::new())
        };
        let map = replies::prepared(status, body, &more);
        if replies::local_response(self.id, map, body, details) {
            Action::Continue
        } else {
            Action::Pause
        }
    }

    /// The upstream sends a part of its body. Pause also means that a part is held while the
    /// headers are paused.
    #[track_caller]
    pub(crate) fn response_body(self, part: &[u8], end_of_stream: bool) -> Action {
        self.expect_more(Side::Response);
        drive::give_body(self.id, Side::Response, part, end_of_stream)
    }

    /// The upstream ends its answer with trailers.
    #[track_caller]
    pub(crate) fn response_trailers<N: AsRef<str>, V: AsRef<[u8]>>(
        self,
        trailers: &[(N, V)],
    ) -> Action {
        self.expect_more(Side::Response);
        drive::give_trailers(self.id, Side::Response, headers::headers(trailers))
    }

    /// The exchange is complete: `on_delete`.
    ///
    /// Panics without a response, and while the response waits for the filter.
    #[track_caller]
    pub(crate) fn finish(self) {
        self.alter(|stream| {
            let problem = match stream.response.stage {
                Stage::Waiting => "has no response, only its client can end it",
                Stage::Paused if !stream.replaced => {
                    "is paused, it cannot finish before the filter replies or resumes"
                }
                _ => return,
            };
            panic!("stream {} {problem}", self.id);
        });
        drive::end(self.id, "it was finished");
    }

    /// The client goes away: `on_delete`. Calls that the stream caused run on.
    #[track_caller]
    pub(crate) fn client_gone(self) {
        self.alter(|_| ());
        drive::end(self.id, "the client went away");
    }

    /// Envoy gives up a paused stream by the route's or the stream's timeout: a 504 that the filter
    /// does not see.
    #[track_caller]
    pub(crate) fn timed_out(self) {
        self.alter(|_| ());
        drive::end(self.id, "Envoy's timeout struck");
    }

    /// The router answers its request after the resume, before the body goes on: there is no
    /// cluster.
    #[track_caller]
    pub(crate) fn lead_nowhere(self) {
        self.alter(|stream| stream.leads_nowhere = true);
    }

    /// Sets a property: `&["response", "code_details"]`.
    #[track_caller]
    pub(crate) fn set_property(self, path: &[&str], value: &[u8]) {
        self.alter(|stream| stream.properties.insert(owned(path), value.to_vec()));
    }

    // Results.

    /// The filter's answer to the request's headers, or Continue once it has resumed the request.
    pub(crate) fn request_action(self) -> Action {
        self.look(|stream| match stream.request.stage {
            Stage::Paused => Action::Pause,
            _ => Action::Continue,
        })
    }

    /// The request's headers as the filter left them.
    pub(crate) fn request_headers(self) -> Headers {
        self.look(|stream| stream.request.headers.clone())
    }

    /// The first value of one of the request's headers.
    pub(crate) fn request_header(self, name: &str) -> Option<Vec<u8>> {
        headers::first(&self.request_headers(), name).map(<[u8]>::to_vec)
    }

    /// The headers of the router's response as the filter left them; a local reply is in
    /// [`Stream::sent`].
    pub(crate) fn response_headers(self) -> Headers {
        self.look(|stream| stream.response.headers.clone())
    }

    /// The first value of one of the response's headers.
    pub(crate) fn response_header(self, name: &str) -> Option<Vec<u8>> {
        headers::first(&self.response_headers(), name).map(<[u8]>::to_vec)
    }

    /// The part of the request's body that the filter has passed on.
    pub(crate) fn request_passed(self) -> Vec<u8> {
        self.look(|stream| stream.request.passed.clone())
    }

    /// The part of the response's body that the filter has passed on.
    pub(crate) fn response_passed(self) -> Vec<u8> {
        self.look(|stream| stream.response.passed.clone())
    }

    /// The filter's own reply, if it made one.
    pub(crate) fn sent(self) -> Option<Sent> {
        self.look(|stream| stream.sent.clone())
    }

    /// Whether the response waits for the filter: paused, and neither resumed nor replaced. A local
    /// reply to a request waits as well if the filter pauses it in its response callback.
    pub(crate) fn is_paused(self) -> bool {
        self.look(|stream| {
            let paused = stream.response.stage == Stage::Paused;
            paused && stream.ended.is_none() && !stream.replaced
        })
    }

    /// Whether the filter resumed the response.
    pub(crate) fn was_resumed(self) -> bool {
        self.look(|stream| stream.response.resumed)
    }

    /// Whether the stream is over and its context deleted.
    pub(crate) fn has_ended(self) -> bool {
        self.look(|stream| stream.ended.is_some())
    }

    /// A property that the filter set; Envoy keeps it as filter state `wasm.NAME`.
    pub(crate) fn filter_state(self, path: &[&str]) -> Option<Vec<u8>> {
        self.look(|stream| stream.filter_state.get(&owned(path)).cloned())
    }

    /// Panics if the stream is over, and says how it ended.
    #[track_caller]
    fn alter<R>(self, work: impl FnOnce(&mut StreamState) -> R) -> R {
        let found = with(|state| {
            let Some(stream) = state.streams.get_mut(&self.id) else {
                return Err("it belongs to an earlier host".to_owned());
            };
            match &stream.ended {
                Some(why) => Err(why.clone()),
                None => Ok(work(stream)),
            }
        });
        match found {
            Ok(result) => result,
            Err(why) => panic!("stream {} is over: {why}", self.id),
        }
    }

    #[track_caller]
    fn look<R>(self, look: impl FnOnce(&StreamState) -> R) -> R {
        let found = with(|state| state.streams.get(&self.id).map(look));
        match found {
            Some(result) => result,
            None => panic!("stream {} belongs to an earlier host", self.id),
        }
    }

    /// Panics unless more of this direction can come.
    #[track_caller]
    fn expect_more(self, side: Side) {
        let problem = self.alter(|stream| {
            let flow = stream.flow(side);
            match flow.stage {
                Stage::Waiting => Some("has no headers yet"),
                _ if flow.complete => Some("is complete"),
                _ => None,
            }
        });
        if let Some(problem) = problem {
            panic!("the {side:?} of stream {} {problem}", self.id);
        }
    }

    /// Panics unless the router can answer now.
    #[track_caller]
    fn expect_response(self) {
        let problem = self.alter(
            |stream| match (stream.request.stage, stream.response.stage) {
                (Stage::Paused, _) => Some("its request is paused and has not reached the router"),
                (_, Stage::Waiting) => None,
                _ => Some("its response has begun"),
            },
        );
        if let Some(problem) = problem {
            panic!("stream {} cannot be answered: {problem}", self.id);
        }
    }
}
