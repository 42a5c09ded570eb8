//! What one worker knows of a pool: of its endpoints, its budget and its traffic.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::Pool;
use crate::balance::Turn;
use crate::balance::balancer::Balancer;
use crate::balance::candidates::Candidates;
use crate::breaker::{Pass, StateName, Verdict};
use crate::endpoint::{Agreed, EndpointIndex, EndpointState, Took};
use crate::exchange::attempt::Attempt;
use crate::exchange::tried::Tried;
use crate::outcome::{Class, Neutral, Outcome};
use crate::retry::budget::Budget;
use crate::retry::hedge::HedgeDelay;
use crate::stats::latency::Mean;
use crate::stats::quantile::Quantiles;
use crate::stats::totals::PoolTotals;
use crate::time::Instant;

/// What one worker knows of a pool.
#[derive(Debug)]
pub struct PoolState {
    pub(crate) balancer: Box<dyn Balancer>,
    pub(crate) endpoints: Vec<EndpointState>,
    /// See [`Candidates::needs_draw`].
    pub(crate) needs_draw: bool,
    /// Whether all endpoints were available and alike when they were last examined, and nothing has
    /// happened since that could have changed it. A choice then need not examine them.
    pub(crate) all_available: bool,
    /// The pool's budget of retries.
    pub budget: Budget,
    /// What has been counted since this worker began.
    pub totals: PoolTotals,
    /// The times until requests are answered.
    times: Quantiles,
    /// The mean time of a good answer.
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

    /// Begins the turn at this place, 0.0..1.0 of a whole turn. Without that it begins with the
    /// first endpoint.
    pub fn begin_at(&mut self, place: f64) {
        self.balancer.resume(Turn::Begin(place));
    }

    /// Goes on in the turn where the state of another configuration of the same pool stands, and
    /// counts the attempts that are under way there.
    pub fn resume(&mut self, pool: &Pool, before: &Pool, state: &Self) {
        for (endpoint, new) in pool.endpoints.iter().zip(&mut self.endpoints) {
            let mut old = before.endpoints.iter().zip(&state.endpoints);
            if let Some((_, old)) = old.find(|(old, _)| old.cluster == endpoint.cluster) {
                new.follow(old);
            }
        }
        let turn = state.balancer.turn();
        let turn = turn.and_then(|turn| turn.among(&before.endpoints, &pool.endpoints));
        if let Some(turn) = turn {
            self.balancer.resume(turn);
        }
    }

    /// Another configuration of the same pool has begun or ended.
    pub fn is_followed(&mut self) {
        self.all_available = false;
    }

    /// The recent times until requests were answered, as far as this worker has seen.
    #[must_use]
    pub const fn times(&self) -> &Quantiles {
        &self.times
    }

    /// A client was answered, `took` after its request arrived.
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

    /// The same, to change it.
    pub fn endpoint_mut(&mut self, index: EndpointIndex) -> Option<&mut EndpointState> {
        self.all_available = false;
        self.endpoints.get_mut(index.position())
    }

    /// All endpoints with what is known of them, in the order of the configuration.
    pub fn endpoints(&self) -> impl Iterator<Item = (EndpointIndex, &EndpointState)> {
        self.endpoints
            .iter()
            .enumerate()
            .filter_map(|(position, state)| Some((EndpointIndex::new(position)?, state)))
    }

    /// The same, to change it.
    pub fn endpoints_mut(&mut self) -> impl Iterator<Item = &mut EndpointState> {
        self.all_available = false;
        self.endpoints.iter_mut()
    }

