//! Callbacks that come in while a hostcall of the filter is still under way.
//!
//! Envoy begins a call at once. Where the filter is an upstream filter of that cluster as well, in
//! the same VM, its context is created and gets the request's headers before `proxy_http_call` has
//! returned.

use std::time::Duration;

use crate::fake_host::{Action, Host};
use crate::scene::{
    DELAY, OK, PLAIN, ROUND, UNAVAILABLE, calling, cluster_of, get, start, waiting,
    with_retry_policy,
};

fn start_in_front_of_upstreams(configuration: &str) -> Host {
    let host = start(configuration);
    host.filter_upstreams();
    host
}

#[test]
fn a_callback_that_comes_back_in_during_a_call_is_handled() {
    let host = start_in_front_of_upstreams(PLAIN);
    let (stream, call) = calling(&host);
    let streams = host.upstream_streams();
    let [nested] = streams.as_slice() else {
        panic!("one call is one stream: {streams:?}");
    };
    // It is a request like any other, and steered as one.
    assert_eq!(nested.request_action(), Action::Continue);
    assert_eq!(cluster_of(*nested), "b");
    nested.response(OK, true);
    nested.finish();
    host.answer(call.token, OK, b"well");
    assert_eq!(stream.sent().unwrap().body, b"well");
}

#[test]
fn a_stream_that_began_during_a_call_is_retried_by_calls_of_its_own() {
    let host = start_in_front_of_upstreams(PLAIN);
    let (stream, first) = calling(&host);
    let nested = host.upstream_streams()[0];
    nested.response(UNAVAILABLE, true);
    assert!(nested.is_paused());
    host.advance(DELAY);
    // Its retry has nested once more.
    assert_eq!(host.upstream_streams().len(), 2);
    let second = host.calls().last().unwrap().clone();
    assert_ne!(second.token, first.token);
    host.answer(second.token, OK, b"second");
    assert_eq!(nested.sent().unwrap().body, b"second");
    host.answer(first.token, OK, b"first");
    assert_eq!(stream.sent().unwrap().body, b"first");
}

#[test]
fn many_calls_of_one_tick_nest_one_after_the_other() {
    let host = start_in_front_of_upstreams(PLAIN);
    let streams: Vec<_> = (0..8).map(|_| waiting(&host)).collect();
    host.advance(DELAY);
    assert_eq!(host.upstream_streams().len(), streams.len());
    for call in host.calls() {
        host.answer(call.token, OK, b"well");
    }
    for stream in streams {
        assert_eq!(stream.sent().unwrap().status, 200);
    }
}

#[test]
fn a_health_check_comes_by_as_a_stream_and_goes_on() {
    let host = start_in_front_of_upstreams(
        r#"{"endpoints": ["a", "b"], "health_check": {"interval": 10}, "sync_interval": 10}"#,
    );
    // The first checks were made before.
    let before = host.calls().len();
    host.advance(2 * ROUND);
    let (calls, streams) = (host.calls().len() - before, host.upstream_streams());
    assert!(calls >= 2, "{calls} checks");
    assert_eq!(streams.len(), calls);
    for nested in streams {
        assert_eq!(nested.request_action(), Action::Continue);
    }
}

#[test]
fn a_hedge_comes_by_as_a_stream_while_the_first_attempt_is_under_way() {
    let policy = with_retry_policy(r#""hedge": {"delay": 0.1, "ratio": 1.0}, "budget": false"#);
    let host = start_in_front_of_upstreams(&policy);
    let stream = get(&host);
    host.advance(Duration::from_millis(101));
    assert_eq!(host.upstream_streams().len(), 1);
    let hedge = host.pending_call();
    host.answer(hedge.token, OK, b"hedged");
    assert_eq!(stream.sent().unwrap().body, b"hedged");
}
