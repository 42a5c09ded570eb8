//! The documents of the admin surface, field by field, after a scene with known times.

use std::time::Duration;

use rand::Rng;
use serde_json::{Value, json};
use steerage::Extensions;
use steerage_policy::balance::{Balancer, Candidates, HashKey};
use steerage_policy::endpoint::EndpointIndex;
use steerage_policy::time::Instant;

use crate::admin::{TOKEN, ask, head_of};
use crate::fake_host::{Host, Stream};
use crate::operating::{ROUND, change};
use crate::scene::{OK, cluster_of, get, start, start_with, text};

const MILLISECOND: Duration = Duration::from_millis(1);

const SHOP: &str = r#"{
    "name": "shop",
    "endpoints": ["a", {"cluster": "b", "weight": 2.5, "name": "bee"}, "c"],
    "load_balancer": {"strategy": "round_robin"},
    "retry_policy": {"strategy": "fixed", "base_delay": 0.1, "jitter": false, "max_attempts": 2},
    "circuit_breaker": {"failure_threshold": 1, "timeout": 30},
    "health_check": {"interval": 20, "jitter": 0},
    "admin": {"path": "/steerage", "token": "s3cret-t0ken"}
}"#;

#[track_caller]
fn read(host: &Host, name: &str) -> (u32, String) {
    let sent = ask(host, "GET", &format!("/steerage/{name}"), &[TOKEN]);
    (sent.status, text(&sent.body))
}

#[track_caller]
fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Answers the newest call, which must go to `cluster`.
#[track_caller]
fn answer(host: &Host, cluster: &str, answer: &[(&str, &str)]) {
    let call = host.pending_calls().pop().unwrap();
    assert_eq!(call.cluster, cluster);
    host.answer(call.token, answer, b"");
}

/// A GET that is sent to `cluster` and answered after so many milliseconds.
#[track_caller]
fn answered(host: &Host, cluster: &str, millis: u32, answer: &[(&str, &str)]) -> Stream {
    let stream = get(host);
    assert_eq!(cluster_of(stream), cluster);
    host.advance(millis * MILLISECOND);
    stream.response(answer, true);
    stream
}

/// In turn, retries as well.
#[derive(Debug, Default)]
struct EveryAttempt(Option<EndpointIndex>);

impl Balancer for EveryAttempt {
    fn pick(
        &mut self,
        candidates: &Candidates<'_>,
        _key: Option<HashKey>,
        _now: Instant,
        _rng: &mut dyn Rng,
    ) -> Option<EndpointIndex> {
        let mut left = candidates.iter().map(|candidate| candidate.index);
        let next = left.find(|index| Some(*index) > self.0);
        self.0 = next.or_else(|| candidates.iter().next().map(|first| first.index));
        self.0
    }
}

/// Four requests, beginning a millisecond after noon; the last one never ends.
#[track_caller]
fn scene() -> Host {
    let host = start_with(SHOP, |_| {
        Extensions::new().balancer(EveryAttempt::default())
    });
    // The first checks; that of c is never answered.
    let checks = host.pending_calls();
    for (check, status) in checks.iter().zip(["200", "404"]) {
        host.answer(check.token, &[(":status", status)], b"");
    }
    answered(&host, "a", 50, OK).finish();
    // At .071 the breaker of b opens, for 30 s; the retry is at .171 and ends at .201.
    answered(&host, "b", 20, &[(":status", "503")]);
    host.advance(130 * MILLISECOND);
    answer(&host, "c", OK);
    // At .211 a begins to cool down for 40 s; the retry is at once, and ends at .251.
    answered(&host, "a", 10, &[(":status", "429"), ("retry-after", "40")]);
    host.advance(40 * MILLISECOND);
    answer(&host, "c", &[(":status", "404")]);
    // Not repeated, because it is a POST.
    let post = host.request(&head_of("POST", "/", &[]), true);
    host.advance(100 * MILLISECOND);
    post.response(&[(":status", "500")], true);
    host
}

/// The fields of a document, in order; they must have no values that are objects.
#[track_caller]
fn names(document: &str) -> Vec<&str> {
    let pairs = document
        .split(['{', ','])
        .filter_map(|pair| pair.split_once("\":"));
    pairs
        .filter_map(|(name, _)| name.strip_prefix('"'))
        .collect()
}

