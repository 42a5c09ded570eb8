//! Requests with bodies and trailers: what is kept for a retry, and what cannot be repeated.

use steerage_engine::request::{Chunk, Request};
use steerage_engine::{Flow, StreamKey};
use steerage_policy::outcome::Outcome;
use steerage_policy::pool::Pool;

use crate::driver::{Driver, SEED, pool, request};

const UNAVAILABLE: Outcome = Outcome::Answered(503);

/// Keeps bodies of up to 10 bytes.
fn small() -> Pool {
    let mut pool = pool();
    pool.retry.max_request_bytes = 10;
    pool
}

fn put(headers: &[(&str, &str)]) -> Request {
    request("PUT", headers, false)
}

fn arrives(driver: &mut Driver, request: Request) -> StreamKey {
    let (key, routed) = driver.request(1, 7, request);
    // The client has 1 s to finish its request.
    assert_eq!(routed, ["route 7 to a, 1000 ms", "timer 1000 ms"]);
    key.unwrap()
}

fn completed(driver: &mut Driver, key: StreamKey) {
    driver.event(10, |worker, turn| worker.request_completed(key, turn));
}

/// It fails, and is not tried again, for this reason.
#[track_caller]
fn assert_denied(driver: &mut Driver, key: StreamKey, denial: &str) {
    let (flow, passed) = driver.response(20, key, UNAVAILABLE);
    assert_eq!(flow, Flow::Continue);
    assert_eq!(passed, [format!("pass 7 after 1 ({denial})")]);
    driver.close(key);
    driver.assert_idle(30);
}

#[test]
fn a_body_that_is_kept_is_sent_again() {
    let mut driver = Driver::new(small(), SEED);
    let key = arrives(&mut driver, put(&[("content-length", "10")]));
    for chunk in ["01234", "56789"] {
        assert!(driver.worker.wants_body(key, chunk.len()));
        let chunk = Chunk::Bytes(chunk.into());
        driver.worker.request_body(key, chunk);
    }
    completed(&mut driver, key);
    let (flow, held) = driver.response(20, key, UNAVAILABLE);
    assert_eq!((flow, held), (Flow::Pause, vec!["timer 100 ms".to_owned()]));
    driver.tick(120);
    assert_eq!(driver.bodies, [b"0123456789"]);
    driver.called(130, Outcome::Answered(200));
    driver.close(key);
    driver.assert_idle(140);
}

#[test]
fn a_body_that_becomes_too_large_is_not_read_any_more() {
    let mut driver = Driver::new(small(), SEED);
    let key = arrives(&mut driver, put(&[]));
    assert!(driver.worker.wants_body(key, 10));
    driver.worker.request_body(key, Chunk::Bytes(vec![0; 10]));
    assert!(!driver.worker.wants_body(key, 1));
    driver.worker.request_body(key, Chunk::Passed(1));
    assert!(!driver.worker.wants_body(key, 0));
    completed(&mut driver, key);
    assert_denied(&mut driver, key, "body_too_large");
}

#[test]
fn a_body_that_says_it_is_too_large_is_never_read() {
    let mut driver = Driver::new(small(), SEED);
    let key = arrives(&mut driver, put(&[("content-length", "11")]));
    assert!(!driver.worker.wants_body(key, 1));
    completed(&mut driver, key);
    assert_denied(&mut driver, key, "body_too_large");
}

#[test]
fn bytes_that_the_host_does_not_show_cannot_be_repeated() {
    let mut driver = Driver::new(small(), SEED);
    let key = arrives(&mut driver, put(&[]));
    driver.worker.request_body(key, Chunk::Unreadable);
    completed(&mut driver, key);
    assert_denied(&mut driver, key, "incomplete_request");
}

#[test]
fn a_request_with_trailers_is_not_repeated() {
    let mut driver = Driver::new(small(), SEED);
    let key = arrives(&mut driver, put(&[]));
    driver.worker.request_trailers(key);
    completed(&mut driver, key);
    assert_denied(&mut driver, key, "trailers");
}

#[test]
fn a_request_that_still_arrives_is_not_repeated() {
    let mut driver = Driver::new(small(), SEED);
    let key = arrives(&mut driver, put(&[]));
    assert_denied(&mut driver, key, "incomplete_request");
}

#[test]
fn a_client_that_does_not_finish_its_request_is_told_so() {
    let mut driver = Driver::new(small(), SEED);
    let key = arrives(&mut driver, put(&[]));
    assert_eq!(driver.tick(1_001)[0], "refuse 7 after 1: write_timeout");
    driver.close(key);
    let (_, state) = driver.state().endpoints().next().unwrap();
    let failures = state.counts(crate::driver::at(1_001)).failures;
    assert_eq!(failures, 0, "the endpoint is not to blame");
    driver.assert_idle(1_010);
}
