//! Which answer the client gets in the end, and in what form.

use crate::fake_host::{Host, NO_HEADERS, Stream, headers};
use crate::scene::{
    DELAY, OK, PLAIN, calling, fail, fail_first, get, head, start, text, values, waiting,
};

/// Three attempts by default: fails the first, answers the retries with these answers, and returns
/// the stream.
fn exhausted(host: &Host, answers: [fn(&Host, u32); 2]) -> Stream {
    let stream = waiting(host);
    for answer in answers {
        host.advance(DELAY);
        answer(host, host.pending_call().token);
    }
    assert!(!stream.is_paused());
    stream
}

fn status_503(host: &Host, token: u32) {
    let calls = host.calls();
    let call = calls.iter().find(|call| call.token == token).unwrap();
    fail(host, call);
}

#[test]
fn a_good_answer_replaces_the_paused_one_whole() {
    let host = start(PLAIN);
    let (stream, call) = calling(&host);
    let answer = [
        (":status", "201"),
        ("content-type", "text/html"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("x-own", ""),
    ];
    host.answer(call.token, &answer, b"\0hello\xff");
    let sent = stream.sent().unwrap();
    assert_eq!(
        (sent.status, sent.body.as_slice()),
        (201, &b"\0hello\xff"[..])
    );
    assert!(!sent.details.is_empty() && !sent.details.contains(' '));
    assert_eq!(sent.grpc_status, None);
    for (name, value) in headers(&answer) {
        let expected = name != ":status";
        assert_eq!(
            sent.headers.contains(&(name.clone(), value)),
            expected,
            "{name}"
        );
    }
    assert_eq!(values(&sent.headers, "set-cookie"), ["a=1", "b=2"]);
    assert!(!stream.was_resumed());
}

#[test]
fn headers_that_the_host_writes_itself_are_left_to_it() {
    let host = start(PLAIN);
    let (stream, call) = calling(&host);
    let own = [
        "connection",
        "content-length",
        "date",
        "keep-alive",
        "server",
        "trailer",
        "transfer-encoding",
    ];
    let mut answer = vec![(":status", "200")];
    answer.extend(own.map(|name| (name, "5")));
    host.answer(call.token, &answer, b"hello");
    let sent = stream.sent().unwrap().headers;
    for name in own {
        assert_eq!(values(&sent, name), [""; 0], "{name}");
    }
}

#[test]
fn any_status_that_is_not_retried_is_a_final_answer() {
    for status in ["204", "304", "404", "501"] {
        let host = start(PLAIN);
        let (stream, call) = calling(&host);
        host.answer(call.token, &[(":status", status)], b"");
        assert_eq!(stream.sent().unwrap().status.to_string(), status);
    }
}

#[test]
fn when_no_attempt_is_good_the_client_gets_the_last_upstreams_answer() {
    let host = start(PLAIN);
    let stream = exhausted(&host, [status_503, status_503]);
    let sent = stream.sent().unwrap();
    assert_eq!((sent.status, text(&sent.body)), (503, "answer 3".into()));
}

#[test]
fn an_upstreams_answer_is_worth_more_than_the_hosts_own() {
    let host = start(PLAIN);
    let stream = exhausted(&host, [status_503, Host::answer_timeout]);
    assert_eq!(text(&stream.sent().unwrap().body), "answer 2");
    let stream = exhausted(&host, [status_503, Host::answer_reset]);
    assert_eq!(text(&stream.sent().unwrap().body), "answer 2");
}

#[test]
fn the_paused_answer_is_released_when_it_is_the_best() {
    let host = start(PLAIN);
    let stream = exhausted(&host, [Host::answer_reset, Host::answer_connect_failure]);
    assert!(stream.was_resumed());
    assert_eq!(stream.sent(), None);
    assert_eq!(text(&stream.response_passed()), "answer 1");
    stream.finish();
}

#[test]
fn when_no_upstream_answered_the_client_gets_the_hosts_last_answer() {
    let host = start(PLAIN);
    let stream = get(&host);
    stream.router_failed(
        503,
        "upstream_reset_before_response_started{connection_termination}",
        b"reset",
    );
    host.advance(DELAY);
    host.answer_timeout(host.pending_call().token);
    host.advance(DELAY);
    host.answer_reset(host.pending_call().token);
    let sent = stream.sent().unwrap();
    assert_eq!(
        (sent.status, text(&sent.body)),
        (504, "upstream request timeout".into())
    );
}

#[test]
fn an_answer_to_head_keeps_its_content_length() {
    let host = start(PLAIN);
    let stream = host.request(&head("HEAD", &[]), true);
    stream.response(
        &[(":status", "503"), ("content-length", "9"), ("x-old", "1")],
        true,
    );
    assert!(stream.is_paused());
    host.advance(DELAY);
    let call = host.pending_call();
    assert_eq!(call.header(":method"), Some(&b"HEAD"[..]));
    let answer = [
        (":status", "200"),
        ("content-length", "1234"),
        ("etag", "x"),
    ];
    host.answer(call.token, &answer, b"");
    // A reply would lose the length, so the paused head becomes the new one.
    assert!(stream.was_resumed());
    assert_eq!(stream.sent(), None);
    let given = stream.response_headers();
    assert_eq!(values(&given, ":status"), ["200"]);
    assert_eq!(values(&given, "content-length"), ["1234"]);
    assert_eq!(values(&given, "etag"), ["x"]);
    assert_eq!(values(&given, "x-old"), [""; 0]);
    stream.finish();
}

#[test]
fn the_client_gets_the_last_endpoint_and_the_number_of_attempts() {
    let configuration = r#"{
        "endpoints": ["a", {"cluster": "b", "name": "west"}],
        "response_headers": true,
        "retry_policy": {"max_attempts": 2, "strategy": "fixed", "base_delay": 0.1, "jitter": false}
    }"#;
    let shown = |method: &str, answer: fn(&Host, u32)| {
        let host = start(configuration);
        let stream = host.request(&head(method, &[]), true);
        stream.response(&[(":status", "503")], true);
        host.advance(DELAY);
        answer(&host, host.pending_call().token);
        let given = stream
            .sent()
            .map_or_else(|| stream.response_headers(), |sent| sent.headers);
        ["x-steerage-endpoint", "x-steerage-attempts"].map(|name| values(&given, name).concat())
    };
    let good: fn(&Host, u32) = |host, token| host.answer(token, OK, b"hello");
    for answer in [good, Host::answer_reset] {
        assert_eq!(shown("GET", answer), ["west", "2"]);
        assert_eq!(shown("HEAD", answer), ["west", "2"]);
    }
}

