//! What keeps retries from doing harm: the budget, conditions, the client's own deadline, and retries
//! that others make already. Each denial is counted by its reason.

use std::time::Duration;

use crate::fake_host::{Host, Stream};
use crate::scene::{
    DELAY, OK, UNAVAILABLE, assert_refused, fail, fail_first, get, head, start, with_retry_policy,
};

const SECOND: Duration = Duration::from_secs(1);

/// A configuration with these fields of `retry_policy` and breakers that never open.
fn steady(fields: &str) -> String {
    with_retry_policy(fields).replacen(
        '{',
        r#"{"circuit_breaker": {"failure_threshold": 10000, "minimum_requests": 10000},"#,
        1,
    )
}

/// How often a retry was denied for this reason, told with the last round.
fn denied(host: &Host, reason: &str) -> Option<u64> {
    host.advance(SECOND);
    host.metric(&format!(
        "steerage_retries_denied_total;pool=default;reason={reason}"
    ))
}

/// Whether a request with these headers is retried after its first attempt was answered like this.
fn is_retried(host: &Host, method: &str, more: &[(&str, &str)], answer: &[(&str, &str)]) -> bool {
    let stream = host.request(&head(method, more), true);
    stream.response(answer, true);
    let retried = stream.is_paused();
    if retried {
        stream.client_gone();
    } else {
        stream.finish();
    }
    retried
}

#[test]
fn retries_are_made_within_the_budget() {
    let host = start(&steady(
        r#""budget": {"ratio": 0.2, "min_per_second": 0}, "max_attempts": 2"#,
    ));
    let retried = |requests: usize| {
        (0..requests)
            .filter(|_| is_retried(&host, "GET", &[], UNAVAILABLE))
            .count()
    };
    assert_eq!(retried(100), 20);
    assert_eq!(denied(&host, "budget"), Some(80));
    host.advance(10 * SECOND);
    assert_eq!(retried(4), 0);
    assert_eq!(retried(1), 1);
}

#[test]
fn there_is_a_budget_unless_it_is_switched_off() {
    let retried = |fields: &str| {
        let host = start(&steady(fields));
        (0..200)
            .filter(|_| is_retried(&host, "GET", &[], UNAVAILABLE))
            .count()
    };
    // One in five and ten a second for ten seconds.
    assert_eq!(retried(""), 140);
    assert_eq!(retried(r#""budget": false"#), 200);
}

#[test]
fn all_conditions_must_hold() {
    let host = start(&with_retry_policy(
        r#""retry_when": [{"response_header": {"x-should-retry": "true"}}, {"method": "GET"}]"#,
    ));
    let marked = &[(":status", "503"), ("x-should-retry", "true")];
    assert!(is_retried(&host, "GET", &[], marked));
    assert!(!is_retried(&host, "GET", &[], UNAVAILABLE));
    assert!(!is_retried(&host, "PUT", &[], marked));
    assert_eq!(denied(&host, "condition"), Some(2));
}

#[test]
fn a_condition_is_asked_of_every_attempt() {
    let host = start(&with_retry_policy(
        r#""strategy": "fixed", "base_delay": 0.1, "jitter": false,
           "retry_when": [{"faster_than": 0.5}]"#,
    ));
    let stream = get(&host);
    host.advance(SECOND / 4);
    fail_first(stream);
    assert!(stream.is_paused());
    host.advance(DELAY);
    let call = host.pending_call();
    host.advance(SECOND / 2);
    fail(&host, &call);
    assert_eq!(stream.sent().unwrap().body, b"answer 2");
}

#[test]
fn who_retries_already_is_not_helped_if_so_configured() {
    let second = &[("x-envoy-attempt-count", "2")];
    let host = start(&with_retry_policy(r#""stop_nested": true"#));
    assert!(!is_retried(&host, "GET", second, UNAVAILABLE));
    assert!(is_retried(
        &host,
        "GET",
        &[("x-envoy-attempt-count", "1")],
        UNAVAILABLE
    ));
    assert_eq!(denied(&host, "nested"), Some(1));
    drop(host);
    let host = start(&with_retry_policy(""));
    assert!(is_retried(&host, "GET", second, UNAVAILABLE));
}

/// After how long a request with these headers is given up if nobody answers.
fn given_up_after(more: &[(&str, &str)]) -> Duration {
    let host = start(r#"{"endpoints": ["a"], "timeout": {"connect": 1, "read": 1, "total": 5}}"#);
    let stream: Stream = host.request(&head("GET", more), true);
    let begun = host.now();
    while !stream.has_ended() {
        host.advance(Duration::from_millis(50));
        assert!(host.now() < begun + 6 * SECOND);
    }
    assert_refused(stream, 504, "deadline_exceeded");
    host.now() - begun
}

#[test]
fn a_client_can_shorten_its_own_time_and_not_lengthen_it() {
    const EXPECTED: &str = "x-envoy-expected-rq-timeout-ms";
    for (headers, millis) in [
        (&[][..], 5_000),
        (&[(EXPECTED, "300")], 300),
        (&[(EXPECTED, "60000")], 5_000),
        (&[(EXPECTED, "0")], 5_000),
        (&[(EXPECTED, "soon")], 5_000),
        (&[(EXPECTED, "-1")], 5_000),
        (&[("grpc-timeout", "400m")], 400),
        (&[("grpc-timeout", "2S")], 2_000),
        (&[("grpc-timeout", "99999999H")], 5_000),
        (&[("grpc-timeout", "999999999m")], 5_000),
        (&[("grpc-timeout", "m")], 5_000),
        (&[("grpc-timeout", "")], 5_000),
        (&[(EXPECTED, "700"), ("grpc-timeout", "600m")], 600),
    ] {
        let expected = Duration::from_millis(millis);
        assert_eq!(given_up_after(headers), expected, "{headers:?}");
    }
}

#[test]
fn what_is_exhausted_is_counted() {
    let host = start(&with_retry_policy(r#""max_attempts": 1"#));
    assert!(!is_retried(&host, "GET", &[], UNAVAILABLE));
    assert!(!is_retried(&host, "GET", &[], OK));
    assert!(!is_retried(&host, "GET", &[], &[(":status", "404")]));
    assert_eq!(denied(&host, "exhausted"), Some(1));
    assert!(!is_retried(&host, "POST", &[], UNAVAILABLE));
    assert_eq!(denied(&host, "exhausted"), Some(2));
}
