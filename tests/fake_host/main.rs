//! Tests of the fake host itself, by another filter, which does what a request says.
//!
//! That filter is written with the SDK, which has its own implementation of the ABI. If the fake
//! and the filter had the same wrong number or wire format, their tests would pass and these would
//! not. It is a separate target because the SDK exports callbacks of the same names as the filter.

#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

#[path = "../support/fake_host/mod.rs"]
mod fake_host;

mod linked;
mod rules;
mod sample;

use std::time::Duration;

use fake_host::{Action, HostCalls, LogLevel};
use sample::{get, seen, start};

#[test]
fn a_stream_runs_through_its_callbacks_in_order() {
    let host = start();
    let stream = host.request(&get("write"), false);
    assert_eq!(stream.request_header("x-cluster"), Some(b"c".to_vec()));
    assert_eq!(stream.request_headers().len(), 5);
    assert_eq!(stream.request_body(b"he", false), Action::Continue);
    assert_eq!(stream.request_body(b"llo", false), Action::Continue);
    stream.request_trailers(&[("t", "1")]);
    assert_eq!(stream.request_passed(), b"hello");
    assert_eq!(
        stream.response(&[(":status", "200")], false),
        Action::Continue
    );
    stream.response_body(b"hi", true);
    assert_eq!(stream.response_passed(), b"hi");
    stream.finish();
    assert!(stream.has_ended());
    let id = stream.id();
    assert_eq!(
        seen(),
        [
            "request body he false",
            "request body llo false",
            "request trailers 1",
            "response 200 via_upstream",
            &format!("drop {id}"),
        ]
    );
}

#[test]
fn a_failed_response_waits_for_its_retry_and_the_reply_bypasses_the_filter() {
    let host = start();
    let stream = host.request(&get("retry"), true);
    assert_eq!(host.tick_in(), None);
    assert_eq!(stream.response(&[(":status", "503")], false), Action::Pause);
    assert_eq!(stream.response_body(b"busy", true), Action::Pause);
    assert!(stream.is_paused());
    assert_eq!(stream.response_header("x-try"), Some(b"1".to_vec()));

    host.advance(Duration::from_millis(24));
    assert_eq!(host.tick_in(), Some(Duration::from_millis(1)));
    assert!(host.calls().is_empty());
    host.advance(Duration::from_millis(100));
    let call = host.pending_call();
    assert_eq!((call.cluster.as_str(), call.timeout_ms), ("b", 1000));
    assert_eq!(call.at, host.now() - Duration::from_millis(99));

    host.answer(call.token, &[(":status", "200")], b"well");
    let sent = stream.sent().unwrap();
    assert_eq!((sent.status, sent.body.as_slice()), (200, &b"well"[..]));
    assert_eq!(sent.header("x-retried"), Some(&b"1"[..]));
    assert!(stream.has_ended() && !stream.is_paused());
    assert_eq!(
        seen(),
        [
            "response 503 via_upstream",
            "tick 25",
            "root 1 answer 200",
            &format!("drop {}", stream.id()),
        ]
    );
}

#[test]
fn a_retry_outlives_its_client() {
    let host = start();
    let stream = host.request(&get("retry"), true);
    stream.response(&[(":status", "503")], true);
    host.advance(Duration::from_millis(25));
    stream.client_gone();
    host.answer_reset(host.pending_call().token);
    assert_eq!(stream.sent(), None);
    assert_eq!(seen().last().unwrap(), "root 1 answer reset");
}

#[test]
fn a_reply_to_a_request_comes_back_through_the_response_callbacks() {
    let host = start();
    let stream = host.request(&get("reply"), false);
    assert_eq!(stream.request_action(), Action::Pause);
    assert_eq!(stream.sent().unwrap().status, 403);
    assert_eq!(seen().first().unwrap(), "response 403 -");
    assert_eq!(
        stream.response_header("content-type"),
        Some(b"text/plain".to_vec())
    );
    assert_eq!(stream.response_header("x-own"), Some(b"1".to_vec()));
}

#[test]
fn a_reply_may_wait_for_the_test() {
    let host = start();
    host.finish_replied(false);
    let stream = host.request(&get("reply"), true);
    assert!(stream.sent().is_some() && !stream.has_ended());
    stream.finish();
    assert!(stream.has_ended());
}

