//! What is rendered for an Envoy Gateway at work: turned into Envoy's configuration as an Envoy
//! Gateway does it, on a real Envoy with the real filter.
//!
//! Envoy Gateway turns the filter on for the routes of its policy only, gives it a `vm_id`, and
//! names the cluster of a rule after the rule.
//!
//! Limits: this is written after its source and was compared with none running.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use steerage_harness::{Envoy, EnvoyBuilder, HarnessError, Reply, Upstream, run};

use crate::control_plane::{MODULE, Resources, WASM, code, name_of, of_yaml, router, string};
use crate::manifests::{ask, for_api_only, seen};

impl Resources {
    /// Those that are rendered for an Envoy Gateway.
    pub(crate) fn for_gateway(policy: &Value) -> Self {
        // Tests run side by side: each writes a file of its own.
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let file = format!("for-gateway-{number}.json");
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
        fs::write(&file, policy.to_string()).expect("the folder is there");
        let rendered = Command::new(env!("CARGO_BIN_EXE_steerage"))
            .args(["render", "gateway", "--url", "oci://example.com/x:1"])
            .arg(&file)
            .output()
            .expect("the program runs");
        assert!(rendered.status.success(), "{rendered:?}");
        Self(of_yaml(&String::from_utf8_lossy(&rendered.stdout)))
    }

    /// The names of hosts that the HTTPRoute is for.
    pub(crate) fn with_host(mut self, host: &str) -> Self {
        let mut all = self.0.iter_mut();
        let route = all.find(|resource| resource["kind"] == "HTTPRoute");
        route.expect("a route")["spec"]["hostnames"] = json!([host]);
        self
    }
}

/// An Envoy of Envoy Gateway.
fn gateway(resources: &Resources) -> EnvoyBuilder {
    let policy = resources
        .of_kind(&["EnvoyExtensionPolicy"])
        .expect("a policy");
    let route = resources.of_kind(&["HTTPRoute"]).expect("a route");
    assert_eq!(
        policy["spec"]["targetRefs"][0]["name"],
        route["metadata"]["name"]
    );
    let id = format!("envoyextensionpolicy/{}/wasm/0", name_of(policy, "/"));
    let filter = format!("envoy.filters.http.wasm/{id}");
    let wasm = &policy["spec"]["wasm"][0];
    let filters = json!([
        {"name": filter, "disabled": true, "typed_config": {"@type": WASM, "config": {
            "name": wasm["name"],
            "root_id": wasm["rootID"],
            "fail_open": wasm["failOpen"],
            "configuration": string(&wasm["config"]),
            "vm_config": {"vm_id": id, "runtime": "envoy.wasm.runtime.v8", "code": code(MODULE)},
        }}},
        router(),
    ]);
    let on = json!({filter: {
        "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}
    }});
    let rules = route["spec"]["rules"].as_array().expect("rules");
    let mut routes: Vec<_> = rules
        .iter()
        .enumerate()
        .flat_map(|(index, rule)| {
            let cluster = format!("httproute/{}/rule/{index}", name_of(route, "/"));
            let mut action = json!({"cluster": cluster, "timeout": rule["timeouts"]["request"]});
            let mut removed = json!([]);
            for filter in rule["filters"].as_array().into_iter().flatten() {
                match filter["type"].as_str() {
                    Some("RequestHeaderModifier") => {
                        removed = filter["requestHeaderModifier"]["remove"].clone();
                    }
                    Some("URLRewrite") => {
                        action["host_rewrite_literal"] = filter["urlRewrite"]["hostname"].clone();
                    }
                    other => panic!("a filter {other:?}"),
                }
            }
            let matches = rule["matches"].as_array().expect("matches").iter();
            let route = |condition: &Value| {
                let route = json!({
                    "match": matching(condition),
                    "route": action,
                    "request_headers_to_remove": removed,
                    "typed_per_filter_config": on,
                });
                (precedence(condition), route)
            };
            matches.map(route).collect::<Vec<_>>()
        })
        .collect();
    // What is more specific comes first, in any order of the file.
    routes.sort_by_key(|(precedence, _)| std::cmp::Reverse(*precedence));
    let routes: Vec<_> = routes.into_iter().map(|(_, route)| route).collect();
    let names = route["spec"].get("hostnames").cloned();
    let names = names.unwrap_or_else(|| json!(["*"]));
    let hosts = json!([{"name": "all", "domains": names, "routes": routes}]);
    Envoy::builder()
        .merge_manager(json!({"http_filters": filters}))
        .merge_manager(json!({"route_config": {"virtual_hosts": hosts}}))
}

/// A match of a HTTPRoute as Envoy has it.
fn matching(condition: &Value) -> Value {
    let headers = condition["headers"].as_array();
    let headers = headers
        .into_iter()
        .flatten()
        .map(|header| json!({"name": header["name"], "string_match": {"exact": header["value"]}}));
    let headers: Vec<_> = headers.collect();
    let path = &condition["path"];
    let value = path["value"].as_str().unwrap_or("/");
    match path["type"].as_str() {
        Some("Exact") => json!({"path": value, "headers": headers}),
        Some("RegularExpression") => {
            json!({"safe_regex": {"regex": value}, "headers": headers})
        }
        _ if value == "/" => json!({"prefix": "/", "headers": headers}),
        _ => {
            let prefix = value.trim_end_matches('/');
            json!({"path_separated_prefix": prefix, "headers": headers})
        }
    }
}

