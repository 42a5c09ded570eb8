//! The attempts after the first: calls of the root context, made when their delay has passed.
//!
//! They are the root's and not the stream's, because the host reports a call only to the context
//! that made it and forgets the answer if that is gone: a client that hangs up would leave an
//! attempt that counts as active for ever. The whole answer is in hand before the client gets any
//! of it, which is the price of choosing another cluster once the router has spoken.

use core::mem;
use core::time::Duration;

use steerage_policy::exchange::Attempt;
use steerage_policy::matching::RequestHead as _;
use steerage_policy::outcome::{Class, Neutral, Outcome};
use steerage_policy::retry::Decision;
use steerage_policy::retry::reason::Denial;
use steerage_policy::time::Instant;

use super::answering::Answer;
use super::intercepting::LastAttempt;
use super::steering::{ATTEMPT_COUNT, TRY_TIMEOUT, attempts};
use super::timers::StreamId;
use super::worker::{Call, Phase, SteeredPool, Stream, Worker};
use crate::host::{self, Refused, Token};

impl Worker {
    /// A stream's retry is due. Clusters that refuse it at once, because they are unknown, empty or
    /// full, are failed attempts like any other; the policy says when to stop.
    pub(super) fn retry(&mut self, id: StreamId) {
        let now = host::now();
        while let Some(stream) = self.streams.get_mut(&id)
            && let Some(steered) = self.pools.get_mut(stream.pool)
        {
            let attempt = match steered.attempt(id, &mut stream.exchange, now, &mut self.rng) {
                Ok(attempt) => attempt,
                Err(Denial::Deadline) => return self.expire(id, now),
                Err(denial) => {
                    let (pool, state) = (&steered.pool, &steered.state);
                    // They may all have asked for quiet while this retry was waiting.
                    if let Some(cooled) = stream.exchange.cooled(pool, state, now)
                        && cooled < stream.exchange.deadline()
                    {
                        return self.wait_until(id, Some(cooled), now);
                    }
                    let (exchange, state) = (&mut stream.exchange, &mut steered.state);
                    exchange.deny(state, denial);
                    exchange.answered(state, Class::Failure, now);
                    return self.finish(id, now);
                }
            };
            match send(steered, &self.cluster_header, stream, &attempt, now) {
                Ok(token) => {
                    let deadline = stream.exchange.deadline();
                    stream.phase = Phase::Calling;
                    steered.log_sent(&attempt, &stream.request);
                    let call = stream.call(id, token, attempt);
                    self.calls.insert(token, call);
                    return self.wait_until(id, Some(deadline), now);
                }
                Err(refused) => {
                    log::debug!("attempt {} was not sent: {refused:?}", attempt.number());
                    let outcome = Outcome::ConnectFailure;
                    steered.record(id, &attempt, Some(&stream.request), outcome, now);
                    stream.last_attempt = LastAttempt::ended(&attempt, now);
                    let ending =
                        steered.ending(&attempt, outcome, None, &stream.request, None, now);
                    let exchange = &mut stream.exchange;
                    let decision = steered.decide(id, exchange, ending, now, &mut self.rng);
                    steered.state.end(attempt);
                    match decision {
                        Decision::Again(delay) if delay.is_zero() => {}
                        Decision::Again(delay) => {
                            stream.phase = Phase::Waiting;
                            return self.wait_until(id, Some(now + delay), now);
                        }
                        Decision::Stop(_) => return self.finish(id, now),
                    }
                }
            }
        }
    }

    /// A call has been answered, or has failed: then it has no headers.
    pub(crate) fn call_answered(&mut self, token: Token, header_count: usize, body_size: usize) {
        let Some(call) = self.calls.remove(&token) else {
            return; // OK because only calls made here are answered here.
        };
        let now = host::now();
        let sent_body = match &call {
            Call::Attempt { sent_body, .. } => *sent_body,
            Call::Check { .. } => false,
        };
        let answer = (header_count > 0)
            .then(|| Answer::read(body_size, sent_body))
            .flatten();
        match call {
            Call::Check { pool, endpoint } => {
                self.check_answered(pool, endpoint, answer.as_ref(), now);
            }
            Call::Attempt {
                stream,
                pool,
                attempt,
                ..
            } => self.attempt_answered(token, stream, pool, attempt, answer, now),
        }
    }

