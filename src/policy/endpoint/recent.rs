//! What the attempts of late say of an endpoint's speed, put together once and not for every choice.
//!
//! A choice asks all candidates, and between two of them one endpoint has learnt something. Putting it together
//! adds up a window and weighs averages; asking again is two comparisons.

use super::others::{Others, weighted};
use crate::stats::latency::Average;
use crate::stats::window::Window;
use crate::time::Instant;

/// What is known of late, in all workers, and how long that holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recent {
    /// Share of successful attempts, 0.0..=1.0; 1 while nothing is known.
    pub(crate) success_rate: f64,
    /// Average response time in seconds as of the newest sample; `None` before the first.
    pub(crate) seconds: Option<f64>,
    /// How long a good answer takes: it takes 1/p attempts to get one.
    pub(crate) seconds_to_success: Option<f64>,
    /// When the newest sample arrived; `None` before the first.
    pub(crate) updated: Option<Instant>,
    /// Whether this worker has seen its answers, but so few that the next may turn their average upside down.
    pub(crate) is_new: bool,
    /// From when until before when this holds if nothing more is learnt.
    from: Instant,
    until: Instant,
}

impl Recent {
    /// What never holds.
    pub(super) const FORGOTTEN: Self = Self {
        success_rate: 1.0,
        seconds: None,
        seconds_to_success: None,
        updated: None,
        is_new: false,
        from: Instant::ORIGIN,
        until: Instant::ORIGIN,
    };

    /// Whether it holds `now`, if nothing was learnt since it was put together.
    pub(super) fn holds(&self, now: Instant) -> bool {
        self.from <= now && now < self.until
    }

    /// Puts together what this worker has seen and the others have told.
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

/// Response times below this count alike: a clock that stood still must not make the load of an
/// endpoint invisible.
pub(crate) const LEAST_SECONDS: f64 = 1e-6;

/// An endpoint whose attempts all fail still has a time: if all do, load and speed decide.
const LEAST_SUCCESS_RATE: f64 = 0.001;