#[test]
fn endpoints_are_reported_field_by_field() {
    let host = scene();
    host.advance(ROUND);
    let (status, document) = read(&host, "endpoints");
    assert_eq!(status, 200);
    let wanted = json!([{
        "pool": "shop", "url": "a", "health": "healthy", "available": false,
        "exclusion": "cooling_down", "weight": 1.0, "active_connections": 0,
        "total_requests": 2, "successful_requests": 1, "failed_requests": 1, "success_rate": 0.5,
        "average_response_time": 0.03, "last_response_time": 0.01,
        "consecutive_failures": 0, "consecutive_successes": 0,
        "circuit_breaker_open": false, "circuit_breaker_state": "closed",
        "circuit_breaker_open_until": null, "last_health_check": "2025-06-15T12:00:00.001Z",
        "cooling_until": "2025-06-15T12:00:40.211Z", "limit": 100,
    }, {
        "pool": "shop", "url": "b", "health": "degraded", "available": true,
        "exclusion": "breaker_open", "weight": 2.5, "active_connections": 0,
        "total_requests": 1, "successful_requests": 0, "failed_requests": 1, "success_rate": 0.0,
        "average_response_time": 0.02, "last_response_time": 0.02,
        "consecutive_failures": 1, "consecutive_successes": 0,
        "circuit_breaker_open": true, "circuit_breaker_state": "open",
        "circuit_breaker_open_until": "2025-06-15T12:00:30.071Z",
        "last_health_check": "2025-06-15T12:00:00.001Z", "cooling_until": null, "limit": 100,
    }, {
        "pool": "shop", "url": "c", "health": "unknown", "available": true,
        "exclusion": "breaker_open", "weight": 1.0, "active_connections": 1,
        "total_requests": 3, "successful_requests": 2, "failed_requests": 1,
        "success_rate": 2.0 / 3.0,
        "average_response_time": 0.169 / 3.0, "last_response_time": 0.1,
        "consecutive_failures": 1, "consecutive_successes": 0,
        "circuit_breaker_open": true, "circuit_breaker_state": "open",
        "circuit_breaker_open_until": "2025-06-15T12:00:30.351Z", "last_health_check": null,
        "cooling_until": null, "limit": 100,
    }]);
    assert_eq!(value(&document), wanted);
    let order = [
        "pool",
        "url",
        "health",
        "available",
        "exclusion",
        "weight",
        "active_connections",
        "total_requests",
        "successful_requests",
        "failed_requests",
        "success_rate",
        "average_response_time",
        "last_response_time",
        "consecutive_failures",
        "consecutive_successes",
        "circuit_breaker_open",
        "circuit_breaker_state",
        "circuit_breaker_open_until",
        "last_health_check",
        "cooling_until",
        "limit",
    ];
    assert_eq!(names(&document), order.repeat(3));
}

#[test]
fn sizing_is_reported_field_by_field() {
    let host = scene();
    host.advance(ROUND);
    let (status, document) = read(&host, "sizing");
    assert_eq!(status, 200);
    let order = [
        "pool",
        "url",
        "attempts_per_second",
        "response_time",
        "max_connections",
        "max_keepalive_connections",
        "keepalive_expiry",
    ];
    assert_eq!(names(&document), order.repeat(3));
    let sizing = value(&document);
    assert_eq!(sizing[0]["pool"], "shop");
    assert_eq!(sizing[0]["url"], "a");
    // Two attempts, of 50 and 10 ms, within the ten seconds of the breaker's window.
    assert_eq!(sizing[0]["attempts_per_second"], 0.2);
    assert_eq!(sizing[0]["response_time"], 0.03);
    assert_eq!(sizing[0]["max_connections"], 1);
    assert_eq!(sizing[0]["keepalive_expiry"], 5.0);
}

#[test]
fn metrics_are_reported_field_by_field() {
    let host = scene();
    host.advance(ROUND);
    let (status, document) = read(&host, "metrics");
    assert_eq!(status, 200);
    let mut found = value(&document);
    // Right to within 6 %, and never too low.
    let p95 = found["p95_response_time"].take().as_f64().unwrap();
    assert!((0.15..0.159).contains(&p95), "{p95}");
    let wanted = json!({
        "total_requests": 4, "successful_requests": 3, "failed_requests": 1, "success_rate": 0.75,
        "average_response_time": 0.0875, "p95_response_time": null, "retry_attempts": 2,
        "circuit_breaker_activations": 2,
        "load_balancer_selections": {"a": 2, "bee": 1, "c": 3},
        "endpoint_failures": {"a": 1, "bee": 1, "c": 1},
        "status_code_distribution": {"200": 2, "404": 1, "429": 1, "500": 1, "503": 1},
        "retries_denied": {"method": 1},
    });
    assert_eq!(found, wanted);
    let order = [
        "total_requests",
        "successful_requests",
        "failed_requests",
        "success_rate",
        "average_response_time",
        "p95_response_time",
        "retry_attempts",
        "circuit_breaker_activations",
        "load_balancer_selections",
        "endpoint_failures",
        "status_code_distribution",
        "retries_denied",
    ];
    let places: Vec<_> = order
        .iter()
        .map(|name| document.find(&format!("\"{name}\":")).unwrap())
        .collect();
    assert!(places.is_sorted(), "{document}");
}

