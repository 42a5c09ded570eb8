//! When a breaker opens, and how it closes again, as configured.
//!
//! Example: `minimum_requests` 20, `failure_rate` 0.5: ten failures among 20 attempts of the window
//! open it, ten among 19 do not. `max_open_fraction` 0.5 with five endpoints: two may be open,
//! three not. `timeout` 60 s, `max_timeout` 300 s: open for 60, 120, 240, 300, 300 s.

use core::time::Duration;

use crate::retry::Statuses;
use crate::stats::window::Counts;

/// When a breaker opens, and how it closes again.
#[derive(Clone, Debug, PartialEq)]
pub struct BreakerPolicy {
    /// Answers that count as failures. 501, 505 and 511 never do.
    pub failure_statuses: Statuses,
    /// So many consecutive failures open it; 1 or more.
    pub failure_threshold: u32,
    /// So does this share of failures, 0.0..=1.0, …
    pub failure_rate: f64,
    /// … of at least so many attempts …
    pub minimum_requests: u32,
    /// … within this trailing window.
    pub window: Duration,
    /// So does this share of slow calls; `None`: slowness does not matter.
    pub slow_calls: Option<SlowCalls>,
    /// How long it stays open the first time.
    pub timeout: Duration,
    /// How long it stays open at most.
    pub max_timeout: Duration,
    /// Trials at a time, 1 or more.
    pub half_open_requests: u32,
    /// Good trials that close it, 1 or more.
    pub success_threshold: u32,
    /// Largest share of a pool's breakers that are not closed at a time, 0.0..=1.0.
    pub max_open_fraction: f64,
}

/// When a call is slow, and how many slow calls are too many.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlowCalls {
    /// An attempt that takes longer is slow.
    pub duration: Duration,
    /// The share of slow calls that opens the breaker, 0.0..=1.0.
    pub rate: f64,
}

impl Default for BreakerPolicy {
    /// What a configuration without `circuit_breaker` gets.
    fn default() -> Self {
        Self {
            failure_statuses: Statuses::new([500..=599].to_vec()),
            failure_threshold: 5,
            failure_rate: 0.5,
            minimum_requests: 20,
            window: crate::stats::window::DEFAULT_LENGTH,
            slow_calls: None,
            timeout: Duration::from_secs(60),
            max_timeout: Duration::from_secs(300),
            half_open_requests: 1,
            success_threshold: 1,
            max_open_fraction: 1.0,
        }
    }
}

impl BreakerPolicy {
    /// Whether the attempts of a window are bad enough to open the breaker.
    #[must_use]
    pub fn is_exceeded(&self, counts: Counts) -> bool {
        // What is no matter of the breaker is left out.
        let total = counts.total().saturating_sub(counts.unwanted);
        if total < u64::from(self.minimum_requests.max(1)) {
            return false;
        }
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
        let share = |count: u64| count as f64 / total as f64;
        share(counts.failures) >= self.failure_rate
            || self
                .slow_calls
                .is_some_and(|slow| share(counts.slow) >= slow.rate)
    }

    /// Whether one more breaker of a pool with `endpoints` may open while `open` others are not
    /// closed.
    #[must_use]
    pub fn may_open(&self, open: usize, endpoints: usize) -> bool {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a pool has at most 1,000 endpoints"
        )]
        let (open, endpoints) = ((open + 1) as f64, endpoints as f64);
        open <= self.max_open_fraction * endpoints
    }

    /// How long the breaker stays open at the `openings`-th opening without a recovery, counted
    /// from 1.
    pub(super) fn open_time(&self, openings: u32) -> Duration {
        let factor = 1_u32
            .checked_shl(openings.saturating_sub(1))
            .unwrap_or(u32::MAX);
        self.timeout
            .saturating_mul(factor)
            .min(self.max_timeout.max(self.timeout))
    }
}