    /// Records the outcome of an attempt. The attempt may still be under way: an answer is judged
    /// when it begins. If the breaker must judge the attempt, that is returned. `cools` says that
    /// the answer starts a cool-down: its endpoint is left alone for that, so the breaker hears
    /// nothing of it.
    #[must_use = "the breaker changes only if the judgement is applied"]
    pub fn record(
        &mut self,
        pool: &Pool,
        attempt: &Attempt,
        outcome: Outcome,
        cools: bool,
        now: Instant,
    ) -> Option<Judgement> {
        let time = now.since(attempt.sent());
        let class = outcome.class();
        if class == Class::Success && !cools {
            self.good_answers.observe(time, now, pool.decay);
        }
        if let Outcome::Answered(status) = outcome {
            self.totals.status(status);
        }
        let slow_calls = pool.breaker.slow_calls;
        let took = Took {
            time,
            penalty: match class {
                Class::Failure => self.penalty(),
                Class::Success | Class::Neutral => Duration::ZERO,
            },
            slow: slow_calls.is_some_and(|slow| time > slow.duration),
            cools,
        };
        let state = self.endpoints.get_mut(attempt.endpoint().position())?;
        state.record(attempt.pass(), outcome, took, now, pool.decay);
        let class = if cools { Class::Neutral } else { class };
        let verdict = match class {
            Class::Success => Verdict::Success,
            Class::Failure => Verdict::Failure {
                consecutive: outcome != Outcome::Answered(TOO_MANY_REQUESTS),
            },
            Class::Neutral => Verdict::Neutral,
        };
        // Only a failure or a slow call can make a share too high.
        let exceeded = !cools
            && (class == Class::Failure || took.slow)
            && pool.breaker.is_exceeded(state.counts(now));
        let breaker = state.breaker();
        let is_concerned = if breaker.was_passed_over(attempt.pass()) {
            // While an operator keeps the circuit closed, the breaker stays as it is.
            class == Class::Success && state.agreed().operator.circuit(now).is_none()
        } else {
            breaker.would_change(attempt.pass(), verdict, exceeded)
        };
        let is_open = breaker.name() != StateName::Closed;
        is_concerned.then(|| Judgement {
            endpoint: attempt.endpoint(),
            pass: attempt.pass(),
            verdict,
            exceeded,
            in_panic: is_open && class == Class::Success && self.panics(pool, now),
        })
    }

    /// Whether so little of the pool is available that breakers and health are ignored.
    #[must_use]
    pub fn panics(&self, pool: &Pool, now: Instant) -> bool {
        Candidates::new(pool, &self.endpoints, &Tried::default(), 0, now).panics()
    }

    /// The attempt is over because another was faster. All that is known of it is that it took at
    /// least until `now`. If it was a trial, its permit is free again by what is returned.
    #[must_use = "the breaker changes only if the judgement is applied"]
    pub fn overtaken(&mut self, pool: &Pool, attempt: Attempt, now: Instant) -> Option<Judgement> {
        let judgement = Judgement {
            endpoint: attempt.endpoint(),
            pass: attempt.pass(),
            verdict: Verdict::Neutral,
            exceeded: false,
            in_panic: false,
        };
        let state = self.endpoint_mut(attempt.endpoint())?;
        let took = now.since(attempt.sent());
        state
            .totals_mut()
            .ended(Outcome::Neutral(Neutral::Overtaken), took);
        state.overtaken(took, now, pool.decay);
        let is_trial = state
            .breaker()
            .would_change(judgement.pass, judgement.verdict, false);
        self.end(attempt);
        is_trial.then_some(judgement)
    }

    /// The attempt is over and no longer counts as active.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an attempt ends once, so it is consumed"
    )]
    pub fn end(&mut self, attempt: Attempt) {
        if let Some(state) = self.endpoints.get_mut(attempt.endpoint().position()) {
            state.attempt_ended();
        }
    }

    /// The least that a failure counts as: ten good answers of this pool. A multiple and not a
    /// constant, so that it means the same to a service of 2 ms and to one of 10 s. Of good answers
    /// only, or the penalty of one failure would raise that of the next without end.
    fn penalty(&self) -> Duration {
        self.good_answers
            .duration()
            .map_or(FIRST_PENALTY, |mean| mean.saturating_mul(PENALTY_FACTOR))
    }
}

/// How an attempt is judged by its endpoint's breaker, which all workers share.
#[derive(Clone, Copy, Debug)]
pub struct Judgement {
    /// The endpoint of the breaker.
    pub endpoint: EndpointIndex,
    pass: Pass,
    verdict: Verdict,
    exceeded: bool,
    in_panic: bool,
}

impl Judgement {
    /// Applies it to what the workers share of the endpoint. `true`: that ends a panic, and the
    /// other endpoints need not wait for the end of their open time
    /// ([`crate::breaker::Breaker::end_open_time`]). They have not failed alone, and one endpoint
    /// must not carry everything until then.
    pub fn apply(&self, pool: &Pool, agreed: &mut Agreed, now: Instant) -> bool {
        let (policy, breaker) = (&pool.breaker, &mut agreed.breaker);
        let before = breaker.name();
        if self.verdict == Verdict::Success && breaker.was_passed_over(self.pass) {
            breaker.answered_all_the_same(policy, now);
        } else {
            breaker.judge(policy, self.pass, self.verdict, self.exceeded, now);
        }
        self.in_panic && breaker.name() != before
    }
}

const TOO_MANY_REQUESTS: u16 = 429;

const PENALTY_FACTOR: u32 = 10;
/// What a failure counts as before the first good answer.
const FIRST_PENALTY: Duration = Duration::from_secs(1);
