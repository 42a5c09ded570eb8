//! A breaker as plain data: what has to be kept of it to make the same breaker again elsewhere.
//!
//! Workers share breakers as bytes. How these look is not the policy's matter, so a [`Breaker`]
//! gives its [`BreakerParts`] and is made of them. Whatever the parts hold, the breaker is one that
//! the rules accept: only a closed breaker has failures in a row, only an open one an end, and only
//! a half-open one permits.

use alloc::vec::Vec;
use core::time::Duration;

use super::{Breaker, Generation, Permit, State};
use crate::time::Instant;

/// All that a [`Breaker`] consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerParts {
    /// Its state.
    pub state: StateParts,
    /// The number of that state, counted from 0 and wrapping.
    pub generation: u32,
    /// When that state began.
    pub since: Instant,
    /// Consecutive failures in any state, trials included.
    pub consecutive_failures: u32,
    /// Openings without recovery in between.
    pub openings: u32,
    /// How long it was open last; zero if it never was.
    pub open_time: Duration,
}

/// The state of a [`Breaker`], with what is known in that state only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateParts {
    /// Traffic flows.
    Closed {
        /// Consecutive failures since it closed.
        failures: u32,
    },
    /// Nothing is admitted.
    Open {
        /// From then on trials are admitted.
        until: Instant,
    },
    /// Limited trials are admitted.
    HalfOpen {
        /// Trials that succeeded.
        successes: u32,
        /// Trials under way.
        permits: Vec<Permit>,
    },
}

impl Breaker {
    /// What it consists of.
    #[must_use]
    pub fn parts(&self) -> BreakerParts {
        BreakerParts {
            state: match &self.state {
                State::Closed => StateParts::Closed {
                    failures: self.failures_while_closed,
                },
                State::Open { until } => StateParts::Open { until: *until },
                State::HalfOpen { successes, permits } => StateParts::HalfOpen {
                    successes: *successes,
                    permits: permits.clone(),
                },
            },
            generation: self.generation.0,
            since: self.since,
            consecutive_failures: self.consecutive_failures,
            openings: self.openings,
            open_time: self.open_time,
        }
    }
}

impl From<BreakerParts> for Breaker {
    fn from(parts: BreakerParts) -> Self {
        let (state, failures_while_closed) = match parts.state {
            StateParts::Closed { failures } => (State::Closed, failures),
            StateParts::Open { until } => (State::Open { until }, 0),
            StateParts::HalfOpen { successes, permits } => {
                (State::HalfOpen { successes, permits }, 0)
            }
        };
        Self {
            state,
            generation: Generation(parts.generation),
            since: parts.since,
            failures_while_closed,
            consecutive_failures: parts.consecutive_failures,
            openings: parts.openings,
            open_time: parts.open_time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::breaker::{BreakerPolicy, StateName, TrialId, Verdict};

    #[test]
    fn a_breaker_is_the_same_again_in_every_state() {
        let policy = BreakerPolicy {
            failure_threshold: 2,
            ..BreakerPolicy::default()
        };
        let mut breaker = Breaker::default();
        let mut now = Instant::from_nanos(1);
        let mut names = Vec::new();
        let failure = Verdict::Failure { consecutive: true };
        for _ in 0..2 {
            let pass = breaker.free_pass();
            breaker.judge(&policy, pass, failure, false, now);
            names.push(breaker.name());
            assert_eq!(Breaker::from(breaker.parts()), breaker);
        }
        now = now + policy.timeout;
        let expires = now + policy.timeout;
        assert!(
            breaker
                .begin_trial(&policy, TrialId(7), expires, now)
                .is_some()
        );
        names.push(breaker.name());
        assert_eq!(Breaker::from(breaker.parts()), breaker);
        let expected = [StateName::Closed, StateName::Open, StateName::HalfOpen];
        assert_eq!(names, expected);
    }
}
