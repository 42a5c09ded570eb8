//! What is due when, for all streams of a worker, on the one timer that the host gives it; and the
//! round that comes again and again, in which the worker publishes and reads what is shared.
//!
//! A stream waits for at most one thing at a time, so it has at most one entry. Entries leave as
//! soon as their stream no longer waits: at 10,000 requests a second and a deadline of a minute,
//! entries that merely expired would be 600,000.
//!
//! The host's timer is armed for the earliest of all this and re-armed only when something earlier
//! comes. Setting it restarts its period, so a filter that set it on every request would postpone the
//! tick for ever. An armed time whose entry has left is let be: the tick then finds nothing due and
//! arms the next. Since the next round is never far, requests do not touch the timer at all; only a
//! retry whose delay ends before the round does.
//!
//! Example: a round every 100 ms, a request at 30 ms with a deadline of 60 s: the timer stays armed
//! for 100 ms. A retry due at 55 ms re-arms it; at 55 ms it is armed for 100 ms again.

use std::collections::BTreeSet;
use std::time::Duration;

use steerage_policy::time::Instant;

use crate::names::StreamKey;

/// The entries, the round, and the state of the host's timer.
#[derive(Debug)]
pub(crate) struct Timers {
    entries: BTreeSet<(Instant, StreamKey)>,
    /// From one round to the next.
    interval: Duration,
    /// When the next round is due; at once before the first.
    round: Instant,
    /// When the host's timer fires next; `None` before it is armed first.
    armed: Option<Instant>,
}

impl Timers {
    /// No stream waits yet; rounds come every `interval`.
    pub(crate) const fn new(interval: Duration) -> Self {
        Self {
            entries: BTreeSet::new(),
            interval,
            round: Instant::ORIGIN,
            armed: None,
        }
    }

    /// `stream`, which waited for `old`, now waits for `new`.
    pub(crate) fn replace(
        &mut self,
        stream: StreamKey,
        old: Option<Instant>,
        new: Option<Instant>,
    ) {
        if let Some(due) = old {
            self.entries.remove(&(due, stream));
        }
        if let Some(due) = new {
            self.entries.insert((due, stream));
        }
    }

    /// Takes out one stream whose time has come.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<StreamKey> {
        let (due, stream) = *self.entries.first()?;
        if due > now {
            return None;
        }
        self.entries.pop_first();
        Some(stream)
    }

    /// Whether a round is due.
    pub(crate) fn round_is_due(&self, now: Instant) -> bool {
        self.round <= now
    }

    /// Whether a round is due; it is then taken as done, and the next one is set.
    pub(crate) fn begin_round(&mut self, now: Instant) -> bool {
        let due = self.round_is_due(now);
        if due {
            self.round = now + self.interval;
        }
        due
    }

    /// The first period to give to the host's timer.
    pub(crate) fn start(&mut self, now: Instant) -> Option<Duration> {
        self.rearm(self.next(), now)
    }

    /// The period to give to the host's timer, if it must change: it fires too late for what is now
    /// `due`.
    pub(crate) fn rearm(&mut self, due: Instant, now: Instant) -> Option<Duration> {
        // What is overdue is as early as can be: to set the timer anew would postpone it.
        let due = due.max(now + LEAST);
        if self.armed.is_some_and(|armed| armed <= due) {
            return None;
        }
        Some(self.arm(due, now))
    }

    /// The period to give to the host's timer after it has fired.
    pub(crate) fn rearm_after_tick(&mut self, now: Instant) -> Duration {
        self.arm(self.next(), now)
    }

    /// When something is due next.
    fn next(&self) -> Instant {
        self.entries
            .first()
            .map_or(self.round, |(due, _)| self.round.min(*due))
    }

    fn arm(&mut self, due: Instant, now: Instant) -> Duration {
        let period = due.since(now).max(LEAST);
        self.armed = Some(now + period);
        period
    }
}

/// The host counts in milliseconds, and 0 would stop its timer.
const LEAST: Duration = Duration::from_millis(1);
