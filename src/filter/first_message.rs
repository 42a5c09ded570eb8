//! Callbacks of an attempt whose answer's head is held until its first message is there.

use steerage_engine::Flow;

use super::attempts::{attempt, performer};
use super::classify;
use super::contexts::{self, Head};
use super::held_heads;
use crate::host::{self, ContextId, Map};
use crate::metrics::hostcall_refused;

/// Part of a response's body has come: `size` bytes of it are held, or none was and these go on.
pub(super) fn body(id: ContextId, size: usize, end: bool) -> Flow {
    if !held_heads::any() {
        return Flow::Continue;
    }
    match contexts::attempt(id).map(|attempt| attempt.head) {
        None | Some(Head::Free) => Flow::Continue,
        Some(Head::Held(read)) => held_body(id, read, size, end),
        Some(Head::Released(at)) => {
            held_heads::body_follows(id, at);
            Flow::Continue
        }
    }
}

fn held_body(id: ContextId, read: usize, size: usize, end: bool) -> Flow {
    held_heads::body_came_by();
    let Some((key, _, plugin)) = contexts::stream_of(id) else {
        return Flow::Continue;
    };
    let new = host::response_body(read, size.saturating_sub(read)).unwrap_or_else(|refused| {
        hostcall_refused("to read an answer's body", refused);
        Vec::new()
    });
    contexts::set_head(id, Head::Held(size));
    let event = performer(&plugin, id, None)
        .event(|worker, turn| worker.attempt_body(key, attempt(id), &new, end, turn));
    released_unless(id, event.unwrap_or(Flow::Continue))
}

/// The trailers of a response have come.
pub(super) fn trailers(id: ContextId) -> Flow {
    if !held_heads::any() || !is_held(id) {
        return Flow::Continue;
    }
    if let Some((key, _, plugin)) = contexts::stream_of(id) {
        let status = classify::grpc_failure(Map::ResponseTrailers);
        performer(&plugin, id, None)
            .event(|worker, turn| worker.attempt_trailers(key, attempt(id), status, turn));
    }
    released_unless(id, Flow::Continue)
}

/// The head goes on, unless it is still held.
fn released_unless(id: ContextId, flow: Flow) -> Flow {
    if flow == Flow::Continue {
        contexts::set_head(id, Head::Free);
    }
    flow
}

fn is_held(id: ContextId) -> bool {
    let attempt = contexts::attempt(id);
    attempt.is_some_and(|attempt| matches!(attempt.head, Head::Held(_)))
}
