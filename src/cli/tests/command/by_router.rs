//! What is rendered where Envoy's router makes the retries.

use serde_json::{Value, json};

use crate::definitions::yaml;
use crate::istio::{ARGUMENTS, for_one_host, rendered};
use crate::steerage;

#[test]
fn an_envoy_has_its_router_retry_where_the_configuration_says_so() {
    let policy = r#"{
        "retries": "router",
        "pools": [
            {"name": "a", "endpoints": ["east", "we\"st"], "retry_policy": {"max_request_bytes": 7}},
            {"name": "b", "endpoints": ["east"], "retry_policy": {"max_request_bytes": 9}}
        ]
    }"#;
    let run = steerage(&["render", "envoy", "-"], policy.as_bytes());
    assert_eq!((run.status, &*run.complaint), (0, ""));
    let envoy = &yaml(&run.output)[0]["static_resources"];
    let chain = &envoy["listeners"][0]["filter_chains"][0];
    let manager = &chain["filters"][0]["typed_config"];
    let host = &manager["route_config"]["virtual_hosts"][0];
    assert_eq!(host["request_body_buffer_limit"], 9);
    assert_eq!(host["include_request_attempt_count"], true);
    let route = &host["routes"][0];
    assert_eq!(
        route["request_headers_to_remove"],
        json!(["x-steerage-cluster"])
    );
    let action = &route["route"];
    assert_eq!(action["timeout"], "0s");
    assert_eq!(action["retry_policy"]["refresh_cluster_on_retry"], true);
    let extension = &action["inline_cluster_specifier_plugin"]["extension"];
    let tree = &extension["typed_config"]["cluster_matcher"]["matcher_tree"];
    assert_eq!(tree["input"]["typed_config"]["key"], "wasm.steerage.next");
    let map = tree["exact_match_map"]["map"].as_object().expect("a map");
    let names: Vec<_> = map.keys().map(|name| &**name).collect();
    assert_eq!(names, ["east", "we\"st"]);
    for (name, entry) in map {
        assert_eq!(entry["action"]["typed_config"]["cluster"], **name);
    }
    let filters = &manager["http_filters"];
    let (first, router) = (&filters[0]["typed_config"], &filters[1]["typed_config"]);
    let behind = &router["upstream_http_filters"];
    let second = &behind[0]["typed_config"];
    assert_eq!(first.get("allow_on_headers_stop_iteration"), None);
    let (first, second) = (&first["config"], &second["config"]);
    assert_eq!(second["allow_on_headers_stop_iteration"], true);
    assert_eq!(first.get("allow_on_headers_stop_iteration"), None);
    assert_eq!(first["vm_config"], second["vm_config"]);
    assert_eq!(second["configuration"]["value"], r#"{"role": "attempts"}"#);
    assert_eq!(behind[1]["name"], "envoy.filters.http.upstream_codec");
    for cluster in envoy["clusters"].as_array().expect("clusters") {
        let limits = &cluster["circuit_breakers"]["thresholds"][0];
        assert_eq!(limits["max_retries"], 1_000_000);
    }
}

