//! Interceptors change attempts and answers in every place: the router's request, a call, an answer
//! that streams by, one that replaces another, one that the filter makes.

use std::time::Duration;

use crate::fake_host::{Call, Headers, Host, Stream};
use crate::scene::{
    DELAY, OK, TOTAL, UNAVAILABLE, assert_refused, fail_first, get, head, start, values,
};

pub(crate) const HEDGE: Duration = Duration::from_millis(50);

/// Three endpoints in turn, every retry after [`DELAY`], and these interceptors.
pub(crate) fn with(interceptors: &str) -> Host {
    with_more(interceptors, "")
}

pub(crate) fn with_more(interceptors: &str, retry_policy: &str) -> Host {
    start(&format!(
        r#"{{
        "name": "shop",
        "endpoints": ["a", {{"cluster": "b", "name": "beta"}}, "c"],
        "retry_policy": {{"strategy": "fixed", "base_delay": 0.1, "jitter": false{retry_policy}}},
        "interceptors": {{{interceptors}}},
        "sync_interval": 10
    }}"#
    ))
}

/// Every action, on everything that is sent.
const ALL_ACTIONS: &str = r#"
    {"set_header": {"x-set": "{attempt}/{endpoint}/{pool}", "x-braces": "{{}}"}},
    {"add_header": {"X-Many": "ours"}},
    {"remove_header": "x-gone"}"#;

