//! An attempt fails, and the router makes another.

use core::time::Duration;

use steerage_engine::Flow;
use steerage_engine::settings::RouterRetry;
use steerage_policy::outcome::{GrpcStatus, Kind, Outcome};
use steerage_policy::retry::backoff::Delays;
use steerage_policy::retry::idempotency::Methods;

use super::router::{OK, UNAVAILABLE, by_router, driver, grpc, posting, routed, seeded_as};
use crate::driver::{Driver, NOTHING, SEED, get, pool, request};

/// What goes on, and nothing to be done.
const PASSES: (Flow, Vec<String>) = (Flow::Continue, Vec::new());

#[test]
fn the_router_is_told_which_failures_it_repeats() {
    let mut posts = by_router();
    posts.retry.methods = Methods::new(["GET"]);
    let mut statuses_only = by_router();
    statuses_only.retry.transports = Vec::new();
    let mut once = by_router();
    once.retry.max_attempts = 1;
    let with_length = [("content-length", "100000000")];
    for (pool, request, told) in [
        (by_router(), get(), ", 2 retries of marked refused broken"),
        (posts, request("POST", &[], true), ", 2 retries of refused"),
        (statuses_only, get(), ", 2 retries of marked"),
        (once, get(), ""),
        (by_router(), request("PUT", &with_length, false), ""),
        (pool(), get(), ""),
    ] {
        let mut driver = driver(pool);
        let (key, routed) = driver.request(1, 7, request);
        assert_eq!(routed[0], format!("route 7 to a, 1000 ms{told}"));
        driver.leave(2, key.unwrap());
        driver.assert_idle(3);
    }
    let mut alone = Driver::new(by_router(), SEED);
    let (key, routed) = alone.get(1, 7);
    assert_eq!(
        routed[0], "route 7 to a, 1000 ms",
        "nobody stands behind it"
    );
    alone.leave(2, key);
}

#[test]
fn a_status_is_followed_by_an_attempt_elsewhere_after_its_delay_and_not_before() {
    let mut driver = driver(by_router());
    let key = driver.begun(1, 7, get());
    let (flow, marked) = driver.answered(5, key, 1, UNAVAILABLE);
    assert_eq!(flow, Flow::Continue, "the router drops the answer");
    assert_eq!(marked, ["retry to b, attempt 2, marked"]);
    assert_eq!(driver.active(), [0, 1, 0], "it counts where it will go");

    let (flow, sent) = driver.begins(6, key, 2);
    assert_eq!(flow, Flow::Pause, "its delay is not over");
    assert_eq!(sent, ["send to b, 1000 ms, attempt 2"]);
    assert_eq!(driver.ticks(104), NOTHING, "an early tick changes nothing");
    assert_eq!(driver.ticks(105), ["release 2"]);

    assert_eq!(driver.answered(110, key, 2, OK), PASSES);
    let (flow, passed) = driver.arrives(110, key);
    assert_eq!(flow, Some(Flow::Continue));
    assert_eq!(passed, ["pass 7 after 2"]);
    assert_eq!(driver.active(), [0, 1, 0], "its body streams");
    driver.over(120, key);
}

#[test]
fn each_attempt_goes_to_an_endpoint_that_was_not_tried_until_none_is_left() {
    let mut driver = driver(by_router());
    let key = driver.begun(0, 7, get());
    driver.answered(10, key, 1, UNAVAILABLE);
    driver.begins(11, key, 2);
    driver.ticks(110);
    let (_, second) = driver.answered(120, key, 2, UNAVAILABLE);
    assert_eq!(second, ["retry to c, attempt 3, marked"]);
    driver.begins(121, key, 3);
    driver.ticks(220);
    assert_eq!(driver.answered(230, key, 3, UNAVAILABLE), PASSES);
    let (flow, passed) = driver.arrives(231, key);
    assert_eq!(flow, Some(Flow::Continue), "the last answer, as it came");
    assert_eq!(passed, ["pass 7 after 3 (exhausted)"]);
    driver.over(240, key);
}

