//! What `steerage render` writes so that a deployment does what its owner expects: hosts, servers
//! elsewhere, limits, the admin surface.

use serde_json::{Value, json};

use crate::definitions::{Complaint, Definitions, yaml};
use crate::steerage;

const ISTIO: [&str; 5] = [
    "render",
    "istio",
    "-",
    "--url",
    "oci://example.com/steerage:1",
];
const GATEWAY: [&str; 5] = [
    "render",
    "gateway",
    "-",
    "--url",
    "oci://example.com/steerage:1",
];

/// The resources, with what was said beside them.
fn rendered(target: &[&str], more: &[&str], policy: &Value) -> (Vec<Value>, String) {
    let run = steerage(&[target, more].concat(), policy.to_string().as_bytes());
    assert_eq!(run.status, 0, "{}", run.complaint);
    (yaml(&run.output), run.complaint)
}

fn of_kind<'a>(resources: &'a [Value], kind: &str) -> Vec<&'a Value> {
    resources.iter().filter(|it| it["kind"] == kind).collect()
}

/// Whether Kubernetes would take all of them.
fn are_taken(resources: &[Value]) {
    let Some(definitions) = Definitions::load() else {
        return;
    };
    for resource in resources {
        if let Err(Complaint::Of(error)) = definitions.complaint(resource) {
            panic!("{error}\n{resource:#}");
        }
    }
}

#[test]
fn routes_are_for_the_hosts_that_the_pools_take() {
    let endpoints = json!(["outbound|80||a.b.svc.cluster.local"]);
    let policy = json!({"pools": [
        {"name": "x", "match": {"hosts": ["a.example.com", "*.example.org:8443"]}, "endpoints": endpoints},
        {"name": "y", "match": {"hosts": ["a.example.com"], "prefix": "/y/"}, "endpoints": endpoints},
    ]});
    let (resources, _) = rendered(&ISTIO, &[], &policy);
    let routes = of_kind(&resources, "VirtualService")[0];
    assert_eq!(
        routes["spec"]["hosts"],
        json!(["a.example.com", "*.example.org"])
    );
    // What no pool takes is left to other routes, and limits to other rules.
    let http = routes["spec"]["http"].as_array().expect("a list");
    assert!(
        http.iter().all(|route| route.get("match").is_some()),
        "{http:?}"
    );
    assert!(of_kind(&resources, "DestinationRule").is_empty());
    let (resources, _) = rendered(&ISTIO, &["--catch-all", "--host", "h"], &policy);
    let routes = of_kind(&resources, "VirtualService")[0];
    assert_eq!(routes["spec"]["hosts"], json!(["h"]));
    let http = routes["spec"]["http"].as_array().expect("a list");
    assert!(http.last().expect("a route").get("match").is_none());

    let policy = json!({"pools": [
        {"name": "x", "match": {"hosts": ["a.example.com"], "prefix": "/x"}, "endpoints": ["a"]},
        {"name": "y", "match": {"hosts": ["b.example.com"], "path": "/y"}, "endpoints": ["b"]},
        {"name": "z", "match": {"hosts": ["b.example.com"], "prefix": "/v.1/"}, "endpoints": ["b"]},
    ]});
    let (resources, _) = rendered(&GATEWAY, &[], &policy);
    let spec = &of_kind(&resources, "HTTPRoute")[0]["spec"];
    assert_eq!(spec["hostnames"], json!(["a.example.com", "b.example.com"]));
    let entries = json!([
        {"path": {"type": "RegularExpression", "value": "/x.*"}},
        {"path": {"type": "Exact", "value": "/y"}},
        {"path": {"type": "PathPrefix", "value": "/v.1/"}},
    ]);
    let last = spec["rules"].as_array().and_then(|rules| rules.last());
    assert_eq!(last.expect("a rule")["matches"], entries);
    // The rules of clusters have the same paths: a more specific one would win over the header.
    for rule in &spec["rules"].as_array().expect("a list")[..2] {
        let matches = rule["matches"].as_array().expect("a list");
        let paths: Vec<_> = matches
            .iter()
            .map(|it| json!({"path": it["path"]}))
            .collect();
        assert_eq!(Value::Array(paths), entries);
        assert!(matches.iter().all(|it| it["headers"][0]["type"] == "Exact"));
    }
    let (resources, _) = rendered(&GATEWAY, &["--catch-all"], &policy);
    let rules = &of_kind(&resources, "HTTPRoute")[0]["spec"]["rules"];
    let everything = json!([{"path": {"type": "PathPrefix", "value": "/"}}]);
    assert_eq!(rules[2]["matches"], everything);
}

