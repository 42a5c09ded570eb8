//! What operators are given says the same everywhere: labels, metrics, alerts, versions.

use std::collections::BTreeSet;

use steerage_harness::serde_json::{self, Value};

use crate::tree::{document, none, paths};

#[test]
fn every_configuration_takes_the_same_labels_out_of_names() {
    let tags = |path: &str| -> Vec<String> {
        let text = document(path);
        let lines = text.lines().filter(|line| line.contains("{tag_name:"));
        lines.map(str::to_owned).collect()
    };
    let expected = tags("envoy/envoy.yaml");
    assert_eq!(expected.len(), 7);
    for path in [
        "envoy/demo.yaml",
        "envoy/hot-reload.yaml",
        "envoy/llm-gateway.yaml",
        "envoy/operations.yaml",
        "envoy/router-retries.yaml",
        "src/cli/render/templates/envoy.yaml.jinja",
    ] {
        assert_eq!(tags(path), expected, "{path}");
    }
}

#[test]
fn every_route_that_follows_the_header_keeps_it_from_upstreams() {
    let of_envoy = paths().into_iter().filter(|path| {
        let is_envoys = ["envoy/", "benches/contenders/"];
        path.ends_with(".yaml") && is_envoys.iter().any(|folder| path.starts_with(folder))
    });
    let mut follow = 0;
    let careless = of_envoy.filter(|path| {
        let text = document(path);
        let count = |part: &str| text.matches(part).count();
        let following = count("cluster_header: x-steerage-cluster")
            + count("cluster_header: \"x-steerage-cluster\"");
        follow += following;
        // Istio's routes and those of Envoy Gateway have words of their own.
        let removing = count("request_headers_to_remove: [x-steerage-cluster]")
            + count("remove: [\"x-steerage-cluster\"");
        following > removing
    });
    none(
        "files whose routes send the header on",
        careless.collect::<Vec<_>>(),
    );
    assert!(follow >= 10, "{follow} routes follow the header");
}

/// The names in a text: of metrics, of recording rules and other words.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':')
}

#[test]
fn rules_and_dashboard_ask_for_metrics_that_the_readme_describes() {
    let readme = document("README.md");
    let described: BTreeSet<_> = readme
        .lines()
        .filter(|line| line.starts_with("| `steerage_"))
        .flat_map(names)
        .filter(|name| name.starts_with("steerage_"))
        .collect();
    let recording = document("envoy/prometheus/recording.yml");
    let recorded: BTreeSet<_> = recording
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- record: "))
        .collect();
    assert!(!recorded.is_empty());

    let mut unknown = BTreeSet::new();
    for path in [
        "envoy/prometheus/recording.yml",
        "envoy/prometheus/alerts.yml",
        "envoy/grafana/steerage.json",
    ] {
        for name in names(&document(path)) {
            let exists = if name.contains(":steerage_") {
                recorded.contains(name)
            } else {
                let family = name.strip_suffix("_bucket").unwrap_or(name);
                !name.starts_with("steerage_") || described.contains(family)
            };
            if !exists {
                unknown.insert(format!("{path}: {name}"));
            }
        }
    }
    none("metrics that do not exist", unknown);
}

#[test]
fn every_alert_is_tested_and_has_a_section_of_the_runbook() {
    let alerts = document("envoy/prometheus/alerts.yml");
    let runbook = document("envoy/prometheus/runbook.md");
    let tests = document("envoy/prometheus/rules_test.yml");
    let named: Vec<_> = alerts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    let sections: Vec<_> = runbook
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    assert_eq!(named, sections);
    for alert in named {
        // As GitHub forms an anchor.
        let anchor = format!("runbook.md#{}\n", alert.to_lowercase());
        assert!(alerts.contains(&anchor), "{alert} has no {anchor}");
        assert!(tests.contains(&anchor), "no test in which {alert} fires");
        let silent = format!("{{alertname: {alert}, ");
        assert!(
            tests.contains(&silent),
            "no test in which {alert} keeps silent"
        );
    }
}

#[test]
fn the_dashboard_can_be_imported() {
    let board = document("envoy/grafana/steerage.json");
    let board: Value = serde_json::from_str(&board).unwrap();
    assert!(board.get("uid").is_some_and(Value::is_string));
    let panels = board.get("panels").and_then(Value::as_array).unwrap();
    let mut ids = BTreeSet::new();
    for panel in panels {
        let id = panel.get("id").and_then(Value::as_u64).unwrap();
        assert!(ids.insert(id), "two panels have the id {id}");
        for target in panel
            .get("targets")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            // Whatever it is called where it is imported.
            let source = target.pointer("/datasource/uid").and_then(Value::as_str);
            assert_eq!(source, Some("${datasource}"), "{target}");
        }
    }
}

#[test]
fn the_versions_of_envoy_are_the_same_everywhere() {
    let makefile = document("Makefile");
    let list = makefile
        .lines()
        .find_map(|line| line.strip_prefix("ENVOYS      := "))
        .unwrap();
    let versions: Vec<_> = list.split_whitespace().collect();
    let parts = |version: &str| -> Vec<u32> {
        version
            .split('.')
            .map(|part| part.parse().unwrap())
            .collect()
    };
    assert!(versions.is_sorted_by_key(|version| parts(version)));

    let readme = document("README.md");
    let (_, section) = readme.split_once("\n## Compatibility\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let mut rows: Vec<_> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(' ').next())
        .filter(|cell| cell.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    rows.reverse();
    assert_eq!(rows, versions);

    // The newest is what the whole suite runs on, and what the quick start does.
    let newest = versions.last().unwrap();
    let script = document("tests/harness/envoy.sh");
    assert!(script.contains(&format!("\nversion=${{1:-{newest}}}\n")));
    let compose = document("envoy/quickstart/docker-compose.yaml");
    assert!(compose.contains(&format!("image: envoyproxy/envoy:v{newest}\n")));
    assert!(section.contains(&format!("| {newest} | every test |")));
}

#[test]
fn smoke_tests_are_tests() {
    // A name that matches nothing would be passed over in silence.
    let list = document("tests/e2e/smoke.txt");
    let names: Vec<_> = list
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    assert!(!names.is_empty());
    let unknown = names.iter().filter(|name| {
        let (module, test) = name.rsplit_once("::").unwrap();
        let text = document(&format!("tests/e2e/{}.rs", module.replace("::", "/")));
        !text.contains(&format!("#[test]\nfn {test}() {{"))
    });
    none(
        "smoke tests that do not exist",
        unknown.map(|name| (*name).to_owned()),
    );
    let once: BTreeSet<_> = names.iter().collect();
    assert_eq!(once.len(), names.len(), "some are named twice");
}
