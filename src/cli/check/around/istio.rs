//! Istio's routes: whether they follow the filter, and leave retries and time to it.
//!
//! A route follows the filter by matching the routing header: with the name of a cluster, or with
//! any value where an EnvoyFilter then takes the cluster from it.

use super::super::plugins::Home;
use super::super::report::{Remark, Report, Spot};
use super::scene::{Scene, Subject, is_zero};
use crate::document::Node;
use crate::istio::Destination;

/// A route that matches the routing header.
struct Steered<'a> {
    file: usize,
    service: &'a Node,
    route: &'a Node,
    /// The value that is matched; `None` for any.
    value: Option<&'a str>,
}

pub(super) fn check(subject: &Subject<'_>, scene: &Scene<'_>, report: &mut Report<'_>) {
    let targets = subject.targets();
    let destinations: Vec<_> = targets
        .iter()
        .filter_map(|target| Destination::of(target.cluster))
        .collect();
    if destinations.is_empty() || matches!(subject.plugin.home, Home::File | Home::Values) {
        return;
    }
    let steered = steered(subject, scene);
    for steered in &steered {
        retries(steered, report);
        timeout(steered, report);
        if let Some(cluster) = steered.value {
            leads_to(steered, cluster, report);
        }
    }
    if steered.is_empty() {
        return nothing_follows(subject, &destinations, scene, report);
    }
    hosts(subject, &steered, report);
    if by_header(subject, scene) {
        return;
    }
    for target in targets {
        let mut values = steered.iter().map(|steered| steered.value);
        if !values.any(|value| value == Some(target.cluster)) {
            let cluster = target.cluster;
            let header = &subject.config.cluster_header;
            let remark = Remark::new(
                "no-route-follows",
                format!("no route of a VirtualService is for {cluster}: requests go elsewhere"),
            )
            .help(format!(
                "write a route with match: [{{headers: {{{header}: {{exact: \"{cluster}\"}}}}}}]"
            ));
            let spot = subject.plugin.spot(&target.path);
            report.error(spot, remark.at(target.path));
        }
    }
}

fn steered<'a>(subject: &Subject<'_>, scene: &Scene<'a>) -> Vec<Steered<'a>> {
    let header = &*subject.config.cluster_header;
    let mut found = Vec::new();
    for (file, service) in scene.of_kind("VirtualService") {
        for route in service
            .at_path(&["spec", "http"])
            .map_or(&[][..], Node::items)
        {
            for condition in route.get("match").map_or(&[][..], Node::items) {
                let headers = condition.get("headers").map_or(&[][..], Node::members);
                let mut headers = headers.iter();
                if let Some(member) = headers.find(|it| it.key.eq_ignore_ascii_case(header)) {
                    found.push(Steered {
                        file,
                        service,
                        route,
                        value: member.node.text_of("exact"),
                    });
                }
            }
        }
    }
    found
}

/// Whether an EnvoyFilter makes routes take their cluster from the header, or the filter state.
fn by_header(subject: &Subject<'_>, scene: &Scene<'_>) -> bool {
    let header = &*subject.config.cluster_header;
    let mut filters = scene.of_kind("EnvoyFilter");
    filters.any(|(_, filter)| {
        let patches = filter.at_path(&["spec", "configPatches"]);
        let mut patches = patches.map_or(&[][..], Node::items).iter();
        patches.any(|patch| {
            let action = patch.at_path(&["patch", "value", "route"]);
            action.is_some_and(|action| {
                action
                    .text_of("cluster_header")
                    .is_some_and(|name| name == header)
                    || action.get("inline_cluster_specifier_plugin").is_some()
            })
        })
    })
}

fn retries(steered: &Steered<'_>, report: &mut Report<'_>) {
    let retries = steered.route.get("retries");
    let attempts = retries.and_then(|retries| retries.get("attempts"));
    if attempts.and_then(Node::number) == Some(0.0) {
        return;
    }
    let message = match retries {
        Some(_) => {
            "Istio's own retries repeat every attempt of Steerage: two layers of retries multiply"
        }
        None => {
            "without `retries` Istio makes two retries of its own: two layers of retries multiply"
        }
    };
    let at = retries.unwrap_or(steered.route).at.start;
    let remark = Remark::new("second-retry-policy", message);
    report.warn(
        Spot::new(steered.file, at),
        remark.help("write retries: {attempts: 0} in the route"),
    );
}

