//! No other attempt is to follow, or the router makes none.
//!
//! After an answer that passes nothing is left to do. After an attempt that broke off the router
//! may think otherwise, and begin another: only then the client is answered by the filter.

use core::time::Duration;

use steerage_engine::Flow;
use steerage_policy::outcome::{Neutral, Outcome};
use steerage_policy::pool::Pool;
use steerage_policy::retry::budget::BudgetPolicy;

use super::router::{OK, UNAVAILABLE, by_router, driver, grpc, posting};
use crate::driver::{NOTHING, get};

/// What the host makes of a request that it does not send.
const REFUSED: Outcome = Outcome::Neutral(Neutral::Overflow);

/// No retry is within the budget.
fn without_budget() -> Pool {
    let mut pool = by_router();
    pool.retry.budget = Some(BudgetPolicy {
        ratio: 0.0,
        min_per_second: 0.0,
        ttl: Duration::from_secs(10),
    });
    pool
}

#[test]
fn an_answer_after_which_nothing_is_to_follow_passes_without_a_mark() {
    let mut driver = driver(without_budget());
    let key = driver.begun(0, 7, get());
    let passes = (Flow::Continue, Vec::new());
    assert_eq!(driver.answered(5, key, 1, UNAVAILABLE), passes);
    let (flow, passed) = driver.arrives(6, key);
    assert_eq!(flow, Some(Flow::Continue));
    assert_eq!(passed, ["pass 7 after 1 (budget)"]);
    driver.over(10, key);
}

#[test]
fn what_the_router_repeats_by_a_rule_of_its_own_goes_on() {
    let mut driver = driver(without_budget());
    let key = driver.begun(0, 7, get());
    let passes = (Flow::Continue, Vec::new());
    assert_eq!(driver.answered(5, key, 1, UNAVAILABLE), passes);
    assert_eq!(
        driver.begins(6, key, 2),
        passes,
        "the client would wait for ever"
    );
    assert_eq!(driver.answered(9, key, 2, OK), passes);
    assert_eq!(driver.arrives(9, key).0, Some(Flow::Continue));
    driver.over(10, key);
}

#[test]
fn an_attempt_that_is_not_to_be_made_is_held_and_the_client_is_answered() {
    let mut driver = driver(without_budget());
    let key = driver.begun(0, 7, get());
    assert_eq!(driver.broke(5, key, 1, true), NOTHING, "nothing yet");
    assert_eq!(driver.active(), [0, 0, 0]);
    let (flow, nothing) = driver.begins(6, key, 2);
    assert_eq!(
        (flow, nothing),
        (Flow::Pause, Vec::new()),
        "nothing is sent"
    );
    let answered = driver.ticks(7);
    assert_eq!(answered, ["give Reset to 7 after 1 (budget)"]);
    assert_eq!(driver.broke(7, key, 2, false), NOTHING, "it ends with us");
    driver.over(10, key);
}

#[test]
fn the_routers_own_answer_after_such_an_attempt_passes() {
    let mut driver = driver(without_budget());
    let key = driver.begun(0, 7, get());
    driver.broke(5, key, 1, true);
    let (flow, passed) = driver.routers_own(5, key, Outcome::Reset);
    assert_eq!(flow, Flow::Continue);
    assert_eq!(passed, ["pass 7 after 1 (budget)"]);
    assert_eq!(driver.state().totals.successes, 0);
    driver.over(10, key);
}

#[test]
fn an_answer_that_the_router_has_dropped_is_not_there_any_more() {
    let mut driver = driver(by_router());
    let key = driver.begun(0, 7, get());
    driver.answered(5, key, 1, UNAVAILABLE);
    driver.begins(6, key, 2);
    driver.ticks(105);
    driver.broke(110, key, 2, true);
    driver.begins(111, key, 3);
    driver.ticks(210);
    assert_eq!(driver.broke(220, key, 3, true), NOTHING);
    let (flow, passed) = driver.routers_own(220, key, Outcome::Reset);
    assert_eq!(flow, Flow::Continue);
    assert_eq!(passed, ["pass 7 after 3 (exhausted)"]);
    driver.over(230, key);
}

