//! What each field of `circuit_breaker` does, and what none of them may be.

use super::*;
use crate::testing::{check, pool};

const SECOND: Duration = Duration::from_secs(1);

/// The breaker of a pool with these fields of `circuit_breaker`.
#[track_caller]
fn breaker_of(fields: &str) -> BreakerPolicy {
    pool(&format!(r#""circuit_breaker": {{{fields}}}"#)).breaker
}

#[test]
fn each_field_of_the_breaker_arrives() {
    let default = BreakerPolicy::default();
    for (field, expected) in [
        (
            r#""failure_threshold": 3"#,
            BreakerPolicy {
                failure_threshold: 3,
                ..default.clone()
            },
        ),
        (
            r#""failure_rate": 0.25"#,
            BreakerPolicy {
                failure_rate: 0.25,
                ..default.clone()
            },
        ),
        (
            r#""minimum_requests": 7"#,
            BreakerPolicy {
                minimum_requests: 7,
                ..default.clone()
            },
        ),
        (
            r#""window": "1m""#,
            BreakerPolicy {
                window: 60 * SECOND,
                ..default.clone()
            },
        ),
        (
            r#""timeout": 9"#,
            BreakerPolicy {
                timeout: 9 * SECOND,
                ..default.clone()
            },
        ),
        (
            r#""max_timeout": "2m""#,
            BreakerPolicy {
                max_timeout: 120 * SECOND,
                ..default.clone()
            },
        ),
        (
            r#""half_open_requests": 16"#,
            BreakerPolicy {
                half_open_requests: 16,
                ..default.clone()
            },
        ),
        (
            r#""success_threshold": 4"#,
            BreakerPolicy {
                success_threshold: 4,
                ..default.clone()
            },
        ),
        (r#""max_open_fraction": 1.0"#, default),
    ] {
        assert_eq!(breaker_of(field), expected, "{field}");
    }
}

#[test]
fn slow_calls_matter_only_with_a_duration() {
    let slow = |fields| breaker_of(fields).slow_calls;
    let duration = Duration::from_millis(800);
    assert_eq!(slow(r#""slow_call_rate": 0.5"#), None);
    assert_eq!(
        slow(r#""slow_call_duration": "800ms""#),
        Some(SlowCalls {
            duration,
            rate: 1.0
        })
    );
    assert_eq!(
        slow(r#""slow_call_duration": 0.8, "slow_call_rate": 0.5"#),
        Some(SlowCalls {
            duration,
            rate: 0.5
        })
    );
}

#[test]
fn the_longest_open_time_is_not_below_the_first() {
    let both = |pool: steerage_policy::pool::Pool| {
        let breaker = pool.breaker;
        (breaker.timeout.as_secs(), breaker.max_timeout.as_secs())
    };
    let of = |fields| both(pool(&format!(r#""circuit_breaker": {{{fields}}}"#)));
    assert_eq!(of(""), (60, 300));
    assert_eq!(of(r#""timeout": 301"#), (301, 301));
    assert_eq!(of(r#""timeout": 400, "max_timeout": 400"#), (400, 400));
    assert_eq!(
        both(pool(
            r#""load_balancer": {"circuit_breaker_timeout": "10m"}"#
        )),
        (600, 600)
    );
    let rule = "circuit_breaker.max_timeout: must be at least";
    check(
        r#"{"pools": [
            {"name": "a", "endpoints": ["a"], "circuit_breaker": {"timeout": 30, "max_timeout": 29}},
            {"name": "b", "endpoints": ["a"], "circuit_breaker": {"max_timeout": "59s"}},
            {"name": "c", "endpoints": ["a"], "circuit_breaker": {"max_timeout": 100},
             "load_balancer": {"circuit_breaker_timeout": 101}}
        ]}"#,
        &[
            &format!("pools[0].{rule} timeout = 30 s, got 29"),
            &format!("pools[1].{rule} timeout = 60 s, got \"59s\""),
            &format!("pools[2].{rule} load_balancer.circuit_breaker_timeout = 101 s, got 100"),
        ],
    );
    // One mistake is one error: nothing is compared with what is unusable.
    check(
        r#"{"endpoints": ["a"], "circuit_breaker": {"timeout": -1, "max_timeout": 1}}"#,
        &[
            "circuit_breaker.timeout: must be a duration above 0 and at most 24 h: seconds (0.25) \
           or text (\"250ms\", \"30s\", \"5m\", \"1h\"), got -1",
        ],
    );
}

#[test]
fn each_field_of_the_breaker_has_its_rule() {
    let count = "must be a whole number from 1 to 1000000";
    let share = "must be a number above 0 and at most 1";
    let span = "must be a duration above 0 and at most 24 h: seconds (0.25) or text (\"250ms\", \
                \"30s\", \"5m\", \"1h\")";
    check(
        r#"{"endpoints": ["a"], "circuit_breaker": {"failure_threshold": 0, "failure_rate": 0,
            "minimum_requests": 0, "window": 0, "slow_call_duration": 0, "slow_call_rate": 1.5,
            "timeout": 0, "max_timeout": 0, "half_open_requests": 17, "success_threshold": 0,
            "max_open_fraction": 1.5}}"#,
        &[
            &format!("circuit_breaker.failure_threshold: {count}, got 0"),
            &format!("circuit_breaker.failure_rate: {share}, got 0"),
            &format!("circuit_breaker.minimum_requests: {count}, got 0"),
            &format!("circuit_breaker.window: {span}, got 0"),
            &format!("circuit_breaker.slow_call_duration: {span}, got 0"),
            &format!("circuit_breaker.slow_call_rate: {share}, got 1.5"),
            &format!("circuit_breaker.timeout: {span}, got 0"),
            &format!("circuit_breaker.max_timeout: {span}, got 0"),
            "circuit_breaker.half_open_requests: must be a whole number from 1 to 16, got 17",
            &format!("circuit_breaker.success_threshold: {count}, got 0"),
            "circuit_breaker.max_open_fraction: must be a number from 0 to 1, got 1.5",
        ],
    );
}
