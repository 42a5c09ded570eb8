//! Callbacks of an attempt that the router makes: it begins, it is answered, it ends.
//!
//! The module stands behind the router, too, where the host gives each attempt a context of its
//! own. What happens to it is an event of its stream, which belongs to another root.

use steerage_engine::{AttemptId, Destination, Flow, Worker};

use super::classify;
use super::contexts::{self, Head};
use super::held_heads;
use super::perform::Performer;
use super::plugin::Plugin;
use super::router;
use super::stream_name;
use crate::host::{self, ContextId};

/// The router has begun an attempt.
#[inline(never)]
pub(super) fn request_headers(id: ContextId) -> Flow {
    if !contexts::is_attempt(id) {
        return Flow::Continue;
    }
    let Some(stream) = stream_name::read() else {
        return Flow::Continue; // Not steered, or by a filter of another VM.
    };
    contexts::attempt_of(id, stream);
    let Some((key, _, plugin)) = contexts::stream_of(id) else {
        return Flow::Continue;
    };
    let planned = plugin
        .with_worker(|worker| worker.retry_goes_to(key))
        .flatten();
    let planned = planned.and_then(|endpoint| plugin.pool(key.pool())?.endpoint(endpoint));
    let destination = match planned {
        Some(endpoint) if host::property(&router::CLUSTER) != endpoint.cluster.as_bytes() => {
            Destination::Elsewhere
        }
        _ => Destination::AsPlanned,
    };
    let event = performer(&plugin, id, None)
        .event(|worker, turn| worker.attempt_begins(key, attempt(id), destination, turn));
    event.unwrap_or(Flow::Continue)
}

/// The head of an attempt's answer has come, with so many headers; `complete` says that no body
/// follows.
#[inline(never)]
pub(super) fn response_headers(id: ContextId, count: usize, complete: bool) -> Flow {
    let Some((key, stream, plugin)) = contexts::stream_of(id) else {
        return Flow::Continue;
    };
    let Some(pool) = plugin.pool(key.pool()) else {
        return Flow::Continue; // A stream belongs to a pool.
    };
    let mut performer = performer(&plugin, id, None);
    let whole = plugin.wants_headers(key, count, performer.now);
    let (answer, status) = classify::attempt(pool, stream.is_grpc, whole);
    performer.status = status;
    let may_hold = |worker: &mut Worker| worker.may_hold(key, attempt(id), &answer);
    let body = if !complete && plugin.with_worker(may_hold) == Some(true) {
        held_heads::follows()
    } else {
        None
    };
    let event = performer
        .event(|worker, turn| worker.attempt_answered(key, attempt(id), answer, body, turn));
    let flow = event.unwrap_or(Flow::Continue);
    if flow == Flow::Pause {
        contexts::set_head(id, Head::Held(0));
    }
    flow
}

/// An attempt is over. `false`: this is none.
#[inline(never)]
pub(super) fn over(id: ContextId) -> bool {
    let stream = contexts::stream_of(id);
    if !contexts::remove_attempt(id) {
        return false;
    }
    if let Some((key, _, plugin)) = stream
        && plugin.with_worker(|worker| worker.awaits_answer_of(key, attempt(id))) == Some(true)
    {
        // Without a connection there is no address of this end.
        let was_connected = !host::property(&LOCAL_ADDRESS).is_empty();
        performer(&plugin, id, None)
            .event(|worker, turn| worker.attempt_broke(key, attempt(id), was_connected, turn));
    }
    true
}

/// The engine's name of an attempt.
pub(super) fn attempt(id: ContextId) -> AttemptId {
    AttemptId(id.into())
}

pub(super) fn performer(plugin: &Plugin, context: ContextId, status: Option<u16>) -> Performer<'_> {
    Performer {
        plugin,
        context,
        is_abroad: true,
        now: host::now(),
        status,
    }
}

/// The address that an attempt's connection was made from.
const LOCAL_ADDRESS: [&str; 2] = ["upstream", "local_address"];
