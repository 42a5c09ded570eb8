//! When and how often failed attempts are repeated.

use core::time::Duration;

use steerage_policy::backoff::Delays;
use steerage_policy::budget::BudgetPolicy;
use steerage_policy::hedge::{HedgeDelay, HedgePolicy};
use steerage_policy::idempotency::Methods;
use steerage_policy::jitter::{Bounds, Jitter};
use steerage_policy::outcome::Transport;
use steerage_policy::retry::{RetryPolicy, Statuses};

use crate::duration;
use crate::error::{ConfigError, Problem};
use crate::fields::{Fields, Reported};
use crate::json::Json;
use crate::schema;
use crate::status;
use crate::text;

pub(super) fn policy(
    fields: &Fields<'_>,
    errors: &mut Vec<ConfigError>,
) -> Result<RetryPolicy, Reported> {
    let default = RetryPolicy::default();
    let custom = custom(fields, errors);
    let conditions = super::condition::conditions(fields, errors);
    let bounds = bounds(fields, default.bounds, errors)?;
    let throttling_bounds = throttling_bounds(fields, bounds, errors)?;
    let custom = custom?;
    Ok(RetryPolicy {
        max_attempts: fields
            .whole("max_attempts")?
            .unwrap_or(default.max_attempts),
        backoff: backoff(fields, bounds, custom)?,
        throttling_backoff: backoff(fields, throttling_bounds, custom)?,
        jitter: jitter(fields)?.unwrap_or(default.jitter),
        bounds,
        throttling_bounds,
        conditions: conditions?,
        max_quiet: max_quiet(fields, default.max_quiet)?,
        budget: budget(fields)?,
        hedge: hedge(fields)?,
        stop_nested: fields.flag("stop_nested")?.unwrap_or(default.stop_nested),
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

/// `throttling_base_delay` in place of `base_delay`.
fn throttling_bounds(
    fields: &Fields<'_>,
    bounds: Bounds,
    errors: &mut Vec<ConfigError>,
) -> Result<Bounds, Reported> {
    let base = fields.span(THROTTLING_BASE)?.unwrap_or(bounds.base);
    if base <= bounds.max {
        return Ok(Bounds { base, ..bounds });
    }
    let (what, most) = (MAX, bounds.max);
    errors.push(fields.error(THROTTLING_BASE, Problem::AtMost { what, most }));
    Err(Reported)
}

/// `respect_retry_after` and `max_retry_after`.
fn max_quiet(fields: &Fields<'_>, default: Option<Duration>) -> Result<Option<Duration>, Reported> {
    let max = fields.span("max_retry_after")?.or(default);
    let respected = fields.flag("respect_retry_after")?.unwrap_or(true);
    Ok(max.filter(|_| respected))
}

fn budget(fields: &Fields<'_>) -> Result<Option<BudgetPolicy>, Reported> {
    const BUDGET: &str = "budget";
    let default = BudgetPolicy::default();
    if fields.flag(BUDGET) == Ok(Some(false)) {
        return Ok(None);
    }
    let budget = fields.object(BUDGET, &schema::BUDGET);
    Ok(Some(BudgetPolicy {
        ratio: budget.number("ratio")?.unwrap_or(default.ratio),
        min_per_second: budget
            .number("min_per_second")?
            .unwrap_or(default.min_per_second),
        ttl: budget.span("ttl")?.unwrap_or(default.ttl),
    }))
}

/// `hedge`: off unless it is an object.
fn hedge(fields: &Fields<'_>) -> Result<Option<HedgePolicy>, Reported> {
    const HEDGE: &str = "hedge";
    if !matches!(fields.get(HEDGE), Some(Json::Object(_))) {
        return Ok(None);
    }
    let hedge = fields.object(HEDGE, &schema::HEDGE);
    let delay = hedge.read("delay", |json| match json {
        Json::Text(name) if &**name == "p95" => Some(HedgeDelay::P95),
        _ => duration::read(json).map(HedgeDelay::Fixed),
    })?;
    Ok(Some(HedgePolicy {
        delay: delay.unwrap_or(HedgeDelay::P95),
        max: hedge.whole("max")?.unwrap_or(1),
        ratio: hedge.number("ratio")?.unwrap_or(0.05),
    }))
}

fn backoff(
    fields: &Fields<'_>,
    Bounds { base, max }: Bounds,
    custom: Option<&Json>,
) -> Result<Delays, Reported> {
    let factor = fields.number("exponential_base")?.unwrap_or(DEFAULT_FACTOR);
    match fields.text("strategy")? {
        None | Some("exponential") => Ok(Delays::exponential(base, factor, max)),
        Some("linear") => Ok(Delays::linear(base, max)),
        Some("fibonacci") => Ok(Delays::fibonacci(base, max)),
        Some("fixed") => Ok(Delays::fixed(base, max)),
        Some(_) => custom.and_then(|json| own(json, max)).ok_or(Reported),
    }
}

/// The backoff of a list or an expression.
fn own(json: &Json, max: Duration) -> Option<Delays> {
    match json {
        Json::Text(expression) => text::delays(expression, max),
        Json::List(list) => {
            let delays: Option<Vec<_>> = list.iter().map(duration::read).collect();
            Some(Delays::list(&delays?, max))
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
const THROTTLING_BASE: &str = "throttling_base_delay";
const MAX: &str = "max_delay";
const FUNCTION: &str = "custom_retry_function";
const CUSTOM: &str = "custom";
const DEFAULT_FACTOR: f64 = 2.0;
const DEFAULT_RANGE: f64 = 0.1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, pool};
    use steerage_policy::backoff::Backoff as _;

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
        check_backoff(&retry(fields).backoff, fields, seconds);
    }

    #[track_caller]
    fn check_throttling_delays(fields: &str, seconds: [f64; 4]) {
        check_backoff(&retry(fields).throttling_backoff, fields, seconds);
    }

    #[track_caller]
    fn check_backoff(backoff: &Delays, fields: &str, seconds: [f64; 4]) {
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
    fn throttling_has_a_base_of_its_own() {
        for (strategy, delays) in [
            ("exponential", [1.0, 2.0, 4.0, 5.0]),
            ("linear", [1.0, 2.0, 3.0, 4.0]),
            ("fibonacci", [1.0, 1.0, 2.0, 3.0]),
            ("fixed", [1.0; 4]),
        ] {
            let fields = format!(
                r#""strategy": "{strategy}", "base_delay": 0, "throttling_base_delay": "1s",
                   "max_delay": 5"#
            );
            check_delays(&fields, [0.0; 4]);
            check_throttling_delays(&fields, delays);
        }
        let policy = retry(r#""throttling_base_delay": 0, "max_delay": 5"#);
        let throttling = policy.throttling_bounds;
        assert_eq!(
            (throttling.base, throttling.max),
            (Duration::ZERO, policy.bounds.max)
        );
        assert_eq!(policy.bounds.base, Duration::from_millis(25));
    }

    #[test]
    fn throttling_delays_are_the_usual_ones_otherwise() {
        for fields in [
            "",
            r#""base_delay": 1"#,
            r#""strategy": "fibonacci", "base_delay": "100ms", "max_delay": 1"#,
        ] {
            let policy = retry(fields);
            assert_eq!(policy.throttling_backoff, policy.backoff, "{fields}");
            assert_eq!(policy.throttling_bounds, policy.bounds, "{fields}");
        }
        // A function of one's own knows no base.
        let custom = r#""strategy": "custom", "custom_retry_function": [0.1, 2], "max_delay": 1,
                        "throttling_base_delay": 0.5"#;
        check_delays(custom, [0.1, 1.0, 1.0, 1.0]);
        check_throttling_delays(custom, [0.1, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn the_throttling_base_is_not_above_the_cap() {
        let policy = retry(r#""throttling_base_delay": "1m", "max_delay": 60"#);
        assert_eq!(policy.throttling_bounds.base, policy.bounds.max);
        check_retry(
            r#""throttling_base_delay": "2m""#,
            &["throttling_base_delay: must be at most max_delay = 60 s, got \"2m\""],
        );
        check_retry(
            r#""throttling_base_delay": 2, "max_delay": 1"#,
            &["throttling_base_delay: must be at most max_delay = 1 s, got 2"],
        );
        // One mistake is one error.
        check_retry(
            r#""throttling_base_delay": 2, "base_delay": 2, "max_delay": 1"#,
            &["max_delay: must be at least base_delay = 2 s, got 1"],
        );
    }

    #[test]
    fn quiet_is_given_up_to_a_limit_or_not_at_all() {
        for (fields, seconds) in [
            ("", Some(300)),
            (r#""respect_retry_after": true"#, Some(300)),
            (r#""max_retry_after": "1m""#, Some(60)),
            (r#""max_retry_after": "24h""#, Some(86_400)),
            (r#""respect_retry_after": false"#, None),
            (
                r#""respect_retry_after": false, "max_retry_after": 60"#,
                None,
            ),
        ] {
            let quiet = seconds.map(Duration::from_secs);
            assert_eq!(retry(fields).max_quiet, quiet, "{fields}");
        }
    }

    #[test]
    fn each_budget() {
        let default = BudgetPolicy::default();
        for (budget, expected) in [
            ("false", None),
            ("{}", Some(default)),
            (
                r#"{"ratio": 0}"#,
                Some(BudgetPolicy {
                    ratio: 0.0,
                    ..default
                }),
            ),
            (
                r#"{"min_per_second": 0.5}"#,
                Some(BudgetPolicy {
                    min_per_second: 0.5,
                    ..default
                }),
            ),
            (
                r#"{"ratio": 1, "min_per_second": 0, "ttl": "1m"}"#,
                Some(BudgetPolicy {
                    ratio: 1.0,
                    min_per_second: 0.0,
                    ttl: Duration::from_secs(60),
                }),
            ),
        ] {
            let fields = format!("\"budget\": {budget}");
            assert_eq!(retry(&fields).budget, expected, "{budget}");
        }
        assert_eq!(retry("").budget, Some(default));
    }

    #[test]
    fn each_field_of_a_budget_has_its_rule() {
        check_retry(
            r#""budget": {"ratio": 1.5, "min_per_second": -1, "ttl": 0, "reserve": 3}"#,
            &[
                "budget.ratio: must be a number from 0 to 1, got 1.5",
                "budget.min_per_second: must be a number from 0 to 1000000, got -1",
                "budget.ttl: must be a duration above 0 and at most 24 h: seconds (0.25) or text \
                 (\"250ms\", \"30s\", \"5m\", \"1h\"), got 0",
                "budget.reserve: unknown field",
            ],
        );
        for bad in ["true", "null", "0.2"] {
            check_retry(
                &format!("\"budget\": {bad}"),
                &[&format!("budget: must be false, or an object, got {bad}")],
            );
        }
    }

    #[test]
    fn what_is_somebody_elses_retry_is_retried_unless_told() {
        assert!(!retry("").stop_nested);
        assert!(!retry(r#""stop_nested": false"#).stop_nested);
        assert!(retry(r#""stop_nested": true"#).stop_nested);
    }

    #[test]
    fn conditions_arrive() {
        assert!(retry("").conditions.is_empty());
        assert!(retry(r#""retry_when": []"#).conditions.is_empty());
        let headers = retry(r#""retry_when": [{"response_header": {"x-should-retry": "true"}}]"#);
        assert!(headers.conditions.reads_answer());
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
    fn hedges_are_off_unless_described() {
        for off in ["", r#""hedge": null"#, r#""hedge": false"#] {
            assert_eq!(retry(off).hedge, None, "{off}");
        }
        let default = HedgePolicy {
            delay: HedgeDelay::P95,
            max: 1,
            ratio: 0.05,
        };
        assert_eq!(retry(r#""hedge": {}"#).hedge, Some(default));
        assert_eq!(retry(r#""hedge": {"delay": "p95"}"#).hedge, Some(default));
        let given = HedgePolicy {
            delay: HedgeDelay::Fixed(Duration::from_millis(200)),
            max: 2,
            ratio: 1.0,
        };
        let fields = r#""hedge": {"delay": "200ms", "max": 2, "ratio": 1}"#;
        assert_eq!(retry(fields).hedge, Some(given));
        check_retry(
            r#""hedge": {"delay": "p99", "max": 10, "ratio": 0}"#,
            &[
                "hedge.delay: must be p95, or a duration above 0 and at most 24 h: seconds \
                 (0.25) or text (\"250ms\", \"30s\", \"5m\", \"1h\"), got \"p99\"",
                "hedge.max: must be a whole number from 1 to 9, got 10",
                "hedge.ratio: must be a number above 0 and at most 1, got 0",
            ],
        );
        check_retry(
            r#""hedge": true"#,
            &["hedge: must be null, or false, or an object, got true"],
        );
    }

    #[test]
    fn each_field_has_its_rule() {
        check_retry(
            r#""strategy": "quadratic", "max_attempts": 0, "base_delay": -1, "max_delay": 0,
               "exponential_base": 0, "retry_on_status_codes": 503, "retry_on": ["refused"],
               "retry_methods": ["G T"], "max_request_bytes": 1e9, "immediate_failover": "yes",
               "respect_retry_after": 1, "max_retry_after": 0, "throttling_base_delay": -1,
               "stop_nested": "no""#,
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
                "respect_retry_after: must be true or false, got 1",
                "max_retry_after: must be a duration above 0 and at most 24 h: seconds (0.25) or \
                 text (\"250ms\", \"30s\", \"5m\", \"1h\"), got 0",
                "throttling_base_delay: must be a duration from 0 to 24 h: seconds (0.25) or text \
                 (\"250ms\", \"30s\", \"5m\", \"1h\"), got -1",
                "stop_nested: must be true or false, got \"no\"",
            ],
        );
    }
}
