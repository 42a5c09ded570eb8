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

/// What it takes to open a breaker: three failures in a row, or half of four answers.
fn with_a_nervous_breaker(fields: &str) -> String {
    format!(
        r#"{{"endpoints": ["a"], "sync_interval": 10,
            "load_balancer": {{"panic_threshold": false}},
            "retry_policy": {{"max_attempts": 1{fields}}},
            "circuit_breaker": {{"failure_threshold": 3, "minimum_requests": 4}}}}"#
    )
}

/// So many requests at once are answered like this; whether the endpoint is used when a second is
/// over.
fn is_used_after(fields: &str, answers: usize, answer: &[(&str, &str)]) -> bool {
    let host = start(&with_a_nervous_breaker(fields));
    let burst: Vec<_> = (0..answers).map(|_| get(&host)).collect();
    for stream in burst {
        stream.response(answer, true);
        stream.finish();
    }
    host.advance(SECOND);
    let [one, other] = [get(&host), get(&host)];
    let is_used = other.sent().is_none();
    assert_eq!(one.sent().is_none(), is_used, "both or none");
    is_used
}

#[test]
fn an_answer_that_names_its_time_says_nothing_more_to_the_breaker() {
    let rule = r#", "cool_down": [{"status": [429, 401], "for": 1}]"#;
    for (fields, status, header) in [
        ("", "429", ("retry-after", "1")),
        ("", "503", ("retry-after", "1")),
        ("", "529", ("retry-after", "1")),
        ("", "503", ("retry-after-ms", "900")),
        ("", "503", ("x-ratelimit-reset-ms", "900")),
        (rule, "429", ("x-nothing", "")),
        (rule, "401", ("x-nothing", "")),
    ] {
        let answer = [(":status", status), header];
        assert!(is_used_after(fields, 30, &answer), "{fields} {answer:?}");
    }
}

#[test]
fn one_that_names_no_time_or_is_not_heard_counts_as_ever() {
    let deaf = r#", "respect_retry_after": false"#;
    let other = r#", "retry_after_statuses": [503]"#;
    for (fields, status, header, answers, is_used) in [
        // Too many requests count in the rate, not in the row.
        ("", "429", ("x-nothing", ""), 3, true),
        ("", "429", ("x-nothing", ""), 4, false),
        ("", "429", ("retry-after", "0"), 4, false),
        ("", "503", ("x-nothing", ""), 3, false),
        (deaf, "429", ("retry-after", "1"), 4, false),
        (deaf, "503", ("retry-after", "1"), 3, false),
        (other, "429", ("retry-after", "1"), 4, false),
        (other, "503", ("retry-after", "1"), 4, true),
        // Something is left of the limit.
        ("", "503", ("x-ratelimit-remaining", "3"), 3, false),
    ] {
        let answer = [(":status", status), header];
        let found = is_used_after(fields, answers, &answer);
        assert_eq!(found, is_used, "{fields} {answers} of {answer:?}");
    }
}

/// For how many seconds `a` is left alone after this answer, of the router and of a call.
fn left_alone(fields: &str, answer: &[(&str, &str)]) -> [u64; 2] {
    [false, true].map(|is_call| {
        let comma = if fields.is_empty() { "" } else { ", " };
        let fields = format!("{fields}{comma}\"max_attempts\": 2");
        let host = start(&with_retry_policy(&fields));
        let mut stream = get(&host);
        if is_call {
            // The turn is at `b` by then: `c` and `a` follow.
            answered(stream);
            answered(get(&host));
            stream = get(&host);
            stream.response(UNAVAILABLE, true);
            host.advance(MILLISECOND * 30);
            let call = host.pending_call();
            assert_eq!(call.cluster, "a");
            host.answer(call.token, answer, b"");
        } else {
            stream.response(answer, true);
            stream.client_gone();
        }
        let mut seconds = 0;
        while !next_three(&host).contains(&"a".to_owned()) {
            host.advance(SECOND);
            seconds += 1;
        }
        seconds
    })
}

#[test]
fn which_answers_are_heard() {
    let listed = r#""retry_after_statuses": [403, "50x"]"#.replace("50x", "500-509");
    for (fields, status, seconds) in [
        ("", "429", 7),
        ("", "503", 7),
        ("", "529", 7),
        ("", "500", 0),
        ("", "403", 0),
        (&*listed, "403", 7),
        (&*listed, "500", 7),
        (&*listed, "429", 0),
    ] {
        let answer = [(":status", status), ("retry-after", "7s")];
        assert_eq!(
            left_alone(fields, &answer),
            [seconds; 2],
            "{fields} {status}"
        );
    }
}

#[test]
fn answers_that_name_no_time_get_the_cool_down_of_the_policy() {
    let fields = r#""cool_down": [{"status": [401, 402], "for": "60s"},
                                  {"status": ["4xx"], "for": 9}]"#;
    for (status, wish, seconds) in [
        ("401", None, 60),
        ("402", None, 60),
        ("404", None, 9),
        ("429", None, 9),
        ("429", Some("20"), 20),
        ("429", Some("0"), 0),
        ("200", None, 0),
    ] {
        let mut answer = vec![(":status", status)];
        answer.extend(wish.map(|wish| ("retry-after", wish)));
        assert_eq!(left_alone(fields, &answer), [seconds; 2], "{answer:?}");
    }
}

#[test]
fn what_another_filter_answers_starts_no_cool_down() {
    let host = start(&with_retry_policy(
        r#""cool_down": [{"status": [401], "for": "60s"}]"#,
    ));
    let stream = get(&host);
    stream.router_failed(401, "ext_authz_denied", b"");
    assert!(next_three(&host).contains(&"a".to_owned()));
}

#[test]
fn the_hosts_own_answer_starts_no_cool_down() {
    let host = start(PLAIN);
    let stream = get(&host);
    stream.router_failed(503, "no_healthy_upstream", b"no healthy upstream");
    stream.client_gone();
    assert!(next_three(&host).contains(&"a".to_owned()));
}
