//! `render gateway`: the resources that bring the filter and its routes to an Envoy Gateway.
//!
//! | resource | why |
//! |---|---|
//! | EnvoyExtensionPolicy | brings the module and its configuration |
//! | HTTPRoute | a rule for each cluster, matched by the filter's header, and one for the rest |
//! | BackendTrafficPolicy | the limits and timeouts of the clusters |
//!
//! Envoy Gateway names the cluster of a rule after the rule: `httproute/NAMESPACE/NAME/rule/INDEX`.
//! The configuration is therefore written with these clusters, and each endpoint keeps its old name
//! as its label. The filter runs on routes of the policy only, so that there must be a rule that
//! takes requests without the header.
//!
//! An endpoint's `authority` is written by its rule: written by the filter, it would choose another
//! virtual host.
//!
//! Limits: retries are by calls: an EnvoyExtensionPolicy puts no module behind the router. A
//! HTTPRoute has at most 16 rules, and a rule knows one host. The gateway has no
//! `FAIL_RELOAD`. The policy is checked against its definition, and the routing on an Envoy that is
//! configured in the same way, but not by an Envoy Gateway.
//!
//! Example: `{"endpoints": ["east"]}` becomes an endpoint `east` with the cluster
//! `httproute/default/steerage/rule/0`.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use serde_json::{Value, json};
use steerage_config::Config;

use super::authorities::Authorities;
use super::by_router::ByRouter;
use super::cluster::Cluster;
use super::yaml::{self, envoy_span, printable, quoted};
use crate::arguments::RenderGateway;

/// Most rules of a HTTPRoute, without the last one.
const MOST_CLUSTERS: usize = 15;

/// All resources, one document each.
///
/// # Errors
/// Why the configuration cannot be rendered.
pub(super) fn documents(
    arguments: &RenderGateway,
    config: &Config,
    clusters: &[Cluster],
    policy: Value,
) -> Result<String, String> {
    if ByRouter::of(config).is_some() {
        return Err(BY_ROUTER.into());
    }
    let authorities = Authorities::of(config);
    let hosts = clusters
        .iter()
        .map(|cluster| host(&authorities, &cluster.name))
        .collect::<Result<Vec<_>, _>>()?;
    if clusters.len() > MOST_CLUSTERS {
        let count = clusters.len();
        return Err(format!(
            "a HTTPRoute has room for {MOST_CLUSTERS} clusters, and these are {count}"
        ));
    }
    let backends = clusters
        .iter()
        .map(|cluster| backend(arguments, &cluster.name));
    let backends: Vec<_> = backends.collect::<Result<_, _>>()?;
    let mut documents = HEAD.to_owned();
    let mut policy = renamed(arguments, clusters, policy);
    authorities.tell(&mut policy);
    documents.push_str(&extension(arguments, &policy)?);
    let mut removed = quoted(&config.cluster_header);
    if authorities.are_rewritten() {
        removed.push_str(", x-steerage-authority");
    }
    let names = names(arguments, clusters);
    let rules = names.iter().zip(&backends).zip(&hosts);
    let rules: Vec<_> = rules
        .map(|((name, backend), host)| Rule {
            name,
            backend,
            host: *host,
        })
        .collect();
    // Writing to a `String` cannot fail.
    let _ = route(
        &mut documents,
        arguments,
        &config.cluster_header,
        &removed,
        &rules,
    );
    documents.push_str(&limits(arguments, clusters));
    Ok(documents)
}

/// The gateway serves modules at addresses of its own, so that a patch (EnvoyPatchPolicy) can name
/// none.
const BY_ROUTER: &str = "retries: no resource of Envoy Gateway puts a module behind the router, and routes \
                         there do not choose a cluster anew: use \"retries\": \"calls\"";

const HEAD: &str =
    "# Steerage on Envoy Gateway, written by `steerage render gateway`. Apply all of it together:
#     kubectl apply -f THIS_FILE
";

/// A rule of the route.
struct Rule<'a> {
    /// The gateway's name of its cluster.
    name: &'a str,
    backend: &'a str,
    /// The host that the cluster is asked for, if not the client's.
    host: Option<&'a str>,
}

