//! An endpoint that asks for quiet gets it: from requests that begin, from retries, and from the
//! other workers, until the time that it gave is over.

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

/// `a` asks for quiet, and the retry succeeds.
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
fn it_is_left_alone_for_as_long_as_it_asks_and_no_longer() {
    let host = start(PLAIN);
    throttle(&host, TWO_SECONDS);
    assert_eq!(next_three(&host), ["b", "c", "b"]);
    host.advance(2 * SECOND - 2 * MILLISECOND);
    assert_eq!(next_three(&host), ["c", "b", "c"]);
    host.advance(MILLISECOND);
    assert_eq!(next_three(&host), ["a", "b", "c"]);
}

#[test]
fn other_workers_hear_of_it() {
    let host = start(PLAIN);
    let other = host.add_root(Some(PLAIN.as_bytes()));
    throttle(&host, TWO_SECONDS);
    // Their next round is due within ten seconds, so another quiet, for longer.
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
    let asked: Vec<_> = (0..4).map(|_| ask(other)).collect();
    assert!(!asked.contains(&"a".to_owned()), "{asked:?}");
}

#[test]
fn a_limit_and_a_switch() {
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

/// All three endpoints ask for this in turn; gives the stream, which has had three answers.
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
fn if_all_of_them_cool_the_soonest_is_waited_for() {
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
fn if_that_takes_too_long_the_last_answer_says_how_long() {
    let host = start(FOUR_ATTEMPTS);
    let stream = throttled_by_all(&host, "70");
    let sent = stream.sent().unwrap();
    assert_eq!(sent.status, 429);
    let wait = sent.headers.iter().find(|(name, _)| name == "retry-after");
    assert_eq!(wait.unwrap().1, b"70");
    assert_eq!(sent.body, b"later");
    // A new request finds nobody, and is told when to come back.
    let refused = get(&host);
    assert_refused(refused, 503, "no_endpoint_available");
    let headers = refused.sent().unwrap().headers;
    let wait = headers.iter().find(|(name, _)| name == "retry-after");
    assert_eq!(wait.unwrap().1, b"70");
}

#[test]
fn a_retry_that_finds_all_of_them_cooling_waits_on() {
    let host = start(FOUR_ATTEMPTS);
    let stream = get(&host);
    stream.response(UNAVAILABLE, true);
    // While its delay passes, all endpoints ask for quiet.
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
fn what_the_host_says_itself_is_nobodys_wish() {
    let host = start(PLAIN);
    let stream = get(&host);
    stream.router_failed(503, "no_healthy_upstream", b"no healthy upstream");
    stream.client_gone();
    assert!(next_three(&host).contains(&"a".to_owned()));
}
