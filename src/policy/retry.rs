//! Whether a failed attempt is followed by another, and when.
//!
//! [`decide`] answers with a delay or with the reason to stop, never with a bare no: the reason is
//! what an operator asks for first. The checks run from the cheapest to the most specific, and the
//! first that objects names the reason.
//!
//! No delay is begun that could not end before the exchange's deadline: a client is better served by
//! the failure now than by the same failure later.
//!
//! Example: `max_attempts` 3, exponential from 100 ms, no jitter. Attempt 1 answers 503 at t = 0:
//! again after 100 ms. Attempt 2 is refused at t = 110 ms, and an endpoint is untried: again at
//! once. Attempt 3 answers 503: stop, [`Stop::Exhausted`].

use alloc::vec::Vec;
use core::ops::RangeInclusive;
use core::time::Duration;

use rand::Rng;

use crate::backoff::{Backoff, MAX_ATTEMPTS};
use crate::idempotency::{Methods, Obstacle, Refusal, Repeatability};
use crate::jitter::{Bounds, Jitter};
use crate::outcome::{Outcome, Transport};
use crate::time::Instant;

/// When and how often failed attempts are repeated.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Attempts in total, the first included, 1..=[`MAX_ATTEMPTS`].
    pub max_attempts: u8,
    /// The delays before the retries.
    pub backoff: Backoff,
    /// How the delays are spread.
    pub jitter: Jitter,
    /// The ends of the spread.
    pub bounds: Bounds,
    /// Answers that are tried again.
    pub statuses: Statuses,
    /// Transport failures that are tried again.
    pub transports: Vec<Transport>,
    /// Methods whose requests may be repeated.
    pub methods: Methods,
    /// Largest request body in bytes that is kept for a repeat.
    pub max_request_bytes: usize,
    /// Whether an untried endpoint is tried without delay after a refused connection.
    pub immediate_failover: bool,
}

impl RetryPolicy {
    /// Whether this outcome is one that is tried again at all.
    #[must_use]
    pub fn covers(&self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Answered(status) => self.statuses.contains(status),
            _ => outcome
                .transport()
                .is_some_and(|kind| self.transports.contains(&kind)),
        }
    }
}

impl Default for RetryPolicy {
    /// What a configuration without `retry_policy` gets.
    fn default() -> Self {
        let bounds = Bounds {
            base: Duration::from_millis(25),
            max: Duration::from_secs(60),
        };
        Self {
            max_attempts: 3,
            backoff: Backoff::exponential(bounds.base, 2.0, bounds.max),
            jitter: Jitter::Full,
            bounds,
            statuses: Statuses::default(),
            transports: Transport::ALL.to_vec(),
            methods: Methods::default(),
            max_request_bytes: 65_536,
            immediate_failover: true,
        }
    }
}

/// A set of HTTP statuses, as ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statuses(Vec<RangeInclusive<u16>>);

impl Statuses {
    /// The statuses of these ranges.
    #[must_use]
    pub const fn new(ranges: Vec<RangeInclusive<u16>>) -> Self {
        Self(ranges)
    }

    /// Whether `status` is among them.
    #[must_use]
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

impl Default for Statuses {
    /// 429, 500, 502, 503, 504: no room, or a failure that another endpoint may not have.
    fn default() -> Self {
        Self::new([429..=429, 500..=500, 502..=504].to_vec())
    }
}

/// An attempt that has just ended, as [`decide`] needs to know it.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// Its number, from 1.
    pub attempt: u8,
    /// What it came to.
    pub outcome: Outcome,
    /// The delay waited before it; zero before the first.
    pub waited: Duration,
    /// Whether the request may be sent again.
    pub repeatability: Repeatability,
    /// Whether an endpoint is available that this exchange has not tried.
    pub untried_left: bool,
    /// When the exchange must have begun its answer.
    pub deadline: Instant,
}

/// What follows an attempt that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Another attempt, after this delay.
    Again(Duration),
    /// No other attempt.
    Stop(Stop),
}

/// Why no other attempt follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The outcome is not one that is tried again: most often a success.
    NotRetriable,
    /// `max_attempts` are used up.
    Exhausted,
    /// The method forbids a repeat.
    Method,
    /// The proxy is not able to send the request again.
    Obstacle(Obstacle),
    /// The delay would not end before the deadline.
    Deadline,
}

