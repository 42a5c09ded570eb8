//! Settings that are probably meant otherwise than they are written.
//!
//! These are looked for in the text alone, so that they are found beside errors, too.
//!
//! | about | because |
//! |---|---|
//! | a bare number that would be a long time | milliseconds are meant |
//! | `${NAME}` | nobody replaces it |
//! | a token that is short | it can be guessed |
//! | an endpoint with `://` or blanks, or like an Istio cluster and none | it is the name of no cluster |
//! | conditions on headers that the filter takes away | they never hold |
//!
//! Example: `"connect": 1000` is 1000 s.

use steerage_config::Role;
use steerage_config::schema::{Field, Kind, ROOT, Section};
use steerage_policy::headers::is_control;

use super::found::Found;
use super::report::Remark;
use crate::document::{Node, Value};
use crate::istio::Destination;

/// All of them, each with the path of its value.
pub(crate) fn of(found: &Found) -> Vec<Remark> {
    let mut remarks = Vec::new();
    durations(&ROOT, "", &found.tree, &mut remarks);
    found.tree.walk("", &mut |path, node| {
        if let Some(text) = node.text() {
            placeholder(path, text, &mut remarks);
        }
        if path == "admin.token" {
            token(path, node, &mut remarks);
        }
    });
    for (path, pool) in pools(&found.tree) {
        let list = pool.get("endpoints").map_or(&[][..], Node::items);
        for (index, endpoint) in list.iter().enumerate() {
            let (path, name) = match endpoint.text() {
                Some(name) => (format!("{path}endpoints[{index}]"), name),
                None => (
                    format!("{path}endpoints[{index}].cluster"),
                    endpoint.text_of("cluster").unwrap_or_default(),
                ),
            };
            cluster(path, name, &mut remarks);
        }
        let header = match &found.parsed {
            Ok(Role::Filter(config)) => config.cluster_header.to_string(),
            _ => "x-steerage-cluster".into(),
        };
        conditions(&path, pool, &header, &mut remarks);
    }
    remarks
}

/// The pools, each with what comes before the paths of its fields.
fn pools(tree: &Node) -> Vec<(String, &Node)> {
    match tree.get("pools") {
        Some(pools) => {
            let pools = pools.items().iter().enumerate();
            pools
                .map(|(index, pool)| (format!("pools[{index}]."), pool))
                .collect()
        }
        None => vec![(String::new(), tree)],
    }
}

/// Bare numbers that would be much longer than what is usual for their field.
fn durations(section: &'static Section, path: &str, node: &Node, remarks: &mut Vec<Remark>) {
    for member in node.members() {
        let Some(field) = section.field(&member.key) else {
            continue;
        };
        let path = steerage_config::place::member(path, &member.key);
        match (&field.kind, &member.node.value) {
            (Kind::Span { .. } | Kind::SpanWithin { .. }, Value::Number(number)) => {
                let number = number.as_f64().unwrap_or_default();
                if number >= unusual(field) {
                    let remark = Remark::new(
                        "milliseconds",
                        format!("a number is of seconds: {number} s is unusually long"),
                    )
                    .help(format!(
                        "if milliseconds are meant, write \"{}\": \"{number}ms\"; else \"{number}s\"",
                        field.name
                    ));
                    remarks.push(remark.at(path));
                }
            }
            (kind, _) => {
                let lists = member.node.items().iter().enumerate();
                if let Some(section) = section_of(kind) {
                    durations(section, &path, &member.node, remarks);
                    for (index, node) in lists {
                        let path = steerage_config::place::item(&path, index);
                        durations(section, &path, node, remarks);
                    }
                }
            }
        }
    }
}

/// From how many seconds on a bare number is more likely of milliseconds.
fn unusual(field: &Field) -> f64 {
    match field.default.parse::<f64>() {
        Ok(default) if default < 1.0 => 50.0,
        Ok(default) if default <= 5.0 => 100.0,
        Ok(default) if default < 300.0 => 1_000.0,
        _ => 10_000.0,
    }
}

/// The section of an object, or of the entries of a list.
fn section_of(kind: &Kind) -> Option<&'static Section> {
    match kind {
        Kind::Object(section) => Some(section),
        Kind::List { of, .. } => section_of(of),
        Kind::Either(kinds) => kinds.iter().find_map(section_of),
        _ => None,
    }
}

fn placeholder(path: &str, text: &str, remarks: &mut Vec<Remark>) {
    let begin = text.find("${").or_else(|| text.find("$("));
    let rest = begin
        .and_then(|begin| text.get(begin..))
        .unwrap_or_default();
    let Some(end) = rest.find(['}', ')']) else {
        return;
    };
    // Never more of a text than that: it may be a secret.
    let shown = rest.get(..=end).unwrap_or_default();
    let inner = shown.get(2..end).unwrap_or_default();
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if inner.is_empty() || !inner.bytes().all(is_name) {
        return;
    }
    let remark = Remark::new(
        "placeholder",
        format!("{shown} is taken as it stands: neither Envoy nor the filter replaces it"),
    );
    let help = "have what deploys the configuration write the value, such as `envsubst`";
    remarks.push(remark.at(path).help(help));
}

