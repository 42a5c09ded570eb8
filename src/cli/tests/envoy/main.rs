//! What `steerage render envoy` writes, an Envoy takes: the real one, with the real filter in it.
//!
//! `--mode validate` loads the module and hands the configuration to it, so that a configuration which
//! the filter refuses is refused here too.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop at the first surprise"
)]

#[path = "../command/mutation.rs"]
mod mutation;
#[path = "../command/samples.rs"]
mod samples;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, thread};

use serde_json::json;
use steerage_harness::{Envoy, HarnessError, Reply, Upstream, get};

use samples::{document, root, samples};

/// What an Envoy says of the rendered form of this configuration, if it does not take it. `number` tells
/// files of tests apart that run at once.
fn refusal(envoy: &Path, policy: &str, number: usize) -> Option<String> {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = scratch.join(format!("policy-{number}.json"));
    fs::write(&file, policy).expect("the folder is there");
    let steerage = Command::new(env!("CARGO_BIN_EXE_steerage"))
        .args(["render", "envoy"])
        .arg(&file)
        .output()
        .expect("the program runs");
    assert!(steerage.status.success(), "{policy}");
    let rendered = scratch.join(format!("envoy-{number}.yaml"));
    fs::write(&rendered, steerage.stdout).expect("the folder is there");
    let said = Command::new(envoy)
        .args(["--mode", "validate", "-l", "warning", "-c"])
        .arg(&rendered)
        .current_dir(root())
        .output()
        .expect("Envoy runs");
    if said.status.success() {
        return None;
    }
    let log = String::from_utf8_lossy(&said.stderr).into_owned();
    Some(format!("{}: {log}", rendered.display()))
}

/// Asks two Envoys at a time.
fn check(policies: &[String], first_number: usize) {
    let envoy: PathBuf = steerage_harness::envoy_binary().expect("an Envoy");
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(policy) = policies.get(index) else {
                        return;
                    };
                    if let Some(said) = refusal(&envoy, policy, first_number + index) {
                        panic!("{policy}\n{said}");
                    }
                }
            });
        }
    });
}

#[test]
fn envoy_takes_what_is_rendered_of_every_sample() {
    check(&samples(), 0);
}

#[test]
fn envoy_takes_what_is_rendered_of_random_policies() {
    let wanted = std::env::var("STEERAGE_POLICIES").map_or(40, |count| {
        count.parse().expect("STEERAGE_POLICIES is a number")
    });
    let mut policies: Vec<_> = mutation::documents(&samples(), 4_000)
        .iter()
        .map(|document| format!("{document:#}"))
        .filter(|policy| steerage_config::parse(policy.as_bytes()).is_ok())
        .collect();
    policies.sort();
    policies.dedup();
    // Every so many-th, so that all samples are among them.
    let step = policies.len() / wanted;
    let policies: Vec<_> = policies.into_iter().step_by(step).take(wanted).collect();
    assert_eq!(policies.len(), wanted);
    check(&policies, 1_000);
}

/// Whatever the first attempt meets, the answer is that of the endpoint that is well.
async fn always_well(envoy: &Envoy) -> Result<(), HarnessError> {
    for _ in 0..8 {
        let answer = get(envoy.addr(), "/").await?;
        assert_eq!((answer.status.as_u16(), &*answer.text()), (200, "well"));
    }
    Ok(())
}

/// What `render istio` relies on: it routes by the header's value and not by `cluster_header`.
#[test]
fn the_header_that_the_filter_writes_chooses_a_route() {
    steerage_harness::run(async {
        let sick = Upstream::start(|_, _| Reply::status(503)).await?;
        let well = Upstream::named("well").await?;
        let route = |cluster: &str| {
            let header = json!({"name": "x-steerage-cluster", "string_match": {"exact": cluster}});
            json!({
                "match": {"prefix": "/", "headers": [header]},
                "route": {"cluster": cluster, "timeout": "0s"},
            })
        };
        let hosts = json!([{
            "name": "all", "domains": ["*"],
            "routes": [route("outbound|80||sick"), route("outbound|80||well")],
        }]);
        let envoy = Envoy::builder()
            .cluster("outbound|80||sick", sick.addr())
            .cluster("outbound|80||well", well.addr())
            .config(r#"{"endpoints": ["outbound|80||sick", "outbound|80||well"]}"#)
            .merge_manager(json!({"route_config": {"virtual_hosts": hosts}}))
            .start()
            .await?;
        always_well(&envoy).await
    })
    .expect("an Envoy");
}

/// What `render gateway` relies on: the filter is off but on the routes of its policy, and there is one
/// route for whatever has no header yet.
#[test]
fn a_filter_that_is_on_for_some_routes_only_chooses_among_them() {
    steerage_harness::run(async {
        let sick = Upstream::start(|_, _| Reply::status(503)).await?;
        let well = Upstream::named("well").await?;
        let cluster = |rule: u8| format!("httproute/default/steerage/rule/{rule}");
        let on = json!({"steerage": {
            "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}
        }});
        let route = |headers: serde_json::Value, cluster: String| {
            json!({
                "match": {"prefix": "/", "headers": headers},
                "route": {"cluster": cluster, "timeout": "0s"},
                "typed_per_filter_config": on,
            })
        };
        let named = |rule: u8| {
            let exact = json!({"exact": cluster(rule)});
            route(
                json!([{"name": "x-steerage-cluster", "string_match": exact}]),
                cluster(rule),
            )
        };
        let hosts = json!([{
            "name": "all", "domains": ["*"],
            "routes": [named(0), named(1), route(json!([]), cluster(0))],
        }]);
        let policy = json!({"endpoints": [cluster(0), cluster(1)]}).to_string();
        let text = "type.googleapis.com/google.protobuf.StringValue";
        let module = root().join("target/steerage.wasm");
        let filters = json!([
            {
                "name": "steerage",
                "disabled": true,
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                    "config": {
                        "name": "steerage",
                        "root_id": "steerage",
                        "vm_config": {
                            "vm_id": "envoyextensionpolicy/default/steerage/wasm/0",
                            "runtime": "envoy.wasm.runtime.v8",
                            "code": {"local": {"filename": module}},
                        },
                        "configuration": {"@type": text, "value": policy},
                    },
                },
            },
            {
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                },
            },
        ]);
        let envoy = Envoy::builder()
            .cluster(cluster(0), sick.addr())
            .cluster(cluster(1), well.addr())
            .config(&*policy)
            .merge_manager(json!({"route_config": {"virtual_hosts": hosts}}))
            .merge_manager(json!({"http_filters": filters}))
            .start()
            .await?;
        always_well(&envoy).await
    })
    .expect("an Envoy");
}

#[test]
fn a_policy_that_the_filter_refuses_is_refused_here_too() {
    let envoy = steerage_harness::envoy_binary().expect("an Envoy");
    let text = document("envoy/envoy.yaml").replace("\"max_attempts\": 3", "\"max_attempts\": 33");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("refused.yaml");
    fs::write(&file, text).expect("the folder is there");
    let said = Command::new(envoy)
        .args(["--mode", "validate", "-c"])
        .arg(&file)
        .current_dir(root())
        .output()
        .expect("Envoy runs");
    let log = String::from_utf8_lossy(&said.stderr);
    assert!(
        !said.status.success() && log.contains("retry_policy.max_attempts"),
        "{log}"
    );
}
