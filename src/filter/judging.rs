//! The first attempt's answer: it goes on to the client, or it is held back for a retry.
//!
//! Held back means paused: the host keeps the answer, body and all, until it is resumed or replaced
//! by another. Every pause is matched by exactly one thing that will end it, here the timer of the
//! retry. A healthy answer costs one hostcall, for its status.

use core::mem;

use proxy_wasm::types::Action;
use steerage_policy::outcome::{Class, Outcome};
use steerage_policy::pool::Pool;
use steerage_policy::retry::Decision;

use super::answering::{REASON, Reason, mark_response};
use super::classify;
use super::timers::StreamId;
use super::worker::{Phase, SteeredPool, Worker};
use crate::host::{self, Map};

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
        let Some(SteeredPool { pool, state }) = self.pools.get_mut(stream.pool) else {
            return Action::Continue; // OK because a stream's pool is one of the worker's.
        };
        let now = host::now();
        let outcome = outcome(pool);
        state.record(pool, &attempt, outcome, now);
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
                        log::error!("a response cannot be marked: {refused:?}");
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

/// What the answer at hand means. Who made it is asked only where it matters.
fn outcome(pool: &Pool) -> Outcome {
    let status = match host::header(Map::Response, ":status") {
        Ok(status) => classify::status(&status),
        Err(refused) => {
            log::error!("a response's status cannot be read: {refused:?}");
            None
        }
    };
    let Some(status) = status else {
        return Outcome::Neutral;
    };
    let answered = Outcome::Answered(status);
    if answered.class() == Class::Success && !pool.retry.covers(answered) {
        return answered;
    }
    classify::routed(status, &host::property(&["response", "code_details"]))
}
