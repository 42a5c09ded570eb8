//! Istio's DestinationRules: whether they know the subsets, and leave room for the pools.

use super::super::plugins::Home;
use super::super::report::{Remark, Report, Spot};
use super::istio::is_host;
use super::scene::{Scene, Subject};
use crate::document::Node;
use crate::istio::Destination;

pub(super) fn check(subject: &Subject<'_>, scene: &Scene<'_>, report: &mut Report<'_>) {
    if matches!(subject.plugin.home, Home::File | Home::Values) {
        return;
    }
    let mut seen: Vec<&str> = Vec::new();
    for target in subject.targets() {
        let Some(destination) = Destination::of(target.cluster) else {
            continue;
        };
        let of_host: Vec<_> = scene
            .of_kind("DestinationRule")
            .filter(|(_, rule)| {
                let host = rule.at_path(&["spec", "host"]).and_then(Node::text);
                host.is_some_and(|host| is_host(host, destination.host))
            })
            .collect();
        // A rule that is not in the files may be elsewhere.
        if let Some(subset) = destination.subset.filter(|_| !of_host.is_empty()) {
            let mut subsets = of_host.iter().flat_map(|(_, rule)| {
                let subsets = rule.at_path(&["spec", "subsets"]);
                subsets.map_or(&[][..], Node::items)
            });
            if !subsets.any(|it| it.text_of("name") == Some(subset)) {
                let host = destination.host;
                let remark = Remark::new(
                    "unknown-subset",
                    format!("no DestinationRule of {host} has the subset {subset}"),
                )
                .help(format!(
                    "write subsets: [{{name: {subset}, labels: {{version: {subset}}}}}] in the \
                     DestinationRule of {host}"
                ));
                let spot = subject.plugin.spot(&target.path);
                report.error(spot, remark.at(target.path.clone()));
            }
        }
        if !seen.contains(&target.cluster) {
            seen.push(target.cluster);
            for (file, rule) in of_host {
                limits(subject, target.cluster, file, rule, report);
            }
        }
    }
}

fn limits(subject: &Subject<'_>, cluster: &str, file: usize, rule: &Node, report: &mut Report<'_>) {
    let most = f64::from(subject.most_at(cluster));
    let Some(pool) = rule.at_path(&["spec", "trafficPolicy", "connectionPool"]) else {
        return;
    };
    for path in [
        &["tcp", "maxConnections"],
        &["http", "http1MaxPendingRequests"],
        &["http", "http2MaxRequests"],
    ] {
        let given = pool.at_path(path);
        if let Some((node, limit)) = given.and_then(|node| Some((node, node.number()?)))
            && limit < most
        {
            let [_, field] = path;
            let remark = Remark::new(
                "cluster-limit",
                format!(
                    "{field} is {limit}, and the pools make up to {most} attempts at a time: Envoy \
                     refuses the rest"
                ),
            );
            let room = most * 2.0;
            report.warn(
                Spot::new(file, node.at.start),
                remark.help(format!("write {field}: {room}")),
            );
        }
    }
}
