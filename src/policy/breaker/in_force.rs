//! A breaker under another policy than that under which it opened.
//!
//! Example: it opened at noon for an hour, and the timeout is 60 s now: trials begin at 12:01.

use super::{Breaker, BreakerPolicy, State};
use crate::time::Instant;

impl Breaker {
    /// If it is open for longer than the policy of now allows, because that was another one when it
    /// opened, its time is over sooner.
    pub(crate) fn shorten(&mut self, policy: &BreakerPolicy) {
        let longest = policy.open_time(self.openings);
        self.open_time = self.open_time.min(longest);
        if let State::Open { until } = &mut self.state {
            *until = (*until).min(self.since + longest);
        }
    }

    /// It may not be open any more.
    pub(crate) fn close(&mut self, now: Instant) {
        self.enter(State::Closed, now);
    }
}
