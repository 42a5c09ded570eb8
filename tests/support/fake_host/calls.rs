//! Calls that the filter dispatched, and the answers that a test gives to them.

use std::time::Duration;

use super::headers::{self, Headers, first};
use super::state::{Answer, with};
use super::{Host, drive, replies};

/// A call that the filter dispatched.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) token: u32,
    /// The root that owns the call and gets its answer.
    pub(crate) root: u32,
    pub(crate) cluster: String,
    /// As the filter gave them, but for the case of their names.
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
    /// Recorded although Envoy never sends them.
    pub(crate) trailers: Headers,
    /// 0 is no timeout at all.
    pub(crate) timeout_ms: u32,
    /// The virtual time of the dispatch, see [`Host::now`].
    pub(crate) at: Duration,
    pub(crate) outcome: Outcome,
}

/// The outcome of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// No answer yet.
    Pending,
    /// An answer was delivered, the upstream's or Envoy's own.
    Answered,
    /// The call was reset, which the filter sees as an answer without headers.
    Reset,
    /// Its root was deleted, and its answer is dropped.
    Cancelled,
}

impl Call {
    /// The first value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&[u8]> {
        first(&self.headers, name)
    }
}

impl Host {
    /// Every call that Envoy took on, in order.
    pub(crate) fn calls(&self) -> Vec<Call> {
        with(|state| state.calls.clone())
    }

    /// The calls that wait for an answer, in order.
    pub(crate) fn pending_calls(&self) -> Vec<Call> {
        let mut calls = self.calls();
        calls.retain(|call| call.outcome == Outcome::Pending);
        calls
    }

    /// The one call that waits for an answer. Panics unless there is exactly one.
    #[track_caller]
    pub(crate) fn pending_call(&self) -> Call {
        let mut pending = self.pending_calls();
        match (pending.pop(), pending.len()) {
            (Some(call), 0) => call,
            (None, _) => panic!("no call waits for an answer"),
            (Some(_), others) => panic!("{} calls wait for an answer, not one", others + 1),
        }
    }

    /// Answers as an upstream does. Envoy adds `x-envoy-upstream-service-time`, unless the test
    /// gives one.
    pub(crate) fn answer<N: AsRef<str>, V: AsRef<[u8]>>(
        &self,
        token: u32,
        headers: &[(N, V)],
        body: &[u8],
    ) {
        let mut map = headers::headers(headers);
        if first(&map, SERVICE_TIME).is_none() {
            headers::add(&mut map, SERVICE_TIME, b"1");
        }
        self.answer_as_given(token, map, body);
    }

    /// Answers with exactly these headers, for answers that Envoy makes itself.
    pub(crate) fn answer_as_given(&self, token: u32, headers: Headers, body: &[u8]) {
        let answer = Answer {
            headers,
            body: body.to_vec(),
            ..Answer::default()
        };
        drive::answer(token, Outcome::Answered, answer);
    }

    /// Resets the call after its headers, or because the answer was too long: the filter sees no
    /// headers.
    pub(crate) fn answer_reset(&self, token: u32) {
        let answer = Answer {
            reset: true,
            ..Answer::default()
        };
        drive::answer(token, Outcome::Reset, answer);
    }

    /// Lets the call's timeout strike: Envoy's own 504. The clock stays where it is.
    pub(crate) fn answer_timeout(&self, token: u32) {
        self.answer_locally(token, 504, "upstream request timeout");
    }

    /// Lets the connection fail: Envoy's own 503.
    pub(crate) fn answer_connect_failure(&self, token: u32) {
        self.answer_locally(
            token,
            503,
            "upstream connect error or disconnect/reset before headers. \
             reset reason: remote connection failure",
        );
    }

    fn answer_locally(&self, token: u32, status: u32, body: &str) {
        let map = replies::prepared(status, body.as_bytes(), &Headers::new());
        self.answer_as_given(token, map, body.as_bytes());
    }
}

/// The header that shows that an upstream, and not Envoy, answered.
const SERVICE_TIME: &str = "x-envoy-upstream-service-time";
