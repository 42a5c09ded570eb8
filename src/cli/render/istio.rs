//! `render istio`: the resources that bring the filter and its routes to proxies of Istio.
//!
//! | template | resource | why |
//! |---|---|---|
//! | `plugin`, `module` | WasmPlugin, or TrafficExtension | brings the module and its configuration |
//! | `routes` | VirtualService | routes to the filter's cluster |
//! | `cluster_header` | EnvoyFilter | one of the routes takes its cluster from the header |
//! | `by_router` | EnvoyFilter, in place of both | the same where the router makes the retries |
//! | `hosts` | ServiceEntry, DestinationRule | servers outside; limits, where asked for; TLS |
//!
//! There are three kinds of proxies. What differs:
//!
//! | proxy | chosen by | the routes are | what no pool takes goes to |
//! |---|---|---|---|
//! | gateway | labels | those of a Gateway | other routes; with `--catch-all` the first endpoint |
//! | sidecar | labels | those of an application's requests to one host | that host |
//! | waypoint | `targetRefs` | those of a service | that service |
//!
//! A sidecar, and a waypoint with a Gateway as its target, sees requests to other hosts as well.
//! These have no route by the header, so an attempt would not reach the cluster that the filter
//! chose. Pools on such proxies must therefore name hosts.
//!
//! A steered request needs no route without a condition on the header: Envoy runs its filters even
//! if it finds no route, and chooses the route again when a filter writes a header. No route has a
//! `timeout`: Istio's default is none, which is wanted here, and Istio refuses `0s`.
//!
//! Where an EnvoyFilter changes a route, Istio merges its value into it. `cluster` and
//! `cluster_header` exclude each other, so setting one removes the other. Merging cannot remove a
//! retry policy, so the VirtualService switches retries off.
//!
//! Where the router makes the retries, the EnvoyFilter brings the module twice, of one code and one
//! `vm_id`, so that both run in one virtual machine. They are discovered (ECDS), because Istio's
//! agent fetches modules of discovered filters only.
//!
//! Limits: the endpoints must be Istio's clusters, `outbound|PORT|SUBSET|HOST`, or what a waypoint
//! calls the clusters of its own services, `inbound-vip|PORT|http|HOST`. A waypoint's routes are
//! not patched by Istio. Of two EnvoyFilters for retries by the router on one proxy the second
//! would put its filter behind the codec of the first, which Envoy refuses. The resources are
//! checked against Istio's CRDs and run on an Envoy that is configured in the same way, not by an
//! Istio.
//!
//! Example: for `outbound|80||api.default.svc.cluster.local` the VirtualService has a route with
//! this value of `x-steerage-cluster` to port 80 of that host.

use serde_json::{Map, Value, json};

use super::authorities::Authorities;
use super::by_router::{ByRouter, MAX_RETRIES};
use super::cluster::Cluster;
use super::policy::Policy;
use super::template::filled;
use super::yaml::envoy_span;
use crate::arguments::{External, IstioKind, IstioRouting, IstioTarget, RenderIstio};
use crate::istio::Destination;

/// What Istio calls the cluster of a server outside of the mesh.
pub(super) fn cluster_of(external: &External) -> String {
    format!("outbound|{}||{}", external.port, external.host)
}

