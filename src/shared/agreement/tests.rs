//! Several workers change one record: the one that writes last has read what the others wrote.
//!
//! A worker is an [`Agreement`] of its own on a common store. What it changes here is mostly the
//! number of consecutive failures of a breaker, which every worker can add to.

use core::cell::Cell;
use core::time::Duration;
use std::rc::Rc;

use proptest::prelude::*;
use steerage_policy::breaker::{BreakerPolicy, StateName, TrialId, Verdict};
use steerage_policy::time::Instant;

use super::*;
use crate::key;
use crate::memory::Memory;

const NOW: Instant = Instant::from_nanos(1_000_000_000);

fn policy() -> BreakerPolicy {
    BreakerPolicy {
        failure_threshold: 1_000,
        ..BreakerPolicy::default()
    }
}

fn worker() -> Agreement {
    Agreement::new(pool_key())
}

fn pool_key() -> String {
    key::agreement("default")
}

/// One more consecutive failure.
fn fail(agreed: &mut Agreed) {
    let failure = Verdict::Failure { consecutive: true };
    let pass = agreed.breaker.free_pass();
    agreed.breaker.judge(&policy(), pass, failure, false, NOW);
}

fn row(agreement: &Agreement, endpoint: &str) -> u32 {
    agreement.get(endpoint).breaker.failures_while_closed()
}

/// The consecutive failures in the store, as a new worker reads them.
fn shared_row(store: &Memory, endpoint: &str) -> u32 {
    let mut reader = worker();
    reader.refresh(store);
    row(&reader, endpoint)
}

#[test]
fn what_one_worker_changes_the_others_read() {
    let store = Memory::default();
    let (mut one, mut other) = (worker(), worker());
    assert_eq!(one.change(&store, "a", fail).1, Ok(()));
    assert_eq!(row(&one, "a"), 1);
    assert_eq!(row(&other, "a"), 0, "not read yet");
    assert_eq!(other.refresh(&store), News::Changed);
    assert_eq!(row(&other, "a"), 1);
    assert_eq!(other.refresh(&store), News::None);
    other.change(&store, "a", fail).1.unwrap();
    // Without a refresh of its own: a change reads first.
    one.change(&store, "a", fail).1.unwrap();
    assert_eq!(row(&one, "a"), 3);
}

#[test]
fn a_worker_that_only_reads_writes_nothing() {
    let store = Memory::default();
    let mut one = worker();
    assert_eq!(one.refresh(&store), News::None);
    one.forget_unless(&store, |_| false);
    assert!(store.keys().is_empty() && !one.take_news());
    one.change(&store, "a", fail).1.unwrap();
    // An empty record is a record, too.
    one.forget_unless(&store, |_| false);
    assert_eq!(worker().refresh(&store), News::Changed);
}

#[test]
fn there_is_news_once_for_each_change_by_any_worker() {
    let store = Memory::default();
    let (mut one, mut other) = (worker(), worker());
    assert!(!one.take_news());
    one.change(&store, "a", fail).1.unwrap();
    assert!(one.take_news() && !one.take_news());
    other.change(&store, "a", fail).1.unwrap();
    assert!(!one.take_news(), "not read yet");
    one.refresh(&store);
    assert!(one.take_news() && !one.take_news());
}

#[test]
fn entries_are_found_by_the_endpoints_name() {
    let store = Memory::default();
    let mut one = worker();
    for endpoint in ["a", "b", "b"] {
        one.change(&store, endpoint, fail).1.unwrap();
    }
    // Another configuration, with another order: there are no positions, only names.
    let mut other = worker();
    for endpoint in ["c", "b", "a"] {
        other.change(&store, endpoint, fail).1.unwrap();
    }
    let rows = ["a", "b", "c", "d"].map(|endpoint| shared_row(&store, endpoint));
    assert_eq!(rows, [2, 3, 1, 0]);
    assert_eq!(store.keys(), [pool_key()]);
}

#[test]
fn pools_do_not_see_each_other() {
    let store = Memory::default();
    worker().change(&store, "a", fail).1.unwrap();
    let mut other = Agreement::new(key::agreement("other"));
    other.refresh(&store);
    assert_eq!(row(&other, "a"), 0);
}

#[test]
fn what_changes_nothing_is_not_written() {
    let store = Memory::default();
    let mut one = worker();
    one.change(&store, "a", fail).1.unwrap();
    let writes = store.writes();
    let (answer, written) =
        one.change(&store, "a", |agreed| agreed.breaker.failures_while_closed());
    assert_eq!((answer, written), (1, Ok(())));
    one.change(&store, "b", |_| ()).1.unwrap();
    assert_eq!(store.writes(), writes);
}

