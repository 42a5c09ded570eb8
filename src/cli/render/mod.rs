//! `render`: what deploys a configuration.
//!
//! | file | writes |
//! |---|---|
//! | this | reads the configuration and calls the others |
//! | `policy` | the configuration, changed a little for resources |
//! | `templates/`, `template`, `yaml` | the texts; what fills them; names in quotes, blocks |
//! | `cluster` | what the clusters of the endpoints need |
//! | `authorities` | the hosts that routes write for endpoints |
//! | `external` | servers outside of the mesh or of Kubernetes |
//! | `by_router` | what makes the router retry as the filter decides |
//! | `envoy` | an Envoy with a listener, the filter and the clusters |
//! | `istio`, `gateway` | resources for Istio and for Envoy Gateway |
//!
//! Only a configuration that the filter accepts is rendered. For an Envoy it is written with the
//! layout in which it was given.
//!
//! Limits: a configuration names clusters and does not say where they are. Addresses are given with
//! `--address` and `--external`, or are ports of this machine to be replaced.

mod authorities;
mod by_router;
mod cluster;
mod envoy;
mod external;
mod gateway;
mod istio;
mod policy;
mod template;
mod yaml;

use crate::arguments::{External, RenderEnvoy, RenderGateway, RenderIstio, Target};
use crate::finished::{Finished, REFUSED};
use by_router::ByRouter;
use policy::Policy;

/// Carries out the command.
pub(crate) fn run(target: &Target) -> Finished {
    let rendered = match target {
        Target::Envoy(arguments) => envoy(arguments),
        Target::Istio(arguments) => istio(arguments),
        Target::Gateway(arguments) => gateway(arguments),
    };
    rendered.unwrap_or_else(|finished| finished)
}

fn envoy(arguments: &RenderEnvoy) -> Result<Finished, Finished> {
    let file = &arguments.file;
    let policy = Policy::read(file)?;
    let addresses = arguments.address.iter().map(|it| &*it.cluster);
    are_known("--address", addresses, &policy)?;
    externals_are_known(&arguments.external, &policy)?;
    let policy = policy.with_externals(&arguments.external, |it| it.cluster.clone(), file)?;
    let (policy, admin) = policy.without_admin(file)?;
    let text = envoy::document(arguments, &policy, admin.as_ref());
    text.map(Finished::with)
        .map_err(|complaint| Finished::failed(&complaint))
}

fn istio(arguments: &RenderIstio) -> Result<Finished, Finished> {
    if let Some(contradiction) = arguments.contradiction() {
        return Err(Finished::failed(contradiction));
    }
    let file = &arguments.file;
    let mut policy = Policy::read(file)?;
    if let Some(retries) = arguments.retries {
        policy = policy.with_retries(retries, file)?;
    }
    needs_pools(&policy)?;
    let by_router = ByRouter::of(&policy.config).is_some();
    if let Some(contradiction) = arguments.contradiction_by_router().filter(|_| by_router) {
        return Err(Finished::failed(contradiction));
    }
    externals_are_known(&arguments.external, &policy)?;
    let policy = policy.with_externals(&arguments.external, istio::cluster_of, file)?;
    let name = format!("{}-{}", arguments.namespace(), arguments.name);
    let (policy, admin) = policy.named(&name, file)?.without_admin(file)?;
    let rendered = istio::documents(arguments, &policy, admin.is_some());
    rendered
        .map(|text| with_note(text, admin.is_some()))
        .map_err(|complaint| Finished {
            status: REFUSED,
            ..Finished::failed(&complaint)
        })
}

fn gateway(arguments: &RenderGateway) -> Result<Finished, Finished> {
    let file = &arguments.file;
    let policy = Policy::read(file)?;
    needs_pools(&policy)?;
    let backends = arguments.backend.iter().map(|it| &*it.cluster);
    are_known("--backend", backends, &policy)?;
    externals_are_known(&arguments.external, &policy)?;
    let policy = policy.with_externals(&arguments.external, |it| it.cluster.clone(), file)?;
    let name = format!("{}-{}", arguments.namespace, arguments.name);
    let (policy, admin) = policy.named(&name, file)?.without_admin(file)?;
    gateway::documents(arguments, &policy, admin.is_some())
        .map(|text| with_note(text, admin.is_some()))
        .map_err(|complaint| Finished::failed(&complaint))
}

/// The output, and what the user should know of it.
fn with_note(output: String, admin_left_out: bool) -> Finished {
    let complaint = if admin_left_out {
        "steerage: note: admin is left out: on these proxies it would answer clients\n"
    } else {
        ""
    };
    Finished {
        complaint: complaint.into(),
        ..Finished::with(output)
    }
}

fn needs_pools(policy: &Policy) -> Result<(), Finished> {
    if policy.clusters.is_empty() {
        let complaint = "this configuration has no pools, and so nothing to route to";
        return Err(Finished::failed(complaint));
    }
    Ok(())
}

fn externals_are_known(externals: &[External], policy: &Policy) -> Result<(), Finished> {
    are_known(
        "--external",
        externals.iter().map(|it| &*it.cluster),
        policy,
    )
}

/// Whether the clusters of these arguments exist.
fn are_known<'a>(
    argument: &str,
    clusters: impl Iterator<Item = &'a str>,
    policy: &Policy,
) -> Result<(), Finished> {
    let known = |name: &str| policy.clusters.iter().any(|cluster| cluster.name == name);
    let mut unknown = clusters.filter(|cluster| !known(cluster));
    match unknown.next() {
        Some(cluster) => {
            let complaint = format!("{argument}: no endpoint has the cluster {cluster}");
            Err(Finished::failed(&complaint))
        }
        None => Ok(()),
    }
}
