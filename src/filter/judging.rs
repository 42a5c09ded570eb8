//! The first attempt's answer: it goes on to the client, or it is held back for a retry.
//!
//! Held back means paused: the host keeps the answer, body and all, until it is resumed or replaced
//! by another. Every pause is matched by exactly one thing that will end it, here the timer of the
//! retry. A healthy answer costs one hostcall, for its status.

use core::mem;
use core::time::Duration;

use rand::Rng;
use steerage_policy::balance::Strategy;
use steerage_policy::endpoint::EndpointIndex;
use steerage_policy::exchange::{Attempt, Exchange};
use steerage_policy::outcome::{Class, Neutral, Outcome};
use steerage_policy::pool::Pool;
use steerage_policy::retry::condition::{AnswerHead, Failed};
use steerage_policy::retry::retry_after;
use steerage_policy::retry::{Decision, Ending, may_request_cool_down};
use steerage_policy::time::Instant;

use super::answering::{REASON, Reason, mark_response};
use super::callbacks::Action;
use super::classify::{self, DEGRADED, FAILING};
use super::debugging;
use super::intercepting::LastAttempt;
use super::request::Request;
use super::timers::StreamId;
use super::worker::{Phase, SteeredPool, Worker};
use crate::host::{self, HeaderMap, Map};
use crate::metrics::hostcall_refused;

impl Worker {
    /// A response's head is on its way to the client.
    pub(crate) fn response_headers(&mut self, id: StreamId) -> Action {
        let Some(stream) = self.streams.get_mut(&id) else {
            return self.admin_answered(id).unwrap_or(Action::Continue);
        };
        let attempt = match mem::replace(&mut stream.phase, Phase::Answering(None)) {
            Phase::Routed(attempt) => attempt,
            // An answer of our own passes by.
            phase => {
                stream.phase = phase;
                return Action::Continue;
            }
        };
        let Some(steered) = self.pools.get_mut(stream.pool) else {
            return Action::Continue; // OK because a stream's pool is one of the worker's.
        };
        let now = host::now();
        let head = Head::read(&steered.pool, stream.request.is_stream());
        let outcome = head.outcome;
        steered.record(id, &attempt, Some(&stream.request), outcome, now);
        stream.last_attempt = LastAttempt::ended(&attempt, now);
        let headers = head.headers.as_ref();
        let requested =
            headers.and_then(|headers| steered.hear(attempt.endpoint(), outcome, headers, now));
        let ending = steered.ending(&attempt, outcome, requested, &stream.request, headers, now);
        if steered.pool.retry.covers(outcome) && !stream.calls.is_empty() {
            // A hedge may do better.
            steered.state.end(attempt);
            stream.phase = Phase::Calling;
            stream.original_is_upstreams = matches!(outcome, Outcome::Answered(_));
            let deadline = stream.exchange.deadline();
            self.wait_until(id, Some(deadline), now);
            return Action::Pause;
        }
        let exchange = &mut stream.exchange;
        if outcome.class() == Class::Failure || steered.pool.retry.covers(outcome) {
            exchange.repeatability.obstacle = stream.request.obstacle();
        }
        match steered.decide(id, exchange, ending, now, &mut self.rng) {
            Decision::Again(delay) => {
                steered.state.end(attempt);
                stream.phase = Phase::Waiting;
                stream.original_is_upstreams = matches!(outcome, Outcome::Answered(_));
                self.wait_until(id, Some(now + delay), now);
                Action::Pause
            }
            Decision::Stop(_) => {
                let expired = exchange.expired_with(&attempt, outcome, now);
                let reason = expired.then_some(Reason::DeadlineExceeded);
                if let Some(reason) = reason {
                    let reason = reason.name().as_bytes();
                    if let Err(refused) = host::set_header(Map::Response, REASON, reason) {
                        hostcall_refused("to mark a response", refused);
                    }
                }
                mark_response(&steered.pool, exchange, reason);
                steered.intercept_response(stream, head.status, now);
                stream.request.forget();
                stream.phase = Phase::Answering(Some(attempt));
                self.wait_until(id, None, now);
                Action::Continue
            }
        }
    }
}

