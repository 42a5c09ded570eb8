//! An Envoy Gateway's BackendTrafficPolicies, with the HTTPRoutes that they are for: a pool for
//! each rule.

use serde_json::{Value, json};

use super::draft::{Draft, LIMITED_BY_BUDGET, Pool, number_of, plain};
use super::file::{File, resources};
use super::{outliers, retry_on};
use crate::document::Node;

/// Imports the policies of a file.
pub(super) fn import(index: usize, files: &[File], draft: &mut Draft) {
    for (file, policy) in resources(files, "BackendTrafficPolicy") {
        if file != index {
            continue;
        }
        let Some(spec) = policy.get("spec") else {
            continue;
        };
        let refs = spec.get("targetRefs").map_or(&[][..], Node::items).iter();
        let refs = refs.chain(spec.get("targetRef"));
        for target in refs.filter_map(|target| target.text_of("name")) {
            let mut routes = resources(files, "HTTPRoute");
            let route = routes.find(|(_, route)| {
                let name = route.at_path(&["metadata", "name"]).and_then(Node::text);
                name == Some(target)
            });
            let rules = route.and_then(|(_, route)| route.at_path(&["spec", "rules"]));
            let hosts = route.and_then(|(_, route)| route.at_path(&["spec", "hostnames"]));
            let rules = rules.map_or(&[][..], Node::items);
            for rule in rules {
                let mut pool = Pool::new(target);
                self::rule(&mut pool, rule, hosts, draft);
                self::policy(&mut pool, spec, draft);
                draft.add(pool);
            }
            if rules.is_empty() {
                draft.comment(
                    spec.at.start,
                    format!("the HTTPRoute {target} is not here: its services are unknown"),
                );
                let mut pool = Pool::new(target);
                pool.set("endpoints", json!([target]));
                self::policy(&mut pool, spec, draft);
                draft.add(pool);
            }
        }
    }
}

fn rule(pool: &mut Pool, rule: &Node, hosts: Option<&Node>, draft: &mut Draft) {
    let hosts = hosts.map_or(&[][..], Node::items).iter();
    let hosts: Vec<_> = hosts.filter_map(Node::text).collect();
    if !hosts.is_empty() {
        pool.set("match.hosts", json!(hosts));
    }
    let matches = rule.get("matches").map_or(&[][..], Node::items);
    if let Some(path) = matches.first().and_then(|first| first.get("path")) {
        let value = path.text_of("value").unwrap_or("/");
        match path.text_of("type").unwrap_or("PathPrefix") {
            "PathPrefix" if value == "/" => {}
            "PathPrefix" => pool.set("match.prefix", value),
            "Exact" => pool.set("match.path", value),
            _ => pool.set("match.regex", value),
        }
    }
    if let Some(second) = matches.get(1) {
        draft.no_equal(
            second.at.start,
            "a second match",
            "make a second pool of it",
        );
    }
    let mut endpoints = Vec::new();
    for backend in rule.get("backendRefs").map_or(&[][..], Node::items) {
        let Some(name) = backend.text_of("name") else {
            continue;
        };
        endpoints.push(match backend.get("weight").and_then(number_of) {
            Some(weight) => json!({"cluster": name, "weight": plain(weight)}),
            None => json!(name),
        });
    }
    if endpoints.iter().any(Value::is_object) {
        pool.set("load_balancer.strategy", "weighted_random");
    }
    pool.set("endpoints", Value::Array(endpoints));
}

fn policy(pool: &mut Pool, spec: &Node, draft: &mut Draft) {
    for member in spec.members() {
        let node = &member.node;
        match &*member.key {
            "targetRefs" | "targetRef" | "mergeType" => {}
            "retry" => retries(pool, node, draft),
            "timeout" => timeouts(pool, node, draft),
            "circuitBreaker" => limits(pool, node, draft),
            "healthCheck" => health(pool, node, draft),
            "loadBalancer" => draft.comment(
                member.at,
                "loadBalancer is about the pods of a service, and stays in the policy",
            ),
            other => draft.no_equal(member.at, other, "it may stay in the policy"),
        }
    }
}

