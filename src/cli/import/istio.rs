//! Istio's VirtualServices, with the DestinationRules of their destinations: a pool for each route.

use serde_json::{Value, json};

use super::draft::{Draft, LIMITED_BY_BUDGET, Pool, number_of, plain};
use super::file::{File, resources};
use super::{outliers, retry_on};
use crate::document::Node;

/// Imports the VirtualServices of a file.
pub(super) fn import(index: usize, files: &[File], draft: &mut Draft) {
    for (file, service) in resources(files, "VirtualService") {
        if file != index {
            continue;
        }
        let Some(http) = service.at_path(&["spec", "http"]) else {
            continue;
        };
        for route in http.items() {
            let matches = route.get("match").map_or(&[][..], Node::items);
            if matches.is_empty() {
                self::route(service, route, None, files, draft);
            }
            // Of several conditions one must hold: a pool for each.
            for condition in matches {
                self::route(service, route, Some(condition), files, draft);
            }
        }
    }
}

fn route(
    service: &Node,
    route: &Node,
    condition: Option<&Node>,
    files: &[File],
    draft: &mut Draft,
) {
    let name = service.at_path(&["metadata", "name"]).and_then(Node::text);
    let name = route.text_of("name").or(name).unwrap_or("imported");
    let mut pool = Pool::new(name);
    let hosts = service
        .at_path(&["spec", "hosts"])
        .map_or(&[][..], Node::items);
    let hosts: Vec<_> = hosts.iter().filter_map(Node::text).collect();
    pool.hosts(&hosts);
    if let Some(condition) = condition {
        matching(&mut pool, condition, draft);
    }
    let destinations = endpoints(&mut pool, service, route, draft);
    if destinations.is_empty() {
        return;
    }
    match route.get("retries") {
        Some(retries) => self::retries(&mut pool, retries, draft),
        None => {
            // Istio's own default.
            pool.set("retry_policy.max_attempts", 3);
        }
    }
    if let Some(timeout) = route.get("timeout") {
        pool.set_written_span("timeout.total", timeout);
    }
    for (_, rule) in resources(files, "DestinationRule") {
        let host = rule.at_path(&["spec", "host"]).and_then(Node::text);
        if host.is_some_and(|host| destinations.iter().any(|it| is_same(host, it)))
            && let Some(policy) = rule.at_path(&["spec", "trafficPolicy"])
        {
            traffic(&mut pool, policy, draft);
        }
    }
    draft.add(pool);
}

