//! What `import` makes of the samples in `tests/imported`, on a real Envoy with the real filter:
//! each pool steers.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use steerage_harness::{Bytes, Client, Envoy, HarnessError, Request, Upstream, run};

use crate::samples::root;

/// The configuration that the program makes of a sample, with `response_headers`.
fn policy_of(sample: &Path) -> Value {
    let imported = Command::new(env!("CARGO_BIN_EXE_steerage"))
        .arg("import")
        .arg(sample)
        .output()
        .expect("the program runs");
    let mut policy = serde_json::from_slice(&imported.stdout).expect("JSON");
    for pool in pools(&mut policy) {
        pool["response_headers"] = json!(true);
    }
    policy
}

fn pools(policy: &mut Value) -> Vec<&mut Value> {
    if policy.get("pools").is_some() {
        let pools = policy["pools"].as_array_mut().expect("a list");
        return pools.iter_mut().collect();
    }
    vec![policy]
}

fn clusters(pool: &Value) -> Vec<String> {
    let endpoints = pool["endpoints"].as_array().expect("a list").iter();
    let name = |endpoint: &Value| {
        let name = endpoint.as_str().or_else(|| endpoint["cluster"].as_str());
        name.expect("a name").to_owned()
    };
    endpoints.map(name).collect()
}

/// A request that the pool takes.
fn request(pool: &Value) -> Request<Bytes> {
    let matching = &pool["match"];
    let path = match (&matching["path"], &matching["prefix"], &matching["regex"]) {
        (Value::String(path), _, _) => path.clone(),
        (_, Value::String(prefix), _) => format!("{prefix}x"),
        (_, _, Value::String(_)) => "/orders/12".into(),
        _ => "/".into(),
    };
    let host = matching["hosts"][0].as_str().unwrap_or("example.com");
    let mut request = Request::builder().uri(path).header("host", host);
    for (name, value) in matching["headers"].as_object().into_iter().flatten() {
        request = request.header(name, value.as_str().expect("a value"));
    }
    request.body(Bytes::new()).expect("a request")
}

/// An Envoy with this configuration, all of whose clusters are one server.
async fn envoy_of(policy: &mut Value, server: SocketAddr) -> Result<Envoy, HarnessError> {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = scratch.join("imported.json");
    fs::write(&file, policy.to_string()).expect("the folder is there");
    let mut command = Command::new(env!("CARGO_BIN_EXE_steerage"));
    command
        .args(["render", "envoy", "--listen", "127.0.0.1:0"])
        .arg(&file);
    let mut names: Vec<_> = pools(policy)
        .iter()
        .flat_map(|pool| clusters(pool))
        .collect();
    names.sort();
    names.dedup();
    for name in names {
        command.args(["--address", &format!("{name}={server}")]);
    }
    let rendered = command.output().expect("the program runs");
    assert!(rendered.status.success(), "{rendered:?}");
    let file = scratch.join("imported.yaml");
    fs::write(&file, rendered.stdout).expect("the folder is there");
    Envoy::from_yaml_file(&file, &[("port_value: 9901", "port_value: 0")]).await
}

#[test]
fn what_was_imported_steers() {
    run(async {
        let server = Upstream::named("server").await?;
        let folder = fs::read_dir(root().join("src/cli/tests/imported")).expect("a folder");
        let samples = folder.map(|entry| entry.expect("a file").path());
        let mut count = 0;
        for sample in samples.filter(|path| path.extension().is_some_and(|it| it != "expected")) {
            let mut policy = policy_of(&sample);
            let envoy = envoy_of(&mut policy, server.addr()).await?;
            for pool in pools(&mut policy) {
                let answer = Client::one_shot()
                    .request(envoy.addr(), request(pool))
                    .await?;
                assert_eq!(
                    answer.status.as_u16(),
                    200,
                    "{}: {answer:?}",
                    sample.display()
                );
                let endpoint = answer.header("x-steerage-endpoint").unwrap_or_default();
                assert!(
                    clusters(pool).contains(&endpoint),
                    "{}: {answer:?}",
                    sample.display()
                );
            }
            count += 1;
        }
        assert!(count >= 10, "{count}");
        Ok::<_, HarnessError>(())
    })
    .expect("an Envoy");
}
