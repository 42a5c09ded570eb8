//! The end of an exchange: which answer the client gets, and how.
//!
//! A good answer of a retry replaces the paused one. If no attempt was good, the client gets the
//! last answer of an upstream as it came, because it says most; and only if no upstream answered at
//! all, the last of the host's own. When time is up it gets a 504 that says so.

use core::time::Duration;

use steerage_policy::exchange::Exchange;
use steerage_policy::headers::is_hop_by_hop;
use steerage_policy::matching::RequestHead as _;
use steerage_policy::outcome::{Class, Neutral, Outcome};
use steerage_policy::pool::Pool;
use steerage_policy::retry::reason::Denial;
use steerage_policy::time::Instant;

use super::classify::{self, DEGRADED};
use super::intercepting::LastAttempt;
use super::steering::attempts;
use super::timers::StreamId;
use super::worker::{Phase, SteeredPool, Stream, Worker};
use crate::host::{self, Body, HeaderMap, Map, Refused};
use crate::metrics::hostcall_refused;

/// Why the filter answered by itself, for the client.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reason {
    NoEndpointAvailable,
    Overloaded,
    DeadlineExceeded,
    WriteTimeout,
}

impl Reason {
    /// The value of `x-steerage-reason`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::NoEndpointAvailable => "no_endpoint_available",
            Self::Overloaded => "overloaded",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::WriteTimeout => "write_timeout",
        }
    }

    /// Why a request without a first attempt is answered.
    pub(super) const fn of(denial: Denial) -> Self {
        match denial {
            Denial::Overloaded => Self::Overloaded,
            // No time is over when a request arrives.
            _ => Self::NoEndpointAvailable,
        }
    }

    /// What the access log says.
    const fn details(self) -> &'static str {
        match self {
            Self::NoEndpointAvailable => "steerage_no_endpoint_available",
            Self::Overloaded => "steerage_overloaded",
            Self::DeadlineExceeded => "steerage_deadline_exceeded",
            Self::WriteTimeout => "steerage_write_timeout",
        }
    }

    const fn text(self) -> &'static [u8] {
        match self {
            Self::NoEndpointAvailable => b"no endpoint is available",
            Self::Overloaded => b"every endpoint is at its limit",
            Self::DeadlineExceeded => b"no upstream answered in time",
            Self::WriteTimeout => b"the request was not finished in time",
        }
    }
}

/// The answer of a call, whole.
#[derive(Debug)]
pub(super) struct Answer {
    headers: HeaderMap,
    body: Vec<u8>,
    outcome: Outcome,
}

impl Answer {
    /// Reads the answer that is being delivered, to a call with or without a body; `None` if it cannot
    /// be read.
    pub(super) fn read(body_size: usize, sent_body: bool) -> Option<Self> {
        let read = host::header_map(Map::CallAnswer)
            .and_then(|headers| Ok((headers, host::body(Body::CallAnswer, body_size)?)));
        match read {
            Ok((headers, body)) => Some(Self {
                outcome: classify::called(&headers, &body, sent_body),
                headers,
                body,
            }),
            Err(refused) => {
                hostcall_refused("to read a call's answer", refused);
                None
            }
        }
    }

    /// What it means.
    pub(super) const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Whether it says that its endpoint is degraded.
    pub(super) fn says_degraded(&self) -> bool {
        self.headers.get(DEGRADED).is_some()
    }

    /// All of its headers.
    pub(super) const fn head(&self) -> &HeaderMap {
        &self.headers
    }

    /// Whether an upstream has said it, and not the host.
    pub(super) const fn is_upstreams(&self) -> bool {
        matches!(self.outcome, Outcome::Answered(_))
    }

    fn status(&self) -> u16 {
        self.headers
            .get(":status")
            .and_then(classify::status)
            .unwrap_or(502)
    }

    /// Its headers but for those that the host writes itself.
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.headers.iter().filter(|(name, _)| {
            !name.starts_with(b":") && !is_hop_by_hop(name) && !matches!(*name, b"date" | b"server")
        })
    }
}

impl Stream {
    /// Keeps `answer` if it is worth more than what is kept: an upstream's word is worth more than
    /// the host's, and the newer more than the older.
    pub(super) fn keep_better(&mut self, answer: Option<Answer>) {
        let Some(answer) = answer else {
            return;
        };
        let kept_is_upstreams = self
            .kept
            .as_ref()
            .map_or(self.original_is_upstreams, Answer::is_upstreams);
        if answer.is_upstreams() || !kept_is_upstreams {
            self.kept = Some(answer);
        }
    }
}