#[test]
fn a_delay_that_is_over_when_the_router_begins_holds_nothing() {
    let mut driver = driver(by_router());
    let key = driver.begun(0, 7, get());
    driver.answered(10, key, 1, UNAVAILABLE);
    let (flow, _) = driver.begins(150, key, 2);
    assert_eq!(flow, Flow::Continue);
    driver.leave(160, key);
    driver.assert_idle(170);
}

#[test]
fn a_refused_connection_moves_on_at_once() {
    let mut driver = driver(by_router());
    let key = driver.begun(0, 7, get());
    assert_eq!(driver.broke(3, key, 1, false), ["retry to b, attempt 2"]);
    let (flow, sent) = driver.begins(3, key, 2);
    assert_eq!(flow, Flow::Continue, "without a delay");
    assert_eq!(sent, ["send to b, 1000 ms, attempt 2"]);
    assert_eq!(driver.answered(9, key, 2, OK), PASSES);
    assert_eq!(driver.arrives(9, key).1, ["pass 7 after 2"]);
    driver.over(10, key);
}

#[test]
fn a_post_moves_on_after_a_refused_connection_and_after_nothing_else() {
    let mut driver = driver(by_router());
    let key = driver.begun(0, 7, request("POST", &[], true));
    assert_eq!(driver.broke(3, key, 1, false), ["retry to b, attempt 2"]);
    driver.begins(3, key, 2);
    assert_eq!(driver.answered(9, key, 2, UNAVAILABLE), PASSES);
    assert_eq!(driver.arrives(9, key).1, ["pass 7 after 2 (method)"]);
    driver.over(10, key);
}

#[test]
fn a_connection_that_breaks_is_followed_after_the_delay() {
    let mut driver = driver(by_router());
    let key = driver.begun(0, 7, get());
    assert_eq!(driver.broke(5, key, 1, true), ["retry to b, attempt 2"]);
    assert_eq!(driver.begins(5, key, 2).0, Flow::Pause);
    assert_eq!(driver.ticks(104), NOTHING);
    assert_eq!(driver.ticks(105), ["release 2"]);
    driver.answered(106, key, 2, OK);
    assert_eq!(driver.arrives(106, key).1, ["pass 7 after 2"]);
    driver.over(107, key);
}

#[test]
fn an_attempt_that_breaks_when_its_time_is_over_has_timed_out() {
    // The host's timer may be early by two milliseconds.
    for (millis, kind) in [(998, Kind::Reset), (999, Kind::Timeout)] {
        let mut driver = driver(by_router());
        let key = driver.begun(1, 7, get());
        assert_eq!(driver.broke(millis, key, 1, true).len(), 1);
        let of_kind: u64 = {
            let states = driver.state().endpoints();
            states.map(|(_, state)| state.totals().of(kind)).sum()
        };
        assert_eq!(of_kind, 1, "at {millis} ms: {kind:?}");
        driver.leave(1_000, key);
        driver.assert_idle(1_001);
    }
}

#[test]
fn while_its_delay_lasts_a_connection_that_is_refused_is_a_failure() {
    let mut driver = driver(by_router());
    let key = driver.begun(0, 7, get());
    driver.answered(5, key, 1, UNAVAILABLE);
    driver.begins(6, key, 2);
    assert_eq!(driver.broke(7, key, 2, false), ["retry to c, attempt 3"]);
    let (flow, sent) = driver.begins(7, key, 3);
    assert_eq!((flow, sent.len()), (Flow::Continue, 1), "at once");
    assert_eq!(driver.ticks(105), NOTHING);
    driver.leave(110, key);
    driver.assert_idle(111);
}

#[test]
fn while_its_delay_lasts_a_connection_that_breaks_is_no_failure() {
    let mut driver = driver(by_router());
    let key = driver.begun(0, 7, get());
    driver.answered(5, key, 1, UNAVAILABLE);
    driver.begins(6, key, 2);
    assert_eq!(driver.broke(7, key, 2, true), NOTHING, "nobody was asked");
    let (flow, again) = driver.begins(8, key, 3);
    assert_eq!(flow, Flow::Pause);
    assert_eq!(again, ["send to b, 1000 ms, attempt 2"]);
    assert_eq!(driver.ticks(105), ["release 3"]);
    driver.leave(110, key);
    driver.assert_idle(111);
}

