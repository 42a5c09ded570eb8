//! What ships for Prometheus and Grafana, against a real Prometheus that scrapes a real Envoy:
//! - labels are extracted from the names completely, for any name of a cluster;
//! - every expression of the rules and of the dashboard is valid and gives series, and every name,
//!   label and value in it exists.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use steerage_harness::serde_json::{self, Value};
use steerage_harness::tokio::time::{Instant, sleep};
use steerage_harness::{Client, Envoy, Prometheus, Refusing, Reply, Upstream, repository, run};

use crate::support::{ask, envoy_of};

/// A cluster's name with all characters that Envoy or Prometheus could misread.
const GOOD: &str = "outbound|80||good_one.ns-a.svc.cluster.local";

#[test]
fn every_expression_of_the_rules_and_the_dashboard_gives_series() {
    run(async {
        let stage = Stage::set().await;
        let prometheus = watching(&stage.envoy).await;
        let mut expressions = rules(&prometheus).await;
        expressions.extend(dashboard());
        assert!(expressions.len() > 30, "{expressions:#?}");

        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            stage.traffic().await;
            let mut complaints = Vec::new();
            for expression in &expressions {
                complaints.extend(expression.complaints(&prometheus).await);
            }
            for expected in EXPECTED {
                if prometheus.query(expected).await.unwrap().is_empty() {
                    complaints.push(format!("it is not so that {expected}"));
                }
            }
            if complaints.is_empty() {
                break;
            }
            let log = prometheus.log();
            assert!(
                Instant::now() < deadline,
                "{}\n{log}",
                complaints.join("\n")
            );
            sleep(Duration::from_millis(500)).await;
        }

        // No part of a label is left in a name, and Envoy's own tags have taken no part of one.
        let ours = prometheus
            .query("{__name__=~\"steerage_.*\"}")
            .await
            .unwrap();
        let readme = fs::read_to_string(repository().join("README.md")).unwrap();
        for series in &ours {
            let name = series["metric"]["__name__"].as_str().unwrap();
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|part| name.strip_suffix(part))
                .unwrap_or(name);
            assert!(readme.contains(&format!("`{family}{{")), "{series}");
        }
        let unknown: Vec<_> = labels(&ours)
            .into_iter()
            .filter(|label| !LABELS.contains(&&**label))
            .collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    });
}

/// The labels of the filter's metrics, and those that every series has.
const LABELS: [&str; 11] = [
    "__name__", "endpoint", "instance", "job", "kind", "le", "outcome", "pool", "reason", "to",
    "verdict",
];

/// The counts that the traffic must lead to.
const EXPECTED: [&str; 9] = [
    r#"steerage_endpoint_health{pool="shop", endpoint="outbound|80||good_one.ns-a.svc.cluster.local"} == 3"#,
    r#"steerage_endpoint_health{pool="shop", endpoint="gone"} == 1"#,
    r#"steerage_breaker_transitions_total{pool="shop", endpoint="failing", to="open"} > 0"#,
    r#"steerage_retries_total{pool="hedged", reason="hedge"} > 0"#,
    r#"sum(steerage_attempts_total{pool="shop", outcome="neutral"}) > 0"#,
    r#"pool_endpoint:steerage_attempts_success:ratio_rate5m{pool="spent", endpoint="failing"} == 0"#,
    r#"abs(sum(pool_endpoint:steerage_selections:share5m{pool="shop"}) - 1) < 0.001"#,
    r#"pool:steerage_retries_denied_by_budget:ratio_rate5m{pool="spent"} > 0"#,
    r#"pool:steerage_retries:ratio_rate5m{pool="shop"} > 0"#,
];

/// An Envoy with the filter, and its upstreams.
struct Stage {
    envoy: Envoy,
    _upstreams: [Upstream; 3],
    _gone: Refusing,
}

