//! `render envoy`: an Envoy with a listener, the filter and the clusters of its endpoints.
//!
//! The text is the template `envoy.yaml`. Every line that is not obvious has its reason beside it.
//!
//! Where the router makes the retries, the route chooses the cluster in another way, and the module
//! is loaded a second time, behind the router. An admin surface beside pools gets a listener of its
//! own.
//!
//! Example: for `{"endpoints": ["east"]}`, one route, one filter, and one cluster `east` at
//! 127.0.0.1:8081.

use serde::Serialize;
use serde_json::{Value, json};

use super::by_router::{ByRouter, MAX_RETRIES};
use super::cluster::Cluster;
use super::policy::Policy;
use super::template::filled;
use super::yaml::envoy_span;
use crate::arguments::RenderEnvoy;

/// The whole document. `admin`: the admin surface that was beside the pools.
///
/// # Errors
/// A fault of the template.
pub(super) fn document(
    arguments: &RenderEnvoy,
    policy: &Policy,
    admin: Option<&Value>,
) -> Result<String, String> {
    let listen = |(host, port): &(String, u16)| json!({ "host": host, "port": port });
    let clusters = policy.clusters.iter().enumerate();
    let clusters: Vec<_> = clusters
        .map(|(index, cluster)| Written::of(arguments, index, cluster))
        .collect();
    let admin = admin.map(|admin| {
        let policy = format!("{:#}", json!({"admin": admin}));
        let (host, port) = &arguments.admin_listen;
        json!({ "policy": policy, "host": host, "port": port })
    });
    filled(
        "envoy.yaml",
        &json!({
            "listen": listen(&arguments.listen),
            "steers": !policy.config.pools.is_empty(),
            "by_router": ByRouter::of(&policy.config),
            "max_retries": MAX_RETRIES,
            "rewrites_host": policy.config.route_rewrites_host,
            "header": &*policy.config.cluster_header,
            "wasm": arguments.wasm,
            "policy": policy.text,
            "admin": admin,
            "clusters": clusters,
        }),
    )
}

/// A cluster as it is written.
#[derive(Serialize)]
struct Written<'a> {
    name: &'a str,
    pools: &'a [String],
    connect: String,
    expiry: String,
    connections: u32,
    address: &'a str,
    port: u16,
    /// Whether the address is to be replaced.
    placeholder: bool,
    tls: bool,
}

impl<'a> Written<'a> {
    fn of(arguments: &'a RenderEnvoy, index: usize, cluster: &'a Cluster) -> Self {
        let name = &*cluster.name;
        let external = arguments.external.iter().find(|it| it.cluster == name);
        let address = arguments.address.iter().find(|it| it.cluster == name);
        let (address, port) = match (external, address) {
            (Some(external), _) => (&*external.host, external.port),
            (None, Some(address)) => (&*address.host, address.port),
            (None, None) => ("127.0.0.1", placeholder(index)),
        };
        Self {
            name,
            pools: &cluster.pools,
            connect: envoy_span(cluster.connect),
            expiry: envoy_span(cluster.expiry),
            connections: cluster.connections,
            address,
            port,
            placeholder: external.is_none()
                && !arguments.address.iter().any(|it| it.cluster == name),
            tls: external.is_some_and(|external| external.tls),
        }
    }
}

/// A port of this machine for the cluster at `index`: 8081 for the first.
fn placeholder(index: usize) -> u16 {
    u16::try_from(index % 50_000).unwrap_or_default() + 8_081
}