/// The host that a rule has to write for this cluster.
fn host<'a>(authorities: &Authorities<'a>, cluster: &str) -> Result<Option<&'a str>, String> {
    let host = authorities.only(cluster).ok_or_else(|| {
        format!(
            "authority: {cluster} has more than one, and a HTTPRoute one rule for it: give it a \
             second service, or one authority"
        )
    })?;
    match host.filter(|host| !is_host_name(host)) {
        Some(other) => Err(format!(
            "authority: a HTTPRoute writes a host name in lower case and without a port, and {other} is \
             none: write it so"
        )),
        None => Ok(host),
    }
}

/// Whether a HTTPRoute takes it for the name of a host.
fn is_host_name(host: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_label = |label: &str| {
        let ends = label.starts_with('-') || label.ends_with('-');
        !label.is_empty() && !ends && label.bytes().all(plain)
    };
    host.len() <= 253 && host.split('.').all(is_label) && host.parse::<Ipv4Addr>().is_err()
}

/// The service behind a cluster, as a reference.
fn backend(arguments: &RenderGateway, cluster: &str) -> Result<String, String> {
    let mut given = arguments.backend.iter();
    let (name, port) = match given.find(|address| address.cluster == cluster) {
        Some(address) => (&*address.host, address.port),
        None => (cluster, 80),
    };
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || name.len() > 63 || !name.bytes().all(plain) {
        return Err(format!(
            "no service is called {name}: say which is meant with --backend {cluster}=SERVICE:PORT"
        ));
    }
    Ok(format!("{{name: {}, port: {port}}}", quoted(name)))
}

/// The gateway's names of the clusters.
fn names(arguments: &RenderGateway, clusters: &[Cluster]) -> Vec<String> {
    let (namespace, name) = (&arguments.namespace, &arguments.name);
    (0..clusters.len())
        .map(|rule| format!("httproute/{namespace}/{name}/rule/{rule}"))
        .collect()
}

/// The configuration with the gateway's clusters.
fn renamed(arguments: &RenderGateway, clusters: &[Cluster], mut policy: Value) -> Value {
    let names = names(arguments, clusters);
    let name_of = |cluster: &str| {
        let position = clusters.iter().position(|known| known.name == cluster);
        position.and_then(|position| names.get(position))
    };
    let pools = match policy.get_mut("pools") {
        Some(Value::Array(pools)) => pools.iter_mut().collect(),
        _ => vec![&mut policy],
    };
    for pool in pools {
        let endpoints = pool.get_mut("endpoints").and_then(Value::as_array_mut);
        for endpoint in endpoints.into_iter().flatten() {
            let label = match &*endpoint {
                Value::String(cluster) => cluster.clone(),
                object => object
                    .get("cluster")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned(),
            };
            let cluster = json!(name_of(&label));
            match endpoint {
                Value::Object(fields) => {
                    fields.insert("cluster".into(), cluster);
                    if let Some(Value::String(checked)) = fields.get_mut("health_check_cluster")
                        && let Some(name) = name_of(checked)
                    {
                        checked.clone_from(name);
                    }
                    fields.entry("name").or_insert_with(|| json!(label));
                }
                other => *other = json!({"cluster": cluster, "name": label}),
            }
        }
    }
    policy
}

/// The resource that brings the module.
fn extension(arguments: &RenderGateway, policy: &Value) -> Result<String, String> {
    let url = &arguments.url;
    let (kind, place, url) = match url.strip_prefix("oci://") {
        Some(image) => ("Image", "image", image),
        None if url.starts_with("http://") || url.starts_with("https://") => {
            ("HTTP", "http", &**url)
        }
        None => return Err("--url: must begin with oci://, https:// or http://".into()),
    };
    let mut code = format!("url: {}", quoted(url));
    if let Some(sha256) = &arguments.sha256 {
        code.push_str(&format!(", sha256: {}", quoted(sha256)));
    }
    let mut extension = metadata(
        "gateway.envoyproxy.io/v1alpha1",
        "EnvoyExtensionPolicy",
        arguments,
    );
    extension.push_str(&format!(
        "  targetRefs:
  - {{group: gateway.networking.k8s.io, kind: HTTPRoute, name: {}}}
  wasm:
  - name: steerage
    rootID: steerage
    code: {{type: {kind}, {place}: {{{code}}}}}
    # A filter that has crashed answers 503 until something of this resource changes: the gateway cannot
    # replace it by a fresh one. With `failOpen: true` requests would pass by it.
    failOpen: false
    # Clusters have the names that the gateway gives to the rules of the route below.
    config:
",
        quoted(&arguments.name)
    ));
    for line in printable(&format!("{policy:#}")).lines() {
        extension.push_str(&format!("      {line}\n"));
    }
    Ok(extension)
}

