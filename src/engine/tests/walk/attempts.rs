//! What becomes of attempts: good and bad answers, refusals, retries, hedges, the deadline.

use core::time::Duration;
use std::fs;

use steerage_engine::settings::{PoolSettings, Settings};
use steerage_engine::{Action, Actions, Flow, StreamId, Turn, Worker};
use steerage_policy::breaker::Admission;
use steerage_policy::limit::Limit;
use steerage_policy::outcome::Outcome;
use steerage_shared::memory::Memory;

use crate::driver::{Driver, NOTHING, SEED, at, get, hedged, only_pool, pool};

const OK: Outcome = Outcome::Answered(200);
const UNAVAILABLE: Outcome = Outcome::Answered(503);

/// A connection is refused, a call is refused, the third endpoint answers.
fn refuse_and_retry(driver: &mut Driver, from: u64) {
    let (key, routed) = driver.get(from, 1);
    assert!(routed[0].starts_with("route 1 to "), "{routed:?}");
    let (flow, next) = driver.response(from + 1, key, Outcome::ConnectFailure);
    assert_eq!((flow, next), (Flow::Pause, vec!["timer 1 ms".to_owned()]));
    let retry = driver.tick(from + 2);
    assert!(retry[0].starts_with("call 1 to "), "{retry:?}");
    let again = driver.not_called(from + 2);
    assert!(again[0].ends_with("attempt 3"), "{again:?}");
    let given = driver.called(from + 10, OK);
    assert_eq!(given, ["give Answered(200) to 1 after 3"]);
    driver.close(key);
}

/// The first attempt takes too long, its hedge fails, and the time is up.
fn hedge_and_deadline(driver: &mut Driver, from: u64) {
    let (key, routed) = driver.get(from, 2);
    assert!(routed[0].starts_with("route 2 to "), "{routed:?}");
    let hedge = driver.tick(from + 50);
    assert!(hedge[0].ends_with("attempt 2"), "{hedge:?}");
    assert_eq!(driver.called(from + 70, UNAVAILABLE), NOTHING);
    let over = driver.tick(from + 3_000);
    assert_eq!(over[0], "refuse 2 after 2: deadline_exceeded");
    driver.close(key);
}

#[test]
fn refuse_retry_hedge_deadline_takes_microseconds() {
    let nanos = || -> Option<u64> {
        let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        text.split_whitespace().next()?.parse().ok()
    };
    let mut pool = hedged(1);
    pool.breaker.failure_threshold = u32::MAX;
    pool.breaker.minimum_requests = u32::MAX;
    let mut driver = Driver::new(pool, SEED);
    let before = nanos();
    for round in 0..500 {
        refuse_and_retry(&mut driver, 10_000 + 5_000 * round);
        hedge_and_deadline(&mut driver, 11_000 + 5_000 * round);
    }
    let after = nanos();
    driver.assert_idle(3_000_000);
    if let (Some(before), Some(after)) = (before, after) {
        let each = (after - before) / 500;
        println!("{each} ns");
        assert!(each < 1_000_000, "{each} ns");
    }
}

#[test]
fn a_good_answer_passes() {
    let mut driver = Driver::new(pool(), SEED);
    let (key, routed) = driver.get(1, 7);
    assert_eq!(routed, ["route 7 to a, 1000 ms", "timer 1250 ms"]);
    assert_eq!(driver.active(), [1, 0, 0]);
    let (flow, passed) = driver.response(5, key, OK);
    assert_eq!(flow, Flow::Continue);
    assert_eq!(passed, ["pass 7 after 1"]);
    assert_eq!(driver.active(), [1, 0, 0], "its body streams");
    driver.close(key);
    driver.assert_idle(10);
}

#[test]
fn a_failure_is_held_until_a_retry_has_its_answer() {
    let mut driver = Driver::new(pool(), SEED);
    let (key, _) = driver.get(1, 7);
    let (flow, held) = driver.response(5, key, UNAVAILABLE);
    assert_eq!(flow, Flow::Pause);
    assert_eq!(held, ["timer 100 ms"]);
    assert_eq!(driver.active(), [0, 0, 0]);
    let retry = driver.tick(105);
    assert_eq!(retry, ["call 7 to b, 1000 ms, attempt 2", "timer 2896 ms"]);
    assert_eq!(driver.active(), [0, 1, 0]);
    assert_eq!(driver.called(110, OK), ["give Answered(200) to 7 after 2"]);
    driver.close(key);
    driver.assert_idle(120);
}

