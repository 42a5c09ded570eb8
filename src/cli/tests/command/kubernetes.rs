//! What `steerage render istio` and `render gateway` write: resources that say what the configuration says.
//!
//! With `STEERAGE_CRDS`, a folder of custom resource definitions as YAML, the resources are checked against
//! them too. Istio publishes its own as `kubernetes/customresourcedefinitions.gen.yaml` of `istio/api`, Envoy
//! Gateway with its Helm chart.

use std::{env, fs};

use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::mutation::documents;
use crate::samples::samples;
use crate::steerage;

const ARGUMENTS: [&str; 5] = [
    "render",
    "istio",
    "-",
    "--url",
    "oci://example.com/steerage:1",
];

/// Every document of a text in YAML.
fn yaml(text: &str) -> Vec<Value> {
    let documents = serde_yaml_ng::Deserializer::from_str(text);
    documents
        .map(|document| Value::deserialize(document).expect("YAML"))
        .collect()
}

fn rendered(policy: &Value, more: &[&str]) -> Vec<Value> {
    let arguments = [&ARGUMENTS[..], more].concat();
    let run = steerage(&arguments, policy.to_string().as_bytes());
    assert_eq!((run.status, &*run.complaint), (0, ""), "{policy}");
    yaml(&run.output)
}

/// The document with clusters of Istio in place of its own.
fn on_istio(mut document: Value) -> Value {
    let pools = match document.get_mut("pools") {
        Some(Value::Array(pools)) => pools.iter_mut().collect(),
        _ => vec![&mut document],
    };
    for pool in pools {
        let endpoints = pool.get_mut("endpoints").and_then(Value::as_array_mut);
        for endpoint in endpoints.into_iter().flatten() {
            let cluster = match endpoint {
                Value::Object(endpoint) => endpoint.get_mut("cluster").expect("it is required"),
                name => name,
            };
            *cluster = json!(format!(
                "outbound|80||{}",
                cluster.as_str().expect("a name")
            ));
        }
    }
    document
}

