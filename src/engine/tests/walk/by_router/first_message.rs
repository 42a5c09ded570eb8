//! The head of an answer is held until its first message is there.

use core::time::Duration;

use steerage_engine::{AttemptId, Flow, OpeningBody, StreamKey};
use steerage_policy::outcome::{GrpcStatus, Kind, Outcome};
use steerage_policy::pool::Timeouts;
use steerage_policy::retry::first_message::{CommitOn, FirstMessage};

use super::router::{EVENTS, MESSAGES, OK, UNAVAILABLE, driver, grpc, opening, posting};
use crate::driver::{Driver, NOTHING, get, request};

const HELD: (Flow, Vec<String>) = (Flow::Pause, Vec::new());
const GOES_ON: (Flow, Vec<String>) = (Flow::Continue, Vec::new());
const MARKED: [&str; 1] = ["retry to b, attempt 2, marked"];

/// How many attempts came to this.
fn outcomes(driver: &Driver, kind: Kind) -> u64 {
    let states = driver.state().endpoints();
    states.map(|(_, state)| state.totals().of(kind)).sum()
}

/// The answer that goes on is the client's.
fn passes(driver: &mut Driver, millis: u64, key: StreamKey, after: &str) {
    let (flow, passed) = driver.arrives(millis, key);
    assert_eq!(flow, Some(Flow::Continue));
    assert_eq!(passed[0], format!("pass 7 after {after}"));
}

#[test]
fn a_good_first_event_commits_and_a_comment_does_not() {
    let mut driver = driver(opening());
    let key = driver.begun(0, 7, get());
    assert_eq!(driver.opened(20, key, 1, OK, EVENTS), HELD);
    assert_eq!(driver.body(30, key, 1, ": wait\n\n", false), HELD);
    assert_eq!(driver.body(40, key, 1, "data: he", false), HELD);
    assert_eq!(driver.active(), [1, 0, 0]);
    assert_eq!(driver.body(50, key, 1, "llo\n\n", false), GOES_ON);
    passes(&mut driver, 50, key, "1");
    assert_eq!(driver.active(), [1, 0, 0], "its body streams");
    driver.over(60, key);
}

#[test]
fn a_first_event_that_is_an_error_is_tried_again_elsewhere() {
    let mut driver = driver(opening());
    let key = driver.begun(0, 7, get());
    driver.opened(20, key, 1, OK, EVENTS);
    let (flow, marked) = driver.body(30, key, 1, "event: error\ndata: x\n\n", false);
    assert_eq!(
        (flow, &marked[..]),
        (Flow::Continue, &MARKED.map(str::to_owned)[..])
    );
    assert_eq!(outcomes(&driver, Kind::Event), 1);
    assert_eq!(driver.begins(31, key, 2).0, Flow::Pause);
    assert_eq!(driver.ticks(130), ["release 2"]);
    assert_eq!(driver.opened(140, key, 2, OK, EVENTS), HELD);
    assert_eq!(driver.body(141, key, 2, "data: x\n\n", false), GOES_ON);
    passes(&mut driver, 141, key, "2");
    driver.over(150, key);
}

#[test]
fn where_the_router_makes_no_retries_no_head_is_held() {
    let mut pool = opening();
    pool.retry.max_attempts = 1;
    let mut driver = driver(pool);
    let key = driver.begun(0, 7, get());
    assert_eq!(driver.opened(20, key, 1, OK, EVENTS), GOES_ON);
    driver.leave(30, key);
    driver.assert_idle(40);
}

#[test]
fn silence_is_a_timeout_and_tried_again_elsewhere() {
    let mut driver = driver(opening());
    let key = driver.begun(0, 7, get());
    driver.opened(20, key, 1, OK, EVENTS);
    assert_eq!(driver.ticks(519), NOTHING);
    let marked = driver.ticks(520);
    assert_eq!(marked, ["retry to b, attempt 2, marked and released 1"]);
    assert_eq!(
        outcomes(&driver, Kind::Timeout),
        1,
        "its endpoint had its time"
    );
    assert_eq!(driver.begins(521, key, 2).0, Flow::Pause);
    driver.leave(530, key);
    driver.assert_idle(531);
}

#[test]
fn silence_in_the_last_attempt_is_given_up_waiting_for() {
    let mut pool = opening();
    pool.retry.max_attempts = 2;
    let mut driver = driver(pool);
    let key = driver.begun(0, 7, get());
    driver.broke(1, key, 1, false);
    driver.begins(1, key, 2);
    driver.opened(20, key, 2, OK, EVENTS);
    let released = driver.ticks(520);
    assert_eq!(released, ["release answer 2"]);
    passes(&mut driver, 521, key, "2 (exhausted)");
    driver.over(530, key);
}

#[test]
fn the_deadline_ends_silence() {
    let mut pool = opening();
    pool.retry.max_attempts = 10;
    let mut driver = driver(pool);
    let key = driver.begun(0, 7, get());
    driver.broke(1_000, key, 1, true);
    driver.begins(1_000, key, 2);
    driver.ticks(1_100);
    driver.broke(2_100, key, 2, true);
    driver.begins(2_100, key, 3);
    driver.ticks(2_200);
    driver.opened(2_900, key, 3, OK, EVENTS);
    let over = driver.ticks(3_000);
    assert_eq!(over.len(), 1);
    assert!(
        over[0].starts_with("refuse 7 after 3: deadline_exceeded"),
        "{over:?}"
    );
    driver.over(3_010, key);
}

