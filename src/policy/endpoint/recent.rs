//! What recent attempts say of an endpoint's speed, computed once and not for every choice.
//!
//! A choice reads this of all candidates, and between two choices usually one endpoint has changed.
//! Computing it sums a window and weighs averages. Reading it again is two comparisons.
//!
//! Example: 200 endpoints, and one answer between two choices. One endpoint is computed anew, 199
//! are compared.

use super::others::{Others, weighted};
use crate::stats::latency::Average;
use crate::stats::window::Window;
use crate::time::Instant;

/// The recent attempts of all workers, and how long this holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recent {
    /// Share of successful attempts, 0.0..=1.0; 1 while nothing is known.
    pub(crate) success_rate: f64,
    /// Average response time in seconds as of the newest sample; `None` before the first.
    pub(crate) seconds: Option<f64>,
    /// The time to get a good answer, in seconds: the average divided by the success rate p,
    /// because that takes 1/p attempts.
    pub(crate) seconds_to_success: Option<f64>,
    /// When the newest sample arrived; `None` before the first.
    pub(crate) updated: Option<Instant>,
    /// Whether this worker has so few samples that the next one may change the average completely.
    pub(crate) is_new: bool,
    /// When this holds, if nothing is recorded meanwhile.
    from: Instant,
    until: Instant,
}

impl Recent {
    /// A value that never holds.
    pub(super) const FORGOTTEN: Self = Self {
        success_rate: 1.0,
        seconds: None,
        seconds_to_success: None,
        updated: None,
        is_new: false,
        from: Instant::ORIGIN,
        until: Instant::ORIGIN,
    };

    /// Whether it holds `now`, if nothing was recorded since it was computed.
    pub(super) fn holds(&self, now: Instant) -> bool {
        self.from <= now && now < self.until
    }

    /// Combines this worker's measurements with those of the others.
    #[cold]
    pub(super) fn of(window: &Window, own: &Average, others: &Others, now: Instant) -> Self {
        let counts = window.counts(now);
        let mut all = counts;
        all += others.counts;
        let success_rate = all.success_rate().unwrap_or(1.0);
        let seconds = weighted(
            own.seconds().map(|seconds| (seconds, counts.total())),
            others
                .seconds
                .map(|seconds| (seconds, others.counts.total())),
        );
        let to_success =
            |seconds: f64| seconds.max(LEAST_SECONDS) / success_rate.max(LEAST_SUCCESS_RATE);
        let unchanged = window.unchanged(now);
        Self {
            success_rate,
            seconds,
            seconds_to_success: seconds.map(to_success),
            updated: own.updated().max(others.updated),
            is_new: own.is_new(),
            from: unchanged.start,
            until: unchanged.end,
        }
    }
}

/// Shorter response times count as this: a clock that stood still must not make the load of an
/// endpoint invisible.
pub(crate) const LEAST_SECONDS: f64 = 1e-6;

/// The success rate of an endpoint counts as at least this, so that one whose attempts all fail
/// still has a time: if all endpoints fail, load and speed decide.
const LEAST_SUCCESS_RATE: f64 = 0.001;
