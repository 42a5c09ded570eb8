//! `render`: what deploys a configuration.
//!
//! | file | writes |
//! |---|---|
//! | this | reads the configuration and calls the others |
//! | `yaml` | what they have in common: the configuration as a block of YAML, names in quotes |
//! | `cluster` | what the clusters of the endpoints need |
//! | `authorities` | the hosts that routes write for endpoints |
//! | `by_router`, `by_router.yaml` | what makes the router retry as the filter decides |
//! | `envoy`, `envoy.yaml` | an Envoy with a listener, the filter and the clusters |
//! | `istio`, `gateway` | resources for Istio and for Envoy Gateway |
//!
//! Only a configuration that the filter accepts is rendered. It is written with the layout in which
//! it was given.
//!
//! Limits: a configuration names clusters and does not say where they are. Addresses are given with
//! `--address`, or are ports of this machine to be replaced.

mod authorities;
mod by_router;
mod cluster;
mod envoy;
mod gateway;
mod istio;
mod yaml;

use std::path::Path;

use serde_json::Value;
use steerage_config::{Config, parse};

use crate::arguments::{Address, RenderEnvoy, RenderGateway, RenderIstio, Retries, Target};
use crate::finished::{Finished, REFUSED};
use crate::source;
use by_router::ByRouter;
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

impl Policy {
    /// Reads it. `file`: where it is from.
    fn of(bytes: &[u8], file: &Path) -> Result<Self, Finished> {
        let config = parse(bytes).map_err(|errors| source::refused(file, &errors))?;
        Ok(Self {
            clusters: cluster::all(&config),
            text: String::from_utf8_lossy(bytes).into_owned(),
            document: source::document(bytes),
            config,
        })
    }

    /// The same with retries by these. The defaults of other fields depend on it.
    fn with_retries(mut self, retries: Retries, file: &Path) -> Result<Self, Finished> {
        if let Some(fields) = self.document.as_object_mut() {
            fields.insert("retries".into(), retries.name().into());
        }
        Self::of(format!("{:#}", self.document).as_bytes(), file)
    }
}

fn read(file: &Path) -> Result<Policy, Finished> {
    Policy::of(&source::bytes(file)?, file)
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
    let mut policy = read(&arguments.file)?;
    if let Some(retries) = arguments.retries {
        policy = policy.with_retries(retries, &arguments.file)?;
    }
    needs_pools(&policy)?;
    let by_router = ByRouter::of(&policy.config).is_some();
    if let Some(contradiction) = arguments.contradiction_by_router().filter(|_| by_router) {
        return Err(Finished::failed(contradiction));
    }
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
