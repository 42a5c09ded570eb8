//! Requests for the admin surface: brought to [`crate::admin`], and its replies to the client.
//!
//! A read is answered at once. A write has a body, and there the host is in the way: while a
//! request's headers are held it keeps the body to itself, and once they go on the router answers
//! or sends the request off. So they are held until the host has counted all of the body, and
//! released then: the router begins a request to a cluster, and within the same turn the body comes
//! by here and the request is answered. An upstream to which there was an idle connection sees that
//! begun request and its end: it is an OPTIONS, which changes nothing (RFC 9110 §9.3.7), with no
//! header of the operator's.
//!
//! Where the plugin has `allow_on_headers_stop_iteration`, as it may where there are no pools, the
//! body comes by itself, and the same code answers. Where the route leads nowhere, the router
//! answers first; its answer is then held and replaced by one that says what to do.

use core::cell::RefCell;
use core::time::Duration;

use steerage_config::admin::Admin;
use steerage_engine::Flow;
use steerage_engine::request::Request;
use steerage_policy::matching::RequestHead as _;
use steerage_policy::time::Instant;
use steerage_shared::snapshot;

use super::contexts;
use super::plugin::Plugin;
use super::timer;
use crate::admin::{self, Ask, Clock, NO_BODY, Reply, Step, Target};
use crate::host::{self, Body, ContextId, Map, Refused, SharedData};
use crate::metrics::hostcall_refused;

thread_local! {
    /// Those of all roots; there are hardly ever two.
    static PENDING: RefCell<Vec<PendingAdminRequest>> = const { RefCell::new(Vec::new()) };
}

/// A request whose body is awaited.
#[derive(Debug)]
struct PendingAdminRequest {
    stream: ContextId,
    root: ContextId,
    target: Target,
    body: Vec<u8>,
    /// In bytes, all of it.
    length: u64,
    /// What the host had counted of the request when its head arrived, in bytes.
    head: u64,
    /// When it is looked at next.
    due: Instant,
    deadline: Instant,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The headers are held.
    Held,
    /// They have been released for the body to follow.
    Released,
    /// The router has answered, and that is held.
    Answered,
}

/// Takes a request that is for the admin surface; `None` if it is not.
pub(super) fn receive(
    plugin: &Plugin,
    id: ContextId,
    request: &Request,
    complete: bool,
) -> Option<Flow> {
    let admin = plugin.admin.as_ref()?;
    if !admin::concerns(admin, request.path()) {
        return None;
    }
    Some(receive_for(admin, plugin, id, request, complete))
}

#[cold]
#[inline(never)]
fn receive_for(
    admin: &Admin,
    plugin: &Plugin,
    id: ContextId,
    request: &Request,
    complete: bool,
) -> Flow {
    let clock = clock();
    let ask = Ask {
        method: request.method(),
        path: request.path(),
        authorization: request.header("authorization"),
        content_length: request.content_length(),
        complete,
    };
    match admin::receive(admin, &ask, &SharedData, clock) {
        Step::Reply(reply) => send(&reply),
        Step::ReadBody(target, length) => {
            let pending = PendingAdminRequest {
                stream: id,
                root: plugin.root,
                target,
                body: Vec::new(),
                length: length.try_into().unwrap_or(u64::MAX),
                head: received(),
                due: clock.now + LOOK_AGAIN,
                deadline: clock.now + PATIENCE,
                phase: Phase::Held,
            };
            PENDING.with_borrow_mut(|all| all.push(pending));
            arm(plugin, clock.now);
        }
    }
    Flow::Pause
}

/// `size` bytes of a body are there; `None` if no request for the admin surface waits for them.
pub(super) fn body(id: ContextId, size: usize, end: bool) -> Option<Flow> {
    if !is_pending(id) {
        return None;
    }
    // What is paused here the host gives again with what follows: the newest is all of it.
    match host::body(Body::Request, size) {
        Ok(all) if size > 0 => change(id, |pending| pending.body = all),
        Ok(_) => {}
        Err(refused) => hostcall_refused("to read an operator's request", refused),
    }
    // The host does not pass on more than the content-length, and that has a limit.
    if end && let Some(pending) = take(id) {
        let (target, body) = (&pending.target, &pending.body);
        send(&admin::receive_body(target, body, &SharedData, clock()));
        arm_for(id);
    }
    Some(Flow::Pause)
}

/// The router answers, because it has no cluster for the request; `None` if it is another's.
pub(super) fn answered(id: ContextId) -> Option<Flow> {
    if !is_pending(id) {
        return None;
    }
    let now = host::now();
    change(id, |pending| {
        pending.phase = Phase::Answered;
        pending.due = now;
    });
    arm_for(id);
    Some(Flow::Pause)
}

