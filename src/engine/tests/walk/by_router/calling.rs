//! An exchange whose retries the router makes goes on by calls.

use core::time::Duration;

use steerage_engine::{Destination, Flow};
use steerage_policy::outcome::Outcome;
use steerage_policy::pool::Pool;
use steerage_policy::retry::backoff::Delays;

use super::router::{OK, UNAVAILABLE, by_router, driver, grpc, posting, routed};
use crate::driver::{NOTHING, get, hedged};

const CALLED: [&str; 1] = ["call 7 to b, 1000 ms, attempt 2"];
const GIVEN: [&str; 1] = ["give Answered(200) to 7 after 2"];
const ELSEWHERE: &str = "Trouble(RetryElsewhere)";

/// Its delays are long beside what the router gives an attempt, a second.
fn patient() -> Pool {
    let mut pool = by_router();
    let delay = Duration::from_millis(300);
    pool.retry.backoff = Delays::fixed(delay, delay);
    pool
}

#[test]
fn a_long_delay_is_waited_for_at_the_clients_side() {
    let mut driver = driver(patient());
    let key = driver.begun(0, 7, get());
    let unmarked = (Flow::Continue, Vec::new());
    assert_eq!(driver.answered(5, key, 1, UNAVAILABLE), unmarked);
    assert_eq!(driver.arrives(5, key), (Some(Flow::Pause), Vec::new()));
    assert_eq!(driver.ticks(304), NOTHING);
    assert_eq!(driver.ticks(305), CALLED);
    assert_eq!(driver.called(310, OK), GIVEN);
    driver.over(320, key);
}

#[test]
fn a_long_delay_after_a_connection_that_broke_holds_what_the_router_begins() {
    let mut driver = driver(patient());
    let key = driver.begun(0, 7, get());
    assert_eq!(driver.broke(5, key, 1, true), NOTHING);
    assert_eq!(driver.begins(6, key, 2), (Flow::Pause, Vec::new()));
    assert_eq!(driver.ticks(305), CALLED);
    assert_eq!(driver.called(310, OK), GIVEN);
    assert_eq!(driver.broke(310, key, 2, false), NOTHING);
    driver.over(320, key);
}

#[test]
fn an_answer_of_the_routers_is_held_while_a_long_delay_lasts() {
    let mut driver = driver(patient());
    let key = driver.begun(0, 7, get());
    driver.broke(5, key, 1, true);
    let (flow, nothing) = driver.routers_own(5, key, Outcome::Reset);
    assert_eq!((flow, nothing), (Flow::Pause, Vec::new()));
    assert_eq!(driver.ticks(305), CALLED);
    assert_eq!(driver.called(310, OK), GIVEN);
    driver.over(320, key);
}

#[test]
fn an_attempt_elsewhere_than_it_was_to_go_is_not_sent_but_called() {
    let mut driver = driver(by_router());
    let key = driver.begun(0, 7, get());
    driver.answered(5, key, 1, UNAVAILABLE);
    let (flow, done) = driver.begins_at(6, key, 2, Destination::Elsewhere);
    assert_eq!((flow, done), (Flow::Pause, vec![ELSEWHERE.to_owned()]));
    assert_eq!(driver.active(), [0, 1, 0]);
    assert_eq!(driver.ticks(104), NOTHING, "its delay is kept");
    assert_eq!(driver.ticks(105), CALLED);
    assert_eq!(driver.broke(106, key, 2, false), NOTHING);
    assert_eq!(driver.called(110, OK), GIVEN);
    driver.over(120, key);
}

#[test]
fn without_a_delay_it_is_called_at_once() {
    let mut driver = driver(by_router());
    let key = driver.begun(0, 7, get());
    driver.broke(5, key, 1, false);
    let (flow, done) = driver.begins_at(5, key, 2, Destination::Elsewhere);
    assert_eq!(flow, Flow::Pause);
    assert_eq!(done, [ELSEWHERE, CALLED[0]]);
    assert_eq!(driver.called(110, OK), GIVEN);
    driver.over(120, key);
}

#[test]
fn what_no_call_can_repeat_ends_when_it_goes_elsewhere() {
    let mut driver = driver(posting(by_router()));
    let key = driver.begun(0, 7, grpc());
    driver.answered(5, key, 1, UNAVAILABLE);
    let (flow, done) = driver.begins_at(6, key, 2, Destination::Elsewhere);
    assert_eq!((flow, done), (Flow::Pause, vec![ELSEWHERE.to_owned()]));
    assert_eq!(driver.active(), [0, 0, 0]);
    let answered = driver.ticks(7);
    assert_eq!(answered, ["give ConnectFailure to 7 after 2 (grpc)"]);
    driver.over(10, key);
}

#[test]
fn a_hedge_that_is_first_ends_the_routers_attempt() {
    let mut driver = driver(routed(hedged(1)));
    let key = driver.begun(0, 7, get());
    assert_eq!(driver.ticks(50), CALLED);
    assert_eq!(driver.active(), [1, 1, 0]);
    assert_eq!(driver.called(60, OK), GIVEN);
    assert_eq!(driver.broke(60, key, 1, true), NOTHING);
    driver.over(70, key);
}

#[test]
fn the_routers_attempt_passes_beside_a_hedge_if_it_is_first() {
    let mut driver = driver(routed(hedged(1)));
    let key = driver.begun(0, 7, get());
    driver.ticks(50);
    assert_eq!(driver.answered(60, key, 1, OK).0, Flow::Continue);
    let (flow, passed) = driver.arrives(60, key);
    assert_eq!(flow, Some(Flow::Continue));
    assert_eq!(passed, ["pass 7 after 2"]);
    assert_eq!(driver.called(70, OK), NOTHING, "it comes too late");
    driver.over(80, key);
}

#[test]
fn a_failure_of_the_routers_attempt_waits_for_the_hedge() {
    let mut driver = driver(routed(hedged(1)));
    let key = driver.begun(0, 7, get());
    driver.ticks(50);
    let unmarked = (Flow::Continue, Vec::new());
    assert_eq!(driver.answered(60, key, 1, UNAVAILABLE), unmarked);
    assert_eq!(driver.arrives(60, key), (Some(Flow::Pause), Vec::new()));
    assert_eq!(driver.called(70, OK), GIVEN);
    driver.over(80, key);
}

#[test]
fn what_the_router_begins_anew_beside_a_hedge_is_held() {
    let mut driver = driver(routed(hedged(1)));
    let key = driver.begun(0, 7, get());
    driver.ticks(50);
    assert_eq!(driver.broke(60, key, 1, true), NOTHING);
    assert_eq!(driver.begins(61, key, 2), (Flow::Pause, Vec::new()));
    driver.called(70, UNAVAILABLE);
    let called = driver.ticks(170);
    assert_eq!(called, ["call 7 to c, 1000 ms, attempt 3"]);
    let given = driver.called(180, OK);
    assert_eq!(given, ["give Answered(200) to 7 after 3"]);
    driver.over(190, key);
}

#[test]
fn only_the_first_attempt_is_hedged() {
    let mut driver = driver(routed(hedged(1)));
    let key = driver.begun(0, 7, get());
    assert_eq!(driver.broke(30, key, 1, true), ["retry to b, attempt 2"]);
    assert_eq!(driver.ticks(50), NOTHING, "the hedge would have been due");
    assert_eq!(driver.begins(51, key, 2).0, Flow::Pause);
    assert_eq!(driver.ticks(130), ["release 2"]);
    driver.answered(190, key, 2, OK);
    assert_eq!(driver.arrives(190, key).1, ["pass 7 after 2"]);
    driver.over(200, key);
}