fn request(actions: &str) -> String {
    format!(r#""request": [{actions}]"#)
}

fn response(actions: &str) -> String {
    format!(r#""response": [{actions}]"#)
}

/// Headers that all of [`ALL_ACTIONS`] change.
const SENT: [(&str, &str); 5] = [
    ("x-set", "theirs"),
    ("x-set", "theirs too"),
    ("x-many", "theirs"),
    ("x-gone", "1"),
    ("x-gone", "2"),
];

/// Asserts what is left of [`SENT`] after [`ALL_ACTIONS`].
#[track_caller]
fn assert_changed(headers: &Headers, set: &str) {
    assert_eq!(values(headers, "x-set"), [set]);
    assert_eq!(values(headers, "x-braces"), ["{}"]);
    assert_eq!(values(headers, "x-many"), ["theirs", "ours"]);
    assert_eq!(values(headers, "x-gone"), [""; 0]);
}

pub(crate) fn with_status<'a>(
    status: &'a str,
    more: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    let mut headers = vec![(":status", status)];
    headers.extend_from_slice(more);
    headers
}

/// The retry that follows a failed first attempt.
#[track_caller]
pub(crate) fn retried(host: &Host, stream: Stream) -> Call {
    fail_first(stream);
    host.advance(DELAY);
    host.pending_call()
}

#[test]
fn every_attempt_is_changed_anew() {
    let host = with_more(&request(ALL_ACTIONS), r#", "budget": false"#);
    let stream = host.request(&head("GET", &SENT), true);
    assert_changed(&stream.request_headers(), "1/a/shop");
    let call = retried(&host, stream);
    assert_changed(&call.headers, "2/beta/shop");
    host.answer(call.token, UNAVAILABLE, b"");
    host.advance(DELAY);
    let call = host.pending_call();
    assert_changed(&call.headers, "3/c/shop");
    host.answer(call.token, OK, b"good");
    assert_eq!(stream.sent().unwrap().status, 200);
}

#[test]
fn a_hedge_is_changed_like_any_attempt() {
    let hedge = r#", "hedge": {"delay": 0.05, "ratio": 1}"#;
    let host = with_more(&request(ALL_ACTIONS), hedge);
    let stream = host.request(&head("GET", &SENT), true);
    host.advance(HEDGE);
    assert_changed(&host.pending_call().headers, "2/beta/shop");
    stream.response(OK, true);
    stream.finish();
    host.answer(host.pending_call().token, OK, b"");
}

#[test]
fn a_flood_of_control_headers_does_not_prevent_changes_of_an_attempt() {
    let host = with(&request(ALL_ACTIONS));
    let mut sent = SENT.to_vec();
    sent.extend([("x-envoy-retry-on", "5xx"); 90]);
    let stream = host.request(&head("GET", &sent), true);
    let headers = stream.request_headers();
    assert_changed(&headers, "1/a/shop");
    assert_eq!(values(&headers, "x-envoy-retry-on"), [""; 0]);
}

#[test]
fn an_answer_that_streams_by_is_changed() {
    let host = with(&response(ALL_ACTIONS));
    let stream = get(&host);
    stream.response(&with_status("200", &SENT), false);
    assert_changed(&stream.response_headers(), "1/a/shop");
    stream.response_body(b"hello", true);
    stream.finish();
}

#[test]
fn an_answer_that_replaces_another_is_changed() {
    let host = with(&response(ALL_ACTIONS));
    let stream = get(&host);
    let call = retried(&host, stream);
    host.answer(call.token, &with_status("200", &SENT), b"good");
    assert_changed(&stream.sent().unwrap().headers, "2/beta/shop");
}

#[test]
fn the_answer_to_a_head_is_changed_and_keeps_its_length() {
    let host = with(&response(ALL_ACTIONS));
    let stream = host.request(&head("HEAD", &[]), true);
    stream.response(UNAVAILABLE, true);
    host.advance(DELAY);
    let mut answer = with_status("200", &SENT);
    answer.push(("content-length", "1234"));
    host.answer(host.pending_call().token, &answer, b"");
    let headers = stream.response_headers();
    assert_changed(&headers, "2/beta/shop");
    assert_eq!(values(&headers, ":status"), ["200"]);
    assert_eq!(values(&headers, "content-length"), ["1234"]);
}

#[test]
fn a_paused_answer_that_goes_on_after_all_is_changed() {
    let when = r#"{"set_header": {"x-late": "{attempt}"}, "when": {"status": [503]}},"#;
    let host = with_more(
        &response(&format!("{when}{ALL_ACTIONS}")),
        r#", "max_attempts": 2"#,
    );
    let stream = get(&host);
    stream.response(&with_status("503", &SENT), true);
    host.advance(DELAY);
    host.answer_reset(host.pending_call().token);
    assert!(stream.was_resumed());
    let headers = stream.response_headers();
    assert_changed(&headers, "2/beta/shop");
    assert_eq!(values(&headers, "x-late"), ["2"]);
}

/// Reports the endpoint, the response time, and whether it was the deadline.
const OWN_ANSWERS: &str = r#"{"set_header": {"x-e": "{endpoint} {response_time}"}},
    {"set_header": {"x-late": "yes"}, "when": {"status": [504]}}"#;

#[test]
fn the_answer_at_the_deadline_is_changed() {
    let host = with_more(&response(OWN_ANSWERS), r#", "max_attempts": 1"#);
    let stream = get(&host);
    host.advance(TOTAL);
    assert_refused(stream, 504, "deadline_exceeded");
    let headers = stream.sent().unwrap().headers;
    // The time of the attempt, and how late the host's own timer may be.
    assert_eq!(values(&headers, "x-e"), ["a 30.250"]);
    assert_eq!(values(&headers, "x-late"), ["yes"]);
}

#[test]
fn the_answer_to_a_client_that_is_too_slow_is_changed() {
    let host = with(&response(OWN_ANSWERS));
    let stream = host.request(&head("PUT", &[]), false);
    host.advance(Duration::from_secs(30));
    assert_refused(stream, 408, "write_timeout");
    let headers = stream.sent().unwrap().headers;
    assert_eq!(values(&headers, "x-e"), ["a 30.000"]);
    assert_eq!(values(&headers, "x-late"), [""; 0]);
}

#[test]
fn an_answer_without_an_attempt_is_not_changed() {
    let host = start(
        r#"{"endpoints": ["a"], "circuit_breaker": {"failure_threshold": 1},
            "retry_policy": {"max_attempts": 1}, "load_balancer": {"panic_threshold": false},
            "interceptors": {"response": [{"set_header": {"x-e": "{endpoint}"}}]}}"#,
    );
    let stream = get(&host);
    stream.response(UNAVAILABLE, true);
    stream.finish();
    let stream = get(&host);
    assert_refused(stream, 503, "no_endpoint_available");
    assert_eq!(values(&stream.sent().unwrap().headers, "x-e"), [""; 0]);
}

#[test]
fn the_response_time_is_the_last_attempts() {
    let host = with(&response(r#"{"set_header": {"x-t": "{response_time}"}}"#));
    let stream = get(&host);
    host.advance(Duration::from_micros(41_700));
    stream.response(OK, true);
    assert_eq!(values(&stream.response_headers(), "x-t"), ["0.042"]);
    stream.finish();

    let stream = get(&host);
    host.advance(Duration::from_secs(2));
    fail_first(stream);
    host.advance(DELAY);
    host.advance(Duration::from_millis(1_234));
    host.answer(host.pending_call().token, OK, b"");
    assert_eq!(values(&stream.sent().unwrap().headers, "x-t"), ["1.234"]);
}

#[test]
fn a_request_is_changed_only_when_its_conditions_hold() {
    let host = with(&request(
        r#"{"set_header": {"x-first": "1"}, "when": {"attempt": 1}},
           {"set_header": {"x-again": "1"}, "when": {"attempt": [2, 3]}},
           {"set_header": {"x-gold": "1"}, "when": {"header": {"x-tenant": {"prefix": "gold"}}}},
           {"set_header": {"x-cart": "1"}, "when": {"header": {"x-gold": {"present": true}}}},
           {"set_header": {"x-both": "1"}, "when": {"attempt": 1, "header": {"x-tenant": "lead"}}}"#,
    ));
    let names = ["x-first", "x-again", "x-gold", "x-cart", "x-both"];
    let given = |headers: &Headers| names.map(|name| !values(headers, name).is_empty());
    let stream = host.request(&head("GET", &[("x-tenant", "gold-7")]), true);
    assert_eq!(
        given(&stream.request_headers()),
        [true, false, true, true, false]
    );
    let call = retried(&host, stream);
    assert_eq!(given(&call.headers), [false, true, true, true, false]);
    host.answer(call.token, OK, b"");
}

#[test]
fn an_answer_is_changed_only_when_its_conditions_hold() {
    let host = with_more(
        &response(
            r#"{"set_header": {"x-sorry": "1"}, "when": {"status": ["4xx", 500]}},
               {"set_header": {"x-slow": "1"}, "when": {"slower_than": 1}},
               {"set_header": {"x-second": "1"}, "when": {"attempt": 2}},
               {"set_header": {"x-html": "1"}, "when": {"header": {"content-type": "text/html"}}}"#,
        ),
        r#", "retry_on_status_codes": [503]"#,
    );
    let names = ["x-sorry", "x-slow", "x-second", "x-html"];
    let given = |headers: &Headers| names.map(|name| !values(headers, name).is_empty());
    let html = ("content-type", "text/html");
    let second = Duration::from_secs(1);
    for (status, more, took, expected) in [
        ("200", &[][..], second, [false; 4]),
        (
            "200",
            &[html],
            second + Duration::from_millis(1),
            [false, true, false, true],
        ),
        ("404", &[], second, [true, false, false, false]),
        ("500", &[], second, [true, false, false, false]),
    ] {
        let stream = get(&host);
        host.advance(took);
        stream.response(&with_status(status, more), true);
        assert_eq!(given(&stream.response_headers()), expected, "{status}");
        stream.finish();

        let stream = get(&host);
        fail_first(stream);
        host.advance(DELAY);
        host.advance(took);
        let call = host.pending_call();
        host.answer(call.token, &with_status(status, more), b"");
        let [sorry, slow, _, html] = expected;
        let headers = stream.sent().unwrap().headers;
        assert_eq!(given(&headers), [sorry, slow, true, html], "{status}");
    }
}

#[test]
fn later_actions_see_what_earlier_ones_did() {
    let host = with(&request(
        r#"{"add_header": {"x-a": "2"}},
           {"set_header": {"x-still": "1"}, "when": {"header": {"x-a": "1"}}},
           {"remove_header": "x-a"},
           {"set_header": {"x-gone": "1"}, "when": {"header": {"x-a": {"present": false}}}},
           {"add_header": {"x-a": "3"}},
           {"set_header": {"x-back": "1"}, "when": {"header": {"x-a": "3"}}}"#,
    ));
    let stream = host.request(&head("GET", &[("x-a", "1")]), true);
    let first = stream.request_headers();
    let second = retried(&host, stream).headers;
    for headers in [first, second] {
        for name in ["x-still", "x-gone", "x-back"] {
            assert_eq!(values(&headers, name), ["1"], "{name}");
        }
        assert_eq!(values(&headers, "x-a"), ["3"]);
    }
}

#[test]
fn conditions_see_the_request_as_it_is_sent() {
    let host = start(
        r#"{"endpoints": [{"cluster": "a", "path_prefix": "/v1"}, "b"], "interceptors": {"request": [
            {"set_header": {"x-v1": "1"}, "when": {"header": {"x-envoy-attempt-count": "1"}}}]}}"#,
    );
    let stream = host.request(&head("GET", &[("x-envoy-attempt-count", "7")]), true);
    assert_eq!(values(&stream.request_headers(), "x-v1"), ["1"]);
}

#[test]
fn a_request_of_no_pool_is_left_alone() {
    let host = start(
        r#"{"pools": [{"endpoints": ["a"], "match": {"prefix": "/api"}, "interceptors": {
            "request": [{"set_header": {"x-a": "1"}}], "response": [{"set_header": {"x-b": "1"}}],
            "logging": true}}]}"#,
    );
    let stream = get(&host);
    stream.response(OK, true);
    assert_eq!(values(&stream.request_headers(), "x-a"), [""; 0]);
    assert_eq!(values(&stream.response_headers(), "x-b"), [""; 0]);
    assert_eq!(host.logs(), []);
    stream.finish();
}

#[test]
fn a_change_costs_one_hostcall_and_reading_headers_one_more() {
    let cost = |interceptors: &str| {
        let host = with(interceptors);
        let calls = host.count_hostcalls(|| {
            let stream = get(&host);
            stream.response(OK, true);
            stream.finish();
        });
        calls.total()
    };
    let none = cost("");
    let set = r#"{"set_header": {"x-a": "1", "x-b": "{attempt}"}}, {"remove_header": "x-c"}"#;
    assert_eq!(cost(&request(set)), none + 3);
    assert_eq!(cost(&response(set)), none + 3);
    let never = r#"{"remove_header": "x-a", "when": {"header": {"x-b": "1"}}},
        {"remove_header": "x-a", "when": {"header": {"x-c": "1"}}}"#;
    assert_eq!(cost(&request(never)), none + 1);
    assert_eq!(cost(&response(never)), none + 1);
    let too_late = r#"{"remove_header": "x-a", "when": {"attempt": 2, "header": {"x-b": "1"}}}"#;
    assert_eq!(cost(&response(too_late)), none);
}
