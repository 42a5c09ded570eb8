//! When a retry is made, where it goes, and when there are no more.

use std::time::Duration;

use crate::fake_host::{Call, Host, Stream};
use crate::scene::{
    DELAY, OK, PLAIN, UNAVAILABLE, calling, cluster_of, fail, fail_first, get, start, waiting,
    with_retry_policy,
};

const MILLISECOND: Duration = Duration::from_millis(1);

/// Clusters that were called, in order.
fn called(host: &Host) -> Vec<String> {
    host.calls().into_iter().map(|call| call.cluster).collect()
}

#[test]
fn a_retry_is_made_after_its_delay_and_not_before() {
    let host = start(PLAIN);
    let stream = waiting(&host);
    let decided = host.now();
    assert_eq!(host.tick_in(), Some(DELAY));
    host.advance(DELAY - Duration::from_nanos(1));
    assert!(host.calls().is_empty() && stream.is_paused());
    host.advance(Duration::from_nanos(1));
    let call = host.pending_call();
    assert_eq!(call.at - decided, DELAY);
    assert_eq!(call.cluster, "b");
    assert_eq!(call.root, host.root().id(), "it must outlive the stream");
    host.answer(call.token, OK, b"hello");
    assert_eq!(stream.sent().unwrap().status, 200);
    assert!(stream.has_ended());
}

#[test]
fn a_late_tick_makes_the_retry_late_and_no_more() {
    let host = start(PLAIN);
    let stream = waiting(&host);
    host.stall(Duration::from_secs(1));
    host.advance(Duration::ZERO);
    host.answer(host.pending_call().token, OK, b"");
    assert!(stream.has_ended());
}

#[test]
fn an_early_tick_does_not_make_the_retry_early() {
    let host = start(PLAIN);
    // The timer is armed for the next round, in 50 ms.
    host.advance(Duration::from_millis(9_950));
    waiting(&host);
    let due = host.now() + DELAY;
    assert_eq!(host.tick_in(), Some(Duration::from_millis(50)));
    host.advance(Duration::from_millis(50));
    assert!(host.calls().is_empty());
    assert_eq!(host.tick_in(), Some(Duration::from_millis(50)));
    host.advance(Duration::from_millis(50));
    assert_eq!(host.pending_call().at, due);
}

#[test]
fn a_delay_between_two_milliseconds_ends_with_the_second() {
    let host = start(&with_retry_policy(
        r#""strategy": "fixed", "base_delay": 0.0104, "jitter": false"#,
    ));
    // Begun between two milliseconds as well.
    host.stall(Duration::from_micros(700));
    waiting(&host);
    let decided = host.now();
    host.advance(Duration::from_millis(50));
    let waited = host.pending_call().at - decided;
    assert_eq!(waited, Duration::from_millis(11));
}

#[test]
fn a_delay_of_0_does_not_stop_the_timer() {
    let host = start(&with_retry_policy(
        r#""strategy": "custom", "custom_retry_function": [0]"#,
    ));
    waiting(&host);
    host.advance(MILLISECOND);
    assert_eq!(called(&host), ["b"]);
}

#[test]
fn the_second_failure_waits_for_the_second_delay() {
    let host = start(&with_retry_policy(
        r#""strategy": "linear", "base_delay": 0.1, "jitter": "none""#,
    ));
    let (stream, call) = calling(&host);
    fail(&host, &call);
    assert!(stream.is_paused());
    let decided = host.now();
    host.advance(2 * DELAY - MILLISECOND);
    assert!(host.pending_calls().is_empty());
    host.advance(MILLISECOND);
    let third = host.pending_call();
    assert_eq!(third.at - decided, 2 * DELAY);
    assert_eq!(third.cluster, "c");
    assert_eq!(third.header("x-envoy-attempt-count"), Some(&b"3"[..]));
    host.answer(third.token, OK, b"");
    assert_eq!(stream.sent().unwrap().status, 200);
}

#[test]
fn retries_end_with_the_attempts_that_were_allowed() {
    for max in 1..=10 {
        let host = start(&with_retry_policy(&format!(
            r#""max_attempts": {max}, "strategy": "fixed", "base_delay": 0.1, "jitter": false"#
        )));
        let stream = get(&host);
        fail_first(stream);
        host.advance(DELAY);
        while let [call] = host.pending_calls().as_slice() {
            fail(&host, call);
            host.advance(DELAY);
        }
        assert_eq!(host.calls().len() + 1, max);
        assert!(!stream.is_paused());
        // Endpoints are repeated only once all have been tried.
        let turns: Vec<_> = ["b", "c", "a"].into_iter().cycle().take(max - 1).collect();
        assert_eq!(called(&host), turns);
    }
}

#[test]
fn waiting_streams_are_each_served_at_their_own_time() {
    let host = start(PLAIN);
    let early = waiting(&host);
    host.advance(DELAY / 2);
    let late = waiting(&host);
    let third = get(&host);
    host.advance(DELAY / 2);
    let first = host.pending_call();
    host.advance(DELAY / 2);
    let [_, second] = host.pending_calls().try_into().unwrap();
    assert_eq!(second.at - first.at, DELAY / 2);

    host.answer(second.token, OK, b"late");
    host.answer(first.token, OK, b"early");
    assert_eq!(early.sent().unwrap().body, b"early");
    assert_eq!(late.sent().unwrap().body, b"late");
    assert_eq!(third.sent(), None);
}

