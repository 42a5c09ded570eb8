//! Whether heads of answers can be held until their first message is there.
//!
//! The host lets the body come by while the head is held only if the plugin has
//! `allow_on_headers_stop_iteration`. Until a body has come by that way it is not known, and heads
//! are held briefly. A body that was there all the time, and comes when the head is released, shows
//! that the setting is missing: then no head is held any more.

use core::cell::Cell;
use core::time::Duration;

use steerage_engine::OpeningBody;
use steerage_policy::retry::first_message::Body;
use steerage_policy::time::Instant;

use super::contexts::{self, Head};
use crate::host::{self, ContextId, Map};
use crate::metrics::{InternalError, hostcall_refused};

thread_local! {
    static BODIES: Cell<Bodies> = const { Cell::new(Bodies::Unknown) };
    /// Whether a head may ever have been held. Most often none has.
    static WATCHED: Cell<bool> = const { Cell::new(false) };
}

/// Whether bodies come by while heads are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bodies {
    Unknown,
    ComeBy,
    AreHeld,
}

/// What follows the head of the response at hand, which could be held; `None`: no head can be.
pub(super) fn follows() -> Option<OpeningBody> {
    let bodies = BODIES.get();
    if bodies == Bodies::AreHeld {
        return None;
    }
    let headers = host::header_map(Map::Response)
        .inspect_err(|refused| hostcall_refused("to read an answer's head", *refused))
        .ok()?;
    let coding = headers.get("content-encoding").unwrap_or_default();
    let is_plain = coding.is_empty() || coding.eq_ignore_ascii_case(b"identity");
    if !is_plain {
        InternalError::UnreadFirstMessage.count();
    }
    WATCHED.set(true);
    Some(OpeningBody {
        kind: is_plain.then(|| Body::of(headers.get("content-type").unwrap_or_default())),
        is_seen: bodies == Bodies::ComeBy,
    })
}

/// Whether a head may have been held.
pub(super) fn any() -> bool {
    WATCHED.get()
}

/// A body has come by while its head was held.
pub(super) fn body_came_by() {
    BODIES.set(Bodies::ComeBy);
}

/// The body of an answer comes whose head was held in vain until this time.
pub(super) fn body_follows(id: ContextId, released: Instant) {
    contexts::set_head(id, Head::Free);
    // What was not there before takes longer.
    if BODIES.get() != Bodies::Unknown || host::now().since(released) >= SOON {
        return;
    }
    BODIES.set(Bodies::AreHeld);
    InternalError::NoAttemptsFilter.count();
    log::warn!(
        "\"commit_on\": \"first_message\" is not possible, and answers are given with their heads: the \
         `attempts` filter needs allow_on_headers_stop_iteration: true"
    );
}

/// A head that was held is released by the timer.
pub(super) fn released(id: ContextId) {
    if let Some(Head::Held(0)) = contexts::attempt(id).map(|attempt| attempt.head) {
        contexts::set_head(id, Head::Released(host::now()));
    } else {
        contexts::set_head(id, Head::Free);
    }
}

/// So soon comes what was there.
const SOON: Duration = Duration::from_millis(20);