#[test]
fn when_no_attempt_is_good_the_newest_answer_of_an_upstream_goes_out() {
    let mut driver = Driver::new(pool(), SEED);
    let (key, _) = driver.get(1, 7);
    driver.response(5, key, UNAVAILABLE);
    driver.tick(105);
    assert_eq!(driver.called(110, Outcome::Answered(502)), ["timer 100 ms"]);
    let last = driver.tick(210);
    assert_eq!(last[0], "call 7 to c, 1000 ms, attempt 3");
    let given = driver.called(215, Outcome::Reset);
    assert_eq!(given, ["give Answered(502) to 7 after 3 (exhausted)"]);
    driver.close(key);
    driver.assert_idle(220);
}

#[test]
fn when_no_upstream_has_answered_again_the_held_answer_goes_out() {
    let mut driver = Driver::new(pool(), SEED);
    let (key, _) = driver.get(1, 7);
    driver.response(5, key, UNAVAILABLE);
    driver.tick(105);
    driver.not_called(105);
    let resumed = driver.not_called(105);
    assert_eq!(resumed, ["resume 7 after 3 (exhausted)"]);
    driver.close(key);
    driver.assert_idle(110);
}

#[test]
fn a_call_that_the_host_refuses_moves_on_at_once() {
    let mut driver = Driver::new(pool(), SEED);
    let (key, _) = driver.get(1, 7);
    driver.response(5, key, UNAVAILABLE);
    assert_eq!(driver.tick(105)[0], "call 7 to b, 1000 ms, attempt 2");
    let next = driver.not_called(105);
    assert_eq!(next, ["call 7 to c, 1000 ms, attempt 3"]);
    assert_eq!(driver.active(), [0, 0, 1]);
    assert_eq!(driver.called(110, OK), ["give Answered(200) to 7 after 3"]);
    driver.close(key);
    driver.assert_idle(120);
}

#[test]
fn a_request_that_no_endpoint_takes_is_refused_on_arrival() {
    let mut pool = pool();
    pool.limit = Limit::Fixed(1);
    let mut driver = Driver::new(pool, SEED);
    let keys = [1, 2, 3].map(|stream| driver.get(1, stream).0);
    let (key, refused) = driver.request(2, 4, get());
    assert_eq!(key, None);
    assert_eq!(refused, ["refuse 4 after 0: overloaded"]);
    for key in keys {
        driver.response(5, key, OK);
        driver.close(key);
    }
    driver.assert_idle(10);
}

#[test]
fn a_hedge_goes_elsewhere_and_the_first_good_answer_wins() {
    let mut driver = Driver::new(hedged(2), SEED);
    let (key, routed) = driver.get(1, 7);
    assert_eq!(routed, ["route 7 to a, 1000 ms", "timer 50 ms"]);
    let hedge = driver.tick(51);
    assert_eq!(hedge, ["call 7 to b, 1000 ms, attempt 2", "timer 50 ms"]);
    let hedge = driver.tick(101);
    assert_eq!(hedge, ["call 7 to c, 1000 ms, attempt 3", "timer 1150 ms"]);
    assert_eq!(driver.active(), [1, 1, 1]);
    assert_eq!(driver.called(110, UNAVAILABLE), NOTHING);
    assert_eq!(driver.called(120, OK), ["give Answered(200) to 7 after 3"]);
    driver.close(key);
    driver.assert_idle(130);
}

#[test]
fn a_hedges_answer_that_comes_after_the_clients_is_only_learnt_from() {
    let mut driver = Driver::new(hedged(1), SEED);
    let (key, _) = driver.get(1, 7);
    driver.tick(51);
    let (flow, passed) = driver.response(60, key, OK);
    assert_eq!(flow, Flow::Continue);
    assert_eq!(passed, ["pass 7 after 2"]);
    assert_eq!(driver.active(), [1, 1, 0]);
    driver.close(key);
    assert_eq!(driver.active(), [0, 1, 0], "the host cannot cancel a call");
    assert_eq!(driver.called(80, UNAVAILABLE), NOTHING);
    let totals = |position: usize| {
        let (_, state) = driver.state().endpoints().nth(position).unwrap();
        state.counts(at(80)).failures
    };
    assert_eq!([totals(0), totals(1)], [0, 1]);
    driver.assert_idle(90);
}

