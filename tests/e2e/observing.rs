//! What an operator can see of the filter in Envoy's own outputs:
//! - metrics with labels whose sums are exactly what upstreams and clients have counted;
//! - the endpoint, the attempts and the reason in the access log, with the Envoy that ships for
//!   operators;
//! - each decision as a line at `wasm:debug`, as soon as that is switched on.

use std::collections::BTreeMap;
use std::time::Duration;

use steerage_harness::serde_json::{self, Value, json};
use steerage_harness::tokio::time::sleep;
use steerage_harness::{Client, Envoy, Load, Reply, Upstream, eventually, repository, run};

use crate::support::{ask, assert_unharmed, envoy_of, request_of};

/// A cluster's name with dots, pipes, underscores and hyphens.
const ISTIO: &str = "outbound|80||api_v1.ns-a.svc.cluster.local";

/// Series of the filter as Prometheus gets them: the name with its labels, and the value.
async fn scrape(envoy: &Envoy) -> Vec<(String, f64)> {
    let text = envoy.admin_get("/stats/prometheus").await.unwrap();
    text.lines()
        .filter(|line| line.starts_with("steerage_"))
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.parse().unwrap())
        })
        .collect()
}

/// The sum of all series whose text has all of these parts.
fn sum(series: &[(String, f64)], parts: &[&str]) -> f64 {
    let matching = series
        .iter()
        .filter(|(name, _)| parts.iter().all(|part| name.contains(part)));
    matching.map(|(_, value)| value).sum()
}

#[test]
fn sums_of_metrics_are_what_upstreams_and_clients_have_counted() {
    run(async {
        let good = Upstream::named("good").await.unwrap();
        let bad =
            Upstream::start(|_, number| Reply::status(if number % 3 == 0 { 503 } else { 200 }));
        let bad = bad.await.unwrap();
        let gone = Upstream::refusing().unwrap();
        let clusters = [
            (ISTIO, good.addr()),
            ("bad.one", bad.addr()),
            ("gone", gone.addr()),
        ];
        let config = json!({
            "name": "shop",
            "endpoints": [ISTIO, {"cluster": "bad.one", "name": "bad;one"}, "gone"],
            "retry_policy": {"max_attempts": 3, "strategy": "fixed", "base_delay": 0.001},
        });
        let envoy = envoy_of(&clusters, &config.to_string())
            .concurrency(4)
            // Before that a histogram shows nothing.
            .merge_bootstrap(json!({"stats_flush_interval": "0.2s"}))
            .start()
            .await
            .unwrap();
        let load = Load::new(envoy.addr()).total(400).concurrency(8);
        let report = load.run().await;
        let counted = async || {
            let series = scrape(&envoy).await;
            let requests = sum(&series, &["steerage_requests_total{", "pool=\"shop\""]);
            let durations = sum(&series, &["steerage_attempt_duration_ms_count{"]);
            let attempts = sum(&series, &["steerage_attempts_total{"]);
            // A round may fall between a request's arrival and its answer.
            let answers = sum(&series, &["steerage_answers_total{"]);
            let all = requests >= 400.0 && answers >= 400.0;
            (all && durations == attempts).then_some(series)
        };
        let series = eventually("counted requests", Duration::from_secs(5), counted)
            .await
            .unwrap();

        let istio = format!("endpoint=\"{ISTIO}\"");
        for (endpoint, upstream) in [(&*istio, &good), ("endpoint=\"bad_one\"", &bad)] {
            let attempts = sum(&series, &["steerage_attempts_total{", endpoint]);
            assert_eq!(attempts, upstream.count() as f64, "{endpoint}: {series:#?}");
            let selections = sum(&series, &["steerage_selections_total{", endpoint]);
            assert_eq!(selections, attempts);
            let times = sum(&series, &["steerage_attempt_duration_ms_count{", endpoint]);
            assert_eq!(times, attempts);
        }
        let failed = bad.count().div_ceil(3) as f64;
        let status = ["steerage_attempts_total{", "outcome=\"status\""];
        assert_eq!(sum(&series, &status), failed);
        let refused = ["steerage_attempts_total{", "outcome=\"connect_failure\""];
        let refused = sum(&series, &refused);
        assert!(refused > 0.0);
        let retries = |reason| sum(&series, &["steerage_retries_total{", reason]);
        assert_eq!(retries("reason=\"connect_failure\""), refused);
        assert_eq!(retries("reason=\"status\""), failed);
        let good_answers = ["steerage_answers_total{", "outcome=\"success\""];
        assert_eq!(sum(&series, &good_answers), report.status(200) as f64);
        assert_eq!(report.status(200), 400, "{report:?}");
        // All series of one name have the same labels.
        let mut labels: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, _) in &series {
            let (name, rest) = name.split_once('{').unwrap();
            let pairs = rest.trim_end_matches('}').split(',');
            let mut names: Vec<_> = pairs
                .map(|pair| pair.split_once('=').unwrap().0.to_owned())
                .filter(|label| label != "le")
                .collect();
            names.sort_unstable();
            let known = labels
                .entry(name.to_owned())
                .or_insert_with(|| names.clone());
            assert_eq!(*known, names, "{name}");
        }
        assert_unharmed(&envoy).await;
        drop(gone);
    });
}