fn timeout(steered: &Steered<'_>, report: &mut Report<'_>) {
    if let Some(timeout) = steered
        .route
        .get("timeout")
        .filter(|timeout| !is_zero(timeout))
    {
        let remark = Remark::new(
            "route-timeout",
            "the route's timeout goes on counting during retries",
        );
        let help = "remove timeout from the route; timeout.total of the pool is the limit";
        report.warn(Spot::new(steered.file, timeout.at.start), remark.help(help));
    }
}

/// Whether the route for a cluster leads to it.
fn leads_to(steered: &Steered<'_>, cluster: &str, report: &mut Report<'_>) {
    let Some(wanted) = Destination::of(cluster) else {
        return;
    };
    for route in steered.route.get("route").map_or(&[][..], Node::items) {
        let Some(to) = route.get("destination") else {
            continue;
        };
        let port = to.at_path(&["port", "number"]).and_then(Node::number);
        let host = to.text_of("host").unwrap_or_default();
        let fits = is_host(host, wanted.host)
            && port.is_none_or(|port| port == f64::from(wanted.port))
            && to.text_of("subset") == wanted.subset;
        if !fits {
            let remark = Remark::new(
                "misrouted",
                format!("this route is for the cluster {cluster} and leads to another one"),
            )
            .help(format!("write destination: {}", wanted.written()));
            report.error(Spot::new(steered.file, to.at.start), remark);
        }
    }
}

/// Whether routes to the same hosts leave the filter's choice aside.
fn nothing_follows(
    subject: &Subject<'_>,
    destinations: &[Destination<'_>],
    scene: &Scene<'_>,
    report: &mut Report<'_>,
) {
    let leads_here = |route: &Node| {
        let mut routes = route.get("route").map_or(&[][..], Node::items).iter();
        routes.any(|route| {
            let host = route.at_path(&["destination", "host"]).and_then(Node::text);
            let is_one = |host: &str| destinations.iter().any(|it| is_host(host, it.host));
            host.is_some_and(is_one)
        })
    };
    for (file, service) in scene.of_kind("VirtualService") {
        let Some(http) = service.at_path(&["spec", "http"]) else {
            continue;
        };
        if http.items().iter().any(leads_here) {
            let header = &subject.config.cluster_header;
            let remark = Remark::new(
                "no-route-follows",
                format!("no route here follows the filter: none matches the header {header}"),
            )
            .help("`steerage render istio` writes such routes");
            report.error(Spot::new(file, http.at.start), remark);
        }
    }
}

/// Whether the routes are for the hosts that pools take.
fn hosts(subject: &Subject<'_>, steered: &[Steered<'_>], report: &mut Report<'_>) {
    let services = steered.iter().map(|steered| steered.service);
    let hosts: Vec<&str> = services
        .filter_map(|service| service.at_path(&["spec", "hosts"]))
        .flat_map(Node::items)
        .filter_map(Node::text)
        .collect();
    let pools = subject.pool_paths().zip(&subject.config.pools);
    for (path, _) in pools {
        let path = format!("{path}match.hosts");
        let Some(list) = subject.plugin.found.tree.find(&path) else {
            continue;
        };
        // Within the mesh a host has several names, and the routes have one of them.
        let names = list.items().iter().filter_map(Node::text);
        let mut names = names.map(|name| name.split(':').next().unwrap_or_default());
        let is_covered = |name: &str| {
            let mut hosts = hosts.iter();
            hosts.any(|known| super::routes::covers(known, name) || is_host(name, known))
        };
        let first = names.clone().next();
        if let Some(first) = first
            && !names.any(is_covered)
        {
            let remark = Remark::new(
                "hosts",
                "no VirtualService that follows the filter is for one of these hosts",
            )
            .help(format!("add {first} to hosts of the VirtualService"));
            let spot = subject.plugin.spot(&path);
            report.warn(spot, remark.at(path));
        }
    }
}

/// Whether `name` is the host `full`, perhaps by a short name.
pub(super) fn is_host(name: &str, full: &str) -> bool {
    let rest = full.strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
