//! Workers that are gone, that were only delayed, or whose slot another plugin overwrites. What
//! they had under way no longer counts; what they have counted is neither lost nor counted twice.

use super::*;

#[test]
fn what_a_dead_worker_had_under_way_counts_no_longer() {
    let store = Memory::default();
    let mut workers = [Worker::new(1, 2, 20), Worker::new(2, 3, 30)];
    rounds(&mut workers, &store, at(0), 1);
    let [mut alive, _dead] = workers;
    for n in 1..30 {
        alive.sync_well(&store, at(n * 100));
        assert_eq!(alive.others(at(n * 100)), 3, "{n}");
    }
    alive.sync_well(&store, at(0) + DEAD_AFTER);
    assert_eq!(alive.others(at(0) + DEAD_AFTER), 0);
    assert_eq!(alive.totals(), 50, "what it has done was done");
}

#[test]
fn a_dead_workers_slot_is_used_again_and_counts_on() {
    let store = Memory::default();
    let mut old = Worker::new(8, 4, 1_000);
    old.sync_well(&store, at(0));
    let mut witness = Worker::new(1, 0, 0);
    witness.sync_well(&store, at(0));
    assert_eq!(witness.totals(), 1_000);
    // The same preference as the dead worker's.
    let mut new = Worker::new(16, 1, 5);
    let late = at(0) + DEAD_AFTER;
    new.sync_well(&store, late);
    assert_eq!(new.number(), old.number());
    witness.sync_well(&store, late);
    assert_eq!((witness.others(late), witness.totals()), (1, 1_005));
    // And once more, with what it has inherited.
    new.endpoints = [("a", 0, 7)].to_vec();
    new.sync_well(&store, late + SYNC);
    let mut newest = Worker::new(24, 0, 1);
    let later = late + SYNC + DEAD_AFTER;
    newest.sync_well(&store, later);
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
fn a_worker_that_was_only_delayed_is_not_counted_twice() {
    let store = Memory::default();
    let mut delayed = Worker::new(8, 2, 1_000);
    delayed.sync_well(&store, at(0));
    let late = at(0) + DEAD_AFTER;
    let mut heir = Worker::new(16, 0, 5);
    heir.sync_well(&store, late);
    assert_eq!(heir.number(), delayed.number());
    // It goes on, and has counted more in the meantime.
    delayed.endpoints = [("a", 2, 1_010)].to_vec();
    delayed.sync_well(&store, late + SYNC);
    assert_ne!(heir.number(), delayed.number());
    heir.sync_well(&store, late + SYNC);
    assert_eq!((heir.others(late + SYNC), heir.totals()), (2, 1_015));
    delayed.endpoints = [("a", 0, 1_011)].to_vec();
    delayed.sync_well(&store, late + SYNC + SYNC);
    assert_eq!(delayed.totals(), 1_016);
}

#[test]
fn a_slot_that_another_plugin_has_overwritten_is_written_again() {
    let store = Memory::default();
    let mut old = Worker::new(8, 4, 1_000);
    old.sync_well(&store, at(0));
    let late = at(0) + DEAD_AFTER;
    let mut worker = Worker::new(16, 1, 5);
    let mut witness = Worker::new(1, 0, 0);
    worker.sync_well(&store, late);
    witness.sync_well(&store, late);
    assert_eq!(witness.totals(), 1_005);
    let key = key::slot(worker.number());
    for (round, bytes) in [b"hostile".as_slice(), b""].into_iter().enumerate() {
        let now = late + SYNC * u32::try_from(2 * round + 1).unwrap();
        store.put(&key, bytes);
        let trouble = worker.sync(&store, now);
        // The host removes a value by making it empty: no other plugin has written there.
        assert_eq!(trouble.unreadable, u32::from(!bytes.is_empty()));
        assert_eq!(
            trouble,
            Trouble {
                unreadable: trouble.unreadable,
                ..Trouble::default()
            }
        );
        witness.sync_well(&store, now + SYNC);
        assert_eq!(key::slot(worker.number()), key);
        assert_eq!(witness.others(now + SYNC), 1);
        // What the dead worker had counted is still there as well.
        assert_eq!(witness.totals(), 1_005);
    }
}

/// A worker does not decode its own record again, and checks all the same that it is intact.
#[test]
fn damage_behind_the_checksum_of_the_own_record_is_noticed() {
    let store = Memory::default();
    let mut worker = Worker::new(1, 1, 5);
    worker.sync_well(&store, at(0));
    let key = key::slot(worker.number());
    store.touch(&key);
    worker.sync_well(&store, at(100));
    let mut bytes = store.read(&key).unwrap().bytes;
    *bytes.last_mut().unwrap() ^= 1;
    for time in [200, 400] {
        store.put(&key, &bytes);
        assert_eq!(worker.sync(&store, at(time)).unreadable, 1);
        worker.sync_well(&store, at(time + 100));
        assert_eq!(worker.totals(), 5);
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
            worker.sync_well(&store, now);
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
    // The other one has published half an interval ago. Three intervals later it is gone.
    workers[0].sync_well(&store, now);
    assert_eq!(workers[0].others(now + 2 * interval), 1);
    assert_eq!(workers[0].others(now + 3 * interval), 0);
}
