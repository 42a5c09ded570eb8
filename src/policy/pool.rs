//! A pool: a set of endpoints with one policy, and what its traffic has taught.
//!
//! [`Pool`] is the configuration's part and never changes; [`PoolState`] is the worker's part. They
//! are apart so that a decision can borrow the one and change the other.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::balance::{Balancer, Candidates, Strategy};
use crate::breaker::{BreakerPolicy, Pass, StateName, Verdict};
use crate::budget::Budget;
use crate::endpoint::{Agreed, Endpoint, EndpointIndex, EndpointState, Took};
use crate::exchange::Attempt;
use crate::health::CheckPolicy;
use crate::hedge::HedgeDelay;
use crate::latency::Mean;
use crate::limit::{Keepalive, Limit};
use crate::matching::Matcher;
use crate::outcome::{Class, Outcome};
use crate::quantile::Quantiles;
use crate::retry::RetryPolicy;
use crate::time::Instant;
use crate::totals::PoolTotals;

/// A pool as configured.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Unique among the pools of a configuration.
    pub name: Box<str>,
    /// Which requests belong to it.
    pub matcher: Matcher,
    /// At least one, at most [`crate::endpoint::MAX_ENDPOINTS`].
    pub endpoints: Vec<Endpoint>,
    /// How endpoints are chosen.
    pub strategy: Strategy,
    /// Time constant of the response-time averages.
    pub decay: Duration,
    /// When failed attempts are repeated.
    pub retry: RetryPolicy,
    /// Limits in time.
    pub timeouts: Timeouts,
    /// When an endpoint's breaker opens, and how it closes again.
    pub breaker: BreakerPolicy,
    /// For how long an endpoint that comes back gets less than its share; zero: not at all.
    pub slow_start: Duration,
    /// When less than this share of the pool is available, 0.0..=1.0, availability is ignored; 0: never.
    pub panic_threshold: f64,
    /// How the endpoints are checked; `None` if they are not.
    pub checks: Option<CheckPolicy>,
    /// How many attempts each endpoint takes at a time.
    pub limit: Limit,
    /// What the clusters should do with idle connections.
    pub keepalive: Keepalive,
    /// Whether the client is told the endpoint and the number of attempts.
    pub response_headers: bool,
}

impl Pool {
    /// A pool of these endpoints with the default policy, which matches every request.
    #[must_use]
    pub fn new(name: &str, endpoints: Vec<Endpoint>) -> Self {
        Self {
            name: name.into(),
            matcher: Matcher::default(),
            endpoints,
            strategy: Strategy::RoundRobin,
            decay: DEFAULT_DECAY,
            retry: RetryPolicy::default(),
            timeouts: Timeouts::default(),
            breaker: BreakerPolicy::default(),
            slow_start: Duration::ZERO,
            panic_threshold: 0.0,
            checks: None,
            limit: Limit::DEFAULT,
            keepalive: Keepalive::default(),
            response_headers: false,
        }
    }

    /// The endpoint at `index`.
    #[must_use]
    pub fn endpoint(&self, index: EndpointIndex) -> Option<&Endpoint> {
        self.endpoints.get(index.position())
    }
}

/// The limits in time of a pool's exchanges and attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    connect: Duration,
    read: Duration,
    write: Duration,
    total: Duration,
}

impl Timeouts {
    /// `connect`: for a connection; belongs to the clusters, known here for the rule below.
    /// `read`: from a sent request to the beginning of its answer, per attempt.
    /// `write`: for the client to finish its request.
    /// `total`: from the request's arrival to the beginning of the answer to the client.
    ///
    /// # Errors
    /// [`TotalTooShort`] if `total` is less than `connect` + `read`: not even one attempt would
    /// have the time that it is promised.
    pub fn new(
        connect: Duration,
        read: Duration,
        write: Duration,
        total: Duration,
    ) -> Result<Self, TotalTooShort> {
        let least = connect.saturating_add(read);
        if total < least {
            return Err(TotalTooShort { total, least });
        }
        Ok(Self {
            connect,
            read,
            write,
            total,
        })
    }

    /// For a connection to be made.
    #[must_use]
    pub const fn connect(&self) -> Duration {
        self.connect
    }

    /// From a sent request to the beginning of its answer, per attempt.
    #[must_use]
    pub const fn read(&self) -> Duration {
        self.read
    }

