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
use steerage_policy::pool::Pool;
use steerage_policy::time::Instant;

/// The answer of an endpoint that was read last.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heard {
    at: Instant,
    headers: usize,
}

impl Heard {
    /// One for each endpoint of a pool, where health is of interest.
    pub(crate) fn of(pool: &Pool) -> Box<[Self]> {
        if pool.checks.is_some() || pool.strategy == Strategy::HealthBased {
            vec![Self::default(); pool.endpoints.len()].into()
        } else {
            Box::default()
        }
    }

    /// Whether an answer with so many headers is to be read `now`.
    pub(crate) fn hears(&mut self, headers: usize, now: Instant) -> bool {
        let is_due = headers != self.headers || now >= self.at + PAUSE;
        if is_due {
            *self = Self { at: now, headers };
        }
        is_due
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
