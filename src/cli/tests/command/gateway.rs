//! What `steerage render gateway` writes: resources that say what the configuration says.

use serde_json::json;

use crate::definitions::yaml;
use crate::steerage;

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
    assert_eq!(limits["spec"]["circuitBreaker"]["maxConnections"], 400);
}

#[test]
fn a_rule_writes_the_authority_of_its_endpoint() {
    let policy = json!({"endpoints": ["east", {"cluster": "west", "authority": "west.example"}]});
    let arguments = ["render", "gateway", "-", "--url", "oci://a.org/x:1"];
    let run = steerage(&arguments, policy.to_string().as_bytes());
    assert_eq!((run.status, &*run.complaint), (0, ""));
    let [extension, route, _] = &yaml(&run.output)[..] else {
        panic!("three resources")
    };
    // In `:authority` it would choose another virtual host, so the filter writes it elsewhere.
    let config = &extension["spec"]["wasm"][0]["config"];
    assert_eq!(config["host_rewrite_header"], true);
    let removed = ["x-steerage-cluster", "x-steerage-authority"];
    let removes = json!({
        "type": "RequestHeaderModifier",
        "requestHeaderModifier": {"remove": removed},
    });
    let writes = json!({"type": "URLRewrite", "urlRewrite": {"hostname": "west.example"}});
    let rules = route["spec"]["rules"].as_array().expect("a list");
    let filters: Vec<_> = rules.iter().map(|rule| rule.get("filters")).collect();
    let (east, west) = (json!([removes]), json!([removes, writes]));
    assert_eq!(filters, [Some(&east), Some(&west), None]);

    // Without one nothing is written, and the client's host goes on.
    let plain = r#"{"endpoints": ["east", "west"], "host_rewrite_header": true}"#;
    let run = steerage(&arguments, plain.as_bytes());
    assert!(!run.output.contains("URLRewrite"), "{}", run.output);
    assert!(
        run.output.contains("x-steerage-authority"),
        "{}",
        run.output
    );
}

#[test]
fn what_an_envoy_gateway_does_not_support_is_refused() {
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
        (
            r#"{"endpoints": [{"cluster": "a", "authority": "a.example:8443"}]}"#,
            &[],
            "without a port, and a.example:8443 is none",
        ),
        (
            r#"{"endpoints": [{"cluster": "a", "authority": "192.0.2.7"}]}"#,
            &[],
            "192.0.2.7 is none",
        ),
        (
            r#"{"pools": [
                {"name": "one", "match": {"path": "/"}, "endpoints": ["a"]},
                {"name": "other", "endpoints": [{"cluster": "a", "authority": "a.example"}]}
            ]}"#,
            &[],
            "a has more than one",
        ),
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