#[test]
fn servers_elsewhere_are_asked_by_their_names_over_tls() {
    let policy = json!({"name": "llm", "endpoints": [
        "openai",
        {"cluster": "proxy", "weight": 2, "authority": "internal.example.com"},
    ]});
    let more = [
        "--external",
        "openai=https://api.openai.com",
        "--external",
        "proxy=http://proxy.example.com:3128/",
    ];
    let (resources, _) = rendered(&ISTIO, &more, &policy);
    are_taken(&resources);
    let plugin = &of_kind(&resources, "WasmPlugin")[0]["spec"]["pluginConfig"];
    let endpoints = json!([
        {"cluster": "outbound|443||api.openai.com", "name": "openai", "authority": "api.openai.com"},
        {"cluster": "outbound|3128||proxy.example.com", "name": "proxy", "weight": 2,
         "authority": "internal.example.com"},
    ]);
    assert_eq!(plugin["endpoints"], endpoints);
    let entries = of_kind(&resources, "ServiceEntry");
    assert_eq!(entries[0]["spec"]["hosts"], json!(["api.openai.com"]));
    assert_eq!(
        entries[0]["spec"]["ports"],
        json!([{"number": 443, "name": "https", "protocol": "HTTPS"}])
    );
    assert_eq!(entries[1]["spec"]["ports"][0]["protocol"], "HTTP");
    let [rule] = of_kind(&resources, "DestinationRule")[..] else {
        panic!("only one speaks TLS")
    };
    let tls = json!({"mode": "SIMPLE", "sni": "api.openai.com"});
    assert_eq!(rule["spec"]["trafficPolicy"], json!({"tls": tls}));
    let route = &of_kind(&resources, "VirtualService")[0]["spec"]["http"][0];
    assert_eq!(route["rewrite"], json!({"authority": "api.openai.com"}));

    let (resources, _) = rendered(&GATEWAY, &more, &policy);
    are_taken(&resources);
    let backends = of_kind(&resources, "Backend");
    assert_eq!(
        backends[0]["spec"]["endpoints"],
        json!([{"fqdn": {"hostname": "api.openai.com", "port": 443}}])
    );
    let [tls] = of_kind(&resources, "BackendTLSPolicy")[..] else {
        panic!("only one speaks TLS")
    };
    assert_eq!(tls["spec"]["validation"]["hostname"], "api.openai.com");
    let rule = &of_kind(&resources, "HTTPRoute")[0]["spec"]["rules"][0];
    assert_eq!(rule["backendRefs"][0]["kind"], "Backend");
    assert_eq!(
        rule["filters"][1]["urlRewrite"]["hostname"],
        "api.openai.com"
    );

    let run = steerage(
        &[&["render", "envoy", "-"][..], &more].concat(),
        policy.to_string().as_bytes(),
    );
    assert_eq!(run.status, 0, "{}", run.complaint);
    let clusters = &yaml(&run.output)[0]["static_resources"]["clusters"];
    let tls = &clusters[0]["transport_socket"]["typed_config"];
    assert_eq!(tls["sni"], "api.openai.com");
    assert!(
        tls["common_tls_context"]["validation_context"]
            .get("trusted_ca")
            .is_some()
    );
    assert_eq!(clusters[1].get("transport_socket"), None);

    for (external, part) in [
        ("other=https://a.org", "no endpoint has the cluster other"),
        ("openai=a.org:443", "must be CLUSTER=https://HOST"),
        ("openai=https://", "must be CLUSTER=https://HOST"),
        ("openai=https://a.org:x", "must be CLUSTER=https://HOST"),
    ] {
        let arguments = [&ISTIO[..], &["--external", external]].concat();
        let run = steerage(&arguments, policy.to_string().as_bytes());
        assert_eq!(run.status, 2, "{external}");
        assert!(run.complaint.contains(part), "{}", run.complaint);
    }
    let arguments = [
        "render",
        "envoy",
        "-",
        "--address",
        "openai=https://a.org:443",
    ];
    let run = steerage(&arguments, policy.to_string().as_bytes());
    assert_eq!(run.status, 2);
    assert!(
        run.complaint.contains("use --external"),
        "{}",
        run.complaint
    );
}