impl Worker {
    /// No other attempt follows: the client gets the best answer that there is.
    pub(super) fn finish(&mut self, id: StreamId, now: Instant) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let Some(steered) = self.pools.get(stream.pool) else {
            return; // OK because a stream's pool is one of the worker's.
        };
        stream.phase = Phase::Answering(None);
        let done = host::on_behalf_of(id).and_then(|()| match stream.kept.take() {
            None => {
                mark_response(&steered.pool, &stream.exchange, None);
                steered.intercept_response(stream, None, now);
                host::resume_response()
            }
            Some(answer) => give(steered, stream, &answer, now),
        });
        if let Err(refused) = done {
            hostcall_refused("to answer a client", refused);
            // The paused response is better than none.
            if let Err(refused) = host::resume_response() {
                hostcall_refused("to let a response go on", refused);
            }
        }
        self.stream_answered(id, now);
    }

    /// The exchange's time is up: the client gets the 504 of the deadline.
    pub(super) fn expire(&mut self, id: StreamId, now: Instant) {
        let done = host::on_behalf_of(id);
        if let Err(refused) = done {
            hostcall_refused("to answer a client whose time is up", refused);
        }
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.phase = Phase::Answering(None);
        }
        self.refuse_stream(id, 504, Reason::DeadlineExceeded, Class::Failure, now);
    }

    /// A stream whose answer is outstanding has reached a limit in time: the exchange's, or the
    /// client's for finishing its request.
    pub(super) fn time_is_up(&mut self, id: StreamId, now: Instant) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let client_is_late = !stream.request.is_complete();
        if let Phase::Routed(attempt) =
            core::mem::replace(&mut stream.phase, Phase::Answering(None))
            && let Some(steered) = self.pools.get_mut(stream.pool)
        {
            // An endpoint that waits for the client's request is not to blame.
            let outcome = if client_is_late {
                Outcome::Neutral(Neutral::WriteTimeout)
            } else {
                Outcome::Timeout
            };
            steered.record(id, &attempt, Some(&stream.request), outcome, now);
            stream.last_attempt = LastAttempt::ended(&attempt, now);
            steered.state.end(attempt);
        }
        if client_is_late && now < stream.exchange.deadline() {
            if let Err(refused) = host::on_behalf_of(id) {
                hostcall_refused("to answer a client that was too slow", refused);
            }
            self.refuse_stream(id, 408, Reason::WriteTimeout, Class::Neutral, now);
        } else {
            self.expire(id, now);
        }
    }

    /// Answers a stream on whose behalf calls are made. `class` says whose fault it is.
    fn refuse_stream(
        &mut self,
        id: StreamId,
        status: u16,
        reason: Reason,
        class: Class,
        now: Instant,
    ) {
        if let Some(stream) = self.streams.get_mut(&id)
            && let Some(steered) = self.pools.get_mut(stream.pool)
        {
            stream.exchange.answered(&mut steered.state, class, now);
            tell_access_log(&steered.pool, &stream.exchange, Some(reason));
        }
        self.refuse(id, status, reason, None, now);
        self.stream_answered(id, now);
    }

    /// Answers the stream on whose behalf calls are made. `wait` is how long the client had better wait
    /// before it asks again, if that is known. Interceptors see the answer if there was an attempt.
    pub(super) fn refuse(
        &self,
        id: StreamId,
        status: u16,
        reason: Reason,
        wait: Option<Duration>,
        now: Instant,
    ) {
        let mut headers: Vec<(&[u8], &[u8])> = vec![(REASON.as_bytes(), reason.name().as_bytes())];
        let seconds = wait.map(|wait| wait.as_nanos().div_ceil(1_000_000_000).to_string());
        if let Some(seconds) = &seconds {
            headers.push((b"retry-after", seconds.as_bytes()));
        }
        let edits = self.streams.get(&id).and_then(|stream| {
            let steered = self.pools.get(stream.pool)?;
            Some(steered.intercept_reply(stream, status, &headers, now))
        });
        if let Some(edits) = &edits {
            edits.apply(&mut headers);
        }
        if let Err(refused) = host::reply(status, reason.details(), &headers, reason.text()) {
            hostcall_refused("to answer a client", refused);
        }
    }

    /// The answer is on its way: nothing is awaited any more, and calls concern the root again.
    fn stream_answered(&mut self, id: StreamId, now: Instant) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.request.forget();
        }
        self.wait_until(id, None, now);
        if let Err(refused) = host::on_behalf_of(self.root) {
            hostcall_refused("to return to the root context", refused);
        }
    }
}

