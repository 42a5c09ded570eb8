//! What each worker counts, published for the others to read.
//!
//! Every worker owns a slot: a key that no other worker writes. It holds the worker's endpoints
//! with their attempts under way, their response times, and their outcomes, recent and since the
//! beginning. The worker publishes when something has changed, and every [`HEARTBEAT`] in any case.
//! Readers add up the slots of the others.
//!
//! **A slot without a heartbeat** for [`DEAD_AFTER`] belongs to a worker that is gone, with its
//! configuration or by a trap. Its attempts under way no longer count. The next worker that needs a
//! slot takes it over, and its counts since the beginning go on from there: they belong to the slot
//! and not to the worker. A worker that was only delayed finds its slot taken. It takes another
//! one, and leaves what it has counted so far in the old one.
//!
//! **Finding a slot.** Two workers may take the same free slot at once. The store refuses the
//! second write; that worker reads the other one's record in its next round and takes another slot.
//! To make such collisions rare, workers do not all begin with the first free slot.
//!
//! Example: workers 1 and 2 and the main thread's own VM use slots 0, 3 and 5. Worker 2 traps.
//! Three seconds later its two attempts under way no longer count. The VM that replaces it takes
//! over slot 3, with the 10,000 attempts that were counted there since the beginning.

mod others;
mod record;

use core::time::Duration;

use steerage_policy::stats::totals::{PoolTotals, Totals};
use steerage_policy::time::Instant;

use crate::key;
use crate::report::{PoolReport, find};
use crate::store::{NotWritten, Store, Version, Versioned};
use crate::wire::{self, Checksum};

pub(crate) use record::Record;
pub use record::WorkerId;

/// How often a worker publishes even if nothing has changed.
pub const HEARTBEAT: Duration = Duration::from_secs(1);

/// A worker is gone when its newest record is older than this, or than three of its intervals if it
/// syncs less often than once a second.
pub const DEAD_AFTER: Duration = Duration::from_secs(3);

/// Most slots. Workers beyond them count for themselves only.
pub const MAX_SLOTS: usize = 512;

/// The records of all workers that are alive or were once, the caller's included.
pub(crate) fn records(store: &dyn Store) -> Vec<Record> {
    let slots = used(store).filter_map(|(_, value)| Record::decode(&value.bytes).ok());
    slots.collect()
}

/// All slots that were ever written, up to the first [`SPREAD`] in a row that never were.
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
    /// Marks the records of this worker's other configurations.
    vm: Option<u32>,
    /// How long after each publication this worker is taken to be alive.
    lasts: Duration,
    /// The number of this worker's own slot.
    own: Option<usize>,
    /// What was published last and when, so that only changes are published.
    published: Option<(Instant, Vec<PoolReport>)>,
    /// What the own slot had counted before this worker took it over.
    inherited: Vec<PoolReport>,
    /// What this worker has counted in slots that others have taken over since.
    left: Vec<PoolReport>,
    seen: Vec<Seen>,
    /// Whether the last write was lost, so that it is to be made again.
    is_behind: bool,
    /// Whether another worker has published something new since this was asked last, has begun or
    /// is gone.
    news: bool,
    /// How many of the others were alive when this was looked at last.
    alive: usize,
}

#[derive(Debug, Default)]
struct Seen {
    version: Option<Version>,
    record: Option<Record>,
    /// Of the record as this worker has published it, which it need not decode.
    checksum: Option<Checksum>,
}

/// What went wrong in [`Slots::sync`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// Slots whose bytes were no record.
    pub unreadable: u32,
    /// Whether this worker has no slot, because all are taken.
    pub no_slot: bool,
    /// Whether the store refused the write.
    pub refused: bool,
}

