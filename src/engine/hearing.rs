//! Which answers are read whole for what their headers say of an endpoint's health.
//!
//! An upstream that is degraded, or fails, says so in all of its answers. To read all headers of an
//! answer costs twice as much as its status, so that is done once in [`PAUSE`] for each endpoint,
//! and whenever the number of headers is not that of the answer read last: one more may be the one.
//!
//! Example: 1,000 answers a second with 5 headers each: 10 of them are read. One with 6 is read,
//! and so is the next with 5.

use core::time::Duration;

use steerage_policy::balance::Strategy;
use steerage_policy::time::Instant;

use crate::names::StreamKey;
use crate::pool::SteeredPool;
use crate::settings::PoolSettings;
use crate::worker::Worker;

/// The answer of an endpoint that was read last.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heard {
    at: Instant,
    headers: usize,
}

impl Heard {
    /// Whether an answer with so many headers is to be read `now`.
    fn hears(&mut self, headers: usize, now: Instant) -> bool {
        let is_due = headers != self.headers || now >= self.at + PAUSE;
        if is_due {
            *self = Self { at: now, headers };
        }
        is_due
    }
}

impl SteeredPool {
    /// One for each endpoint, where health is of interest.
    pub(crate) fn hearing(settings: &PoolSettings) -> Box<[Heard]> {
        let pool = &settings.pool;
        if pool.checks.is_some() || pool.strategy == Strategy::HealthBased {
            vec![Heard::default(); pool.endpoints.len()].into()
        } else {
            Box::default()
        }
    }
}

impl Worker {
    /// Whether an answer to a stream's attempt of the router is wanted with all of its headers, of
    /// which there are so many. Of others the status is enough, unless that says more.
    pub fn wants_headers(&mut self, key: StreamKey, headers: usize, now: Instant) -> bool {
        let Some(walk) = self.walk(key) else {
            return false;
        };
        let endpoint = walk.stream.routed_to().map(|endpoint| endpoint.position());
        let heard = endpoint.and_then(|position| walk.steered.heard.get_mut(position));
        heard.is_some_and(|heard| heard.hears(headers, now))
    }
}

/// Between two answers of an endpoint that are read.
const PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_documentation() {
        let mut heard = Heard::default();
        let at = |millis: u64| Instant::from_nanos(millis * 1_000_000);
        let read = (1_000..2_000).filter(|millis| heard.hears(5, at(*millis)));
        assert_eq!(read.count(), 10);
        assert!(heard.hears(6, at(2_000)));
        assert!(!heard.hears(6, at(2_000)));
        assert!(heard.hears(5, at(2_001)));
        assert!(!heard.hears(5, at(2_002)));
    }
}
