//! What `steerage render istio` writes: resources that say what the configuration says.

use serde_json::{Value, json};

use crate::definitions::yaml;
use crate::steerage;

pub(crate) const ARGUMENTS: [&str; 5] = [
    "render",
    "istio",
    "-",
    "--url",
    "oci://example.com/steerage:1",
];

/// The resources of a policy, with more arguments.
pub(crate) fn rendered(policy: &Value, more: &[&str]) -> Vec<Value> {
    let arguments = [
        &ARGUMENTS[..],
        &["--destination-rules", "--catch-all"],
        more,
    ]
    .concat();
    let run = steerage(&arguments, policy.to_string().as_bytes());
    assert_eq!(run.status, 0, "{policy}\n{}", run.complaint);
    yaml(&run.output)
}

#[test]
fn the_resources_say_what_the_configuration_says() {
    let policy = json!({
        "name": "api",
        "endpoints": ["outbound|80||api", {"cluster": "outbound|81|v2|api", "weight": 2}],
        "cluster_header": "X-To",
        "timeout": {"connect": "250ms"},
    });
    let [plugin, routes, limits] = &rendered(&policy, &["--sha256", &"a".repeat(64)])[..] else {
        panic!("three resources")
    };
    assert_eq!(plugin["kind"], "WasmPlugin");
    assert_eq!(plugin["spec"]["pluginConfig"], policy);
    assert_eq!(plugin["spec"]["failStrategy"], "FAIL_RELOAD");
    assert_eq!(plugin["spec"]["sha256"], "a".repeat(64));
    let second = &routes["spec"]["http"][1];
    let header = json!({"x-to": {"exact": "outbound|81|v2|api"}});
    assert_eq!(second["match"], json!([{"headers": header}]));
    let destination = json!({"host": "api", "port": {"number": 81}, "subset": "v2"});
    assert_eq!(second["route"], json!([{"destination": destination}]));
    assert_eq!(second["retries"], json!({"attempts": 0}));
    assert_eq!(limits["spec"]["host"], "api");
    let pool = &limits["spec"]["trafficPolicy"]["connectionPool"];
    assert_eq!(pool["tcp"]["connectTimeout"], "0.250s");
    assert_eq!(pool["http"]["http2MaxRequests"], 200);

    let more = ["--kind", "traffic-extension", "--selector", "app=edge"];
    let extension = &rendered(&policy, &more)[0];
    assert_eq!(extension["kind"], "TrafficExtension");
    assert_eq!(
        extension["spec"]["selector"]["matchLabels"],
        json!({"app": "edge"})
    );
    assert_eq!(extension["spec"]["wasm"]["pluginConfig"], policy);
}

/// A configuration for one host, as a sidecar wants it.
pub(crate) fn for_one_host(endpoints: [&str; 2]) -> Value {
    json!({"name": "api", "match": {"hosts": ["api"]}, "endpoints": endpoints})
}

#[test]
fn sidecars_and_waypoints_get_their_own_resources() {
    let sidecar = [
        "--target",
        "sidecar",
        "--selector",
        "app=shop",
        "--host",
        "api",
    ];
    let policy = for_one_host(["outbound|80||east", "outbound|80||west"]);
    let [plugin, routes, ..] = &rendered(&policy, &sidecar)[..] else {
        panic!("resources")
    };
    assert_eq!(plugin["metadata"]["namespace"], "default");
    assert_eq!(
        plugin["spec"]["selector"],
        json!({"matchLabels": {"app": "shop"}})
    );
    assert_eq!(plugin["spec"]["match"], json!([{"mode": "CLIENT"}]));
    let spec = &routes["spec"];
    assert_eq!(
        (&spec["hosts"], &spec["exportTo"]),
        (&json!(["api"]), &json!(["."]))
    );
    // A request of no pool goes to its own host.
    let last = json!({
        "route": [{"destination": {"host": "api", "port": {"number": 80}}}],
        "retries": {"attempts": 0},
    });
    assert_eq!(spec["http"][2], last);

    let waypoint = [
        "--target",
        "waypoint",
        "--target-ref",
        "Service/api",
        "--host",
        "api",
    ];
    let policy = json!({"endpoints": ["inbound-vip|80|http/v1|east", "outbound|80||west"]});
    let [plugin, routes, ..] = &rendered(&policy, &waypoint)[..] else {
        panic!("resources")
    };
    let target = json!([{"group": "", "kind": "Service", "name": "api"}]);
    assert_eq!(plugin["spec"]["targetRefs"], target);
    assert_eq!(plugin["spec"].get("selector"), None);
    assert_eq!(plugin["spec"].get("match"), None);
    let to = &routes["spec"]["http"][0]["route"][0]["destination"];
    assert_eq!((&to["host"], &to["subset"]), (&json!("east"), &json!("v1")));
}

