//! What is rendered for Kubernetes, of configurations of all kinds.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::by_router::policy_of;
use crate::definitions::{Complaint, Definitions, yaml};
use crate::istio::rendered;
use crate::mutation::documents;
use crate::samples::samples;
use crate::steerage;

/// The document with clusters of Istio in place of its own.
fn on_istio(mut document: Value) -> Value {
    let pools = match document.get_mut("pools") {
        Some(Value::Array(pools)) => pools.iter_mut().collect(),
        _ => vec![&mut document],
    };
    for pool in pools {
        let endpoints = pool.get_mut("endpoints").and_then(Value::as_array_mut);
        for endpoint in endpoints.into_iter().flatten() {
            let clusters = match endpoint {
                Value::Object(endpoint) => endpoint
                    .iter_mut()
                    .filter(|(field, _)| matches!(&***field, "cluster" | "health_check_cluster"))
                    .map(|(_, cluster)| cluster)
                    .collect(),
                name => vec![name],
            };
            for cluster in clusters {
                let name = cluster.as_str().expect("a name");
                *cluster = json!(format!("outbound|80||{name}"));
            }
        }
    }
    document
}

/// Good configurations of all kinds with pools, on Istio.
fn policies() -> Vec<Value> {
    let samples = samples();
    let shown = samples
        .iter()
        .map(|sample| serde_json::from_str(sample).expect("JSON"));
    let good = |document: &Value| steerage_config::parse(document.to_string().as_bytes()).is_ok();
    let steers =
        |document: &Value| document.get("pools").is_some() || document.get("endpoints").is_some();
    documents(&samples, 1_000)
        .into_iter()
        .filter(good)
        .chain(shown)
        .filter(steers)
        .take(150)
        .map(on_istio)
        .collect()
}

#[test]
fn configurations_survive_being_yaml() {
    for mut policy in policies() {
        let resources = rendered(&policy, &[]);
        let filter = resources.iter().find(|it| it["kind"] == "EnvoyFilter");
        let written = match filter {
            Some(filter) => policy_of(filter),
            None => resources[0]["spec"]["pluginConfig"].clone(),
        };
        // Each pool has a name, and clients reach no admin surface.
        if policy.get("pools").is_none() && policy.get("name").is_none() {
            policy["name"] = json!("istio-system-steerage");
        }
        policy.as_object_mut().expect("an object").remove("admin");
        // The rendered routes rewrite the host.
        if policy.to_string().contains("\"authority\":") {
            policy["host_rewrite_header"] = json!(true);
        }
        assert_eq!(written, policy);
    }
}

#[test]
fn the_resources_are_what_their_definitions_say() {
    let Some(definitions) = Definitions::load() else {
        return;
    };
    let mut checked = BTreeSet::new();
    let mut check = |resource: &Value| match definitions.complaint(resource) {
        Ok(()) => drop(checked.insert(resource["kind"].to_string())),
        Err(Complaint::NoDefinition) => {}
        Err(Complaint::Of(error)) => panic!("{error}\n{resource:#}"),
    };
    let targets: [&[&str]; 4] = [
        &["--kind", "wasm-plugin"],
        &["--kind", "traffic-extension", "--routing", "cluster-header"],
        &[
            "--target",
            "waypoint",
            "--target-ref",
            "Service/a",
            "--host",
            "a",
        ],
        &[
            "--kind",
            "traffic-extension",
            "--target",
            "waypoint",
            "--target-ref",
            "ServiceEntry/a",
            "--host",
            "a",
        ],
    ];
    for policy in policies() {
        let by_router = rendered(&policy, &["--retries", "router"]);
        by_router.iter().for_each(&mut check);
        if policy["retries"] == "router" {
            continue;
        }
        for more in targets {
            rendered(&policy, more).iter().for_each(&mut check);
        }
    }
    for sample in samples() {
        let arguments = ["render", "gateway", "-", "--url", "https://a.org/x.wasm"];
        // Some have clusters whose names no service can have.
        let run = steerage(&arguments, sample.as_bytes());
        yaml(&run.output).iter().for_each(&mut check);
    }
    assert!(checked.len() >= 5, "{checked:?}");
}
