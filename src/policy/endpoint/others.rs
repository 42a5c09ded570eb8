//! What workers publish of an endpoint.

use core::time::Duration;

use crate::limit::Share;
use crate::stats::window::Counts;
use crate::time::Instant;

/// What one worker publishes of an endpoint, or the combination of what several have.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Others {
    /// Attempts under way.
    pub active: u32,
    /// How the attempts of the trailing window ended.
    pub counts: Counts,
    /// Average response time in seconds; of several workers, weighted by their attempts.
    pub seconds: Option<f64>,
    /// When the newest sample of it arrived.
    pub updated: Option<Instant>,
    /// The newest response time, and when it ended.
    pub last: Option<(Instant, Duration)>,
    /// Successes since the last failure.
    pub consecutive_successes: u32,
    /// The share in its limit.
    pub share: Share,
}

impl Others {
    /// Adds what another worker has published.
    pub fn merge(&mut self, other: &Self) {
        self.seconds = weighted(
            self.seconds.map(|seconds| (seconds, self.counts.total())),
            other.seconds.map(|seconds| (seconds, other.counts.total())),
        );
        self.active = self.active.saturating_add(other.active);
        self.counts += other.counts;
        self.updated = self.updated.max(other.updated);
        self.last = self.last.max(other.last);
        self.consecutive_successes = self
            .consecutive_successes
            .saturating_add(other.consecutive_successes);
        self.share.merge(&other.share);
    }
}

/// The mean of two averages in seconds, weighted by the attempts behind them.
pub(super) fn weighted(one: Option<(f64, u64)>, other: Option<(f64, u64)>) -> Option<f64> {
    // An average whose attempts have all left the window counts if there is no newer one.
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    let weight = |attempts: u64| (attempts as f64).max(1e-6);
    match (one, other) {
        (Some((a, n)), Some((b, m))) => {
            Some((a * weight(n) + b * weight(m)) / (weight(n) + weight(m)))
        }
        (one, other) => one.or(other).map(|(seconds, _)| seconds),
    }
}
