//! `render istio`: the resources that bring the filter and its routes to proxies of Istio.
//!
//! | file | resource | why |
//! |---|---|---|
//! | `plugin` | WasmPlugin, or TrafficExtension | brings the module and its configuration |
//! | `routing` | VirtualService, perhaps an EnvoyFilter | routes to the filter's cluster |
//! | `by_router` | EnvoyFilter, in place of both | the same where the router makes the retries |
//! | this | DestinationRule, one a host | the limits and timeouts of the clusters |
//!
//! There are three kinds of proxies. What differs:
//!
//! | proxy | chosen by | the routes are | what no pool takes goes to |
//! |---|---|---|---|
//! | gateway | labels | those of a Gateway | the first endpoint |
//! | sidecar | labels | those of an application's requests to one host | that host |
//! | waypoint | `targetRefs` | those of a service | that service |
//!
//! A sidecar, and a waypoint with a Gateway as its target, sees requests to other hosts as well.
//! These have no route by the header, so an attempt would not reach the cluster that the filter
//! chose. Pools on such proxies must therefore name hosts.
//!
//! Limits: the endpoints must be Istio's clusters, `outbound|PORT|SUBSET|HOST`, or what a waypoint
//! calls the clusters of its own services, `inbound-vip|PORT|http|HOST`. The resources are checked
//! against Istio's CRDs and run on an Envoy that is configured in the same way, not by an Istio.
//!
//! Example: for `outbound|80||api.default.svc.cluster.local` the VirtualService has a route with
//! this value of `x-steerage-cluster` to port 80 of that host.

mod by_router;
mod plugin;
mod rendering;
mod routing;

use std::fmt::Write as _;

use serde_json::Value;
use steerage_config::Config;

use super::authorities::Authorities;
use super::by_router::{ByRouter, MAX_RETRIES};
use super::cluster::Cluster;
use super::yaml::{envoy_span, quoted};
use crate::arguments::{IstioRouting, IstioTarget, RenderIstio};
use crate::istio::Destination;
use rendering::Rendering;

/// All resources, one document each.
///
/// # Errors
/// Why the configuration cannot be rendered.
pub(super) fn documents(
    arguments: &RenderIstio,
    config: &Config,
    clusters: &[Cluster],
    policy: &Value,
) -> Result<String, String> {
    let mut known = Vec::new();
    let mut foreign = Vec::new();
    for cluster in clusters {
        let destination = match arguments.target {
            IstioTarget::Waypoint => Destination::of_waypoint(&cluster.name),
            _ => Destination::of(&cluster.name),
        };
        match destination {
            Some(destination) => known.push((cluster, destination)),
            None => foreign.push(cluster.name.clone()),
        }
    }
    if !foreign.is_empty() {
        return Err(format!(
            "Istio names its clusters outbound|PORT|SUBSET|HOST, as in \
             outbound|80||api.default.svc.cluster.local; these are none of them:\n{}",
            foreign.join("\n")
        ));
    }
    let rendering = Rendering {
        arguments,
        config,
        authorities: Authorities::of(config),
        by_router: ByRouter::of(config),
        clusters: known,
    };
    rendering.names_its_hosts()?;
    rendering.has_one_authority_each()?;
    let mut policy = policy.clone();
    rendering.authorities.tell(&mut policy);
    let mut documents = HEAD.to_owned();
    if rendering.by_router.is_none() {
        documents.push_str(&rendering.plugin(&policy));
    }
    // Writing to a `String` cannot fail.
    let _ = rendering.routes(&mut documents);
    match &rendering.by_router {
        Some(by_router) => documents.push_str(&rendering.filter_by_router(by_router, &policy)),
        None if rendering.routing() == IstioRouting::Routes => {}
        None => documents.push_str(&rendering.patch()),
    }
    let _ = rendering.limits(&mut documents);
    Ok(documents)
}

const HEAD: &str =
    "# Steerage on Istio, written by `steerage render istio`. Apply all of it together:
#     kubectl apply -f THIS_FILE
";

impl Rendering<'_> {
    /// The limits of each host.
    fn limits(&self, documents: &mut String) -> std::fmt::Result {
        let clusters = &self.clusters;
        let mut written: Vec<&str> = Vec::new();
        for (_, destination) in clusters {
            let host = destination.host;
            if written.contains(&host) {
                continue;
            }
            written.push(host);
            let of_host = || {
                let mine = clusters.iter().filter(|(_, other)| other.host == host);
                mine.map(|(cluster, _)| cluster)
            };
            let most = of_host().map(|cluster| cluster.connections).max();
            let most = most.unwrap_or_default();
            let connect = of_host().map(|cluster| cluster.connect).min();
            let expiry = of_host().map(|cluster| cluster.expiry).max();
            let connect = envoy_span(connect.unwrap_or_default());
            let expiry = envoy_span(expiry.unwrap_or_default());
            let number = format!("-{}", written.len());
            let kind = "DestinationRule";
            documents.push_str(&self.metadata("networking.istio.io/v1", kind, &number));
            writeln!(documents, "  host: {}", quoted(host))?;
            documents.push_str(
                "  # If the host has a rule already, put these into that one: Istio takes them from one rule only.
  trafficPolicy:
    connectionPool:
",
            );
            writeln!(
                documents,
                "      tcp: {{maxConnections: {most}, connectTimeout: {connect}}}"
            )?;
            let mut retries = String::new();
            if self.by_router.is_some() {
                documents.push_str(
                    "      # Envoy counts every retry against the cluster of the first attempt. The pool's `budget` is the limit.
",
                );
                retries = format!(", maxRetries: {MAX_RETRIES}");
            }
            writeln!(
                documents,
                "      http: {{http1MaxPendingRequests: {most}, http2MaxRequests: {most}{retries}, idleTimeout: {expiry}}}"
            )?;
        }
        Ok(())
    }
}
