//! One downstream request, from its arrival to its answer, with all its attempts.
//!
//! The shell reports what happens and performs what is decided:
//!
//! ```text
//! begin ─► choose, attempt ─► (the shell sends) ─► ended ─► Again(delay) ─► (it waits) ─► attempt
//! ─► … │                             └────► Stop(denial): the last answer goes out
//!              └► Denial: refuse the request, or give the last answer
//! ```
//!
//! An [`Attempt`] stands for a request under way. It can be neither copied nor made elsewhere.
//! Every one that [`Exchange::attempt`] returns must reach [`PoolState::end`], which consumes it,
//! so the count of active attempts goes down exactly once.
//!
//! Example: total 60 s, read 30 s, arrival at t = 0. Attempt 1 may take until 30 s, and times out.
//! Attempt 2 begins 0.1 s later and may take until 60 s, because only 29.9 s are left. Its timeout
//! *is* the deadline ([`Exchange::expired_with`]): if it fails, the client gets the 504 of the
//! deadline.

pub(crate) mod attempt;
mod failures;
mod plan;
pub(crate) mod tried;

use core::time::Duration;

use rand::{Rng, RngExt as _};

use crate::balance::{self, Candidates, HashKey};
use crate::breaker::{Admission, Pass};
use crate::endpoint::{EndpointIndex, EndpointState, InScope, Scope};
use crate::judge::Facts;
use crate::limit::Limit;
use crate::outcome::{Class, Outcome};
use crate::pool::{Pool, PoolState};
use crate::retry::hedge::HedgeDelay;
use crate::retry::idempotency::Repeatability;
use crate::retry::reason::{Denial, Trigger};
use crate::retry::{self, Decision, Ended, Ending};
use crate::time::Instant;

use failures::Failures;

pub use attempt::{Attempt, EARLY};
pub use tried::Tried;

/// The state of one exchange.
#[derive(Debug)]
pub struct Exchange {
    arrived: Instant,
    deadline: Instant,
    /// Whether the request may be sent again. The shell updates it while the request arrives.
    pub repeatability: Repeatability,
    key: Option<HashKey>,
    /// The requests with which it shares cool-downs; `None`: with all.
    scope: Option<Scope>,
    tried: Tried,
    failures: Failures,
    attempts: u8,
    /// Where the next attempt has to go, if that had to be settled before.
    planned: Option<EndpointIndex>,
    /// The delay before the newest attempt.
    waited: Duration,
    /// Why the next attempt is made, if there is one.
    trigger: Trigger,
    /// Why no other attempt was made, if one was wanted.
    denial: Option<Denial>,
    /// Whether the client has its answer.
    answered: bool,
}

impl Exchange {
    /// A request has arrived. `key` is its hash key, if the pool's strategy needs one. `limit` is
    /// the time that the client itself allows, which can only shorten the pool's.
    #[must_use]
    pub fn begin(
        pool: &Pool,
        state: &mut PoolState,
        repeatability: Repeatability,
        key: Option<HashKey>,
        limit: Option<Duration>,
        now: Instant,
    ) -> Self {
        if pool.retry.budget.is_some() || pool.retry.hedge.is_some() {
            state.budget.request(now);
        }
        state.totals.requests = state.totals.requests.saturating_add(1);
        let total = pool.timeouts.total();
        Self {
            arrived: now,
            deadline: now + limit.map_or(total, |limit| limit.min(total)),
            repeatability,
            key,
            scope: None,
            tried: Tried::default(),
            failures: Failures::default(),
            attempts: 0,
            planned: None,
            waited: Duration::ZERO,
            trigger: Trigger::Status,
            denial: None,
            answered: false,
        }
    }

    /// It shares cool-downs with the requests of this scope only.
    pub const fn limit_to(&mut self, scope: Scope) {
        self.scope = Some(scope);
    }

    /// The requests with which it shares cool-downs; `None`: with all.
    #[must_use]
    pub const fn scope(&self) -> Option<Scope> {
        self.scope
    }

    /// When the answer to the client must have begun.
    #[must_use]
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The number of attempts so far.
    #[must_use]
    pub const fn attempts(&self) -> u8 {
        self.attempts
    }

    /// The endpoint of the newest attempt.
    #[must_use]
    pub fn last_endpoint(&self) -> Option<EndpointIndex> {
        self.tried.last()
    }

