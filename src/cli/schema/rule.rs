//! The rules of texts as patterns.
//!
//! They use only what all dialects of regular expressions share: no look-around, no flags, no
//! named classes. A letter in either case is therefore written as a class of two.
//!
//! Limits: not checked are the syntax of regular expressions and of expressions in `attempt`, and
//! the order of the ends of a range of statuses.
//!
//! Example: `Method` becomes `^[A-Z0-9!#$%&'*+.^_`|~-]+$`.

use serde_json::{Value, json};
use steerage_config::schema::{RESERVED_HEADERS, TextRule};

use super::part::insert;

/// What a text must be that follows `rule`.
pub(super) fn text(rule: TextRule) -> Value {
    match rule {
        TextRule::PoolName => pattern("^[A-Za-z0-9_-]+$"),
        TextRule::Label => pattern(&format!(
            "^[^{CONTROL}{SPACE}](?:[^{CONTROL}]*[^{CONTROL}{SPACE}])?$"
        )),
        TextRule::HeaderName => token(),
        TextRule::RoutingHeader => token_but(&RESERVED_HEADERS.map(any_case).join("|")),
        TextRule::ChangeableHeader => token_but(&unchangeable()),
        TextRule::HeaderValue => pattern(&format!("^[^{CONTROL}]*$")),
        TextRule::Words => pattern(&format!("^[^{CONTROL}]{{1,256}}$")),
        TextRule::Template => pattern(&format!(
            "^(?:[^{{}}{CONTROL}]|\\{{\\{{|\\}}\\}}|\\{{(?:attempt|endpoint|pool|response_time)\\}})*$"
        )),
        TextRule::Method => pattern("^[A-Z0-9!#$%&'*+.^_`|~-]+$"),
        // Graphic characters without `#`, and without `?` where there is no query.
        TextRule::Path => pattern("^/[!\"$->@-~]*$"),
        TextRule::PathBelow => pattern("^/+[!\"$-.0->@-~][!\"$->@-~]*$"),
        TextRule::PathAndQuery => pattern("^/[!\"$-~]*$"),
        TextRule::PathPrefix => pattern("^/[!\"$->@-~]*[!\"$-.0->@-~]$"),
        // What RFC 3986 §3.2 allows; a `*` only in front.
        TextRule::Host => pattern("^(?:\\*\\.)?[!$-)+-.0-;=A-\\[\\]_a-z~]+$"),
        TextRule::Authority => pattern("^[!$-.0-;=A-\\[\\]_a-z~]+$"),
        // Graphic characters without `&=#?`.
        TextRule::QueryName => pattern("^[!\"$%'-<>@-~]+$"),
        TextRule::Statuses => pattern("^(?:[1-5]xx|0*[1-5][0-9]{2}-0*[1-5][0-9]{2})$"),
        TextRule::Regex => json!({"type": "string", "format": "regex"}),
        TextRule::Expression | TextRule::Secret => json!({"type": "string", "minLength": 1}),
    }
}

/// Control characters, for a class: C0, DEL and C1.
const CONTROL: &str = "\\u0000-\\u001f\\u007f-\\u009f";

/// White space of Unicode that is no control character, for a class.
const SPACE: &str = " \\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";

/// Headers that interceptors may not change, as `steerage_policy::headers` has them. Besides, all
/// that begin with `x-steerage-`.
const UNCHANGEABLE: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The same for what comes after `x-envoy-`.
const UNCHANGEABLE_OF_ENVOY: [&str; 14] = [
    "attempt-count",
    "expected-rq-timeout-ms",
    "hedge-on-per-try-timeout",
    "is-timeout-retry",
    "max-retries",
    "retriable-header-names",
    "retriable-status-codes",
    "retry-grpc-on",
    "retry-on",
    "upstream-alt-stat-name",
    "upstream-rq-per-try-timeout-ms",
    "upstream-rq-timeout-alt-response",
    "upstream-rq-timeout-ms",
    "upstream-stream-duration-ms",
];

fn unchangeable() -> String {
    format!(
        "{}|{}(?:{})|{}.*",
        UNCHANGEABLE.map(any_case).join("|"),
        any_case("x-envoy-"),
        UNCHANGEABLE_OF_ENVOY.map(any_case).join("|"),
        any_case("x-steerage-"),
    )
}

fn pattern(pattern: &str) -> Value {
    json!({"type": "string", "pattern": pattern})
}

/// A token of RFC 9110 §5.6.2.
fn token() -> Value {
    pattern("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
}

fn token_but(others: &str) -> Value {
    let mut token = token();
    insert(
        &mut token,
        "not",
        json!({"pattern": format!("^(?:{others})$")}),
    );
    token
}

/// `name` in any mixture of cases.
fn any_case(name: &str) -> String {
    name.chars()
        .map(|letter| {
            if letter.is_ascii_lowercase() {
                format!("[{}{letter}]", letter.to_ascii_uppercase())
            } else {
                letter.to_string()
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonschema::is_valid;
    use steerage_policy::headers::is_changeable;

    /// The words between such quotes in a part of a source.
    fn quoted<'a>(source: &'a str, open: &'a str) -> impl Iterator<Item = &'a str> {
        source
            .split(open)
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
    }

    #[test]
    fn headers_that_the_policy_keeps_to_itself_are_all_known() {
        let source = include_str!("../../policy/headers.rs");
        let changeable = text(TextRule::ChangeableHeader);
        let mut count = 0;
        for name in quoted(source, "b\"") {
            for name in [
                name.to_owned(),
                format!("x-envoy-{name}"),
                format!("{name}x"),
            ] {
                let expected = is_changeable(name.as_bytes()) && !name.contains(':');
                assert_eq!(is_valid(&changeable, &json!(name)), expected, "{name}");
                let shouted = name.to_ascii_uppercase();
                assert_eq!(
                    is_valid(&changeable, &json!(shouted)),
                    expected,
                    "{shouted}"
                );
                count += 1;
            }
        }
        assert!(count > 60, "{count}");
    }

    #[test]
    fn headers_that_cannot_carry_a_cluster_are_all_known() {
        let routing = text(TextRule::RoutingHeader);
        for name in RESERVED_HEADERS {
            assert!(!is_valid(&routing, &json!(name)), "{name}");
            assert!(
                !is_valid(&routing, &json!(name.to_ascii_uppercase())),
                "{name}"
            );
            assert!(is_valid(&routing, &json!(format!("{name}x"))), "{name}");
        }
    }
}