/// Looks at the requests of a root whose time has come.
pub(super) fn look(plugin: &Plugin, now: Instant) {
    let due: Vec<ContextId> = PENDING.with_borrow(|all| {
        let due = all
            .iter()
            .filter(|it| it.root == plugin.root && it.due <= now);
        due.map(|pending| pending.stream).collect()
    });
    if due.is_empty() {
        return;
    }
    for id in due {
        if let Err(refused) = host::on_behalf_of(id) {
            hostcall_refused("to look at an operator's request", refused);
        }
        look_at(plugin, id, now);
    }
    if let Err(refused) = host::on_behalf_of(plugin.root) {
        hostcall_refused("to return to the root context", refused);
    }
    arm(plugin, now);
}

fn look_at(plugin: &Plugin, id: ContextId, now: Instant) {
    let Some(pending) = take(id) else {
        return; // It is one of those that are pending.
    };
    if now >= pending.deadline || pending.phase == Phase::Answered {
        send(&match pending.phase {
            Phase::Held => Reply::error(408, "the body was not sent in time"),
            Phase::Released | Phase::Answered => Reply::error(501, NO_BODY),
        });
        return;
    }
    let wanted = pending.head.saturating_add(pending.length);
    let releases = pending.phase == Phase::Held && received() >= wanted;
    let phase = if releases {
        Phase::Released
    } else {
        pending.phase
    };
    let due = now + LOOK_AGAIN;
    // Waiting again before it is released: its body may come by at once.
    PENDING.with_borrow_mut(|all| {
        all.push(PendingAdminRequest {
            due,
            phase,
            ..pending
        });
    });
    if releases && let Err(refused) = release(&plugin.settings.cluster_header, now) {
        hostcall_refused("to release an operator's request", refused);
    }
}

/// The stream is over: its body is awaited no longer. The timer may fire for nothing.
pub(super) fn forget(id: ContextId) {
    take(id);
}

fn is_pending(id: ContextId) -> bool {
    PENDING.with_borrow(|all| all.iter().any(|pending| pending.stream == id))
}

fn change(id: ContextId, change: impl FnOnce(&mut PendingAdminRequest)) {
    PENDING.with_borrow_mut(|all| {
        if let Some(pending) = all.iter_mut().find(|pending| pending.stream == id) {
            change(pending);
        }
    });
}

fn take(id: ContextId) -> Option<PendingAdminRequest> {
    PENDING.with_borrow_mut(|all| {
        let position = all.iter().position(|pending| pending.stream == id)?;
        Some(all.swap_remove(position))
    })
}

/// Has the timer fire when one of a root's requests is to be looked at.
fn arm(plugin: &Plugin, now: Instant) {
    let due = PENDING.with_borrow(|all| {
        let of_root = all.iter().filter(|pending| pending.root == plugin.root);
        of_root.map(|pending| pending.due).min()
    });
    timer::set_for_admin(plugin, due, now);
}

/// The same for the root of a stream.
fn arm_for(stream: ContextId) {
    if let Some((_, plugin)) = contexts::stream(stream) {
        arm(&plugin, host::now());
    }
}

/// Releases a request to the router, which must find a cluster: one that works, if there is one.
/// Nothing that the operator has sent goes with it, least of all the token.
fn release(cluster_header: &str, now: Instant) -> Result<(), Refused> {
    let pools = snapshot::take(&SharedData, now);
    let endpoints = || pools.iter().flat_map(|pool| &pool.endpoints);
    let usable = endpoints().find(|endpoint| {
        let exclusion = endpoint.agreed.exclusion(&<_>::default(), now);
        exclusion.is_none()
    });
    let cluster = usable.or_else(|| endpoints().next());
    let sent = host::header_map(Map::Request)?;
    let mut headers: Vec<(&[u8], &[u8])> = vec![(b":method", b"OPTIONS")];
    headers.extend(sent.iter().filter(|(name, _)| ROUTING.contains(name)));
    if let Some(endpoint) = cluster {
        headers.push((cluster_header.as_bytes(), endpoint.cluster.as_bytes()));
    }
    host::set_header_map(Map::Request, &headers)?;
    host::resume_request()
}

/// How many bytes of the request the host has counted.
fn received() -> u64 {
    let size = host::property(&["request", "total_size"]);
    size.try_into().map_or(0, u64::from_le_bytes)
}

fn send(reply: &Reply) {
    let headers = reply.headers.iter();
    let headers: Vec<(&[u8], &[u8])> = headers
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect();
    if let Err(refused) = host::reply(reply.status, ADMIN, &headers, &reply.body, None) {
        hostcall_refused("to answer an operator", refused);
    }
}

fn clock() -> Clock {
    Clock {
        now: host::now(),
        wall: host::wall_time(),
    }
}

/// What the host needs of a request to find its route; it has written the last one itself, and
/// without it no route matches.
const ROUTING: [&[u8]; 4] = [b":scheme", b":authority", b":path", b"x-forwarded-proto"];

/// What the access log says of an answer of the admin surface.
const ADMIN: &str = "steerage_admin";

/// From one look at a body that is awaited to the next.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// How long a body is awaited.
const PATIENCE: Duration = Duration::from_secs(5);