    /// Chooses the endpoint of the next attempt, which is not begun yet: if the endpoint's breaker
    /// requires a trial, the shell first requests a permit. Where all endpoints cool down, the
    /// first attempt of an exchange may try one of them; a retry rather waits.
    ///
    /// # Errors
    /// [`Denial::NoEndpointAvailable`] or [`Denial::Overloaded`] if there is no endpoint,
    /// [`Denial::Deadline`] if there is no time.
    pub fn choose(
        &self,
        pool: &Pool,
        state: &mut PoolState,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Result<Choice, Denial> {
        if now >= self.deadline {
            return Err(Denial::Deadline);
        }
        let draw = match self.key {
            _ if !state.needs_draw => 0,
            Some(key) => key.value(),
            None => rng.random(),
        };
        let in_scope = InScope::of(self.scope, &state.scoped);
        let look =
            || Candidates::in_scope(pool, &state.endpoints, &self.tried, in_scope, draw, now);
        let candidates = if state.all_available && self.tried.is_empty() && in_scope.is_none() {
            debug_assert!(look().are_all(), "something has happened since");
            Candidates::all(pool, &state.endpoints, &self.tried, now)
        } else {
            let candidates = look();
            // A dynamic limit changes with time, without an event.
            state.all_available = candidates.are_all()
                && matches!(pool.limit, Limit::Fixed(_))
                && !state.endpoints.iter().any(EndpointState::is_shared);
            candidates
        };
        let balancer = &mut *state.balancer;
        let trial = if self.attempts == 0 {
            candidates.cooling_trial()
        } else {
            None
        };
        let endpoint = trial
            .or_else(|| match self.planned {
                Some(planned) => candidates.contains(planned).then_some(planned),
                None => balance::choose(balancer, &candidates, self.key, now, rng),
            })
            .ok_or_else(|| {
                if candidates.overloaded() {
                    Denial::Overloaded
                } else {
                    Denial::NoEndpointAvailable
                }
            })?;
        let chosen = state
            .endpoint(endpoint)
            .ok_or(Denial::NoEndpointAvailable)?;
        Ok(Choice {
            endpoint,
            free_pass: match chosen.admission(&pool.breaker, now) {
                // An endpoint that is refused and chosen all the same was chosen in panic.
                Admission::Free | Admission::Refused => Some(chosen.breaker().free_pass()),
                Admission::Trial => None,
            },
            tries_cool_down: trial.is_some(),
        })
    }

    /// Begins the next attempt and counts it as active.
    pub fn attempt(
        &mut self,
        pool: &Pool,
        state: &mut PoolState,
        endpoint: EndpointIndex,
        pass: Pass,
        now: Instant,
    ) -> Attempt {
        if let Some(begun) = state.endpoints.get_mut(endpoint.position()) {
            begun.attempt_started();
            state.all_available &= !begun.is_full(now);
        }
        self.tried.add(endpoint);
        self.attempts = self.attempts.saturating_add(1);
        if self.attempts > 1 {
            state.totals.retried(self.trigger);
        }
        Attempt {
            endpoint,
            pass,
            number: self.attempts,
            sent: now,
            timeout: pool.timeouts.read().min(self.deadline.since(now)),
            tries_cool_down: false,
            scope: self.scope,
            had_its_time: false,
        }
    }

    /// What an attempt's outcome is to be judged by. Answers that fail the exchange are remembered:
    /// the same of another endpoint says nothing of that one.
    pub fn facts(&mut self, pool: &Pool, attempt: &Attempt, outcome: Outcome) -> Facts {
        let fails = outcome.status().is_some()
            && (outcome.class() == Class::Failure || pool.retry.covers(outcome));
        Facts {
            is_repeated: fails && self.failures.repeats(attempt.endpoint, outcome),
            ..outcome.into()
        }
    }

    /// An attempt has ended, and its outcome is recorded already. Decides what follows, and pays
    /// for a retry from the pool's budget.
    pub fn ended(
        &mut self,
        pool: &Pool,
        state: &mut PoolState,
        ending: Ending,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Decision {
        if !pool.retry.covers(ending.outcome) {
            // Most often a success: no endpoint needs to be examined.
            return Decision::Stop(None);
        }
        let candidates = self.candidates(pool, state, now);
        let ended = Ended {
            attempt: self.attempts,
            ending,
            waited: self.waited,
            repeatability: self.repeatability,
            untried_left: !candidates.all_tried(),
            cooled: candidates.cooled(),
            deadline: self.deadline,
        };
        let mut decision = retry::decide(&pool.retry, &ended, now, rng);
        if let (Decision::Again(_), Some(budget)) = (decision, &pool.retry.budget)
            && !state.budget.pay(budget, now)
        {
            decision = Decision::Stop(Some(Denial::Budget));
        }
        match decision {
            Decision::Again(delay) => {
                self.waited = delay;
                self.trigger = Trigger::after(ending.outcome);
            }
            Decision::Stop(Some(denial)) => self.deny(state, denial),
            Decision::Stop(None) => {}
        }
        decision
    }

    /// Another attempt was wanted and is not made: counts that and remembers it.
    pub fn deny(&mut self, state: &mut PoolState, denial: Denial) {
        state.totals.denied(denial);
        self.denial = Some(denial);
    }

    /// The delay before the newest attempt, or before the one that is decided on.
    #[must_use]
    pub const fn waited(&self) -> Duration {
        self.waited
    }

    /// Why no other attempt was made, if one was wanted.
    #[must_use]
    pub const fn denial(&self) -> Option<Denial> {
        self.denial
    }

    /// When `attempt`, the newest, is hedged if there is no answer by then; `None`: never.
    #[must_use]
    pub fn hedge_due(
        &self,
        pool: &Pool,
        state: &PoolState,
        attempt: &Attempt,
        now: Instant,
    ) -> Option<Instant> {
        let hedge = pool.retry.hedge?;
        let hedges = self.attempts.checked_sub(attempt.number)?;
        let is_repeatable = self.repeatability.allowed && self.repeatability.obstacle.is_none();
        if !is_repeatable || hedges >= hedge.max || self.attempts >= pool.retry.max_attempts {
            return None;
        }
        let delay = match hedge.delay {
            HedgeDelay::Fixed(delay) => delay,
            HedgeDelay::P95 => state.endpoint(attempt.endpoint)?.quantile(0.95, now)?,
        };
        // One after each delay.
        let due = attempt.sent + delay.saturating_mul(u32::from(hedges) + 1);
        (due < self.deadline).then_some(due)
    }

    /// Whether a hedge may be sent now: there is another endpoint, and the budget allows it. The
    /// hedge is then paid.
    #[must_use]
    pub fn may_hedge(&mut self, pool: &Pool, state: &mut PoolState, now: Instant) -> bool {
        let Some(hedge) = pool.retry.hedge else {
            return false;
        };
        self.trigger = Trigger::Hedge;
        let elsewhere = !self.candidates(pool, state, now).all_tried();
        elsewhere
            && state
                .budget
                .pay_hedge(pool.retry.budget.as_ref(), &hedge, now)
    }

    /// The client's answer begins. `class` says whether it is a success, a failure, or not judged.
    /// Counted once.
    pub fn answered(&mut self, state: &mut PoolState, class: Class, now: Instant) {
        if !core::mem::replace(&mut self.answered, true) {
            state.answered(class, now.since(self.arrived), now);
        }
    }

    /// When the first cool-down ends, if no endpoint is available before.
    #[must_use]
    pub fn cooled(&self, pool: &Pool, state: &PoolState, now: Instant) -> Option<Instant> {
        self.candidates(pool, state, now).cooled()
    }

    /// When the first endpoint may be available again, as far as is known, if none is available
    /// now.
    #[must_use]
    pub fn returns(&self, pool: &Pool, state: &PoolState, now: Instant) -> Option<Instant> {
        self.candidates(pool, state, now).returns()
    }

    fn candidates<'a>(
        &'a self,
        pool: &'a Pool,
        state: &'a PoolState,
        now: Instant,
    ) -> Candidates<'a> {
        let in_scope = InScope::of(self.scope, &state.scoped);
        Candidates::in_scope(pool, &state.endpoints, &self.tried, in_scope, 0, now)
    }

    /// Whether the deadline ended this attempt: its timeout was that of the exchange, or it broke
    /// off when the time was over. An answer that has begun breaks off instead of timing out.
    #[must_use]
    pub fn expired_with(&self, attempt: &Attempt, outcome: Outcome, now: Instant) -> bool {
        match outcome {
            Outcome::Timeout => attempt.sent + attempt.timeout >= self.deadline,
            Outcome::Reset => now + EARLY >= self.deadline,
            _ => false,
        }
    }
}

/// The endpoint of the next attempt.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// The endpoint.
    pub endpoint: EndpointIndex,
    /// How the attempt is admitted; `None` if it needs a permit for a trial.
    pub free_pass: Option<Pass>,
    /// Whether it cools down, and the attempt is the trial of that, which needs a permit as well.
    pub tries_cool_down: bool,
}

#[cfg(test)]
mod tests;
