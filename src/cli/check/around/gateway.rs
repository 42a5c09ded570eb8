//! The routes of an Envoy Gateway: whether the endpoints are their rules, and whether they leave
//! retries and time to the filter.
//!
//! The gateway calls the cluster of a rule `httproute/NAMESPACE/NAME/rule/INDEX`.

use super::super::plugins::Home;
use super::super::report::{Remark, Report, Spot};
use super::scene::{Scene, Subject, is_zero};
use crate::document::Node;

pub(super) fn check(subject: &Subject<'_>, scene: &Scene<'_>, report: &mut Report<'_>) {
    if matches!(subject.plugin.home, Home::File | Home::Values) {
        return;
    }
    let header = &*subject.config.cluster_header;
    let mut seen = Vec::new();
    for target in subject.targets() {
        let Some((namespace, name, index)) = rule_of(target.cluster) else {
            continue;
        };
        let mut routes = scene.of_kind("HTTPRoute");
        let route = routes.find(|(_, route)| {
            let text = |field| route.at_path(&["metadata", field]).and_then(Node::text);
            text("name") == Some(name) && text("namespace").unwrap_or("default") == namespace
        });
        let Some((file, route)) = route else { continue };
        let rules = route
            .at_path(&["spec", "rules"])
            .map_or(&[][..], Node::items);
        let found = rules
            .get(index)
            .filter(|rule| matches(rule, header, target.cluster));
        if found.is_none() {
            let remark = Remark::new(
                "no-route-follows",
                format!("no rule {index} of {name} matches {header} with this cluster"),
            )
            .help("`steerage render gateway` writes rules in the order that their names say");
            let spot = subject.plugin.spot(&target.path);
            report.error(spot, remark.at(target.path.clone()));
        }
        if !seen.contains(&name) {
            seen.push(name);
            for rule in rules {
                timeout(file, rule, report);
            }
            policies(name, scene, report);
        }
    }
}

/// Namespace, name and index of a rule's cluster.
fn rule_of(cluster: &str) -> Option<(&str, &str, usize)> {
    let mut parts = cluster.strip_prefix("httproute/")?.split('/');
    let (namespace, name) = (parts.next()?, parts.next()?);
    parts.next().filter(|word| *word == "rule")?;
    let index = parts.next()?;
    Some((namespace, name, index.parse().ok()?))
}

fn matches(rule: &Node, header: &str, cluster: &str) -> bool {
    let conditions = rule.get("matches").map_or(&[][..], Node::items);
    let mut headers = conditions.iter().flat_map(|condition| {
        let headers = condition.get("headers");
        headers.map_or(&[][..], Node::items)
    });
    headers.any(|it| {
        let is_header = it
            .text_of("name")
            .is_some_and(|name| name.eq_ignore_ascii_case(header));
        is_header && it.text_of("value") == Some(cluster)
    })
}

fn timeout(file: usize, rule: &Node, report: &mut Report<'_>) {
    let timeout = rule.at_path(&["timeouts", "request"]);
    if timeout.is_none_or(|timeout| !is_zero(timeout)) {
        let at = timeout.unwrap_or(rule).at.start;
        let remark = Remark::new(
            "route-timeout",
            "the rule's timeout goes on counting during retries; it is 15 s unless it is given",
        );
        report.warn(
            Spot::new(file, at),
            remark.help("write timeouts: {request: 0s} in the rule"),
        );
    }
}

/// The gateway's own retries.
fn policies(route: &str, scene: &Scene<'_>, report: &mut Report<'_>) {
    for (file, policy) in scene.of_kind("BackendTrafficPolicy") {
        let refs = policy
            .at_path(&["spec", "targetRefs"])
            .map_or(&[][..], Node::items);
        let one = policy.at_path(&["spec", "targetRef"]);
        let mut refs = refs.iter().chain(one);
        let is_for_route = refs.any(|it| it.text_of("name") == Some(route));
        if let Some(retry) = policy.at_path(&["spec", "retry"])
            && is_for_route
        {
            let remark = Remark::new(
                "second-retry-policy",
                "the gateway's own retries repeat every attempt of Steerage: two layers of retries \
                 multiply",
            );
            report.warn(Spot::new(file, retry.at.start), remark.help("remove retry"));
        }
    }
}
