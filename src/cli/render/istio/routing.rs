//! How a request gets to the cluster that the filter has written into the header.
//!
//! | `--routing` | VirtualService | EnvoyFilter |
//! |---|---|---|
//! | `routes` | a route for each cluster, chosen by the header's value | none |
//! | `cluster-header` | one route, if the header is there | takes its cluster from the header |
//! | none, because the router makes the retries | the same | that of `by_router` |
//!
//! All end with a route without a condition on the header. A steered request does not need it:
//! Envoy runs its filters even if it finds no route, and chooses the route again when a filter
//! writes a header. A request that no pool takes needs it, or it would be answered 404.
//!
//! Istio merges the EnvoyFilter's value into the route. `cluster` and `cluster_header` exclude each
//! other, so setting one removes the other. Merging cannot remove a retry policy, so the
//! VirtualService switches retries off.
//!
//! No route has a `timeout`. Istio's default is none, which is wanted here, and Istio refuses `0s`.
//!
//! Limits: a waypoint's routes are part of its listeners, where Istio does not patch them.
//!
//! Example: `outbound|80|v2|api` becomes
//! `destination: {host: api, port: {number: 80}, subset: v2}`.

use std::fmt::Write as _;

use serde_json::json;

use super::super::yaml::{printable, quoted};
use super::rendering::Rendering;
use crate::arguments::{IstioRouting, IstioTarget};
use crate::istio::Destination;

impl Rendering<'_> {
    /// The VirtualService.
    pub(super) fn routes(&self, documents: &mut String) -> std::fmt::Result {
        let arguments = self.arguments;
        let header = quoted(&self.config.cluster_header);
        documents.push_str(&self.metadata("networking.istio.io/v1", "VirtualService", ""));
        writeln!(documents, "  hosts: [{}]", quoted(arguments.host()))?;
        match arguments.target {
            IstioTarget::Gateway => {
                writeln!(documents, "  gateways: [{}]", quoted(&arguments.gateway))?;
            }
            // Without `gateways` the routes are those of the mesh, which the other proxies need.
            IstioTarget::Sidecar => documents.push_str(
                "  # Other namespaces have no filter that writes the header, and need none of this.
  exportTo: [\".\"]
",
            ),
            IstioTarget::Waypoint => {}
        }
        documents.push_str(
            "  # Steerage writes the cluster's name into the header, and Envoy then chooses the route again. Each route
  # has no `timeout`, because that would go on counting while Steerage retries, and no retries of Istio's own:
  # two layers of retries multiply.
  http:
",
        );
        match self.routing() {
            IstioRouting::Routes => {
                for (cluster, destination) in &self.clusters {
                    let exact = quoted(&cluster.name);
                    writeln!(documents, "  - match:")?;
                    writeln!(documents, "    - headers: {{{header}: {{exact: {exact}}}}}")?;
                    route_to(documents, "    ", destination)?;
                    if let Some(authority) = self.authorities.first(&cluster.name) {
                        let authority = quoted(authority);
                        writeln!(documents, "    rewrite: {{authority: {authority}}}")?;
                    }
                    self.hide_headers(documents)?;
                }
            }
            IstioRouting::ClusterHeader => {
                if let Some((_, first)) = self.clusters.first() {
                    documents.push_str(match self.by_router {
                        Some(_) => "  # The EnvoyFilter below finds this route by its name, and gives it clusters and retries.
",
                        None => "  # The EnvoyFilter below finds this route by its name, and takes its cluster from the header.
",
                    });
                    writeln!(documents, "  - name: {}", quoted(&arguments.name))?;
                    writeln!(documents, "    match:")?;
                    writeln!(documents, "    - headers: {{{header}: {{}}}}")?;
                    route_to(documents, "    ", first)?;
                    self.hide_headers(documents)?;
                }
            }
        }
        documents.push_str(
            "  # What no pool takes has no such header and stays here. Put routes of your own in front of this one.
",
        );
        match (arguments.target, self.clusters.first()) {
            (_, None) => Ok(()),
            (IstioTarget::Gateway, Some((_, first))) => route_to(documents, "  - ", first),
            (IstioTarget::Sidecar | IstioTarget::Waypoint, Some((_, first))) => {
                let host = arguments.host();
                let (port, subset) = (first.port, None);
                route_to(documents, "  - ", &Destination { host, port, subset })
            }
        }
    }

    /// Has a route take its headers off the request. They have done their work when it is chosen.
    /// By `x-steerage-authority` an EnvoyFilter's route rewrites the host, after others are
    /// removed.
    fn hide_headers(&self, documents: &mut String) -> std::fmt::Result {
        let header = quoted(&self.config.cluster_header);
        let is_static = self.routing() == IstioRouting::Routes;
        let authority = if is_static && self.authorities.are_rewritten() {
            ", x-steerage-authority"
        } else {
            ""
        };
        writeln!(
            documents,
            "    headers: {{request: {{remove: [{header}{authority}]}}}}"
        )
    }

    /// Which of a proxy's configuration an EnvoyFilter changes.
    pub(super) fn context(&self) -> &'static str {
        match self.arguments.target {
            IstioTarget::Gateway => "GATEWAY",
            IstioTarget::Sidecar | IstioTarget::Waypoint => "SIDECAR_OUTBOUND",
        }
    }

    /// The EnvoyFilter that takes the cluster from the header.
    pub(super) fn patch(&self) -> String {
        let arguments = self.arguments;
        let mut patch = self.metadata("networking.istio.io/v1alpha3", "EnvoyFilter", "");
        patch.push_str(&format!(
            "  workloadSelector: {{labels: {labels}}}
  configPatches:
  - applyTo: HTTP_ROUTE
    match:
      context: {context}
      routeConfiguration: {{vhost: {{route: {{name: {route}}}}}}}
    patch:
      operation: MERGE
      value:
        route:
          # Takes the place of the route's cluster: a route has one or the other.
          cluster_header: {header}
          timeout: 0s
{rewrite}",
            labels = self.labels(),
            context = self.context(),
            route = quoted(&arguments.name),
            header = quoted(&self.config.cluster_header),
            rewrite = if self.authorities.are_rewritten() {
                "          # The `authority` of an endpoint. In `:authority` it would choose another virtual host.
          host_rewrite_header: x-steerage-authority
"
            } else {
                ""
            },
        ));
        patch
    }
}

/// The actions of a route, after its condition or, in a route without one, after a hyphen.
fn route_to(
    documents: &mut String,
    before: &str,
    destination: &Destination<'_>,
) -> std::fmt::Result {
    let mut to = json!({
        "host": destination.host,
        "port": {"number": destination.port},
    });
    if let (Some(subset), Some(object)) = (destination.subset, to.as_object_mut()) {
        object.insert("subset".into(), json!(subset));
    }
    let to = printable(&to.to_string());
    writeln!(documents, "{before}route: [{{destination: {to}}}]")?;
    writeln!(documents, "    retries: {{attempts: 0}}")
}
