//! How long an endpoint takes to answer without load.
//!
//! That cannot be seen while there is a queue all the time, and the smallest time ever seen is no measure where
//! times vary. So it is the average of late while no worker needs half of its limit, and it falls with that
//! average at any time. Where it could not be confirmed for [`STALE`], or is in doubt, the limit is a
//! quarter for a moment, and what takes place then is measured. All workers do that at the same time, which
//! follows from the clock that they share and the endpoint's name, and put together what each has
//! measured; a doubt of one of them is heard by all before, or some would measure the load of the others.
//!
//! Limits: while it is measured, up to three quarters of the load are refused. That happens only where more
//! than half of the limit was needed for [`STALE`] without a break, and then costs 1 % of the time, or up to
//! 7 % where an endpoint takes more than 25 ms. A worker that begins under full load has no better than a
//! guess until the first measurement, within [`PERIOD`].
//!
//! Example: answers take 31 ms, 11 ms of which they wait, and the newest measurement is 30 s old. For 250 ms four
//! of sixteen are let through. Those that are sent in the second half of it take 20 ms, which is the new
//! unloaded time of all workers.

use core::time::Duration;

use crate::limit::Share;
use crate::time::{Instant, from_seconds};

/// Response times of an endpoint that was not busy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unloaded {
    /// When they were measured. Those of one time belong together.
    pub at: Instant,
    /// Their sum, in seconds.
    pub seconds: f64,
    /// How many they are, at least 1.
    pub count: u32,
}

impl Unloaded {
    const fn one(at: Instant, seconds: f64) -> Self {
        Self {
            at,
            seconds,
            count: 1,
        }
    }

    /// The newer of two, or both if they were measured at the same time.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        if self.at != other.at {
            return if other.at > self.at { other } else { self };
        }
        Self {
            at: self.at,
            seconds: self.seconds + other.seconds,
            count: self.count.saturating_add(other.count),
        }
    }
}

/// What a worker knows of the unloaded time of one endpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Baseline {
    /// Where in each [`PERIOD`] measurements begin.
    phase: Duration,
    known: Option<Known>,
    /// What this worker itself has measured last.
    own: Option<Unloaded>,
    /// How long its newest measurement at a quarter of the limit takes.
    length: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    at: Instant,
    seconds: f64,
    /// Since when it is in doubt. What was sent before that was not sent to measure it.
    doubted: Option<Instant>,
}

impl From<Unloaded> for Known {
    fn from(unloaded: Unloaded) -> Self {
        Self {
            at: unloaded.at,
            seconds: unloaded.seconds / f64::from(unloaded.count.max(1)),
            doubted: None,
        }
    }
}

