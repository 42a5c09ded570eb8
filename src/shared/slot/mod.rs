//! What each worker counts, published for the others to read.
//!
//! Every worker owns a slot, under a key that only it writes: its endpoints with the attempts under
//! way, response times, outcomes of late and since the beginning. It publishes when something has
//! changed, and every [`HEARTBEAT`] in any case. Readers put the slots of the others together.
//!
//! **A slot whose heartbeat has stopped** for [`DEAD_AFTER`] belongs to a worker that is gone, with
//! its configuration or in a trap: what it had under way counts no longer. The next worker that needs
//! a slot takes it over, and with it the counts since the beginning, which go on from there: they
//! are the slot's and not the worker's. A worker that was only held up finds its slot taken; it takes
//! another, and leaves what it has counted so far where it is.
//!
//! **Finding a slot.** Two workers may take the same free slot at once. The one that writes second is
//! refused, finds another owner when it reads again, and takes another slot. To collide rarely,
//! workers do not all begin with the first free one.
//!
//! Example: workers 1 and 2 and the main thread's own VM use slots 0, 3 and 5. Worker 2 traps; three
//! seconds later its two attempts under way are forgotten, and the VM that replaces it takes over
//! slot 3, in which 10,000 attempts since the beginning have been counted.

use core::time::Duration;

use serde::{Deserialize, Serialize};
use steerage_policy::budget::Spending;
use steerage_policy::endpoint::Others;
use steerage_policy::time::Instant;
use steerage_policy::totals::{PoolTotals, Totals};

use crate::report::{EndpointReport, PoolReport, find};
use crate::store::{NotWritten, Store, Version, Versioned};
use crate::{codec, key};

/// How often a worker publishes even if nothing has changed.
pub const HEARTBEAT: Duration = Duration::from_secs(1);

/// A worker whose newest publication is older is gone; one that syncs less often than once a second
/// has three intervals instead.
pub const DEAD_AFTER: Duration = Duration::from_secs(3);

/// Most slots. Workers beyond them count for themselves only.
pub const MAX_SLOTS: usize = 512;

/// Identifies a worker among all of one proxy; drawn at random.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerId(pub u64);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    owner: WorkerId,
    published: Instant,
    /// For how long the owner is believed to be alive.
    lasts: Duration,
    pub(crate) pools: Vec<PoolReport>,
}

impl Record {
    pub(crate) fn is_alive(&self, now: Instant) -> bool {
        now.since(self.published) < self.lasts
    }

    fn endpoint(&self, pool: &str, endpoint: &str, position: usize) -> Option<&EndpointReport> {
        find(&self.pools, pool, endpoint, position)
    }
}

/// The records of all workers that live or have lived, of whoever asks.
pub(crate) fn records(store: &dyn Store) -> Vec<Record> {
    let slots = used(store).filter_map(|(_, value)| codec::decode(&value.bytes).ok());
    slots.collect()
}

/// All slots that were ever written, up to a stretch that nobody has ever used.
fn used(store: &dyn Store) -> impl Iterator<Item = (usize, Versioned)> + '_ {
    let mut unused = 0;
    (0..MAX_SLOTS)
        .map_while(move |number| {
            let value = store.read(&key::slot(number));
            unused = if value.is_some() { 0 } else { unused + 1 };
            (unused < SPREAD).then_some((number, value))
        })
        .filter_map(|(number, value)| Some((number, value?)))
}

/// All slots, as this worker has read them last.
#[derive(Debug)]
pub struct Slots {
    owner: WorkerId,
    /// For how long this worker's publications say that it is alive.
    lasts: Duration,
    /// The number of this worker's own slot.
    own: Option<usize>,
    /// What was published last, to publish only what has changed.
    published: Option<(Instant, Vec<PoolReport>)>,
    /// What the own slot had counted before this worker took it over.
    inherited: Vec<PoolReport>,
    /// What this worker has counted that stays in slots which others have taken over.
    left: Vec<PoolReport>,
    seen: Vec<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    version: Option<Version>,
    record: Option<Record>,
}