impl SteeredPool {
    /// Takes in what an upstream's answer says of its endpoint: its health, and a wish for quiet, which
    /// is returned.
    pub(super) fn hear(
        &mut self,
        endpoint: EndpointIndex,
        outcome: Outcome,
        headers: &HeaderMap,
        now: Instant,
    ) -> Option<Duration> {
        let degraded = headers.get(DEGRADED).is_some();
        let failing = headers.get(FAILING).is_some();
        self.hear_answer(endpoint, degraded, failing, now);
        let retry = &self.pool.retry;
        if !may_request_cool_down(outcome) {
            return None;
        }
        let requested = retry_after::requested(headers.iter(), host::wall_time());
        if let Some(cool_down) = retry.cool_down(outcome, requested) {
            self.change(endpoint, now, |_, agreed| agreed.cool_down(now + cool_down));
        }
        requested
    }

    /// What an attempt has come to, for the decision on another. `headers` are those of the upstream's
    /// answer, as far as they matter.
    pub(super) fn ending(
        &self,
        attempt: &Attempt,
        outcome: Outcome,
        requested: Option<Duration>,
        request: &Request,
        headers: Option<&HeaderMap>,
        now: Instant,
    ) -> Ending {
        let failed = Failed {
            outcome,
            took: now.since(attempt.sent()),
            request,
            answer: headers.map(|headers| headers as &dyn AnswerHead),
        };
        Ending {
            outcome,
            requested,
            conditions_hold: self.pool.retry.conditions.hold(&failed),
        }
    }

    /// Decides what follows an attempt.
    pub(super) fn decide(
        &mut self,
        id: StreamId,
        exchange: &mut Exchange,
        ending: Ending,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Decision {
        let decision = exchange.ended(&self.pool, &mut self.state, ending, now, rng);
        debugging::decided(id, decision);
        if let Decision::Stop(_) = decision {
            exchange.answered(&mut self.state, ending.outcome.class(), now);
        }
        decision
    }
}

/// What the head of the response at hand says.
struct Head {
    outcome: Outcome,
    /// As the client would get it.
    status: Option<u16>,
    /// The upstream's headers, if anything in them may matter.
    headers: Option<HeaderMap>,
}

impl Head {
    /// Reads it. One hostcall for a healthy answer: only its status, or all of its headers if the
    /// pool wants to know what they say of health. Who made the answer is asked only where it matters.
    /// `in_disguise` says that the host may hide a failure of its own in a 200, as it does to a client
    /// that speaks gRPC.
    fn read(pool: &Pool, in_disguise: bool) -> Self {
        let weighs_health = pool.checks.is_some() || pool.strategy == Strategy::HealthBased;
        let status = if weighs_health {
            host::header_map(Map::Response).map(|headers| {
                let status = headers.get(":status").and_then(classify::status);
                (status, Some(headers))
            })
        } else {
            host::header(Map::Response, ":status").map(|status| (classify::status(&status), None))
        };
        let (status, mut headers) = match status {
            Ok((Some(status), headers)) => (status, headers),
            Ok((None, _)) => return Self::unknown(),
            Err(refused) => {
                hostcall_refused("to read a response's head", refused);
                return Self::unknown();
            }
        };
        let mut outcome = Outcome::Answered(status);
        let retried = pool.retry.covers(outcome);
        if outcome.class() == Class::Failure || retried || in_disguise {
            outcome = classify::routed(status, &host::property(&["response", "code_details"]));
        }
        if !matches!(outcome, Outcome::Answered(_)) {
            // The host's own headers are nobody's word.
            headers = None;
        } else if headers.is_none()
            && (may_request_cool_down(outcome) || (retried && pool.retry.conditions.reads_answer()))
        {
            match host::header_map(Map::Response) {
                Ok(read) => headers = Some(read),
                Err(refused) => hostcall_refused("to read a failed response's head", refused),
            }
        }
        Self {
            outcome,
            status: Some(status),
            headers,
        }
    }

    const fn unknown() -> Self {
        Self {
            outcome: Outcome::Neutral(Neutral::Unknown),
            status: None,
            headers: None,
        }
    }
}