impl Baseline {
    /// Nothing known yet. `seed` says when within a period it is measured.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            phase: Duration::from_nanos(seed % nanos(PERIOD)),
            known: None,
            own: None,
            length: Duration::ZERO,
        }
    }

    /// In seconds; `None` if nothing is known.
    pub(crate) fn seconds(&self) -> Option<f64> {
        self.known.map(|known| known.seconds)
    }

    /// When it was found.
    pub(crate) fn found(&self) -> Option<Instant> {
        self.known.map(|known| known.at)
    }

    /// What this worker itself has measured last.
    pub(crate) const fn own(&self) -> Option<Unloaded> {
        self.own
    }

    /// It may be this.
    pub(crate) fn guess(&mut self, seconds: f64, now: Instant) {
        self.known = Some(Known {
            at: self.known.map_or(Instant::ORIGIN, |known| known.at),
            seconds,
            doubted: self.known.and_then(|known| known.doubted).or(Some(now)),
        });
    }

    /// It is this, because the endpoint is not busy.
    pub(crate) fn observe(&mut self, seconds: f64, now: Instant) {
        let unloaded = Unloaded::one(now, seconds);
        self.own = Some(unloaded);
        self.known = Some(unloaded.into());
    }

    /// It is at most this.
    pub(crate) fn lower(&mut self, seconds: f64) {
        if let Some(known) = &mut self.known {
            known.seconds = known.seconds.min(seconds);
        }
    }

    /// It cannot be right.
    pub(crate) fn doubt(&mut self, now: Instant) {
        if let Some(known) = &mut self.known {
            known.doubted.get_or_insert(now);
        }
    }

    /// Since when this worker doubts what it knows.
    pub(crate) fn doubted(&self) -> Option<Instant> {
        self.known?.doubted
    }

    /// Takes over what others have measured, and what they doubt: it is measured by all or not at all.
    pub(crate) fn hear(&mut self, others: &Share, now: Instant) {
        if let Some(theirs) = others.unloaded {
            self.adopt(theirs, now);
        }
        if let (Some(known), Some(doubted)) = (&mut self.known, others.doubted)
            && doubted > known.at
        {
            known.doubted.get_or_insert(doubted);
        }
    }

    /// Takes over what others have measured later, or at the same time.
    fn adopt(&mut self, theirs: Unloaded, now: Instant) {
        let Some(known) = self.known.filter(|known| known.at >= theirs.at) else {
            self.known = Some(theirs.into());
            return;
        };
        if known.at == theirs.at
            && now.since(theirs.at) < TOGETHER
            && let Some(own) = self.own.filter(|own| own.at == theirs.at)
        {
            self.known = Some(own.merged(theirs).into());
        }
    }

    /// Whether it is measured `now`.
    pub(crate) fn is_measuring(&self, now: Instant) -> bool {
        self.measurement(now).is_some()
    }

    /// An attempt that was sent then has been answered after so many seconds.
    pub(crate) fn answered(&mut self, sent: Instant, seconds: f64) {
        let Some(from) = self.measurement(sent) else {
            return;
        };
        let length = self.length(from);
        if sent.since(from) < length / 2 {
            return; // OK because what was sent before still waits there.
        }
        let one = Unloaded::one(from, seconds);
        let before = self.own.filter(|own| own.at == from);
        let measured = before.map_or(one, |before| before.merged(one));
        self.length = length;
        self.own = Some(measured);
        self.known = Some(measured.into());
    }

    /// When the measurement that is made at this instant has begun; `None` if none is.
    fn measurement(&self, at: Instant) -> Option<Instant> {
        let known = self.known?;
        let into = at.as_nanos().saturating_sub(nanos(self.phase)) % nanos(PERIOD);
        let into = Duration::from_nanos(into);
        let from = at.before(into);
        let is_stale = match known.doubted {
            Some(since) => since + HEARD <= from,
            None => from.since(known.at) >= STALE,
        };
        let is_wanted = is_stale || self.is_measured(from);
        (is_wanted && into < self.length(from)).then_some(from)
    }

    /// How long the measurement that begins then takes: long enough for the queue to drain in its
    /// first half and for some answers in its second.
    fn length(&self, from: Instant) -> Duration {
        if self.is_measured(from) {
            return self.length;
        }
        from_seconds(self.seconds().unwrap_or(0.0) * TIMES).clamp(SHORTEST, LONGEST)
    }

    /// Whether the measurement that began then has given something.
    fn is_measured(&self, from: Instant) -> bool {
        self.own.is_some_and(|own| own.at == from)
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// How old it may become until it is measured.
const STALE: Duration = Duration::from_secs(30);
/// From one moment at which it can be measured to the next.
const PERIOD: Duration = Duration::from_secs(10);
/// How long a measurement takes, in unloaded times, and at least and at most.
const TIMES: f64 = 10.0;
const SHORTEST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(2);
/// After this time all workers have heard of a doubt.
const HEARD: Duration = Duration::from_millis(500);
/// How long after a measurement began the others' part of it is awaited.
const TOGETHER: Duration = Duration::from_secs(5);