#[test]
fn a_reply_in_place_of_a_response_goes_straight_to_the_client() {
    let host = start();
    let stream = host.request(&get("replace"), true);
    assert_eq!(stream.response(&[(":status", "500")], true), Action::Pause);
    assert!(stream.has_ended());
    let dropped = format!("drop {}", stream.id());
    assert_eq!(seen(), ["response 500 via_upstream", &dropped]);
}

#[test]
fn a_resumed_response_gives_out_what_was_held() {
    let host = start();
    let stream = host.request(&get("pause, resume"), true);
    stream.response(&[(":status", "500")], false);
    assert!(stream.was_resumed() && !stream.is_paused());
    stream.response_body(b"x", true);
    assert_eq!(stream.response_passed(), b"x");
    stream.finish();
}

#[test]
fn a_router_failure_looks_like_a_response() {
    let host = start();
    let stream = host.request(&get(""), true);
    let action = stream.router_failed(503, "no_healthy_upstream", b"no healthy upstream");
    assert_eq!(action, Action::Continue);
    assert_eq!(stream.response_passed(), b"no healthy upstream");
    stream.finish();
    assert_eq!(seen().first().unwrap(), "response 503 no_healthy_upstream");
}

#[test]
fn a_paused_body_grows_until_it_is_released() {
    let host = start();
    let stream = host.request(&get("buffer"), false);
    assert_eq!(stream.request_body(b"a", false), Action::Pause);
    assert_eq!(stream.request_body(b"b", true), Action::Continue);
    assert_eq!(stream.request_passed(), b"ab");
    assert_eq!(seen(), ["request body a false", "request body ab true"]);
}

#[test]
fn calls_are_checked_and_answered_in_the_ways_of_envoy() {
    let host = start();
    let stream = host.request(&get("call"), true);
    let call = host.pending_call();
    assert_eq!((call.timeout_ms, call.body.as_slice()), (9, &b"up"[..]));
    assert_eq!(call.header(":authority"), Some(&b"x"[..]));
    host.answer_timeout(call.token);
    assert_eq!(
        seen(),
        ["answer 3 Some(\"504\") \"upstream request timeout\""]
    );
    assert!(host.pending_calls().is_empty());

    // The answer to a call whose stream is gone is dropped.
    let other = host.request(&get("call"), true);
    let token = host.pending_call().token;
    assert!(token > call.token);
    other.client_gone();
    seen();
    host.answer_connect_failure(token);
    assert!(seen().is_empty());
    stream.client_gone();
}

#[test]
fn properties_and_logs_are_recorded() {
    let host = start();
    let stream = host.request(&get("properties"), true);
    assert_eq!(stream.filter_state(&["tries"]), Some(b"2".to_vec()));
    assert_eq!(host.logs(), [(LogLevel::Info, "a line".to_owned())]);
}

#[test]
fn hostcalls_are_counted_by_name_and_the_log_apart() {
    let host = start();
    let calls = host.count_hostcalls(|| host.request(&get("properties"), true));
    assert_eq!(calls.of("proxy_get_property"), 3);
    assert_eq!(calls.of("proxy_get_header_map_pairs"), 1);
    assert_eq!(calls.logs(), 1);
    assert_eq!(calls.total(), 7);
    let none = host.count_hostcalls(|| ());
    assert_eq!(none, HostCalls::default());
}

#[test]
fn a_held_request_gives_out_its_body_once_it_is_resumed() {
    let host = start();
    let stream = host.request(&get("hold"), false);
    assert_eq!(stream.request_action(), Action::Pause);
    assert_eq!(stream.request_body(b"a", false), Action::Pause);
    assert_eq!(stream.request_body(b"b", true), Action::Pause);
    assert!(seen().is_empty());
    host.advance(Duration::from_millis(5));
    assert_eq!(seen(), ["tick 5", "request body ab true"]);
    assert_eq!(stream.request_action(), Action::Continue);
    assert_eq!(stream.request_passed(), b"ab");
    stream.response(&[(":status", "204")], true);
    stream.finish();
}
