//! A real Envoy with the real filter loads what `steerage render` writes.
//!
//! | file | what holds |
//! |---|---|
//! | this | an Envoy loads what `render envoy` writes of any configuration |
//! | `manifests`, `control_plane`, `envoy_filter` | the resources for Istio steer |
//! | `misspelt` | no field of an EnvoyFilter can be misspelt |
//! | `gateway` | those for Envoy Gateway do |
//! | `imported` | what was imported does |
//!
//! `--mode validate` loads the module and hands the configuration to it, so that a configuration
//! which the filter refuses is refused here too.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop at the first surprise"
)]

mod control_plane;
mod envoy_filter;
mod gateway;
mod imported;
mod manifests;
mod misspelt;
#[path = "../command/mutation.rs"]
mod mutation;
#[path = "../command/samples.rs"]
mod samples;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, thread};

use samples::{document, root, samples};

/// Envoy's error about the rendered form of this configuration, with more arguments, if it refuses
/// it. `number` keeps the files of concurrent tests separate.
fn refusal(envoy: &Path, policy: &str, more: &[&str], number: usize) -> Option<String> {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = scratch.join(format!("policy-{number}.json"));
    fs::write(&file, policy).expect("the folder is there");
    let steerage = Command::new(env!("CARGO_BIN_EXE_steerage"))
        .args(["render", "envoy"])
        .args(more)
        .arg(&file)
        .output()
        .expect("the program runs");
    assert!(steerage.status.success(), "{policy}");
    let rendered = scratch.join(format!("envoy-{number}.yaml"));
    fs::write(&rendered, steerage.stdout).expect("the folder is there");
    let output = Command::new(envoy)
        .args(["--mode", "validate", "-l", "warning", "-c"])
        .arg(&rendered)
        .current_dir(root())
        .output()
        .expect("Envoy runs");
    if output.status.success() {
        return None;
    }
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    Some(format!("{}: {log}", rendered.display()))
}

/// Does something for each of so many numbers, with two Envoys at a time.
pub(crate) fn two_at_a_time(count: usize, job: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        return;
                    }
                    job(index);
                }
            });
        }
    });
}

fn check(policies: &[String], first_number: usize) {
    let envoy: PathBuf = steerage_harness::envoy_binary().expect("an Envoy");
    two_at_a_time(policies.len(), |index| {
        let policy = &policies[index];
        if let Some(output) = refusal(&envoy, policy, &[], first_number + index) {
            panic!("{policy}\n{output}");
        }
    });
}

#[test]
fn envoy_takes_what_is_rendered_of_every_sample() {
    check(&samples(), 0);
}

#[test]
fn envoy_takes_what_is_rendered_of_random_policies() {
    let wanted = std::env::var("STEERAGE_POLICIES").map_or(16, |count| {
        count.parse().expect("STEERAGE_POLICIES is a number")
    });
    let mut policies: Vec<_> = mutation::documents(&samples(), 4_000)
        .iter()
        .map(|document| format!("{document:#}"))
        .filter(|policy| steerage_config::parse(policy.as_bytes()).is_ok())
        .collect();
    policies.sort();
    policies.dedup();
    // At regular steps, so that all samples are among them.
    let step = policies.len() / wanted;
    let policies: Vec<_> = policies.into_iter().step_by(step).take(wanted).collect();
    assert_eq!(policies.len(), wanted);
    let by_router = policies
        .iter()
        .filter(|policy| policy.contains("\"router\""));
    assert!(by_router.count() > 0, "none whose router makes the retries");
    check(&policies, 1_000);
}

#[test]
fn envoy_takes_servers_elsewhere_and_a_listener_for_operators() {
    if !Path::new("/etc/ssl/certs/ca-certificates.crt").exists() {
        eprintln!("not checked: there are no certificates of authorities here");
        return;
    }
    let policy = r#"{
        "endpoints": ["openai", "local"],
        "admin": {"token": "0123456789abcdef"}
    }"#;
    let more = ["--external", "openai=https://api.openai.com"];
    let envoy = steerage_harness::envoy_binary().expect("an Envoy");
    if let Some(output) = refusal(&envoy, policy, &more, 2_000) {
        panic!("{output}");
    }
}

#[test]
fn a_policy_that_the_filter_refuses_is_refused_here_too() {
    let envoy = steerage_harness::envoy_binary().expect("an Envoy");
    let text = document("envoy/envoy.yaml").replace("\"max_attempts\": 3", "\"max_attempts\": 33");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("refused.yaml");
    fs::write(&file, text).expect("the folder is there");
    let output = Command::new(envoy)
        .args(["--mode", "validate", "-c"])
        .arg(&file)
        .current_dir(root())
        .output()
        .expect("Envoy runs");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && log.contains("retry_policy.max_attempts"),
        "{log}"
    );
}
