//! What each field of `retry_policy` becomes, and the error of each that is wrong.

mod commit;
mod delays;

use steerage_policy::outcome;
use steerage_policy::retry::Statuses;
use steerage_policy::retry::budget::BudgetPolicy;
use steerage_policy::retry::hedge::{HedgeDelay, HedgePolicy};
use steerage_policy::retry::idempotency::Methods;
use steerage_policy::retry::jitter::Jitter;

use super::*;
use crate::testing::{check, pool};

#[track_caller]
fn retry(fields: &str) -> RetryPolicy {
    pool(&format!(r#""retry_policy": {{{fields}}}"#)).retry
}

#[track_caller]
fn check_retry(fields: &str, expected: &[&str]) {
    check_retry_beside("", fields, expected);
}

/// The same with other fields before the policy, each with its comma.
#[track_caller]
fn check_retry_beside(others: &str, fields: &str, expected: &[&str]) {
    let json = format!(r#"{{"endpoints": ["a"], {others} "retry_policy": {{{fields}}}}}"#);
    let expected: Vec<_> = expected
        .iter()
        .map(|line| format!("retry_policy.{line}"))
        .collect();
    let expected: Vec<_> = expected.iter().map(String::as_str).collect();
    check(&json, &expected);
}

#[test]
fn a_cool_down_is_given_up_to_a_limit_or_not_at_all() {
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
        let cool_down = seconds.map(Duration::from_secs);
        assert_eq!(retry(fields).max_cool_down, cool_down, "{fields}");
    }
}

#[test]
fn whose_wishes_are_read() {
    let default = RetryPolicy::default().retry_after_statuses;
    assert_eq!(retry("").retry_after_statuses, default);
    assert_eq!(
        default,
        Statuses::new(vec![429..=429, 503..=503, 529..=529])
    );
    let given = retry(r#""retry_after_statuses": [403, "500-599"]"#);
    let expected = Statuses::new(vec![403..=403, 500..=599]);
    assert_eq!(given.retry_after_statuses, expected);
    let none = retry(r#""retry_after_statuses": []"#);
    assert_eq!(none.retry_after_statuses, Statuses::new(Vec::new()));
    check_retry(
        r#""retry_after_statuses": 429"#,
        &["retry_after_statuses: must be a list, got 429"],
    );
}

#[test]
fn cool_downs_of_answers_that_name_no_time() {
    assert_eq!(retry("").cool_downs, []);
    assert_eq!(retry(r#""cool_down": []"#).cool_downs, []);
    let fields = r#""cool_down": [{"status": [401, 402], "for": "60s"},
                                  {"status": ["5xx"], "for": 0.5}]"#;
    let first = Statuses::new(vec![401..=401, 402..=402]);
    let second = Statuses::new(vec![500..=599]);
    let expected = [
        (first, Duration::from_secs(60)),
        (second, Duration::from_millis(500)),
    ];
    assert_eq!(retry(fields).cool_downs, expected);
    check_retry(
        r#""cool_down": [{"status": [401]}, {"for": 0, "until": 5}, {"status": [], "for": 1}, 7]"#,
        &[
            "cool_down[0].for: must be given",
            "cool_down[1].for: must be a duration above 0 and at most 24 h: seconds (0.25) or \
                 text (\"250ms\", \"30s\", \"5m\", \"1h\"), got 0",
            "cool_down[1].until: unknown field",
            "cool_down[1].status: must be given",
            "cool_down[2].status: must have 1 to 1000 entries, got []",
            "cool_down[3]: must be an object, got 7",
        ],
    );
}

#[test]
fn a_cool_down_holds_for_all_or_for_a_header() {
    assert_eq!(retry("").retry_after_scope, None);
    let scope = retry(r#""retry_after_scope": {"header": "X-API-Key"}"#).retry_after_scope;
    assert_eq!(scope.as_deref(), Some("x-api-key"));
    check_retry(
        r#""retry_after_scope": {}"#,
        &["retry_after_scope.header: must be given"],
    );
    check_retry(
        r#""retry_after_scope": {"header": "x key", "cookie": "a"}"#,
        &[
            "retry_after_scope.header: must be the name of a header, got \"x key\"",
            "retry_after_scope.cookie: unknown field",
        ],
    );
    check_retry(
        r#""retry_after_scope": "x-api-key""#,
        &["retry_after_scope: must be an object, got \"x-api-key\""],
    );
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
    assert_eq!(policy.transports, [outcome::Kind::Reset]);
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
fn envoy_keeps_larger_bodies_than_the_filter() {
    let largest = |more: &str| pool(more).retry.max_request_bytes;
    assert_eq!(largest(r#""retries": "calls""#), 65_536);
    assert_eq!(largest(r#""retries": "router""#), 1_048_576);
    let given = r#""retry_policy": {"max_request_bytes": 7}, "retries""#;
    for by in ["calls", "router"] {
        assert_eq!(largest(&format!(r#"{given}: "{by}""#)), 7);
    }
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