/// Gives the client `answer` in place of the paused response.
fn give(
    steered: &SteeredPool,
    stream: &Stream,
    answer: &Answer,
    now: Instant,
) -> Result<(), Refused> {
    let pool = &steered.pool;
    tell_access_log(pool, &stream.exchange, None);
    let attempts = attempts(stream.exchange.attempts());
    let endpoint = last_endpoint(pool, &stream.exchange);
    let mut headers: Vec<(&[u8], &[u8])> = answer.headers().collect();
    if pool.response_headers {
        // Another Steerage further on may have said the same of itself.
        headers.retain(|(name, _)| *name != ENDPOINT.as_bytes() && *name != ATTEMPTS.as_bytes());
        headers.push((ENDPOINT.as_bytes(), endpoint.as_bytes()));
        headers.push((ATTEMPTS.as_bytes(), attempts.as_bytes()));
    }
    let edits = steered.intercept_reply(stream, answer.status(), &headers, now);
    edits.apply(&mut headers);
    if stream.request.method() == b"HEAD" {
        // The host would take the length of a body that is not there off a reply of ours. The
        // paused response has no body either, so it can take on the new head as it is.
        let status = answer.status().to_string();
        headers.insert(0, (b":status", status.as_bytes()));
        if let Some(length) = answer.headers.get("content-length") {
            headers.push((b"content-length", length));
        }
        host::set_header_map(Map::Response, &headers)?;
        return host::resume_response();
    }
    host::reply(answer.status(), RETRIED, &headers, &answer.body)
}

/// Tells the access log where the answer at hand comes from, and the client if the pool says so.
/// `reason` says that the answer is Envoy's in our place.
pub(super) fn mark_response(pool: &Pool, exchange: &Exchange, reason: Option<Reason>) {
    tell_access_log(pool, exchange, reason);
    if !pool.response_headers {
        return;
    }
    let attempts = attempts(exchange.attempts());
    let endpoint = last_endpoint(pool, exchange);
    let marked = host::set_header(Map::Response, ENDPOINT, endpoint.as_bytes())
        .and_then(|()| host::set_header(Map::Response, ATTEMPTS, attempts.as_bytes()));
    if let Err(refused) = marked {
        hostcall_refused("to mark a response", refused);
    }
}

/// Sets what the access log can print: `%FILTER_STATE(wasm.steerage.endpoint:PLAIN)%` and so on. The
/// reason is why the client did not get a better answer; most have none.
pub(super) fn tell_access_log(pool: &Pool, exchange: &Exchange, reason: Option<Reason>) {
    let attempts = attempts(exchange.attempts());
    let denial = || exchange.denial().map(Denial::name);
    let values = [
        ("steerage.endpoint", Some(last_endpoint(pool, exchange))),
        ("steerage.attempts", Some(&*attempts)),
        ("steerage.reason", reason.map(Reason::name).or_else(denial)),
    ];
    for (name, value) in values {
        if let Some(value) = value.filter(|value| !value.is_empty())
            && let Err(refused) = host::set_filter_state(name, value.as_bytes())
        {
            return hostcall_refused("to note something for the access log", refused);
        }
    }
}

fn last_endpoint<'a>(pool: &'a Pool, exchange: &Exchange) -> &'a str {
    exchange
        .last_endpoint()
        .and_then(|index| pool.endpoint(index))
        .map_or("", |endpoint| &endpoint.name)
}

/// Says why the filter answered by itself.
pub(super) const REASON: &str = "x-steerage-reason";
/// Names the endpoint of the last attempt.
const ENDPOINT: &str = "x-steerage-endpoint";
/// The number of attempts.
const ATTEMPTS: &str = "x-steerage-attempts";
/// What the access log says of an answer that a retry brought.
const RETRIED: &str = "steerage_retried";