fn retries(pool: &mut Pool, retry: &Node, draft: &mut Draft) {
    let on = retry.get("retryOn");
    let list = |field| {
        let list = on.and_then(|on| on.get(field));
        list.map_or(&[][..], Node::items)
    };
    let words = list("triggers").iter();
    let words = words.filter_map(|word| Some((word.at.start, word.text()?)));
    let codes: Vec<_> = list("httpStatusCodes")
        .iter()
        .filter_map(number_of)
        .map(plain)
        .collect();
    if on.is_some() {
        retry_on::set(pool, words, &codes, draft);
        retry_on::methods(retry.at.start, draft);
    }
    let retries = retry.get("numRetries").and_then(number_of).unwrap_or(2.0);
    draft.attempts(pool, retries + 1.0, retry.at.start);
    for member in retry.members() {
        match &*member.key {
            "retryOn" | "numRetries" => {}
            "perRetry" => {
                if let Some(timeout) = member.node.get("timeout") {
                    pool.set_written_span("timeout.read", timeout);
                }
                if let Some(base) = member.node.at_path(&["backOff", "baseInterval"]) {
                    pool.set_written_span("retry_policy.base_delay", base);
                }
                if let Some(max) = member.node.at_path(&["backOff", "maxInterval"]) {
                    pool.set_written_span("retry_policy.max_delay", max);
                }
            }
            "numAttemptsPerPriority" => {
                draft.no_equal(
                    member.at,
                    "numAttemptsPerPriority",
                    "tiers take over by weight",
                );
            }
            other => draft.no_equal(member.at, &format!("retry.{other}"), ""),
        }
    }
}

fn timeouts(pool: &mut Pool, timeout: &Node, draft: &mut Draft) {
    for protocol in timeout.members() {
        for member in protocol.node.members() {
            let path = match &*member.key {
                "connectTimeout" => "timeout.connect",
                "requestTimeout" => "timeout.total",
                "connectionIdleTimeout" => "connection_pool.keepalive_expiry",
                other => {
                    draft.no_equal(member.at, other, "it may stay in the policy");
                    continue;
                }
            };
            if !pool.set_written_span(path, &member.node) {
                draft.comment(member.at, format!("no limit: here {path} has its default"));
            }
        }
    }
}

fn limits(pool: &mut Pool, breaker: &Node, draft: &mut Draft) {
    for member in breaker.members() {
        match (&*member.key, number_of(&member.node)) {
            ("maxConnections" | "maxParallelRequests", Some(most)) => pool.limit(most),
            ("maxParallelRetries", _) => {
                draft.no_equal(member.at, "maxParallelRetries", LIMITED_BY_BUDGET);
            }
            (other, _) => draft.no_equal(member.at, other, "it may stay in the policy"),
        }
    }
}

fn health(pool: &mut Pool, health: &Node, draft: &mut Draft) {
    if let Some(passive) = health.get("passive") {
        outliers::set(pool, passive, draft);
    }
    let Some(active) = health.get("active") else {
        return;
    };
    let host = active.at_path(&["http", "hostname"]).and_then(Node::text);
    if let Some(path) = active.at_path(&["http", "path"]).and_then(Node::text) {
        pool.set("health_check.path", path);
    }
    if let Some(host) = host {
        pool.set("health_check.host", host);
    }
    for member in active.members() {
        let node = &member.node;
        match (&*member.key, number_of(node)) {
            ("http" | "type", _) => {}
            ("interval", _) => drop(pool.set_written_span("health_check.interval", node)),
            ("timeout", _) => drop(pool.set_written_span("health_check.timeout", node)),
            ("healthyThreshold", Some(count)) => {
                pool.set("health_check.healthy_threshold", plain(count));
            }
            ("unhealthyThreshold", Some(count)) => {
                pool.set("health_check.unhealthy_threshold", plain(count));
            }
            (other, _) => draft.no_equal(member.at, &format!("healthCheck.active.{other}"), ""),
        }
    }
    draft.comment(
        active.at.start,
        "these checks ask the service, and no longer its pods one by one",
    );
}
