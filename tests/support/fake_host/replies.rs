//! Local replies: answers that the filter or Envoy itself makes in place of an upstream's.

use super::headers::{self, Headers, first};
use super::numbers::Action;
use super::state::{Side, Stage, StreamState, with};
use super::{drive, owned};

/// A local reply, as the filter requested it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) status: u32,
    /// Empty when the filter gave none.
    pub(crate) details: String,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
    /// `None` for a plain HTTP reply.
    pub(crate) grpc_status: Option<i32>,
}

impl Sent {
    /// The first value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&[u8]> {
        first(&self.headers, name)
    }

    /// The reply as Envoy sends it to the client.
    pub(crate) fn as_envoy_sends_it(&self) -> Headers {
        prepared(self.status, &self.body, &self.headers)
    }
}

/// Sends a local reply that the filter requested.
pub(super) fn carry_out(id: u32) {
    let Some((stage, map, body, details)) = with(|state| {
        let stream = state.living(id)?;
        let sent = stream.sent.as_ref()?;
        let (map, body) = (sent.as_envoy_sends_it(), sent.body.clone());
        Some((stream.response.stage, map, body, sent.details.clone()))
    }) else {
        return;
    };
    if stage != Stage::Waiting {
        // The response's headers are known but not out: the reply goes straight to the client, past
        // every filter.
        with(|state| {
            if let Some(stream) = state.living_mut(id) {
                stream.replaced = true;
            }
        });
    } else if !local_response(id, map, &body, &details) {
        return;
    }
    if with(|state| state.finish_replied) {
        drive::end(id, "its local reply went out");
    }
}

/// Sends a reply that Envoy or the filter made through the filter's response callbacks; says
/// whether it came out.
pub(super) fn local_response(id: u32, map: Headers, body: &[u8], details: &str) -> bool {
    with(|state| {
        if let Some(stream) = state.living_mut(id) {
            stream.response.headers = map;
            stream.properties.remove(&owned(&["upstream", "address"]));
            set_details(stream, details);
        }
    });
    let mut action = drive::give_headers(id, Side::Response, body.is_empty());
    let open = with(|state| state.living(id).is_some());
    if !body.is_empty() && open {
        let body_action = drive::give_body(id, Side::Response, body, true);
        if action == Action::Continue {
            action = body_action;
        }
    }
    action == Action::Continue && with(|state| state.living(id).is_some())
}

/// Makes a reply's details the property `response.code_details`. Without details there is no such
/// property, and blanks become underscores.
fn set_details(stream: &mut StreamState, details: &str) {
    let path = owned(&["response", "code_details"]);
    let details = details.replace(char::is_whitespace, "_");
    if details.is_empty() {
        stream.properties.remove(&path);
    } else {
        stream.properties.insert(path, details.into_bytes());
    }
}

/// Builds the headers of a reply as Envoy does, with its own first and the filter's after them.
pub(super) fn prepared(status: u32, body: &[u8], more: &Headers) -> Headers {
    let mut map = headers::headers(&[(":status", status.to_string())]);
    if !body.is_empty() {
        headers::add(
            &mut map,
            "content-length",
            body.len().to_string().as_bytes(),
        );
        if first(more, "content-type").is_none() {
            headers::add(&mut map, "content-type", b"text/plain");
        }
    }
    for (name, value) in more {
        let own = name == "content-length" || (body.is_empty() && name == "content-type");
        if !own {
            headers::add(&mut map, name, value);
        }
    }
    map
}
