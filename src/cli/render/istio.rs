//! `render istio`: the resources that bring the filter and its routes to an Istio gateway.
//!
//! | resource | why |
//! |---|---|
//! | WasmPlugin, or TrafficExtension | brings the module and its configuration |
//! | VirtualService | a route for each cluster, chosen by the header that the filter writes |
//! | DestinationRule, one a host | the limits and timeouts of the clusters |
//!
//! Istio has no route by a cluster's name in a header (`cluster_header`), but it has routes by the value of
//! a header, and Envoy chooses the route again when the filter has written one. No patch of Envoy's own
//! configuration is needed for that.
//!
//! Limits: the endpoints must be Istio's clusters, `outbound|PORT|SUBSET|HOST`. A waypoint needs
//! `targetRefs` in place of the selector. The resources are checked against Istio's CRDs, not by an Istio.
//!
//! Example: for `outbound|80||api.default.svc.cluster.local` the VirtualService has a route with this value of
//! `x-steerage-cluster` to port 80 of that host.

use std::fmt::Write as _;

use serde_json::{Value, json};
use steerage_config::Config;

use super::cluster::Cluster;
use super::{envoy_span, printable, quoted};
use crate::arguments::{IstioKind, RenderIstio};

/// What a cluster of Istio stands for.
#[derive(Debug, PartialEq, Eq)]
struct Destination<'a> {
    host: &'a str,
    port: u16,
    subset: Option<&'a str>,
}

impl<'a> Destination<'a> {
    /// `None` unless the name is of the form `outbound|PORT|SUBSET|HOST`.
    fn of(cluster: &'a str) -> Option<Self> {
        let mut parts = cluster.split('|');
        let (direction, port, subset, host) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let whole = direction == "outbound" && !host.is_empty() && parts.next().is_none();
        let port: u16 = port.parse().ok()?;
        whole.then_some(Self {
            host,
            port,
            subset: Some(subset).filter(|subset| !subset.is_empty()),
        })
    }
}

/// All resources, one document each.
///
/// # Errors
/// The clusters that are none of Istio's.
pub(super) fn documents(
    arguments: &RenderIstio,
    config: &Config,
    clusters: &[Cluster],
    policy: &Value,
) -> Result<String, Vec<String>> {
    let mut known = Vec::new();
    let mut foreign = Vec::new();
    for cluster in clusters {
        match Destination::of(&cluster.name) {
            Some(destination) => known.push((cluster, destination)),
            None => foreign.push(cluster.name.clone()),
        }
    }
    if !foreign.is_empty() {
        return Err(foreign);
    }
    let mut documents = HEAD.to_owned();
    documents.push_str(&plugin(arguments, policy));
    // Writing to a `String` cannot fail.
    let _ = routes(&mut documents, arguments, &config.cluster_header, &known);
    let _ = limits(&mut documents, arguments, &known);
    Ok(documents)
}

const HEAD: &str =
    "# Steerage on Istio, written by `steerage render istio`. Apply all of it to one namespace:
#     kubectl apply -f THIS_FILE
";

/// The resource that brings the module.
fn plugin(arguments: &RenderIstio, policy: &Value) -> String {
    let (kind, within) = match arguments.kind {
        IstioKind::WasmPlugin => ("WasmPlugin", ""),
        IstioKind::TrafficExtension => ("TrafficExtension", "  "),
    };
    let labels: Vec<_> = arguments
        .selector
        .iter()
        .map(|(name, value)| format!("{}: {}", quoted(name), quoted(value)))
        .collect();
    let mut plugin = metadata("extensions.istio.io/v1alpha1", kind, arguments, "");
    plugin.push_str(&format!(
        "  # Of these gateways. A waypoint takes `targetRefs` instead.
  selector: {{matchLabels: {{{}}}}}
  # There is no `phase`: the filter then stands right before the router, where a retry repeats all that
  # other filters have changed.
",
        labels.join(", ")
    ));
    if arguments.kind == IstioKind::TrafficExtension {
        plugin.push_str("  wasm:\n");
    }
    let mut line = |text: &str| plugin.push_str(&format!("{within}  {text}\n"));
    line(&format!("url: {}", quoted(&arguments.url)));
    if let Some(sha256) = &arguments.sha256 {
        line(&format!("sha256: {}", quoted(sha256)));
    }
    line("pluginName: steerage");
    line("# A crashed filter is replaced by a fresh one; the default would answer 503 for ever.");
    line("failStrategy: FAIL_RELOAD");
    line("pluginConfig:");
    for text in printable(&format!("{policy:#}")).lines() {
        line(&format!("  {text}"));
    }
    plugin
}

