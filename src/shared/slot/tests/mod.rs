//! What the workers of one proxy see of each other: when they start, die, or share the store with
//! another plugin.
//!
//! A [`Worker`] here is its slots and what it would report: one pool, endpoints by name, each with
//! the attempts under way and since the beginning.

use core::cell::RefCell;
use std::rc::Rc;

use proptest::prelude::*;

use steerage_policy::endpoint::Others;
use steerage_policy::stats::spending::Spending;

use super::*;
use crate::memory::Memory;
use crate::report::EndpointReport;

mod configurations;
mod deaths;
mod properties;

const POOL: &str = "default";
const SYNC: Duration = Duration::from_millis(100);

/// The instant `milliseconds` after the beginning of the test.
fn at(milliseconds: u64) -> Instant {
    Instant::ORIGIN + Duration::from_secs(1_000) + Duration::from_millis(milliseconds)
}

struct Worker {
    slots: Slots,
    endpoints: Vec<(&'static str, u32, u64)>,
}

impl Worker {
    /// A worker that has `active` attempts under way to the endpoint `a`, of `attempts` so far.
    fn new(id: u64, active: u32, attempts: u64) -> Self {
        Self {
            slots: Slots::new(WorkerId(id)),
            endpoints: [("a", active, attempts)].to_vec(),
        }
    }

    fn sync(&mut self, store: &Memory, now: Instant) -> Trouble {
        let report = self.report();
        self.slots.sync(store, false, || vec![report], now)
    }

    /// Nothing goes wrong.
    #[track_caller]
    fn sync_well(&mut self, store: &Memory, now: Instant) {
        assert_eq!(self.sync(store, now), Trouble::default());
    }

    fn report(&self) -> PoolReport {
        let endpoints = self.endpoints.iter();
        PoolReport {
            pool: POOL.to_owned(),
            spending: Spending {
                requests: 10,
                retries: 1,
                hedges: 0,
            },
            totals: PoolTotals {
                requests: self.endpoints.iter().map(|(_, _, attempts)| attempts).sum(),
                ..PoolTotals::default()
            },
            times: Vec::new(),
            endpoints: endpoints
                .map(|&(endpoint, active, attempts)| EndpointReport {
                    endpoint: endpoint.to_owned(),
                    now: Others {
                        active,
                        ..Others::default()
                    },
                    totals: Totals {
                        attempts,
                        ..Totals::default()
                    },
                })
                .collect(),
        }
    }

    /// Attempts of the others under way to `a`.
    fn others(&self, now: Instant) -> u32 {
        self.slots.others(POOL, "a", 0, now).active
    }

    /// All attempts to `a` since the beginning.
    fn totals(&self) -> u64 {
        let reports = self.slots.records();
        let reports = reports.filter_map(|record| record.endpoint(POOL, "a", 0));
        reports.map(|report| report.totals.attempts).sum()
    }

    fn number(&self) -> usize {
        self.slots.own.unwrap()
    }
}

/// The numbers of the workers' slots, which must differ.
#[track_caller]
fn distinct_slots(workers: &[Worker]) -> Vec<usize> {
    let mut numbers: Vec<_> = workers.iter().map(Worker::number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), workers.len(), "{numbers:?}");
    numbers
}

/// Syncs all workers in turn, `rounds` times, and gives the time after the last round.
fn rounds(workers: &mut [Worker], store: &Memory, mut now: Instant, rounds: u32) -> Instant {
    for _ in 0..rounds {
        for worker in &mut *workers {
            worker.sync(store, now);
        }
        now = now + SYNC;
    }
    now
}

#[test]
fn workers_see_what_the_others_have_under_way() {
    let store = Memory::default();
    let mut workers = [
        Worker::new(1, 2, 20),
        Worker::new(2, 3, 30),
        Worker::new(3, 5, 50),
    ];
    let now = rounds(&mut workers, &store, at(0), 2);
    distinct_slots(&workers);
    assert_eq!(
        workers.each_ref().map(|worker| worker.others(now)),
        [8, 7, 5]
    );
    assert_eq!(workers.each_ref().map(Worker::totals), [100; 3]);
    workers[0].endpoints = [("a", 0, 22)].to_vec();
    let now = rounds(&mut workers, &store, now, 1);
    assert_eq!(workers[2].others(now), 3);
    assert_eq!(workers[2].totals(), 102);
}