#[test]
fn the_resources_say_what_the_configuration_says() {
    let policy = json!({
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
    assert_eq!(pool["http"]["http2MaxRequests"], 100);

    let more = ["--kind", "traffic-extension", "--selector", "app=edge"];
    let extension = &rendered(&policy, &more)[0];
    assert_eq!(extension["kind"], "TrafficExtension");
    assert_eq!(
        extension["spec"]["selector"]["matchLabels"],
        json!({"app": "edge"})
    );
    assert_eq!(extension["spec"]["wasm"]["pluginConfig"], policy);
}

#[test]
fn an_envoy_gateway_gets_clusters_of_its_own_names() {
    let policy = json!({"pools": [
        {"name": "a", "match": {"prefix": "/a"}, "endpoints": ["east", {"cluster": "w_st", "weight": 2}]},
        {"name": "b", "endpoints": [{"cluster": "w_st", "name": "west"}], "timeout": {"connect": "1500ms"}},
    ]});
    let arguments = [
        "render",
        "gateway",
        "-",
        "--url",
        "oci://a.org/x:1",
        "--namespace",
        "shop",
        "--backend",
        "w_st=west:8080",
    ];
    let run = steerage(&arguments, policy.to_string().as_bytes());
    assert_eq!((run.status, &*run.complaint), (0, ""));
    let [extension, route, limits] = &yaml(&run.output)[..] else {
        panic!("three resources")
    };
    let wasm = &extension["spec"]["wasm"][0];
    assert_eq!(
        wasm["code"],
        json!({"type": "Image", "image": {"url": "a.org/x:1"}})
    );
    let pools = &wasm["config"]["pools"];
    let cluster = |rule: u8| format!("httproute/shop/steerage/rule/{rule}");
    assert_eq!(
        pools[0]["endpoints"],
        json!([
            {"cluster": cluster(0), "name": "east"},
            {"cluster": cluster(1), "name": "w_st", "weight": 2},
        ])
    );
    assert_eq!(
        pools[1]["endpoints"],
        json!([{"cluster": cluster(1), "name": "west"}])
    );
    if let Err(errors) = steerage_config::parse(wasm["config"].to_string().as_bytes()) {
        panic!("{errors}");
    }
    let rules = route["spec"]["rules"].as_array().expect("a list");
    let backends: Vec<_> = rules.iter().map(|rule| &rule["backendRefs"][0]).collect();
    let (east, west) = (
        json!({"name": "east", "port": 80}),
        json!({"name": "west", "port": 8080}),
    );
    assert_eq!(backends, [&east, &west, &east]);
    let header = json!({"type": "Exact", "name": "x-steerage-cluster", "value": cluster(1)});
    assert_eq!(rules[1]["matches"], json!([{"headers": [header]}]));
    assert_eq!(
        limits["spec"]["timeout"]["tcp"]["connectTimeout"],
        "1s500ms"
    );
    assert_eq!(limits["spec"]["circuitBreaker"]["maxConnections"], 200);
}

#[test]
fn what_an_envoy_gateway_cannot_have_is_refused() {
    let many: Vec<_> = (0..16).map(|number| format!("a{number}")).collect();
    let many = json!({"endpoints": many}).to_string();
    let two = r#"{"endpoints": ["a_b", "c"]}"#;
    for (policy, more, part) in [
        (two, &[][..], "no service is called a_b"),
        (
            two,
            &["--backend", "d=e:1"],
            "no endpoint has the cluster d",
        ),
        (two, &["--backend", "a_b=a:1", "--name", "A"], "lower-case"),
        (&many, &[], "room for 15 clusters"),
        (r#"{"admin": {}}"#, &[], "no pools"),
        (
            r#"{"endpoints": ["a"]}"#,
            &["--url", "file:///x"],
            "cannot be used multiple times",
        ),
    ] {
        let arguments = [&["render", "gateway", "-", "--url", "oci://x"][..], more].concat();
        let run = steerage(&arguments, policy.as_bytes());
        assert_eq!((run.status, &*run.output), (2, ""), "{more:?}");
        assert!(run.complaint.contains(part), "{}", run.complaint);
    }
    let arguments = ["render", "gateway", "-", "--url", "file:///x"];
    let run = steerage(&arguments, br#"{"endpoints": ["a"]}"#);
    assert!(
        run.complaint.contains("must begin with oci://"),
        "{}",
        run.complaint
    );
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
    for policy in policies() {
        assert_eq!(rendered(&policy, &[])[0]["spec"]["pluginConfig"], policy);
    }
}

#[test]
fn the_resources_are_what_their_definitions_say() {
    let Some(folder) = env::var_os("STEERAGE_CRDS") else {
        eprintln!("skipped: no CRDs, set STEERAGE_CRDS");
        return;
    };
    let mut definitions = Vec::new();
    for file in fs::read_dir(folder).expect("a folder") {
        let path = file.expect("a file").path();
        if path.extension().is_some_and(|ending| ending == "yaml") {
            definitions.extend(yaml(&fs::read_to_string(path).expect("text")));
        }
    }
    let mut checked = Vec::new();
    let mut check = |resource: &Value| {
        let Some(schema) = schema_of(resource, &definitions) else {
            return;
        };
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        if let Some(error) = validator.iter_errors(&resource["spec"]).next() {
            panic!("{}: {error}\n{resource:#}", error.instance_path());
        }
        checked.push(resource["kind"].to_string());
    };
    for policy in policies() {
        for kind in ["wasm-plugin", "traffic-extension"] {
            rendered(&policy, &["--kind", kind])
                .iter()
                .for_each(&mut check);
        }
    }
    for sample in samples() {
        let arguments = ["render", "gateway", "-", "--url", "https://a.org/x.wasm"];
        // Some have clusters whose names no service can have.
        let run = steerage(&arguments, sample.as_bytes());
        yaml(&run.output).iter().for_each(&mut check);
    }
    checked.sort();
    checked.dedup();
    assert!(checked.len() >= 4, "{checked:?}");
}

/// The schema of the resource's `spec`, in which nothing is allowed that is not described.
fn schema_of(resource: &Value, definitions: &[Value]) -> Option<Value> {
    let (group, version) = resource["apiVersion"].as_str()?.split_once('/')?;
    let definition = definitions.iter().find(|definition| {
        definition["spec"]["group"] == group
            && definition["spec"]["names"]["kind"] == resource["kind"]
    })?;
    let mut versions = definition["spec"]["versions"].as_array()?.iter();
    let version = versions.find(|known| known["name"] == version)?;
    let mut schema = version["schema"]["openAPIV3Schema"]["properties"]["spec"].clone();
    close(&mut schema);
    Some(schema)
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            let open = object.contains_key("x-kubernetes-preserve-unknown-fields");
            if object.get("properties").is_some_and(Value::is_object)
                && object.get("type") == Some(&json!("object"))
                && !open
            {
                object.entry("additionalProperties").or_insert(json!(false));
            }
            object.values_mut().for_each(close);
        }
        Value::Array(list) => list.iter_mut().for_each(close),
        _ => {}
    }
}
