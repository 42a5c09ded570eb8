//! What workers tell each other of an endpoint.

use core::time::Duration;

use crate::limit::Share;
use crate::time::Instant;
use crate::window::Counts;

/// What one worker tells the others of an endpoint, or what several have told, put together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Others {
    /// Attempts under way.
    pub active: u32,
    /// What the attempts of the trailing window came to.
    pub counts: Counts,
    /// Average response time in seconds; of several workers, weighted by their attempts.
    pub seconds: Option<f64>,
    /// When the newest sample of it arrived.
    pub updated: Option<Instant>,
    /// The newest response time, and when it ended.
    pub last: Option<(Instant, Duration)>,
    /// Successes since the last failure.
    pub successes_in_row: u32,
    /// The part in its limit.
    pub share: Share,
}

impl Others {
    /// Puts what another worker has told to it.
    pub fn merge(&mut self, other: &Self) {
        self.seconds = weighted(
            self.seconds.map(|seconds| (seconds, self.counts.total())),
            other.seconds.map(|seconds| (seconds, other.counts.total())),
        );
        self.active = self.active.saturating_add(other.active);
        self.counts += other.counts;
        self.updated = self.updated.max(other.updated);
        self.last = self.last.max(other.last);
        self.successes_in_row = self.successes_in_row.saturating_add(other.successes_in_row);
        self.share.merge(&other.share);
    }
}

/// The mean of two averages in seconds, weighted by the attempts behind them.
pub(super) fn weighted(one: Option<(f64, u64)>, other: Option<(f64, u64)>) -> Option<f64> {
    // An average whose attempts have all left the window counts where nobody has a newer one.
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    let weight = |attempts: u64| (attempts as f64).max(1e-6);
    match (one, other) {
        (Some((a, n)), Some((b, m))) => {
            Some((a * weight(n) + b * weight(m)) / (weight(n) + weight(m)))
        }
        (one, other) => one.or(other).map(|(seconds, _)| seconds),
    }
}