#[test]
fn endpoints_are_found_by_name_wherever_they_stand() {
    let store = Memory::default();
    let mut one = Worker::new(1, 0, 0);
    one.endpoints = [("a", 1, 0), ("b", 2, 0), ("c", 3, 0)].to_vec();
    let mut other = Worker::new(2, 0, 0);
    other.endpoints = [("c", 30, 0), ("a", 10, 0)].to_vec();
    one.sync_well(&store, at(0));
    other.sync_well(&store, at(0));
    one.sync_well(&store, at(100));
    let seen = |worker: &Worker, position| {
        ["a", "b", "c", "d"].map(|endpoint| {
            let others = worker.slots.others(POOL, endpoint, position, at(100));
            others.active
        })
    };
    for position in 0..4 {
        assert_eq!(seen(&one, position), [10, 0, 30, 0]);
        assert_eq!(seen(&other, position), [1, 2, 3, 0]);
    }
    assert_eq!(one.slots.others("other", "a", 0, at(100)).active, 0);
}

/// The hardest start: all have read before the first one writes, and all prefer the same slot.
#[test]
fn workers_that_start_all_at_once_end_up_in_slots_of_their_own() {
    let store = Memory::default();
    let prefer_the_same = (0..12).map(|n| n * SPREAD as u64);
    let workers = prefer_the_same.map(|id| Worker::new(id, 1, 10)).collect();
    let started = Rc::default();
    start_between(&store, workers, &started);
    store.undisturbed();
    let mut workers = started.take();
    let now = rounds(&mut workers, &store, at(100), 14);
    assert_eq!(distinct_slots(&workers).len(), 12);
    for worker in &workers {
        assert_eq!(worker.others(now), 11);
        assert_eq!(worker.totals(), 120);
    }
}

/// The last of these workers has its first round. All others have theirs between its read and its
/// write, in the same way.
fn start_between(store: &Memory, mut workers: Vec<Worker>, started: &Rc<RefCell<Vec<Worker>>>) {
    let Some(mut worker) = workers.pop() else {
        return;
    };
    let others = Rc::clone(started);
    store.before_next_write(move |store| start_between(store, workers, &others));
    worker.sync(store, at(0));
    started.borrow_mut().push(worker);
}

#[test]
fn only_changes_and_heartbeats_are_written() {
    let store = Memory::default();
    let mut worker = Worker::new(1, 0, 0);
    let mut writes = Vec::new();
    for n in 0..25 {
        if n == 13 {
            worker.endpoints = [("a", 1, 1)].to_vec();
        }
        let before = store.writes();
        worker.sync_well(&store, at(n * 100));
        if store.writes() > before {
            writes.push(n);
        }
    }
    assert_eq!(writes, [0, 10, 13, 23]);
}

#[test]
fn another_plugins_bytes_are_reported_once_and_cost_no_slot() {
    let store = Memory::default();
    for number in 0..SPREAD {
        store.put(&key::slot(number), b"another plugin");
    }
    let mut workers = [Worker::new(1, 1, 1), Worker::new(2, 1, 1)];
    assert_eq!(workers[0].sync(&store, at(0)).unreadable, 8);
    assert_eq!(workers[0].sync(&store, at(100)).unreadable, 0);
    assert_eq!(workers[1].sync(&store, at(100)).unreadable, 7);
    distinct_slots(&workers);
    assert!(store.keys().len() <= SPREAD);
}

#[test]
fn workers_beyond_the_last_slot_count_for_themselves() {
    let store = Memory::default();
    let count = MAX_SLOTS as u64;
    let mut workers: Vec<_> = (0..count).map(|id| Worker::new(id, 1, 1)).collect();
    for worker in &mut workers {
        worker.sync_well(&store, at(0));
    }
    distinct_slots(&workers);
    let mut beyond = Worker::new(count, 1, 1);
    let no_slot = Trouble {
        no_slot: true,
        ..Trouble::default()
    };
    assert_eq!(beyond.sync(&store, at(100)), no_slot);
    assert_eq!(beyond.sync(&store, at(200)), no_slot);
    assert_eq!(u64::from(beyond.others(at(200))), count);
    assert_eq!(store.keys().len(), MAX_SLOTS);
    // When a worker is gone there is room.
    for worker in &mut workers[1..] {
        worker.sync_well(&store, at(2_500));
    }
    beyond.sync_well(&store, at(0) + DEAD_AFTER);
    assert_eq!(store.keys().len(), MAX_SLOTS);
}