#[test]
fn a_change_that_was_overtaken_is_made_again_on_the_newest_state() {
    let store = Memory::default();
    worker().change(&store, "a", fail).1.unwrap();
    store.before_next_write(|store| {
        let mut faster = worker();
        faster.change(store, "a", fail).1.unwrap();
        faster.change(store, "b", fail).1.unwrap();
    });
    let mut seen = Vec::new();
    let mut slower = worker();
    let (answer, written) = slower.change(&store, "a", |agreed| {
        seen.push(agreed.breaker.failures_while_closed());
        fail(agreed);
        agreed.breaker.failures_while_closed()
    });
    assert_eq!(seen, [1, 2]);
    assert_eq!((answer, written), (3, Ok(())), "the answer of the last try");
    assert_eq!([shared_row(&store, "a"), shared_row(&store, "b")], [3, 1]);
    assert_eq!(row(&slower, "b"), 1, "it has read what the other wrote");
}

#[test]
fn a_change_that_the_newest_state_makes_needless_is_no_loss() {
    let store = Memory::default();
    // There is one permit for a trial, and two workers ask for it at once.
    let one_trial = BreakerPolicy {
        failure_threshold: 1,
        ..policy()
    };
    let later = NOW + one_trial.timeout;
    let ask = move |agreed: &mut Agreed, trial| {
        let expires = later + Duration::from_secs(60);
        let pass = agreed
            .breaker
            .begin_trial(&one_trial, TrialId(trial), expires, later);
        pass.and_then(|pass| pass.trial())
    };
    let open = |agreed: &mut Agreed| {
        let failure = Verdict::Failure { consecutive: true };
        let pass = agreed.breaker.free_pass();
        agreed.breaker.judge(&policy(), pass, failure, true, NOW);
    };
    worker().change(&store, "a", open).1.unwrap();
    let faster = ask.clone();
    store.before_next_write(move |store| {
        let granted = worker().change(store, "a", |agreed| faster(agreed, 1));
        assert_eq!(granted, (Some(TrialId(1)), Ok(())));
    });
    let granted = worker().change(&store, "a", |agreed| ask(agreed, 2));
    assert_eq!(granted, (None, Ok(())));
    let mut reader = worker();
    reader.refresh(&store);
    assert_eq!(reader.get("a").breaker.name(), StateName::HalfOpen);
}

#[test]
fn under_lasting_contention_a_change_is_given_up_after_a_few_tries() {
    let store = Memory::default();
    worker().change(&store, "a", fail).1.unwrap();
    store.before_write(|store| store.touch(&pool_key()));
    let mut tries = 0;
    let mut slow = worker();
    let (_, written) = slow.change(&store, "a", |agreed| {
        tries += 1;
        fail(agreed);
    });
    assert_eq!((tries, written), (TRIES, Err(Lost::Contention)));
    assert_eq!(row(&slow, "a"), 1, "a lost change is undone");
    assert_eq!(shared_row(&store, "a"), 1);
    store.undisturbed();
    slow.change(&store, "a", fail).1.unwrap();
    assert_eq!(shared_row(&store, "a"), 2);
}

#[test]
fn success_in_the_last_try_is_enough() {
    let store = Memory::default();
    worker().change(&store, "a", fail).1.unwrap();
    let disturbed = Rc::new(Cell::new(0));
    let count = Rc::clone(&disturbed);
    store.before_write(move |store| {
        count.set(count.get() + 1);
        if count.get() < TRIES {
            worker().change(store, "b", fail).1.unwrap();
        }
    });
    assert_eq!(worker().change(&store, "a", fail).1, Ok(()));
    assert_eq!(disturbed.get(), TRIES);
    assert_eq!(
        [shared_row(&store, "a"), shared_row(&store, "b")],
        [2, TRIES - 1]
    );
}

#[test]
fn a_store_that_refuses_is_not_asked_twice() {
    let store = Memory::default();
    let mut one = worker();
    one.change(&store, "a", fail).1.unwrap();
    store.refuse(true);
    let mut tries = 0;
    let (_, written) = one.change(&store, "a", |agreed| {
        tries += 1;
        fail(agreed);
    });
    assert_eq!((tries, written), (1, Err(Lost::Refused)));
    assert_eq!(row(&one, "a"), 1);
    // The same from the very beginning.
    let store = Memory::default();
    store.refuse(true);
    assert_eq!(worker().change(&store, "a", fail).1, Err(Lost::Refused));
    assert!(store.keys().is_empty());
}

/// Both have found that there is no record. The second one to create it must not overwrite what the
/// first one has written.
#[test]
fn of_two_creators_at_once_neither_loses_its_change() {
    let store = Memory::default();
    store.before_next_write(|store| {
        worker().change(store, "a", fail).1.unwrap();
    });
    worker().change(&store, "a", fail).1.unwrap();
    assert_eq!(shared_row(&store, "a"), 2);
}

