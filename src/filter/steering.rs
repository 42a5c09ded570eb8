//! The first attempt: a request arrives, an endpoint is chosen, the router is told.
//!
//! The router sends it, so that bodies stream and connection pools, TLS and tracing are the host's.
//! It also watches the read timeout: as a timeout per try, which ends with the first byte of the
//! answer and so never cuts a long one, and which the router announces to the upstream in
//! `x-envoy-expected-rq-timeout-ms` by itself.

use core::time::Duration;
use std::borrow::Cow;

use steerage_policy::balance::{HashKey, HashOn};
use steerage_policy::endpoint::Endpoint;
use steerage_policy::exchange::{Attempt, Exchange};
use steerage_policy::matching::RequestHead as _;
use steerage_policy::outcome::Class;
use steerage_policy::pool::Pool;
use steerage_policy::retry::idempotency::Repeatability;

use super::answering::{Reason, tell_access_log};
use super::callbacks::Action;
use super::intercepting::LastAttempt;
use super::request::Request;
use super::timers::StreamId;
use super::worker::{Phase, SteeredPool, Stream, Worker};
use crate::host::{self, Map, Refused};
use crate::metrics::hostcall_refused;

impl Worker {
    /// A request's head has arrived; `complete` says that no body follows.
    pub(crate) fn request_headers(&mut self, id: StreamId, complete: bool) -> Action {
        let headers = match host::header_map(Map::Request) {
            Ok(headers) => headers,
            Err(refused) => {
                hostcall_refused("to read a request's headers", refused);
                return Action::Continue;
            }
        };
        let mut request = Request::arrived(headers, &self.cluster_header, complete);
        if let Some(action) = self.administer(id, &request, complete) {
            return action;
        }
        let Some((position, steered)) = self
            .pools
            .iter_mut()
            .enumerate()
            .find(|(_, steered)| steered.pool.matcher.matches(&request))
        else {
            self.leave_alone(&request);
            return Action::Continue;
        };
        let pool = &steered.pool;
        let now = host::now();
        request.limit_body(pool.retry.max_request_bytes);
        if pool.retry.stop_nested {
            request.stop_nested();
        }
        let repeatability = Repeatability {
            allowed: pool.retry.methods.contains(request.method()) || request.has_idempotency_key(),
            obstacle: request.obstacle(),
        };
        let key = hash_key(pool, &request);
        let state = &mut steered.state;
        let limit = request.limit();
        let mut exchange = Exchange::begin(pool, state, repeatability, key, limit, now);
        let attempt = match steered.attempt(id, &mut exchange, now, &mut self.rng) {
            Ok(attempt) => attempt,
            Err(declined) => {
                let reason = Reason::of(declined);
                let cooled = exchange.cooled(&steered.pool, &steered.state, now);
                let wait = cooled.map(|cooled| cooled.since(now));
                exchange.answered(&mut steered.state, Class::Failure, now);
                tell_access_log(&steered.pool, &exchange, Some(reason));
                self.refuse(id, 503, reason, wait, now);
                return Action::Pause;
            }
        };
        let pool = &steered.pool;
        if let Some(endpoint) = pool.endpoint(attempt.endpoint())
            && let Err(refused) = route(steered, &self.cluster_header, endpoint, &attempt, &request)
        {
            hostcall_refused("to steer a request", refused);
        }
        steered.intercept_request(&attempt);
        steered.log_sent(&attempt, &request);
        let stream = Stream {
            pool: position,
            write_deadline: now + pool.timeouts.write(),
            exchange,
            last_attempt: LastAttempt::sent(&attempt),
            request,
            phase: Phase::Routed(attempt),
            kept: None,
            original_is_upstreams: false,
            calls: Vec::new(),
            hedge_at: None,
            due: None,
        };
        self.streams.insert(id, stream);
        self.await_first(id, now);
        Action::Continue
    }

    /// `size` bytes of a request's body have arrived.
    pub(crate) fn request_body(&mut self, id: StreamId, size: usize, end: bool) -> Action {
        if let Some(action) = self.admin_body(id, size, end) {
            return action;
        }
        let Some(stream) = self.streams.get_mut(&id) else {
            return Action::Continue;
        };
        if let Phase::Routed(_) = stream.phase
            && let Some(steered) = self.pools.get(stream.pool)
        {
            let limit = steered.pool.retry.max_request_bytes;
            stream.request.body_arrived(size, end, limit);
            if end {
                self.request_complete(id);
            }
        }
        Action::Continue
    }

