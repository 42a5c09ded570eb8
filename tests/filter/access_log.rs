//! What access logs can print of an exchange: filter states that the filter notes.

use std::time::Duration;

use crate::fake_host::{Host, Stream};
use crate::scene::{DELAY, OK, PLAIN, UNAVAILABLE, get, head, start};

const MILLISECOND: Duration = Duration::from_millis(1);

/// The endpoint, the attempts, the reason and the trail that are noted.
fn notes(stream: Stream) -> [Option<String>; 4] {
    ["endpoint", "attempts", "reason", "trail"].map(|name| {
        let noted = stream.filter_state(&[&format!("steerage.{name}")])?;
        Some(String::from_utf8(noted).unwrap())
    })
}

/// The same, where the filter has noted something; no reason is empty.
#[track_caller]
fn noted(stream: Stream) -> [String; 4] {
    let [endpoint, attempts, reason, trail] = notes(stream);
    let reason = Some(reason.unwrap_or_default());
    [endpoint, attempts, reason, trail].map(|note| note.unwrap())
}

/// [`PLAIN`], which notes everything.
fn noting_all() -> Host {
    start(&PLAIN.replacen('{', r#"{"access_log": true,"#, 1))
}

fn answered_after(host: &Host, wait: Duration, status: &str) -> Stream {
    let stream = get(host);
    host.advance(wait);
    stream.response(&[(":status", status)], true);
    stream.finish();
    stream
}

#[test]
fn a_healthy_first_attempt_is_not_noted() {
    let host = start(PLAIN);
    for status in ["200", "301", "404"] {
        let stream = answered_after(&host, MILLISECOND, status);
        assert_eq!(notes(stream), [None, None, None, None], "{status}");
    }
}

#[test]
fn it_is_noted_where_the_pool_wants_it() {
    let host = noting_all();
    let stream = answered_after(&host, 12 * MILLISECOND, "200");
    assert_eq!(noted(stream), ["a", "1", "", "a:200:12"]);
    let stream = answered_after(&host, 3 * MILLISECOND, "404");
    assert_eq!(noted(stream), ["b", "1", "", "b:404:3"]);
}

#[test]
fn each_attempt_leaves_a_trail() {
    let host = start(PLAIN);
    let stream = get(&host);
    host.advance(12 * MILLISECOND);
    stream.response(UNAVAILABLE, true);
    host.advance(DELAY);
    host.advance(31 * MILLISECOND);
    host.answer(host.pending_call().token, OK, b"");
    assert_eq!(noted(stream), ["b", "2", "", "a:503:12,b:200:31"]);
}

#[test]
fn a_first_attempt_that_failed_leaves_one_too() {
    let host = start(PLAIN);
    let stream = host.request(&head("POST", &[]), true);
    host.advance(2 * MILLISECOND);
    stream.response(UNAVAILABLE, true);
    assert_eq!(noted(stream), ["a", "1", "method", "a:503:2"]);
}

#[test]
fn what_the_host_says_of_an_attempt_is_named() {
    let host = start(PLAIN);
    let failed = |status: u32, details: &str| {
        let stream = host.request(&head("PATCH", &[]), true);
        host.advance(MILLISECOND);
        stream.router_failed(status, details, b"");
        host.advance(DELAY);
        for call in host.pending_calls() {
            host.answer(call.token, OK, b"");
        }
        noted(stream)[3].clone()
    };
    let details = "upstream_reset_before_response_started{connection_termination}";
    assert_eq!(failed(503, details), "a:reset:1");
    assert_eq!(failed(504, "response_timeout"), "b:timeout:1");
}

#[test]
fn grpc_has_statuses_of_its_own() {
    let host = start(PLAIN);
    let grpc = [("content-type", "application/grpc"), ("te", "trailers")];
    let stream = host.request(&head("POST", &grpc), true);
    host.advance(MILLISECOND);
    stream.response(&[(":status", "200"), ("grpc-status", "14")], true);
    assert_eq!(noted(stream), ["a", "1", "method", "a:grpc_14:1"]);
}

#[test]
fn an_attempt_that_another_has_overtaken_is_in_the_trail() {
    let hedging = r#"{
        "endpoints": ["a", "b"],
        "retry_policy": {"hedge": {"delay": 0.1, "ratio": 1}, "budget": false},
        "sync_interval": 10
    }"#;
    let host = start(hedging);
    let hedged = || {
        let stream = get(&host);
        host.advance(100 * MILLISECOND);
        stream
    };
    let stream = hedged();
    host.advance(5 * MILLISECOND);
    host.answer(host.pending_call().token, OK, b"");
    assert_eq!(noted(stream)[3], "b:200:5,a:overtaken:105");

    let stream = hedged();
    let call = host.pending_call();
    host.advance(5 * MILLISECOND);
    stream.response(OK, true);
    assert_eq!(noted(stream)[3], "b:200:105,a:overtaken:5");
    host.answer(call.token, OK, b"");
}

#[test]
fn an_answer_of_the_filter_has_its_reason_and_no_trail() {
    let host = start(r#"{"endpoints": ["a"], "connection_pool": {"max_connections": 1}}"#);
    let _held = get(&host);
    let stream = get(&host);
    assert_eq!(stream.sent().unwrap().status, 503);
    assert_eq!(notes(stream)[2].as_deref(), Some("overloaded"));
    assert_eq!(notes(stream)[3], None);
}

#[test]
fn time_that_is_up_ends_the_trail() {
    let host =
        start(r#"{"endpoints": ["a"], "timeout": {"connect": 0.5, "read": 0.5, "total": 1}}"#);
    let stream = host.request(&head("POST", &[]), false);
    host.advance(Duration::from_secs(1));
    assert_eq!(stream.sent().unwrap().status, 504);
    assert_eq!(
        noted(stream),
        ["a", "1", "deadline_exceeded", "a:write_timeout:1000"]
    );
}