#[test]
fn a_value_that_was_removed_reads_as_fresh_and_is_no_trouble() {
    let store = Memory::default();
    let mut one = worker();
    one.change(&store, "a", fail).1.unwrap();
    store.remove(&pool_key());
    assert_eq!(one.refresh(&store), News::Changed);
    assert_eq!(one.get("a"), Agreed::default());
    one.change(&store, "a", fail).1.unwrap();
    assert_eq!(shared_row(&store, "a"), 1);
}

#[test]
fn what_is_unreadable_reads_as_fresh_and_is_reported_once() {
    let store = Memory::default();
    let mut one = worker();
    one.change(&store, "a", fail).1.unwrap();
    one.refresh(&store);
    store.put(&pool_key(), b"not one of our records");
    assert_eq!(one.refresh(&store), News::Unreadable);
    assert_eq!(one.refresh(&store), News::None);
    assert_eq!(one.get("a"), Agreed::default());
    assert!(one.take_news());
    // The next change overwrites it.
    one.change(&store, "a", fail).1.unwrap();
    assert_eq!(shared_row(&store, "a"), 1);
}

#[test]
fn entries_that_are_not_configured_are_forgotten() {
    let store = Memory::default();
    let mut one = worker();
    for endpoint in ["a", "gone", "b"] {
        one.change(&store, endpoint, fail).1.unwrap();
    }
    let writes = store.writes();
    one.forget_unless(&store, |endpoint| endpoint != "gone");
    let rows = ["a", "gone", "b"].map(|endpoint| shared_row(&store, endpoint));
    assert_eq!(rows, [1, 0, 1]);
    assert_eq!(row(&one, "gone"), 0);
    one.forget_unless(&store, |endpoint| endpoint != "gone");
    assert_eq!(store.writes(), writes + 1, "nothing left to forget");
}

#[test]
fn forgetting_that_was_overtaken_is_left_for_the_next_time() {
    let store = Memory::default();
    let mut one = worker();
    one.change(&store, "gone", fail).1.unwrap();
    store.before_next_write(|store| {
        worker().change(store, "a", fail).1.unwrap();
    });
    one.forget_unless(&store, |endpoint| endpoint != "gone");
    assert_eq!(
        [shared_row(&store, "a"), shared_row(&store, "gone")],
        [1, 1]
    );
    one.forget_unless(&store, |endpoint| endpoint != "gone");
    assert_eq!(
        [shared_row(&store, "a"), shared_row(&store, "gone")],
        [1, 0]
    );
}

proptest! {
    /// Any bytes under our name, from the start or later, read as a fresh record without a panic,
    /// and the next change replaces them.
    #[test]
    fn any_bytes_read_as_fresh(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        before in any::<bool>(),
    ) {
        let store = Memory::default();
        let mut one = worker();
        if before {
            one.change(&store, "a", fail).1.unwrap();
        }
        store.put(&pool_key(), &bytes);
        one.refresh(&store);
        prop_assert_eq!(one.get("a"), Agreed::default());
        prop_assert_eq!(one.change(&store, "a", fail).1, Ok(()));
        prop_assert_eq!(shared_row(&store, "a"), 1);
    }

    /// The same for records of ours that were damaged or cut.
    #[test]
    fn any_damage_reads_as_fresh(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<bool>(),
    ) {
        let store = Memory::default();
        worker().change(&store, "a", fail).1.unwrap();
        let whole = store.read(&pool_key()).unwrap().bytes;
        let mut damaged = whole.clone();
        let at = at.index(whole.len());
        damaged[at] = byte;
        if cut {
            damaged.truncate(at);
        }
        store.put(&pool_key(), &damaged);
        let expected = u32::from(damaged == whole);
        prop_assert_eq!(shared_row(&store, "a"), expected);
    }

    /// However the writes of several workers interleave, no failure is lost or counted twice.
    #[test]
    fn every_change_that_is_written_counts_once(
        overtaken in prop::collection::vec(0_u32..4, 1..30),
    ) {
        let store = Memory::default();
        let mut one = worker();
        let mut expected = 0;
        for others in overtaken {
            let left = Cell::new(others);
            store.before_write(move |store| {
                if left.get() > 0 {
                    left.set(left.get() - 1);
                    worker().change(store, "a", fail).1.unwrap();
                }
            });
            one.change(&store, "a", fail).1.unwrap();
            expected += others + 1;
            store.undisturbed();
        }
        prop_assert_eq!(shared_row(&store, "a"), expected);
    }
}
