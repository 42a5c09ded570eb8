//! Requests for the admin surface: brought to [`crate::admin`], and its replies to the client.
//!
//! A read is answered at once. A write has a body, and there the host is in the way: while a request's
//! headers are held back it keeps the body to itself, and once they go on the router answers or sends the
//! request off. So they are held back until the host has counted all of the body, and let go then: the
//! router begins a request to a cluster, and within the same turn the body comes by here and the request is
//! answered. An upstream to which there was an idle connection sees that begun request and its end: it is an
//! OPTIONS, which changes nothing (RFC 9110 §9.3.7), with no header of the operator's.
//!
//! Where the plugin has `allow_on_headers_stop_iteration`, as it may where there are no pools, the body comes
//! by itself, and the same code answers. Where the route leads nowhere, the router answers first; its answer
//! is then held back and replaced by one that says what to do.

use core::time::Duration;

use steerage_policy::matching::RequestHead as _;
use steerage_policy::time::Instant;
use steerage_shared::snapshot;

use super::callbacks::Action;
use super::request::Request;
use super::timers::StreamId;
use super::worker::Worker;
use crate::admin::{self, Ask, Clock, NO_BODY, Reply, Step, Target};
use crate::host::{self, Body, Map, Refused, SharedData};
use crate::metrics::hostcall_refused;

/// A request whose body is awaited.
#[derive(Debug)]
pub(super) struct Asked {
    target: Target,
    body: Vec<u8>,
    /// In bytes, all of it.
    length: u64,
    /// What the host had counted of the request when its head arrived, in bytes.
    head: u64,
    /// When somebody looks at it next.
    due: Instant,
    deadline: Instant,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The headers are held back.
    Held,
    /// They have been let go for the body to follow.
    LetGo,
    /// Somebody else has answered, and that is held back.
    Answered,
}

impl Worker {
    /// Takes a request that is for the admin surface.
    pub(super) fn administer(
        &mut self,
        id: StreamId,
        request: &Request,
        complete: bool,
    ) -> Option<Action> {
        let admin = self
            .admin
            .as_ref()
            .filter(|admin| admin::concerns(admin, request.path()))?;
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
                let due = clock.now + LOOK_AGAIN;
                let asked = Asked {
                    target,
                    body: Vec::new(),
                    length: length.try_into().unwrap_or(u64::MAX),
                    head: received(),
                    due,
                    deadline: clock.now + PATIENCE,
                    phase: Phase::Held,
                };
                self.asked.push((id, asked));
                self.look_at(id, None, due, clock.now);
            }
        }
        Some(Action::Pause)
    }

    /// `size` bytes of a body are there; `None` if nobody waits for it.
    pub(super) fn admin_body(&mut self, id: StreamId, size: usize, end: bool) -> Option<Action> {
        let asked = self.asked_mut(id)?;
        // What is paused here the host gives again with what follows: the newest is all of it.
        match host::body(Body::Request, size) {
            Ok(all) if size > 0 => asked.body = all,
            Ok(_) => {}
            Err(refused) => hostcall_refused("to read an operator's request", refused),
        }
        // The host does not pass on more than the content-length, and that has a limit.
        if end && let Some(asked) = self.forget_asked(id) {
            send(&admin::receive_body(
                &asked.target,
                &asked.body,
                &SharedData,
                clock(),
            ));
        }
        Some(Action::Pause)
    }

    /// Somebody else answers: the router, which has no cluster for the request.
    pub(super) fn admin_answered(&mut self, id: StreamId) -> Option<Action> {
        let asked = self.asked_mut(id)?;
        asked.phase = Phase::Answered;
        let now = host::now();
        let old = core::mem::replace(&mut asked.due, now);
        self.look_at(id, Some(old), now, now);
        Some(Action::Pause)
    }

    /// It is time to look at a request whose body is awaited.
    pub(super) fn look_at_asked(&mut self, id: StreamId, now: Instant) {
        let Some(asked) = self.asked_mut(id) else {
            return; // OK because most entries are those of other streams.
        };
        if let Err(refused) = host::on_behalf_of(id) {
            hostcall_refused("to look at an operator's request", refused);
        }
        let is_late = now >= asked.deadline;
        if is_late || asked.phase == Phase::Answered {
            let status = if asked.phase == Phase::Held { 408 } else { 501 };
            self.forget_asked(id);
            let message = if status == 408 {
                "the body was not sent in time"
            } else {
                NO_BODY
            };
            send(&Reply::error(status, message));
        } else {
            let due = now + LOOK_AGAIN;
            asked.due = due;
            let wanted = asked.head.saturating_add(asked.length);
            if asked.phase == Phase::Held && received() >= wanted {
                asked.phase = Phase::LetGo;
                if let Err(refused) = let_go(&self.cluster_header, now) {
                    hostcall_refused("to let an operator's request go on", refused);
                }
            }
            self.look_at(id, None, due, now);
        }
        if let Err(refused) = host::on_behalf_of(self.root) {
            hostcall_refused("to return to the root context", refused);
        }
    }

    /// Nobody waits for its body any more.
    pub(super) fn forget_asked(&mut self, id: StreamId) -> Option<Asked> {
        let position = self.asked.iter().position(|(of, _)| *of == id)?;
        let (_, asked) = self.asked.swap_remove(position);
        self.timers.replace(id, Some(asked.due), None);
        Some(asked)
    }

    fn asked_mut(&mut self, id: StreamId) -> Option<&mut Asked> {
        // There are hardly ever two.
        let mut asked = self.asked.iter_mut();
        asked.find_map(|(of, asked)| (*of == id).then_some(asked))
    }

    fn look_at(&mut self, id: StreamId, old: Option<Instant>, due: Instant, now: Instant) {
        self.timers.replace(id, old, Some(due));
        self.rearm(now);
    }
}

/// Lets a request go to the router, which must find a cluster: one that works, if there is one. Nothing that
/// the operator has sent goes with it, least of all the token.
fn let_go(cluster_header: &str, now: Instant) -> Result<(), Refused> {
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
    if let Err(refused) = host::reply(reply.status, ADMIN, &headers, &reply.body) {
        hostcall_refused("to answer an operator", refused);
    }
}

fn clock() -> Clock {
    Clock {
        now: host::now(),
        wall: host::wall_time(),
    }
}

/// What the host needs of a request to find its route; it has written the last one itself, and without it no
/// route matches.
const ROUTING: [&[u8]; 4] = [b":scheme", b":authority", b":path", b"x-forwarded-proto"];

/// What the access log says of an answer of the admin surface.
const ADMIN: &str = "steerage_admin";

/// From one look at a body that is awaited to the next.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// How long a body is awaited.
const PATIENCE: Duration = Duration::from_secs(5);
