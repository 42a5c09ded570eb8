//! Resilience4j's YAML: a pool for each name of an instance.
//!
//! Names of fields are written as `maxAttempts` or `max-attempts`. An instance may have a base
//! (`baseConfig`), which is `default` where it is not named.

use std::collections::BTreeSet;

use serde_json::json;

use super::draft::{Draft, Pool, number_of, plain};
use crate::document::{Member, Node};

/// Imports what a document has under `resilience4j`.
pub(super) fn import(document: &Node, draft: &mut Draft) {
    let Some(root) = document.get("resilience4j") else {
        return;
    };
    let modules = root.members().iter();
    let modules: Vec<_> = modules
        .map(|member| (plain_name(&member.key), &member.node))
        .collect();
    let names: BTreeSet<&str> = modules
        .iter()
        .filter_map(|(_, module)| module.get("instances"))
        .flat_map(Node::members)
        .map(|member| &*member.key)
        .collect();
    let several = names.len() > 1;
    for name in names {
        let mut pool = Pool::new(name);
        pool.set("endpoints", json!([name]));
        draft.comment(
            root.at.start,
            format!("the clusters behind {name} are not known: its endpoints are to be named"),
        );
        if several {
            pool.set("match.prefix", format!("/{name}/"));
            draft.comment(
                root.at.start,
                format!("which requests are for {name} is not known: match is to be corrected"),
            );
        }
        for (module, node) in &modules {
            for member in settings(node, name) {
                let done = match &**module {
                    "retry" => retry(&mut pool, member, draft),
                    "circuitbreaker" => breaker(&mut pool, member, draft),
                    "timelimiter" => limiter(&mut pool, member),
                    "bulkhead" => bulkhead(&mut pool, member),
                    _ => false,
                };
                if !done {
                    let field = format!("{module}.{}", member.key);
                    draft.no_equal(member.at, &field, "");
                }
            }
        }
        draft.add(pool);
    }
}

/// The settings of an instance, after those of its base.
fn settings<'a>(module: &'a Node, name: &str) -> Vec<&'a Member> {
    let Some(instance) = module.at_path(&["instances", name]) else {
        return Vec::new();
    };
    let is_base = |member: &&Member| plain_name(&member.key) == "baseconfig";
    let base = instance.members().iter().find(is_base);
    let base = base.and_then(|base| base.node.text()).unwrap_or("default");
    let base = module.at_path(&["configs", base]);
    let base = base.map_or(&[][..], Node::members).iter();
    let own = instance.members().iter();
    base.chain(own).filter(|member| !is_base(member)).collect()
}

fn plain_name(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|c| c.to_ascii_lowercase()).collect()
}

fn retry(pool: &mut Pool, member: &Member, draft: &mut Draft) -> bool {
    let node = &member.node;
    let is_true = node.to_json() == "true";
    match (&*plain_name(&member.key), number_of(node)) {
        ("maxattempts" | "maxretryattempts", Some(count)) => {
            draft.attempts(pool, count, member.at);
            if pool.get("retry_policy.strategy").is_none() {
                pool.set("retry_policy.strategy", "fixed");
            }
        }
        ("waitduration", number) => match number {
            // A bare number is of milliseconds.
            Some(milliseconds) => pool.set("retry_policy.base_delay", format!("{milliseconds}ms")),
            None => return pool.set_written_span("retry_policy.base_delay", node),
        },
        ("enableexponentialbackoff", _) => {
            pool.set(
                "retry_policy.strategy",
                if is_true { "exponential" } else { "fixed" },
            );
        }
        ("exponentialbackoffmultiplier", Some(factor)) => {
            pool.set("retry_policy.exponential_base", plain(factor));
        }
        ("exponentialmaxwaitduration", _) => {
            return pool.set_written_span("retry_policy.max_delay", node);
        }
        ("enablerandomizedwait", _) => pool.set("retry_policy.jitter", is_true),
        ("randomizedwaitfactor", Some(factor)) => {
            pool.set("retry_policy.jitter", true);
            pool.set("retry_policy.jitter_range", plain(factor));
        }
        ("retryexceptions", _) => draft.comment(
            member.at,
            "exceptions are statuses and broken connections here: see retry_on and \
             retry_on_status_codes",
        ),
        _ => return false,
    }
    true
}

fn breaker(pool: &mut Pool, member: &Member, draft: &mut Draft) -> bool {
    let node = &member.node;
    let number = number_of(node);
    let set_share = |pool: &mut Pool, path: &str, percent: f64| {
        pool.set(path, plain((percent / 100.0).clamp(0.01, 1.0)));
    };
    match (&*plain_name(&member.key), number) {
        ("failureratethreshold", Some(percent)) => {
            set_share(pool, "circuit_breaker.failure_rate", percent);
        }
        ("slowcallratethreshold", Some(percent)) => {
            set_share(pool, "circuit_breaker.slow_call_rate", percent);
        }
        ("slowcalldurationthreshold", number) => {
            return span(pool, "slow_call_duration", node, number);
        }
        ("waitdurationinopenstate", number) => return span(pool, "timeout", node, number),
        ("minimumnumberofcalls", Some(count)) => {
            pool.set("circuit_breaker.minimum_requests", plain(count.max(1.0)));
        }
        ("permittednumberofcallsinhalfopenstate", Some(count)) => {
            let trials = plain(count.clamp(1.0, 16.0));
            pool.set("circuit_breaker.half_open_requests", trials.clone());
            pool.set("circuit_breaker.success_threshold", trials);
        }
        ("slidingwindowtype", _) => {
            if node.text() != Some("TIME_BASED") {
                draft.comment(
                    member.at,
                    "a window of so many calls is one of time here: circuit_breaker.window, 10 s",
                );
            }
        }
        ("slidingwindowsize", _) => draft.comment(
            member.at,
            "slidingWindowSize counts calls, or seconds: circuit_breaker.window is a duration",
        ),
        ("registerhealthindicator" | "eventconsumerbuffersize", _) => {}
        ("automatictransitionfromopentohalfopenenabled", _) => draft.comment(
            member.at,
            "an open breaker is half-open by itself when its time is over",
        ),
        ("recordexceptions" | "ignoreexceptions", _) => draft.comment(
            member.at,
            "exceptions are statuses and broken connections here: see failure_status_codes",
        ),
        _ => return false,
    }
    true
}

fn span(pool: &mut Pool, field: &str, node: &Node, number: Option<f64>) -> bool {
    let path = format!("circuit_breaker.{field}");
    match number {
        // A bare number is of milliseconds.
        Some(milliseconds) => {
            pool.set(&path, format!("{milliseconds}ms"));
            true
        }
        None => pool.set_written_span(&path, node),
    }
}

fn limiter(pool: &mut Pool, member: &Member) -> bool {
    match (&*plain_name(&member.key), number_of(&member.node)) {
        ("timeoutduration", Some(milliseconds)) => {
            pool.set("timeout.total", format!("{milliseconds}ms"));
            true
        }
        ("timeoutduration", None) => pool.set_written_span("timeout.total", &member.node),
        ("cancelrunningfuture", _) => true,
        _ => false,
    }
}

fn bulkhead(pool: &mut Pool, member: &Member) -> bool {
    match (&*plain_name(&member.key), number_of(&member.node)) {
        ("maxconcurrentcalls", Some(most)) => {
            pool.set("connection_pool.max_connections", plain(most));
            true
        }
        _ => false,
    }
}