#[test]
fn after_a_refused_connection_an_untried_endpoint_is_tried_at_once() {
    let host = start(PLAIN);
    let stream = get(&host);
    stream.router_failed(
        503,
        "upstream_reset_before_response_started{remote_connection_failure}",
        b"refused",
    );
    host.advance(MILLISECOND);
    host.answer_connect_failure(host.pending_call().token);
    host.advance(MILLISECOND);
    assert_eq!(called(&host), ["b", "c"]);
    host.answer(host.pending_call().token, OK, b"");
    assert!(stream.has_ended());

    let host = {
        drop(host);
        start(&with_retry_policy(
            r#""immediate_failover": false, "strategy": "fixed", "base_delay": 0.1, "jitter": false"#,
        ))
    };
    get(&host).router_failed(503, "no_healthy_upstream", b"no healthy upstream");
    assert_eq!(host.tick_in(), Some(DELAY));
}

#[test]
fn clusters_that_refuse_a_call_at_once_are_passed_over_in_the_same_callback() {
    let host = start(PLAIN);
    let stream = waiting(&host);
    host.remove_cluster("b");
    host.advance(DELAY);
    let call = host.pending_call();
    assert_eq!(call.cluster, "c");
    assert_eq!(call.header("x-envoy-attempt-count"), Some(&b"3"[..]));
    // The refusal was an attempt like any other, so this one was the last.
    fail(&host, &call);
    assert_eq!(stream.sent().unwrap().body, b"answer 3");
}

#[test]
fn when_every_cluster_refuses_the_paused_answer_goes_out_at_once() {
    let host = start(PLAIN);
    let stream = waiting(&host);
    host.drain_cluster("b");
    host.remove_cluster("c");
    host.advance(DELAY);
    assert!(stream.was_resumed());
    assert_eq!(stream.response_passed(), b"answer 1");
    assert!(host.calls().is_empty());
    stream.finish();
    host.advance(Duration::from_secs(600));
    assert!(host.calls().is_empty());
}

#[test]
fn an_endpoint_that_was_tried_waits_for_its_delay_even_if_it_refuses() {
    let host = start(&with_retry_policy(
        r#""max_attempts": 9, "strategy": "fixed", "base_delay": 0.1, "jitter": false"#,
    ));
    for name in ["a", "b", "c"] {
        host.drain_cluster(name);
    }
    let stream = get(&host);
    stream.router_failed(503, "no_healthy_upstream", b"no healthy upstream");
    // b and c refuse in the first tick; a is due again only after a delay.
    host.advance(MILLISECOND);
    assert!(stream.is_paused());
    host.advance(6 * DELAY);
    assert!(stream.was_resumed());
}

#[test]
fn no_delay_is_begun_that_could_not_end_before_the_deadline() {
    let host = start(
        r#"{"endpoints": ["a", "b"], "timeout": {"connect": 0.1, "read": 1, "total": 1.1},
            "retry_policy": {"strategy": "fixed", "base_delay": 1, "jitter": false}}"#,
    );
    let stream = get(&host);
    host.advance(Duration::from_millis(99));
    fail_first(stream);
    assert!(stream.is_paused());
    stream.client_gone();

    let stream = get(&host);
    host.advance(DELAY);
    fail_first(stream);
    assert!(!stream.is_paused(), "the failure now beats a 504 later");
    assert_eq!(stream.response_passed(), b"answer 1");
}

#[test]
fn statuses_and_methods_decide_whether_there_is_a_retry() {
    let policy = r#""retry_on_status_codes": [418, "500-502"], "retry_methods": ["POST"]"#;
    let retried = |method: &str, status: &str, key: Option<&str>| {
        let host = start(&with_retry_policy(policy));
        let mut headers = crate::scene::head(method, &[]);
        headers.extend(key.map(|key| ("idempotency-key", key)));
        let stream = host.request(&headers, true);
        stream.response(&[(":status", status)], true);
        stream.is_paused()
    };
    for (status, expected) in [
        ("418", true),
        ("500", true),
        ("502", true),
        ("503", false),
        ("429", false),
        ("200", false),
        ("404", false),
    ] {
        assert_eq!(retried("POST", status, None), expected, "{status}");
    }
    assert!(!retried("GET", "500", None));
    assert!(retried("GET", "500", Some("k1")), "the sender says it may");
    assert!(!retried("GET", "500", Some("")));
    assert!(!retried("post", "500", None), "methods have a case");
}

#[test]
fn transport_failures_that_are_not_listed_are_not_retried() {
    let outcome = |retry_on: &str, details: &str| -> bool {
        let host = start(&with_retry_policy(&format!(r#""retry_on": {retry_on}"#)));
        let stream: Stream = get(&host);
        stream.router_failed(503, details, b"x");
        stream.is_paused()
    };
    let reset = "upstream_reset_before_response_started{connection_termination}";
    assert!(outcome(r#"["reset"]"#, reset));
    assert!(!outcome(r#"["timeout", "connect_failure"]"#, reset));
    assert!(!outcome("[]", "no_healthy_upstream"));
}

#[test]
fn a_retry_leaves_the_turn_of_first_attempts_alone() {
    let host = start(PLAIN);
    let (_, call): (Stream, Call) = calling(&host);
    assert_eq!(call.cluster, "b");
    assert_eq!(cluster_of(get(&host)), "b");
    host.answer(call.token, UNAVAILABLE, b"");
    host.advance(DELAY);
    assert_eq!(host.pending_call().cluster, "c", "a and b have been tried");
}
