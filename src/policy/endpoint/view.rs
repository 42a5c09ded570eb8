//! What a strategy may know of an endpoint.
//!
//! The state itself is the pool's to change. Strategies, those of other packages too, get a view
//! that only reads, so that what they see cannot be changed by accident, nor grow into a promise.
//!
//! Example: `candidate.state.active()` is the number of attempts under way, of all workers.

use core::time::Duration;

use super::state::EndpointState;
use crate::health::Health;
use crate::stats::window::Counts;
use crate::time::Instant;

/// A view of an endpoint's state.
#[derive(Clone, Copy, Debug)]
pub struct EndpointView<'a>(pub(crate) &'a EndpointState);

impl EndpointView<'_> {
    /// Attempts under way, of all workers.
    #[must_use]
    pub fn active(&self) -> u32 {
        self.0.active()
    }

    /// Most attempts at a time, of all workers.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.0.limit()
    }

    /// What checks, the endpoint itself or an operator say of it.
    #[must_use]
    pub fn health(&self, now: Instant) -> Health {
        self.0.health(now)
    }

    /// The average time until an answer begins, of all workers; `None` before the first.
    #[must_use]
    pub fn response_time(&self, now: Instant) -> Option<Duration> {
        Duration::try_from_secs_f64(self.0.seconds(now)?).ok()
    }

    /// The share of successes among the outcomes of the trailing window, from 0 to 1.
    #[must_use]
    pub fn success_rate(&self, now: Instant) -> f64 {
        self.0.success_rate(now)
    }

    /// The outcomes of the trailing window.
    #[must_use]
    pub fn counts(&self, now: Instant) -> Counts {
        self.0.counts(now)
    }

    /// Time since the newest response time of any worker; `None` before the first.
    #[must_use]
    pub fn silence(&self, now: Instant) -> Option<Duration> {
        self.0.silence(now)
    }
}
