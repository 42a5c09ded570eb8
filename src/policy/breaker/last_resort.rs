//! Attempts that a breaker does not admit and that are made all the same: in panic, where nothing
//! else is left.
//!
//! A failure says nothing new: the breaker is not closed because of failures. A good answer shows
//! that the endpoint works again, as a good trial does, and counts as one without a permit. It must
//! have been sent in the state of now: an answer from before the opening is no recovery.
//!
//! Example: one second of common failure opens all breakers of a pool for a minute. The attempts of
//! the last resort go on; the first good answer of each endpoint closes its breaker. The others
//! need not wait for their open time then ([`Breaker::end_open_time`]), or one endpoint would carry
//! everything.

use alloc::vec::Vec;

use super::{Breaker, BreakerPolicy, Pass, State};
use crate::time::Instant;

impl Breaker {
    /// Whether an attempt with this pass was made although this state, the one of now, does not
    /// admit it.
    #[must_use]
    pub const fn was_passed_over(&self, pass: Pass) -> bool {
        !matches!(self.state, State::Closed)
            && pass.trial.is_none()
            && pass.generation.0 == self.generation.0
    }

    /// Such an attempt has got a good answer.
    pub fn answered_all_the_same(&mut self, policy: &BreakerPolicy, now: Instant) {
        let (successes, permits) = match &mut self.state {
            State::Closed => return,
            State::Open { .. } => (1, Vec::new()),
            State::HalfOpen { successes, permits } => {
                (successes.saturating_add(1), core::mem::take(permits))
            }
        };
        self.consecutive_failures = 0;
        if successes >= policy.success_threshold {
            return self.enter(State::Closed, now);
        }
        let half_open = State::HalfOpen { successes, permits };
        if let State::HalfOpen { .. } = self.state {
            // No new generation: trials are under way.
            self.state = half_open;
        } else {
            self.enter(half_open, now);
        }
    }

    /// If it is open, its time is over: the next attempt is a trial.
    pub fn end_open_time(&mut self, now: Instant) {
        if let State::Open { until } = &mut self.state {
            *until = now.min(*until);
        }
    }
}