/// All resources, one document each. `admin_left_out`: whether the configuration had one.
///
/// # Errors
/// Why the configuration cannot be rendered.
pub(super) fn documents(
    arguments: &RenderIstio,
    policy: &Policy,
    admin_left_out: bool,
) -> Result<String, String> {
    let authorities = Authorities::of(&policy.config);
    let by_router = ByRouter::of(&policy.config);
    let routing = match by_router {
        Some(_) => IstioRouting::ClusterHeader,
        None => arguments.routing(),
    };
    let clusters = destinations(arguments, &policy.clusters)?;
    names_its_hosts(arguments, policy)?;
    if routing == IstioRouting::Routes {
        has_one_authority_each(&authorities, &clusters)?;
    }
    let mut document = policy.document.clone();
    authorities.tell(&mut document);
    let namespace = arguments.namespace();
    let name = format!("{namespace}.{}", arguments.name);
    let (ref_kind, ref_name) = &arguments.target_ref;
    let routes = clusters.iter().map(|(cluster, destination)| {
        let authority = authorities.first(&cluster.name);
        json!({
            "cluster": cluster.name,
            "destination": written(destination),
            "authority": authority,
        })
    });
    filled(
        "istio.yaml",
        &json!({
            "name": arguments.name,
            "namespace": namespace,
            "target": match arguments.target {
                IstioTarget::Gateway => "gateway",
                IstioTarget::Sidecar => "sidecar",
                IstioTarget::Waypoint => "waypoint",
            },
            "kind": match arguments.kind() {
                IstioKind::WasmPlugin => "WasmPlugin",
                IstioKind::TrafficExtension => "TrafficExtension",
            },
            "target_ref": json!({
                "group": ref_kind.group(), "kind": ref_kind.name(), "name": ref_name,
            }),
            "labels": labels(arguments),
            "context": match arguments.target {
                IstioTarget::Gateway => "GATEWAY",
                IstioTarget::Sidecar | IstioTarget::Waypoint => "SIDECAR_OUTBOUND",
            },
            "url": arguments.url,
            "code": code(arguments),
            "sha256": arguments.sha256,
            "image_pull_secret": arguments.image_pull_secret,
            "admin_left_out": admin_left_out,
            "policy": format!("{document:#}"),
            "filter": name,
            "attempts_filter": format!("{name}-attempts"),
            "by_router": by_router,
            "max_retries": MAX_RETRIES,
            "routing": match routing {
                IstioRouting::Routes => "routes",
                IstioRouting::ClusterHeader => "cluster-header",
            },
            "hosts": hosts(arguments, policy),
            "gateway": arguments.gateway,
            "header": &*policy.config.cluster_header,
            "rewrites_host": authorities.are_rewritten(),
            "routes": routes.collect::<Vec<_>>(),
            "last": last(arguments, &clusters).map(|last| written(&last)),
            "hosts_of_clusters": hosts_of_clusters(arguments, &clusters),
        }),
    )
}

/// The clusters with their destinations.
fn destinations<'a>(
    arguments: &RenderIstio,
    clusters: &'a [Cluster],
) -> Result<Vec<(&'a Cluster, Destination<'a>)>, String> {
    let destination = |cluster: &'a Cluster| match arguments.target {
        IstioTarget::Waypoint => Destination::of_waypoint(&cluster.name),
        _ => Destination::of(&cluster.name),
    };
    let foreign: Vec<_> = clusters
        .iter()
        .filter(|cluster| destination(cluster).is_none())
        .map(|cluster| &*cluster.name)
        .collect();
    if !foreign.is_empty() {
        return Err(format!(
            "Istio names its clusters outbound|PORT|SUBSET|HOST, as in \
             outbound|80||api.default.svc.cluster.local, and servers outside of the mesh are given with \
             --external CLUSTER=https://HOST; these are none of them:\n{}",
            foreign.join("\n")
        ));
    }
    let known = clusters.iter();
    Ok(known
        .filter_map(|cluster| Some((cluster, destination(cluster)?)))
        .collect())
}

/// Whether a request to another host than that of the routes could be taken by a pool.
fn names_its_hosts(arguments: &RenderIstio, policy: &Policy) -> Result<(), String> {
    if !arguments.sees_other_hosts() {
        return Ok(());
    }
    let mut pools = policy
        .config
        .pools
        .iter()
        .map(|configured| &configured.pool);
    match pools.find(|pool| pool.matcher.hosts.is_empty()) {
        Some(pool) => Err(format!(
            "this proxy sees requests to other hosts too, which must not be steered: say in the pool {} \
             which are meant, with \"match\": {{\"hosts\": [...]}}",
            pool.name
        )),
        None => Ok(()),
    }
}

