//! Configurations, and what a client and upstreams do.

use std::fmt::Write as _;
use std::time::Duration;

use crate::engine::{self, Meter};
use crate::fake_host::{Host, Setup, Stream};

/// What a browser's request looks like when it comes to the filter.
const REQUEST: [(&str, &str); 10] = [
    (":method", "GET"),
    (":scheme", "https"),
    (":path", "/cart?id=7"),
    (":authority", "shop.example"),
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0",
    ),
    ("accept", "text/html,application/xhtml+xml"),
    ("accept-encoding", "gzip, deflate, br"),
    ("x-forwarded-for", "192.0.2.7"),
    ("x-forwarded-proto", "https"),
    ("x-request-id", "9f2c1d1e-4b7a-4c0e-9a55-0d6f0a1b2c3d"),
];

const ANSWER: [(&str, &str); 5] = [
    (":status", "200"),
    ("content-type", "text/html"),
    ("content-length", "5"),
    ("date", "Sun, 15 Jun 2025 12:00:00 GMT"),
    ("x-envoy-upstream-service-time", "3"),
];

/// `"endpoints"` with so many, as a field.
pub(crate) fn endpoints(count: usize) -> String {
    let mut names = String::new();
    for n in 0..count {
        let comma = if n == 0 { "" } else { "," };
        let _ = write!(names, "{comma}\"e{n}\"");
    }
    format!(r#""endpoints": [{names}]"#)
}

/// With so many endpoints, this strategy and every other default.
pub(crate) fn with_strategy(count: usize, strategy: &str) -> String {
    let endpoints = endpoints(count);
    format!(r#"{{{endpoints}, "load_balancer": {{"strategy": "{strategy}"}}}}"#)
}

/// Everything that makes a healthy request dearer, but for what the client is told.
pub(crate) fn everything() -> String {
    everything_and("")
}

/// That, too.
pub(crate) fn with_response_headers() -> String {
    everything_and(r#", "response_headers": true"#)
}

fn everything_and(more: &str) -> String {
    let endpoints = endpoints(4);
    format!(
        r#"{{{endpoints}, "load_balancer": {{"strategy": "least_response_time"}},
        "retry_policy": {{"budget": {{"ratio": 0.2}}}}, "circuit_breaker": {{"failure_threshold": 5}},
        "health_check": {{"interval": 30}}, "enable_metrics_interceptor": true{more}}}"#
    )
}

/// So many pools, of which the last takes the requests.
pub(crate) fn with_pools(count: usize) -> String {
    let endpoints = endpoints(4);
    let mut pools = String::new();
    for n in 1..count {
        let _ = write!(
            pools,
            r#"{{"name": "p{n}", "match": {{"prefix": "/p{n}/"}}, {endpoints}}},"#
        );
    }
    format!(r#"{{"pools": [{pools}{{"match": {{"prefix": "/cart"}}, {endpoints}}}]}}"#)
}

/// Retries wait for this long, and nothing but their number limits them.
pub(crate) fn retrying(delay: &str) -> String {
    let endpoints = endpoints(4);
    format!(
        r#"{{{endpoints}, "sync_interval": 10, "timeout": {{"total": "20h"}},
        "circuit_breaker": {{"failure_threshold": 1000000, "minimum_requests": 1000000}},
        "retry_policy": {{"strategy": "fixed", "base_delay": "{delay}", "max_delay": "20h", "jitter": false, "budget": false}}}}"#
    )
}

/// Every attempt has a header set. The router makes the retries, but none of a POST.
pub(crate) fn intercepted() -> String {
    let endpoints = endpoints(4);
    let value = "x".repeat(200);
    format!(
        r#"{{{endpoints}, "retries": "router", "retry_policy": {{"retry_on": ["reset"]}},
        "interceptors": {{"request": [{{"set_header": {{"x-set": "{value}"}}}}]}}}}"#
    )
}

/// The host with the shipped module as its guest.
pub(crate) fn module(configuration: &str) -> (Host, Meter) {
    let meter = engine::load();
    (start(configuration, || ()), meter)
}

/// The host with the filter linked natively.
pub(crate) fn native(configuration: &str) -> Host {
    start(configuration, steerage::register)
}

pub(crate) fn start(configuration: &str, register: fn()) -> Host {
    let setup = (0..200).fold(Setup::new(), |setup, n| setup.cluster(&format!("e{n}")));
    let host = setup.start(Some(configuration.as_bytes()), register);
    assert!(host.accepted(), "{:?}", host.logs());
    pass(&host, Duration::from_secs(1));
    host
}

/// Time passes, and health checks are answered.
pub(crate) fn pass(host: &Host, time: Duration) {
    host.advance(time);
    for call in host.pending_calls() {
        host.answer(call.token, &ANSWER, b"");
    }
}

fn answered(stream: Stream) {
    stream.response(&ANSWER, false);
    stream.response_body(b"hello", true);
    stream.finish();
}

pub(crate) fn get(host: &Host) {
    answered(host.request(&REQUEST, true));
}

pub(crate) fn post(host: &Host) {
    let mut head = REQUEST.to_vec();
    head[0].1 = "POST";
    let stream = host.request(&head, false);
    stream.request_body(&[b'x'; 1_000], true);
    answered(stream);
}

/// A GET whose first attempt has failed.
pub(crate) fn waiting(host: &Host) -> Stream {
    let stream = host.request(&REQUEST, true);
    stream.response(&[(":status", "503"), ("content-length", "0")], true);
    assert!(stream.is_paused());
    stream
}

pub(crate) fn retried(host: &Host) {
    let stream = waiting(host);
    host.advance(Duration::from_millis(100));
    host.answer(host.pending_call().token, &ANSWER, b"hello");
    assert!(stream.has_ended());
}
