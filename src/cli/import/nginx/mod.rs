//! nginx: a pool for each location that passes requests to an `upstream`.

mod directives;

use serde_json::{Value, json};

use super::draft::{Draft, Pool, plain};
use crate::durations;
use directives::{Directive, parse};

/// Whether a text is a configuration of nginx.
pub(super) fn is_one(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim_start);
    lines.any(|line| {
        let block = [
            "upstream ",
            "server ",
            "server{",
            "http ",
            "http{",
            "location ",
        ];
        block.iter().any(|word| line.starts_with(word)) && line.contains('{')
    })
}

/// Imports a configuration.
pub(super) fn import(text: &str, draft: &mut Draft) {
    let directives = parse(text);
    let mut upstreams = Vec::new();
    collect(&directives, "upstream", &mut upstreams);
    let context = Context {
        upstreams: &upstreams,
    };
    context.walk(&directives, &mut Vec::new(), draft);
}

fn collect<'a>(directives: &'a [Directive], name: &str, found: &mut Vec<&'a Directive>) {
    for directive in directives {
        if directive.name == name && !directive.block.is_empty() {
            found.push(directive);
        }
        collect(&directive.block, name, found);
    }
}

struct Context<'a> {
    upstreams: &'a [&'a Directive],
}

impl<'a> Context<'a> {
    /// `around`: the blocks that the directives are in, whose settings hold for them.
    fn walk(
        &self,
        directives: &'a [Directive],
        around: &mut Vec<&'a [Directive]>,
        draft: &mut Draft,
    ) {
        around.push(directives);
        for directive in directives {
            if directive.name == "location" {
                self.location(directive, around, draft);
            }
            self.walk(&directive.block, around, draft);
        }
        around.pop();
    }

    fn location(&self, location: &'a Directive, around: &[&'a [Directive]], draft: &mut Draft) {
        let pass = location.block.iter().find(|it| it.name == "proxy_pass");
        let Some(target) = pass.and_then(|pass| pass.words.first()) else {
            return;
        };
        let name = target.split("://").last().unwrap_or_default();
        let name = name.split('/').next().unwrap_or_default();
        let upstream = self
            .upstreams
            .iter()
            .find(|it| it.words.first().is_some_and(|it| it == name));
        let Some(upstream) = upstream else { return };
        let mut pool = Pool::new(name);
        let setting = |name: &str| {
            let own = location.block.iter().find(|it| it.name == name);
            own.or_else(|| {
                around
                    .iter()
                    .rev()
                    .find_map(|block| block.iter().find(|it| it.name == name))
            })
        };
        matching(&mut pool, location, setting("server_name"), draft);
        let servers = servers(&mut pool, upstream, draft);
        retries(&mut pool, servers, &setting, draft);
        for (theirs, ours) in [
            ("proxy_connect_timeout", "timeout.connect"),
            ("proxy_read_timeout", "timeout.read"),
            ("proxy_send_timeout", "timeout.write"),
            ("proxy_next_upstream_timeout", "timeout.total"),
        ] {
            let given = setting(theirs).and_then(|it| it.words.first());
            if let Some(span) = given.and_then(|text| durations::meant(text)) {
                pool.set_span(ours, span);
            }
        }
        draft.add(pool);
    }
}

fn matching(pool: &mut Pool, location: &Directive, names: Option<&Directive>, draft: &mut Draft) {
    let names = names.map_or(&[][..], |names| &names.words);
    let names = names
        .iter()
        .filter(|name| *name != "_" && !name.starts_with('~'));
    // `.example.com` is both: the name itself, and all below it.
    let hosts: Vec<_> = names
        .flat_map(|name| match name.strip_prefix('.') {
            Some(own) => vec![own.to_owned(), format!("*{name}")],
            None => vec![name.clone()],
        })
        .filter(|name| !name.is_empty())
        .collect();
    if !hosts.is_empty() {
        pool.set("match.hosts", json!(hosts));
    }
    let words: Vec<_> = location.words.iter().map(|word| &**word).collect();
    match words[..] {
        ["/"] | ["^~", "/"] => {}
        ["=", path] => pool.set("match.path", path),
        ["~", regex] => pool.set("match.regex", format!("{regex}.*")),
        ["^~", prefix] | [prefix] if prefix.starts_with('/') => pool.set("match.prefix", prefix),
        _ => draft.no_equal(location.at, &format!("location {}", words.join(" ")), ""),
    }
}

