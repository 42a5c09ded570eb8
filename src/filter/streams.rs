//! Callbacks of a stream: its request arrives, its answer does, it ends.

use steerage_engine::request::{Chunk, Request};
use steerage_engine::{Flow, StreamId};
use steerage_policy::retry::by::RetriesBy;
use steerage_policy::time::Instant;

use super::admin_requests;
use super::answer_end;
use super::attempt_headers::AUTHORITY;
use super::attempts;
use super::classify;
use super::contexts;
use super::perform::Performer;
use super::plugin::Plugin;
use super::router;
use crate::host::{self, Body, ContextId, Map};
use crate::local_replies::OVERFLOW;
use crate::metrics::hostcall_refused;

/// A request's head has arrived; `complete` says that no body follows.
pub(super) fn request_headers(id: ContextId, complete: bool) -> Flow {
    let Some((_, plugin)) = contexts::stream(id) else {
        return attempts::request_headers(id);
    };
    let headers = match host::header_map(Map::Request) {
        Ok(headers) => headers,
        Err(refused) => {
            hostcall_refused("to read a request's headers", refused);
            return Flow::Continue;
        }
    };
    let cluster_header = &*plugin.settings.cluster_header;
    let request = Request::arrived(headers, cluster_header, complete);
    if let Some(flow) = admin_requests::receive(&plugin, id, &request, complete) {
        return flow;
    }
    let index = plugin.settings.pool_of(&request);
    let Some((index, pool)) = index.and_then(|index| Some((index, plugin.pool(index)?))) else {
        leave_alone(cluster_header, &request);
        return Flow::Continue;
    };
    let source = (pool.settings.hashes_source()).then(|| host::property(&["source", "address"]));
    let is_grpc = request.is_grpc();
    let event = performer(&plugin, id, host::now(), None).event(|worker, turn| {
        let name = StreamId(id.into());
        worker.request_head(name, index, request, source.as_deref(), turn)
    });
    match event {
        Some(Some(key)) => {
            contexts::change_stream(id, |stream| {
                stream.key = Some(key);
                stream.is_grpc = is_grpc;
            });
            Flow::Continue
        }
        Some(None) => Flow::Pause,
        None => Flow::Continue,
    }
}

/// The request belongs to no pool: it goes on as it came, except that a client must not choose its
/// cluster, nor the host that the route rewrites it to.
#[inline(never)]
fn leave_alone(cluster_header: &str, request: &Request) {
    if !request.has_control_headers() {
        return;
    }
    for name in [cluster_header, AUTHORITY] {
        let mut given = request.control_headers();
        if given.any(|given| given == name.as_bytes())
            && let Err(refused) = host::remove_header(Map::Request, name.as_bytes())
        {
            hostcall_refused("to remove a client's routing header", refused);
        }
    }
}

/// `size` bytes of a request's body have arrived.
pub(super) fn request_body(id: ContextId, size: usize, end: bool) -> Flow {
    let Some((stream, plugin)) = contexts::stream(id) else {
        return Flow::Continue;
    };
    let Some(key) = stream.key else {
        return admin_requests::body(id, size, end).unwrap_or(Flow::Continue);
    };
    let wanted = plugin.with_worker(|worker| worker.wants_body(key, size));
    let chunk = if wanted == Some(true) {
        host::body(Body::Request, size).map_or_else(
            |refused| {
                hostcall_refused("to read a request's body", refused);
                Chunk::Unreadable
            },
            Chunk::Bytes,
        )
    } else {
        Chunk::Passed(size)
    };
    plugin.with_worker(|worker| worker.request_body(key, chunk));
    if end {
        performer(&plugin, id, host::now(), None)
            .event(|worker, turn| worker.request_completed(key, turn));
    }
    Flow::Continue
}

/// A request's trailers have arrived, and with them its end.
pub(super) fn request_trailers(id: ContextId) -> Flow {
    let Some((stream, plugin)) = contexts::stream(id) else {
        return Flow::Continue;
    };
    let Some(key) = stream.key else {
        return admin_requests::body(id, 0, true).unwrap_or(Flow::Continue);
    };
    performer(&plugin, id, host::now(), None).event(|worker, turn| {
        worker.request_trailers(key);
        worker.request_completed(key, turn);
    });
    Flow::Continue
}

/// A response's head is on its way to the client, with so many headers; `complete` says that no
/// body follows.
pub(super) fn response_headers(id: ContextId, count: usize, complete: bool) -> Flow {
    let Some((stream, plugin)) = contexts::stream(id) else {
        return attempts::response_headers(id, count, complete);
    };
    let Some(key) = stream.key else {
        return admin_requests::answered(id).unwrap_or(Flow::Continue);
    };
    let pool = plugin.pool(key.pool()).filter(|_| !stream.is_answered);
    let Some(pool) = pool else {
        return Flow::Continue; // An answer of our own passes by.
    };
    answer_end::head(id, &stream, complete);
    let now = host::now();
    if stream.is_by_router {
        let event = performer(&plugin, id, now, None)
            .event(|worker, turn| worker.answer_arrives(key, turn));
        if let Some(flow) = event.flatten() {
            return flow;
        }
    }
    let whole = plugin.wants_headers(key, count, now);
    let (mut answer, status) = classify::response(pool, stream.is_grpc, whole);
    if stream.is_by_router {
        if router::answered(&plugin, key) {
            // The router was to repeat it, and has passed it on: the next attempt was not sent.
            answer.outcome = OVERFLOW;
        }
    } else if pool.pool().retry.by == RetriesBy::Router {
        router::passed_by(&plugin);
    }
    let event = performer(&plugin, id, now, status)
        .event(|worker, turn| worker.response_head(key, answer, turn));
    event.unwrap_or(Flow::Continue)
}

/// The stream is over, whatever came of it. `false`: this is no stream, or it was over before.
pub(super) fn over(id: ContextId) -> bool {
    let Some(removed) = contexts::remove_stream(id) else {
        return false;
    };
    let Some((stream, plugin)) = removed else {
        return true;
    };
    if stream.is_by_router {
        plugin.take_edits(StreamId(id.into()));
    }
    let Some(key) = stream.key else {
        admin_requests::forget(id);
        return true;
    };
    // The time and the end are read only where they are needed.
    if plugin.with_worker(|worker| worker.stream_closed(key)) == Some(false) {
        let end = answer_end::of(&stream);
        performer(&plugin, id, host::now(), None)
            .event(|worker, turn| worker.stream_over(key, end, turn));
    }
    true
}

fn performer(
    plugin: &Plugin,
    context: ContextId,
    now: Instant,
    status: Option<u16>,
) -> Performer<'_> {
    Performer {
        plugin,
        context,
        is_abroad: false,
        now,
        status,
    }
}
