//! The routes of an Envoy: whether they follow the filter, and leave retries and time to it.
//!
//! A route follows the filter by `cluster_header`, by a cluster specifier (where the router makes
//! the retries), or by matching the header itself.

use super::super::plugins::{Home, type_of};
use super::super::report::{Remark, Report, Spot, is_by_router};
use super::scene::{Scene, Subject, is_zero};
use crate::document::Node;
use steerage_config::Role;

/// A route that follows the filter, with what it is part of.
struct Steered<'a> {
    /// The route, its virtual host, and the whole configuration of routes: each may have rules for
    /// headers and retries.
    levels: [&'a Node; 3],
    action: &'a Node,
}

pub(super) fn check(
    subject: &Subject<'_>,
    manager: &Node,
    scene: &Scene<'_>,
    report: &mut Report<'_>,
) {
    let by_router = is_by_router(subject.config);
    if by_router {
        has_attempts(subject, manager, scene, report);
    }
    let Some(routes) = manager.get("route_config") else {
        return;
    };
    let file = subject.plugin.file;
    let steered = steered(subject, routes);
    if steered.is_empty() {
        let header = &subject.config.cluster_header;
        let remark = Remark::new(
            "no-route-follows",
            format!("no route here follows the filter: none has `cluster_header: {header}`"),
        )
        .help(format!(
            "write route: {{cluster_header: {header}, timeout: 0s}}"
        ));
        return report.error(Spot::new(file, routes.at.start), remark);
    }
    for route in steered {
        timeout(file, &route, report);
        retries(file, &route, by_router, report);
        removal(subject, &route, report);
        host(subject, &route, report);
    }
}

fn steered<'a>(subject: &Subject<'_>, routes: &'a Node) -> Vec<Steered<'a>> {
    let header = &*subject.config.cluster_header;
    let mut found = Vec::new();
    for host in routes.get("virtual_hosts").map_or(&[][..], Node::items) {
        for route in host.get("routes").map_or(&[][..], Node::items) {
            let Some(action) = route.get("route") else {
                continue;
            };
            let by_header = action.text_of("cluster_header");
            let headers = route.at_path(&["match", "headers"]);
            let mut headers = headers.map_or(&[][..], Node::items).iter();
            let follows = by_header.is_some_and(|name| name.eq_ignore_ascii_case(header))
                || action.get("inline_cluster_specifier_plugin").is_some()
                || action.get("cluster_specifier_plugin").is_some()
                || headers.any(|it| it.text_of("name").is_some_and(|it| it == header));
            if follows {
                found.push(Steered {
                    levels: [route, host, routes],
                    action,
                });
            }
        }
    }
    found
}

fn timeout(file: usize, route: &Steered<'_>, report: &mut Report<'_>) {
    let timeout = route.action.get("timeout");
    if timeout.is_some_and(is_zero) {
        return;
    }
    let at = timeout.unwrap_or(route.action).at.start;
    let message = match timeout.and_then(Node::text) {
        Some(span) => format!("the route's timeout of {span} goes on counting during retries"),
        None => {
            "the route has Envoy's timeout of 15 s, which goes on counting during retries".into()
        }
    };
    let remark = Remark::new("route-timeout", message);
    let help = "write timeout: 0s in the route; timeout.total of the pool is the limit";
    report.warn(Spot::new(file, at), remark.help(help));
}

fn retries(file: usize, route: &Steered<'_>, by_router: bool, report: &mut Report<'_>) {
    let [_, host, routes] = route.levels;
    let mut levels = [route.action, host, routes].into_iter();
    let policy = levels.find_map(|level| level.get("retry_policy"));
    match policy {
        Some(policy) if !by_router => {
            let remark = Remark::new(
                "second-retry-policy",
                "Envoy's own retry_policy repeats every attempt of Steerage on the same cluster: two \
                 layers of retries multiply",
            );
            let help = "remove retry_policy; retry_policy of the pool says what is retried";
            report.warn(Spot::new(file, policy.at.start), remark.help(help));
        }
        Some(policy) if policy.get("refresh_cluster_on_retry").is_none() => {
            let remark = Remark::new(
                "router-retries",
                "a retry of the router goes to the same cluster again",
            );
            let help = "write refresh_cluster_on_retry: true in retry_policy";
            report.warn(Spot::new(file, policy.at.start), remark.help(help));
        }
        None if by_router => {
            let remark = Remark::new(
                "router-retries",
                "without a retry_policy the router makes no retries; calls make them",
            );
            let help = "write retry_policy: {refresh_cluster_on_retry: true} in the route";
            report.warn(Spot::new(file, route.action.at.start), remark.help(help));
        }
        _ => {}
    }
}