/// Decides what follows an attempt that ended `now`.
pub fn decide(policy: &RetryPolicy, ended: &Ended, now: Instant, rng: &mut dyn Rng) -> Decision {
    if !policy.covers(ended.outcome) {
        return Decision::Stop(Stop::NotRetriable);
    }
    if ended.attempt >= policy.max_attempts.min(MAX_ATTEMPTS) {
        return Decision::Stop(Stop::Exhausted);
    }
    match ended.repeatability.after(ended.outcome) {
        Ok(()) => {}
        Err(Refusal::Method) => return Decision::Stop(Stop::Method),
        Err(Refusal::Obstacle(obstacle)) => return Decision::Stop(Stop::Obstacle(obstacle)),
    }
    let refused = ended.outcome == Outcome::ConnectFailure;
    let delay = if refused && ended.untried_left && policy.immediate_failover {
        Duration::ZERO
    } else {
        policy.jitter.apply(
            policy.backoff.delay(ended.attempt),
            ended.waited,
            policy.bounds,
            rng,
        )
    };
    if now + delay >= ended.deadline {
        return Decision::Stop(Stop::Deadline);
    }
    Decision::Again(delay)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng as _, rngs::SmallRng};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const NOW: Instant = Instant::from_nanos(1_000);

    fn policy() -> RetryPolicy {
        RetryPolicy {
            jitter: Jitter::None,
            ..RetryPolicy::default()
        }
    }

    fn ended(outcome: Outcome) -> Ended {
        Ended {
            attempt: 1,
            outcome,
            waited: Duration::ZERO,
            repeatability: Repeatability {
                allowed: true,
                obstacle: None,
            },
            untried_left: true,
            deadline: NOW + Duration::from_secs(60),
        }
    }

    #[track_caller]
    fn check(policy: &RetryPolicy, ended: &Ended, expected: Decision) {
        let mut rng = SmallRng::seed_from_u64(1);
        assert_eq!(decide(policy, ended, NOW, &mut rng), expected);
    }

    #[test]
    fn each_objection_has_its_reason() {
        let policy = policy();
        let failed = ended(Outcome::Answered(503));
        check(&policy, &failed, Decision::Again(Duration::from_millis(25)));
        check(
            &policy,
            &ended(Outcome::Answered(404)),
            Decision::Stop(Stop::NotRetriable),
        );
        check(
            &policy,
            &ended(Outcome::Neutral),
            Decision::Stop(Stop::NotRetriable),
        );
        check(
            &policy,
            &Ended {
                attempt: 3,
                ..failed
            },
            Decision::Stop(Stop::Exhausted),
        );
        check(
            &policy,
            &Ended {
                repeatability: Repeatability {
                    allowed: false,
                    obstacle: None,
                },
                ..failed
            },
            Decision::Stop(Stop::Method),
        );
        check(
            &policy,
            &Ended {
                repeatability: Repeatability {
                    allowed: true,
                    obstacle: Some(Obstacle::Grpc),
                },
                ..failed
            },
            Decision::Stop(Stop::Obstacle(Obstacle::Grpc)),
        );
        check(
            &policy,
            &Ended {
                deadline: NOW + Duration::from_millis(25),
                ..failed
            },
            Decision::Stop(Stop::Deadline),
        );
    }

    #[test]
    fn a_refused_connection_moves_on_at_once_if_there_is_somewhere_to_go() {
        let refused = ended(Outcome::ConnectFailure);
        check(&policy(), &refused, Decision::Again(Duration::ZERO));
        let delayed = Decision::Again(Duration::from_millis(25));
        check(
            &policy(),
            &Ended {
                untried_left: false,
                ..refused
            },
            delayed,
        );
        check(
            &RetryPolicy {
                immediate_failover: false,
                ..policy()
            },
            &refused,
            delayed,
        );
    }

    #[test]
    fn only_listed_transport_failures_are_tried_again() {
        let policy = RetryPolicy {
            transports: [Transport::Reset].to_vec(),
            ..policy()
        };
        assert!(policy.covers(Outcome::Reset));
        assert!(!policy.covers(Outcome::Timeout));
        assert!(!policy.covers(Outcome::ConnectFailure));
    }
}