fn token(path: &str, node: &Node, remarks: &mut Vec<Remark>) {
    let Some(token) = node.text() else { return };
    if token.chars().count() < SHORTEST_TOKEN {
        let remark = Remark::new(
            "short-token",
            format!("a token of fewer than {SHORTEST_TOKEN} characters can be guessed"),
        );
        remarks.push(
            remark
                .at(path)
                .help("write one that `openssl rand -hex 16` prints"),
        );
    }
}

const SHORTEST_TOKEN: usize = 16;

/// The name of a cluster.
fn cluster(path: String, name: &str, remarks: &mut Vec<Remark>) {
    if name.contains("://") {
        let host = name.split("://").last().unwrap_or_default();
        let host = host.split(['/', ':']).next().unwrap_or_default();
        let remark = Remark::new(
            "no-cluster-name",
            "this is a URL, and an endpoint is the name of one of Envoy's clusters",
        );
        let cluster = host.replace('.', "_");
        remarks.push(remark.at(path).help(format!(
            "write \"{cluster}\", and add a cluster of that name for {host}; TLS is the cluster's"
        )));
    } else if name.contains(char::is_whitespace) {
        let remark = Remark::new("no-cluster-name", "few clusters have blanks in their names");
        let dashed = name.split_whitespace().collect::<Vec<_>>().join("-");
        remarks.push(
            remark
                .at(path)
                .help(format!("write \"{dashed}\", if that is its name")),
        );
    } else if name.starts_with("outbound") && name.contains('|') {
        istio(path, name, remarks);
    } else if name.starts_with("outbound_.") {
        let remark = Remark::new(
            "istio-cluster",
            "this is Istio's name for passing TLS through, which no route uses",
        );
        let plain = name
            .replacen("outbound_.", "outbound|", 1)
            .replace("_.", "|")
            .replace("||_|", "||");
        remarks.push(remark.at(path).help(format!("write \"{plain}\"")));
    }
}

/// A name that should be one of Istio's clusters.
fn istio(path: String, name: &str, remarks: &mut Vec<Remark>) {
    match Destination::of(name) {
        None => {
            let host = name.rsplit('|').find(|part| part.contains('.'));
            let port = name.split('|').find(|part| part.parse::<u16>().is_ok());
            let remark = Remark::new(
                "istio-cluster",
                "Istio calls no cluster so: its names are outbound|PORT|SUBSET|HOST",
            );
            remarks.push(remark.at(path).help(format!(
                "write \"outbound|{}||{}\"",
                port.unwrap_or("80"),
                host.unwrap_or("api.default.svc.cluster.local")
            )));
        }
        Some(destination) if !destination.host.contains('.') => {
            let Destination { host, port, subset } = destination;
            let subset = subset.unwrap_or_default();
            let remark = Remark::new(
                "istio-cluster",
                format!(
                    "Istio has whole names of services in those of clusters, and {host} is none"
                ),
            );
            remarks.push(remark.at(path).help(format!(
                "write \"outbound|{port}|{subset}|{host}.default.svc.cluster.local\""
            )));
        }
        Some(_) => {}
    }
}

/// Conditions on headers of requests that the filter takes away before it looks at them.
fn conditions(path: &str, pool: &Node, header: &str, remarks: &mut Vec<Remark>) {
    let matched = pool.at_path(&["match", "headers"]);
    let matched = matched.map_or(&[][..], Node::members).iter();
    let matched = matched.map(|member| (format!("{path}match.headers"), &*member.key));
    let scope = pool.at_path(&["retry_policy", "retry_after_scope", "header"]);
    let scope = scope.and_then(Node::text);
    let scope = scope.map(|name| (format!("{path}retry_policy.retry_after_scope.header"), name));
    let hashed = pool.at_path(&["load_balancer", "hash_on", "header"]);
    let hashed = hashed.and_then(Node::text);
    let hashed = hashed.map(|name| (format!("{path}load_balancer.hash_on.header"), name));
    for (place, name) in matched.chain(scope).chain(hashed) {
        let lower = name.to_ascii_lowercase();
        if lower != header.to_ascii_lowercase() && !is_control(lower.as_bytes()) {
            continue;
        }
        let place = match place.ends_with(".headers") {
            true => steerage_config::place::member(&place, name),
            false => place,
        };
        let remark = Remark::new(
            "removed-header",
            format!("the filter takes {name} away from what clients send, so this never holds"),
        );
        remarks.push(
            remark
                .at(place)
                .help("name a header of your own, such as x-tenant"),
        );
    }
}