/// Whether the header stays within the proxy.
fn removal(subject: &Subject<'_>, route: &Steered<'_>, report: &mut Report<'_>) {
    let header = &*subject.config.cluster_header;
    let mut removed = route.levels.iter().flat_map(|level| {
        let list = level.get("request_headers_to_remove");
        list.map_or(&[][..], Node::items)
    });
    if removed.any(|name| {
        name.text()
            .is_some_and(|name| name.eq_ignore_ascii_case(header))
    }) {
        return;
    }
    let remark = Remark::new(
        "header-leaves",
        format!("upstreams get the header {header}, with names of clusters"),
    );
    let help = format!("write request_headers_to_remove: [{header}] beside the route's match");
    let spot = Spot::new(subject.plugin.file, route.levels[0].at.start);
    report.warn(spot, remark.help(help));
}

/// Whether an endpoint's `authority` keeps the request on this route.
fn host(subject: &Subject<'_>, route: &Steered<'_>, report: &mut Report<'_>) {
    let pools = subject.config.pools.iter();
    let endpoints = pools.flat_map(|configured| &configured.pool.endpoints);
    let authorities: Vec<&str> = endpoints
        .filter_map(|endpoint| endpoint.authority.as_deref())
        .collect();
    let [_, host, _] = route.levels;
    let domains = host.get("domains").map_or(&[][..], Node::items);
    let covered = |authority: &&str| {
        let mut domains = domains.iter().filter_map(Node::text);
        domains.any(|domain| covers(domain, authority))
    };
    let file = subject.plugin.file;
    if subject.config.route_rewrites_host {
        if route.action.text_of("host_rewrite_header") != Some(AUTHORITY) {
            let remark = Remark::new(
                "authority",
                "the configuration says host_rewrite_header, and this route does not rewrite the host",
            );
            let help = format!("write host_rewrite_header: {AUTHORITY} in the route");
            report.warn(Spot::new(file, route.action.at.start), remark.help(help));
        }
    } else if let Some(other) = authorities.iter().find(|authority| !covered(authority)) {
        let at = host.get("domains").unwrap_or(host).at.start;
        let remark = Remark::new(
            "authority",
            format!(
                "the authority {other} is not among these domains: with it a request finds no route"
            ),
        );
        let help = format!(
            "write \"host_rewrite_header\": true in the configuration, and host_rewrite_header: \
             {AUTHORITY} in the route"
        );
        report.warn(Spot::new(file, at), remark.help(help));
    }
}

/// The header in which the filter hands an endpoint's host to the route.
const AUTHORITY: &str = "x-steerage-authority";

/// Whether a virtual host's domain takes this host.
pub(super) fn covers(domain: &str, host: &str) -> bool {
    match (domain.strip_prefix('*'), domain.strip_suffix('*')) {
        (Some(suffix), _) => host.ends_with(suffix),
        (None, Some(prefix)) => host.starts_with(prefix),
        (None, None) => domain.eq_ignore_ascii_case(host),
    }
}

/// Whether the module is loaded behind the router, too.
fn has_attempts(subject: &Subject<'_>, manager: &Node, scene: &Scene<'_>, report: &mut Report<'_>) {
    let id = |node: &Node| {
        let id = node.at_path(&["vm_config", "vm_id"]);
        id.and_then(Node::text).map(str::to_owned)
    };
    let Home::Envoy { plugin: own, .. } = subject.plugin.home else {
        return;
    };
    let of_attempts = scene.plugins.iter().filter(|other| {
        let is_near = other.file == subject.plugin.file;
        is_near && matches!(other.found.parsed, Ok(Role::Attempts))
    });
    let of_attempts = of_attempts.filter_map(|other| match other.home {
        // Of a cluster, which has filters of its own in place of the router's.
        Home::Envoy {
            plugin,
            manager: None,
            ..
        } => Some(plugin),
        Home::Envoy {
            plugin,
            manager: Some(its),
            ..
        } => std::ptr::eq(its, manager).then_some(plugin),
        _ => None,
    });
    let of_attempts: Vec<_> = of_attempts.collect();
    if of_attempts.iter().any(|other| id(other) == id(own)) || discovers(manager) {
        return;
    }
    let file = subject.plugin.file;
    match of_attempts.first() {
        Some(other) => {
            let remark = Remark::new(
                "router-retries",
                "the module behind the router has another vm_id, so the two do not find each other",
            );
            report.warn(
                Spot::new(file, other.at.start),
                remark.help("write the same vm_id in both"),
            );
        }
        None => {
            let remark = Remark::new(
                "router-retries",
                "the module is not loaded behind the router, so calls make the retries",
            );
            let help = "add it to upstream_http_filters of the router, with the configuration \
                        {\"role\": \"attempts\"} and the same vm_id";
            report.warn(Spot::new(file, own.at.start), remark.help(help));
        }
    }
}

/// Whether filters behind the router are discovered elsewhere.
fn discovers(node: &Node) -> bool {
    let is_router = type_of(node) == Some("Router");
    if is_router && let Some(filters) = node.get("upstream_http_filters") {
        let mut filters = filters.items().iter();
        return filters.any(|filter| filter.get("config_discovery").is_some());
    }
    node.children().any(discovers)
}