#[test]
fn a_pool_may_keep_its_metrics_to_itself() {
    run(async {
        let a = Upstream::named("a").await.unwrap();
        let config = r#"{"endpoints": ["a"], "enable_metrics_interceptor": false}"#;
        let envoy = envoy_of(&[("a", a.addr())], config).start().await.unwrap();
        ask(&envoy, "GET", "/", &[]).await;
        let there = async || {
            let series = scrape(&envoy).await;
            (!series.is_empty()).then_some(series)
        };
        let series = eventually("metrics", Duration::from_secs(5), there)
            .await
            .unwrap();
        assert!(
            series
                .iter()
                .all(|(name, _)| name.starts_with("steerage_internal_errors_total{")),
            "{series:?}"
        );
    });
}

/// The Envoy of `envoy/operations.yaml` with these two behind it, and without the third.
async fn operations(east: &Upstream, west: &Upstream) -> Envoy {
    let port = |number: u16| format!("port_value: {number}");
    let wasm = repository().join("target/steerage.wasm");
    let wasm = std::env::var("STEERAGE_WASM").unwrap_or_else(|_| wasm.display().to_string());
    let replaced = [
        (port(9901), port(0)),
        (port(10000), port(0)),
        (port(10001), port(0)),
        (port(8081), port(east.addr().port())),
        (port(8082), port(west.addr().port())),
        (r#", "north"]"#.to_owned(), "]".to_owned()),
        ("target/steerage.wasm".to_owned(), wasm),
    ];
    let replaced = replaced.each_ref().map(|(from, to)| (&**from, &**to));
    Envoy::from_yaml_file("envoy/operations.yaml", &replaced)
        .await
        .unwrap()
}

#[test]
fn the_envoy_for_operators_logs_accesses_and_serves_the_admin_surface() {
    run(async {
        let east = Upstream::start(|received, _| {
            Reply::status(if received.path == "/" { 200 } else { 503 })
        });
        let east = east.await.unwrap();
        let west = Upstream::start(|received, _| {
            Reply::status(if received.path == "/lost" { 503 } else { 200 })
        });
        let west = west.await.unwrap();
        let envoy = operations(&east, &west).await;
        let client = Client::new();
        // Until both have had a first attempt.
        for number in 0..40 {
            let path = format!("/cart/{number}");
            let answer = client.get(envoy.addr(), &path).await.unwrap();
            assert_eq!(answer.status, 200);
        }
        ask(&envoy, "POST", "/lost", &[]).await;
        ask(&envoy, "GET", "/lost", &[]).await;
        let logged = async || {
            let log = envoy.log();
            let lines = log.lines().filter(|line| line.starts_with('{'));
            let lines: Vec<Value> = lines
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            (lines.len() == 42).then_some(lines)
        };
        let lines = eventually("the access log", Duration::from_secs(20), logged)
            .await
            .unwrap();
        let (carts, lost) = lines.split_at(40);
        let (healthy, retried): (Vec<_>, Vec<_>) =
            carts.iter().partition(|line| line["attempts"].is_null());
        assert!(!healthy.is_empty() && !retried.is_empty(), "{carts:?}");
        for line in healthy {
            assert_eq!(line["cluster"], "west");
            assert!(
                ["endpoint", "reason", "trail"]
                    .iter()
                    .all(|it| line[it].is_null())
            );
        }
        for line in retried {
            assert_eq!(
                (&line["endpoint"], &line["attempts"]),
                (&json!("west"), &json!("2"))
            );
            assert!(line["reason"].is_null());
            assert_eq!(line["details"], "steerage_retried");
            let trail = line["trail"].as_str().unwrap();
            let trail: Vec<_> = trail.split([':', ',']).collect();
            assert!(
                matches!(trail[..], ["east", "503", _, "west", "200", _]),
                "{trail:?}"
            );
        }
        let reasons: Vec<_> = lost
            .iter()
            .map(|line| line["reason"].as_str().unwrap())
            .collect();
        assert_eq!(reasons, ["method", "exhausted"]);

        let admin = envoy.addr_of("admin").unwrap();
        let token = [("authorization", "Bearer change-me")];
        let endpoints = request_of("GET", "/steerage/endpoints", &token, "");
        let answer = client.request(admin, endpoints).await.unwrap();
        let endpoints: Value = serde_json::from_str(&answer.text()).unwrap();
        assert_eq!(endpoints[0]["url"], "east");
        let open = request_of(
            "POST",
            "/steerage/endpoints/west/circuit",
            &token,
            r#"{"state": "open"}"#,
        );
        let answer = client.request(admin, open).await.unwrap();
        let changed: Value = serde_json::from_str(&answer.text()).unwrap();
        assert_eq!(changed[0]["exclusion"], "operator", "{answer:?}");
        let other = request_of("GET", "/other", &[], "");
        assert_eq!(client.request(admin, other).await.unwrap().status, 404);
        let seen = east.received().into_iter().chain(west.received());
        let methods: Vec<_> = seen.map(|received| received.method).collect();
        assert!(
            methods
                .iter()
                .all(|method| method == "GET" || method == "POST")
        );
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn decisions_are_logged_from_when_debugging_is_switched_on() {
    run(async {
        let good = Upstream::named("good").await.unwrap();
        let bad = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
        let clusters = [("bad", bad.addr()), ("good", good.addr())];
        let config = r#"{
            "endpoints": ["bad", "good"],
            "circuit_breaker": {"failure_threshold": 3, "timeout": 60}
        }"#;
        let envoy = envoy_of(&clusters, config)
            .concurrency(1)
            .start()
            .await
            .unwrap();
        ask(&envoy, "GET", "/", &[]).await;
        assert!(!envoy.log().contains("event="), "{}", envoy.log());
        envoy.admin_post("/logging?wasm=debug").await.unwrap();
        // The worker reads the level in its next round, and the breaker must not open before that.
        sleep(Duration::from_millis(500)).await;
        let opened = async || {
            ask(&envoy, "GET", "/", &[]).await;
            let log = envoy.log();
            log.contains("exclusions=bad:breaker_open").then_some(log)
        };
        let log = eventually("an open breaker", Duration::from_secs(20), opened)
            .await
            .unwrap();
        for line in [
            " attempt=1 endpoint=bad exclusions=none",
            "endpoint=bad outcome=status status=503 took=0.",
            "event=retry exchange=",
            "attempt=2 endpoint=good exclusions=",
            "endpoint=good outcome=success status=200 took=0.",
            "event=breaker pool=default endpoint=bad from=closed to=open",
        ] {
            assert!(log.contains(line), "{line}\n{log}");
        }
    });
}
