//! What clients have seen in a stretch of a run: how many of them were served, and how fast.

use core::time::Duration;

use crate::at;
use crate::log::{Answer, Log, count};
use crate::world::World;

/// The answers to the requests of some seconds.
#[derive(Debug)]
pub(crate) struct View {
    good: usize,
    /// Of all answers; sorted.
    times: Vec<Duration>,
}

impl View {
    /// What the requests have come to that arrived from `from` until before `until`, in seconds
    /// since the beginning. Those of a minority do not count.
    pub(crate) fn of(world: &World, from: f64, until: f64) -> Self {
        let log = world.log.borrow();
        let within =
            |answer: &&Answer| !answer.odd && (at(from)..at(until)).contains(&answer.arrived);
        let answers = || log.answers.iter().filter(within);
        let mut times: Vec<_> = answers().map(|answer| answer.took).collect();
        times.sort_unstable();
        Self {
            good: answers().filter(|answer| answer.good).count(),
            times,
        }
    }

    /// Share of the requests that got a good answer.
    pub(crate) fn success(&self) -> f64 {
        count(self.good) / count(self.times.len())
    }

    /// Milliseconds that so many percent of the answers did not exceed.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.times.len() * percent).div_ceil(100).max(1);
        self.times[rank - 1].as_secs_f64() * 1_000.0
    }
}

/// The largest share of an endpoint in any stretch of this many seconds, all attempts counted.
pub(crate) fn largest_share(log: &Log, endpoint: usize, stretch: f64, until: f64) -> f64 {
    let mut from = 0.0;
    let mut largest: f64 = 0.0;
    while from < until {
        let share = log.share(endpoint, at(from), at(from + stretch));
        largest = largest.max(share);
        from += stretch;
    }
    largest
}
