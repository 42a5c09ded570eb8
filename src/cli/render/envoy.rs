//! `render envoy`: an Envoy with a listener, the filter and the clusters of its endpoints.
//!
//! The text is `envoy.yaml`, with places for what differs. Every line that is not obvious has its
//! reason beside it.
//!
//! Where the router makes the retries, the route chooses the cluster in another way, and the module
//! is loaded a second time, behind the router.
//!
//! Example: for `{"endpoints": ["east"]}`, one route, one filter, and one cluster `east` at
//! 127.0.0.1:8081.

use std::fmt::Write as _;

use steerage_config::Config;

use super::by_router::{ATTEMPTS, ByRouter, MAX_RETRIES};
use super::cluster::Cluster;
use super::yaml::{block, envoy_span, filled, indented, quoted};
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
@ACTION@
                  # Off, because it goes on counting (15 s by default) while Steerage retries;
                  # `timeout.total` below is the limit.
                  timeout: 0s
                  # There is no `retry_policy` here: Envoy's would repeat every attempt of Steerage on the
                  # same cluster, and two layers of retries multiply.
";

/// The same where the router makes the retries.
const STEERED_BY_ROUTER: &str = "              # A request that no pool takes gets 503: put routes for those in front of this one.
              - match: {prefix: /}
                # The header has done its work when the cluster is chosen. Upstreams need not know of it.
                request_headers_to_remove: [@HEADER@]
                route:
@ACTION@
";

/// What the host of such a route has.
const HOST: &str = "              # The number of each attempt, in `x-envoy-attempt-count`.
              include_request_attempt_count: true
              # The largest `max_request_bytes` of the pools. The router keeps so much of a request, to send it again;
              # a longer one is not retried.
              request_body_buffer_limit: @BUFFER@
";

/// What each attempt of such a router passes.
const BEHIND_ROUTER: &str = "              # What each attempt passes, first or retry, in whatever cluster. A cluster with `http_filters` of its own
              # has those instead: they need this filter, too, before their `upstream_codec`.
              upstream_http_filters:
              - name: steerage-attempts
                typed_config:
                  \"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
                  config:
                    name: steerage-attempts
                    root_id: steerage-attempts
                    failure_policy: FAIL_RELOAD
                    # Lets the filter hold the head of a message and see its body. Only here, never where it steers.
                    allow_on_headers_stop_iteration: true
                    # The same as above, or the two do not find each other.
                    vm_config:
                      vm_id: steerage
                      runtime: envoy.wasm.runtime.v8
                      code: {local: {filename: @WASM@}}
                    configuration:
                      \"@type\": type.googleapis.com/google.protobuf.StringValue
                      value: '@ATTEMPTS@'
              - name: envoy.filters.http.upstream_codec
                typed_config:
                  \"@type\": type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec
";

/// How the route learns of an endpoint's `authority`. The header cannot be removed as the other one
/// is: Envoy removes headers before it rewrites the host.
const REWRITE: &str =
    "# The `authority` of an endpoint, which thus does not choose another virtual host.
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
    let by_router = ByRouter::of(config);
    let (host, port) = &arguments.listen;
    let wasm = quoted(&arguments.wasm);
    let of_host = by_router.as_ref().map_or_else(String::new, |by_router| {
        filled(HOST, &[("@BUFFER@", &by_router.buffer.to_string())])
    });
    let behind_router = by_router.as_ref().map_or_else(String::new, |_| {
        filled(
            BEHIND_ROUTER,
            &[("@WASM@", &wasm), ("@ATTEMPTS@", ATTEMPTS)],
        )
    });
    let reads_bodies = if config.pools.is_empty() {
        READS_BODIES
    } else {
        ""
    };
    let max_retries = by_router.as_ref().map(|_| MAX_RETRIES);
    let places = [
        ("@LISTEN_HOST@", &*quoted(host)),
        ("@LISTEN_PORT@", &port.to_string()),
        ("@HOST@\n", &of_host),
        ("@ROUTES@\n", &routes(config, by_router.as_ref())),
        ("@READS_BODIES@", reads_bodies),
        ("@WASM@", &wasm),
        ("@POLICY@\n", &block(policy, 20)),
        ("@BEHIND_ROUTER@\n", &behind_router),
        (
            "@CLUSTERS@\n",
            &list(clusters, max_retries, &arguments.address),
        ),
    ];
    filled(TEMPLATE, &places)
}

/// The only route.
fn routes(config: &Config, by_router: Option<&ByRouter<'_>>) -> String {
    if config.pools.is_empty() {
        return ADMIN_ONLY.to_owned();
    }
    let rewrite = if config.route_rewrites_host {
        REWRITE
    } else {
        ""
    };
    let header = quoted(&config.cluster_header);
    let (template, action) = match by_router {
        Some(by_router) => (STEERED_BY_ROUTER, by_router.action(rewrite, 18)),
        None => (STEERED, indented(rewrite, 18)),
    };
    filled(template, &[("@HEADER@", &header), ("@ACTION@\n", &action)])
}

fn list(clusters: &[Cluster], max_retries: Option<u32>, addresses: &[Address]) -> String {
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
        let _ = one(&mut list, index, cluster, max_retries, addresses);
    }
    list
}

fn one(
    list: &mut String,
    index: usize,
    cluster: &Cluster,
    max_retries: Option<u32>,
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
    let retries = max_retries.map_or_else(String::new, |most| {
        list.push_str(reason(RETRIES));
        format!(", max_retries: {most}")
    });
    writeln!(list, "    circuit_breakers:")?;
    writeln!(list, "      thresholds:")?;
    writeln!(
        list,
        "      - {{max_connections: {most}, max_pending_requests: {most}, max_requests: {most}{retries}}}"
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

const RETRIES: &str = "    # Envoy counts every retry against the cluster of the first attempt, and refuses more than 3 at a time by
    # default. The pool's `budget` is the limit.
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
        for policy in [
            r#"{"endpoints": ["a"], "admin": {"path": "/@WASM@"}}"#,
            r#"{"retries": "router", "endpoints": ["@ROUTES@"], "admin": {"path": "/@WASM@"}}"#,
            r#"{"admin": {"path": "/@WASM@"}}"#,
        ] {
            let config = steerage_config::parse(policy.as_bytes()).unwrap();
            let arguments = RenderEnvoy {
                file: "-".into(),
                wasm: "x.wasm".into(),
                address: Vec::new(),
                listen: ("127.0.0.1".into(), 1),
            };
            let text = document(&arguments, &config, &[], policy);
            let left: Vec<_> = text.lines().filter(|line| line.contains('@')).collect();
            let known = ["\"@type\"", "/@WASM@", "\"@ROUTES@\""];
            assert!(
                left.iter()
                    .all(|line| known.iter().any(|known| line.contains(known))),
                "{left:?}"
            );
        }
    }
}
