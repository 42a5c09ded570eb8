//! `render gateway`: the resources that bring the filter and its routes to an Envoy Gateway.
//!
//! | resource | why |
//! |---|---|
//! | EnvoyExtensionPolicy | brings the module and its configuration |
//! | HTTPRoute | a rule for each cluster, matched by the filter's header, and one for the rest |
//! | BackendTrafficPolicy | the limits and timeouts of the clusters |
//! | Backend, BackendTLSPolicy | servers outside of Kubernetes |
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

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::authorities::Authorities;
use super::by_router::ByRouter;
use super::cluster::Cluster;
use super::policy::Policy;
use super::template::filled;
use super::yaml::envoy_span;
use crate::arguments::{External, RenderGateway};

/// Most rules of a HTTPRoute, without the last one.
const MOST_CLUSTERS: usize = 15;

/// All resources, one document each. `admin_left_out`: whether the configuration had one.
///
/// # Errors
/// Why the configuration cannot be rendered.
pub(super) fn documents(
    arguments: &RenderGateway,
    policy: &Policy,
    admin_left_out: bool,
) -> Result<String, String> {
    let (config, clusters) = (&policy.config, &policy.clusters);
    if ByRouter::of(config).is_some() {
        return Err(BY_ROUTER.into());
    }
    let authorities = Authorities::of(config);
    if clusters.len() > MOST_CLUSTERS {
        let count = clusters.len();
        return Err(format!(
            "a HTTPRoute has room for {MOST_CLUSTERS} clusters, and these are {count}"
        ));
    }
    let names = names(arguments, clusters);
    let rules = clusters.iter().zip(&names).map(|(cluster, name)| {
        Ok(json!({
            "name": name,
            "host": host(&authorities, &cluster.name)?,
            "backend": backend(arguments, &cluster.name)?,
        }))
    });
    let rules = rules.collect::<Result<Vec<_>, String>>()?;
    let mut document = renamed(arguments, clusters, policy.document.clone());
    authorities.tell(&mut document);
    let (is_image, url) = module(&arguments.url)?;
    let entries = entries(arguments, policy);
    let most = clusters.iter().map(|cluster| cluster.connections).max();
    let connect = clusters.iter().map(|cluster| cluster.connect).min();
    let expiry = clusters.iter().map(|cluster| cluster.expiry).max();
    let span = |span: Option<_>| gateway_span(&envoy_span(span.unwrap_or_default()));
    let externals = arguments.external.iter().map(|external| {
        json!({
            "backend": backend_name(arguments, external),
            "host": external.host,
            "port": external.port,
            "tls": external.tls,
        })
    });
    let hosts = match &*arguments.host {
        [] => policy.hosts().unwrap_or_default(),
        given => given.to_vec(),
    };
    filled(
        "gateway.yaml",
        &json!({
            "name": arguments.name,
            "namespace": arguments.namespace,
            "gateway": arguments.gateway,
            "is_image": is_image,
            "url": url,
            "sha256": arguments.sha256,
            "image_pull_secret": arguments.image_pull_secret,
            "admin_left_out": admin_left_out,
            "policy": format!("{document:#}"),
            "hosts": hosts,
            "header": &*config.cluster_header,
            "rewrites_host": authorities.are_rewritten(),
            "rules": rules,
            "takes_all": entries == [everything()],
            "entries": entries,
            "connect": span(connect),
            "expiry": span(expiry),
            "most": most.unwrap_or_default(),
            "externals": externals.collect::<Vec<_>>(),
        }),
    )
}

/// What comes by the filter: the paths of the pools.
///
/// Where it is not everything, the rule of each cluster has the same paths: a HTTPRoute prefers the
/// more specific path, and only then more headers. So everything it is where an endpoint changes
/// the path, or where a HTTPRoute has no room.
fn entries(arguments: &RenderGateway, policy: &Policy) -> Vec<Value> {
    let pools = || {
        policy
            .config
            .pools
            .iter()
            .map(|configured| &configured.pool)
    };
    let mut endpoints = pools().flat_map(|pool| &pool.endpoints);
    if arguments.catch_all || endpoints.any(|endpoint| endpoint.path_prefix.is_some()) {
        return vec![everything()];
    }
    let mut entries: Vec<Value> = Vec::new();
    for pool in pools() {
        let entry = match (&pool.matcher.path, &pool.matcher.prefix) {
            (Some(path), _) => json!({"path": {"type": "Exact", "value": path}}),
            // To a HTTPRoute `/api` is a whole part of a path; to a pool also the beginning of one.
            (None, Some(prefix)) if !prefix.ends_with('/') => {
                let pattern = format!("{}.*", escaped(prefix));
                json!({"path": {"type": "RegularExpression", "value": pattern}})
            }
            (None, Some(prefix)) => json!({"path": {"type": "PathPrefix", "value": prefix}}),
            (None, None) => return vec![everything()],
        };
        if !entries.contains(&entry) {
            entries.push(entry);
        }
    }
    let matches = entries.len() * (policy.clusters.len() + 1);
    if entries.len() > MOST_MATCHES || matches > MOST_MATCHES_OF_ALL {
        return vec![everything()];
    }
    entries
}

/// Most matches of a rule, and of all rules of a HTTPRoute.
const MOST_MATCHES: usize = 64;
const MOST_MATCHES_OF_ALL: usize = 128;

fn everything() -> Value {
    json!({"path": {"type": "PathPrefix", "value": "/"}})
}

/// A text as a regular expression that matches it.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// The gateway serves modules at addresses of its own, so that a patch (EnvoyPatchPolicy) can name
/// none.
const BY_ROUTER: &str = "retries: no resource of Envoy Gateway puts a module behind the router, and routes \
                         there do not choose a cluster anew: use \"retries\": \"calls\"";

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

/// The service or the server behind a cluster, as a reference.
fn backend(arguments: &RenderGateway, cluster: &str) -> Result<Value, String> {
    if let Some(external) = arguments.external.iter().find(|it| it.cluster == cluster) {
        let name = backend_name(arguments, external);
        let group = "gateway.envoyproxy.io";
        return Ok(json!({"group": group, "kind": "Backend", "name": name}));
    }
    let mut given = arguments.backend.iter();
    let (name, port) = match given.find(|address| address.cluster == cluster) {
        Some(address) => (&*address.host, address.port),
        None => (cluster, 80),
    };
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || name.len() > 63 || !name.bytes().all(plain) {
        return Err(format!(
            "no service is called {name}: say which is meant with --backend {cluster}=SERVICE:PORT, or \
             with --external {cluster}=https://HOST for a server elsewhere"
        ));
    }
    Ok(json!({"name": name, "port": port}))
}

/// The name of the resource of a server outside of Kubernetes.
fn backend_name(arguments: &RenderGateway, external: &External) -> String {
    format!("{}-{}", arguments.name, external.host.replace('.', "-"))
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

/// Whether a module is in an image, and where.
fn module(url: &str) -> Result<(bool, &str), String> {
    match url.strip_prefix("oci://") {
        Some(image) => Ok((true, image)),
        None if url.starts_with("http://") || url.starts_with("https://") => Ok((false, url)),
        None => Err("--url: must begin with oci://, https:// or http://".into()),
    }
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
