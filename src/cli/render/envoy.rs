//! `render envoy`: an Envoy with a listener, the filter and the clusters of its endpoints.
//!
//! The text is `envoy.yaml`, with places for what differs. Every line that is not obvious has its
//! reason beside it.
//!
//! Example: for `{"endpoints": ["east"]}`, one route, one filter, and one cluster `east` at
//! 127.0.0.1:8081.

use std::fmt::Write as _;

use steerage_config::Config;

use super::cluster::Cluster;
use super::yaml::{block, envoy_span, quoted};
use crate::arguments::{Address, RenderEnvoy};

const TEMPLATE: &str = include_str!("envoy.yaml");

/// A route for requests whose cluster the filter names.
const STEERED: &str = "              - match: {prefix: /}
                # The header has done its work when the cluster is chosen. Upstreams need not know of it.
                request_headers_to_remove: [@HEADER@]
                route:
                  # Steerage chooses the cluster of each request and names it in this header. A request that
                  # no pool takes has no such header: put routes for those in front of this one.
                  cluster_header: @HEADER@
@REWRITE@                  # Off, because it goes on counting (15 s by default) while Steerage retries;
                  # `timeout.total` below is the limit.
                  timeout: 0s
                  # There is no `retry_policy` here: Envoy's would repeat every attempt of Steerage on the
                  # same cluster, and two layers of retries multiply.
";

/// How the route learns of an endpoint's `authority`. The header cannot be removed as the other one
/// is: Envoy removes headers before it rewrites the host.
const REWRITE: &str =
    "                  # The `authority` of an endpoint, which thus does not choose another virtual host.
                  host_rewrite_header: x-steerage-authority
";

/// A route where there are no pools.
const ADMIN_ONLY: &str = "              # There are no pools here: what the admin surface does not answer does not exist.
              - match: {prefix: /}
                direct_response: {status: 404}
";

/// Lets the filter read the body of an operator's request; never where there are pools.
const READS_BODIES: &str = "
                # Lets the filter read the body of an operator's request. Never where there are pools.
                allow_on_headers_stop_iteration: true";

/// The whole document.
pub(super) fn document(
    arguments: &RenderEnvoy,
    config: &Config,
    clusters: &[Cluster],
    policy: &str,
) -> String {
    let steers = !config.pools.is_empty();
    let routes = if steers {
        let rewrite = if config.route_rewrites_host {
            REWRITE
        } else {
            ""
        };
        STEERED
            .replace("@REWRITE@", rewrite)
            .replace("@HEADER@", &quoted(&config.cluster_header))
    } else {
        ADMIN_ONLY.to_owned()
    };
    let (host, port) = &arguments.listen;
    // The policy last: it is the only part that may contain the name of a place.
    TEMPLATE
        .replace("@LISTEN_HOST@", &quoted(host))
        .replace("@LISTEN_PORT@", &port.to_string())
        .replace("@ROUTES@\n", &routes)
        .replace("@READS_BODIES@", if steers { "" } else { READS_BODIES })
        .replace("@CLUSTERS@\n", &list(clusters, &arguments.address))
        .replace("@WASM@", &quoted(&arguments.wasm))
        .replace("@POLICY@\n", &block(policy, 20))
}

fn list(clusters: &[Cluster], addresses: &[Address]) -> String {
    if clusters.is_empty() {
        return String::new();
    }
    let mut list = "
  # An endpoint of Steerage is the name of a cluster. A cluster whose servers speak TLS needs a
  # `transport_socket` (envoy.transport_sockets.tls); retries use it too.
  clusters:
"
    .to_owned();
    for (index, cluster) in clusters.iter().enumerate() {
        // Writing to a `String` cannot fail.
        let _ = one(&mut list, index, cluster, addresses);
    }
    list
}

fn one(
    list: &mut String,
    index: usize,
    cluster: &Cluster,
    addresses: &[Address],
) -> std::fmt::Result {
    // Reasons are given once, at the first cluster.
    let reason = |text: &'static str| if index == 0 { text } else { "" };
    let name = quoted(&cluster.name);
    let (connect, expiry) = (envoy_span(cluster.connect), envoy_span(cluster.expiry));
    let most = cluster.connections;
    let given = addresses
        .iter()
        .find(|address| address.cluster == cluster.name);
    let (host, port) = match given {
        Some(address) => (quoted(&address.host), address.port),
        None => (quoted("127.0.0.1"), placeholder(index)),
    };
    let pools = cluster.pools.join(", ");
    let plural = if cluster.pools.len() == 1 { "" } else { "s" };
    writeln!(list, "  # Of the pool{plural} {pools}.")?;
    writeln!(list, "  - name: {name}")?;
    writeln!(list, "    type: STRICT_DNS")?;
    list.push_str(reason(CONNECT));
    writeln!(list, "    connect_timeout: {connect}")?;
    list.push_str(reason(LIMITS));
    writeln!(list, "    circuit_breakers:")?;
    writeln!(list, "      thresholds:")?;
    writeln!(
        list,
        "      - {{max_connections: {most}, max_pending_requests: {most}, max_requests: {most}}}"
    )?;
    list.push_str(PROTOCOL);
    list.push_str(reason(KEEPALIVE));
    writeln!(
        list,
        "        common_http_protocol_options: {{idle_timeout: {expiry}}}"
    )?;
    writeln!(list, "    load_assignment:")?;
    writeln!(list, "      cluster_name: {name}")?;
    writeln!(list, "      endpoints:")?;
    writeln!(list, "      - lb_endpoints:")?;
    if given.is_none() {
        writeln!(
            list,
            "        # A placeholder, to be replaced by where the servers are."
        )?;
    }
    writeln!(
        list,
        "        - endpoint: {{address: {{socket_address: {{address: {host}, port_value: {port}}}}}}}"
    )
}

const CONNECT: &str = "    # `timeout.connect`: this is what limits connecting.
";

const LIMITS: &str = "    # Twice `connection_pool.max_connections`, which Steerage keeps to: in a burst its workers exceed that before
    # they have learned of each other. What Envoy refuses here is tried elsewhere.
";

const PROTOCOL: &str = "    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http_protocol_options: {}}
";

const KEEPALIVE: &str = "        # `connection_pool.keepalive_expiry`. Envoy has no limit on the number of idle connections.
";

/// A port of this machine for the cluster at `index`: 8081 for the first.
fn placeholder(index: usize) -> u16 {
    u16::try_from(index % 50_000).unwrap_or_default() + 8_081
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_of_the_template_is_filled() {
        let policy = r#"{"endpoints": ["a"], "admin": {"path": "/@WASM@"}}"#;
        let config = steerage_config::parse(policy.as_bytes()).unwrap();
        let arguments = RenderEnvoy {
            file: "-".into(),
            wasm: "x.wasm".into(),
            address: Vec::new(),
            listen: ("127.0.0.1".into(), 1),
        };
        let text = document(&arguments, &config, &[], policy);
        let left: Vec<_> = text.lines().filter(|line| line.contains('@')).collect();
        let known = ["\"@type\"", "/@WASM@"];
        assert!(
            left.iter()
                .all(|line| known.iter().any(|known| line.contains(known))),
            "{left:?}"
        );
    }
}