/// Sets the endpoints, and returns how many there are.
fn servers(pool: &mut Pool, upstream: &Directive, draft: &mut Draft) -> usize {
    let mut endpoints = Vec::new();
    let mut is_weighted = false;
    for directive in &upstream.block {
        let first = directive.words.first().map_or("", |word| word);
        match &*directive.name {
            "server" => {
                let cluster: String = first
                    .chars()
                    .map(|c| {
                        if c.is_ascii_alphanumeric() || c == '-' {
                            c
                        } else {
                            '_'
                        }
                    })
                    .collect();
                draft.comment(
                    directive.at,
                    format!("{first} is the cluster {cluster}, which Envoy needs"),
                );
                let mut endpoint = json!({"cluster": cluster});
                for word in directive.words.iter().skip(1) {
                    is_weighted |= word.starts_with("weight=");
                    server(pool, &mut endpoint, word, directive.at, draft);
                }
                let is_plain = endpoint.as_object().is_some_and(|fields| fields.len() == 1);
                endpoints.push(if is_plain { json!(cluster) } else { endpoint });
            }
            "least_conn" => pool.set("load_balancer.strategy", "least_connections"),
            "ip_hash" => {
                pool.set("load_balancer.strategy", "consistent_hash");
                pool.set("load_balancer.hash_on", "source_ip");
            }
            "random" => pool.set("load_balancer.strategy", "random"),
            "hash" => hash(pool, first, directive, draft),
            "keepalive" => {
                if let Ok(count) = first.parse::<f64>() {
                    pool.set("connection_pool.max_keepalive_connections", plain(count));
                }
            }
            "keepalive_timeout" => {
                if let Some(span) = durations::meant(first) {
                    pool.set_span("connection_pool.keepalive_expiry", span);
                }
            }
            // Workers share what they learn by themselves.
            "zone" => {}
            other => draft.no_equal(directive.at, other, ""),
        }
    }
    if is_weighted && pool.get("load_balancer.strategy").is_none() {
        pool.set("load_balancer.strategy", "weighted_round_robin");
    }
    let count = endpoints.len();
    pool.set("endpoints", Value::Array(endpoints));
    count
}

/// A parameter of a server.
fn server(pool: &mut Pool, endpoint: &mut Value, word: &str, at: usize, draft: &mut Draft) {
    let (name, value) = word.split_once('=').unwrap_or((word, ""));
    let number = value.parse::<f64>().ok();
    let Some(fields) = endpoint.as_object_mut() else {
        return;
    };
    match (name, number) {
        ("weight", Some(weight)) => drop(fields.insert("weight".into(), plain(weight))),
        ("backup", _) => drop(fields.insert("priority".into(), json!(1))),
        ("down", _) => drop(fields.insert("enabled".into(), json!(false))),
        ("max_fails", Some(count)) if count > 0.0 => {
            pool.set("circuit_breaker.failure_threshold", plain(count));
        }
        ("max_fails", _) => pool.set("circuit_breaker.max_open_fraction", 0),
        ("fail_timeout", _) => {
            if let Some(span) = durations::meant(value) {
                pool.set_span("circuit_breaker.timeout", span);
            }
        }
        ("max_conns", Some(most)) => pool.set("connection_pool.max_connections", plain(most)),
        ("slow_start", _) => {
            if let Some(span) = durations::meant(value) {
                pool.set_span("load_balancer.slow_start", span);
            }
        }
        _ => draft.no_equal(at, &format!("server … {word}"), ""),
    }
}

fn hash(pool: &mut Pool, key: &str, directive: &Directive, draft: &mut Draft) {
    let on = match key {
        "$remote_addr" | "$binary_remote_addr" => json!("source_ip"),
        "$uri" | "$request_uri" => json!("path"),
        _ => match (
            key.strip_prefix("$http_"),
            key.strip_prefix("$cookie_"),
            key.strip_prefix("$arg_"),
        ) {
            (Some(header), _, _) => json!({"header": header.replace('_', "-")}),
            (_, Some(cookie), _) => json!({"cookie": cookie}),
            (_, _, Some(argument)) => json!({"query": argument}),
            _ => return draft.no_equal(directive.at, &format!("hash {key}"), ""),
        },
    };
    pool.set("load_balancer.strategy", "consistent_hash");
    pool.set("load_balancer.hash_on", on);
}

fn retries<'a>(
    pool: &mut Pool,
    servers: usize,
    setting: &impl Fn(&str) -> Option<&'a Directive>,
    draft: &mut Draft,
) {
    let tries = setting("proxy_next_upstream_tries").and_then(|it| it.words.first()?.parse().ok());
    let attempts = match tries {
        Some(0) | None => servers,
        Some(tries) => tries,
    };
    pool.set("retry_policy.max_attempts", attempts.clamp(1, 10));
    let Some(next) = setting("proxy_next_upstream") else {
        pool.set(
            "retry_policy.retry_on",
            json!(["connect_failure", "reset", "timeout"]),
        );
        pool.set("retry_policy.retry_on_status_codes", json!([]));
        return;
    };
    let (mut statuses, mut transport) = (Vec::new(), Vec::new());
    for word in &next.words {
        match &**word {
            "error" => transport.extend(["connect_failure", "reset"]),
            "timeout" => transport.push("timeout"),
            "non_idempotent" => pool.set(
                "retry_policy.retry_methods",
                json!([
                    "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "POST", "PATCH"
                ]),
            ),
            "off" => pool.set("retry_policy.max_attempts", 1),
            other => match other
                .strip_prefix("http_")
                .and_then(|code| code.parse::<u16>().ok())
            {
                Some(status) => statuses.push(status),
                None => draft.no_equal(next.at, &format!("proxy_next_upstream {other}"), ""),
            },
        }
    }
    pool.set("retry_policy.retry_on_status_codes", json!(statuses));
    pool.set("retry_policy.retry_on", json!(transport));
}
