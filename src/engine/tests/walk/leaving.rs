//! The client leaves: in each phase nothing stays under way, and nothing stays due.

use steerage_policy::outcome::Outcome;

use crate::driver::{Driver, NOTHING, SEED, hedged, pool};

const OK: Outcome = Outcome::Answered(200);
const UNAVAILABLE: Outcome = Outcome::Answered(503);

#[test]
fn while_the_router_has_the_first_attempt() {
    let mut driver = Driver::new(pool(), SEED);
    let (key, _) = driver.get(1, 7);
    assert_eq!(driver.leave(5, key), NOTHING);
    driver.assert_idle(10);
}

#[test]
fn while_a_hedge_is_under_way() {
    let mut driver = Driver::new(hedged(1), SEED);
    let (key, _) = driver.get(1, 7);
    driver.tick(51);
    assert_eq!(driver.leave(60, key), NOTHING);
    assert_eq!(driver.active(), [0, 1, 0]);
    assert_eq!(driver.called(70, OK), NOTHING);
    driver.assert_idle(80);
}

#[test]
fn while_its_answer_is_held_for_a_retry() {
    let mut driver = Driver::new(pool(), SEED);
    let (key, _) = driver.get(1, 7);
    driver.response(5, key, UNAVAILABLE);
    assert_eq!(driver.leave(50, key), NOTHING);
    // The retry would be due.
    driver.assert_idle(105);
}

#[test]
fn while_a_retry_is_under_way() {
    for late in [OK, UNAVAILABLE, Outcome::Timeout] {
        let mut driver = Driver::new(pool(), SEED);
        let (key, _) = driver.get(1, 7);
        driver.response(5, key, UNAVAILABLE);
        driver.tick(105);
        assert_eq!(driver.leave(110, key), NOTHING);
        assert_eq!(driver.active(), [0, 1, 0]);
        assert_eq!(driver.called(120, late), NOTHING);
        driver.assert_idle(130);
    }
}

#[test]
fn while_the_answer_streams_by() {
    let mut driver = Driver::new(pool(), SEED);
    let (key, _) = driver.get(1, 7);
    driver.response(5, key, OK);
    assert_eq!(driver.active(), [1, 0, 0]);
    assert_eq!(driver.leave(6, key), NOTHING);
    driver.assert_idle(10);
}

#[test]
fn a_key_that_is_closed_names_nothing() {
    let mut driver = Driver::new(pool(), SEED);
    let (key, _) = driver.get(1, 7);
    driver.leave(5, key);
    assert!(!driver.worker.awaits_answer(key));
    assert!(!driver.worker.wants_body(key, 0));
    assert_eq!(driver.response(6, key, UNAVAILABLE).1, NOTHING);
    assert_eq!(driver.leave(7, key), NOTHING);
    driver.assert_idle(10);
}
