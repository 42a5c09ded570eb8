//! Workers that are gone, that were only held up, and that lose their slot to a neighbour: what they
//! had under way counts no longer, and what they have counted is neither lost nor counted twice.

use super::*;

#[test]
fn what_a_dead_worker_had_under_way_counts_no_longer() {
    let store = Memory::default();
    let mut workers = [Worker::new(1, 2, 20), Worker::new(2, 3, 30)];
    rounds(&mut workers, &store, at(0), 1);
    let [mut alive, _dead] = workers;
    for n in 1..30 {
        alive.quiet_sync(&store, at(n * 100));
        assert_eq!(alive.others(at(n * 100)), 3, "{n}");
    }
    alive.quiet_sync(&store, at(0) + DEAD_AFTER);
    assert_eq!(alive.others(at(0) + DEAD_AFTER), 0);
    assert_eq!(alive.totals(), 50, "what it has done was done");
}

#[test]
fn a_dead_workers_slot_is_used_again_and_counts_on() {
    let store = Memory::default();
    let mut old = Worker::new(8, 4, 1_000);
    old.quiet_sync(&store, at(0));
    let mut witness = Worker::new(1, 0, 0);
    witness.quiet_sync(&store, at(0));
    assert_eq!(witness.totals(), 1_000);
    // The same preference as the dead worker's.
    let mut new = Worker::new(16, 1, 5);
    let late = at(0) + DEAD_AFTER;
    new.quiet_sync(&store, late);
    assert_eq!(new.number(), old.number());
    witness.quiet_sync(&store, late);
    assert_eq!((witness.others(late), witness.totals()), (1, 1_005));
    // And once more, with what it has inherited.
    new.endpoints = [("a", 0, 7)].to_vec();
    new.quiet_sync(&store, late + SYNC);
    let mut newest = Worker::new(24, 0, 1);
    let later = late + SYNC + DEAD_AFTER;
    newest.quiet_sync(&store, later);
    assert_eq!(newest.number(), old.number());
    assert_eq!(newest.totals(), 1_008);
    assert_eq!(store.keys().len(), 2);
}

#[test]
fn however_often_workers_are_replaced_the_keys_stay_few() {
    let store = Memory::default();
    let mut now = at(0);
    let mut expected = 0;
    for generation in 0..200_u64 {
        let ids = generation * 1_000..;
        let mut workers: Vec<_> = ids.take(5).map(|id| Worker::new(id * 7, 2, 10)).collect();
        now = rounds(&mut workers, &store, now, 5);
        distinct_slots(&workers);
        expected += 50;
        assert_eq!(workers[0].totals(), expected, "generation {generation}");
        now = now + DEAD_AFTER;
    }
    assert!(store.keys().len() <= 5 + SPREAD, "{:?}", store.keys());
}

#[test]
fn a_worker_that_was_only_held_up_is_not_counted_twice() {
    let store = Memory::default();
    let mut held_up = Worker::new(8, 2, 1_000);
    held_up.quiet_sync(&store, at(0));
    let late = at(0) + DEAD_AFTER;
    let mut heir = Worker::new(16, 0, 5);
    heir.quiet_sync(&store, late);
    assert_eq!(heir.number(), held_up.number());
    // It goes on, and has counted more in the meantime.
    held_up.endpoints = [("a", 2, 1_010)].to_vec();
    held_up.quiet_sync(&store, late + SYNC);
    assert_ne!(heir.number(), held_up.number());
    heir.quiet_sync(&store, late + SYNC);
    assert_eq!((heir.others(late + SYNC), heir.totals()), (2, 1_015));
    held_up.endpoints = [("a", 0, 1_011)].to_vec();
    held_up.quiet_sync(&store, late + SYNC + SYNC);
    assert_eq!(held_up.totals(), 1_016);
}

#[test]
fn a_slot_that_a_neighbour_has_written_over_is_written_again() {
    let store = Memory::default();
    let mut old = Worker::new(8, 4, 1_000);
    old.quiet_sync(&store, at(0));
    let late = at(0) + DEAD_AFTER;
    let mut worker = Worker::new(16, 1, 5);
    let mut witness = Worker::new(1, 0, 0);
    worker.quiet_sync(&store, late);
    witness.quiet_sync(&store, late);
    assert_eq!(witness.totals(), 1_005);
    let key = key::slot(worker.number());
    for (round, bytes) in [b"hostile".as_slice(), b""].into_iter().enumerate() {
        let now = late + SYNC * u32::try_from(2 * round + 1).unwrap();
        store.put(&key, bytes);
        let trouble = worker.sync(&store, now);
        // Empty is how the host removes a value: nobody has written what is no record.
        assert_eq!(trouble.unreadable, u32::from(!bytes.is_empty()));
        assert_eq!(
            trouble,
            Trouble {
                unreadable: trouble.unreadable,
                ..Trouble::default()
            }
        );
        witness.quiet_sync(&store, now + SYNC);
        assert_eq!(key::slot(worker.number()), key);
        assert_eq!(witness.others(now + SYNC), 1);
        // What the dead worker had counted is still there as well.
        assert_eq!(witness.totals(), 1_005);
    }
}

#[test]
fn workers_that_sync_seldom_are_not_taken_for_dead() {
    let store = Memory::default();
    let interval = Duration::from_secs(10);
    let seldom = |id| Worker {
        slots: Slots::new(WorkerId(id)).syncing_every(interval),
        ..Worker::new(id, 1, 1)
    };
    let mut workers = [seldom(8), seldom(16)];
    let mut now = at(0);
    let mut numbers = Vec::new();
    for _ in 0..5 {
        for worker in &mut workers {
            worker.quiet_sync(&store, now);
            now = now + interval / 2;
        }
        numbers.push(workers.each_ref().map(Worker::number));
        assert!(workers[0].slots.is_configured(POOL, "a", now));
    }
    assert!(
        numbers.iter().all(|slots| *slots == numbers[0]),
        "{numbers:?}"
    );
    assert_eq!(workers.each_ref().map(|worker| worker.others(now)), [1, 1]);
    // Three intervals, then it is gone.
    // The other one has published half an interval ago. Three intervals later it is gone.
    workers[0].quiet_sync(&store, now);
    assert_eq!(workers[0].others(now + 2 * interval), 1);
    assert_eq!(workers[0].others(now + 3 * interval), 0);
}
