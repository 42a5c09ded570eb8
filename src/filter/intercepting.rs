//! Runs a pool's chains of interceptors on its messages, and logs its attempts.
//!
//! The chains note changes; here they are carried out where a message is: on the host's map for what
//! streams by, or by whoever sends a list. A pool without interceptors returns from each of these at
//! once, with no hostcall and nothing allocated.

use core::time::Duration;

use steerage_policy::endpoint::EndpointIndex;
use steerage_policy::exchange::Attempt;
use steerage_policy::outcome::Outcome;
use steerage_policy::time::Instant;

use super::classify;
use super::request::Request;
use super::worker::{SteeredPool, Stream};
use crate::host::{self, Map};
use crate::interceptors::{AnswerInfo, AttemptInfo, Edits, Source};
use crate::metrics::hostcall_refused;

/// The last attempt of a stream, as far as it says something of the answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastAttempt {
    endpoint: EndpointIndex,
    sent: Instant,
    /// How long it took; `None` while it is under way.
    took: Option<Duration>,
}

impl LastAttempt {
    /// It has been sent.
    pub(super) const fn sent(attempt: &Attempt) -> Self {
        Self {
            endpoint: attempt.endpoint(),
            sent: attempt.sent(),
            took: None,
        }
    }

    /// It has been answered, or has failed.
    pub(super) fn ended(attempt: &Attempt, now: Instant) -> Self {
        Self {
            took: Some(now.since(attempt.sent())),
            ..Self::sent(attempt)
        }
    }
}

impl SteeredPool {
    /// Lets the chain change the request that the router is about to send.
    pub(super) fn intercept_request(&self, attempt: &Attempt) {
        if self.chains.leaves_attempts_alone() {
            return;
        }
        let edits = self
            .chains
            .on_attempt(&self.attempt_info(attempt), Source::Host(Map::Request));
        if let Err(refused) = edits.write(Map::Request) {
            hostcall_refused("to change a request's headers", refused);
        }
    }

    /// What the chain changes about a call with these headers.
    pub(super) fn intercept_call(&self, attempt: &Attempt, headers: &[(&[u8], &[u8])]) -> Edits {
        if self.chains.leaves_attempts_alone() {
            return Edits::default();
        }
        self.chains
            .on_attempt(&self.attempt_info(attempt), Source::List(headers))
    }

    /// Lets the chain change the response that is about to go to the client; its status is asked for
    /// if it is not given.
    pub(super) fn intercept_response(&self, stream: &Stream, status: Option<u16>, now: Instant) {
        if self.chains.leaves_answers_alone() {
            return;
        }
        let status = status.or_else(|| {
            let status = host::header(Map::Response, ":status").ok()?;
            classify::status(&status)
        });
        let info = self.answer_info(stream, status.unwrap_or_default(), now);
        let edits = self.chains.on_answer(&info, Source::Host(Map::Response));
        if let Err(refused) = edits.write(Map::Response) {
            hostcall_refused("to change a response's headers", refused);
        }
    }

    /// What the chain changes about an answer of these headers.
    pub(super) fn intercept_reply(
        &self,
        stream: &Stream,
        status: u16,
        headers: &[(&[u8], &[u8])],
        now: Instant,
    ) -> Edits {
        if self.chains.leaves_answers_alone() {
            return Edits::default();
        }
        let info = self.answer_info(stream, status, now);
        self.chains.on_answer(&info, Source::List(headers))
    }

    /// Logs that an attempt was sent.
    pub(super) fn log_sent(&self, attempt: &Attempt, request: &Request) {
        if let Some(log) = &self.chains.log {
            log.sent(&self.attempt_info(attempt), request);
        }
    }

    /// Logs that an attempt has ended.
    pub(super) fn log_ended(
        &self,
        attempt: &Attempt,
        request: Option<&Request>,
        outcome: Outcome,
        now: Instant,
    ) {
        if let Some(log) = &self.chains.log {
            let took = now.since(attempt.sent());
            log.ended(&self.attempt_info(attempt), request, outcome, took);
        }
    }

    fn attempt_info(&self, attempt: &Attempt) -> AttemptInfo<'_> {
        AttemptInfo {
            pool: &self.pool.name,
            endpoint: self.endpoint_name(attempt.endpoint()),
            number: attempt.number(),
        }
    }

    fn answer_info(&self, stream: &Stream, status: u16, now: Instant) -> AnswerInfo<'_> {
        let last = stream.last_attempt;
        AnswerInfo {
            pool: &self.pool.name,
            endpoint: self.endpoint_name(last.endpoint),
            attempts: stream.exchange.attempts(),
            status,
            response_time: last.took.unwrap_or_else(|| now.since(last.sent)),
        }
    }

    fn endpoint_name(&self, index: EndpointIndex) -> &str {
        let endpoint = self.pool.endpoint(index);
        endpoint.map_or("", |endpoint| &endpoint.name)
    }
}