impl Slots {
    /// For a worker that has no slot yet.
    #[must_use]
    pub const fn new(owner: WorkerId) -> Self {
        Self {
            owner,
            vm: None,
            lasts: DEAD_AFTER,
            own: None,
            published: None,
            inherited: Vec::new(),
            left: Vec::new(),
            seen: Vec::new(),
            is_behind: false,
            news: true,
            alive: 0,
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

    /// The same for one of several configurations of a worker, all of which give this number. They
    /// count attempts under way together, and not by what they publish.
    #[must_use]
    pub fn in_vm(self, vm: u32) -> Self {
        Self {
            owner: self.owner.in_vm(vm),
            vm: Some(vm),
            ..self
        }
    }

    /// This worker's configuration has come to its end: publishes `pools` for the last time. What
    /// was counted since the beginning stays, and nothing is under way any more.
    pub fn withdraw(&mut self, store: &dyn Store, pools: Vec<PoolReport>, now: Instant) {
        self.read(store);
        let own = self.own_record();
        if let Some(number) = self.own
            && own.is_some_and(|record| record.owner == self.owner)
        {
            self.lasts = Duration::ZERO;
            // A conflict: another worker has taken the slot, and counts on from what was there.
            let _ = self.publish(store, number, pools, now);
        }
    }

    /// Whether anything was published yet.
    #[must_use]
    pub const fn has_published(&self) -> bool {
        self.published.is_some()
    }

    /// Whether the others have published something new since this was asked last, or have become
    /// more or fewer. That they are alive is no news.
    pub const fn take_news(&mut self) -> bool {
        core::mem::replace(&mut self.news, false)
    }

    /// Reads what the others have published, and publishes `pools` if they have changed or a
    /// heartbeat is due. `is_quiet`: nothing has happened since they were published, so they are
    /// looked at with the heartbeat only, for what changes as time passes.
    #[inline(never)]
    pub fn sync(
        &mut self,
        store: &dyn Store,
        is_quiet: bool,
        pools: impl FnOnce() -> Vec<PoolReport>,
        now: Instant,
    ) -> Trouble {
        let mut trouble = Trouble {
            unreadable: self.read(store),
            ..Trouble::default()
        };
        let alive = self.others_alive(now).count();
        self.news |= core::mem::replace(&mut self.alive, alive) != alive;
        match self.own_record() {
            Some(record) if record.owner == self.owner => {}
            // Another plugin has overwritten it with other bytes: it is written again as it was.
            None if self.own.is_some() => self.published = None,
            // The worker that took it over counts on from what is published there: it has read
            // that.
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
        let last = self.published.as_ref();
        let is_due = last.is_none_or(|(at, _)| now.since(*at) >= HEARTBEAT);
        if is_quiet && !is_due && !self.is_behind {
            return trouble;
        }
        let pools = pools();
        let written = if last.is_none_or(|(_, published)| *published != pools) {
            self.publish(store, number, pools, now)
        } else if is_due {
            self.beat(store, number, now)
        } else {
            Ok(())
        };
        // After a conflict the next read shows which worker has taken the same slot.
        self.is_behind = written.is_err();
        trouble.refused = written == Err(NotWritten::Refused);
        trouble
    }

    fn records(&self) -> impl Iterator<Item = &Record> {
        self.seen.iter().filter_map(|seen| seen.record.as_ref())
    }

    /// Reads all slots that are in use. Returns how many were unreadable.
    #[inline(never)]
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
                let own = seen.checksum.take();
                if own.is_some() && wire::verify(&value.bytes).ok().map(|(sum, _)| sum) == own {
                    continue;
                }
                let before = seen.record.take();
                seen.record = Record::decode(&value.bytes).ok();
                let is_news = match (&before, &seen.record) {
                    (Some(before), Some(now)) => {
                        before.owner != now.owner || before.pools != now.pools
                    }
                    _ => true,
                };
                self.news |= is_news;
                // The host removes a value by making it empty.
                let removed = value.bytes.is_empty();
                unreadable += u32::from(seen.record.is_none() && !removed);
            }
        }
        unreadable
    }

    /// The record in this worker's slot, if it has one and its record is readable.
    fn own_record(&self) -> Option<&Record> {
        self.seen.get(self.own?)?.record.as_ref()
    }

    /// Takes one of the first slots that are free, which includes those of workers that are gone.
    #[inline(never)]
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

    #[inline(never)]
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
        self.write(store, number, record)?;
        self.published = Some((now, pools));
        Ok(())
    }

    /// Publishes what was published last as it is.
    #[inline(never)]
    fn beat(&mut self, store: &dyn Store, number: usize, now: Instant) -> Result<(), NotWritten> {
        let seen = self.seen.get_mut(number);
        let Some(record) = seen.and_then(|seen| seen.record.take()) else {
            return Ok(()); // What is published was read.
        };
        let record = Record {
            published: now,
            ..record
        };
        self.write(store, number, record)?;
        if let Some((at, _)) = &mut self.published {
            *at = now;
        }
        Ok(())
    }

    /// Writes a record into this worker's slot.
    #[inline(never)]
    fn write(
        &mut self,
        store: &dyn Store,
        number: usize,
        record: Record,
    ) -> Result<(), NotWritten> {
        let bytes = record.encode();
        let version = self.seen.get(number).and_then(|seen| seen.version);
        store.write(&key::slot(number), &bytes, version)?;
        if self.seen.len() <= number {
            self.seen.resize_with(number + 1, Seen::default);
        }
        if let Some(seen) = self.seen.get_mut(number) {
            // The store does not return the new version: the next read does.
            *seen = Seen {
                version: None,
                record: Some(record),
                checksum: wire::checksum_of(&bytes),
            };
        }
        Ok(())
    }

    /// The reports with what the slot had counted before, and without what is counted in other
    /// slots.
    #[inline(never)]
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

/// A worker takes one of so many free slots. So many that were never written end the list of slots.
const SPREAD: usize = 8;

#[cfg(test)]
mod tests;
