//! `Retry-After` is honoured by new requests, retries and the other workers, until its time is
//! over.

use std::time::Duration;

use crate::fake_host::{Host, Root, Stream};
use crate::scene::{
    OK, PLAIN, UNAVAILABLE, assert_refused, cluster_of, get, head, start, with_retry_policy,
};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

const TWO_SECONDS: &[(&str, &str)] = &[(":status", "429"), ("retry-after", "2")];

/// Where the next three requests go.
fn next_three(host: &Host) -> Vec<String> {
    (0..3).map(|_| answered(get(host))).collect()
}

fn answered(stream: Stream) -> String {
    let cluster = cluster_of(stream);
    stream.response(OK, true);
    stream.finish();
    cluster
}

/// `a` answers with `Retry-After`, and the retry succeeds.
fn throttle(host: &Host, answer: &[(&str, &str)]) {
    let stream = get(host);
    assert_eq!(cluster_of(stream), "a");
    stream.response(answer, true);
    host.advance(MILLISECOND);
    let call = host.pending_call();
    assert_eq!(call.cluster, "b", "at once, and elsewhere");
    host.answer(call.token, OK, b"");
    assert_eq!(stream.sent().unwrap().status, 200);
}

#[test]
fn an_endpoint_cools_down_for_its_retry_after_and_no_longer() {
    let host = start(PLAIN);
    throttle(&host, TWO_SECONDS);
    assert_eq!(next_three(&host), ["b", "c", "b"]);
    host.advance(2 * SECOND - 2 * MILLISECOND);
    assert_eq!(next_three(&host), ["c", "b", "c"]);
    host.advance(MILLISECOND);
    assert_eq!(next_three(&host), ["a", "b", "c"]);
}

#[test]
fn other_workers_merge_the_cool_down() {
    let host = start(PLAIN);
    let other = host.add_root(Some(PLAIN.as_bytes()));
    throttle(&host, TWO_SECONDS);
    // Their next round is due within ten seconds, so the cool-down is longer than that.
    host.advance(3 * SECOND);
    assert_eq!(next_three(&host), ["b", "c", "a"]);
    for _ in ["b", "c"] {
        let stream = get(&host);
        stream.response(OK, true);
        stream.finish();
    }
    throttle(&host, &[(":status", "503"), ("retry-after", "100")]);
    host.advance(10 * SECOND);
    let ask = |root: Root| answered(root.request(&head("GET", &[]), true));
    let chosen: Vec<_> = (0..4).map(|_| ask(other)).collect();
    assert!(!chosen.contains(&"a".to_owned()), "{chosen:?}");
}

#[test]
fn max_retry_after_and_respect_retry_after() {
    let quiet_for = |fields: &str| {
        let host = start(&with_retry_policy(fields));
        let stream = get(&host);
        stream.response(&[(":status", "503"), ("retry-after", "1000")], true);
        stream.client_gone();
        let mut seconds = 0;
        while !next_three(&host).contains(&"a".to_owned()) {
            host.advance(SECOND);
            seconds += 1;
        }
        seconds
    };
    assert_eq!(quiet_for(""), 300);
    assert_eq!(quiet_for(r#""max_retry_after": "5s""#), 5);
    assert_eq!(quiet_for(r#""respect_retry_after": false"#), 0);
}

/// All three endpoints send this `Retry-After` in turn; returns the stream after three answers.
fn throttled_by_all(host: &Host, seconds: &str) -> Stream {
    let answer = [(":status", "429"), ("retry-after", seconds)];
    let stream = get(host);
    stream.response(&answer, true);
    for _ in 0..2 {
        host.advance(MILLISECOND);
        host.answer(host.pending_call().token, &answer, b"later");
    }
    stream
}

const FOUR_ATTEMPTS: &str = r#"{
    "endpoints": ["a", "b", "c"],
    "retry_policy": {"strategy": "fixed", "base_delay": 0.1, "jitter": false, "max_attempts": 4},
    "sync_interval": 10
}"#;

#[test]
fn if_all_are_cooling_down_the_retry_waits_for_the_first() {
    let host = start(FOUR_ATTEMPTS);
    let stream = throttled_by_all(&host, "2");
    assert!(stream.is_paused());
    host.advance(2 * SECOND);
    assert!(host.pending_calls().is_empty(), "not before its time");
    host.advance(100 * MILLISECOND);
    let call = host.pending_call();
    host.answer(call.token, OK, b"");
    assert_eq!(stream.sent().unwrap().status, 200);
}

#[test]
fn if_that_is_too_late_the_client_gets_the_last_answer() {
    let host = start(FOUR_ATTEMPTS);
    let stream = throttled_by_all(&host, "70");
    let sent = stream.sent().unwrap();
    assert_eq!(sent.status, 429);
    let wait = sent.headers.iter().find(|(name, _)| name == "retry-after");
    assert_eq!(wait.unwrap().1, b"70");
    assert_eq!(sent.body, b"later");
    // A new request finds no endpoint, and its answer says when to come back.
    let refused = get(&host);
    assert_refused(refused, 503, "no_endpoint_available");
    let headers = refused.sent().unwrap().headers;
    let wait = headers.iter().find(|(name, _)| name == "retry-after");
    assert_eq!(wait.unwrap().1, b"70");
}

#[test]
fn a_retry_waits_on_if_all_endpoints_are_cooling_down() {
    let host = start(FOUR_ATTEMPTS);
    let stream = get(&host);
    stream.response(UNAVAILABLE, true);
    // During its delay, all endpoints begin to cool down.
    let others: Vec<_> = (0..3).map(|_| get(&host)).collect();
    for other in others {
        other.response(TWO_SECONDS, true);
        other.client_gone();
    }
    host.advance(SECOND);
    assert!(host.pending_calls().is_empty() && stream.is_paused());
    host.advance(SECOND);
    host.answer(host.pending_call().token, OK, b"");
    assert_eq!(stream.sent().unwrap().status, 200);
}

#[test]
fn the_hosts_own_answer_starts_no_cool_down() {
    let host = start(PLAIN);
    let stream = get(&host);
    stream.router_failed(503, "no_healthy_upstream", b"no healthy upstream");
    stream.client_gone();
    assert!(next_three(&host).contains(&"a".to_owned()));
}
