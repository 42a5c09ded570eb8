//! The clusters of an Envoy: whether those of the endpoints exist, and leave room for the pools.

use std::time::Duration;

use super::super::help::words::nearest;
use super::super::plugins::{Home, type_of};
use super::super::report::{Remark, Report, Spot};
use super::scene::{Scene, Subject, Target};
use crate::document::Node;
use crate::text::span;

/// What Envoy has where a cluster says nothing.
const DEFAULT_LIMIT: f64 = 1_024.0;
const DEFAULT_CONNECT: Duration = Duration::from_secs(5);

pub(super) fn check(subject: &Subject<'_>, scene: &Scene<'_>, report: &mut Report<'_>) {
    let Home::Envoy { document, .. } = subject.plugin.home else {
        return;
    };
    let clusters = of(document, scene, subject.plugin.file);
    let is_complete = document.get("static_resources").is_some()
        && document
            .at_path(&["dynamic_resources", "cds_config"])
            .is_none();
    let mut seen: Vec<&str> = Vec::new();
    for target in subject.targets() {
        let name = target.cluster;
        let cluster = clusters.iter().find(|it| it.text_of("name") == Some(name));
        if seen.contains(&name) {
            continue;
        }
        match cluster {
            Some(cluster) => limits(subject, name, cluster, report),
            None if is_complete => missing(subject, &target, &clusters, report),
            None => {}
        }
        seen.push(name);
    }
}

/// The clusters that are written down: in the same document, or in resources beside it.
fn of<'a>(document: &'a Node, scene: &Scene<'a>, file: usize) -> Vec<&'a Node> {
    let own = document.at_path(&["static_resources", "clusters"]);
    let own = own.map_or(&[][..], Node::items).iter();
    let beside = scene
        .files
        .get(file)
        .map_or(&[][..], |file| file.documents());
    let beside = beside
        .iter()
        .filter_map(|document| document.get("resources"))
        .flat_map(Node::items)
        .filter(|resource| type_of(resource) == Some("Cluster"));
    own.chain(beside).collect()
}

fn missing(
    subject: &Subject<'_>,
    target: &Target<'_>,
    clusters: &[&Node],
    report: &mut Report<'_>,
) {
    let name = target.cluster;
    let names = clusters
        .iter()
        .filter_map(|cluster| cluster.text_of("name"));
    let mut remark = Remark::new("unknown-cluster", format!("no cluster is called {name}"));
    if let Some(other) = nearest(names, name, 0.8) {
        remark = remark.help(format!("write \"{other}\", or add a cluster {name}"));
    } else {
        remark = remark.help(format!("add a cluster with name: {name}"));
    }
    let spot = subject.plugin.spot(&target.path);
    report.error(spot, remark.at(target.path.clone()));
}

fn limits(subject: &Subject<'_>, name: &str, cluster: &Node, report: &mut Report<'_>) {
    let file = subject.plugin.file;
    let most = f64::from(subject.most_at(name));
    let thresholds = cluster.at_path(&["circuit_breakers", "thresholds"]);
    let thresholds = thresholds.map_or(&[][..], Node::items);
    let normal = thresholds.iter().find(|it| {
        let priority = it.text_of("priority");
        priority.is_none_or(|priority| priority == "DEFAULT")
    });
    for field in ["max_connections", "max_requests", "max_pending_requests"] {
        let given = normal.and_then(|normal| normal.get(field));
        let limit = given.and_then(Node::number).unwrap_or(DEFAULT_LIMIT);
        if limit < most {
            let remark = Remark::new(
                "cluster-limit",
                format!(
                    "the cluster {name} has {field} {limit}, and the pools make up to {most} attempts \
                     at a time: Envoy refuses the rest"
                ),
            );
            let room = most * 2.0;
            let at = given.or(normal).unwrap_or(cluster).at.start;
            report.warn(
                Spot::new(file, at),
                remark.help(format!("write {field}: {room}")),
            );
        }
    }
    let given = cluster.get("connect_timeout");
    let connect = given
        .and_then(Node::text)
        .and_then(steerage_config::duration::from_text);
    let connect = connect.unwrap_or(DEFAULT_CONNECT);
    if let Some(wanted) = subject.connects().filter(|wanted| *wanted != connect) {
        let remark = Remark::new(
            "connect-timeout",
            format!(
                "the cluster {name} has connect_timeout {}, and timeout.connect is {}: the cluster's \
                 is in force",
                span(connect),
                span(wanted),
            ),
        );
        let at = given.unwrap_or(cluster).at.start;
        let seconds = wanted.as_secs_f64();
        report.warn(
            Spot::new(file, at),
            remark.help(format!("write connect_timeout: {seconds}s")),
        );
    }
}
