//! Several configurations of one worker, of which one follows the other.

use super::*;

fn of_vm(id: u64, vm: u32, active: u32, attempts: u64) -> Worker {
    let mut worker = Worker::new(id, active, attempts);
    worker.slots = Slots::new(WorkerId(id)).in_vm(vm);
    worker
}

#[test]
fn what_is_under_way_in_the_same_vm_is_not_taken_from_what_is_published() {
    let store = Memory::default();
    let mut old = of_vm(1, 70, 12, 100);
    let mut new = of_vm(2, 70, 12, 5);
    let mut elsewhere = of_vm(3, 71, 4, 10);
    for worker in [&mut old, &mut new, &mut elsewhere] {
        worker.sync_well(&store, at(0));
    }
    new.sync_well(&store, at(100));
    assert_eq!(new.others(at(100)), 4, "the other VM's only");
    assert_eq!(new.totals(), 115, "what was counted counts once for each");
    elsewhere.sync_well(&store, at(100));
    assert_eq!(elsewhere.others(at(100)), 24);
}

#[test]
fn a_configuration_that_ends_leaves_at_once_what_it_has_counted_and_nothing_else() {
    let store = Memory::default();
    let mut old = of_vm(8, 70, 12, 100);
    let mut witness = Worker::new(1, 0, 0);
    old.sync_well(&store, at(0));
    witness.sync_well(&store, at(10));
    assert_eq!((witness.others(at(10)), witness.totals()), (12, 100));
    // Its last attempts have ended since.
    old.endpoints = [("a", 0, 112)].to_vec();
    let report = old.report();
    old.slots.withdraw(&store, [report].to_vec(), at(20));
    witness.sync_well(&store, at(30));
    assert_eq!((witness.others(at(30)), witness.totals()), (0, 112));
    // Its slot is free, and counts on.
    let mut new = of_vm(16, 70, 1, 5);
    new.sync_well(&store, at(40));
    assert_eq!(new.number(), old.number());
    witness.sync_well(&store, at(50));
    assert_eq!((witness.others(at(50)), witness.totals()), (1, 117));
    // Once more, which touches nothing: the slot is another's.
    let report = old.report();
    old.slots.withdraw(&store, [report].to_vec(), at(60));
    witness.sync_well(&store, at(60));
    assert_eq!((witness.others(at(60)), witness.totals()), (1, 117));
}

#[test]
fn a_configuration_that_has_published_nothing_withdraws_nothing() {
    let store = Memory::default();
    let mut tried = of_vm(8, 70, 0, 0);
    assert!(!tried.slots.has_published());
    let report = tried.report();
    tried.slots.withdraw(&store, [report].to_vec(), at(0));
    assert_eq!(store.keys().len(), 0);
}
