//! What each field of `health_check` does, and what none of them may be.

use super::*;
use crate::testing::{check, pool};

const SECOND: Duration = Duration::from_secs(1);

/// The checks of a pool with these fields of `health_check`.
#[track_caller]
fn checks_of(fields: &str) -> CheckPolicy {
    let pool = pool(&format!(r#""health_check": {{{fields}}}"#));
    pool.checks.unwrap_or_else(|| panic!("{fields}"))
}

#[test]
fn each_field_of_the_checks_arrives() {
    let default = CheckPolicy::default();
    assert_eq!(
        checks_of(r#""path": "/up?deep=1", "method": "HEAD", "host": "a.org:81""#),
        CheckPolicy {
            path: "/up?deep=1".into(),
            method: "HEAD".into(),
            host: Some("a.org:81".into()),
            ..default.clone()
        }
    );
    assert_eq!(
        checks_of(r#""timeout": "1s", "jitter": 0, "headers": {"X-Probe": "a b", "x-b": ""}"#),
        CheckPolicy {
            timeout: SECOND,
            jitter: 0.0,
            headers: [("x-probe".into(), "a b".into()), ("x-b".into(), "".into())].to_vec(),
            ..default.clone()
        }
    );
    assert_eq!(
        checks_of(
            r#""healthy_statuses": [200, "300-304"], "degraded_statuses": [],
               "healthy_threshold": 3, "unhealthy_threshold": 4"#
        ),
        CheckPolicy {
            healthy_statuses: Statuses::new([200..=200, 300..=304].to_vec()),
            degraded_statuses: Statuses::new(Vec::new()),
            healthy_threshold: 3,
            unhealthy_threshold: 4,
            ..default
        }
    );
}

#[test]
fn an_unhealthy_endpoint_is_checked_as_often_as_others_unless_given() {
    let intervals = |fields| {
        let checks = checks_of(fields);
        (
            checks.interval.as_secs(),
            checks.unhealthy_interval.as_secs(),
        )
    };
    assert_eq!(intervals(r#""interval": 7"#), (7, 7));
    assert_eq!(intervals(r#""unhealthy_interval": 2"#), (30, 2));
    assert_eq!(
        intervals(r#""interval": 7, "unhealthy_interval": "1m""#),
        (7, 60)
    );
    let seeds = pool(r#""load_balancer": {"health_check_interval": 8}"#).checks;
    let intervals = seeds.map(|checks| (checks.interval, checks.unhealthy_interval));
    assert_eq!(intervals, Some((8 * SECOND, 8 * SECOND)));
}

#[test]
fn each_field_of_the_checks_has_its_rule() {
    let count = "must be a whole number from 1 to 1000000";
    let span = "must be a duration above 0 and at most 24 h: seconds (0.25) or text (\"250ms\", \
                \"30s\", \"5m\", \"1h\")";
    check(
        r#"{"endpoints": ["a", {"cluster": "b", "health_check_path": "up"}], "health_check": {
            "interval": 0, "timeout": 0, "path": "health", "method": "get", "host": "http://a",
            "headers": {"a b": "c", "x-a": "\n", "X-A": "d", "x-b": 1}, "healthy_statuses": [],
            "degraded_statuses": [600], "healthy_threshold": 0, "unhealthy_threshold": 0,
            "jitter": 1.1, "unhealthy_interval": 0}, "enable_health_checks": "yes"}"#,
        &[
            "endpoints[1].health_check_path: must be a path that begins with `/`, got \"up\"",
            &format!("health_check.interval: {span}, got 0"),
            &format!("health_check.timeout: {span}, got 0"),
            "health_check.path: must be a path that begins with `/`, got \"health\"",
            "health_check.method: must be an HTTP method in upper case, got \"get\"",
            "health_check.host: must be a host such as `example.com` or `example.com:8080`, got \
             \"http://a\"",
            "health_check.headers[\"a b\"]: must be the name of a header, got \"a b\"",
            "health_check.headers.x-a: must be text without control characters, got \"\\n\"",
            "health_check.headers.X-A: must be given only once",
            "health_check.headers.x-b: must be text without control characters, got 1",
            "health_check.healthy_statuses: must have 1 to 1000 entries, got []",
            "health_check.degraded_statuses[0]: must be a whole number from 100 to 599, or \
             statuses such as \"500-504\" or \"5xx\", got 600",
            &format!("health_check.healthy_threshold: {count}, got 0"),
            &format!("health_check.unhealthy_threshold: {count}, got 0"),
            "health_check.jitter: must be a number from 0 to 1, got 1.1",
            &format!("health_check.unhealthy_interval: {span}, got 0"),
            "enable_health_checks: must be true or false, got \"yes\"",
        ],
    );
}

#[test]
fn checks_may_take_longer_than_their_interval() {
    let checks = checks_of(r#""interval": 1, "timeout": 2"#);
    assert_eq!((checks.interval, checks.timeout), (SECOND, 2 * SECOND));
}

#[test]
fn endpoints_are_checked_if_anything_is_said_of_checks() {
    for (fields, expected) in [
        (r#""timeout": {}"#, false),
        // The default of the field, which changes nothing.
        (r#""health_check": {}"#, false),
        (r#""load_balancer": {"failure_threshold": 3}"#, false),
        (r#""health_check": {"interval": 30}"#, true),
        (r#""health_check": {"headers": {}}"#, true),
        (r#""load_balancer": {"health_check_interval": 30}"#, true),
        (r#""load_balancer": {"health_check_timeout": 5}"#, true),
        (r#""load_balancer": {"health_check_path": "/health"}"#, true),
        (r#""enable_health_checks": true"#, true),
        (r#""enable_health_checks": false"#, false),
        (
            r#""enable_health_checks": false, "health_check": {"interval": 5}"#,
            false,
        ),
        (
            r#""enable_health_checks": false, "load_balancer": {"health_check_path": "/up"}"#,
            false,
        ),
    ] {
        assert_eq!(pool(fields).checks.is_some(), expected, "{fields}");
    }
    let default = pool(r#""enable_health_checks": true"#).checks;
    assert_eq!(default, Some(CheckPolicy::default()));
    // What is off is checked nevertheless.
    check(
        r#"{"endpoints": ["a"], "enable_health_checks": false, "health_check": {"method": ""}}"#,
        &["health_check.method: must be an HTTP method in upper case, got \"\""],
    );
}

#[test]
fn an_endpoint_may_have_its_own_path() {
    let config = crate::parse(
        br#"{"endpoints": ["a", {"cluster": "b", "health_check_path": "/up?deep=1"}]}"#,
    );
    let pool = config.unwrap().pools.remove(0).pool;
    let paths: Vec<_> = pool
        .endpoints
        .iter()
        .map(|endpoint| endpoint.health_check_path.as_deref())
        .collect();
    assert_eq!(paths, [None, Some("/up?deep=1")]);
    // A field about checks turns them on.
    assert_eq!(pool.checks, Some(CheckPolicy::default()));
}

#[test]
fn an_endpoint_may_be_checked_elsewhere() {
    let config = crate::parse(
        br#"{"endpoints": ["a", {"cluster": "b b", "health_check_host": "b.example:8080"},
            {"cluster": "c", "health_check_cluster": "c probe", "health_check_host": "c.example"}]}"#,
    );
    let pool = config.unwrap().pools.remove(0).pool;
    let checks = pool.checks.unwrap();
    let asked: Vec<_> = pool
        .endpoints
        .iter()
        .map(|endpoint| (endpoint.checked_cluster(), endpoint.checked_host(&checks)))
        .collect();
    assert_eq!(
        asked,
        [
            ("a", "a"),
            ("b b", "b.example:8080"),
            ("c probe", "c.example")
        ]
    );
    // Each of them turns checks on.
    for field in [
        r#""health_check_host": "a""#,
        r#""health_check_cluster": "b""#,
    ] {
        let json = format!(r#"{{"endpoints": [{{"cluster": "a", {field}}}]}}"#);
        let config = crate::parse(json.as_bytes()).unwrap();
        assert!(config.pools[0].pool.checks.is_some(), "{field}");
    }
}

#[test]
fn each_endpoint_that_is_checked_has_a_host() {
    let rule = "must have `health_check_host` or `authority`, or the pool `health_check.host`, \
                since health checks cannot ask for a host of its name";
    check(
        r#"{"endpoints": ["two words", "outbound|80||api.ns", "outbound|x||api", "a/b",
            {"cluster": "c|d", "authority": "c.example"}, {"cluster": "e_f"},
            {"cluster": "g", "health_check_cluster": "g|h"}, "127.0.0.1:80", "[::1]:80"],
            "health_check": {"interval": 5}}"#,
        &[
            &format!("endpoints[0]: {rule}, got \"two words\""),
            &format!("endpoints[2]: {rule}, got \"outbound|x||api\""),
            &format!("endpoints[3]: {rule}, got \"a/b\""),
            &format!("endpoints[6]: {rule}, got \"g|h\""),
        ],
    );
    // One host for all of them will do, and without checks there is no need for any.
    for more in [
        r#""health_check": {"host": "api.example"}"#,
        r#""enable_health_checks": false"#,
    ] {
        check(
            &format!(r#"{{"endpoints": ["two words", "a/b"], {more}}}"#),
            &[],
        );
    }
}

#[test]
fn the_seeds_spellings_mean_the_same() {
    let seeds = pool(
        r#""load_balancer": {"health_check_interval": 4, "health_check_timeout": "3s",
            "health_check_path": "/a", "failure_threshold": 6, "circuit_breaker_timeout": 7}"#,
    );
    let ours = pool(
        r#""health_check": {"interval": 4, "timeout": "3s", "path": "/a"},
           "circuit_breaker": {"failure_threshold": 6, "timeout": 7}"#,
    );
    assert_eq!(seeds.breaker, ours.breaker);
    assert_eq!(seeds.checks, ours.checks);
    assert_eq!(ours.breaker.failure_threshold, 6);
    assert_eq!(ours.breaker.timeout, 7 * SECOND);
    let checks = ours.checks.unwrap();
    assert_eq!((checks.interval, checks.timeout), (4 * SECOND, 3 * SECOND));
    assert_eq!(&*checks.path, "/a");
}
