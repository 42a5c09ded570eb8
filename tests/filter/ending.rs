//! An answer is judged at its end: one that breaks off is its endpoint's failure, one that the client
//! does not wait for is not, and gRPC's status comes last.

use std::time::Duration;

use crate::fake_host::{Host, Stream};
use crate::scene::{OK, get, head, start};

/// One failure opens the breaker of `a`, and `b` is there only if `a` is not. No word of the breaker
/// is ignored.
const STRICT: &str = r#"{
    "endpoints": ["a", {"cluster": "b", "priority": 1}],
    "circuit_breaker": {"failure_threshold": 1},
    "timeout": {"read": 5}
}"#;

/// UC, UR and UPE: how the host says that an upstream broke off.
const BROKEN: [u64; 3] = [0x40, 0x10, 0x80_0000];

/// DC: the client left.
const CLIENT_LEFT: u64 = 0x4000;

fn flags(stream: Stream, flags: u64) {
    stream.set_property(&["response", "flags"], &flags.to_le_bytes());
}

/// Whether the next request does not go to `a`.
fn is_open(host: &Host) -> bool {
    let stream = get(host);
    let cluster = stream.request_header("x-steerage-cluster").unwrap();
    stream.client_gone();
    cluster == b"b"
}

#[test]
fn an_answer_that_breaks_off_is_a_failure() {
    for broken in BROKEN {
        let host = start(STRICT);
        let stream = get(&host);
        stream.response(OK, false);
        stream.response_body(b"hel", false);
        assert!(!is_open(&host), "so far it is good");
        flags(stream, broken);
        stream.client_gone();
        assert!(is_open(&host), "{broken:#x}");
    }
}

#[test]
fn a_good_end_and_a_client_that_leaves_are_no_failures() {
    let host = start(STRICT);
    let stream = get(&host);
    stream.response(OK, false);
    stream.response_body(b"hello", true);
    stream.finish();
    let stream = get(&host);
    stream.response(OK, false);
    flags(stream, CLIENT_LEFT);
    stream.client_gone();
    assert!(!is_open(&host));
}

#[test]
fn a_success_ends_a_row_of_failures_only_when_it_is_complete() {
    let host = start(&STRICT.replace(r#""failure_threshold": 1"#, r#""failure_threshold": 3"#));
    let broken = || {
        let stream = get(&host);
        stream.response(OK, false);
        flags(stream, BROKEN[0]);
        stream.client_gone();
    };
    broken();
    broken();
    let stream = get(&host);
    stream.response(OK, true);
    stream.finish();
    broken();
    broken();
    assert!(!is_open(&host));
    broken();
    assert!(is_open(&host));
}

#[test]
fn an_answer_that_streams_for_longer_than_read_is_a_success_by_then() {
    let host = start(STRICT);
    let streaming = get(&host);
    streaming.response(OK, false);
    host.advance(Duration::from_secs(6));
    flags(streaming, BROKEN[0]);
    streaming.client_gone();
    assert!(!is_open(&host));
}

#[test]
fn a_two_way_stream_may_end_by_closing_the_connection() {
    let host = start(STRICT);
    let upgrade = [("connection", "upgrade"), ("upgrade", "websocket")];
    let stream = host.request(&head("GET", &upgrade), false);
    stream.response(&[(":status", "101")], false);
    flags(stream, BROKEN[0]);
    stream.client_gone();
    assert!(!is_open(&host));
    // Before it has begun it is like any other request.
    let stream = host.request(&head("GET", &upgrade), false);
    stream.response(&[(":status", "503")], false);
    stream.client_gone();
    assert!(is_open(&host));
}

fn call(host: &Host) -> Stream {
    let headers = [("content-type", "application/grpc")];
    host.request(&head("POST", &headers), true)
}

#[test]
fn a_status_of_grpc_is_read_from_the_head_of_an_answer_without_a_body() {
    for (status, fails) in [
        ("14", true),
        ("13", true),
        ("5", false),
        ("0", false),
        ("x", true),
    ] {
        let host = start(STRICT);
        let stream = call(&host);
        stream.response(&[(":status", "200"), ("grpc-status", status)], true);
        assert!(!stream.is_paused(), "a call cannot repeat it");
        stream.finish();
        assert_eq!(is_open(&host), fails, "{status}");
    }
}

#[test]
fn a_status_of_grpc_is_read_at_the_end_of_an_answer_with_a_body() {
    for (status, fails) in [
        ("14", true),
        ("2", true),
        ("8", false),
        ("16", false),
        ("0", false),
        ("-1", true),
        ("many", true),
    ] {
        let host = start(STRICT);
        let stream = call(&host);
        stream.response(OK, false);
        stream.response_body(b"message", false);
        stream.response_trailers(&[("grpc-status", status)]);
        stream.finish();
        assert_eq!(is_open(&host), fails, "{status}");
        drop(host);
        // Plain HTTP has none, whatever its trailers say.
        let host = start(STRICT);
        let stream = get(&host);
        stream.response(OK, false);
        stream.response_trailers(&[("grpc-status", status)]);
        stream.finish();
        assert!(!is_open(&host));
    }
}

#[test]
fn an_answer_of_grpc_that_ends_without_a_status_has_failed() {
    let ends: [fn(Stream); 4] = [
        |stream| {
            stream.response(OK, true);
        },
        |stream| {
            stream.response(OK, false);
            stream.response_body(b"<html>", true);
        },
        |stream| {
            stream.response(OK, false);
            stream.response_trailers(&[("x-other", "0")]);
        },
        |stream| {
            stream.response(OK, false);
            stream.response_body(b"<html>", false);
            stream.response_body(b"</html>", true);
        },
    ];
    for end in ends {
        let host = start(STRICT);
        let stream = call(&host);
        end(stream);
        stream.finish();
        assert!(is_open(&host));
    }
}

#[test]
fn a_client_that_cancels_a_call_says_nothing_of_its_endpoint() {
    let host = start(STRICT);
    let stream = call(&host);
    stream.response(OK, false);
    stream.response_body(b"message", false);
    stream.client_gone();
    assert!(!is_open(&host));
}

#[test]
fn a_status_of_http_is_all_that_an_answer_of_plain_http_says_to_a_call() {
    for status in ["404", "401", "301"] {
        let host = start(STRICT);
        let stream = call(&host);
        stream.response(&[(":status", status)], false);
        stream.response_body(b"<html>", true);
        stream.finish();
        assert!(!is_open(&host), "{status}");
    }
}

#[test]
fn a_property_of_another_size_says_nothing() {
    for odd in [&b""[..], b"\x40", b"\x40\0\0\0", &[0x40; 9], &[0x40; 100]] {
        let host = start(STRICT);
        let stream = get(&host);
        stream.response(OK, false);
        stream.set_property(&["response", "flags"], odd);
        stream.client_gone();
        assert!(!is_open(&host), "{odd:?}");
    }
}
