//! Configurations: accepted, refused, and several at a time.

use std::time::Duration;

use crate::fake_host::{Host, LogLevel, Setup, guest};
use crate::scene::{DELAY, OK, PLAIN, UNAVAILABLE, cluster_of, get, head, start, text};

/// Every error line that was logged, as one text.
fn errors(host: &Host) -> String {
    host.logs()
        .into_iter()
        .filter(|(level, _)| matches!(level, LogLevel::Error | LogLevel::Critical))
        .map(|(_, line)| line + "\n")
        .collect()
}

#[test]
fn the_smallest_configuration_works() {
    let host = start(r#"{"endpoints": ["a", "b"]}"#);
    assert_eq!(cluster_of(get(&host)), "a");
    assert_eq!(errors(&host), "");
}

#[test]
fn a_refused_configuration_has_all_its_errors_logged() {
    let configuration = r#"{
        "endpoints": ["a", "a", {"cluster": "b", "weight": -1}],
        "load_balancer": {"strategy": "fastest"},
        "retry_policy": {"max_attempts": 0, "retry_on": ["fire"]},
        "timeout": {"raed": 1},
        "surprise": true
    }"#;
    let host = Setup::new().start(Some(configuration.as_bytes()), steerage::register);
    assert!(!host.accepted());
    let errors = errors(&host);
    for path in [
        "endpoints[1]",
        "endpoints[2].weight",
        "load_balancer.strategy",
        "retry_policy.max_attempts",
        "retry_policy.retry_on",
        "timeout.raed",
        "surprise",
    ] {
        assert!(errors.contains(path), "{path} is missing in:\n{errors}");
    }
    assert_eq!(host.tick_in(), None);
}

#[test]
fn a_text_that_is_no_configuration_is_refused_with_a_reason() {
    for bytes in [
        None,
        Some(&b""[..]),
        Some(b"hello"),
        Some(b"{\"endpoints\": ["),
        Some(b"[]"),
        Some(b"\x0a\x0b\x0a\x09endpoints\x12\x00\xff"),
        Some(b"{}"),
    ] {
        let host = Setup::new().start(bytes, steerage::register);
        assert!(!host.accepted(), "{bytes:?}");
        assert!(!errors(&host).trim().is_empty(), "{bytes:?}");
    }
}

#[test]
fn the_load_in_the_routers_upstream_filters_is_taken_and_touches_nothing() {
    let host = start(r#"{"role": "attempts"}"#);
    assert_eq!(host.tick_in(), None);
    let stream = get(&host);
    assert_eq!(stream.request_header("x-steerage-cluster"), None);
    assert_eq!(errors(&host), "");
}

#[test]
fn configurations_in_one_vm_do_not_mix() {
    let host = start(PLAIN);
    let other = host.add_root(Some(
        br#"{"endpoints": ["c"], "cluster_header": "x-other",
             "timeout": {"connect": 1, "read": 1, "total": 2}}"#,
    ));
    assert!(other.accepted());
    let ours = get(&host);
    let theirs = other.request(&head("GET", &[]), true);
    assert_eq!(cluster_of(ours), "a");
    assert_eq!(theirs.request_header("x-other").as_deref(), Some(&b"c"[..]));
    assert_eq!(theirs.request_header("x-steerage-cluster"), None);
    // Each root keeps its own timer, makes its own calls and gets their answers.
    ours.response(UNAVAILABLE, true);
    theirs.response(OK, true);
    assert_eq!(host.tick_in(), Some(DELAY));
    host.advance(DELAY);
    let call = host.pending_call();
    assert_eq!(call.root, host.root().id());
    host.answer(call.token, OK, b"ours");
    assert_eq!(text(&ours.sent().unwrap().body), "ours");
    theirs.finish();
    assert_eq!(theirs.sent(), None);
}

#[test]
fn a_new_configuration_leaves_the_streams_of_the_old_one_alone() {
    let host = start(PLAIN);
    let stream = crate::scene::waiting(&host);
    assert!(!host.add_root(Some(b"nonsense")).accepted());
    let new = host.add_root(Some(br#"{"endpoints": ["c"]}"#));
    host.advance(DELAY);
    host.answer(host.pending_call().token, OK, b"old");
    assert_eq!(text(&stream.sent().unwrap().body), "old");
    assert_eq!(cluster_of(new.request(&head("GET", &[]), true)), "c");
}

#[test]
fn the_calls_of_a_deleted_root_are_cancelled() {
    let host = start(PLAIN);
    let old = host.add_root(Some(PLAIN.as_bytes()));
    let stream = old.request(&head("GET", &[]), true);
    stream.response(UNAVAILABLE, true);
    host.advance(DELAY);
    stream.client_gone();
    old.remove();
    assert!(host.pending_calls().is_empty());
    host.advance(Duration::from_secs(600));
    assert!(host.calls().len() == 1, "there is no retry");
}

#[test]
fn a_stream_passes_by_a_root_that_has_no_configuration() {
    // Envoy gives no stream to such a root, so this goes past the fake's rules.
    let host = Setup::new().start(Some(b"refused"), steerage::register);
    let (root, stream) = (host.root().id(), 1_000);
    const CONTINUE: u32 = 0;
    guest::proxy_on_context_create(stream, root);
    let request = guest::proxy_on_request_headers(stream, 4, 0);
    assert_eq!(request, CONTINUE);
    assert_eq!(guest::proxy_on_request_body(stream, 5, 1), CONTINUE);
    assert_eq!(guest::proxy_on_response_headers(stream, 1, 1), CONTINUE);
    guest::proxy_on_tick(root);
    guest::proxy_on_delete(stream);
}
