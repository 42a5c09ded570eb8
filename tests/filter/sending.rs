//! What a retry carries: the client's request again, and nothing of the first attempt.

use std::time::Duration;

use crate::fake_host::{Call, Host, headers};
use crate::scene::{DELAY, PLAIN, calling, fail_first, head, start, text, values};

/// Sends a request with this body, lets the first attempt fail, and returns the retry.
#[track_caller]
fn retry<V: AsRef<[u8]>>(host: &Host, headers: &[(&str, V)], body: &[&[u8]]) -> Call {
    let stream = host.request(headers, body.is_empty());
    for (position, part) in body.iter().enumerate() {
        stream.request_body(part, position + 1 == body.len());
    }
    fail_first(stream);
    assert!(stream.is_paused());
    host.advance(DELAY);
    host.pending_call()
}

#[test]
fn a_retry_is_the_clients_request_with_a_new_number() {
    let host = start(PLAIN);
    let request = [
        (":method", "DELETE"),
        (":scheme", "https"),
        (":path", "/cart?id=7"),
        (":authority", "shop.example"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
        ("x-forwarded-for", "10.0.0.9"),
        ("x-empty", ""),
        ("x-umlaut", "ä"),
    ];
    let call = retry(&host, &request, &[]);
    let mut expected = headers(&request);
    expected.extend(headers(&[
        ("x-envoy-attempt-count", "2"),
        ("x-envoy-upstream-rq-per-try-timeout-ms", "30000"),
    ]));
    let mut sent = call.headers.clone();
    // The order of different headers means nothing; that of equal ones is checked here.
    assert_eq!(values(&sent, "cookie"), ["a=1", "b=2"]);
    sent.sort();
    expected.sort();
    assert_eq!(sent, expected);
    assert_eq!(call.body, b"");
    assert!(call.trailers.is_empty());
}

#[test]
fn values_that_are_not_utf_8_are_sent_again_as_they_came() {
    let host = start(PLAIN);
    let all: Vec<u8> = (0..=255).collect();
    let raw = [
        (":method", &b"GET"[..]),
        (":path", b"/\xff\x80"),
        (":authority", b"shop.example"),
        ("x-name", b"caf\xe9"),
        ("x-all", &all),
        ("x-more", b"\xff\xfe"),
        ("x-more", b""),
        ("x-more", b"\xc3("),
    ];
    let call = retry(&host, &raw, &[]);
    for (name, _) in raw {
        let of = |(other, _): &&(String, Vec<u8>)| other == name;
        let came = headers(&raw);
        let came: Vec<_> = came.iter().filter(of).collect();
        assert_eq!(call.headers.iter().filter(of).collect::<Vec<_>>(), came);
    }
}

#[test]
fn headers_of_the_clients_connection_and_of_its_control_are_left_out() {
    let host = start(PLAIN);
    let left_out = [
        ("connection", "keep-alive"),
        ("content-length", "5"),
        ("expect", "100-continue"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("te", "trailers"),
        ("trailer", "x"),
        ("transfer-encoding", "chunked"),
        ("x-envoy-max-retries", "9"),
        ("x-envoy-retry-on", "5xx"),
        ("x-envoy-upstream-rq-timeout-ms", "9"),
        ("x-steerage-anything", "9"),
        ("x-steerage-cluster", "evil"),
        ("x-steerage-authority", "evil"),
    ];
    let mut request = head("PUT", &left_out);
    request.extend([
        ("x-envoy-attempt-count", "9"),
        ("x-envoy-upstream-rq-per-try-timeout-ms", "9"),
    ]);
    let call = retry(&host, &request, &[b"hello"]);
    for (name, _) in left_out {
        assert_eq!(values(&call.headers, name), [""; 0], "{name}");
    }
    assert_eq!(values(&call.headers, "x-envoy-attempt-count"), ["2"]);
    let timeout = "x-envoy-upstream-rq-per-try-timeout-ms";
    assert_eq!(values(&call.headers, timeout), ["30000"]);
}

#[test]
fn the_body_is_sent_again_whole_in_any_parts() {
    let bytes: Vec<u8> = (0..=255).collect();
    for body in [
        &[&b"hello"[..]][..],
        &[b"he", b"l", b"lo"],
        &[b"hello", b""],
        &[b"", b"hello"],
        &[b""],
        &[&bytes],
        // Exactly as many bytes as may be kept.
        &[&[7; 65_536]],
    ] {
        let host = start(PLAIN);
        let call = retry(&host, &head("PUT", &[]), body);
        assert!(call.body == body.concat(), "{} bytes", call.body.len());
    }
}

#[test]
fn every_attempt_is_written_for_its_own_endpoint() {
    let host = start(
        r#"{
        "endpoints": [
            {"cluster": "a", "authority": "a.example", "path_prefix": "/first"},
            {"cluster": "b", "authority": "b.example", "path_prefix": "/second"},
            "c"
        ],
        "cluster_header": "x-route-to",
        "retry_policy": {"strategy": "fixed", "base_delay": 0.1, "jitter": false}
    }"#,
    );
    // The routing header is for the router, and a call needs none.
    let written = |call: &Call| {
        let headers = [":authority", ":path", "x-route-to"];
        let [authority, path, route] = headers.map(|name| values(&call.headers, name).concat());
        assert_eq!(route, "");
        [call.cluster.clone(), authority, path]
    };
    let second = retry(&host, &head("GET", &[("x-route-to", "evil")]), &[]);
    assert_eq!(written(&second), ["b", "b.example", "/second/cart?id=7"]);
    crate::scene::fail(&host, &second);
    host.advance(DELAY);
    let third = host.pending_call();
    assert_eq!(written(&third), ["c", "shop.example", "/cart?id=7"]);
}

#[test]
fn an_attempt_may_take_the_read_timeout_but_never_longer_than_is_left() {
    let host = start(PLAIN);
    let (_, call) = calling(&host);
    let timeouts_of = |call: &Call| {
        let header = call.header("x-envoy-upstream-rq-per-try-timeout-ms");
        (text(header.unwrap()), call.timeout_ms)
    };
    // The host ends the attempt after the read timeout unless the answer has begun, and the whole
    // call a tenth of a second after the exchange, which the worker itself ends in time.
    assert_eq!(timeouts_of(&call), ("30000".to_owned(), 60_000));

    host.advance(Duration::from_secs(45));
    crate::scene::fail(&host, &call);
    host.advance(DELAY);
    assert_eq!(
        timeouts_of(&host.pending_call()),
        ("14800".to_owned(), 14_900)
    );
}

#[test]
fn a_timeout_is_never_sent_as_0() {
    // Half a millisecond is left for the retry, and the host takes 0 for "no timeout".
    let host = start(
        r#"{"endpoints": ["a", "b"], "timeout": {"connect": 0.1, "read": 0.1, "total": 0.2},
            "retry_policy": {"strategy": "fixed", "base_delay": 0.1, "jitter": false},
            "sync_interval": 10}"#,
    );
    let stream = crate::scene::get(&host);
    host.advance(Duration::from_micros(99_500));
    fail_first(stream);
    host.advance(DELAY);
    let call = host.pending_call();
    assert_eq!(call.timeout_ms, 101);
    assert_eq!(
        call.header("x-envoy-upstream-rq-per-try-timeout-ms"),
        Some(&b"1"[..])
    );
}
