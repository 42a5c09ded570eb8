//! What a worker knows of a pool: of its endpoints, its budget and its traffic.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::Pool;
use crate::balance::balancer::Balancer;
use crate::balance::candidates::Candidates;
use crate::breaker::{Pass, Verdict};
use crate::endpoint::{Agreed, EndpointIndex, EndpointState, Took};
use crate::exchange::attempt::Attempt;
use crate::outcome::{Class, Neutral, Outcome};
use crate::retry::budget::Budget;
use crate::retry::hedge::HedgeDelay;
use crate::stats::latency::Mean;
use crate::stats::quantile::Quantiles;
use crate::stats::totals::PoolTotals;
use crate::time::Instant;

/// What a worker knows of a pool's endpoints, and the balancer's memory.
#[derive(Debug)]
pub struct PoolState {
    pub(crate) balancer: Box<dyn Balancer>,
    pub(crate) endpoints: Vec<EndpointState>,
    /// See [`Candidates::needs_draw`].
    pub(crate) needs_draw: bool,
    /// Whether the last look at all endpoints found them available and alike, and nothing has happened since
    /// that could have changed it. Then a choice need not look at all of them again.
    pub(crate) all_available: bool,
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
            needs_draw: Candidates::needs_draw(pool),
            all_available: false,
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
        self.all_available = false;
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
        self.all_available = false;
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
                consecutive: outcome != Outcome::Answered(TOO_MANY_REQUESTS),
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
            .would_change(judgement.pass, verdict, exceeded)
            .then_some(judgement)
    }

    /// The attempt is over because another was faster: it took at least until `now`, and that is all
    /// that is known of it.
    pub fn overtaken(&mut self, pool: &Pool, attempt: Attempt, now: Instant) {
        if let Some(state) = self.endpoint_mut(attempt.endpoint()) {
            let took = now.since(attempt.sent());
            state
                .totals_mut()
                .ended(Outcome::Neutral(Neutral::Overtaken), took);
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

const PENALTY_FACTOR: u32 = 10;
/// A failure before the first good answer.
const FIRST_PENALTY: Duration = Duration::from_secs(1);