#[test]
fn an_answer_that_the_router_does_not_repeat_goes_on_by_a_call() {
    let mut driver = driver(by_router());
    let key = driver.begun(0, 7, get());
    driver.answered(5, key, 1, UNAVAILABLE);
    let (flow, nothing) = driver.routers_own(6, key, REFUSED);
    assert_eq!((flow, nothing), (Flow::Pause, Vec::new()));
    assert_eq!(driver.active(), [0, 1, 0], "the attempt is still to come");
    assert_eq!(driver.ticks(104), NOTHING, "its delay is kept");
    let called = driver.ticks(105);
    assert_eq!(called, ["call 7 to b, 1000 ms, attempt 2"]);
    assert_eq!(driver.called(120, OK), ["give Answered(200) to 7 after 2"]);
    driver.over(130, key);
}

#[test]
fn what_no_call_can_repeat_ends_with_the_answer_that_the_router_does_not_repeat() {
    let mut driver = driver(posting(by_router()));
    let key = driver.begun(0, 7, grpc());
    driver.answered(5, key, 1, UNAVAILABLE);
    let (flow, passed) = driver.routers_own(6, key, REFUSED);
    assert_eq!(flow, Flow::Continue);
    assert_eq!(passed, ["pass 7 after 2 (grpc)"]);
    driver.over(10, key);
}

#[test]
fn a_request_that_the_router_cannot_send_at_all_goes_on_by_calls() {
    let mut driver = driver(by_router());
    let (key, _) = driver.get(0, 7);
    let (flow, nothing) = driver.routers_own(1, key, Outcome::ConnectFailure);
    assert_eq!((flow, nothing), (Flow::Pause, Vec::new()));
    let called = driver.ticks(1);
    assert_eq!(called, ["call 7 to b, 1000 ms, attempt 2"]);
    assert_eq!(driver.called(9, OK), ["give Answered(200) to 7 after 2"]);
    driver.over(10, key);
}

#[test]
fn the_deadline_ends_an_attempt_that_the_router_has() {
    let mut driver = driver(by_router());
    let key = driver.begun(0, 7, get());
    assert_eq!(driver.broke(1_000, key, 1, true).len(), 1);
    driver.begins(1_000, key, 2);
    driver.ticks(1_100);
    assert_eq!(driver.broke(2_100, key, 2, true).len(), 1);
    let (_, third) = driver.begins(2_100, key, 3);
    assert_eq!(third, ["send to c, 800 ms, attempt 3"], "what is left");
    driver.ticks(2_200);
    let over = driver.ticks(3_000);
    assert_eq!(over, ["refuse 7 after 3: deadline_exceeded"]);
    assert_eq!(driver.broke(3_000, key, 3, true), NOTHING);
    driver.over(3_010, key);
}

#[test]
fn no_attempt_is_begun_that_could_not_be_before_the_deadline() {
    let mut pool = by_router();
    pool.retry.max_attempts = 10;
    let mut driver = driver(pool);
    let key = driver.begun(0, 7, get());
    let mut attempt = 1;
    for end in [1_000, 2_100] {
        driver.broke(end, key, attempt, true);
        attempt += 1;
        driver.begins(end, key, attempt);
        driver.ticks(end + 100);
    }
    assert_eq!(driver.broke(2_950, key, attempt, true), NOTHING);
    assert_eq!(driver.begins(2_951, key, 9).0, Flow::Pause);
    let answered = driver.ticks(2_952);
    assert_eq!(answered, ["give Reset to 7 after 3 (deadline)"]);
    driver.over(2_960, key);
}

#[test]
fn a_router_that_does_not_begin_the_next_attempt_does_not_keep_the_client() {
    let mut driver = driver(by_router());
    let key = driver.begun(0, 7, get());
    driver.answered(5, key, 1, UNAVAILABLE);
    let over = (10..=3_000).step_by(10).find_map(|millis| {
        let done = driver.ticks(millis);
        (!done.is_empty()).then_some((millis, done))
    });
    let (millis, done) = over.unwrap();
    assert!(millis <= 3_000, "{millis}");
    assert!(done[0].contains(" 7 "), "{done:?}");
    driver.leave(3_001, key);
    while !driver.calls.is_empty() {
        driver.called(3_002, OK);
    }
    driver.assert_idle(3_003);
}