/// A rule for each cluster, and one for all other requests.
fn route(
    documents: &mut String,
    arguments: &RenderGateway,
    header: &str,
    removed: &str,
    rules: &[Rule<'_>],
) -> std::fmt::Result {
    let header = quoted(header);
    documents.push_str(&metadata(
        "gateway.networking.k8s.io/v1",
        "HTTPRoute",
        arguments,
    ));
    writeln!(
        documents,
        "  parentRefs: [{{name: {}}}]",
        quoted(&arguments.gateway)
    )?;
    documents.push_str(
        "  # Steerage writes the cluster's name into the header, and Envoy then chooses the rule again. The order
  # of these rules is part of the clusters' names.
  rules:
",
    );
    for rule in rules {
        let name = quoted(rule.name);
        writeln!(documents, "  - matches:")?;
        writeln!(
            documents,
            "    - headers: [{{type: Exact, name: {header}, value: {name}}}]"
        )?;
        writeln!(documents, "    filters:")?;
        writeln!(
            documents,
            "    - {{type: RequestHeaderModifier, requestHeaderModifier: {{remove: [{removed}]}}}}"
        )?;
        if let Some(host) = rule.host {
            let host = quoted(host);
            writeln!(
                documents,
                "    - {{type: URLRewrite, urlRewrite: {{hostname: {host}}}}}"
            )?;
        }
        writeln!(documents, "    backendRefs: [{}]", rule.backend)?;
        documents.push_str(NO_TIMEOUT);
    }
    if let Some(first) = rules.first() {
        documents.push_str(
            "  # Every request comes by here first, so that Steerage sees it. What no pool takes stays here.
  - matches: [{path: {type: PathPrefix, value: /}}]
",
        );
        writeln!(documents, "    backendRefs: [{}]", first.backend)?;
        documents.push_str(NO_TIMEOUT);
    }
    Ok(())
}

/// Off, because it would include the time of Steerage's retries.
const NO_TIMEOUT: &str = "    timeouts: {request: 0s}
";

/// The limits of the clusters: a policy is for a whole route, so the widest.
fn limits(arguments: &RenderGateway, clusters: &[Cluster]) -> String {
    let most = clusters.iter().map(|cluster| cluster.connections).max();
    let most = most.unwrap_or_default();
    let connect = clusters.iter().map(|cluster| cluster.connect).min();
    let expiry = clusters.iter().map(|cluster| cluster.expiry).max();
    let mut limits = metadata(
        "gateway.envoyproxy.io/v1alpha1",
        "BackendTrafficPolicy",
        arguments,
    );
    limits.push_str(&format!(
        "  targetRefs:
  - {{group: gateway.networking.k8s.io, kind: HTTPRoute, name: {}}}
  # There is no `retry` here: two layers of retries multiply.
  timeout:
    tcp: {{connectTimeout: {}}}
    http: {{connectionIdleTimeout: {}}}
  circuitBreaker: {{maxConnections: {most}, maxPendingRequests: {most}, maxParallelRequests: {most}}}
",
        quoted(&arguments.name),
        gateway_span(&envoy_span(connect.unwrap_or_default())),
        gateway_span(&envoy_span(expiry.unwrap_or_default())),
    ));
    limits
}

/// A duration of the Gateway API, which has units in place of fractions: `1s5ms` for `1.005s`.
fn gateway_span(span: &str) -> String {
    let Some((seconds, milliseconds)) = span.trim_end_matches('s').split_once('.') else {
        return span.to_owned();
    };
    let milliseconds = milliseconds.trim_start_matches('0');
    match seconds {
        "0" => format!("{milliseconds}ms"),
        _ => format!("{seconds}s{milliseconds}ms"),
    }
}

/// The beginning of a resource, up to what it specifies.
fn metadata(version: &str, kind: &str, arguments: &RenderGateway) -> String {
    yaml::metadata(version, kind, &arguments.name, &arguments.namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_no_fraction() {
        for (envoy, expected) in [("5s", "5s"), ("0.250s", "250ms"), ("1.005s", "1s5ms")] {
            assert_eq!(gateway_span(envoy), expected);
        }
    }
}
