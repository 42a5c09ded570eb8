//! How much of requests and answers is kept: no more than the budget, and nothing for longer than
//! it is of use.

use steerage_engine::request::{Chunk, Request};
use steerage_engine::{Flow, KeptBytes, StreamKey};
use steerage_policy::outcome::{Neutral, Outcome};
use steerage_policy::pool::Pool;

use crate::driver::{Driver, SEED, hedged, pool, request};

const UNAVAILABLE: Outcome = Outcome::Answered(503);
const TOO_LARGE: Outcome = Outcome::Neutral(Neutral::TooLarge);

/// A worker that keeps so many bytes.
fn keeping(most: usize) -> Driver {
    let mut pool = pool();
    pool.retry.max_request_bytes = 1_000;
    Driver::keeping(pool, SEED, KeptBytes::new(most))
}

fn put() -> Request {
    request("PUT", &[], false)
}

fn upload(driver: &mut Driver, stream: u64) -> StreamKey {
    driver.request(1, stream, put()).0.unwrap()
}

/// So many bytes arrive, as the shell reports them: whether they were kept.
fn arrive(driver: &mut Driver, key: StreamKey, size: usize) -> bool {
    let wanted = driver.worker.wants_body(key, size);
    let chunk = if wanted {
        Chunk::Bytes(vec![7; size])
    } else {
        Chunk::Passed(size)
    };
    driver.worker.request_body(key, chunk);
    wanted
}

/// Its first attempt fails: whether a retry follows.
fn fails(driver: &mut Driver, key: StreamKey) -> bool {
    driver.event(10, |worker, turn| worker.request_completed(key, turn));
    let (flow, actions) = driver.response(20, key, UNAVAILABLE);
    let denied = actions.iter().any(|it| it.contains("(body_too_large)"));
    assert_eq!(denied, flow == Flow::Continue, "{actions:?}");
    flow == Flow::Pause
}

fn close(driver: &mut Driver, key: StreamKey) {
    driver.leave(30, key);
}

#[test]
fn bodies_beyond_the_budget_stream_through_and_room_is_there_again_when_one_has_ended() {
    let mut driver = keeping(1_000);
    let uploads: Vec<_> = (0..4).map(|stream| upload(&mut driver, stream)).collect();
    let kept: Vec<_> = uploads
        .iter()
        .map(|key| arrive(&mut driver, *key, 400))
        .collect();
    assert_eq!(kept, [true, true, false, false]);
    assert_eq!(driver.kept.kept(), 800);
    let retried: Vec<_> = uploads.iter().map(|key| fails(&mut driver, *key)).collect();
    assert_eq!(retried, [true, true, false, false]);
    // One client leaves, and another has its place.
    close(&mut driver, uploads[0]);
    assert_eq!(driver.kept.kept(), 400);
    let another = upload(&mut driver, 5);
    assert!(arrive(&mut driver, another, 600));
    assert!(!arrive(&mut driver, another, 1), "it is full");
    assert_eq!(driver.kept.kept(), 400, "what became too large is let go");
    for key in uploads.into_iter().skip(1).chain([another]) {
        close(&mut driver, key);
    }
    driver.assert_idle(40);
}

#[test]
fn a_body_in_many_pieces_counts_what_memory_it_takes_and_is_sent_whole() {
    for (piece, pieces) in [(1, 1_000), (7, 142), (300, 3), (999, 1)] {
        let mut driver = keeping(1_000);
        let key = upload(&mut driver, 1);
        for number in 0..pieces {
            assert!(arrive(&mut driver, key, piece), "{piece} × {number}");
            let kept = driver.kept.kept();
            assert!((piece * (number + 1)..=1_000).contains(&kept), "{kept}");
        }
        assert!(fails(&mut driver, key));
        driver.tick(120);
        assert_eq!(driver.bodies, [vec![7; piece * pieces]]);
        // A call shares the request, and does not count once more.
        assert!(driver.kept.kept() <= 1_000);
        driver.called(130, Outcome::Answered(200));
        close(&mut driver, key);
        driver.assert_idle(140);
    }
}

#[test]
fn room_for_all_of_a_body_is_enough_where_there_is_none_for_it_to_grow() {
    let mut driver = keeping(1_000);
    let key = upload(&mut driver, 1);
    assert!(arrive(&mut driver, key, 400));
    let other = upload(&mut driver, 2);
    assert!(arrive(&mut driver, other, 400));
    // Doubled it would not fit.
    assert!(arrive(&mut driver, key, 200));
    assert_eq!(driver.kept.kept(), 1_000);
    assert!(fails(&mut driver, key) && fails(&mut driver, other));
    close(&mut driver, key);
    close(&mut driver, other);
    driver.assert_idle(40);
}

#[test]
fn two_configurations_of_a_worker_spend_from_one_budget() {
    let kept = KeptBytes::new(1_000);
    let mut old = Driver::keeping(pool(), SEED, kept.clone());
    let mut new = Driver::keeping(pool(), SEED, kept.limited_to(500));
    let before = upload(&mut old, 1);
    assert!(arrive(&mut old, before, 450));
    let after = upload(&mut new, 2);
    assert!(!arrive(&mut new, after, 51));
    close(&mut new, after);
    close(&mut old, before);
    let after = upload(&mut new, 3);
    assert!(arrive(&mut new, after, 500));
    drop(new);
    assert_eq!(kept.kept(), 0, "a configuration ends with what it keeps");
}

