//! What no client, upstream or host should send but may: none of it may trap the VM.
//!
//! A panic in the filter would abort this whole test process, as it would trap a VM. So most tests
//! here need no assertion to fail.

use crate::fake_host::{Headers, Host, NO_HEADERS, Stream, guest, headers};
use crate::scene::{BY_LOAD, DELAY, OK, PLAIN, assert_idle, calling, head, intercepted, start};

fn raw(pairs: &[(&str, &[u8])]) -> Headers {
    headers(pairs)
}

/// Even a hostile request must be steered, and end like any other.
#[track_caller]
fn check(request: &Headers) {
    check_under(BY_LOAD, request);
    check_under(&intercepted(), request);
}

#[track_caller]
fn check_under(configuration: &str, request: &Headers) {
    let host = start(configuration);
    for complete in [true, false] {
        let stream = host.request(request, complete);
        assert!(stream.request_header("x-steerage-cluster").is_some());
        stream.response(&[(":status", "503")], false);
        host.advance(DELAY);
        for call in host.pending_calls() {
            host.answer(call.token, OK, b"");
        }
        if !stream.has_ended() {
            stream.client_gone();
        }
    }
    assert_idle(&host);
}

#[test]
fn requests_without_the_usual_headers_are_served() {
    let whole = headers(&head("GET", &[]));
    check(&Headers::new());
    for missing in [":method", ":path", ":authority", ":scheme"] {
        let mut request = whole.clone();
        request.retain(|(name, _)| name != missing);
        check(&request);
        request.push((missing.to_owned(), Vec::new()));
        check(&request);
    }
}

#[test]
fn values_of_any_bytes_are_served() {
    let all: Vec<u8> = (0..=255).collect();
    for name in [
        ":method",
        ":path",
        ":authority",
        "content-length",
        "content-type",
        "cookie",
        "idempotency-key",
        "upgrade",
        "x-envoy-attempt-count",
        "x-steerage-cluster",
    ] {
        for value in [&all[..], b"\xff", b"\0", b"", b"\xf0\x9f", &[b'9'; 400]] {
            let mut request = headers(&head("GET", &[]));
            request.retain(|(other, _)| other != name);
            request.push((name.to_owned(), value.to_vec()));
            check(&request);
        }
    }
}

#[test]
fn a_content_length_that_is_no_number_is_ignored() {
    for length in ["", "-1", "1e3", "0x5", "99999999999999999999999", "5, 5"] {
        let host = start(PLAIN);
        let request = head("PUT", &[("content-length", length)]);
        let stream = host.request(&request, false);
        stream.request_body(b"hello", true);
        stream.response(&[(":status", "503")], true);
        assert!(
            stream.is_paused(),
            "{length}: the body itself was small enough"
        );
        stream.client_gone();
    }
}

#[test]
fn many_headers_and_long_ones_are_served() {
    let mut request = headers(&head("GET", &[]));
    for n in 0..200 {
        request.push((format!("x-{n}"), vec![b'v'; 300]));
        request.push((format!("x-envoy-retry-on{}", "x".repeat(n)), Vec::new()));
        request.push(("x-envoy-retry-on".to_owned(), b"5xx".to_vec()));
    }
    check(&request);
    let mut long = headers(&head("GET", &[("x", &"y".repeat(60_000))]));
    check(&long);
    long.push((":path".to_owned(), vec![b'/'; 60_000]));
    check(&long);
}

#[test]
fn matching_takes_any_bytes() {
    let host = start(
        r#"{"pools": [{"endpoints": ["a"], "match": {
            "regex": "/v[0-9]+", "hosts": ["*.example"], "methods": ["GET"],
            "headers": {"x-t": {"prefix": "gold"}}}}],
            "cluster_header": "x-c"}"#,
    );
    for path in [&b"/v1"[..], b"/v1\xff", b"", b"?", b"\xff?/v1"] {
        for authority in [&b"a.example:80"[..], b"\xff.example", b":", b"[", b""] {
            let request = raw(&[
                (":method", b"GET"),
                (":path", path),
                (":authority", authority),
                ("x-t", b"gold\xff"),
                ("x-c", b"\xff"),
            ]);
            let stream = host.request(&request, true);
            let steered = stream.request_header("x-c");
            let expected = path == b"/v1" && authority.contains(&b'e');
            assert_eq!(steered.is_some(), expected, "{path:?} {authority:?}");
        }
    }
}

#[test]
fn answers_of_any_kind_reach_the_client_or_are_retried() {
    let long = vec![b'x'; 100_000];
    for answer in [
        raw(&[]),
        raw(&[(":status", b"200"), ("x-raw", b"\xff\xfe")]),
        raw(&[(":status", b"200"), (":status", b"503")]),
        raw(&[(":status", b"200"), ("x-long", &long)]),
        raw(&[(":status", b"\xff")]),
        raw(&[("x-envoy-upstream-service-time", b"")]),
        raw(&[(":status", b"503"), ("retry-after", b"\xff")]),
        raw(&[(":status", b"504")]),
    ] {
        for body in [&b""[..], b"\xff", &long] {
            let host = start(BY_LOAD);
            let (stream, call) = calling(&host);
            host.answer_as_given(call.token, answer.clone(), body);
            assert!(stream.has_ended() || stream.is_paused());
            if !stream.has_ended() {
                stream.client_gone();
            }
            assert_idle(&host);
        }
    }
}

#[test]
fn a_raw_value_of_an_answer_arrives_unchanged() {
    let host = start(PLAIN);
    let (stream, call) = calling(&host);
    host.answer(
        call.token,
        &raw(&[(":status", b"200"), ("x-raw", b"\xff\xfe")]),
        b"",
    );
    assert_eq!(
        stream.sent().unwrap().header("x-raw"),
        Some(&b"\xff\xfe"[..])
    );
}

/// Every callback of a stream, in an order that makes no sense, with a host that refuses most
/// hostcalls: outside its own callbacks the fake has no maps and no buffers to give.
fn nonsense(stream: Stream) {
    let id = stream.id();
    for end in [0, 1, 0] {
        guest::proxy_on_response_headers(id, 3, end);
        guest::proxy_on_request_headers(id, 9, end);
        guest::proxy_on_request_body(id, usize::MAX, end);
        guest::proxy_on_request_trailers(id, 2);
        guest::proxy_on_request_body(id, 7, end);
        guest::proxy_on_request_headers(id, 0, end);
        guest::proxy_on_response_headers(id, 0, end);
    }
}

#[test]
fn callbacks_in_a_senseless_order_on_a_host_that_refuses_everything_do_not_trap() {
    let phases: [fn(&Host) -> Stream; 3] = [
        |host| host.request(NO_HEADERS, false),
        crate::scene::waiting,
        |host| calling(host).0,
    ];
    let intercepted = intercepted();
    let both = [PLAIN, &intercepted];
    for (begin, configuration) in phases
        .into_iter()
        .flat_map(|phase| both.map(|it| (phase, it)))
    {
        let host = start(configuration);
        let stream = begin(&host);
        nonsense(stream);
        guest::proxy_on_tick(host.root().id());
        guest::proxy_on_tick(host.root().id());
        for call in host.pending_calls() {
            host.answer(call.token, OK, b"");
        }
        if !stream.has_ended() {
            stream.client_gone();
        }
        // The fake rightly reports all of this as violations; here only a trap would be a failure.
        assert!(!host.take_violations().is_empty());
    }
}
