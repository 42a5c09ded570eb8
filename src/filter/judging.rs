//! The first attempt's answer: it goes on to the client, or it is held back for a retry.
//!
//! Held back means paused: the host keeps the answer, body and all, until it is resumed or replaced
//! by another. Every pause is matched by exactly one thing that will end it, here the timer of the
//! retry. A healthy answer costs one hostcall, for its status.

use core::mem;

use proxy_wasm::types::Action;
use steerage_policy::balance::Strategy;
use steerage_policy::outcome::{Class, Outcome};
use steerage_policy::pool::Pool;
use steerage_policy::retry::Decision;

use super::answering::{REASON, Reason, mark_response};
use super::classify::{self, DEGRADED, FAILING};
use super::timers::StreamId;
use super::worker::{Phase, SteeredPool, Worker};
use crate::host::{self, Map};
use crate::metrics::hostcall_refused;

impl Worker {
    /// A response's head is on its way to the client.
    pub(crate) fn response_headers(&mut self, id: StreamId) -> Action {
        let Some(stream) = self.streams.get_mut(&id) else {
            return Action::Continue;
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
        let head = Head::read(&steered.pool);
        let outcome = head.outcome;
        steered.record(&attempt, outcome, now);
        if matches!(outcome, Outcome::Answered(_)) {
            steered.hear_answer(attempt.endpoint(), head.degraded, head.failing, now);
        }
        let SteeredPool { pool, state, .. } = steered;
        let exchange = &mut stream.exchange;
        if outcome.class() == Class::Failure || pool.retry.covers(outcome) {
            exchange.repeatability.obstacle = stream.request.obstacle();
        }
        match exchange.ended(pool, state, &attempt, outcome, now, &mut self.rng) {
            Decision::Again(delay) => {
                state.end(attempt);
                stream.phase = Phase::Waiting;
                stream.original_is_upstreams = matches!(outcome, Outcome::Answered(_));
                self.wait_until(id, Some(now + delay), now);
                Action::Pause
            }
            Decision::Stop(_) => {
                if exchange.expired_with(&attempt, outcome, now) {
                    let reason = Reason::DeadlineExceeded.name().as_bytes();
                    if let Err(refused) = host::set_header(Map::Response, REASON, reason) {
                        hostcall_refused("to mark a response", refused);
                    }
                }
                mark_response(pool, exchange);
                stream.request.forget();
                stream.phase = Phase::Answering(Some(attempt));
                self.wait_until(id, None, now);
                Action::Continue
            }
        }
    }
}

/// What the head of the response at hand says.
struct Head {
    outcome: Outcome,
    /// The endpoint says that it is degraded.
    degraded: bool,
    /// The endpoint says that it must not be used.
    failing: bool,
}

impl Head {
    /// Reads it. One hostcall for a healthy answer: only its status, or all of its headers if the
    /// pool wants to know what they say of health. Who made the answer is asked only where it matters.
    fn read(pool: &Pool) -> Self {
        let mut head = Self {
            outcome: Outcome::Neutral,
            degraded: false,
            failing: false,
        };
        let weighs_health = pool.checks.is_some() || pool.strategy == Strategy::HealthBased;
        let status = if weighs_health {
            host::header_map(Map::Response).map(|headers| {
                head.degraded = headers.get(DEGRADED).is_some();
                head.failing = headers.get(FAILING).is_some();
                headers.get(":status").and_then(classify::status)
            })
        } else {
            host::header(Map::Response, ":status").map(|status| classify::status(&status))
        };
        match status {
            Ok(Some(status)) => {
                let answered = Outcome::Answered(status);
                let suspicious = answered.class() == Class::Failure || pool.retry.covers(answered);
                head.outcome = if suspicious {
                    classify::routed(status, &host::property(&["response", "code_details"]))
                } else {
                    answered
                };
            }
            Ok(None) => {}
            Err(refused) => hostcall_refused("to read a response's head", refused),
        }
        head
    }
}