impl Stage {
    async fn set() -> Self {
        let good = Upstream::start(|received, _| {
            let slow = received.path.ends_with("/slow");
            Reply::ok().delay(Duration::from_millis(if slow { 300 } else { 1 }))
        });
        let good = good.await.unwrap();
        let other = Upstream::named("other").await.unwrap();
        // Its checks are good, so that live traffic opens its breaker.
        let failing = Upstream::start(|received, _| {
            Reply::status(if received.path == "/health" { 200 } else { 503 })
        });
        let failing = failing.await.unwrap();
        let gone = Upstream::refusing().unwrap();
        let config = format!(
            r#"{{"pools": [
                {{"name": "shop", "match": {{"prefix": "/shop"}}, "endpoints": ["{GOOD}", "failing", "gone"],
                  "retry_policy": {{"base_delay": 0.005}},
                  "circuit_breaker": {{"failure_threshold": 3, "timeout": 1, "max_timeout": 2}},
                  "health_check": {{"interval": 0.3, "timeout": 0.2}}}},
                {{"name": "spent", "match": {{"prefix": "/spent"}}, "endpoints": ["failing"],
                  "retry_policy": {{"budget": {{"ratio": 0, "min_per_second": 0}}}}}},
                {{"name": "hedged", "match": {{"prefix": "/hedged"}}, "endpoints": ["{GOOD}", "other"],
                  "retry_policy": {{"hedge": {{"delay": 0.02, "ratio": 1}}}}}}]}}"#
        );
        let clusters = [
            (GOOD, good.addr()),
            ("other", other.addr()),
            ("failing", failing.addr()),
            ("gone", gone.addr()),
        ];
        let envoy = envoy_of(&clusters, &config).start().await.unwrap();
        Self {
            envoy,
            _upstreams: [good, other, failing],
            _gone: gone,
        }
    }

    /// Successes, failures, retries, a denied one, a hedge, and a client that leaves.
    async fn traffic(&self) {
        for _ in 0..8 {
            for path in ["/shop", "/spent", "/hedged/slow"] {
                ask(&self.envoy, "GET", path, &[]).await;
            }
        }
        let hasty = Client::one_shot().patience(Duration::from_millis(50));
        let _left = hasty.get(self.envoy.addr(), "/shop/slow").await;
    }
}

/// A Prometheus with the configuration that ships, but with short intervals.
async fn watching(envoy: &Envoy) -> Prometheus {
    let folder = repository().join("envoy/prometheus");
    let admin = envoy.admin_addr().to_string();
    let rules = |name: &str| format!("- {}", folder.join(name).display());
    let replacements = [
        ("127.0.0.1:9901", &*admin),
        ("15s", "1s"),
        ("- recording.yml", &rules("recording.yml")),
        ("- alerts.yml", &rules("alerts.yml")),
    ];
    Prometheus::from_yaml_file("envoy/prometheus/prometheus.yml", &replacements)
        .await
        .unwrap()
}

/// A PromQL expression and the labels that the text beside it uses.
#[derive(Debug)]
struct Expression {
    place: String,
    text: String,
    shown: Vec<String>,
}

/// Those of the rules, as Prometheus has read them.
async fn rules(prometheus: &Prometheus) -> Vec<Expression> {
    let data = prometheus.api("/api/v1/rules").await.unwrap();
    let groups = data["groups"].as_array().unwrap().iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
    rules
        .map(|rule| Expression {
            place: rule["name"].as_str().unwrap().to_owned(),
            text: rule["query"].as_str().unwrap().to_owned(),
            shown: between(&rule["annotations"].to_string(), "$labels.", |c| {
                !c.is_ascii_alphanumeric() && c != '_'
            }),
        })
        .collect()
}

/// Those of the dashboard and of its variables, with a choice made for each variable.
fn dashboard() -> Vec<Expression> {
    let file = repository().join("envoy/grafana/steerage.json");
    let board: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let mut found = Vec::new();
    for panel in board["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            found.push(Expression {
                place: format!("panel {}", panel["title"]),
                text: chosen(target["expr"].as_str().unwrap()),
                shown: between(target["legendFormat"].as_str().unwrap(), "{{", |c| c == '}'),
            });
        }
    }
    for variable in board["templating"]["list"].as_array().unwrap() {
        let Some(query) = variable["query"]["query"].as_str() else {
            continue;
        };
        let arguments = query.strip_prefix("label_values(").unwrap();
        let (series, label) = arguments.trim_end_matches(')').rsplit_once(", ").unwrap();
        found.push(Expression {
            place: format!("variable {}", variable["name"]),
            text: chosen(series),
            shown: vec![label.to_owned()],
        });
    }
    found
}

fn chosen(expression: &str) -> String {
    let chosen = expression
        .replace("$pool", ".+")
        .replace("$endpoint", ".+")
        .replace("$__rate_interval", "1m");
    assert!(!chosen.contains('$'), "{expression}");
    chosen
}

/// The text after each `mark` up to its end.
fn between(text: &str, mark: &str, end: impl Fn(char) -> bool + Copy) -> Vec<String> {
    let parts = text.split(mark).skip(1);
    parts
        .map(|part| part.split(end).next().unwrap_or_default().to_owned())
        .collect()
}