    /// An attempt has been answered, or has failed: then it has no answer.
    fn attempt_answered(
        &mut self,
        token: Token,
        id: StreamId,
        position: usize,
        attempt: Attempt,
        answer: Option<Answer>,
        now: Instant,
    ) {
        let Some(steered) = self.pools.get_mut(position) else {
            return; // OK because a call's pool is one of the worker's.
        };
        let outcome = answer.as_ref().map_or(Outcome::Reset, Answer::outcome);
        let stream = self.streams.get_mut(&id);
        let request = stream.as_ref().map(|stream| &stream.request);
        steered.record(id, &attempt, request, outcome, now);
        let headers = answer.as_ref().filter(|answer| answer.is_upstreams());
        let headers = headers.map(Answer::head);
        let requested =
            headers.and_then(|headers| steered.hear(attempt.endpoint(), outcome, headers, now));
        let Some(stream) = stream.filter(|stream| stream.awaits(token)) else {
            // The client has left, or has had another answer.
            return steered.state.end(attempt);
        };
        stream.last_attempt = LastAttempt::ended(&attempt, now);
        stream.calls.retain(|call| *call != token);
        let is_last = stream.calls.is_empty() && matches!(stream.phase, Phase::Calling);
        let is_good = outcome.class() == Class::Success && !steered.pool.retry.covers(outcome);
        if !is_good && !is_last {
            // The first attempt or another hedge may do better.
            if let Phase::Calling = stream.phase {
                stream.keep_better(answer);
            }
            return steered.state.end(attempt);
        }
        if let Phase::Routed(first) = mem::replace(&mut stream.phase, Phase::Calling) {
            steered.log_ended(
                &first,
                Some(&stream.request),
                Outcome::Neutral(Neutral::Overtaken),
                now,
            );
            steered.state.overtaken(&steered.pool, first, now);
        }
        let ending = steered.ending(&attempt, outcome, requested, &stream.request, headers, now);
        stream.keep_better(answer);
        let exchange = &mut stream.exchange;
        let decision = steered.decide(id, exchange, ending, now, &mut self.rng);
        let expired = exchange.expired_with(&attempt, outcome, now);
        steered.state.end(attempt);
        match decision {
            Decision::Again(delay) => {
                stream.phase = Phase::Waiting;
                self.wait_until(id, Some(now + delay), now);
            }
            Decision::Stop(_) if expired => self.expire(id, now),
            Decision::Stop(_) => self.finish(id, now),
        }
    }
}

impl Stream {
    /// An attempt of this stream is under way as a call.
    pub(super) fn call(&mut self, id: StreamId, token: Token, attempt: Attempt) -> Call {
        self.last_attempt = LastAttempt::sent(&attempt);
        self.calls.push(token);
        Call::Attempt {
            stream: id,
            pool: self.pool,
            attempt,
            sent_body: !self.request.body().is_empty(),
        }
    }

    /// Whether the answer of this call could still be the client's.
    fn awaits(&self, token: Token) -> bool {
        matches!(self.phase, Phase::Routed(_) | Phase::Calling) && self.calls.contains(&token)
    }
}

/// Sends the attempt.
pub(super) fn send(
    steered: &SteeredPool,
    cluster_header: &str,
    stream: &Stream,
    attempt: &Attempt,
    now: Instant,
) -> Result<Token, Refused> {
    let request = &stream.request;
    let Some(endpoint) = steered.pool.endpoint(attempt.endpoint()) else {
        return Err(Refused::NOT_FOUND); // OK because a pick is one of the pool's endpoints.
    };
    let prefix = endpoint.path_prefix.as_deref().unwrap_or_default();
    let path = [prefix.as_bytes(), request.path()].concat();
    let authority = endpoint.authority.as_deref().map(str::as_bytes);
    let number = attempts(attempt.number());
    let timeout = steered.milliseconds(attempt.timeout());
    let cluster_header = cluster_header.as_bytes();
    let mut headers: Vec<(&[u8], &[u8])> = vec![
        (b":path", &path),
        (
            b":authority",
            authority.unwrap_or_else(|| request.authority()),
        ),
        (cluster_header, endpoint.cluster.as_bytes()),
        (ATTEMPT_COUNT.as_bytes(), number.as_bytes()),
        (TRY_TIMEOUT.as_bytes(), timeout.as_bytes()),
    ];
    headers.extend(
        request
            .headers_to_repeat()
            .filter(|(name, _)| *name != cluster_header),
    );
    let edits = steered.intercept_call(attempt, &headers);
    edits.apply(&mut headers);
    // The worker's own timer ends the exchange at its deadline, and says so. The host's, which on a busy
    // thread begins a little in the past, must not be first and look like a failure.
    let patience = stream.exchange.deadline().since(now) + GRACE;
    host::call(&endpoint.cluster, &headers, request.body(), patience)
}

/// How much longer than its exchange a call may take.
const GRACE: Duration = Duration::from_millis(100);