#[test]
fn an_end_without_a_message_commits() {
    for body in ["", ": nothing\n\n"] {
        let mut driver = driver(opening());
        let key = driver.begun(0, 7, get());
        driver.opened(20, key, 1, OK, EVENTS);
        assert_eq!(driver.body(30, key, 1, body, true), GOES_ON, "{body:?}");
        passes(&mut driver, 30, key, "1");
        driver.over(40, key);
    }
}

#[test]
fn a_connection_that_breaks_before_the_first_message_is_tried_again_elsewhere() {
    let mut driver = driver(opening());
    let key = driver.begun(0, 7, get());
    driver.opened(20, key, 1, OK, EVENTS);
    assert!(driver.worker.awaits_answer_of(key, AttemptId(1)));
    assert_eq!(driver.broke(30, key, 1, true), ["retry to b, attempt 2"]);
    assert_eq!(outcomes(&driver, Kind::Reset), 1);
    assert_eq!(
        driver.ticks(520),
        NOTHING,
        "its head is not waited for any more"
    );
    assert_eq!(driver.begins(530, key, 2).0, Flow::Continue);
    driver.leave(540, key);
    driver.assert_idle(541);
}

#[test]
fn a_status_of_grpc_in_the_trailers_is_retried() {
    let mut driver = driver(posting(opening()));
    let key = driver.begun(0, 7, grpc());
    driver.opened(20, key, 1, OK, MESSAGES);
    let marked = driver.trailers(30, key, 1, Some(GrpcStatus::UNAVAILABLE));
    assert_eq!(marked, MARKED);
    driver.begins(31, key, 2);
    driver.ticks(130);
    driver.opened(140, key, 2, OK, MESSAGES);
    assert_eq!(driver.trailers(141, key, 2, Some(GrpcStatus::OK)), NOTHING);
    passes(&mut driver, 141, key, "2");
    driver.over(150, key);
}

#[test]
fn a_message_of_grpc_commits_when_it_is_whole() {
    let mut driver = driver(posting(opening()));
    let key = driver.begun(0, 7, grpc());
    driver.opened(20, key, 1, OK, MESSAGES);
    assert_eq!(driver.body(30, key, 1, "\0\0\0\0\u{2}a", false), HELD);
    assert_eq!(driver.body(31, key, 1, "b", false), GOES_ON);
    passes(&mut driver, 31, key, "1");
    driver.over(40, key);
}

#[test]
fn a_head_is_not_held_while_the_request_still_arrives() {
    let mut driver = driver(opening());
    let key = driver.begun(0, 7, request("PUT", &[], false));
    assert_eq!(driver.opened(20, key, 1, OK, EVENTS), GOES_ON);
    passes(&mut driver, 20, key, "1");
    driver.over(30, key);
}

#[test]
fn a_failure_in_the_head_is_not_held() {
    let mut driver = driver(opening());
    let key = driver.begun(0, 7, get());
    let (flow, marked) = driver.opened(20, key, 1, UNAVAILABLE, EVENTS);
    assert_eq!((flow, marked.len()), (Flow::Continue, 1));
    driver.leave(30, key);
    driver.assert_idle(40);
}

#[test]
fn a_body_that_cannot_be_read_commits_with_its_first_byte() {
    let sealed = Some(OpeningBody {
        kind: None,
        is_seen: true,
    });
    let mut driver = driver(opening());
    let key = driver.begun(0, 7, get());
    driver.opened(20, key, 1, OK, sealed);
    assert_eq!(driver.body(30, key, 1, "", false), HELD);
    assert_eq!(driver.body(31, key, 1, "event: error\n\n", false), GOES_ON);
    passes(&mut driver, 31, key, "1");
    driver.over(40, key);
}

#[test]
fn where_no_body_is_known_to_come_by_a_head_is_held_for_a_second_and_has_not_failed() {
    let mut pool = opening();
    pool.retry.commit_on = CommitOn::FirstMessage(FirstMessage::default());
    let [connect, read, total] = [100, 2_000, 3_000].map(Duration::from_millis);
    pool.timeouts = Timeouts::new(connect, read, read, total).unwrap();
    let unproven = EVENTS.map(|body| OpeningBody {
        is_seen: false,
        ..body
    });
    let mut driver = driver(pool);
    let key = driver.begun(0, 7, get());
    driver.opened(20, key, 1, OK, unproven);
    assert_eq!(driver.ticks(1_019), NOTHING);
    assert_eq!(driver.ticks(1_020), ["release answer 1"]);
    passes(&mut driver, 1_021, key, "1");
    driver.over(1_030, key);
}

#[test]
fn an_upgrade_is_not_held() {
    let mut driver = driver(opening());
    let upgrade = request("GET", &[("upgrade", "websocket")], true);
    let key = driver.begun(0, 7, upgrade);
    let switching = Outcome::Answered(101);
    let (flow, nothing) = driver.opened(5, key, 1, switching, EVENTS);
    assert_eq!((flow, &*nothing), (Flow::Continue, &[][..]));
    assert_eq!(driver.arrives(5, key).0, Some(Flow::Continue));
    driver.over(10, key);
}