#[test]
fn a_trial_that_a_hedge_overtakes_gives_its_permit_back() {
    let mut pool = hedged(1);
    pool.breaker.failure_threshold = 1;
    pool.breaker.timeout = Duration::from_secs(1);
    let breaker = pool.breaker.clone();
    let mut driver = Driver::new(pool, SEED);
    let (key, _) = driver.get(1, 1);
    driver.response(5, key, UNAVAILABLE);
    driver.tick(105);
    driver.called(106, OK);
    driver.close(key);
    let admission = |driver: &Driver, now: u64| {
        let (_, first) = driver.state().endpoints().next().unwrap();
        first.breaker().admission(&breaker, at(now))
    };
    assert_eq!(admission(&driver, 106), Admission::Refused);
    // `b` and `c` are next, and then `a` again.
    for (millis, stream) in [(1_200, 4), (1_205, 2)] {
        let (key, _) = driver.get(millis, stream);
        driver.response(millis + 1, key, OK);
        driver.close(key);
    }
    let (key, routed) = driver.get(1_210, 3);
    assert_eq!(routed[0], "route 3 to a, 1000 ms");
    assert_eq!(
        admission(&driver, 1_210),
        Admission::Refused,
        "no other trial"
    );
    driver.tick(1_260);
    let given = driver.called(1_270, OK);
    assert_eq!(given, ["give Answered(200) to 3 after 2"]);
    driver.close(key);
    assert_eq!(admission(&driver, 1_270), Admission::Trial);
    driver.assert_idle(1_280);
}

#[test]
fn requests_do_not_postpone_a_tick_that_is_overdue() {
    let settings = Settings::new([PoolSettings::of(pool())].into());
    let mut worker = Worker::new(&settings, 1);
    let (store, mut actions) = (Memory::default(), Actions::new());
    worker.start(&mut Turn::new(at(0), &store, &mut actions));
    let timer = actions.pop_front();
    assert!(matches!(timer, Some(Action::SetTimer(_))), "{timer:?}");
    for (stream, millis) in [(1, 0), (2, 0), (3, 1), (4, 5)] {
        let mut turn = Turn::new(at(millis), &store, &mut actions);
        worker.request_head(StreamId(stream), only_pool(), get(), None, &mut turn);
        let routed = actions.pop_front();
        assert!(matches!(routed, Some(Action::Route(_))), "{routed:?}");
        assert!(actions.is_empty(), "{actions:?}");
    }
}

#[test]
fn a_first_attempt_that_fails_is_held_while_its_hedge_may_do_better() {
    let mut driver = Driver::new(hedged(1), SEED);
    let (key, _) = driver.get(1, 7);
    driver.tick(51);
    let (flow, held) = driver.response(60, key, UNAVAILABLE);
    assert_eq!((flow, held), (Flow::Pause, vec![]));
    assert_eq!(driver.active(), [0, 1, 0]);
    // Both have failed: only now a retry is decided on.
    assert_eq!(driver.called(80, UNAVAILABLE), ["timer 100 ms"]);
    assert_eq!(driver.tick(180)[0], "call 7 to c, 1000 ms, attempt 3");
    assert_eq!(driver.called(190, OK), ["give Answered(200) to 7 after 3"]);
    driver.close(key);
    driver.assert_idle(200);
}

#[test]
fn a_hedge_that_the_host_refuses_leaves_the_first_attempt_alone() {
    let mut driver = Driver::new(hedged(2), SEED);
    let (key, _) = driver.get(1, 7);
    driver.tick(51);
    assert_eq!(driver.not_called(51), NOTHING);
    assert_eq!(driver.active(), [1, 0, 0]);
    let (_, passed) = driver.response(60, key, OK);
    assert_eq!(passed, ["pass 7 after 2"]);
    driver.close(key);
    driver.assert_idle(70);
}

#[test]
fn at_the_deadline_the_client_is_told_so_in_every_phase() {
    const OVER: u64 = 3_001;
    // While the router has the first attempt.
    let mut driver = Driver::new(pool(), SEED);
    let (key, _) = driver.get(1, 7);
    assert_eq!(driver.tick(OVER)[0], "refuse 7 after 1: deadline_exceeded");
    assert_eq!(driver.active(), [0, 0, 0]);
    let (flow, late) = driver.response(OVER, key, OK);
    assert_eq!(
        (flow, late),
        (Flow::Continue, vec![]),
        "its own answer passes"
    );
    driver.close(key);
    driver.assert_idle(OVER);

    // While a call is under way.
    let mut driver = Driver::new(pool(), SEED);
    let (key, _) = driver.get(1, 7);
    driver.response(5, key, UNAVAILABLE);
    driver.tick(105);
    assert_eq!(driver.tick(OVER)[0], "refuse 7 after 2: deadline_exceeded");
    driver.close(key);
    assert_eq!(driver.called(OVER + 50, OK), NOTHING);
    driver.assert_idle(OVER + 50);

    // No retry is begun that would end after it.
    let mut driver = Driver::new(pool(), SEED);
    let (key, _) = driver.get(1, 7);
    let (flow, passed) = driver.response(2_950, key, UNAVAILABLE);
    assert_eq!(flow, Flow::Continue);
    assert_eq!(passed, ["pass 7 after 1 (deadline)"]);
    driver.close(key);
    driver.assert_idle(2_960);
}