    /// For the client to finish its request.
    #[must_use]
    pub const fn write(&self) -> Duration {
        self.write
    }

    /// From the request's arrival to the beginning of the answer to the client.
    #[must_use]
    pub const fn total(&self) -> Duration {
        self.total
    }
}

impl Default for Timeouts {
    /// 5, 30, 30 and 60 seconds.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(30),
            write: Duration::from_secs(30),
            total: Duration::from_secs(60),
        }
    }
}

/// A `total` that leaves no room for one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TotalTooShort {
    /// What was given.
    pub total: Duration,
    /// `connect` + `read`.
    pub least: Duration,
}

impl fmt::Display for TotalTooShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "must be at least connect + read = {} s",
            self.least.as_secs_f64()
        )
    }
}

impl core::error::Error for TotalTooShort {}

impl Pool {
    /// Takes back that a breaker has opened, if then more of the pool would be open than is allowed.
    /// `before` is what was agreed on before, and `others_open` are its other breakers that are not
    /// closed. The next failure asks again.
    pub fn limit_open(&self, before: &Agreed, agreed: &mut Agreed, others_open: usize) {
        let was_closed = before.breaker.name() == StateName::Closed;
        let has_opened = agreed.breaker.name() == StateName::Open;
        if was_closed && has_opened && !self.breaker.may_open(others_open, self.endpoints.len()) {
            agreed.breaker = before.breaker.clone();
        }
    }
}

/// What a worker knows of a pool's endpoints, and the balancer's memory.
#[derive(Debug)]
pub struct PoolState {
    pub(crate) balancer: Box<dyn Balancer>,
    pub(crate) endpoints: Vec<EndpointState>,
    /// See [`Candidates::need_luck`].
    pub(crate) needs_luck: bool,
    /// Whether the last look at all endpoints found them available and alike, and nothing has happened since
    /// that could have changed it. Then a choice need not look at all of them again.
    pub(crate) everyone_is_available: bool,
    /// How many retries there may still be.
    pub budget: Budget,
    /// What has been counted since this worker began.
    pub totals: PoolTotals,
    /// How long requests take to be answered.
    times: Quantiles,
    /// How long a good answer of this pool takes.
    good_answers: Mean,
}

impl PoolState {
    /// Nothing known yet.
    #[must_use]
    pub fn new(pool: &Pool) -> Self {
        Self {
            balancer: pool.strategy.balancer(pool.decay),
            endpoints: pool
                .endpoints
                .iter()
                .map(|endpoint| {
                    let state = EndpointState::new(pool.breaker.window)
                        .limited(pool.limit, endpoint.hash());
                    match pool.retry.hedge {
                        Some(hedge) if hedge.delay == HedgeDelay::P95 => state.with_quantiles(),
                        _ => state,
                    }
                })
                .collect(),
            needs_luck: Candidates::need_luck(pool),
            everyone_is_available: false,
            budget: Budget::new(pool.retry.budget.unwrap_or_default().ttl),
            totals: PoolTotals::default(),
            times: Quantiles::new(),
            good_answers: Mean::default(),
        }
    }

    /// The same, with endpoints chosen by `balancer` and not by the pool's strategy.
    #[must_use]
    pub fn balanced_by(self, balancer: Box<dyn Balancer>) -> Self {
        Self { balancer, ..self }
    }

    /// How long requests take to be answered, of late and as far as this worker has seen.
    #[must_use]
    pub const fn times(&self) -> &Quantiles {
        &self.times
    }

    /// A client has been answered, this long after its request arrived.
    pub(crate) fn answered(&mut self, class: Class, took: Duration, now: Instant) {
        self.totals.answered(class, took);
        if class != Class::Neutral {
            self.times.add(took, now);
        }
    }

    /// What is known of the endpoint at `index`.
    #[must_use]
    pub fn endpoint(&self, index: EndpointIndex) -> Option<&EndpointState> {
        self.endpoints.get(index.position())
    }

    /// The same, to take in what the other workers tell.
    pub fn endpoint_mut(&mut self, index: EndpointIndex) -> Option<&mut EndpointState> {
        self.everyone_is_available = false;
        self.endpoints.get_mut(index.position())
    }