#[test]
fn a_status_of_grpc_in_the_head_is_retried() {
    let unavailable = Outcome::Grpc(GrpcStatus::UNAVAILABLE);
    let mut driver = driver(posting(by_router()));
    let key = driver.begun(0, 7, grpc());
    let (_, marked) = driver.answered(5, key, 1, unavailable);
    assert_eq!(marked, ["retry to b, attempt 2, marked"]);
    driver.begins(6, key, 2);
    driver.ticks(105);
    let (_, marked) = driver.answered(110, key, 2, unavailable);
    assert_eq!(marked, ["retry to c, attempt 3, marked"]);
    driver.begins(111, key, 3);
    driver.ticks(210);
    assert_eq!(driver.answered(211, key, 3, OK), PASSES);
    assert_eq!(driver.arrives(211, key).1, ["pass 7 after 3"]);
    driver.over(220, key);
}

#[test]
fn what_is_still_arriving_is_retried() {
    let mut driver = driver(by_router());
    let key = driver.begun(0, 7, request("PUT", &[], false));
    let (_, marked) = driver.answered(5, key, 1, UNAVAILABLE);
    assert_eq!(marked, ["retry to b, attempt 2, marked"]);
    driver.begins(6, key, 2);
    assert_eq!(driver.ticks(105), ["release 2"]);
    driver.event(400, |worker, turn| worker.request_completed(key, turn));
    assert_eq!(driver.ticks(1_200), NOTHING, "its time began at its end");
    driver.answered(1_300, key, 2, OK);
    assert_eq!(driver.arrives(1_300, key).1, ["pass 7 after 2"]);
    driver.over(1_310, key);
}

#[test]
fn a_delay_of_a_request_that_no_call_can_repeat_is_held_however_long() {
    let mut pool = posting(by_router());
    let delay = Duration::from_millis(900);
    pool.retry.backoff = Delays::fixed(delay, delay);
    let mut driver = driver(pool);
    let key = driver.begun(0, 7, grpc());
    let (_, marked) = driver.answered(5, key, 1, UNAVAILABLE);
    assert_eq!(marked, ["retry to b, attempt 2, marked"]);
    driver.begins(6, key, 2);
    assert_eq!(driver.ticks(904), NOTHING);
    assert_eq!(driver.ticks(905), ["release 2"]);
    driver.leave(910, key);
    driver.assert_idle(911);
}

#[test]
fn an_attempt_that_was_given_up_changes_nothing_any_more() {
    let mut driver = driver(routed(pool()));
    let key = driver.begun(0, 7, get());
    driver.answered(5, key, 1, UNAVAILABLE);
    driver.begins(6, key, 2);
    driver.ticks(105);
    assert_eq!(driver.broke(106, key, 1, true), NOTHING, "it was answered");
    assert_eq!(driver.answered(107, key, 1, OK), PASSES);
    assert_eq!(driver.active(), [0, 1, 0]);
    driver.answered(110, key, 2, OK);
    assert_eq!(driver.arrives(110, key).1, ["pass 7 after 2"]);
    driver.over(120, key);
}

#[test]
fn a_retry_that_has_to_be_planned_goes_where_it_was_to_go_or_to_a_call() {
    let mut driver = seeded_as(by_router(), SEED, RouterRetry::Planned);
    let key = driver.request(0, 1, get()).0.unwrap();
    let (flow, lines) = driver.begins(0, key, 1);
    assert_eq!(
        (flow, &*lines),
        (Flow::Continue, &["plan 1".to_owned()][..])
    );
    let (flow, lines) = driver.answered(5, key, 1, UNAVAILABLE);
    assert_eq!(flow, Flow::Continue);
    assert!(
        lines.iter().any(|line| line.starts_with("retry to b")),
        "{lines:?}"
    );
}