#[test]
fn a_route_may_take_its_cluster_from_the_header() {
    let more = [
        "--routing",
        "cluster-header",
        "--name",
        "edge",
        "--selector",
        "app=edge",
    ];
    let mut policy = for_one_host(["outbound|80||east", "outbound|80||west"]);
    policy["cluster_header"] = json!("x-to");
    let [_, routes, patch, ..] = &rendered(&policy, &more)[..] else {
        panic!("resources")
    };
    let http = routes["spec"]["http"].as_array().expect("routes");
    assert_eq!((http.len(), &http[0]["name"]), (2, &json!("edge")));
    assert_eq!(http[0]["match"], json!([{"headers": {"x-to": {}}}]));
    assert_eq!(patch["kind"], "EnvoyFilter");
    assert_eq!(
        patch["spec"]["workloadSelector"],
        json!({"labels": {"app": "edge"}})
    );
    let patch = &patch["spec"]["configPatches"][0];
    assert_eq!(patch["match"]["context"], "GATEWAY");
    let name = &patch["match"]["routeConfiguration"]["vhost"]["route"]["name"];
    assert_eq!(*name, "edge");
    let route = json!({"cluster_header": "x-to", "timeout": "0s"});
    assert_eq!(patch["patch"]["value"], json!({"route": route}));
}

#[test]
fn routes_write_the_authority_of_an_endpoint() {
    let mut policy = for_one_host(["outbound|80||east", "outbound|80||west"]);
    policy["endpoints"][1] = json!({"cluster": "outbound|80||west", "authority": "west.example"});
    let more = ["--selector", "app=edge", "--name", "edge"];
    let [plugin, routes, ..] = &rendered(&policy, &more)[..] else {
        panic!("resources")
    };
    assert_eq!(plugin["spec"]["pluginConfig"]["host_rewrite_header"], true);
    let http = routes["spec"]["http"].as_array().expect("routes");
    let removed = json!({"request": {"remove": ["x-steerage-cluster", "x-steerage-authority"]}});
    let rewrites: Vec<_> = http.iter().map(|route| route.get("rewrite")).collect();
    let west = json!({"authority": "west.example"});
    assert_eq!(rewrites, [None, Some(&west), None]);
    assert_eq!(
        (&http[0]["headers"], &http[1]["headers"]),
        (&removed, &removed)
    );

    let by_header = [&more[..], &["--routing", "cluster-header"]].concat();
    let [plugin, routes, patch, ..] = &rendered(&policy, &by_header)[..] else {
        panic!("resources")
    };
    assert_eq!(plugin["spec"]["pluginConfig"]["host_rewrite_header"], true);
    // Envoy removes headers before it rewrites the host.
    let removed = json!({"request": {"remove": ["x-steerage-cluster"]}});
    assert_eq!(routes["spec"]["http"][0]["headers"], removed);
    let route = &patch["spec"]["configPatches"][0]["patch"]["value"]["route"];
    assert_eq!(route["host_rewrite_header"], "x-steerage-authority");

    // Two hosts at one cluster need the header.
    policy = json!({"pools": [policy, {
        "name": "other", "match": {"hosts": ["other.example"]},
        "endpoints": [{"cluster": "outbound|80||west", "authority": "other.example"}],
    }]});
    let arguments = [&ARGUMENTS[..], &more].concat();
    let run = steerage(&arguments, policy.to_string().as_bytes());
    assert!(
        run.complaint.contains("more than one authority"),
        "{}",
        run.complaint
    );
    rendered(&policy, &by_header);
}

#[test]
fn pools_for_other_hosts_and_unsupported_targets_are_refused() {
    let meant = for_one_host(["outbound|80||a", "outbound|80||b"]);
    let all = json!({"endpoints": ["outbound|80||a"]});
    let sidecar = ["--target", "sidecar", "--selector", "app=a"];
    let waypoint = ["--target", "waypoint"];
    let host = ["--host", "a"];
    for (policy, more, status, part) in [
        (
            &all,
            [&sidecar[..], &host[..]].concat(),
            1,
            "in the pool default",
        ),
        (
            &all,
            [&waypoint[..], &host[..]].concat(),
            1,
            "in the pool default",
        ),
        (&meant, sidecar.to_vec(), 2, "--host"),
        (&meant, [&sidecar[..2], &host[..]].concat(), 2, "--selector"),
        (
            &meant,
            [&waypoint[..], &host[..], &sidecar[2..]].concat(),
            2,
            "--selector",
        ),
        (
            &meant,
            [&waypoint[..], &host[..], &["--routing", "cluster-header"]].concat(),
            2,
            "does not patch",
        ),
        (
            &meant,
            vec!["--target-ref", "Pod/a"],
            2,
            "must begin with Gateway/",
        ),
        (
            &json!({"endpoints": ["inbound-vip|80|http|a"]}),
            vec![],
            1,
            "none of them:\ninbound-vip",
        ),
    ] {
        let arguments = [&ARGUMENTS[..], &more].concat();
        let run = steerage(&arguments, policy.to_string().as_bytes());
        assert_eq!((run.status, &*run.output), (status, ""), "{more:?}");
        assert!(run.complaint.contains(part), "{}", run.complaint);
    }
}

#[test]
fn other_clusters_and_no_clusters_are_refused() {
    for (policy, status, part) in [
        (
            r#"{"endpoints": ["outbound|80||a", "b"]}"#,
            1,
            "none of them:\nb\n",
        ),
        (r#"{"admin": {}}"#, 2, "no pools"),
        ("{}", 1, "endpoints: must be given"),
    ] {
        let run = steerage(&ARGUMENTS, policy.as_bytes());
        assert_eq!((run.status, &*run.output), (status, ""), "{policy}");
        assert!(run.complaint.contains(part), "{}", run.complaint);
    }
    let run = steerage(&["render", "istio", "-"], b"");
    assert!(run.complaint.contains("--url"), "{}", run.complaint);
}