    /// Every endpoint with what is known of it, in the order of the configuration.
    pub fn endpoints(&self) -> impl Iterator<Item = (EndpointIndex, &EndpointState)> {
        self.endpoints
            .iter()
            .enumerate()
            .filter_map(|(position, state)| Some((EndpointIndex::new(position)?, state)))
    }

    /// The same, to take in what the other workers tell.
    pub fn endpoints_mut(&mut self) -> impl Iterator<Item = &mut EndpointState> {
        self.everyone_is_available = false;
        self.endpoints.iter_mut()
    }

    /// Learns what an attempt came to, and says whether its breaker must hear of it. The attempt may
    /// still be under way: an answer that has begun is judged before its body ends.
    #[must_use = "a breaker that hears nothing stays as it is"]
    pub fn record(
        &mut self,
        pool: &Pool,
        attempt: &Attempt,
        outcome: Outcome,
        now: Instant,
    ) -> Option<Judgement> {
        let time = now.since(attempt.sent());
        let class = outcome.class();
        if class == Class::Success {
            self.good_answers.observe(time, now, pool.decay);
        }
        if let Outcome::Answered(status) = outcome {
            self.totals.status(status);
        }
        let slow_calls = pool.breaker.slow_calls;
        let took = Took {
            time,
            penalty: self.penalty(),
            slow: slow_calls.is_some_and(|slow| time > slow.duration),
        };
        let state = self.endpoints.get_mut(attempt.endpoint().position())?;
        state.record(attempt.pass(), outcome, took, now, pool.decay);
        let verdict = match class {
            Class::Success => Verdict::Success,
            Class::Failure => Verdict::Failure {
                in_row: outcome != Outcome::Answered(TOO_MANY_REQUESTS),
            },
            Class::Neutral => Verdict::Neutral,
        };
        // Only what makes a share worse can make it too bad.
        let exceeded =
            (class == Class::Failure || took.slow) && pool.breaker.is_exceeded(state.counts(now));
        let judgement = Judgement {
            endpoint: attempt.endpoint(),
            pass: attempt.pass(),
            verdict,
            exceeded,
        };
        state
            .breaker()
            .is_concerned(judgement.pass, verdict, exceeded)
            .then_some(judgement)
    }

    /// The attempt is over because another was faster: it took at least until `now`, and that is all
    /// that is known of it.
    pub fn overtaken(&mut self, pool: &Pool, attempt: Attempt, now: Instant) {
        if let Some(state) = self.endpoint_mut(attempt.endpoint()) {
            let took = now.since(attempt.sent());
            state.totals_mut().ended(Outcome::Neutral, took);
            state.overtaken(took, now, pool.decay);
        }
        self.end(attempt);
    }

    /// The attempt is over: it counts as active no longer.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an attempt ends once, so it is consumed"
    )]
    pub fn end(&mut self, attempt: Attempt) {
        if let Some(state) = self.endpoints.get_mut(attempt.endpoint().position()) {
            state.attempt_ended();
        }
    }

    /// What a failure counts as at least: ten good answers of this pool. A multiple and not a
    /// constant, so that it means the same to a service of 2 ms and to one of 10 s; of good answers
    /// only, or the penalties of one failure would raise those of the next without end.
    fn penalty(&self) -> Duration {
        self.good_answers
            .duration()
            .map_or(FIRST_PENALTY, |mean| mean.saturating_mul(PENALTY_FACTOR))
    }
}

/// What an attempt means to its endpoint's breaker, which all workers share.
#[derive(Clone, Copy, Debug)]
pub struct Judgement {
    /// Whose breaker it is.
    pub endpoint: EndpointIndex,
    pass: Pass,
    verdict: Verdict,
    exceeded: bool,
}

impl Judgement {
    /// Carries it out on what the workers share of the endpoint.
    pub fn apply(&self, pool: &Pool, agreed: &mut Agreed, now: Instant) {
        agreed
            .breaker
            .judge(&pool.breaker, self.pass, self.verdict, self.exceeded, now);
    }
}

const TOO_MANY_REQUESTS: u16 = 429;

/// `load_balancer.decay` unless given.
pub const DEFAULT_DECAY: Duration = Duration::from_secs(10);

const PENALTY_FACTOR: u32 = 10;
/// A failure before the first good answer.
const FIRST_PENALTY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
