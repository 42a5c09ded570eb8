//! What holds whatever the workers and other plugins do.

use core::cell::Cell;

use super::*;

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A worker has counted some more attempts and syncs.
    Sync { worker: usize, attempts: u64 },
    /// The same, but a newcomer starts between its reading and its writing, and dies at once.
    Overtaken { worker: usize },
    /// A worker dies, and another one starts in its place.
    Replace { worker: usize },
    /// Time passes.
    Wait { milliseconds: u64 },
}

const WORKERS: usize = 4;

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..WORKERS, 0..5_u64).prop_map(|(worker, attempts)| Step::Sync { worker, attempts }),
        1 => (0..WORKERS).prop_map(|worker| Step::Overtaken { worker }),
        1 => (0..WORKERS).prop_map(|worker| Step::Replace { worker }),
        2 => (0..2_000_u64).prop_map(|milliseconds| Step::Wait { milliseconds }),
    ]
}

/// Workers with what each has published so far.
struct Workers {
    workers: Vec<(Worker, u64)>,
    started: u64,
    published: u64,
}

impl Workers {
    /// All of them prefer the same slot.
    fn start(&mut self) -> Worker {
        self.started += 1;
        Worker::new(self.started * SPREAD as u64, 0, 0)
    }

    fn take(&mut self, step: Step, store: &Memory, now: Instant) {
        match step {
            Step::Sync { worker, attempts } => {
                self.workers[worker].0.endpoints[0].2 += attempts;
                self.sync(worker, store, now);
            }
            Step::Overtaken { worker } => {
                let mut newcomer = self.start();
                newcomer.endpoints[0].2 = 1;
                let counted = Rc::new(Cell::new(false));
                let count = Rc::clone(&counted);
                store.before_next_write(move |store| {
                    newcomer.sync(store, now);
                    count.set(true);
                });
                self.sync(worker, store, now);
                store.undisturbed();
                self.published += u64::from(counted.get());
            }
            Step::Replace { worker } => self.workers[worker] = (self.start(), 0),
            Step::Wait { .. } => {}
        }
    }

    /// Twice, because a worker that has just lost its slot publishes in the round after.
    fn sync(&mut self, worker: usize, store: &Memory, now: Instant) {
        let (worker, published) = &mut self.workers[worker];
        worker.sync(store, now);
        worker.sync(store, now);
        let attempts = worker.endpoints[0].2;
        self.published += attempts - core::mem::replace(published, attempts);
    }
}

proptest! {
    #[test]
    fn any_bytes_in_any_slot_never_panic(
        values in prop::collection::vec(
            (0..20_usize, prop::collection::vec(any::<u8>(), 0..100)),
            0..20,
        ),
        ids in prop::collection::btree_set(any::<u64>(), 1..5),
    ) {
        let store = Memory::default();
        let mut workers: Vec<_> = ids.iter().map(|&id| Worker::new(id, 1, 1)).collect();
        for (round, (number, bytes)) in (0..).zip(values) {
            store.put(&key::slot(number), &bytes);
            for worker in &mut workers {
                worker.sync(&store, at(round * 100));
                worker.totals();
            }
        }
        // Once the other plugin stops, every worker has a slot of its own and sees all others.
        let now = rounds(&mut workers, &store, at(10_000), 6);
        distinct_slots(&workers);
        let others = u32::try_from(ids.len() - 1).unwrap();
        for worker in &workers {
            prop_assert_eq!(worker.others(now), others);
            prop_assert_eq!(worker.totals(), ids.len() as u64);
        }
        prop_assert!(store.keys().len() <= 20 + ids.len());
    }

    /// Totals are what all workers, dead or alive, have published: never less than before, and
    /// nothing twice.
    #[test]
    fn totals_are_exact_and_never_go_down(steps in prop::collection::vec(any_step(), 1..120)) {
        let store = Memory::default();
        let mut all = Workers { workers: Vec::new(), started: 0, published: 0 };
        for _ in 0..WORKERS {
            let worker = all.start();
            all.workers.push((worker, 0));
        }
        // It only reads: a worker with nothing to report.
        let mut witness = Worker::new(7, 0, 0);
        let (mut now, mut before) = (at(0), 0);
        for step in steps {
            if let Step::Wait { milliseconds } = step {
                now = now + Duration::from_millis(milliseconds);
            }
            all.take(step, &store, now);
            witness.sync(&store, now);
            let totals = witness.totals();
            prop_assert_eq!(totals, all.published);
            prop_assert!(totals >= before);
            before = totals;
        }
    }
}
