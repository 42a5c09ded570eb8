//! How much the filter keeps in memory: bodies of requests, and answers of calls.

use crate::fake_host::{Action, Host, Stream};
use crate::scene::{DELAY, OK, UNAVAILABLE, fail_first, get, head, start, text};

/// Keeps 1,000 bytes, of one request at most 600, and takes answers of 500.
const SMALL: &str = r#"{
    "endpoints": ["a", "b"],
    "retry_policy": {"strategy": "fixed", "base_delay": 0.1, "jitter": false, "max_request_bytes": 600},
    "max_kept_bytes": 1000,
    "max_response_bytes": 500,
    "sync_interval": 10
}"#;

/// A PUT of so many bytes, which fails: whether a retry follows.
fn uploaded(host: &Host, open: impl FnOnce() -> Stream, size: usize) -> (Stream, bool) {
    let stream = open();
    stream.request_body(&vec![7; size], true);
    let retried = stream.response(UNAVAILABLE, true) == Action::Pause;
    assert_eq!(stream.is_paused(), retried, "{:?}", host.logs());
    (stream, retried)
}

#[test]
fn bodies_that_find_no_room_stream_through_and_are_not_retried() {
    let host = start(SMALL);
    let put = || host.request(&head("PUT", &[]), false);
    let retried: Vec<bool> = [600, 600, 400, 1]
        .into_iter()
        .map(|size| uploaded(&host, put, size).1)
        .collect();
    assert_eq!(retried, [true, false, true, false]);
    host.advance(DELAY);
    for call in host.pending_calls() {
        host.answer(call.token, OK, b"");
    }
    let bodies: Vec<usize> = host.calls().iter().map(|call| call.body.len()).collect();
    assert_eq!(bodies, [600, 400]);
    assert!(uploaded(&host, put, 600).1, "there is room again");
    host.advance(std::time::Duration::from_secs(10));
    let denied = "steerage_retries_denied_total;pool=default;reason=body_too_large";
    assert_eq!(host.metric(denied), Some(2));
}

#[test]
fn roots_of_one_vm_share_the_room() {
    let host = start(SMALL);
    let other = host.add_root(Some(SMALL.as_bytes()));
    assert!(other.accepted());
    let here = || host.request(&head("PUT", &[]), false);
    let there = || other.request(&head("PUT", &[]), false);
    let (first, retried) = uploaded(&host, here, 600);
    assert!(retried && !uploaded(&host, there, 401).1);
    first.client_gone();
    let (second, retried) = uploaded(&host, there, 600);
    assert!(retried && !uploaded(&host, here, 401).1);
    second.client_gone();
    assert!(uploaded(&host, here, 600).1);
}

/// A GET whose first attempt was answered with a 503, and whose second with this.
fn answered(host: &Host, status: &str, size: usize) -> Stream {
    let stream = get(host);
    fail_first(stream);
    host.advance(DELAY);
    let call = host.pending_call();
    let calls = host.count_hostcalls(|| {
        host.answer(call.token, &[(":status", status)], &vec![b'x'; size]);
    });
    let read = calls.of("proxy_get_buffer_bytes");
    assert_eq!(read, u64::from((1..=500).contains(&size)), "{size} bytes");
    stream
}

#[test]
fn an_answer_that_is_too_long_is_not_read_and_the_one_before_goes_out() {
    for (status, size) in [
        ("200", 501),
        ("200", 30_000_000),
        ("503", 501),
        ("404", 501),
    ] {
        let host = start(SMALL);
        let stream = answered(&host, status, size);
        assert!(stream.was_resumed(), "{status}, {size} bytes");
        assert_eq!(text(&stream.response_passed()), "answer 1");
        host.advance(DELAY * 10);
        assert_eq!(host.calls().len(), 1, "no other attempt follows");
    }
    for size in [0, 499, 500] {
        let host = start(SMALL);
        let sent = answered(&host, "200", size).sent().unwrap();
        assert_eq!((sent.status, sent.body.len()), (200, size));
    }
}

#[test]
fn a_long_answer_to_a_check_is_a_good_one() {
    let config = SMALL.replace(
        r#""endpoints": ["a", "b"]"#,
        r#""endpoints": ["a"], "health_check": {"interval": 10, "unhealthy_threshold": 1}"#,
    );
    let host = start(&config);
    let check = host.pending_call();
    host.answer(check.token, OK, &vec![b'x'; 10_000_000]);
    host.advance(std::time::Duration::from_secs(12));
    let healthy = "steerage_health_checks_total;pool=default;endpoint=a;verdict=healthy";
    assert_eq!(host.metric(healthy), Some(1));
}
