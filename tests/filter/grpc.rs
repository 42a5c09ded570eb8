//! What a client that speaks gRPC is told: `grpc-status` on the filter's own answers and on the
//! router's, in its own time.

use std::time::Duration;

use crate::fake_host::{Host, Stream};
use crate::scene::{get, head, start};

const GRPC: (&str, &str) = ("content-type", "application/grpc");
const DEADLINE_EXCEEDED: Option<i32> = Some(4);
const UNAVAILABLE: Option<i32> = Some(14);
const TIMES: &str = r#""timeout": {"connect": 1, "read": 1, "write": 2, "total": 5}"#;

fn call(host: &Host, more: &[(&'static str, &'static str)], complete: bool) -> Stream {
    let headers = [&[GRPC], more].concat();
    host.request(&head("POST", &headers), complete)
}

/// The status of HTTP, that of gRPC and the reason of the filter's own answer.
fn told(stream: Stream) -> (u32, Option<i32>, String) {
    let sent = stream.sent().unwrap();
    assert!(!sent.body.is_empty(), "the host makes grpc-message of it");
    let reason = crate::scene::text(sent.header("x-steerage-reason").unwrap());
    (sent.status, sent.grpc_status, reason)
}

#[test]
fn the_filters_own_answers_have_a_status_of_grpc() {
    let host = start(&format!(r#"{{"endpoints": ["a"], {TIMES}}}"#));
    let stream = call(&host, &[], true);
    host.advance(Duration::from_secs(5));
    let late = (504, DEADLINE_EXCEEDED, "deadline_exceeded".to_owned());
    assert_eq!(told(stream), late);
    // A plain request has none.
    let stream = get(&host);
    host.advance(Duration::from_secs(5));
    assert_eq!(told(stream), (504, None, "deadline_exceeded".to_owned()));
    drop(host);

    let host = start(&format!(
        r#"{{"endpoints": ["a"], "max_connections": 1, {TIMES}}}"#
    ));
    let _busy = call(&host, &[], true);
    let full = (503, UNAVAILABLE, "overloaded".to_owned());
    assert_eq!(told(call(&host, &[], true)), full);
    drop(host);

    let host = start(
        r#"{"endpoints": ["a"], "circuit_breaker": {"failure_threshold": 1, "max_open_fraction": 1},
            "load_balancer": {"panic_threshold": false}, "retry_policy": {"max_attempts": 1}}"#,
    );
    let failed = get(&host);
    failed.response(&[(":status", "503")], true);
    failed.finish();
    let none = (503, UNAVAILABLE, "no_endpoint_available".to_owned());
    assert_eq!(told(call(&host, &[], true)), none);
}

#[test]
fn a_client_of_grpc_is_answered_before_its_own_time_is_up() {
    for (timeout, millis) in [("1S", 950), ("1100m", 1_050), ("200m", 190)] {
        let host = start(&format!(r#"{{"endpoints": ["a"], {TIMES}}}"#));
        let stream = call(&host, &[("grpc-timeout", timeout)], true);
        host.advance(Duration::from_millis(millis - 1));
        assert!(!stream.has_ended(), "{timeout}");
        host.advance(Duration::from_millis(1));
        assert_eq!(told(stream).1, DEADLINE_EXCEEDED, "{timeout}");
    }
}

#[test]
fn a_timeout_of_the_router_is_no_unavailability() {
    for (details, expected) in [
        ("upstream_per_try_timeout", &b"4"[..]),
        ("response_timeout", b"4"),
        ("no_healthy_upstream", b"14"),
    ] {
        let host = start(&format!(r#"{{"endpoints": ["a"], {TIMES}}}"#));
        let stream = call(&host, &[], true);
        stream.router_failed(504, details, b"");
        assert!(!stream.is_paused());
        let given = stream.response_header("grpc-status");
        assert_eq!(given.unwrap(), expected, "{details}");
        stream.finish();
        drop(host);
        let host = start(&format!(
            r#"{{"endpoints": ["a"], {TIMES}, "retry_policy": {{"max_attempts": 1}}}}"#
        ));
        let stream = get(&host);
        stream.router_failed(504, details, b"");
        assert_eq!(stream.response_header("grpc-status"), None);
        stream.finish();
    }
}
