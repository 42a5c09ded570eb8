//! What an upstream sees of the filter: the attempt's number, and nothing else. A second upstream
//! sees what the first one saw.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use steerage_harness::{Client, Received, Reply, Upstream, eventually, run};

use crate::support::{assert_unharmed, envoy_of, request_of};

/// What differs from one attempt to the next, and what Envoy adds to every call of a filter.
const DIFFERS: [&str; 3] = [
    "x-envoy-attempt-count",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-internal",
];

/// All headers but those that differ, with all values of each.
fn same(received: &Received) -> BTreeMap<String, Vec<String>> {
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in &received.headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers.entry(name.to_string()).or_default().push(value);
    }
    headers.retain(|name, _| !DIFFERS.contains(&name.as_str()));
    headers
}

/// Names of the filter's own headers, and values that hold the name of a cluster.
fn ours(received: &Received) -> BTreeSet<String> {
    let headers = received.headers.iter();
    let found = headers.filter(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        name.as_str().contains("steerage") || value.contains("internal-name")
    });
    found.map(|(name, _)| name.to_string()).collect()
}

#[test]
fn no_attempt_no_hedge_and_no_check_shows_an_upstream_anything_of_ours() {
    run(async {
        for workers in [1, 2, 4] {
            let bad = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
            let worse = Upstream::start(|received, _| match &*received.path {
                "/hedged" => Reply::hang(),
                "/health" => Reply::ok(),
                _ => Reply::reset(),
            });
            let worse = worse.await.unwrap();
            let well = Upstream::named("well").await.unwrap();
            let clusters = [
                ("internal-name-1", bad.addr()),
                ("internal-name-2", worse.addr()),
                ("internal-name-3", well.addr()),
            ];
            let config = r#"{"pools": [
                {"name": "hedged", "match": {"path": "/hedged"},
                 "endpoints": ["internal-name-2", {"cluster": "internal-name-3", "priority": 1}],
                 "retry_policy": {"hedge": {"delay": 0.02, "ratio": 1}}},
                {"name": "retried", "health_check": {"interval": 0.2, "host": "app.example",
                    "unhealthy_threshold": 1000, "healthy_statuses": ["2xx", 503]},
                 "endpoints": ["internal-name-1", {"cluster": "internal-name-2", "priority": 1},
                    {"cluster": "internal-name-3", "priority": 2}],
                 "retry_policy": {"base_delay": 0.001}, "response_headers": true}
            ]}"#;
            let envoy = envoy_of(&clusters, config).concurrency(workers);
            let envoy = envoy.start().await.unwrap();
            let sent = [
                ("x-steerage-cluster", "internal-name-3"),
                ("x-steerage-endpoint", "internal-name-3"),
                ("x-own", "1"),
                ("x-own", "2"),
                ("idempotency-key", "k"),
            ];
            for (method, path) in [("GET", "/a?b"), ("POST", "/c"), ("GET", "/hedged")] {
                for number in 0..4 {
                    let body = if method == "POST" { "hello" } else { "" };
                    let request = request_of(method, path, &sent, body);
                    let client = Client::one_shot();
                    let answer = client.request(envoy.addr(), request).await.unwrap();
                    assert_eq!(answer.text(), "well", "{method} {path}, {number}");
                }
            }
            eventually("checks of all", Duration::from_secs(5), async || {
                let mut all = [&bad, &worse, &well].into_iter();
                let checked = |upstream: &Upstream| {
                    let received = upstream.received();
                    received.iter().any(|it| it.path == "/health")
                };
                all.all(checked).then_some(())
            })
            .await
            .unwrap();

            let seen = [&bad, &worse, &well].map(Upstream::received);
            for received in seen.iter().flatten() {
                let found = ours(received);
                assert!(
                    found.is_empty(),
                    "{workers} workers: {found:?} in {received:?}"
                );
            }
            let path = |received: &[Received], path: &str| -> Vec<_> {
                let of = received.iter().filter(|it| it.path == path);
                of.cloned().collect()
            };
            for (requested, from) in [("/a?b", 0), ("/c", 0), ("/hedged", 1)] {
                let attempts = seen.each_ref().map(|received| path(received, requested));
                for number in 0..4 {
                    let first = &attempts[from][number];
                    assert_eq!(first.header("x-envoy-attempt-count").unwrap(), "1");
                    for (later, count) in attempts[from + 1..].iter().zip(2..) {
                        let later = &later[number];
                        let counted = later.header("x-envoy-attempt-count").unwrap();
                        assert_eq!(counted, count.to_string());
                        assert_eq!(same(later), same(first), "{requested}, attempt {count}");
                        assert_eq!(later.body, first.body);
                    }
                }
            }
            assert_unharmed(&envoy).await;
        }
    });
}
