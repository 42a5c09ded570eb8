//! The rules of a pool as a whole.

use super::*;
use crate::breaker::TrialId;
use crate::time::Instant;

#[test]
fn no_more_of_a_pool_is_open_than_is_allowed() {
    let mut pool = Pool::new("p", ["a", "b", "c", "d", "e"].map(Endpoint::new).to_vec());
    pool.breaker.failure_threshold = 1;
    let now = Instant::ORIGIN;
    let opens = |pool: &Pool, others_open| {
        let before = Agreed::default();
        let mut agreed = before.clone();
        agreed.breaker.checked(&pool.breaker, false, now);
        pool.limit_open(&before, &mut agreed, others_open);
        agreed.breaker.name() == StateName::Open
    };
    assert!(opens(&pool, 4), "no limit unless configured");
    pool.breaker.max_open_fraction = 0.5;
    assert_eq!(
        [0, 1, 2].map(|open| opens(&pool, open)),
        [true, true, false]
    );
    pool.breaker.max_open_fraction = 0.0;
    assert!(!opens(&pool, 0));
    // One that is half-open already may open again.
    let mut before = Agreed::default();
    pool.breaker.max_open_fraction = 1.0;
    before.breaker.checked(&pool.breaker, false, now);
    pool.breaker.max_open_fraction = 0.2;
    let later = now + pool.breaker.timeout;
    let trial = before
        .breaker
        .begin_trial(&pool.breaker, TrialId(1), later, later);
    assert!(trial.is_some());
    let mut agreed = before.clone();
    agreed.breaker.checked(&pool.breaker, false, later);
    pool.limit_open(&before, &mut agreed, 4);
    assert_eq!(agreed.breaker.name(), StateName::Open);
}

#[test]
fn total_must_leave_room_for_one_attempt() {
    let seconds = Duration::from_secs;
    assert!(Timeouts::new(seconds(5), seconds(30), seconds(30), seconds(35)).is_ok());
    let refused = Timeouts::new(seconds(5), seconds(30), seconds(30), seconds(34));
    assert_eq!(
        refused,
        Err(TotalTooShort {
            total: seconds(34),
            least: seconds(35)
        })
    );
}
