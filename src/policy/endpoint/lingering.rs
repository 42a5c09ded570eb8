//! Attempts that ended too soon to say anything of speed, and still count as load for a while.
//!
//! An endpoint that answers 401 at once, or fails at once, is always idle. Strategies that look for
//! the idlest would send it everything. So such an attempt *lingers*: for the balance it is under
//! way until the moment when a usual answer of the pool would have come. The endpoint then looks as
//! busy as the others with the same traffic, and gets no more than its fair share by failing fast.
//!
//! Example: the pool's good answers take 50 ms on average. An attempt that is answered with 404
//! after 1 ms lingers for 49 ms more. With ten of them within 20 ms the load is ten.

use alloc::collections::VecDeque;

use crate::time::Instant;

/// The attempts of one endpoint that linger, in one worker.
#[derive(Clone, Debug, Default)]
pub(super) struct Lingering(VecDeque<Instant>);

impl Lingering {
    /// One more lingers until then.
    pub(super) fn add(&mut self, until: Instant, now: Instant) {
        while self.0.len() >= MOST || self.0.front().is_some_and(|until| *until <= now) {
            self.0.pop_front();
        }
        self.0.push_back(until);
    }

    /// How many linger `now`.
    pub(super) fn count(&self, now: Instant) -> u32 {
        if self.0.is_empty() {
            return 0;
        }
        let lingering = self.0.iter().filter(|until| **until > now).count();
        u32::try_from(lingering).unwrap_or(u32::MAX)
    }
}

/// More of them do not make an endpoint look busier; it has many times the load of the others then.
const MOST: usize = 256;

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn each_lingers_until_its_time_and_there_is_a_most_of_them() {
        let at = |millis| Instant::ORIGIN + Duration::from_millis(millis);
        let mut lingering = Lingering::default();
        for millis in 0..10 {
            lingering.add(at(millis + 50), at(millis));
        }
        assert_eq!(lingering.count(at(9)), 10);
        assert_eq!(lingering.count(at(55)), 4);
        assert_eq!(lingering.count(at(60)), 0);
        for _ in 0..1_000 {
            lingering.add(at(200), at(100));
        }
        assert_eq!(lingering.count(at(100)), 256);
    }
}
