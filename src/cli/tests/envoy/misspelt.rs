//! The values of an EnvoyFilter, which no definition of Kubernetes describes, are what Envoy takes,
//! and none of their fields can be misspelt.
//!
//! Limits: Istio ignores a field that it does not know. So what is misspelt would be missing there,
//! and refused by nobody.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::control_plane::{of_yaml, router};
use crate::envoy_filter::merge;
use crate::samples::root;
use crate::two_at_a_time;

/// The values of the patches.
fn values() -> Vec<Value> {
    let file = root().join("envoy/istio/router-retries/gateway.yaml");
    let resources = of_yaml(&fs::read_to_string(file).expect("text"));
    let filter = resources.iter().find(|it| it["kind"] == "EnvoyFilter");
    let patches = filter.expect("a filter")["spec"]["configPatches"].as_array();
    let patches = patches.expect("patches").iter();
    patches
        .map(|patch| patch["patch"]["value"].clone())
        .collect()
}

/// An Envoy with all of these. Discovered filters stand where they are discovered, and once more
/// with their configuration.
fn bootstrap(values: &[Value]) -> Value {
    let [module, attempts, before, behind, route] = values else {
        panic!("{} patches", values.len())
    };
    let mut last = router();
    merge(&mut last, behind);
    if let Some(all) = last.pointer_mut("/typed_config/upstream_http_filters") {
        all.as_array_mut()
            .expect("filters")
            .insert(0, attempts.clone());
    }
    let mut patched = json!({"match": {"prefix": "/"}, "route": {"cluster": "xds"}});
    merge(&mut patched, route);
    let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}});
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "a",
        "route_config": {"virtual_hosts": [{"name": "a", "domains": ["*"], "routes": [patched]}]},
        "http_filters": [module, before, last],
    });
    let filter =
        json!({"name": "envoy.filters.network.http_connection_manager", "typed_config": manager});
    let service = json!({"envoy_grpc": {"cluster_name": "xds"}});
    json!({
        "node": {"id": "a", "cluster": "a"},
        "dynamic_resources": {"ads_config": {"api_type": "GRPC", "grpc_services": [service]}},
        "static_resources": {
            "listeners": [{"name": "a", "address": address, "filter_chains": [{"filters": [filter]}]}],
            "clusters": [{"name": "xds"}],
        },
    })
}

/// Every field of these values, as a path of JSON, and the values with another name in its place.
/// Names of clusters are no fields.
fn misspelt(values: &[Value]) -> Vec<(String, Vec<Value>)> {
    let all = Value::from(values.to_vec());
    let mut found = Vec::new();
    let mut places = vec![String::new()];
    while let Some(place) = places.pop() {
        match all.pointer(&place) {
            Some(Value::Object(fields)) => {
                for name in fields.keys() {
                    let path = format!("{place}/{}", name.replace('~', "~0").replace('/', "~1"));
                    places.push(path.clone());
                    if place.ends_with("/map") {
                        continue;
                    }
                    let mut other = all.clone();
                    let object = other.pointer_mut(&place).and_then(Value::as_object_mut);
                    let object = object.expect("it is there");
                    let value = object.remove(name).expect("it is there");
                    object.insert(format!("{name}x"), value);
                    found.push((path, other.as_array().expect("values").clone()));
                }
            }
            Some(Value::Array(items)) => {
                places.extend((0..items.len()).map(|index| format!("{place}/{index}")));
            }
            _ => {}
        }
    }
    found
}

/// Envoy's error about these values, if it refuses them.
fn refusal(envoy: &Path, values: &[Value], number: usize) -> Option<String> {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = scratch.join(format!("envoy-filter-{number}.json"));
    fs::write(&file, bootstrap(values).to_string()).expect("the folder is there");
    let output = Command::new(envoy)
        .args(["--mode", "validate", "-l", "warning", "-c"])
        .arg(&file)
        .output()
        .expect("Envoy runs");
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    (!output.status.success()).then_some(log)
}

#[test]
fn envoy_takes_the_values_of_an_envoy_filter_and_none_with_a_misspelt_field() {
    let envoy: PathBuf = steerage_harness::envoy_binary().expect("an Envoy");
    let values = values();
    if let Some(log) = refusal(&envoy, &values, 0) {
        panic!("{log}");
    }
    let misspelt = misspelt(&values);
    assert!(misspelt.len() > 60, "{}", misspelt.len());
    two_at_a_time(misspelt.len(), |index| {
        let (path, values) = &misspelt[index];
        assert!(
            refusal(&envoy, values, index + 1).is_some(),
            "{path} can be misspelt"
        );
    });
}