/// What [`Slots::sync`] has met with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// Slots that held what is no record.
    pub unreadable: u32,
    /// Whether this worker has no slot, because all are taken.
    pub no_slot: bool,
    /// Whether the store refused to be written.
    pub refused: bool,
}

impl Slots {
    /// No slot is taken yet.
    #[must_use]
    pub const fn new(owner: WorkerId) -> Self {
        Self {
            owner,
            lasts: DEAD_AFTER,
            own: None,
            published: None,
            inherited: Vec::new(),
            left: Vec::new(),
            seen: Vec::new(),
        }
    }

    /// The same for a worker that syncs every `interval`.
    #[must_use]
    pub fn syncing_every(self, interval: Duration) -> Self {
        Self {
            lasts: DEAD_AFTER.max(interval.saturating_mul(3)),
            ..self
        }
    }

    /// Reads what the others have published, and publishes `pools` if need be.
    pub fn sync(&mut self, store: &dyn Store, pools: Vec<PoolReport>, now: Instant) -> Trouble {
        let mut trouble = Trouble {
            unreadable: self.read(store),
            ..Trouble::default()
        };
        match self.own_record() {
            Some(record) if record.owner == self.owner => {}
            // Somebody has written over it what is no record: it is written again as it was.
            None if self.own.is_some() => self.published = None,
            // Who takes a slot over has read it first, and counts on from what is published there.
            _ => {
                if let Some((_, published)) = self.published.take() {
                    self.left = published;
                }
                self.take_slot(now);
            }
        }
        let Some(number) = self.own else {
            trouble.no_slot = true;
            return trouble;
        };
        let changed = self
            .published
            .as_ref()
            .is_none_or(|(at, published)| *published != pools || now.since(*at) >= HEARTBEAT);
        if changed {
            match self.publish(store, number, pools, now) {
                // Of a conflict the next read shows who has taken the same slot.
                Ok(()) | Err(NotWritten::Conflict) => {}
                Err(NotWritten::Refused) => trouble.refused = true,
            }
        }
        trouble
    }

    /// What the other workers tell of an endpoint, put together. `position` is where it stands in this
    /// worker's configuration, and so most likely in theirs: looked at first.
    #[must_use]
    pub fn others(&self, pool: &str, endpoint: &str, position: usize, now: Instant) -> Others {
        let mut others = Others::default();
        for report in self
            .others_alive(now)
            .filter_map(|record| record.endpoint(pool, endpoint, position))
        {
            others.merge(&report.now);
        }
        others
    }

    /// What the other workers have spent of a pool's budget, and what has come to them.
    #[must_use]
    pub fn spending(&self, pool: &str, now: Instant) -> Spending {
        let mut spending = Spending::default();
        for report in self
            .others_alive(now)
            .filter_map(|record| record.pools.iter().find(|report| report.pool == pool))
        {
            spending += report.spending;
        }
        spending
    }

    /// Whether a living worker has this endpoint in its configuration. A worker that has not published
    /// does not even see its own, and takes everything to be configured.
    #[must_use]
    pub fn is_configured(&self, pool: &str, endpoint: &str, now: Instant) -> bool {
        let own = self.own_record();
        if own.is_none_or(|record| record.owner != self.owner) {
            return true;
        }
        self.records()
            .filter(|record| record.is_alive(now))
            .any(|record| record.endpoint(pool, endpoint, 0).is_some())
    }

    /// Whether this worker is the one that speaks for all about a pool: the living one with the first slot.
    #[must_use]
    pub fn is_reporter(&self, pool: &str, now: Instant) -> bool {
        let mut having_it = self
            .records()
            .filter(|record| record.is_alive(now))
            .filter(|record| record.pools.iter().any(|report| report.pool == pool));
        having_it
            .next()
            .is_some_and(|record| record.owner == self.owner)
    }

    /// Whether another living worker has this endpoint in its configuration.
    #[must_use]
    pub fn others_have(&self, pool: &str, endpoint: &str, now: Instant) -> bool {
        self.others_alive(now)
            .any(|record| record.endpoint(pool, endpoint, 0).is_some())
    }

