//! Requests that cannot be sent a second time: they are steered, and their failure reaches the
//! client.

use std::time::Duration;

use crate::fake_host::{Host, Stream};
use crate::scene::{BY_LOAD, PLAIN, UNAVAILABLE, assert_idle, assert_refused, head, start};

/// Even a refused connection is not retried, although nothing was sent.
fn refused(stream: Stream) {
    stream.router_failed(503, "no_healthy_upstream", b"no healthy upstream");
}

/// The request is steered, its failure of every kind reaches the client, and nothing stays behind.
#[track_caller]
fn check(what: &str, open: impl Fn(&Host) -> Stream) {
    let fail: [fn(Stream); 2] = [refused, |stream| {
        stream.response(UNAVAILABLE, false);
        stream.response_body(b"busy", true);
    }];
    let host = start(BY_LOAD);
    for fail in fail {
        let stream = open(&host);
        assert!(
            stream.request_header("x-steerage-cluster").is_some(),
            "{what}"
        );
        fail(stream);
        assert!(!stream.is_paused(), "{what}");
        assert_eq!(stream.sent(), None, "{what}");
        assert!(!stream.response_passed().is_empty(), "{what}");
        stream.finish();
    }
    assert!(host.calls().is_empty(), "{what}");
    assert_idle(&host);
}

#[test]
fn grpc_is_steered_and_not_retried() {
    for content_type in ["application/grpc", "application/grpc+proto"] {
        let request = head("PUT", &[("content-type", content_type)]);
        check(content_type, |host| host.request(&request, true));
        check(content_type, |host| host.request(&request, false));
    }
}

#[test]
fn two_way_streams_are_steered_and_not_retried() {
    let websocket = head(
        "GET",
        &[("upgrade", "websocket"), ("connection", "upgrade")],
    );
    check("upgrade", |host| host.request(&websocket, true));
    check("upgrade", |host| host.request(&websocket, false));
    let extended = head("CONNECT", &[(":protocol", "websocket")]);
    check("extended CONNECT", |host| host.request(&extended, false));
    let plain = [(":method", "CONNECT"), (":authority", "x:443")];
    check("CONNECT", |host| host.request(&plain, false));
    check("CONNECT", |host| host.request(&plain, true));
}

#[test]
fn requests_with_trailers_are_steered_and_not_retried() {
    check("trailers", |host| {
        let stream = host.request(&head("PUT", &[]), false);
        stream.request_body(b"hello", false);
        stream.request_trailers(&[("t", "1")]);
        stream
    });
}

#[test]
fn bodies_that_are_too_large_stream_through_and_are_not_retried() {
    let half = [7; 40_000];
    check("in two parts", |host| {
        let stream = host.request(&head("PUT", &[]), false);
        stream.request_body(&half, false);
        stream.request_body(&half, true);
        assert_eq!(stream.request_passed().len(), 80_000);
        stream
    });
    check("one byte over", |host| {
        let stream = host.request(&head("PUT", &[]), false);
        stream.request_body(&[7; 65_536], false);
        stream.request_body(b"7", false);
        // The parts after it must not be taken for the whole body.
        stream.request_body(b"7", true);
        stream
    });
    check("announced", |host| {
        let request = head("PUT", &[("content-length", "65537")]);
        let stream = host.request(&request, false);
        stream.request_body(b"not so long after all", true);
        stream
    });
}

#[test]
fn a_pool_says_how_much_is_too_large() {
    let host = start(r#"{"endpoints": ["a", "b"], "retry_policy": {"max_request_bytes": 4}}"#);
    for (body, retried) in [(&b"four"[..], true), (b"five!", false)] {
        let stream = host.request(&head("PUT", &[]), false);
        stream.request_body(body, true);
        stream.response(UNAVAILABLE, true);
        assert_eq!(stream.is_paused(), retried);
        stream.client_gone();
    }
}

#[test]
fn a_request_that_is_still_arriving_is_not_retried() {
    check("no body yet", |host| host.request(&head("PUT", &[]), false));
    check("half a body", |host| {
        let stream = host.request(&head("PUT", &[]), false);
        stream.request_body(b"he", false);
        stream
    });
}

#[test]
fn a_stream_may_take_as_long_as_it_likes_to_send_but_not_to_be_answered() {
    let host = start(PLAIN);
    let request = head("POST", &[("content-type", "application/grpc")]);
    let stream = host.request(&request, false);
    host.advance(Duration::from_secs(59));
    stream.request_body(b"more", false);
    assert_eq!(stream.sent(), None, "no write timeout");
    host.advance(Duration::from_secs(1));
    assert_refused(stream, 504, "deadline_exceeded");
}