#[test]
fn an_upstreams_own_attempt_headers_are_replaced_by_ours() {
    // Another Steerage behind this one sends them. `steering` has the same test of first answers.
    for method in ["GET", "HEAD"] {
        let host = start(r#"{"endpoints": ["a", "b"], "response_headers": true}"#);
        let stream = host.request(&head(method, &[]), true);
        stream.router_failed(503, "no_healthy_upstream", b"");
        host.advance(DELAY);
        let answer = [
            (":status", "200"),
            ("x-steerage-endpoint", "theirs"),
            ("x-steerage-attempts", "9"),
        ];
        host.answer(host.pending_call().token, &answer, b"");
        let given = stream
            .sent()
            .map_or_else(|| stream.response_headers(), |sent| sent.headers);
        assert_eq!(values(&given, "x-steerage-endpoint"), ["b"], "{method}");
        assert_eq!(values(&given, "x-steerage-attempts"), ["2"], "{method}");
    }
}

#[test]
fn without_that_setting_the_client_learns_nothing_of_the_attempts() {
    let host = start(PLAIN);
    let (stream, call) = calling(&host);
    host.answer(call.token, OK, b"");
    let shown = stream.sent().unwrap().headers;
    assert!(!shown.iter().any(|(name, _)| name.starts_with("x-steerage")));
}

#[test]
fn an_answer_without_a_usable_status_counts_as_a_broken_one() {
    for status in [None, Some("garbage"), Some(""), Some("70000"), Some("-200")] {
        let host = start(PLAIN);
        let (stream, call) = calling(&host);
        let answer: Vec<_> = status
            .map(|status| (":status", status))
            .into_iter()
            .collect();
        host.answer(call.token, &answer, b"x");
        assert!(
            stream.is_paused(),
            "{status:?} must be retried like a reset"
        );
        host.advance(DELAY);
        host.answer_as_given(host.pending_call().token, headers(NO_HEADERS), b"");
        assert!(stream.was_resumed(), "{status:?}");
        stream.finish();
    }
}

#[test]
fn a_failure_that_came_in_parts_is_given_back_in_one_piece() {
    let host = start(PLAIN);
    let stream = get(&host);
    stream.response(&[(":status", "503")], false);
    stream.response_body(b"ans", false);
    host.advance(DELAY);
    host.answer_reset(host.pending_call().token);
    stream.response_body(b"wer", false);
    host.advance(DELAY);
    host.answer_reset(host.pending_call().token);
    assert!(stream.was_resumed());
    // It was paused in the middle of its body, and the rest comes after the resume.
    stream.response_body(b" 1", true);
    assert_eq!(text(&stream.response_passed()), "answer 1");
    stream.finish();

    // The client had got nothing of this before.
    let stream = get(&host);
    fail_first(stream);
    assert_eq!(stream.response_passed(), b"");
}
