//! What is due when, for all streams of a worker, on the one timer that the host gives it.
//!
//! A stream waits for at most one thing at a time, so it has at most one entry. Entries leave as
//! soon as their stream no longer waits: at 10,000 requests a second and a deadline of a minute,
//! entries that merely expired would be 600,000.
//!
//! The host's timer is armed for the earliest entry and re-armed only when an earlier one comes.
//! Setting it restarts its period, so a filter that set it on every request would postpone the tick
//! for ever. An armed time whose entry has left is let be: the tick then finds nothing due and
//! arms the next. A steady flow of requests with the same deadline thus sets the timer once in as
//! long as the deadline, not once a request.
//!
//! Example: requests at 0, 1 and 2 s, deadline 60 s, each answered within 10 ms. The first arms the
//! timer for 60 s; at 60 s nothing is due, nothing waits, and the timer is stopped.

use std::collections::BTreeSet;
use std::time::Duration;

use steerage_policy::time::Instant;

/// A stream, by the host's number for its context.
pub(crate) type StreamId = u32;

/// The entries and the state of the host's timer.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    entries: BTreeSet<(Instant, StreamId)>,
    /// When the host's timer fires next; `None` while it is stopped.
    armed: Option<Instant>,
}

impl Timers {
    /// `stream`, which waited for `old`, now waits for `new`.
    pub(crate) fn replace(&mut self, stream: StreamId, old: Option<Instant>, new: Option<Instant>) {
        if let Some(due) = old {
            self.entries.remove(&(due, stream));
        }
        if let Some(due) = new {
            self.entries.insert((due, stream));
        }
    }

    /// Takes out one stream whose time has come.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<StreamId> {
        let (due, stream) = *self.entries.first()?;
        if due > now {
            return None;
        }
        self.entries.pop_first();
        Some(stream)
    }

    /// The period to give to the host's timer, if it must change: it fires too late for the
    /// earliest entry.
    pub(crate) fn rearm(&mut self, now: Instant) -> Option<Duration> {
        let (due, _) = *self.entries.first()?;
        if self.armed.is_some_and(|armed| armed <= due) {
            return None;
        }
        Some(self.arm(due, now))
    }

    /// The period to give to the host's timer after it has fired: until the earliest entry, or zero
    /// to stop it.
    pub(crate) fn rearm_after_tick(&mut self, now: Instant) -> Duration {
        match self.entries.first() {
            Some((due, _)) => self.arm(*due, now),
            None => {
                self.armed = None;
                Duration::ZERO
            }
        }
    }

    fn arm(&mut self, due: Instant, now: Instant) -> Duration {
        self.armed = Some(due);
        // The host counts in milliseconds, and 0 would stop its timer.
        due.since(now).max(Duration::from_millis(1))
    }
}
