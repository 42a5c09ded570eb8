//! `render`: what deploys a configuration.
//!
//! | file | writes |
//! |---|---|
//! | this | what the others have in common: the configuration as a block of YAML, names in quotes |
//! | `cluster` | what the clusters of the endpoints need |
//! | `envoy`, `envoy.yaml` | an Envoy with a listener, the filter and the clusters |
//! | `istio`, `gateway` | resources for Istio and for Envoy Gateway |
//!
//! Only what the filter takes is rendered. The configuration is written as it was given: what somebody has
//! laid out should be found again.
//!
//! Limits: a configuration names clusters and does not say where they are. Addresses are given with
//! `--address`, or are ports of this machine to be replaced.

mod cluster;
mod envoy;
mod gateway;
mod istio;

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use steerage_config::{Config, parse};

use crate::arguments::{Address, RenderEnvoy, RenderGateway, RenderIstio, Target};
use crate::source;
use crate::{Finished, REFUSED};
use cluster::Cluster;

/// Carries out the command.
pub(crate) fn run(target: &Target) -> Finished {
    let rendered = match target {
        Target::Envoy(arguments) => envoy(arguments),
        Target::Istio(arguments) => istio(arguments),
        Target::Gateway(arguments) => gateway(arguments),
    };
    rendered.map_or_else(|finished| finished, Finished::with)
}

/// A configuration that is rendered.
struct Policy {
    text: String,
    document: Value,
    config: Config,
    clusters: Vec<Cluster>,
}

fn read(file: &Path) -> Result<Policy, Finished> {
    let bytes = source::bytes(file)?;
    let config = parse(&bytes).map_err(|errors| source::refused(file, &errors))?;
    let document = source::document(&bytes);
    Ok(Policy {
        clusters: cluster::all(&config),
        text: String::from_utf8_lossy(&bytes).into_owned(),
        document,
        config,
    })
}

fn envoy(arguments: &RenderEnvoy) -> Result<String, Finished> {
    let policy = read(&arguments.file)?;
    are_known("--address", &arguments.address, &policy)?;
    let clusters = &policy.clusters;
    Ok(envoy::document(
        arguments,
        &policy.config,
        clusters,
        &policy.text,
    ))
}

fn istio(arguments: &RenderIstio) -> Result<String, Finished> {
    if let Some(contradiction) = arguments.contradiction() {
        return Err(Finished::failed(contradiction));
    }
    let policy = read(&arguments.file)?;
    needs_pools(&policy)?;
    istio::documents(
        arguments,
        &policy.config,
        &policy.clusters,
        &policy.document,
    )
    .map_err(|complaint| Finished {
        status: REFUSED,
        ..Finished::failed(&complaint)
    })
}

fn gateway(arguments: &RenderGateway) -> Result<String, Finished> {
    let policy = read(&arguments.file)?;
    needs_pools(&policy)?;
    are_known("--backend", &arguments.backend, &policy)?;
    gateway::documents(arguments, &policy.config, &policy.clusters, policy.document)
        .map_err(|complaint| Finished::failed(&complaint))
}

fn needs_pools(policy: &Policy) -> Result<(), Finished> {
    if policy.clusters.is_empty() {
        let complaint = "this configuration has no pools, and so nothing to route to";
        return Err(Finished::failed(complaint));
    }
    Ok(())
}

/// Whether the clusters of these arguments exist.
fn are_known(argument: &str, addresses: &[Address], policy: &Policy) -> Result<(), Finished> {
    let known = |name: &str| policy.clusters.iter().any(|cluster| cluster.name == name);
    match addresses.iter().find(|address| !known(&address.cluster)) {
        Some(unknown) => {
            let cluster = &unknown.cluster;
            let complaint = format!("{argument}: no endpoint has the cluster {cluster}");
            Err(Finished::failed(&complaint))
        }
        None => Ok(()),
    }
}

/// The beginning of a resource of Kubernetes, up to what it specifies.
fn metadata(version: &str, kind: &str, name: &str, namespace: &str) -> String {
    let (name, namespace) = (quoted(name), quoted(namespace));
    format!(
        "---
apiVersion: {version}
kind: {kind}
metadata: {{name: {name}, namespace: {namespace}}}
spec:
"
    )
}

/// The text of a configuration as a block of YAML, each line indented.
///
/// What is not printable in YAML can only be within strings of the JSON, where it may be escaped.
fn block(json: &str, indent: usize) -> String {
    let mut block = String::new();
    for line in json.trim().lines() {
        if !line.trim().is_empty() {
            block.push_str(&" ".repeat(indent));
            block.push_str(&printable(line.trim_end()));
        }
        block.push('\n');
    }
    block
}

/// A duration as Envoy reads it, a millisecond at least: less would be none.
fn envoy_span(span: Duration) -> String {
    let milliseconds = span.as_micros().div_ceil(1_000).max(1);
    format!("{}.{:03}s", milliseconds / 1_000, milliseconds % 1_000).replace(".000s", "s")
}

/// `text` in double quotes, as JSON and YAML have them.
fn quoted(text: &str) -> String {
    printable(&Value::from(text).to_string())
}

/// JSON with escapes in place of what YAML takes for line breaks or does not allow.
fn printable(json: &str) -> String {
    let mut printable = String::new();
    for c in json.chars() {
        match c {
            '\u{7f}'..='\u{9f}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}'
            | '\u{fffe}'
            | '\u{ffff}' => {
                printable.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            _ => printable.push(c),
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_keep_their_layout() {
        let json = "\n{\r\n  \"a\": 1,\n\n  \"b\": \"\u{2028}é\"  \n}\n";
        assert_eq!(
            block(json, 2),
            "  {\n    \"a\": 1,\n\n    \"b\": \"\\u2028é\"\n  }\n"
        );
        assert_eq!(quoted("a\"b\u{85}"), r#""a\"b\u0085""#);
    }

    #[test]
    fn durations_are_rounded_up_to_milliseconds() {
        for (microseconds, expected) in [
            (0, "0.001s"),
            (1, "0.001s"),
            (1_001, "0.002s"),
            (250_000, "0.250s"),
            (5_000_000, "5s"),
            (86_400_000_000, "86400s"),
        ] {
            assert_eq!(envoy_span(Duration::from_micros(microseconds)), expected);
        }
    }
}