#[test]
fn health_is_reported_field_by_field() {
    let host = start(SHOP);
    let healthy = r#"{"status":"healthy","healthy_endpoints":3,"total_endpoints":3,"load_balancer_strategy":"round_robin","response_time":0.0}"#;
    assert_eq!(read(&host, "health"), (200, healthy.to_owned()));
    change(&host, "a/health", r#"{"health": "degraded"}"#);
    let degraded = healthy.replace("healthy\",", "degraded\",");
    assert_eq!(read(&host, "health"), (200, degraded.clone()));
    change(&host, "a/health", r#"{"health": "unhealthy"}"#);
    change(&host, "b/circuit", r#"{"state": "open"}"#);
    let one = degraded.replace("\"healthy_endpoints\":3", "\"healthy_endpoints\":1");
    assert_eq!(read(&host, "health"), (200, one));
    change(&host, "c/circuit", r#"{"state": "open"}"#);
    let (status, document) = read(&host, "health");
    assert_eq!(
        (status, &value(&document)["status"]),
        (503, &json!("unhealthy"))
    );

    drop(host);
    let host = scene();
    host.advance(ROUND);
    // Whatever breakers say, requests are served by b and c.
    let panic = r#"{"status":"degraded","healthy_endpoints":0,"total_endpoints":3,"panic":true,"load_balancer_strategy":"round_robin","response_time":0.0875}"#;
    assert_eq!(read(&host, "health"), (200, panic.to_owned()));
}

#[test]
fn consecutive_results_and_trials_are_reported() {
    let host = start(
        &SHOP
            .replace("\"failure_threshold\": 1", "\"failure_threshold\": 3")
            .replace("\"max_attempts\": 2", "\"max_attempts\": 1"),
    );
    let a = || {
        host.advance(ROUND);
        let it = value(&read(&host, "endpoints").1)[0].take();
        (
            it["consecutive_successes"].as_u64().unwrap(),
            it["consecutive_failures"].as_u64().unwrap(),
            it["circuit_breaker_state"].as_str().unwrap().to_owned(),
        )
    };
    change(&host, "b/circuit", r#"{"state": "open"}"#);
    change(&host, "c/circuit", r#"{"state": "open"}"#);
    let closed = "closed".to_owned();
    for successes in 1..=2 {
        answered(&host, "a", 1, OK).finish();
        assert_eq!(a(), (successes, 0, closed.clone()));
    }
    for failures in 1..=2 {
        answered(&host, "a", 1, &[(":status", "500")]).finish();
        assert_eq!(a(), (0, failures, closed.clone()));
    }
    answered(&host, "a", 1, OK).finish();
    assert_eq!(a(), (1, 0, closed));
    for _ in 0..3 {
        answered(&host, "a", 1, &[(":status", "500")]).finish();
        host.advance(ROUND);
    }
    assert_eq!(a(), (0, 3, "open".to_owned()));
    host.advance(Duration::from_secs(30));
    let trial = get(&host);
    assert_eq!(cluster_of(trial), "a");
    assert_eq!(a(), (0, 3, "half_open".to_owned()));
    let it = value(&read(&host, "endpoints").1)[0].take();
    assert_eq!(it["exclusion"], "breaker_open", "its only permit is taken");
    assert_eq!(it["circuit_breaker_open"], false);
    trial.client_gone();
}

#[test]
fn pools_are_added_up_and_without_pools_documents_are_empty() {
    let host = start(
        r#"{"pools": [
            {"name": "one", "match": {"path": "/one"}, "endpoints": ["a", "b"]},
            {"name": "two", "load_balancer": {"strategy": "random"},
             "endpoints": [{"cluster": "c", "name": "a"}]}],
            "admin": {"path": "/steerage", "token": "s3cret-t0ken"}}"#,
    );
    for path in ["/one", "/one", "/two", "/two"] {
        let stream = host.request(&head_of("GET", path, &[]), true);
        stream.response(OK, true);
        stream.finish();
    }
    host.advance(ROUND);
    let metrics = value(&read(&host, "metrics").1);
    assert_eq!(metrics["total_requests"], 4);
    assert_eq!(metrics["load_balancer_selections"], json!({"a": 3, "b": 1}));
    let health = value(&read(&host, "health").1);
    assert_eq!(health["load_balancer_strategy"], "round_robin, random");
    assert_eq!(health["total_endpoints"], 3);

    drop(host);
    let host = start(r#"{"admin": {"path": "/steerage", "token": "s3cret-t0ken"}}"#);
    assert_eq!(read(&host, "endpoints"), (200, "[]".to_owned()));
    let (status, document) = read(&host, "metrics");
    assert_eq!(
        (status, &value(&document)["success_rate"]),
        (200, &json!(1.0))
    );
    assert_eq!(value(&document)["p95_response_time"], json!(0.0));
    assert_eq!(read(&host, "health").0, 503);
}
