//! The host does not say that the first attempt has run out of time: after an interim answer its
//! own timer is off. The attempt ends all the same, shortly after.

use steerage_engine::Flow;
use steerage_policy::outcome::{Kind, Outcome};

use crate::driver::{Driver, NOTHING, SEED, hedged, pool, request};

/// An attempt has a second; this is when the host should have said something.
const SILENT: u64 = 1_251;

const GOOD: Outcome = Outcome::Answered(200);
const UNAVAILABLE: Outcome = Outcome::Answered(503);

fn timeouts(driver: &Driver) -> u64 {
    let states = driver.state().endpoints();
    states
        .map(|(_, state)| state.totals().of(Kind::Timeout))
        .sum()
}

#[test]
fn a_silent_attempt_fails_and_is_tried_again_elsewhere() {
    let mut driver = Driver::new(pool(), SEED);
    let (key, _) = driver.get(0, 7);
    assert_eq!(timeouts(&driver), 0);
    assert_eq!(driver.tick(1_200), ["timer 50 ms"], "the host may be late");
    assert_eq!(driver.tick(SILENT), ["timer 100 ms"]);
    assert_eq!(timeouts(&driver), 1);
    let called = driver.tick(SILENT + 100);
    assert_eq!(called[0], "call 7 to b, 1000 ms, attempt 2");
    let given = driver.called(1_400, GOOD);
    assert_eq!(given, ["give Answered(200) to 7 after 2"]);
    assert!(driver.worker.stream_closed(key));
    driver.assert_idle(1_500);
}

#[test]
fn a_silent_attempt_that_must_not_be_repeated_ends_the_exchange() {
    for method in ["POST", "HEAD"] {
        let mut driver = Driver::new(pool(), SEED);
        let (key, _) = driver.request(0, 7, request(method, &[], true));
        let refused = driver.tick(SILENT);
        assert!(
            refused[0].starts_with("refuse 7 after 1: deadline_exceeded"),
            "{method}: {refused:?}"
        );
        assert_eq!(timeouts(&driver), 1, "{method}");
        assert!(driver.worker.stream_closed(key.unwrap()));
        driver.assert_idle(1_300);
    }
}

#[test]
fn where_nothing_has_answered_there_is_nothing_to_give() {
    let mut driver = Driver::new(pool(), SEED);
    let (key, _) = driver.get(0, 7);
    driver.tick(SILENT);
    driver.tick(1_360);
    driver.not_called(1_361);
    let last = driver.not_called(1_362);
    assert_eq!(last, ["refuse 7 after 3: deadline_exceeded (exhausted)"]);
    assert!(driver.worker.stream_closed(key));
    driver.assert_idle(1_500);
}

#[test]
fn a_late_answer_that_is_good_is_the_clients() {
    // While a retry waits, and while it is under way.
    for (late, calls) in [(1_300, 0), (1_400, 1)] {
        let mut driver = Driver::new(pool(), SEED);
        let (key, _) = driver.get(0, 7);
        driver.tick(SILENT);
        driver.tick(late - 1);
        assert_eq!(driver.calls.len(), calls);
        let (flow, passed) = driver.response(late, key, GOOD);
        let told = format!("pass 7 after {}", 1 + calls);
        assert_eq!((flow, &passed[0]), (Flow::Continue, &told));
        assert!(driver.worker.stream_closed(key));
        for _ in 0..calls {
            assert_eq!(driver.called(1_500, GOOD), NOTHING, "it comes too late");
        }
        assert_eq!(driver.state().totals.successes, 1);
        driver.assert_idle(1_600);
    }
}

#[test]
fn a_late_answer_that_is_not_is_held_and_given_if_nothing_is_better() {
    for (second, given) in [
        (GOOD, "give Answered(200) to 7 after 2"),
        (Outcome::Reset, "resume 7 after 3 (exhausted)"),
    ] {
        let mut driver = Driver::new(pool(), SEED);
        let (key, _) = driver.get(0, 7);
        driver.tick(SILENT);
        driver.tick(1_360);
        let (flow, held) = driver.response(1_400, key, UNAVAILABLE);
        assert_eq!((flow, held), (Flow::Pause, Vec::new()));
        assert_eq!(timeouts(&driver), 1, "it has failed already");
        let mut end = driver.called(1_500, second);
        if second == Outcome::Reset {
            driver.tick(1_600);
            end = driver.called(1_700, second);
        }
        assert_eq!(end[0], given);
        assert!(driver.worker.stream_closed(key));
        driver.assert_idle(1_800);
    }
}

#[test]
fn hedges_go_on_when_the_first_attempt_is_silent() {
    let mut driver = Driver::new(hedged(1), SEED);
    let (key, _) = driver.get(0, 7);
    driver.tick(60);
    assert_eq!(driver.calls.len(), 1);
    driver.tick(SILENT);
    assert_eq!(timeouts(&driver), 1);
    let given = driver.called(1_400, GOOD);
    assert_eq!(given, ["give Answered(200) to 7 after 2"]);
    assert!(driver.worker.stream_closed(key));
    driver.assert_idle(1_500);
}

#[test]
fn the_time_of_an_attempt_begins_when_its_request_is_complete() {
    let mut driver = Driver::new(pool(), SEED);
    let (key, _) = driver.request(0, 7, request("PUT", &[], false));
    let key = key.unwrap();
    driver.event(900, |worker, turn| worker.request_completed(key, turn));
    driver.tick(SILENT);
    assert_eq!(timeouts(&driver), 0);
    driver.tick(900 + SILENT);
    assert_eq!(timeouts(&driver), 1);
    driver.leave(2_160, key);
    driver.assert_idle(2_170);
}