/// Whether a route for each cluster can tell which host is meant.
fn has_one_authority_each(
    authorities: &Authorities<'_>,
    clusters: &[(&Cluster, Destination<'_>)],
) -> Result<(), String> {
    let mut clusters = clusters.iter().map(|(cluster, _)| &cluster.name);
    match clusters.find(|name| authorities.only(name).is_none()) {
        Some(cluster) => Err(format!(
            "{cluster} has more than one authority, and one route: use --routing cluster-header"
        )),
        None => Ok(()),
    }
}

/// The hosts of the routes.
fn hosts(arguments: &RenderIstio, policy: &Policy) -> Vec<String> {
    match arguments.hosts() {
        [] => policy.hosts().unwrap_or_else(|| vec!["*".into()]),
        given => given.to_vec(),
    }
}

/// Where the last route leads, which has no condition.
fn last<'a>(
    arguments: &'a RenderIstio,
    clusters: &[(&Cluster, Destination<'a>)],
) -> Option<Destination<'a>> {
    let (_, first) = clusters.first()?;
    match arguments.target {
        IstioTarget::Gateway => arguments.catch_all.then_some(Destination { ..*first }),
        IstioTarget::Sidecar | IstioTarget::Waypoint => Some(Destination {
            host: arguments.hosts().first()?,
            port: first.port,
            subset: None,
        }),
    }
}

/// A destination as a route has it.
fn written(destination: &Destination<'_>) -> Value {
    let mut to = json!({
        "host": destination.host,
        "port": {"number": destination.port},
    });
    if let (Some(subset), Some(object)) = (destination.subset, to.as_object_mut()) {
        object.insert("subset".into(), json!(subset));
    }
    to
}

/// The labels of the proxies.
fn labels(arguments: &RenderIstio) -> Value {
    let labels = arguments.selector().into_iter();
    let labels: Map<_, _> = labels.map(|(name, value)| (name, json!(value))).collect();
    Value::Object(labels)
}

/// Where the module is, as Envoy has it. The agent takes a remote one as an order to fetch it, and
/// looks at no cluster.
fn code(arguments: &RenderIstio) -> Value {
    if let Some(file) = arguments.url.strip_prefix("file://") {
        return json!({"local": {"filename": file}});
    }
    let mut remote = json!({
        "http_uri": {"uri": arguments.url, "timeout": "30s", "cluster": "_"},
    });
    if let (Some(sha256), Some(fields)) = (&arguments.sha256, remote.as_object_mut()) {
        fields.insert("sha256".into(), json!(sha256));
    }
    json!({"remote": remote})
}

/// Each host of the clusters once, with what it needs.
fn hosts_of_clusters(
    arguments: &RenderIstio,
    clusters: &[(&Cluster, Destination<'_>)],
) -> Vec<Value> {
    let mut names: Vec<&str> = Vec::new();
    for (_, destination) in clusters {
        if !names.contains(&destination.host) {
            names.push(destination.host);
        }
    }
    let name = &arguments.name;
    let host = |(index, host): (usize, &&str)| {
        let mine = || clusters.iter().filter(|(_, other)| other.host == *host);
        let most = mine().map(|(cluster, _)| cluster.connections).max();
        let connect = mine().map(|(cluster, _)| cluster.connect).min();
        let expiry = mine().map(|(cluster, _)| cluster.expiry).max();
        let mut subsets: Vec<_> = mine().filter_map(|(_, other)| other.subset).collect();
        subsets.sort_unstable();
        subsets.dedup();
        let external = arguments.external.iter().find(|it| it.host == *host);
        json!({
            "name": host,
            "rule": format!("{name}-{}", index + 1),
            "entry": format!("{name}-{}", index + 1),
            "subsets": subsets,
            "tls": external.is_some_and(|external| external.tls),
            "external": external.map(|external| json!({
                "port": external.port,
                "protocol": if external.tls { "HTTPS" } else { "HTTP" },
            })),
            "limits": arguments.destination_rules.then(|| json!({
                "connections": most.unwrap_or_default(),
                "connect": envoy_span(connect.unwrap_or_default()),
                "expiry": envoy_span(expiry.unwrap_or_default()),
            })),
        })
    };
    names.iter().enumerate().map(host).collect()
}
