//! Fields that are called otherwise elsewhere, or stand in another place.
//!
//! Names are compared without case and punctuation, so `maxAttempts` and `max-attempts` are
//! `max_attempts`.

use steerage_config::schema::{
    ADMIN, CIRCUIT_BREAKER, CONNECTION_POOL, ENDPOINT, HEALTH_CHECK, LOAD_BALANCER, MATCH, POOL,
    RETRY_POLICY, ROOT, Section, TIMEOUT,
};

use super::aliases::{ALIASES, Turn};
use super::path::{parted, shown};
use super::words::{normalized, strategy};
use crate::document::{Node, Value};
use crate::durations;

/// The help for a field that nobody knows here. `nearest`: the one that looks most like it.
pub(super) fn unknown(path: &str, nearest: Option<&str>, value: &Node) -> Option<String> {
    let (section, key) = parted(path);
    let is_in_pool = section.starts_with("pools[");
    let section = section_of(section);
    let plain = normalized(key);
    if let Some(help) = whole_document(section, &plain) {
        return Some(help.into());
    }
    if plain == "outlierdetection" || plain == "circuitbreakers" || plain == "circuitbreaking" {
        return Some(breaker(value));
    }
    let known = |name: &str| normalized(name) == plain;
    let mut of_document = ROOT.fields.iter();
    if section.is_empty()
        && is_in_pool
        && let Some(field) = of_document.find(|field| known(field.name))
    {
        let name = field.name;
        return Some(format!(
            "write \"{name}\": {} beside \"pools\"",
            shown(value)
        ));
    }
    if let Some((_, field)) = fields().find(|(place, field)| *place == section && known(field)) {
        return Some(line(section, section, field, value, Turn::Same));
    }
    let alias = ALIASES.iter().find(|(names, field, _)| {
        let place = parted(field).0;
        names.contains(&&*plain)
            && (section != "endpoints[]" || place == "endpoints[]")
            && (place != "endpoints[]" || section == place)
    });
    if let Some((_, field, turn)) = alias {
        let (place, field) = parted(field);
        return Some(line(section, place, field, value, *turn));
    }
    if let Some(field) = nearest {
        return Some(line(section, section, field, value, Turn::Same));
    }
    let (place, field) = fields().find(|(_, field)| known(field))?;
    Some(line(section, place, field, value, Turn::Same))
}

/// What belongs around a configuration and not into it.
fn whole_document(section: &str, key: &str) -> Option<&'static str> {
    if !section.is_empty() {
        return None;
    }
    match key {
        "apiversion" | "kind" | "metadata" | "spec" | "pluginconfig" => Some(
            "this is a whole resource: only what stands in its pluginConfig is the configuration; \
             `steerage check` takes the resource as a file",
        ),
        "staticresources" | "dynamicresources" | "httpfilters" | "typedconfig" => Some(
            "this is Envoy's configuration: only the JSON in `configuration` of the Wasm filter is \
             the filter's; `steerage check` takes the whole file",
        ),
        _ => None,
    }
}

/// Envoy's outlier detection, as a breaker.
fn breaker(value: &Node) -> String {
    let mut fields = Vec::new();
    for (theirs, ours) in [
        ("consecutive_5xx", "failure_threshold"),
        ("consecutive5xxErrors", "failure_threshold"),
        ("base_ejection_time", "timeout"),
        ("baseEjectionTime", "timeout"),
    ] {
        if let Some(value) = value.get(theirs) {
            fields.push(format!("\"{ours}\": {}", shown(value)));
        }
    }
    if fields.is_empty() {
        fields.push("\"failure_threshold\": 5".into());
    }
    format!("write \"circuit_breaker\": {{{}}}", fields.join(", "))
}

/// The line to write.
fn line(here: &str, place: &str, field: &str, value: &Node, turn: Turn) -> String {
    let turned = turned(value, turn);
    let written = format!("\"{field}\": {turned}");
    let note = match turn {
        Turn::PlusOne => ": it counts the first attempt, too",
        _ => "",
    };
    if here == place {
        format!("write {written}{note}")
    } else if place.is_empty() {
        format!("write {written} beside \"endpoints\"{note}")
    } else if here.is_empty() {
        format!("write \"{place}\": {{{written}}}{note}")
    } else {
        format!("write {written} in {place}{note}")
    }
}

fn turned(value: &Node, turn: Turn) -> String {
    match (turn, &value.value) {
        (Turn::PlusOne, _) if let Some(retries) = value.number() => {
            (retries + 1.0).clamp(1.0, 10.0).to_string()
        }
        (Turn::Milliseconds, Value::Number(number)) => format!("\"{number}ms\""),
        (Turn::Percent, Value::Number(number)) => {
            let fraction = number.as_f64().unwrap_or_default();
            (if fraction > 1.0 {
                fraction / 100.0
            } else {
                fraction
            })
            .to_string()
        }
        (Turn::Strategy, Value::Text(text, _)) => {
            let strategy = strategy(text).unwrap_or("round_robin");
            format!("\"{strategy}\"")
        }
        (Turn::Strategy, _) => "\"exponential\"".into(),
        (Turn::List, Value::Text(..)) => format!("[{}]", shown(value)),
        (_, Value::Text(text, _)) if let Some(span) = written_otherwise(text) => span,
        _ => shown(value),
    }
}

/// A duration that the configuration has to write in another way.
fn written_otherwise(text: &str) -> Option<String> {
    let is_ours = steerage_config::duration::from_text(text).is_some();
    let has_unit = text.ends_with(|c: char| c.is_ascii_alphabetic());
    let span = durations::meant(text).filter(|_| has_unit && !is_ours)?;
    Some(durations::written(span))
}

/// The name of a section, of whatever pool or endpoint.
fn section_of(path: &str) -> &str {
    let path = match path.strip_prefix("pools[") {
        Some(rest) => rest.split_once(']').map_or("", |(_, rest)| rest),
        None => path,
    };
    let path = path.trim_start_matches('.');
    match path.split_once('[') {
        Some(("endpoints", rest)) if rest.ends_with(']') => "endpoints[]",
        _ => path,
    }
}

fn fields() -> impl Iterator<Item = (&'static str, &'static str)> {
    let sections: [(&str, &'static Section); 11] = [
        ("", &POOL),
        ("", &ROOT),
        ("retry_policy", &RETRY_POLICY),
        ("load_balancer", &LOAD_BALANCER),
        ("timeout", &TIMEOUT),
        ("circuit_breaker", &CIRCUIT_BREAKER),
        ("health_check", &HEALTH_CHECK),
        ("connection_pool", &CONNECTION_POOL),
        ("match", &MATCH),
        ("endpoints[]", &ENDPOINT),
        ("admin", &ADMIN),
    ];
    let fields = sections.into_iter().flat_map(|(place, section)| {
        let fields = section.fields.iter();
        fields.map(move |field| (place, field.name))
    });
    fields.filter(|(_, name)| *name != "path" && *name != "method")
}
