//! What has come of the attempts of an exchange, for the access log.

use core::time::Duration;

use steerage_policy::endpoint::EndpointIndex;
use steerage_policy::exchange::Attempt;
use steerage_policy::outcome::Outcome;
use steerage_policy::time::Instant;

/// The attempts of an exchange in the order in which they ended. It stays empty where a healthy
/// first attempt is the only one, unless the pool wants all of them in the access log.
#[derive(Clone, Debug, Default)]
pub struct Trail(Vec<Step>);

/// One attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where it went.
    pub endpoint: EndpointIndex,
    /// What has come of it.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
}

impl Trail {
    /// Its attempts.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// An attempt has ended.
    #[cold]
    pub(crate) fn add(&mut self, attempt: &Attempt, outcome: Outcome, now: Instant) {
        self.0.push(Step {
            endpoint: attempt.endpoint(),
            outcome,
            took: now.since(attempt.sent()),
        });
    }
}