    fn others_alive(&self, now: Instant) -> impl Iterator<Item = &Record> {
        self.records()
            .filter(move |record| record.owner != self.owner && record.is_alive(now))
    }

    fn records(&self) -> impl Iterator<Item = &Record> {
        self.seen.iter().filter_map(|seen| seen.record.as_ref())
    }

    /// Reads all slots, up to a stretch that nobody has ever used. Returns how many were unreadable.
    fn read(&mut self, store: &dyn Store) -> u32 {
        let mut unreadable = 0;
        for (number, value) in used(store) {
            if self.seen.len() <= number {
                self.seen.resize_with(number + 1, Seen::default);
            }
            let Some(seen) = self.seen.get_mut(number) else {
                continue; // OK because it has just been made long enough.
            };
            if seen.version != Some(value.version) {
                seen.version = Some(value.version);
                seen.record = codec::decode(&value.bytes).ok();
                // Empty bytes are how the host removes a value.
                let removed = value.bytes.is_empty();
                unreadable += u32::from(seen.record.is_none() && !removed);
            }
        }
        unreadable
    }

    /// What this worker's slot holds, if it has one and that is readable.
    fn own_record(&self) -> Option<&Record> {
        self.seen.get(self.own?)?.record.as_ref()
    }

    /// Takes one of the first slots that are free or whose worker is gone.
    fn take_slot(&mut self, now: Instant) {
        let free = |number: &usize| {
            let record = self.seen.get(*number).and_then(|seen| seen.record.as_ref());
            record.is_none_or(|record| !record.is_alive(now))
        };
        let candidates: Vec<usize> = (0..MAX_SLOTS).filter(free).take(SPREAD).collect();
        let choice = usize::try_from(self.owner.0 % SPREAD as u64).unwrap_or(0);
        self.own = candidates
            .get(choice)
            .or_else(|| candidates.last())
            .copied();
        self.inherited = self
            .own
            .and_then(|number| self.seen.get(number)?.record.as_ref())
            .map(|record| record.pools.clone())
            .unwrap_or_default();
    }

    fn publish(
        &mut self,
        store: &dyn Store,
        number: usize,
        pools: Vec<PoolReport>,
        now: Instant,
    ) -> Result<(), NotWritten> {
        let record = Record {
            owner: self.owner,
            published: now,
            lasts: self.lasts,
            pools: self.with_inherited(&pools),
        };
        let bytes = codec::encode(&record);
        let version = self.seen.get(number).and_then(|seen| seen.version);
        store.write(&key::slot(number), &bytes, version)?;
        self.published = Some((now, pools));
        if self.seen.len() <= number {
            self.seen.resize_with(number + 1, Seen::default);
        }
        if let Some(seen) = self.seen.get_mut(number) {
            // The store does not tell the new version: the next read does.
            *seen = Seen {
                version: None,
                record: Some(record),
            };
        }
        Ok(())
    }

    /// The reports with what the slot had counted before, and without what counts elsewhere already.
    fn with_inherited(&self, pools: &[PoolReport]) -> Vec<PoolReport> {
        let mut pools = pools.to_vec();
        for PoolReport {
            pool,
            totals,
            endpoints,
            ..
        } in &mut pools
        {
            let counted = |reports: &[PoolReport]| {
                let report = reports.iter().find(|report| report.pool == *pool);
                report.map_or_else(PoolTotals::default, |report| report.totals.clone())
            };
            *totals += &counted(&self.inherited);
            *totals = core::mem::take(totals).without(&counted(&self.left));
            for (position, report) in endpoints.iter_mut().enumerate() {
                let counted = |reports| {
                    find(reports, pool, &report.endpoint, position)
                        .map_or_else(Totals::default, |report| report.totals)
                };
                let (inherited, left) = (counted(&self.inherited), counted(&self.left));
                report.totals += &inherited;
                report.totals = report.totals.without(&left);
            }
        }
        pools
    }
}

/// How many free slots workers spread over when they take one, and how many that were never used
/// end the list.
const SPREAD: usize = 8;

#[cfg(test)]
mod tests;
