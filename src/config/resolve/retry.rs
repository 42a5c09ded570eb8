//! When and how often failed attempts are repeated.

use core::time::Duration;

use steerage_policy::backoff::Backoff;
use steerage_policy::idempotency::Methods;
use steerage_policy::jitter::{Bounds, Jitter};
use steerage_policy::outcome::Transport;
use steerage_policy::retry::{RetryPolicy, Statuses};

use crate::duration;
use crate::error::{ConfigError, Problem};
use crate::fields::{Fields, Reported};
use crate::json::Json;
use crate::status;
use crate::text;

pub(super) fn policy(
    fields: &Fields<'_>,
    errors: &mut Vec<ConfigError>,
) -> Result<RetryPolicy, Reported> {
    let default = RetryPolicy::default();
    let custom = custom(fields, errors);
    let bounds = bounds(fields, default.bounds, errors)?;
    Ok(RetryPolicy {
        max_attempts: fields
            .whole("max_attempts")?
            .unwrap_or(default.max_attempts),
        backoff: backoff(fields, bounds, custom?)?,
        jitter: jitter(fields)?.unwrap_or(default.jitter),
        bounds,
        statuses: fields
            .list("retry_on_status_codes", status::read)?
            .map_or(default.statuses, Statuses::new),
        transports: fields
            .list("retry_on", |json| Transport::from_name(json.text()?))?
            .unwrap_or(default.transports),
        methods: fields
            .list("retry_methods", Json::text)?
            .map_or(default.methods, Methods::new),
        max_request_bytes: fields
            .whole("max_request_bytes")?
            .unwrap_or(default.max_request_bytes),
        immediate_failover: fields
            .flag("immediate_failover")?
            .unwrap_or(default.immediate_failover),
    })
}

/// `custom_retry_function`, which goes together with the strategy `custom`.
fn custom<'a>(
    fields: &Fields<'a>,
    errors: &mut Vec<ConfigError>,
) -> Result<Option<&'a Json>, Reported> {
    let (field, value) = ("strategy", CUSTOM);
    let wanted = fields.text(field)? == Some(CUSTOM);
    let problem = match (wanted, fields.get(FUNCTION).is_some()) {
        (true, false) => Problem::RequiredWith { field, value },
        (false, true) => Problem::OnlyWith { field, value },
        _ => return fields.read(FUNCTION, Some),
    };
    errors.push(fields.error(FUNCTION, problem));
    Err(Reported)
}

/// `base_delay` and `max_delay`. Defaults take part in the rule between them: a cap below the
/// default base would silently take the growth out of a backoff.
fn bounds(
    fields: &Fields<'_>,
    default: Bounds,
    errors: &mut Vec<ConfigError>,
) -> Result<Bounds, Reported> {
    let given = fields.span(BASE);
    let max = fields.span(MAX)?.unwrap_or(default.max);
    let base = match given? {
        Some(base) => base,
        // The user's own delays are not made of the base, so its default is in nobody's way.
        None if fields.text("strategy")? == Some(CUSTOM) => default.base.min(max),
        None => default.base,
    };
    if base <= max {
        return Ok(Bounds { base, max });
    }
    errors.push(if fields.get(MAX).is_some() {
        let (what, least) = (BASE, base);
        fields.error(MAX, Problem::AtLeast { what, least })
    } else {
        let (what, most) = (MAX, max);
        fields.error(BASE, Problem::AtMost { what, most })
    });
    Err(Reported)
}

fn backoff(
    fields: &Fields<'_>,
    Bounds { base, max }: Bounds,
    custom: Option<&Json>,
) -> Result<Backoff, Reported> {
    let factor = fields.number("exponential_base")?.unwrap_or(DEFAULT_FACTOR);
    match fields.text("strategy")? {
        None | Some("exponential") => Ok(Backoff::exponential(base, factor, max)),
        Some("linear") => Ok(Backoff::linear(base, max)),
        Some("fibonacci") => Ok(Backoff::fibonacci(base, max)),
        Some("fixed") => Ok(Backoff::fixed(base, max)),
        Some(_) => custom.and_then(|json| own(json, max)).ok_or(Reported),
    }
}

/// The backoff of a list or an expression.
fn own(json: &Json, max: Duration) -> Option<Backoff> {
    match json {
        Json::Text(expression) => text::delays(expression, max),
        Json::List(list) => {
            let delays: Option<Vec<_>> = list.iter().map(duration::read).collect();
            Some(Backoff::list(&delays?, max))
        }
        _ => None,
    }
}

fn jitter(fields: &Fields<'_>) -> Result<Option<Jitter>, Reported> {
    let range = fields.number("jitter_range")?.unwrap_or(DEFAULT_RANGE);
    fields.read("jitter", |json| match json {
        Json::Flag(true) => Some(Jitter::Range(range)),
        Json::Flag(false) => Some(Jitter::None),
        Json::Text(name) => match &**name {
            "none" => Some(Jitter::None),
            "full" => Some(Jitter::Full),
            "equal" => Some(Jitter::Equal),
            "decorrelated" => Some(Jitter::Decorrelated),
            _ => None,
        },
        _ => None,
    })
}

