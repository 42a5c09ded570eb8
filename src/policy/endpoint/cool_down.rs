//! A cool-down: an endpoint has requested to be left alone. Whether it still wants that is tried.
//!
//! An endpoint that throttles one client says so as if it spoke to all. Therefore, where nothing
//! else is available, one request a second goes through as a trial, over all workers. A good answer
//! ends the cool-down, and another request of the endpoint prolongs it.
//!
//! Example: at 12:00:00 the only endpoint requests 30 s. A request at 12:00:00.5 is refused. The
//! next one, at 12:00:01.2, is a trial; those after it are refused. At 12:00:01.4 the trial is
//! answered well: the cool-down is over.

use core::time::Duration;

use crate::time::Instant;

/// A cool-down of one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoolDown {
    /// Until when; may be past.
    pub until: Instant,
    /// When it was requested last. What was sent before says nothing of it.
    pub requested: Instant,
    /// When the endpoint was asked last: by the request that was answered like this, or by a trial.
    pub asked: Instant,
}

impl CoolDown {
    /// One until then is requested `now`. Of several requests the longest holds: a later answer of
    /// another of the endpoint's hosts must not shorten the one `before`.
    #[must_use]
    pub fn request(before: Option<Self>, until: Instant, now: Instant) -> Self {
        Self {
            until: before.map_or(until, |before| before.until.max(until)),
            requested: now,
            asked: now,
        }
    }

    /// Until when, if it is not over.
    #[must_use]
    pub fn in_force(&self, now: Instant) -> Option<Instant> {
        Some(self.until).filter(|until| *until > now)
    }

    /// Whether a trial may begin `now`.
    #[must_use]
    pub fn is_trial_due(&self, now: Instant) -> bool {
        now < self.until && self.asked + TRIAL_INTERVAL <= now
    }

    /// Begins a trial; `false`: it is not due.
    #[must_use]
    pub fn begin_trial(&mut self, now: Instant) -> bool {
        let is_due = self.is_trial_due(now);
        if is_due {
            self.asked = now;
        }
        is_due
    }

    /// A trial that was `sent` then has been answered well: the cool-down is over, unless it was
    /// requested again since.
    pub fn end(&mut self, sent: Instant, now: Instant) {
        if sent >= self.requested {
            self.until = self.until.min(now);
        }
    }
}

/// From one trial to the next.
const TRIAL_INTERVAL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::ORIGIN + Duration::from_millis(millis)
    }

    /// Requested at 1 s, until 31 s.
    fn cool_down() -> CoolDown {
        CoolDown::request(None, at(31_000), at(1_000))
    }

    #[test]
    fn a_trial_is_due_once_a_second() {
        let mut cool_down = cool_down();
        for (millis, begins) in [
            (1_000, false),
            (1_999, false),
            (2_000, true),
            (2_000, false),
            (2_999, false),
            (3_500, true),
            (4_499, false),
            (4_500, true),
            (30_999, true),
            (31_999, false), // It is over.
        ] {
            assert_eq!(cool_down.begin_trial(at(millis)), begins, "{millis}");
        }
    }

    #[test]
    fn of_several_requests_the_longest_holds_and_each_puts_trials_off() {
        let shorter = CoolDown::request(Some(cool_down()), at(9_000), at(5_500));
        assert_eq!(shorter.until, at(31_000));
        assert!(!shorter.is_trial_due(at(6_499)) && shorter.is_trial_due(at(6_500)));
        let longer = CoolDown::request(Some(cool_down()), at(60_000), at(5_500));
        assert_eq!(longer.in_force(at(59_999)), Some(at(60_000)));
        assert_eq!(longer.in_force(at(60_000)), None);
    }

    #[test]
    fn a_good_answer_ends_what_was_requested_before_it_was_sent() {
        let mut cool_down = cool_down();
        cool_down.end(at(999), at(2_500));
        assert_eq!(cool_down.in_force(at(2_500)), Some(at(31_000)));
        // Others may have begun since: it ends all the same.
        assert!(cool_down.begin_trial(at(2_100)));
        assert!(cool_down.begin_trial(at(3_100)));
        cool_down.end(at(2_100), at(3_500));
        assert_eq!(cool_down.until, at(3_500));
        assert_eq!(cool_down.in_force(at(3_500)), None);
        cool_down.end(at(2_100), at(9_000));
        assert_eq!(cool_down.until, at(3_500), "it has been over for long");
    }
}
