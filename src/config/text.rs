//! The rules of values that are text.
//!
//! Example: [`TextRule::PathPrefix`] takes `/v1`, and refuses `v1`, `/v1/` and `/v1?a=b`.

use steerage_policy::headers::{self, is_changeable};
use steerage_policy::matching::{HostPattern, PathRegex};
use steerage_policy::retry::backoff::MAX_RETRIES;

use crate::error::Problem;
use crate::expression::Expression;
use crate::interceptors::Template;
use crate::kind::Kind;
use crate::status;
use crate::text_rule::{RESERVED_HEADERS, TextRule};
use crate::value::Value;

/// The value of `text`, if it follows `rule`.
///
/// # Errors
/// What is wrong with it: that it must follow the rule, or a more precise reason.
pub(crate) fn read(rule: TextRule, text: &str) -> Result<Value<'_>, Problem> {
    let follows = match rule {
        TextRule::PoolName => some(text, |byte| {
            byte.is_ascii_alphanumeric() || b"_-".contains(&byte)
        }),
        TextRule::Label => {
            !text.is_empty() && text.trim() == text && !text.chars().any(char::is_control)
        }
        TextRule::HeaderName => is_token(text),
        TextRule::RoutingHeader => is_token(text) && !is_reserved(text),
        TextRule::ChangeableHeader => {
            is_token(text) && is_changeable(text.to_ascii_lowercase().as_bytes())
        }
        TextRule::Template if !text.chars().any(char::is_control) => {
            return Template::new(text)
                .map(Value::Template)
                .map_err(Problem::Template);
        }
        TextRule::Template => false,
        TextRule::HeaderValue => !text.chars().any(char::is_control),
        TextRule::Words => {
            (1..=256).contains(&text.chars().count()) && !text.chars().any(char::is_control)
        }
        TextRule::Method => is_token(text) && !text.bytes().any(|byte| byte.is_ascii_lowercase()),
        TextRule::Path => is_path(text) && !text.contains('?'),
        TextRule::PathBelow => {
            is_path(text) && !text.contains('?') && !text.trim_end_matches('/').is_empty()
        }
        TextRule::PathAndQuery => is_path(text),
        TextRule::PathPrefix => is_path(text) && !text.contains('?') && !text.ends_with('/'),
        TextRule::Host => match HostPattern::new(text).filter(|_| is_authority(text)) {
            Some(host) => return Ok(Value::Host(host)),
            None => false,
        },
        TextRule::Authority => is_authority(text),
        TextRule::QueryName => some(text, |byte| {
            byte.is_ascii_graphic() && !b"&=#?".contains(&byte)
        }),
        TextRule::Statuses => match status::range(text) {
            Some(range) => return Ok(Value::Statuses(range)),
            None => false,
        },
        TextRule::Secret => !text.is_empty(),
        TextRule::Regex => {
            return PathRegex::new(text)
                .map(Value::Regex)
                .map_err(Problem::Regex);
        }
        TextRule::Expression => return expression(text).map(Value::Expression),
    };
    if follows {
        Ok(Value::Text(text))
    } else {
        Err(Problem::MustBe(Kind::Text(rule)))
    }
}

/// Compiles the expression and evaluates it for every possible retry, so that one without a valid
/// delay is refused here.
fn expression(text: &str) -> Result<Expression, Problem> {
    let expression = Expression::new(text).map_err(Problem::Expression)?;
    for n in (1..).take(MAX_RETRIES) {
        let seconds = expression.value(f64::from(n));
        if !seconds.is_finite() || seconds < 0.0 {
            return Err(Problem::NoDelay { n, seconds });
        }
    }
    Ok(expression)
}

fn is_token(text: &str) -> bool {
    headers::is_token(text.as_bytes())
}

fn is_reserved(name: &str) -> bool {
    let mut reserved = RESERVED_HEADERS.iter();
    reserved.any(|reserved| reserved.eq_ignore_ascii_case(name))
}

fn is_path(text: &str) -> bool {
    text.starts_with('/') && some(text, |byte| byte.is_ascii_graphic() && byte != b'#')
}

/// Whether it may stand in `:authority`: what RFC 3986 §3.2 allows there, but for `userinfo@`.
pub(crate) fn is_authority(text: &str) -> bool {
    some(text, |byte| {
        byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:[]%".contains(&byte)
    })
}

/// Whether there is a byte, and all are such.
fn some(text: &str, such: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(such)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn table(rule: TextRule, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(read(rule, text).is_ok(), "{rule:?} refuses {text:?}");
        }
        for text in bad {
            assert!(read(rule, text).is_err(), "{rule:?} takes {text:?}");
        }
    }

    #[test]
    fn each_rule_takes_and_refuses() {
        table(
            TextRule::PoolName,
            &["a", "A-1_b"],
            &["", "a b", "a.b", "ä"],
        );
        table(
            TextRule::Label,
            &["a", "outbound|80||svc.ns.svc.cluster.local", "a b", "ä"],
            &["", " a", "a ", "a\n", "a\u{7f}b"],
        );
        table(
            TextRule::HeaderName,
            &["x-tenant", "X-Tenant"],
            &["", ":path", "a b", "a:"],
        );
        table(
            TextRule::RoutingHeader,
            &["x-cluster", "X-Cluster"],
            &[
                "",
                ":authority",
                "Host",
                "Connection",
                "TE",
                "content-length",
            ],
        );
        table(
            TextRule::HeaderValue,
            &["", "a b", "ä"],
            &["a\nb", "a\u{0}"],
        );
        table(
            TextRule::ChangeableHeader,
            &["x-tenant", "Authorization", "cookie"],
            &[
                "",
                ":path",
                "Host",
                "TE",
                "X-Steerage-Cluster",
                "x-envoy-attempt-count",
            ],
        );
        table(
            TextRule::Template,
            &["", "a {attempt}", "{{"],
            &["a\nb", "{", "}", "{a}"],
        );
        table(
            TextRule::PathBelow,
            &["/a", "/a/", "/a/b"],
            &["", "/", "//", "a", "/a?b"],
        );
        table(TextRule::Method, &["GET", "M-SEARCH"], &["", "get", "GE T"]);
        table(
            TextRule::Path,
            &["/", "/a/b", "/a%20b"],
            &["", "a", "/a?b", "/a b", "/a#b", "/ä"],
        );
        table(TextRule::PathAndQuery, &["/a?b=c"], &["", "a", "/a#b"]);
        table(
            TextRule::PathPrefix,
            &["/v1", "/a/b"],
            &["", "/", "v1", "/v1/", "/v1?a"],
        );
        table(
            TextRule::Host,
            &["example.com", "*.example.com", "a:80", "[::1]:80"],
            &["", "*", "a.*", "a b", "a/b"],
        );
        table(
            TextRule::Authority,
            &["example.com", "a:80", "[::1]"],
            &["", "a b", "http://a", "u@a"],
        );
        table(TextRule::QueryName, &["q", "a%5B0%5D"], &["", "a=b", "a&b"]);
        table(TextRule::Statuses, &["5xx", "500-504"], &["", "503", "x"]);
        table(TextRule::Secret, &["x"], &[""]);
        table(TextRule::Regex, &["/v[0-9]+", ""], &["/(", "a)(b"]);
        table(
            TextRule::Expression,
            &["attempt", "9 - attempt"],
            &["", "attempt +", "8 - attempt", "1 / (attempt - 3)"],
        );
    }
}