#[test]
fn an_admin_surface_is_on_a_listener_of_its_own_or_nowhere() {
    let policy = json!({
        "endpoints": ["outbound|80||a.b"],
        "admin": {"path": "/s", "token": "0123456789abcdef"},
    });
    for target in [&ISTIO, &GATEWAY] {
        let more = ["--backend", "outbound|80||a.b=a:80"];
        let more = if target[1] == "istio" { &[][..] } else { &more };
        let (resources, note) = rendered(target, more, &policy);
        assert!(!resources[0].to_string().contains("0123456789abcdef"));
        assert!(note.contains("admin is left out"), "{note}");
    }
    let run = steerage(
        &["render", "envoy", "-", "--admin-listen", "127.0.0.1:99"],
        policy.to_string().as_bytes(),
    );
    let listeners = &yaml(&run.output)[0]["static_resources"]["listeners"];
    assert!(!listeners[0].to_string().contains("0123456789abcdef"));
    assert_eq!(listeners[1]["address"]["socket_address"]["port_value"], 99);
    let config = |listener: &Value| {
        let manager = &listener["filter_chains"][0]["filters"][0]["typed_config"];
        manager["http_filters"][0]["typed_config"]["config"].clone()
    };
    let (main, admin) = (config(&listeners[0]), config(&listeners[1]));
    assert_eq!(main["vm_config"], admin["vm_config"]);
    let admin = admin["configuration"]["value"].as_str().expect("text");
    let admin: Value = serde_json::from_str(admin).expect("JSON");
    assert_eq!(admin, json!({"admin": policy["admin"]}));
}

#[test]
fn limits_secrets_and_checksums_are_written_where_asked_for() {
    let policy = json!({"endpoints": ["outbound|80|v2|a.b", "outbound|80|v1|a.b"]});
    let more = ["--destination-rules", "--image-pull-secret", "registry"];
    let (resources, _) = rendered(&ISTIO, &more, &policy);
    are_taken(&resources);
    let spec = &of_kind(&resources, "DestinationRule")[0]["spec"];
    let subset = |name: &str| json!({"name": name, "labels": {"version": name}});
    assert_eq!(spec["subsets"], json!([subset("v1"), subset("v2")]));
    let plugin = &of_kind(&resources, "WasmPlugin")[0]["spec"];
    assert_eq!(plugin["imagePullSecret"], "registry");
    // Two plugins of one store must not share a pool that neither has named.
    assert_eq!(plugin["pluginConfig"]["name"], "istio-system-steerage");
    let (resources, _) = rendered(
        &ISTIO,
        &[
            "--kind",
            "traffic-extension",
            "--image-pull-secret",
            "registry",
        ],
        &policy,
    );
    are_taken(&resources);
    assert_eq!(resources[0]["spec"]["wasm"]["imagePullSecret"], "registry");

    let policy = json!({"endpoints": ["a"]});
    let (resources, _) = rendered(&GATEWAY, &more[1..], &policy);
    are_taken(&resources);
    let code = &resources[0]["spec"]["wasm"][0]["code"];
    assert_eq!(code["image"]["pullSecretRef"]["name"], "registry");
    let run = steerage(&GATEWAY, policy.to_string().as_bytes());
    assert!(
        run.output.contains("Render again with --sha256"),
        "{}",
        run.output
    );

    let arguments = ["render", "istio", "-", "--url", "s3://bucket/steerage.wasm"];
    let run = steerage(&arguments, policy.to_string().as_bytes());
    assert_eq!(run.status, 2);
    assert!(
        run.complaint.contains("must begin with oci://"),
        "{}",
        run.complaint
    );
}

#[test]
fn what_is_rendered_is_good() {
    let hosts = json!({"hosts": ["api.example.com"], "prefix": "/v1"});
    let policy = |second: &str| {
        json!({
            "match": hosts,
            "endpoints": ["openai", second],
            "admin": {"token": "0123456789abcdef"},
        })
    };
    let external = ["--external", "openai=https://api.openai.com"];
    let service = policy("outbound|80|v2|local.ai.svc.cluster.local");
    for more in [
        &[][..],
        &["--catch-all", "--destination-rules"],
        &["--routing", "cluster-header"],
        &["--retries", "router"],
        &["--kind", "traffic-extension"],
    ] {
        let arguments = [&ISTIO[..], &external, more].concat();
        is_good(&arguments, &service);
    }
    is_good(&[&GATEWAY[..], &external].concat(), &policy("local"));
    is_good(
        &[&["render", "envoy", "-"][..], &external].concat(),
        &policy("local"),
    );
}

/// `check --strict` finds nothing in what is rendered.
fn is_good(arguments: &[&str], policy: &Value) {
    let rendered = steerage(arguments, policy.to_string().as_bytes());
    assert_eq!(rendered.status, 0, "{}", rendered.complaint);
    let run = steerage(&["check", "--strict", "-"], rendered.output.as_bytes());
    assert_eq!(
        run.status, 0,
        "{arguments:?}\n{}\n{}",
        run.output, rendered.output
    );
}
