//! Envoy's configuration: a pool for each route that has a retry policy, or several clusters.

use serde_json::{Value, json};

use super::draft::{Draft, LIMITED_BY_BUDGET, Pool, number_of, plain};
use super::{outliers, retry_on};
use crate::document::Node;

/// Imports what routes a document has.
pub(super) fn import(document: &Node, draft: &mut Draft) {
    if document.get("apiVersion").is_some() {
        return;
    }
    let clusters = document.at_path(&["static_resources", "clusters"]);
    let clusters = clusters.or_else(|| document.get("resources"));
    find(document, clusters.map_or(&[][..], Node::items), draft);
}

/// Every list of virtual hosts in the document.
fn find(node: &Node, clusters: &[Node], draft: &mut Draft) {
    let hosts = node.get("virtual_hosts").map_or(&[][..], Node::items);
    for host in hosts {
        let above = host
            .get("retry_policy")
            .or_else(|| node.get("retry_policy"));
        for route in host.get("routes").map_or(&[][..], Node::items) {
            self::route(host, route, above, clusters, draft);
        }
    }
    if hosts.is_empty() {
        for child in node.children() {
            find(child, clusters, draft);
        }
    }
}

fn route(host: &Node, route: &Node, above: Option<&Node>, clusters: &[Node], draft: &mut Draft) {
    let Some(action) = route.get("route") else {
        return;
    };
    let retry = action.get("retry_policy").or(above);
    let weighted = action.at_path(&["weighted_clusters", "clusters"]);
    if retry.is_none() && weighted.is_none() {
        return;
    }
    let name = route.text_of("name").or_else(|| host.text_of("name"));
    let mut pool = Pool::new(name.unwrap_or("imported"));
    matching(&mut pool, host, route, draft);
    let names = endpoints(&mut pool, action, weighted, draft);
    if names.is_empty() {
        return;
    }
    if let Some(retry) = retry {
        retries(&mut pool, retry, draft);
    }
    match action.get("timeout") {
        Some(timeout) => {
            if !pool.set_written_span("timeout.total", timeout) {
                draft.comment(timeout.at.start, "no limit: here timeout.total is 60 s");
            }
        }
        None => pool.set("timeout.total", "15s"),
    }
    if let Some(hedge) = action.get("hedge_policy") {
        match pool.get("timeout.read").cloned() {
            Some(read) => {
                pool.set("retry_policy.hedge", json!({"delay": "p95"}));
                let what = format!("a hedge after {read} is one after the 95th percentile here");
                draft.comment(hedge.at.start, what);
            }
            None => draft.no_equal(hedge.at.start, "hedge_policy", ""),
        }
    }
    for name in names {
        let cluster = clusters.iter().find(|it| it.text_of("name") == Some(&name));
        if let Some(cluster) = cluster {
            self::cluster(&mut pool, cluster, draft);
        }
    }
    draft.add(pool);
}

fn matching(pool: &mut Pool, host: &Node, route: &Node, draft: &mut Draft) {
    let domains = host.get("domains").map_or(&[][..], Node::items).iter();
    let domains: Vec<_> = domains.filter_map(Node::text).collect();
    pool.hosts(&domains);
    let condition = route.get("match").map_or(&[][..], Node::members);
    for member in condition {
        let text = member.node.text();
        match (&*member.key, text) {
            ("prefix", Some("/")) => {}
            ("prefix", Some(prefix)) => pool.set("match.prefix", prefix),
            ("path_separated_prefix", Some(prefix)) => pool.set("match.prefix", prefix),
            ("path", Some(path)) => pool.set("match.path", path),
            ("safe_regex", _) => match member.node.text_of("regex") {
                Some(regex) => pool.set("match.regex", regex),
                None => draft.no_equal(member.at, "safe_regex", ""),
            },
            (other, _) => draft.no_equal(member.at, &format!("match.{other}"), ""),
        }
    }
}