/// A route for each cluster.
fn routes(
    documents: &mut String,
    arguments: &RenderIstio,
    header: &str,
    clusters: &[(&Cluster, Destination<'_>)],
) -> std::fmt::Result {
    let header = quoted(header);
    let kind = "VirtualService";
    documents.push_str(&metadata("networking.istio.io/v1", kind, arguments, ""));
    writeln!(documents, "  hosts: [{}]", quoted(&arguments.host))?;
    writeln!(documents, "  gateways: [{}]", quoted(&arguments.gateway))?;
    documents.push_str(
        "  # Steerage writes the cluster's name into the header, and Envoy then chooses the route again. A request
  # that no pool takes has no such header: put routes for those behind these.
  http:
",
    );
    for (cluster, destination) in clusters {
        let exact = quoted(&cluster.name);
        let to = destination_of(destination);
        writeln!(documents, "  - match:")?;
        writeln!(documents, "    - headers: {{{header}: {{exact: {exact}}}}}")?;
        writeln!(documents, "    route:")?;
        writeln!(documents, "    - destination: {to}")?;
        // Once is enough of a reason; each route needs the field.
        documents.push_str(
            "    # Istio would try again by itself, within this cluster: two layers of retries multiply.
    retries: {attempts: 0}
",
        );
    }
    Ok(())
}

fn destination_of(destination: &Destination<'_>) -> String {
    let mut to = json!({
        "host": destination.host,
        "port": {"number": destination.port},
    });
    if let (Some(subset), Some(object)) = (destination.subset, to.as_object_mut()) {
        object.insert("subset".into(), json!(subset));
    }
    printable(&to.to_string())
}

/// The limits of each host.
fn limits(
    documents: &mut String,
    arguments: &RenderIstio,
    clusters: &[(&Cluster, Destination<'_>)],
) -> std::fmt::Result {
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
        documents.push_str(&metadata(
            "networking.istio.io/v1",
            kind,
            arguments,
            &number,
        ));
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
        writeln!(
            documents,
            "      http: {{http1MaxPendingRequests: {most}, http2MaxRequests: {most}, idleTimeout: {expiry}}}"
        )?;
    }
    Ok(())
}

/// The beginning of a resource, up to what it specifies.
fn metadata(version: &str, kind: &str, arguments: &RenderIstio, suffix: &str) -> String {
    let name = format!("{}{suffix}", arguments.name);
    super::metadata(version, kind, &name, &arguments.namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn istios_clusters_are_known_by_their_names() {
        assert_eq!(
            Destination::of("outbound|80|v1|api.default.svc.cluster.local"),
            Some(Destination {
                host: "api.default.svc.cluster.local",
                port: 80,
                subset: Some("v1")
            })
        );
        let plain = Destination::of("outbound|443||example.com");
        assert_eq!(plain.and_then(|plain| plain.subset), None);
        for other in [
            "api",
            "inbound|80||a",
            "outbound|x||a",
            "outbound|80||",
            "outbound|80||a|b",
            "outbound_.80_._.a",
        ] {
            assert_eq!(Destination::of(other), None, "{other}");
        }
    }
}