/// A GET whose first attempt has failed, and whose second is under way.
fn calling(driver: &mut Driver) -> StreamKey {
    let (key, _) = driver.get(1, 1);
    driver.response(20, key, UNAVAILABLE);
    driver.tick(120);
    key
}

#[test]
fn a_failed_answer_that_has_no_room_is_not_kept_and_the_one_before_goes_out() {
    for (size, given) in [
        (996, "give Answered(500) to 1 after 3"),
        (1_001, "resume 1 after 3"),
    ] {
        let mut driver = keeping(1_000);
        let key = calling(&mut driver);
        driver.called_with(130, Outcome::Answered(500), size);
        assert_eq!(driver.kept.kept() > 0, size < 1_000);
        driver.tick(230);
        // The last one fails below HTTP, and is worth less.
        let last = driver.called_with(240, Outcome::Reset, 0);
        assert!(last[0].starts_with(given), "{size}: {last:?}");
        driver.event(250, |worker, _| assert!(worker.stream_closed(key)));
        driver.assert_idle(260);
    }
}

#[test]
fn the_last_answer_is_given_whatever_is_kept() {
    for outcome in [Outcome::Answered(200), Outcome::Answered(404)] {
        let mut driver = keeping(0);
        let key = calling(&mut driver);
        let given = driver.called_with(130, outcome, 5_000);
        assert_eq!(given[0], format!("give {outcome:?} to 1 after 2"));
        driver.close(key);
        driver.assert_idle(140);
    }
}

#[test]
fn an_answer_that_was_kept_is_let_go_when_a_newer_one_is_given() {
    let mut driver = keeping(1_000);
    let key = calling(&mut driver);
    driver.called_with(130, UNAVAILABLE, 600);
    let before = driver.kept.kept();
    let filler = upload(&mut driver, 9);
    assert!(arrive(&mut driver, filler, 300));
    driver.tick(230);
    // Of three attempts this is the last, which is given and not kept.
    let given = driver.called_with(240, Outcome::Answered(500), 5_000);
    assert_eq!(given[0], "give Answered(500) to 1 after 3 (exhausted)");
    assert!(driver.kept.kept() < before, "what it replaces is let go");
    close(&mut driver, key);
    close(&mut driver, filler);
    driver.assert_idle(250);
}

#[test]
fn an_answer_that_is_too_large_is_nobodys_failure_and_the_one_before_goes_out() {
    let mut driver = keeping(1_000);
    let key = calling(&mut driver);
    let given = driver.called_with(130, TOO_LARGE, 0);
    assert_eq!(given[0], "resume 1 after 2");
    driver.close(key);
    let totals: Vec<_> = driver
        .state()
        .endpoints()
        .map(|(_, it)| *it.totals())
        .collect();
    assert_eq!([totals[0].failures(), totals[1].failures()], [1, 0]);
    assert_eq!(
        driver.state().totals.failures,
        1,
        "the client got a failure"
    );
    driver.assert_idle(140);
}

#[test]
fn a_hedge_whose_answer_is_too_large_leaves_the_first_attempt_alone() {
    let mut driver = Driver::keeping(hedged(1), SEED, KeptBytes::new(0));
    let (key, _) = driver.get(1, 1);
    driver.tick(60);
    assert_eq!(driver.calls.len(), 1);
    driver.called_with(70, TOO_LARGE, 0);
    let (flow, passed) = driver.response(80, key, Outcome::Answered(200));
    assert_eq!((flow, &*passed[0]), (Flow::Continue, "pass 1 after 2"));
    driver.close(key);
    driver.assert_idle(90);
}

#[test]
fn nothing_is_kept_of_a_request_that_the_deadline_has_ended() {
    let mut driver = keeping(1_000);
    let key = upload(&mut driver, 1);
    assert!(arrive(&mut driver, key, 500));
    assert!(fails(&mut driver, key));
    driver.tick(120);
    driver.called_with(130, UNAVAILABLE, 300);
    assert!(driver.kept.kept() > 500);
    driver.tick(230);
    assert_eq!(driver.tick(3_001)[0], "refuse 1 after 3: deadline_exceeded");
    assert_eq!(driver.kept.kept(), 0, "though its stream is still there");
    driver.calls.clear();
    close(&mut driver, key);
}

/// A pool with hedges keeps no more than one that has none.
#[test]
fn what_a_hedge_answers_is_dropped_where_there_is_no_room() {
    let pool: Pool = hedged(2);
    let mut driver = Driver::keeping(pool, SEED, KeptBytes::new(1_000));
    let (key, _) = driver.get(1, 1);
    driver.tick(60);
    driver.tick(110);
    driver.response(120, key, UNAVAILABLE);
    driver.called_with(130, Outcome::Answered(404), 2_000);
    assert_eq!(driver.kept.kept(), 0);
    let given = driver.called_with(140, UNAVAILABLE, 2_000);
    assert!(given[0].starts_with("give Answered(503)"), "{given:?}");
    driver.close(key);
    driver.assert_idle(150);
}