const BASE: &str = "base_delay";
const MAX: &str = "max_delay";
const FUNCTION: &str = "custom_retry_function";
const CUSTOM: &str = "custom";
const DEFAULT_FACTOR: f64 = 2.0;
const DEFAULT_RANGE: f64 = 0.1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, pool};

    #[track_caller]
    fn retry(fields: &str) -> RetryPolicy {
        pool(&format!(r#""retry_policy": {{{fields}}}"#)).retry
    }

    #[track_caller]
    fn check_retry(fields: &str, expected: &[&str]) {
        let json = format!(r#"{{"endpoints": ["a"], "retry_policy": {{{fields}}}}}"#);
        let expected: Vec<_> = expected
            .iter()
            .map(|line| format!("retry_policy.{line}"))
            .collect();
        let expected: Vec<_> = expected.iter().map(String::as_str).collect();
        check(&json, &expected);
    }

    #[track_caller]
    fn check_delays(fields: &str, seconds: [f64; 4]) {
        let backoff = retry(fields).backoff;
        let delays = [1, 2, 3, 4].map(|n| backoff.delay(n).as_secs_f64());
        for (delay, expected) in delays.iter().zip(seconds) {
            assert!((delay - expected).abs() < 1e-8, "{fields}: {delays:?}");
        }
    }

    #[test]
    fn each_strategy_gives_its_delays() {
        check_delays(r#""base_delay": 1"#, [1.0, 2.0, 4.0, 8.0]);
        check_delays(
            r#""strategy": "exponential", "base_delay": "2s", "exponential_base": 1.5, "max_delay": 4"#,
            [2.0, 3.0, 4.0, 4.0],
        );
        check_delays(
            r#""strategy": "linear", "base_delay": 1, "exponential_base": 3"#,
            [1.0, 2.0, 3.0, 4.0],
        );
        check_delays(
            r#""strategy": "fibonacci", "base_delay": 1"#,
            [1.0, 1.0, 2.0, 3.0],
        );
        check_delays(r#""strategy": "fixed", "base_delay": 0"#, [0.0; 4]);
        check_delays(
            r#""strategy": "custom", "custom_retry_function": "min(attempt ^ 1.5, 30.0)""#,
            [1.0, 2.828_427_125, 5.196_152_423, 8.0],
        );
        check_delays(
            r#""strategy": "custom", "custom_retry_function": [0, "100ms", 2], "max_delay": "1s""#,
            [0.0, 0.1, 1.0, 1.0],
        );
        check_delays("", [0.025, 0.05, 0.1, 0.2]);
    }

    #[test]
    fn a_custom_strategy_and_its_function_go_together() {
        check_retry(
            r#""strategy": "custom""#,
            &["custom_retry_function: must be given when strategy is custom"],
        );
        let only = "custom_retry_function: may be given only when strategy is custom, got";
        check_retry(
            r#""custom_retry_function": "attempt""#,
            &[&format!("{only} \"attempt\"")],
        );
        check_retry(
            r#""strategy": "linear", "custom_retry_function": [1]"#,
            &[&format!("{only} a list of 1")],
        );
        let check_function = |function: &str, line: &str| {
            check_retry(
                &format!(r#""strategy": "custom", "custom_retry_function": {function}"#),
                &[&format!("custom_retry_function{line}")],
            );
        };
        check_function("[]", ": must have 1 to 9 entries, got []");
        check_function(
            "[1,1,1,1,1,1,1,1,1,1]",
            ": must have 1 to 9 entries, got a list of 10",
        );
        check_function(
            r#"[1, "soon"]"#,
            "[1]: must be a duration from 0 to 24 h: seconds (0.25) or text (\"250ms\", \"30s\", \
             \"5m\", \"1h\"), got \"soon\"",
        );
        check_function(
            "1",
            ": must be an expression such as \"min(attempt ^ 1.5, 30.0)\", or a list, got 1",
        );
        check_function(
            r#""attempt +""#,
            ": must have at character 10 a number, `attempt`, a function or `(`, got \"attempt +\"",
        );
        let gives = ": must give 0 or more seconds for every attempt from 1 to 9, gives";
        check_function(
            r#""2 - attempt""#,
            &format!("{gives} -1 for attempt 3, got \"2 - attempt\""),
        );
        check_function(
            r#""1 / (attempt - 9)""#,
            &format!("{gives} -0.125 for attempt 1, got \"1 / (attempt - 9)\""),
        );
        check_function(
            r#""1 / abs(attempt - 9)""#,
            &format!("{gives} inf for attempt 9, got \"1 / abs(attempt - 9)\""),
        );
        check_function(
            r#""sqrt(-1)""#,
            &format!("{gives} NaN for attempt 1, got \"sqrt(-1)\""),
        );
    }

    #[test]
    fn the_cap_is_not_below_the_base() {
        let bounds = retry(r#""base_delay": "1s", "max_delay": 1"#).bounds;
        assert_eq!(bounds.base, bounds.max);
        check_retry(
            r#""base_delay": 2, "max_delay": 1"#,
            &["max_delay: must be at least base_delay = 2 s, got 1"],
        );
        check_retry(
            r#""max_delay": 0.01"#,
            &["max_delay: must be at least base_delay = 0.025 s, got 0.01"],
        );
        check_retry(
            r#""base_delay": "2m""#,
            &["base_delay: must be at most max_delay = 60 s, got \"2m\""],
        );
        let custom = r#""strategy": "custom", "custom_retry_function": [0.001], "max_delay": 0.01"#;
        assert_eq!(retry(custom).bounds.base, Duration::from_millis(10));
        check_retry(
            &format!("{custom}, \"base_delay\": 1"),
            &["max_delay: must be at least base_delay = 1 s, got 0.01"],
        );
    }

    #[test]
    fn each_way_to_spread() {
        for (fields, expected) in [
            ("", Jitter::Full),
            (r#""jitter": true"#, Jitter::Range(0.1)),
            (
                r#""jitter": true, "jitter_range": 0.25"#,
                Jitter::Range(0.25),
            ),
            (r#""jitter": false, "jitter_range": 0.25"#, Jitter::None),
            (r#""jitter": "none""#, Jitter::None),
            (r#""jitter": "full", "jitter_range": 1"#, Jitter::Full),
            (r#""jitter": "equal""#, Jitter::Equal),
            (r#""jitter": "decorrelated""#, Jitter::Decorrelated),
        ] {
            assert_eq!(retry(fields).jitter, expected, "{fields}");
        }
        check_retry(
            r#""jitter": "half", "jitter_range": 1.5"#,
            &[
                "jitter: must be true or false, or one of none, full, equal, decorrelated, got \
                 \"half\"",
                "jitter_range: must be a number from 0 to 1, got 1.5",
            ],
        );
    }

    #[test]
    fn what_is_tried_again() {
        let policy = retry(
            r#""max_attempts": 1, "retry_on_status_codes": [404, "500-502", "1xx"],
               "retry_on": ["reset"], "retry_methods": ["POST"], "max_request_bytes": 0,
               "immediate_failover": false"#,
        );
        assert_eq!(policy.max_attempts, 1);
        let statuses = Statuses::new(vec![404..=404, 500..=502, 100..=199]);
        assert_eq!(policy.statuses, statuses);
        assert_eq!(policy.transports, [Transport::Reset]);
        assert_eq!(policy.methods, Methods::new(["POST"]));
        assert_eq!(policy.max_request_bytes, 0);
        assert!(!policy.immediate_failover);
        assert_eq!(retry(r#""max_attempts": 10.0"#).max_attempts, 10);
        assert_eq!(
            retry(r#""retry_on": ["timeout", "reset", "connect_failure"]"#)
                .transports
                .len(),
            3
        );
        let never = retry(r#""retry_on_status_codes": [], "retry_on": [], "retry_methods": []"#);
        assert_eq!(never.statuses, Statuses::new(Vec::new()));
        assert!(never.transports.is_empty());
        assert_eq!(never.methods, Methods::new([]));
    }

    #[test]
    fn each_field_has_its_rule() {
        check_retry(
            r#""strategy": "quadratic", "max_attempts": 0, "base_delay": -1, "max_delay": 0,
               "exponential_base": 0, "retry_on_status_codes": 503, "retry_on": ["refused"],
               "retry_methods": ["G T"], "max_request_bytes": 1e9, "immediate_failover": "yes""#,
            &[
                "strategy: must be one of exponential, linear, fibonacci, fixed, custom, got \
                 \"quadratic\"",
                "max_attempts: must be a whole number from 1 to 10, got 0",
                "base_delay: must be a duration from 0 to 24 h: seconds (0.25) or text (\"250ms\", \
                 \"30s\", \"5m\", \"1h\"), got -1",
                "max_delay: must be a duration above 0 and at most 24 h: seconds (0.25) or text \
                 (\"250ms\", \"30s\", \"5m\", \"1h\"), got 0",
                "exponential_base: must be a number above 0 and at most 1000, got 0",
                "retry_on_status_codes: must be a list, got 503",
                "retry_on[0]: must be one of connect_failure, reset, timeout, got \"refused\"",
                "retry_methods[0]: must be an HTTP method in upper case, got \"G T\"",
                "max_request_bytes: must be a whole number from 0 to 16777216, got 1000000000.0",
                "immediate_failover: must be true or false, got \"yes\"",
            ],
        );
    }
}
