//! Records that are well formed, with a valid checksum, and hold what the policy does not have.

use proptest::prelude::*;
use steerage_policy::limit::Unloaded;
use steerage_policy::time::Instant;

use super::golden;
use super::{Unreadable, encode};
use crate::agreement;
use crate::description::Description;
use crate::report::{EndpointReport, PoolReport};
use crate::slot::Record;

const NO_TIMES: [f64; 4] = [-1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];

/// Whether a record can be read after this change of its first pool or endpoint.
fn is_read(change: impl Fn(&mut PoolReport, &mut EndpointReport)) -> bool {
    let mut record = golden::slot();
    let pool = &mut record.pools[0];
    let mut endpoint = pool.endpoints[0].clone();
    change(pool, &mut endpoint);
    pool.endpoints[0] = endpoint;
    match Record::decode(&record.encode()) {
        Ok(read) => {
            assert_eq!(read, record);
            true
        }
        Err(Unreadable) => false,
    }
}

#[test]
fn averages_are_finite_and_not_negative() {
    for (seconds, expected) in [(0.0, true), (-0.0, true), (1e9, true)] {
        assert_eq!(is_read(|_, it| it.now.seconds = Some(seconds)), expected);
    }
    for seconds in NO_TIMES {
        assert!(
            !is_read(|_, it| it.now.seconds = Some(seconds)),
            "{seconds}"
        );
    }
}

#[test]
fn a_measurement_without_load_is_of_one_attempt_at_least() {
    let unloaded = |seconds, count| {
        is_read(|_, it| {
            let at = Instant::ORIGIN;
            it.now.share.unloaded = Some(Unloaded { at, seconds, count });
        })
    };
    assert!(unloaded(0.0, 1));
    assert!(!unloaded(0.0, 0));
    for seconds in NO_TIMES {
        assert!(!unloaded(seconds, 1), "{seconds}");
    }
}

#[test]
fn each_status_is_there_once_and_in_order() {
    let statuses = |list: &[(u16, u64)]| is_read(|it, _| it.totals.statuses = list.to_vec());
    assert!(statuses(&[]));
    assert!(statuses(&[(200, 2), (503, 1)]));
    assert!(!statuses(&[(200, 2), (200, 1)]));
    assert!(!statuses(&[(503, 2), (200, 1)]));
}

#[test]
fn a_panic_threshold_is_a_share() {
    for (threshold, expected) in [
        (None, true),
        (Some(0.0), true),
        (Some(1.0), true),
        (Some(1.5), false),
        (Some(f64::NAN), false),
    ] {
        let mut description = golden::description();
        description.panic_threshold = threshold;
        let read = Description::decode(&description.encode());
        assert_eq!(read.is_ok(), expected, "{threshold:?}");
    }
}

#[test]
fn weights_are_those_of_a_configuration() {
    for (weight, expected) in [
        (0.0, true),
        (1_000_000.0, true),
        (1_000_001.0, false),
        (-1.0, false),
        (f64::NAN, false),
    ] {
        let mut description = golden::description();
        description.endpoints[0].weight = weight;
        let read = Description::decode(&description.encode());
        assert_eq!(read.is_ok(), expected, "{weight}");
    }
}

/// An entry of an agreement of which everything is 0 or absent, but for some bytes. The breaker
/// comes first, with the number of its state; then the health; then what outranks both.
#[test]
fn numbers_that_stand_for_nothing_make_an_agreement_unreadable() {
    let is_read = |changes: &[(usize, u8)]| {
        let mut entry = [0; 17];
        for (position, byte) in changes {
            entry[*position] = *byte;
        }
        agreement::decode(&encode(&[("a", entry)].to_vec())).is_ok()
    };
    assert!(is_read(&[]));
    assert!(is_read(&[(0, 1)]), "an open breaker");
    assert!(!is_read(&[(0, 3)]), "no state has this number");
    assert!(is_read(&[(7, 3)]), "nothing known of its health");
    assert!(!is_read(&[(7, 4)]), "no verdict has this number");
    assert!(is_read(&[(9, 1)]), "the findings were good");
    assert!(!is_read(&[(9, 2)]), "neither good nor bad");
    for position in 10..17 {
        assert!(!is_read(&[(position, 2)]), "neither there nor absent");
    }
    assert!(!is_read(&[(15, 1), (16, 4)]), "no verdict of an operator");
}

proptest! {
    /// Also with a valid checksum, any bytes are read as a valid record or not at all.
    #[test]
    fn no_payload_panics(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = super::checksum(&payload).to_vec();
        bytes.extend_from_slice(&payload);
        if let Ok(record) = Record::decode(&bytes) {
            prop_assert_eq!(Record::decode(&record.encode()), Ok(record));
        }
        if let Ok(entries) = agreement::decode(&bytes) {
            prop_assert_eq!(agreement::decode(&agreement::encode(&entries)), Ok(entries));
        }
        if let Ok(description) = Description::decode(&bytes) {
            prop_assert_eq!(Description::decode(&description.encode()), Ok(description));
        }
    }

    /// The same for records of which some bytes are different: most are read to the end.
    #[test]
    fn no_damaged_payload_panics(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let damaged = |bytes: Vec<u8>| {
            let mut payload = bytes[super::CHECKSUM_LENGTH..].to_vec();
            for (position, byte) in &damage {
                let position = position.index(payload.len());
                payload[position] = *byte;
            }
            let mut bytes = super::checksum(&payload).to_vec();
            bytes.extend_from_slice(&payload);
            bytes
        };
        if let Ok(record) = Record::decode(&damaged(golden::slot().encode())) {
            prop_assert_eq!(Record::decode(&record.encode()), Ok(record));
        }
        let bytes = damaged(agreement::encode(&golden::agreement()));
        if let Ok(entries) = agreement::decode(&bytes) {
            prop_assert_eq!(agreement::decode(&agreement::encode(&entries)), Ok(entries));
        }
        if let Ok(description) = Description::decode(&damaged(golden::description().encode())) {
            prop_assert_eq!(Description::decode(&description.encode()), Ok(description));
        }
    }
}