/// Sets the endpoints, and returns their clusters.
fn endpoints(
    pool: &mut Pool,
    action: &Node,
    weighted: Option<&Node>,
    draft: &mut Draft,
) -> Vec<String> {
    let mut names = Vec::new();
    if let Some(name) = action.text_of("cluster") {
        names.push(name.to_owned());
        pool.set("endpoints", json!([name]));
        draft.comment(
            action.at.start,
            format!("there is one cluster, {name}: retries need a second endpoint to go to"),
        );
    }
    if let Some(weighted) = weighted {
        let mut endpoints = Vec::new();
        for cluster in weighted.items() {
            let Some(name) = cluster.text_of("name") else {
                continue;
            };
            names.push(name.to_owned());
            let weight = cluster.get("weight").and_then(number_of).unwrap_or(1.0);
            endpoints.push(json!({"cluster": name, "weight": plain(weight)}));
        }
        pool.set("endpoints", Value::Array(endpoints));
        pool.set("load_balancer.strategy", "weighted_random");
    }
    names
}

fn retries(pool: &mut Pool, policy: &Node, draft: &mut Draft) {
    let on = policy.get("retry_on");
    let codes = policy
        .get("retriable_status_codes")
        .map_or(&[][..], Node::items);
    let codes: Vec<_> = codes.iter().filter_map(number_of).map(plain).collect();
    let words = on.and_then(Node::text).unwrap_or_default().split(',');
    let at = on.map_or(policy.at.start, |on| on.at.start);
    retry_on::set(pool, words.map(|word| (at, word)), &codes, draft);
    retry_on::methods(policy.at.start, draft);
    let retries = policy.get("num_retries").and_then(number_of).unwrap_or(1.0);
    draft.attempts(pool, retries + 1.0, policy.at.start);
    for member in policy.members() {
        let node = &member.node;
        match &*member.key {
            "retry_on" | "retriable_status_codes" | "num_retries" => {}
            "per_try_timeout" => {
                pool.set_written_span("timeout.read", node);
            }
            "retry_back_off" => {
                let base = node.get("base_interval");
                if let Some(base) = base {
                    pool.set_written_span("retry_policy.base_delay", base);
                }
                if let Some(max) = node.get("max_interval") {
                    pool.set_written_span("retry_policy.max_delay", max);
                }
            }
            "rate_limited_retry_back_off" => {
                pool.set("retry_policy.respect_retry_after", true);
                if let Some(max) = node.get("max_interval") {
                    pool.set_written_span("retry_policy.max_retry_after", max);
                }
            }
            "retry_host_predicate" | "host_selection_retry_max_attempts" => {
                draft.not_needed(member.at, &member.key);
            }
            "per_try_idle_timeout" => {
                draft.no_equal(
                    member.at,
                    "per_try_idle_timeout",
                    "timeout.read is until the head",
                );
            }
            other => draft.no_equal(member.at, &format!("retry_policy.{other}"), ""),
        }
    }
}

fn cluster(pool: &mut Pool, cluster: &Node, draft: &mut Draft) {
    if let Some(connect) = cluster.get("connect_timeout") {
        pool.set_written_span("timeout.connect", connect);
    }
    if let Some(detection) = cluster.get("outlier_detection") {
        outliers::set(pool, detection, draft);
    }
    for threshold in cluster
        .at_path(&["circuit_breakers", "thresholds"])
        .map_or(&[][..], Node::items)
    {
        for member in threshold.members() {
            match (&*member.key, number_of(&member.node)) {
                ("max_connections" | "max_requests", Some(most)) => pool.limit(most),
                ("retry_budget", _) => {
                    let percent = member.node.at_path(&["budget_percent", "value"]);
                    if let Some(percent) = percent.and_then(number_of) {
                        pool.set("retry_policy.budget.ratio", plain(percent / 100.0));
                    }
                }
                ("priority", _) => {}
                ("max_retries", _) => draft.no_equal(member.at, "max_retries", LIMITED_BY_BUDGET),
                (other, _) => draft.no_equal(member.at, other, "it may stay in the cluster"),
            }
        }
    }
    for field in ["health_checks", "lb_policy"] {
        if let Some(node) = cluster.get(field) {
            draft.comment(
                node.at.start,
                format!("{field} is about the hosts of the cluster, and stays there"),
            );
        }
    }
}