    /// A request's trailers have arrived, and with them its end.
    pub(crate) fn request_trailers(&mut self, id: StreamId) -> Action {
        if let Some(action) = self.admin_body(id, 0, true) {
            return action;
        }
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.request.trailers_arrived();
            self.request_complete(id);
        }
        Action::Continue
    }

    /// The endpoint's time starts, and the client's ends.
    fn request_complete(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if let Phase::Routed(attempt) = &mut stream.phase {
            let now = host::now();
            attempt.request_completed(now);
            self.await_first(id, now);
        }
    }

    /// The request belongs to no pool: it goes on as it came, except that a client must not choose
    /// its cluster.
    fn leave_alone(&self, request: &Request) {
        if request.header(&self.cluster_header).is_some()
            && let Err(refused) = host::remove_header(Map::Request, self.cluster_header.as_bytes())
        {
            hostcall_refused("to remove a client's routing header", refused);
        }
    }
}

/// Tells the router where the request goes, and the upstream which attempt it is.
fn route(
    steered: &SteeredPool,
    cluster_header: &str,
    endpoint: &Endpoint,
    attempt: &Attempt,
    request: &Request,
) -> Result<(), Refused> {
    let path = endpoint
        .path_prefix
        .as_deref()
        .map(|prefix| [prefix.as_bytes(), request.path()].concat());
    let number = attempts(attempt.number());
    let timeout = steered.milliseconds(attempt.timeout());
    let writes: [(&str, Option<&[u8]>); 5] = [
        (
            ":authority",
            endpoint.authority.as_deref().map(str::as_bytes),
        ),
        (":path", path.as_deref()),
        (cluster_header, Some(endpoint.cluster.as_bytes())),
        (ATTEMPT_COUNT, Some(number.as_bytes())),
        (TRY_TIMEOUT, Some(timeout.as_bytes())),
    ];
    let writes = writes
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    if request.has_few_control_headers() {
        // What cannot be removed must not keep the request from being steered.
        let mut done = Ok(());
        for name in request.control_headers() {
            let removed = host::remove_header(Map::Request, name);
            done = done.and(removed);
        }
        for (name, value) in writes {
            let written = host::set_header(Map::Request, name, value);
            done = done.and(written);
        }
        return done;
    }
    // A client must not be able to multiply hostcalls: one call writes them all.
    let written: Vec<(&[u8], &[u8])> = writes
        .map(|(name, value)| (name.as_bytes(), value))
        .collect();
    let headers: Vec<(&[u8], &[u8])> = written
        .iter()
        .copied()
        .chain(
            request
                .headers_but_control()
                .filter(|(name, _)| !written.iter().any(|(overwritten, _)| overwritten == name)),
        )
        .collect();
    host::set_header_map(Map::Request, &headers)
}

impl SteeredPool {
    /// A timeout in whole milliseconds. Most often it is the one that is written down already.
    pub(super) fn milliseconds(&self, timeout: Duration) -> Cow<'_, str> {
        if timeout == self.pool.timeouts.read() {
            Cow::Borrowed(&self.read_timeout)
        } else {
            Cow::Owned(host::milliseconds(timeout).to_string())
        }
    }
}

/// A number of attempts. There are hardly ever more than can be written down before.
pub(super) fn attempts(number: u8) -> Cow<'static, str> {
    const WRITTEN: [&str; 5] = ["0", "1", "2", "3", "4"];
    match WRITTEN.get(usize::from(number)) {
        Some(written) => Cow::Borrowed(written),
        None => Cow::Owned(number.to_string()),
    }
}

/// The request's hash key, where its pool's strategy asks for one.
fn hash_key(pool: &Pool, request: &Request) -> Option<HashKey> {
    match pool.strategy.hash_on()? {
        HashOn::SourceIp => {
            // `address:port`; an IPv6 address stands in brackets.
            let source = host::property(&["source", "address"]);
            let port = source.iter().rposition(|&byte| byte == b':')?;
            source.get(..port).map(HashKey::of)
        }
        hash_on => hash_on.key(request),
    }
}

/// Announces the attempt's number to the upstream, from 1.
pub(super) const ATTEMPT_COUNT: &str = "x-envoy-attempt-count";

/// Tells the router how long the upstream may take to begin its answer, in milliseconds.
pub(super) const TRY_TIMEOUT: &str = "x-envoy-upstream-rq-per-try-timeout-ms";