/// What a HTTPRoute prefers: the kind of path, its length, and the number of headers.
fn precedence(condition: &Value) -> (u8, usize, usize) {
    let kind = match condition["path"]["type"].as_str() {
        Some("Exact") => 2,
        Some("RegularExpression") => 1,
        _ => 0,
    };
    let length = condition["path"]["value"].as_str().map_or(1, str::len);
    let headers = condition["headers"].as_array().map_or(0, Vec::len);
    (kind, length, headers)
}

/// A path of a pool comes by the filter and is steered, in spite of being more specific than `/`.
#[test]
fn an_envoy_gateway_has_only_the_paths_of_the_pools() {
    run(async {
        let east = Upstream::start(|_, _| Reply::status(503)).await?;
        let west = Upstream::named("west").await?;
        let endpoints = json!(["east", "west"]);
        let breaker = json!({"failure_threshold": 1_000, "minimum_requests": 1_000});
        let pool = |name: &str, matching: Value| {
            json!({
                "name": name,
                "match": matching,
                "endpoints": endpoints,
                "circuit_breaker": breaker,
                "response_headers": true,
            })
        };
        let policy = json!({"pools": [
            pool("a", json!({"prefix": "/api"})),
            pool("b", json!({"prefix": "/b/"})),
            pool("c", json!({"path": "/c"})),
        ]});
        let rule = |index: usize| format!("httproute/default/steerage/rule/{index}");
        let envoy = gateway(&Resources::for_gateway(&policy))
            .cluster(rule(0), east.addr())
            .cluster(rule(1), west.addr())
            .cluster(rule(2), east.addr())
            .start()
            .await?;
        for path in ["/api", "/api-2/x", "/b/y", "/c"] {
            for _ in 0..4 {
                let answer = ask(&envoy, "a", path).await?;
                assert_eq!(
                    seen(&answer),
                    (200, "west".to_owned()),
                    "{path}: {answer:?}"
                );
                assert_eq!(
                    answer.header("x-steerage-endpoint").as_deref(),
                    Some("west")
                );
            }
        }
        for path in ["/", "/other", "/c/d"] {
            let answer = ask(&envoy, "a", path).await?;
            assert_eq!(answer.status.as_u16(), 404, "{path}: {answer:?}");
        }
        Ok::<_, HarnessError>(())
    })
    .expect("an Envoy");
}

#[test]
fn envoy_gateway_follows_the_filter_by_a_rule_for_each_cluster() {
    run(async {
        let east = Upstream::start(|_, _| Reply::status(503).body("east")).await?;
        let west = Upstream::named("west").await?;
        let rest = Upstream::start(|_, _| Reply::status(503).body("rest")).await?;
        let rule = |index: usize| format!("httproute/default/steerage/rule/{index}");
        let resources = for_api_only("gateway/steerage.yaml");
        let envoy = gateway(&resources)
            .cluster(rule(0), east.addr())
            .cluster(rule(1), west.addr())
            .cluster(rule(2), rest.addr())
            .start()
            .await?;
        let mut moved = 0;
        for _ in 0..6 {
            let answer = ask(&envoy, "a", "/api/x").await?;
            assert_eq!(seen(&answer), (200, "west".to_owned()), "{answer:?}");
            let endpoint = answer.header("x-steerage-endpoint");
            assert_eq!(endpoint.as_deref(), Some("api-west"));
            moved += usize::from(answer.header("x-steerage-attempts").as_deref() == Some("2"));
        }
        assert!(moved > 0);
        assert_eq!((east.count(), west.count()), (moved, 6));
        let answer = ask(&envoy, "a", "/other").await?;
        assert_eq!((seen(&answer), rest.count()), ((503, "rest".to_owned()), 1));
        Ok::<_, HarnessError>(())
    })
    .expect("an Envoy");
}

#[test]
fn a_rule_of_an_envoy_gateway_writes_the_host_of_its_endpoint() {
    run(async {
        let east = Upstream::start(|_, _| Reply::status(503)).await?;
        let west = Upstream::named("west").await?;
        let policy = json!({
            "endpoints": [
                {"cluster": "east", "authority": "east.example"},
                {"cluster": "west", "authority": "west.example"},
            ],
            "retry_policy": {"budget": false},
            "circuit_breaker": {"failure_threshold": 1_000, "minimum_requests": 1_000},
            "response_headers": true,
        });
        let resources = Resources::for_gateway(&policy).with_host("public.example");
        let rule = |index: usize| format!("httproute/default/steerage/rule/{index}");
        let envoy = gateway(&resources)
            .cluster(rule(0), east.addr())
            .cluster(rule(1), west.addr())
            .cluster(rule(2), east.addr())
            .concurrency(1)
            .start()
            .await?;
        for _ in 0..6 {
            let answer = ask(&envoy, "public.example", "/").await?;
            assert_eq!(seen(&answer), (200, "west".to_owned()), "{answer:?}");
        }
        // Each attempt has asked for its endpoint's host, by the router or by a call.
        assert_eq!((east.count(), west.count()), (3, 6));
        for (upstream, host) in [(&east, "east.example"), (&west, "west.example")] {
            for received in upstream.received() {
                assert_eq!(received.header("host").as_deref(), Some(host));
                let names = received.headers.keys();
                let ours: Vec<_> = names
                    .filter(|it| it.as_str().contains("steerage"))
                    .collect();
                assert!(ours.is_empty(), "{ours:?}");
            }
        }
        Ok::<_, HarnessError>(())
    })
    .expect("an Envoy");
}
