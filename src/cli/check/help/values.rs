//! Values of another type, or in the words of other programs.
//!
//! Example: for `"failure_rate": "50%"` the help is `write "failure_rate": 0.5`.

use steerage_config::schema::{Kind, TextRule};

use super::path::{parted, shown};
use super::words::{nearest, normalized, strategy};
use crate::document::{Node, Value};
use crate::durations;

/// The help for a value that must be of this kind.
pub(super) fn other(path: &str, kind: &Kind, value: &Node) -> Option<String> {
    let (section, key) = parted(path);
    let field = key.split('[').next().unwrap_or_default();
    if let Value::Null = value.value {
        return Some(format!("leave \"{field}\" out: then its default holds"));
    }
    if field == "retry_on"
        && let Some(text) = value.text()
    {
        return retry_on(text);
    }
    if let Some(whole) = whole(field, section, value) {
        return Some(format!("write {whole}"));
    }
    let corrected = corrected(kind, value)?;
    // An entry of a list has no name.
    Some(match key.strip_suffix(']') {
        Some(_) => format!("write {corrected}"),
        None => format!("write \"{field}\": {corrected}"),
    })
}

/// Short forms that other programs have for a whole section.
fn whole(field: &str, section: &str, value: &Node) -> Option<String> {
    let flag = match &value.value {
        Value::Flag(flag) => Some(*flag),
        _ => None,
    };
    let shown = shown(value);
    Some(match (field, flag, &value.value) {
        ("circuit_breaker", Some(false), _) => {
            r#""circuit_breaker": {"max_open_fraction": 0}: then none is ever open"#.into()
        }
        ("circuit_breaker", Some(true), _) => {
            r#""circuit_breaker": {"failure_threshold": 5}"#.into()
        }
        ("health_check", Some(flag), _) => format!(r#""enable_health_checks": {flag}"#),
        ("health_check", _, Value::Text(..)) => format!(r#""health_check": {{"path": {shown}}}"#),
        ("retry_policy", Some(false), _) => r#""retry_policy": {"max_attempts": 1}"#.into(),
        ("retry_policy", Some(true), _) => r#""retry_policy": {"max_attempts": 3}"#.into(),
        ("retry_policy", _, Value::Number(number)) => {
            let attempts = number.as_f64().unwrap_or_default() + 1.0;
            format!(
                r#""retry_policy": {{"max_attempts": {attempts}}}: it counts the first attempt, too"#
            )
        }
        ("retry_policy", _, Value::Text(..)) => {
            format!(r#""retry_policy": {{"strategy": {shown}}}"#)
        }
        ("load_balancer", _, Value::Text(text, _)) => {
            let strategy = strategy(text).unwrap_or("round_robin");
            format!(r#""load_balancer": {{"strategy": "{strategy}"}}"#)
        }
        ("timeout", _, Value::Number(_)) if section.is_empty() || section.ends_with(']') => {
            format!(r#""timeout": {{"total": {shown}}}"#)
        }
        ("timeout", _, Value::Text(text, _)) if section.is_empty() || section.ends_with(']') => {
            let span = durations::meant(text).map_or(shown, durations::written);
            format!(r#""timeout": {{"total": {span}}}"#)
        }
        ("match", _, Value::Text(..)) => format!(r#""match": {{"prefix": {shown}}}"#),
        ("hedge", Some(true), _) => r#""hedge": {"delay": "p95"}"#.into(),
        ("hedge", Some(false), _) => "nothing: without \"hedge\" there is none".into(),
        ("budget", Some(true), _) => r#""budget": {"ratio": 0.2}"#.into(),
        ("budget", _, Value::Number(_)) => format!(r#""budget": {{"ratio": {shown}}}"#),
        ("admin", Some(true), _) => {
            r#""admin": {"path": "/steerage"}, and "token" to allow changes"#.into()
        }
        ("admin", Some(false), _) => "nothing: without \"admin\" there is none".into(),
        ("jitter", _, Value::Number(_)) => format!(r#""jitter": true, "jitter_range": {shown}"#),
        ("connection_pool", _, Value::Number(_)) => {
            format!(r#""connection_pool": {{"max_connections": {shown}}}"#)
        }
        ("endpoints", _, Value::Map(members)) => {
            let entries = members.iter().map(|member| match member.node.number() {
                Some(weight) => format!(r#"{{"cluster": "{}", "weight": {weight}}}"#, member.key),
                None => format!(r#""{}""#, member.key),
            });
            let entries: Vec<_> = entries.take(3).collect();
            format!(r#""endpoints": [{}]"#, entries.join(", "))
        }
        ("pools", _, Value::Map(members)) => {
            let name = members.first().map_or("api", |member| &*member.key);
            format!(r#""pools": [{{"name": "{name}", "endpoints": […]}}]"#)
        }
        _ => return None,
    })
}

/// The value that is meant, as JSON.
fn corrected(kind: &Kind, value: &Node) -> Option<String> {
    if let Kind::Either(kinds) = kind {
        return kinds.iter().find_map(|kind| corrected(kind, value));
    }
    match (kind, &value.value) {
        (Kind::List { of, .. }, Value::Text(..) | Value::Number(_)) => Some(format!(
            "[{}]",
            corrected(of, value).unwrap_or_else(|| shown(value))
        )),
        (Kind::Choice(names), Value::Text(text, _)) => {
            let name = choice(names, text)?;
            Some(format!("\"{name}\""))
        }
        (Kind::Span { .. } | Kind::SpanWithin { .. }, Value::Text(text, _)) => {
            durations::meant(text).map(durations::written)
        }
        (Kind::Number { max, .. }, Value::Text(text, _)) => number(text, *max),
        (Kind::Whole { .. }, Value::Text(text, _)) => text
            .trim()
            .parse::<u64>()
            .ok()
            .map(|number| number.to_string()),
        (Kind::Whole { min, max }, Value::Number(number)) => {
            let limits = *min as f64..=*max as f64;
            let whole = number.as_f64()?.round();
            limits.contains(&whole).then(|| whole.to_string())
        }
        (Kind::Number { max, .. }, Value::Number(number)) if *max <= 1.0 => {
            let fraction = number.as_f64()? / 100.0;
            (0.0..=*max)
                .contains(&fraction)
                .then(|| fraction.to_string())
        }
        (Kind::Flag, Value::Text(text, _)) => match &*text.to_ascii_lowercase() {
            "true" | "yes" | "on" => Some("true".into()),
            "false" | "no" | "off" => Some("false".into()),
            _ => None,
        },
        (Kind::Flag, Value::Number(number)) => Some((number.as_f64()? != 0.0).to_string()),
        (Kind::Text(rule), Value::Text(text, _)) => text_of(*rule, text),
        (Kind::Text(_), Value::Number(number)) => Some(format!("\"{number}\"")),
        _ => None,
    }
}

fn text_of(rule: TextRule, text: &str) -> Option<String> {
    let corrected = match rule {
        TextRule::Method => text.to_ascii_uppercase(),
        TextRule::Statuses => return statuses(text),
        TextRule::Label | TextRule::PoolName | TextRule::HeaderName => {
            let dashed: String = text
                .trim()
                .chars()
                .map(|c| {
                    if c.is_ascii_alphanumeric() || c == '_' {
                        c
                    } else {
                        '-'
                    }
                })
                .collect();
            dashed
        }
        TextRule::Host | TextRule::Authority => {
            let host = text.split("://").last().unwrap_or_default();
            host.split('/').next().unwrap_or_default().trim().to_owned()
        }
        TextRule::Path | TextRule::PathAndQuery | TextRule::PathBelow => {
            let path = text.trim().split('?').next().unwrap_or_default();
            format!("/{}", path.trim_start_matches('/'))
        }
        TextRule::PathPrefix => format!("/{}", text.trim().trim_matches('/')),
        _ => return None,
    };
    (corrected != text).then(|| format!("\"{corrected}\""))
}

/// Statuses as text: `500`, `5XX`, `500,502`.
fn statuses(text: &str) -> Option<String> {
    let parts = text.split([',', ' ']).filter(|part| !part.is_empty());
    let parts: Option<Vec<_>> = parts
        .map(|part| match part.parse::<u16>() {
            Ok(status) => Some(status.to_string()),
            Err(_) => {
                let class = part.to_ascii_lowercase();
                let is_class = class.len() == 3 && class.ends_with("xx");
                (is_class || class.contains('-')).then(|| format!("\"{class}\""))
            }
        })
        .collect();
    Some(parts?.join(", ")).filter(|parts| !parts.is_empty())
}

fn number(text: &str, max: f64) -> Option<String> {
    let text = text.trim();
    let number: f64 = match text.strip_suffix('%') {
        Some(percent) if max <= 1.0 => percent.trim().parse::<f64>().ok()? / 100.0,
        Some(percent) => percent.trim().parse().ok()?,
        None => text.parse().ok()?,
    };
    number.is_finite().then(|| number.to_string())
}

/// The name that is meant.
fn choice(names: &[&'static str], text: &str) -> Option<&'static str> {
    let plain = normalized(text);
    let of_names = |name: &str| names.iter().copied().find(|known| *known == name);
    let same = names.iter().copied().find(|name| normalized(name) == plain);
    let known = same.or_else(|| of_names(strategy(text)?));
    known.or_else(|| nearest(names.iter().copied(), text, 0.75))
}

/// Conditions for retries in the words of Envoy and nginx.
fn retry_on(text: &str) -> Option<String> {
    let status = |statuses: &str| {
        format!(
            "write \"retry_on_status_codes\": [{statuses}] in retry_policy, and leave it out here"
        )
    };
    let grpc = |name: &str| {
        format!(
            "write \"retry_on_grpc_statuses\": [\"{name}\"] in retry_policy, and leave it out here"
        )
    };
    Some(match &*normalized(text) {
        "5xx" | "error" | "servererror" => status("\"5xx\""),
        "gatewayerror" => status("502, 503, 504"),
        "retriable4xx" => status("409"),
        "envoyratelimited" => status("429"),
        "retriablestatuscodes" => status("429, 503"),
        "connectfailure" | "connecterror" | "connect" => "write \"connect_failure\"".into(),
        "reset" | "refusedstream" | "resetbeforerequest" | "http3postconnectfailure" => {
            "write \"reset\"".into()
        }
        "timeout" | "timeouts" => "write \"timeout\"".into(),
        "cancelled" => grpc("CANCELLED"),
        "deadlineexceeded" => grpc("DEADLINE_EXCEEDED"),
        "internal" => grpc("INTERNAL"),
        "resourceexhausted" => grpc("RESOURCE_EXHAUSTED"),
        "unavailable" => grpc("UNAVAILABLE"),
        other => {
            let code = other.strip_prefix("http").unwrap_or(other);
            let code: u16 = code.parse().ok()?;
            status(&code.to_string())
        }
    })
}
