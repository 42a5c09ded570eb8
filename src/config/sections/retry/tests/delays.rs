//! The delays of each strategy, and their bounds.

use steerage_policy::retry::backoff::{Backoff as _, Delays};

use super::*;

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
    // A custom function has no base.
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