impl Expression {
    /// What is wrong with it. Thresholds are left out, because nothing here needs to reach one. The
    /// rest must give series, and so must each selector by itself, because `or` hides an empty one.
    async fn complaints(&self, prometheus: &Prometheus) -> Vec<String> {
        let Self { place, text, shown } = self;
        let parts = without_thresholds(tokens(text));
        let whole = parts.join(" ");
        let mut complaints = Vec::new();
        let mut ask = async |expression: &str| match prometheus.query(expression).await {
            Ok(series) => {
                if series.is_empty() {
                    complaints.push(format!("{place}: nothing for {expression}"));
                }
                labels(&series)
            }
            Err(error) => {
                complaints.push(format!("{place}: {expression}: {error}"));
                BTreeSet::new()
            }
        };
        let given = ask(&whole).await;
        let mut known = BTreeSet::new();
        for selector in selectors(&parts) {
            known.extend(ask(&selector).await);
            // A value that is excluded must exist as well.
            if selector.contains("!=") {
                ask(&selector.replace("!=", "=")).await;
            }
        }
        if complaints.is_empty() {
            let missing = shown.iter().filter(|label| !given.contains(*label));
            let unknown = grouping(&parts);
            let unknown = unknown.iter().filter(|label| !known.contains(*label));
            complaints.extend(
                missing
                    .chain(unknown)
                    .map(|label| format!("{place}: no label {label} in {text}")),
            );
        }
        complaints
    }
}

fn labels(series: &[Value]) -> BTreeSet<String> {
    let metrics = series.iter().filter_map(|one| one["metric"].as_object());
    metrics.flat_map(|labels| labels.keys().cloned()).collect()
}

/// The tokens of an expression; braces or brackets with their content are one token.
fn tokens(text: &str) -> Vec<&str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_:.".contains(c);
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '{' => rest.find('}').unwrap() + 1,
            '[' => rest.find(']').unwrap() + 1,
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            '=' | '!' | '<' | '>' if rest[1..].starts_with('=') => 2,
            _ => 1,
        };
        found.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    found
}

/// Without the comparisons with a number.
fn without_thresholds(tokens: Vec<&str>) -> Vec<&str> {
    let mut kept = Vec::new();
    for token in tokens {
        let compares = matches!(kept.last(), Some(&("==" | "!=" | "<" | ">" | "<=" | ">=")));
        if compares && token.parse::<f64>().is_ok() {
            kept.pop();
        } else {
            kept.push(token);
        }
    }
    kept
}

/// The selectors of series, with their conditions.
fn selectors(tokens: &[&str]) -> BTreeSet<String> {
    let starts = ["steerage_", "envoy_", "pool:", "pool_endpoint:"];
    let named = |token: &str| starts.iter().any(|start| token.starts_with(start));
    let places = tokens.iter().enumerate().filter(|(_, token)| named(token));
    places
        .map(|(at, name)| match tokens.get(at + 1) {
            Some(next) if next.starts_with('{') => format!("{name}{next}"),
            _ => (*name).to_owned(),
        })
        .collect()
}

/// The labels that are grouped or matched by.
fn grouping(tokens: &[&str]) -> BTreeSet<String> {
    let places = tokens.iter().enumerate();
    let lists = places.filter(|(_, token)| matches!(**token, "by" | "without" | "on" | "ignoring"));
    lists
        .flat_map(|(at, _)| {
            let inner = tokens[at + 2..].iter().take_while(|token| **token != ")");
            inner.filter(|token| **token != ",")
        })
        .map(|label| (*label).to_owned())
        .collect()
}

#[test]
fn expressions_are_taken_apart() {
    let parts = without_thresholds(tokens(
        "sum by (job, pool) (rate(steerage_a{x!=\"y z\"}[5m]) >= 0.1) / on (job) pool:b:rate5m == c offset 10m",
    ));
    assert_eq!(
        parts.join(" "),
        "sum by ( job , pool ) ( rate ( steerage_a {x!=\"y z\"} [5m] ) ) / on ( job ) pool:b:rate5m == c offset 10m"
    );
    let expected = ["steerage_a{x!=\"y z\"}", "pool:b:rate5m"];
    assert_eq!(selectors(&parts), expected.map(str::to_owned).into());
    assert_eq!(grouping(&parts), ["job", "pool"].map(str::to_owned).into());
}