/// Whether two names are of one host, perhaps in short.
fn is_same(one: &str, other: &str) -> bool {
    let begins = |long: &str, short: &str| {
        let rest = long.strip_prefix(short);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    begins(one, other) || begins(other, one)
}

fn matching(pool: &mut Pool, condition: &Node, draft: &mut Draft) {
    for member in condition.members() {
        let node = &member.node;
        match &*member.key {
            "uri" => match (
                node.text_of("prefix"),
                node.text_of("exact"),
                node.text_of("regex"),
            ) {
                (Some(prefix), _, _) if prefix != "/" => pool.set("match.prefix", prefix),
                (Some(_), _, _) => {}
                (_, Some(path), _) => pool.set("match.path", path),
                (_, _, Some(regex)) => pool.set("match.regex", regex),
                _ => draft.no_equal(member.at, "match.uri", ""),
            },
            "method" => match node.text_of("exact") {
                Some(method) => pool.set("match.methods", json!([method])),
                None => draft.no_equal(member.at, "match.method", ""),
            },
            "headers" => {
                for header in node.members() {
                    let rule = match (header.node.text_of("exact"), header.node.text_of("prefix")) {
                        (Some(exact), _) => json!(exact),
                        (_, Some(prefix)) => json!({"prefix": prefix}),
                        _ if header.node.members().is_empty() => json!({"present": true}),
                        _ => {
                            draft.no_equal(header.at, &format!("match.headers.{}", header.key), "");
                            continue;
                        }
                    };
                    pool.set(&format!("match.headers.{}", header.key), rule);
                }
            }
            "name" => {}
            other => draft.no_equal(member.at, &format!("match.{other}"), ""),
        }
    }
}

/// Sets the endpoints, and returns their hosts.
fn endpoints(pool: &mut Pool, service: &Node, route: &Node, draft: &mut Draft) -> Vec<String> {
    let namespace = service
        .at_path(&["metadata", "namespace"])
        .and_then(Node::text);
    let namespace = namespace.unwrap_or("default");
    let (mut endpoints, mut hosts) = (Vec::new(), Vec::new());
    let mut is_weighted = false;
    for to in route.get("route").map_or(&[][..], Node::items) {
        let Some(host) = to.at_path(&["destination", "host"]).and_then(Node::text) else {
            continue;
        };
        let full = match host.contains('.') {
            true => host.to_owned(),
            false => format!("{host}.{namespace}.svc.cluster.local"),
        };
        let port = to
            .at_path(&["destination", "port", "number"])
            .and_then(number_of);
        let port = port.unwrap_or_else(|| {
            draft.comment(
                to.at.start,
                format!("{host} has no port here: outbound|80||{full} is a guess"),
            );
            80.0
        });
        let subset = to.at_path(&["destination", "subset"]).and_then(Node::text);
        let cluster = format!("outbound|{port}|{}|{full}", subset.unwrap_or_default());
        endpoints.push(match to.get("weight").and_then(number_of) {
            Some(weight) => {
                is_weighted = true;
                json!({"cluster": cluster, "weight": plain(weight)})
            }
            None => json!(cluster),
        });
        hosts.push(full);
    }
    if is_weighted {
        pool.set("load_balancer.strategy", "weighted_random");
    }
    if let [only] = &*hosts {
        draft.comment(
            route.at.start,
            format!("there is one destination, {only}: retries need a second endpoint to go to"),
        );
    }
    if !endpoints.is_empty() {
        pool.set("endpoints", Value::Array(endpoints));
    }
    hosts
}

fn retries(pool: &mut Pool, retries: &Node, draft: &mut Draft) {
    let on = retries.get("retryOn");
    if let Some((node, words)) = on.and_then(|on| Some((on, on.text()?))) {
        let words = words.split(',').map(|word| (node.at.start, word));
        retry_on::set(pool, words, &[], draft);
        retry_on::methods(node.at.start, draft);
    }
    for member in retries.members() {
        let node = &member.node;
        match &*member.key {
            "retryOn" => {}
            "attempts" => {
                let count = number_of(node).unwrap_or(2.0);
                draft.attempts(pool, count + 1.0, member.at);
            }
            "perTryTimeout" => {
                pool.set_written_span("timeout.read", node);
            }
            "backoff" => {
                pool.set_written_span("retry_policy.base_delay", node);
            }
            "retryRemoteLocalities" | "retryIgnorePreviousHosts" => {
                draft.not_needed(member.at, &member.key);
            }
            other => draft.no_equal(member.at, &format!("retries.{other}"), ""),
        }
    }
}

fn traffic(pool: &mut Pool, policy: &Node, draft: &mut Draft) {
    for member in policy.members() {
        let node = &member.node;
        match &*member.key {
            "outlierDetection" => outliers::set(pool, node, draft),
            "connectionPool" => connections(pool, node, draft),
            "tls" | "portLevelSettings" | "tunnel" => {}
            "loadBalancer" => draft.comment(
                member.at,
                "loadBalancer is about the pods of a service, and stays in the DestinationRule",
            ),
            other => draft.no_equal(member.at, &format!("trafficPolicy.{other}"), ""),
        }
    }
}

fn connections(pool: &mut Pool, connections: &Node, draft: &mut Draft) {
    for protocol in connections.members() {
        for member in protocol.node.members() {
            let node = &member.node;
            match (&*member.key, number_of(node)) {
                ("maxConnections" | "http2MaxRequests", Some(most)) => pool.limit(most),
                ("connectTimeout", _) => {
                    pool.set_written_span("timeout.connect", node);
                }
                ("idleTimeout", _) => {
                    pool.set_written_span("connection_pool.keepalive_expiry", node);
                }
                ("maxRetries", _) => draft.no_equal(member.at, "maxRetries", LIMITED_BY_BUDGET),
                (other, _) => {
                    draft.no_equal(member.at, other, "it may stay in the DestinationRule");
                }
            }
        }
    }
}
