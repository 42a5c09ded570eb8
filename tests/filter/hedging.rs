//! A second attempt elsewhere while the first is still under way, and which answer the client gets.

use std::time::Duration;

use crate::fake_host::{Host, Stream};
use crate::scene::{OK, UNAVAILABLE, assert_idle, cluster_of, get, head, start};

const HEDGE: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_secs(1);

/// Every request may be hedged after [`HEDGE`], where `more` does not say otherwise.
fn with_hedge(hedge: &str, more: &str) -> String {
    format!(
        r#"{{
        "endpoints": ["a", {{"cluster": "b", "weight": 0.9}}, {{"cluster": "c", "weight": 0.35}}],
        "load_balancer": {{"strategy": "least_connections"}},
        "retry_policy": {{"strategy": "fixed", "base_delay": 0.1, "jitter": false,
            "budget": false, "hedge": {{{hedge}}}{more}}},
        "circuit_breaker": {{"failure_threshold": 1000000, "minimum_requests": 1000000}},
        "sync_interval": 10
    }}"#
    )
}

fn simple() -> Host {
    start(&with_hedge(r#""delay": 0.1, "ratio": 1"#, ""))
}

/// A GET whose first attempt, to `a`, has been hedged at `b`.
fn hedged(host: &Host) -> Stream {
    let stream = get(host);
    assert_eq!(cluster_of(stream), "a");
    host.advance(HEDGE - Duration::from_millis(1));
    assert!(host.pending_calls().is_empty(), "too early");
    host.advance(Duration::from_millis(1));
    assert_eq!(host.pending_call().cluster, "b");
    stream
}

#[test]
fn the_hedges_answer_replaces_one_that_has_not_come() {
    let host = simple();
    let stream = hedged(&host);
    let call = host.pending_call();
    assert_eq!(call.header("x-envoy-attempt-count"), Some(&b"2"[..]));
    host.advance(HEDGE / 10);
    host.answer(call.token, OK, b"hedge");
    let sent = stream.sent().unwrap();
    assert_eq!((sent.status, &sent.body[..]), (200, &b"hedge"[..]));
    assert!(stream.has_ended());
    assert_idle(&host);
}

#[test]
fn the_first_answer_streams_by_and_the_hedges_is_dropped() {
    let host = simple();
    let stream = hedged(&host);
    let call = host.pending_call();
    stream.response(OK, false);
    stream.response_body(b"first", true);
    stream.finish();
    assert!(stream.sent().is_none());
    host.answer(call.token, OK, b"hedge");
    assert_idle(&host);
}

#[test]
fn if_the_first_attempt_fails_the_filter_waits_for_the_hedge() {
    let host = simple();
    let stream = hedged(&host);
    let call = host.pending_call();
    stream.response(UNAVAILABLE, true);
    assert!(stream.is_paused());
    host.advance(SECOND);
    assert!(host.pending_calls().len() == 1, "no retry beside it");
    host.answer(call.token, OK, b"hedge");
    assert_eq!(stream.sent().unwrap().body, b"hedge");
    assert_idle(&host);
}

#[test]
fn if_the_hedge_fails_the_filter_waits_for_the_first_attempt() {
    let host = simple();
    let stream = hedged(&host);
    host.answer(host.pending_call().token, UNAVAILABLE, b"hedge");
    assert!(!stream.has_ended());
    stream.response(OK, false);
    stream.response_body(b"first", true);
    stream.finish();
    assert!(stream.sent().is_none());
    assert_idle(&host);
}

#[test]
fn only_a_success_ends_the_race() {
    for quick in ["404", "401", "301", "204"] {
        let ends = quick == "204";
        let quick = [(":status", quick)];
        // The hedge is quick, and the first attempt right.
        let host = simple();
        let stream = hedged(&host);
        host.answer(host.pending_call().token, &quick, b"quick");
        assert_eq!(stream.has_ended(), ends, "{quick:?}");
        if !ends {
            stream.response(OK, false);
            stream.response_body(b"first", true);
            stream.finish();
            assert!(stream.sent().is_none());
        }
        assert_idle(&host);
        drop(host);
        // The first attempt is quick, and the hedge right.
        let host = simple();
        let stream = hedged(&host);
        stream.response(&quick, true);
        assert_eq!(stream.is_paused(), !ends, "{quick:?}");
        let call = host.pending_call();
        host.answer(call.token, OK, b"hedge");
        if ends {
            stream.finish();
            assert!(stream.sent().is_none());
        } else {
            assert_eq!(stream.sent().unwrap().body, b"hedge");
        }
        assert_idle(&host);
    }
}

#[test]
fn of_answers_that_end_no_race_the_best_is_given() {
    const MISSING: &[(&str, &str)] = &[(":status", "404")];
    // A failure does not take the place of an answer, whichever comes first, and is not retried.
    let host = simple();
    let stream = hedged(&host);
    host.answer(host.pending_call().token, MISSING, b"missing");
    stream.response(UNAVAILABLE, true);
    assert_eq!(stream.sent().unwrap().body, b"missing");
    assert_idle(&host);
    drop(host);

    let host = simple();
    let stream = hedged(&host);
    host.answer(host.pending_call().token, UNAVAILABLE, b"failed");
    stream.response(MISSING, true);
    assert!(stream.sent().is_none() && !stream.is_paused());
    stream.finish();
    assert_idle(&host);
    drop(host);

    let host = simple();
    let stream = hedged(&host);
    stream.response(MISSING, true);
    assert!(stream.is_paused());
    host.answer(host.pending_call().token, UNAVAILABLE, b"failed");
    assert!(stream.was_resumed() && stream.sent().is_none());
    stream.finish();
    assert_idle(&host);
    drop(host);

    // It is better than none, too, when time is up.
    let host = simple();
    let stream = hedged(&host);
    host.answer(host.pending_call().token, MISSING, b"missing");
    host.advance(60 * SECOND);
    assert_eq!(stream.sent().unwrap().body, b"missing");
    assert_idle(&host);
}

#[test]
fn if_both_fail_there_is_a_retry_within_the_maximum() {
    for first_fails_first in [true, false] {
        let host = simple();
        let stream = hedged(&host);
        let call = host.pending_call();
        if first_fails_first {
            stream.response(UNAVAILABLE, true);
            host.answer(call.token, UNAVAILABLE, b"hedge");
        } else {
            host.answer(call.token, UNAVAILABLE, b"hedge");
            stream.response(UNAVAILABLE, true);
        }
        assert!(stream.is_paused());
        host.advance(HEDGE);
        let retry = host.pending_call();
        assert_eq!(retry.cluster, "c");
        assert_eq!(retry.header("x-envoy-attempt-count"), Some(&b"3"[..]));
        // This was the last of three attempts.
        host.answer(retry.token, UNAVAILABLE, b"retry");
        assert_eq!(stream.sent().unwrap().body, b"retry");
        assert_idle(&host);
    }
}

#[test]
fn there_are_no_more_than_configured() {
    let host = start(&with_hedge(r#""delay": 0.1, "ratio": 1, "max": 2"#, ""));
    // Two requests pay for two hedges.
    get(&host).client_gone();
    let stream = hedged(&host);
    host.advance(HEDGE);
    let calls = host.pending_calls();
    let clusters: Vec<_> = calls.iter().map(|call| &call.cluster[..]).collect();
    assert_eq!(clusters, ["b", "c"]);
    host.advance(SECOND);
    assert_eq!(host.calls().len(), 2);
    host.answer(calls[0].token, UNAVAILABLE, b"");
    stream.response(UNAVAILABLE, true);
    assert!(stream.is_paused());
    host.answer(calls[1].token, OK, b"second hedge");
    assert_eq!(stream.sent().unwrap().body, b"second hedge");
    assert_idle(&host);
}

#[test]
fn hedges_are_a_share_of_the_requests() {
    let host = start(&with_hedge(r#""delay": 0.1, "ratio": 0.05"#, ""));
    let streams: Vec<_> = (0..100).map(|_| get(&host)).collect();
    host.advance(HEDGE);
    assert_eq!(host.calls().len(), 5);
    for stream in streams {
        stream.client_gone();
    }
}

#[test]
fn only_what_may_be_repeated_is_hedged() {
    let host = simple();
    let unhedged = |method, more: &[_], complete| {
        let stream = host.request(&head(method, more), complete);
        host.advance(SECOND);
        assert!(host.calls().is_empty(), "{method} {more:?}");
        stream.client_gone();
    };
    unhedged("POST", &[], true);
    unhedged("HEAD", &[], true);
    unhedged("PUT", &[("content-length", "5")], false);
    unhedged("GET", &[("content-type", "application/grpc")], true);
    // Its body is complete only now.
    let stream = host.request(&head("PUT", &[("content-length", "5")]), false);
    host.advance(SECOND);
    stream.request_body(b"hello", true);
    host.advance(HEDGE);
    let call = host.pending_call();
    assert_eq!(call.body, b"hello");
    host.answer(call.token, OK, b"");
    assert!(stream.has_ended());
}

#[test]
fn the_percentile_is_the_endpoints_own() {
    let host = start(&with_hedge(r#""delay": "p95", "ratio": 1"#, ""));
    for number in 0..100 {
        let stream = get(&host);
        let slow = number % 25 == 0;
        host.advance(if slow { SECOND } else { HEDGE / 10 });
        stream.response(OK, true);
        stream.finish();
    }
    assert!(host.calls().is_empty() || host.calls().len() <= 4);
    for call in host.pending_calls() {
        host.answer(call.token, OK, b"");
    }
    let before = host.calls().len();
    let stream = get(&host);
    host.advance(HEDGE / 10);
    assert_eq!(host.calls().len(), before, "most take that long");
    host.advance(HEDGE / 50);
    assert_eq!(host.calls().len(), before + 1);
    host.answer(host.pending_call().token, OK, b"");
    assert!(stream.has_ended());
}

#[test]
fn nothing_is_left_when_the_client_leaves_or_time_is_up() {
    let host = simple();
    let stream = hedged(&host);
    stream.client_gone();
    host.answer(host.pending_call().token, OK, b"");
    assert_idle(&host);
    let stream = hedged(&host);
    host.advance(60 * SECOND);
    assert_eq!(stream.sent().unwrap().status, 504);
    for call in host.pending_calls() {
        host.answer_timeout(call.token);
    }
    assert_idle(&host);
}