/// The configuration of the filter in an EnvoyFilter.
pub(crate) fn policy_of(filter: &Value) -> Value {
    let value = &filter["spec"]["configPatches"][0]["patch"]["value"];
    let configuration = &value["typed_config"]["config"]["configuration"];
    let text = configuration["value"].as_str().expect("text");
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn an_envoy_filter_has_the_router_retry() {
    let mut policy = for_one_host(["outbound|80||east", "outbound|80|v2|west"]);
    let digest = "a".repeat(64);
    let more = [
        "--retries",
        "router",
        "--name",
        "edge",
        "--selector",
        "app=edge",
        "--sha256",
        &digest,
    ];
    let resources = rendered(&policy, &more);
    policy["retries"] = json!("router");
    // The configuration may say the same.
    assert_eq!(resources, rendered(&policy, &more[2..]));
    let [routes, filter, limits, _] = &resources[..] else {
        panic!("four resources")
    };
    let http = routes["spec"]["http"].as_array().expect("routes");
    assert_eq!((http.len(), &http[0]["name"]), (2, &json!("edge")));
    assert_eq!(http[0]["retries"], json!({"attempts": 0}));
    assert_eq!(policy_of(filter), policy);

    let patches = filter["spec"]["configPatches"].as_array().expect("patches");
    let [module, again, before, behind, route] = &patches[..] else {
        panic!("five patches")
    };
    for patch in patches {
        assert_eq!(patch["match"]["context"], "GATEWAY");
    }
    let [module, again] = [module, again].map(|patch| &patch["patch"]["value"]);
    let named = ["istio-system.edge", "istio-system.edge-attempts"];
    assert_eq!([&module["name"], &again["name"]], named);
    let [first, second] = [module, again].map(|value| &value["typed_config"]["config"]);
    assert_eq!(first["vm_config"], second["vm_config"]);
    let code = &first["vm_config"]["code"]["remote"];
    assert_eq!(code["http_uri"]["uri"], "oci://example.com/steerage:1");
    assert_eq!(code["sha256"], digest);
    assert_eq!(second["configuration"]["value"], r#"{"role": "attempts"}"#);
    assert_eq!(second["allow_on_headers_stop_iteration"], true);
    assert_eq!(first.get("allow_on_headers_stop_iteration"), None);
    assert_eq!(before["patch"]["operation"], "INSERT_BEFORE");
    assert_eq!(before["patch"]["value"]["name"], named[0]);
    let behind = &behind["patch"]["value"]["typed_config"]["upstream_http_filters"];
    assert_eq!(behind[0]["name"], named[1]);

    let route_match = &route["match"]["routeConfiguration"]["vhost"]["route"];
    assert_eq!(route_match["name"], "edge");
    let route = &route["patch"]["value"];
    // The default by the router.
    assert_eq!(route["request_body_buffer_limit"], 1 << 20);
    let retries = &route["route"]["retry_policy"];
    assert_eq!(retries["refresh_cluster_on_retry"], true);
    let http = &limits["spec"]["trafficPolicy"]["connectionPool"]["http"];
    assert_eq!(http["maxRetries"], 1_000_000);

    // The command outranks the configuration.
    let by_calls = rendered(&policy, &["--retries", "calls"]);
    assert_eq!(by_calls[0]["kind"], "WasmPlugin");
    assert_eq!(by_calls[0]["spec"]["pluginConfig"]["retries"], "calls");
    let from_file = ["--retries", "router", "--url", "file:///x.wasm"];
    let run = steerage(
        &[&ARGUMENTS[..3], &from_file].concat(),
        policy.to_string().as_bytes(),
    );
    let code = r#"code: {local: {filename: "/x.wasm"}}"#;
    assert_eq!(run.output.matches(code).count(), 2, "{}", run.output);
}

#[test]
fn what_the_router_cannot_do_is_refused() {
    let mut policy = for_one_host(["outbound|80||east", "outbound|80||west"]);
    policy["retries"] = json!("router");
    for (more, part) in [
        (
            &["--target", "waypoint", "--host", "a"][..],
            "use --retries calls",
        ),
        (&["--kind", "wasm-plugin"], "brings the module"),
        (&["--routing", "routes"], "changes the route"),
    ] {
        let arguments = [&ARGUMENTS[..], more].concat();
        let run = steerage(&arguments, policy.to_string().as_bytes());
        assert_eq!((run.status, &*run.output), (2, ""), "{more:?}");
        assert!(run.complaint.contains(part), "{}", run.complaint);
    }
}

#[test]
fn an_envoy_gateway_is_told_to_retry_by_calls() {
    let arguments = ["render", "gateway", "-", "--url", "oci://x"];
    let run = steerage(&arguments, br#"{"retries": "router", "endpoints": ["a"]}"#);
    assert_eq!((run.status, &*run.output), (2, ""));
    let advice = r#"use "retries": "calls""#;
    assert!(run.complaint.contains(advice), "{}", run.complaint);
}
