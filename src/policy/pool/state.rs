//! What one worker knows of a pool: of its endpoints, its budget and its traffic.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::Pool;
use crate::balance::Turn;
use crate::balance::balancer::Balancer;
use crate::balance::candidates::Candidates;
use crate::breaker::{Pass, StateName, Verdict};
use crate::endpoint::{Agreed, EndpointIndex, EndpointState, Pace, ScopedCoolDowns, Took};
use crate::exchange::attempt::Attempt;
use crate::exchange::tried::Tried;
use crate::judge::{Facts, Judged, Speed, judge};
use crate::outcome::{Class, Kind, Outcome};
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
    /// Cool-downs that hold for a scope, by the position of the endpoint; empty if there are none.
    pub(crate) scoped: Vec<ScopedCoolDowns>,
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
            scoped: Vec::new(),
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

    /// Replaces the cool-downs that hold for a scope, those of each endpoint in its place.
    /// None is longer than the pool's policy allows.
    pub fn set_scoped(&mut self, pool: &Pool, mut cool_downs: Vec<ScopedCoolDowns>, now: Instant) {
        let longest = now + pool.retry.longest_cool_down();
        for cool_downs in &mut cool_downs {
            cool_downs.shorten(longest);
        }
        let is_any = cool_downs.iter().any(|it| it.any_in_force(now));
        self.scoped = if is_any { cool_downs } else { Vec::new() };
    }

    /// Those that hold for a scope, by the position of the endpoint; empty if there are none.
    #[must_use]
    pub fn scoped(&self) -> &[ScopedCoolDowns] {
        &self.scoped
    }

    /// Records what an attempt has come to. If the breaker must judge it, that is returned.
    #[must_use = "the breaker changes only if the judgement is applied"]
    pub fn record(
        &mut self,
        pool: &Pool,
        attempt: &Attempt,
        facts: Facts,
        now: Instant,
    ) -> Option<Judgement> {
        let judged = judge(
            facts,
            attempt.had_whole_read(pool, now),
            &pool.retry,
            &pool.breaker,
        );
        let took = now.since(attempt.sent());
        self.learn(pool, attempt, judged, facts.outcome.status(), took, now);
        self.count(pool, attempt, judged, took, now)
    }

    /// The answer to an attempt begins, and goes to the client: what it says of speed is learnt,
    /// and what it says of the endpoint if it comes to a good end is returned, to be counted then
    /// ([`PoolState::count`]). `None`: it is no success, and is to be recorded now.
    #[must_use = "the answer is to be counted at its end, or recorded now"]
    pub fn answer_begins(
        &mut self,
        pool: &Pool,
        attempt: &Attempt,
        outcome: Outcome,
        now: Instant,
    ) -> Option<Judged> {
        let judged = judge(outcome.into(), true, &pool.retry, &pool.breaker);
        if judged.breaker != Verdict::Success {
            return None;
        }
        let took = now.since(attempt.sent());
        self.learn(pool, attempt, judged, outcome.status(), took, now);
        Some(judged)
    }

    /// The answer to an attempt that began at `began` has failed before its end, or by what it said
    /// last. If the breaker must judge that, it is returned.
    #[must_use = "the breaker changes only if the judgement is applied"]
    pub fn answer_failed(
        &mut self,
        pool: &Pool,
        attempt: &Attempt,
        outcome: Outcome,
        began: Instant,
        now: Instant,
    ) -> Option<Judgement> {
        let judged = judge(outcome.into(), true, &pool.retry, &pool.breaker);
        let took = began.since(attempt.sent());
        // Its status is counted already.
        self.learn(pool, attempt, judged, None, took, now);
        self.count(pool, attempt, judged, took, now)
    }

    /// Learns what an attempt says of speed.
    fn learn(
        &mut self,
        pool: &Pool,
        attempt: &Attempt,
        judged: Judged,
        status: Option<u16>,
        took: Duration,
        now: Instant,
    ) {
        if let Some(status) = status {
            self.totals.status(status);
        }
        if judged.speed == Speed::Sample {
            self.good_answers.observe(took, now, pool.decay);
        }
        let pace = Pace {
            usual: self.good_answers.duration(),
            decay: pool.decay,
        };
        if let Some(state) = self.endpoints.get_mut(attempt.endpoint().position()) {
            state.learn(attempt.pass(), judged, took, pace, now);
        }
    }

    /// Counts what an attempt has come to, `took` after it was sent. If the breaker must judge it,
    /// that is returned.
    #[must_use = "the breaker changes only if the judgement is applied"]
    pub fn count(
        &mut self,
        pool: &Pool,
        attempt: &Attempt,
        judged: Judged,
        took: Duration,
        now: Instant,
    ) -> Option<Judgement> {
        let slow_calls = pool.breaker.slow_calls;
        let slow = slow_calls.is_some_and(|slow| took > slow.duration);
        let state = self.endpoints.get_mut(attempt.endpoint().position())?;
        state.count(attempt.pass(), judged, Took { time: took, slow }, now);
        let verdict = judged.breaker;
        // Only a failure or a slow call can make a share too high.
        let may_exceed = match verdict {
            Verdict::Success => slow,
            Verdict::Failure { .. } => true,
            Verdict::Neutral => false,
        };
        let exceeded = may_exceed && pool.breaker.is_exceeded(state.counts(now));
        let breaker = state.breaker();
        let is_good = verdict == Verdict::Success;
        let is_concerned = if breaker.was_passed_over(attempt.pass()) {
            // While an operator keeps the circuit closed, the breaker stays as it is.
            is_good && state.agreed().operator.circuit(now).is_none()
        } else {
            breaker.would_change(attempt.pass(), verdict, exceeded)
        };
        let is_open = breaker.name() != StateName::Closed;
        is_concerned.then(|| Judgement {
            endpoint: attempt.endpoint(),
            pass: attempt.pass(),
            verdict,
            exceeded,
            in_panic: is_open && is_good && self.panics(pool, now),
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
        state.totals_mut().ended(Kind::Neutral, took);
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