#[test]
fn a_refused_write_is_reported_and_tried_again() {
    let store = Memory::default();
    store.refuse(true);
    let mut worker = Worker::new(1, 1, 1);
    let refused = Trouble {
        refused: true,
        ..Trouble::default()
    };
    assert_eq!(worker.sync(&store, at(0)), refused);
    assert_eq!(worker.sync(&store, at(100)), refused);
    store.refuse(false);
    worker.sync_well(&store, at(200));
    assert_eq!(worker.totals(), 1);
}

#[test]
fn while_nothing_happens_reports_are_made_with_the_heartbeat_only() {
    let store = Memory::default();
    let mut worker = Worker::new(1, 1, 1);
    worker.sync_well(&store, at(0));
    let quiet = |worker: &mut Worker, time| {
        let (report, mut is_made) = (worker.report(), false);
        let make = || {
            is_made = true;
            vec![report]
        };
        worker.slots.sync(&store, true, make, at(time));
        is_made
    };
    assert!(!quiet(&mut worker, 100));
    assert!(!quiet(&mut worker, 900));
    assert!(quiet(&mut worker, 1_000), "a heartbeat");
    assert!(!quiet(&mut worker, 1_900));
    // A write that was lost is made again at once.
    worker.endpoints[0].2 = 2;
    store.refuse(true);
    worker.sync(&store, at(1_950));
    store.refuse(false);
    assert!(quiet(&mut worker, 1_960));
    assert!(!quiet(&mut worker, 1_970));
    assert_eq!(worker.totals(), 2);
}

#[test]
fn that_another_worker_is_alive_is_no_news() {
    let store = Memory::default();
    let (mut one, mut other) = (Worker::new(1, 1, 1), Worker::new(2, 1, 1));
    one.sync_well(&store, at(0));
    other.sync_well(&store, at(0));
    one.sync_well(&store, at(100));
    assert!(one.slots.take_news(), "it has begun");
    other.sync_well(&store, at(1_000));
    one.sync_well(&store, at(1_100));
    assert!(!one.slots.take_news(), "a heartbeat");
    other.endpoints[0].1 = 2;
    other.sync_well(&store, at(1_200));
    one.sync_well(&store, at(1_300));
    assert!(one.slots.take_news(), "an attempt");
    one.sync_well(&store, at(1_200) + DEAD_AFTER);
    assert!(one.slots.take_news(), "it is gone");
}

/// During an update the old configuration's root context finishes its streams beside the new one,
/// in the same worker.
#[test]
fn the_old_configuration_and_the_new_one_count_side_by_side() {
    let store = Memory::default();
    let mut old = Worker::new(1, 0, 0);
    old.endpoints = [("a", 3, 100), ("old", 1, 50)].to_vec();
    let mut new = Worker::new(2, 0, 0);
    new.endpoints = [("new", 1, 1), ("a", 2, 7)].to_vec();
    old.sync_well(&store, at(0));
    new.sync_well(&store, at(0));
    assert_eq!(
        new.others(at(0)),
        3,
        "attempts of the old one are load, too"
    );
    assert_eq!(new.totals(), 107);
    let configured = |worker: &Worker, now| {
        ["a", "old", "new", "other"].map(|name| worker.slots.is_configured(POOL, name, now))
    };
    assert_eq!(configured(&new, at(0)), [true, true, true, false]);
    // The old one ends.
    let later = at(0) + DEAD_AFTER;
    new.sync_well(&store, later);
    assert_eq!(configured(&new, later), [true, false, true, false]);
    assert_eq!((new.others(later), new.totals()), (0, 107));
}

/// A worker that has not published does not see itself among the living workers. What it is about
/// to use must not be dropped.
#[test]
fn a_worker_without_a_slot_takes_everything_to_be_configured() {
    let store = Memory::default();
    let mut worker = Worker::new(1, 0, 0);
    assert!(worker.slots.is_configured(POOL, "a", at(0)));
    store.refuse(true);
    worker.sync(&store, at(0));
    assert!(worker.slots.is_configured(POOL, "a", at(0)));
    store.refuse(false);
    worker.sync_well(&store, at(100));
    assert!(worker.slots.is_configured(POOL, "a", at(100)));
    assert!(!worker.slots.is_configured(POOL, "b", at(100)));
}
