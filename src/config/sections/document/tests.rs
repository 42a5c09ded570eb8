//! Whole documents: what a reader of the error list sees.

use super::*;
use crate::interceptors::Interceptors;
use crate::testing::{check, pool};
use steerage_policy::balance::Strategy;
use steerage_policy::pool::{Pool, Timeouts};
use steerage_policy::retry::jitter::{Bounds, Jitter};

#[test]
fn the_smallest_configuration_has_the_defaults() {
    let config = crate::parse(br#"{"endpoints": ["a", "b"]}"#).unwrap();
    assert_eq!(&*config.cluster_header, "x-steerage-cluster");
    let [configured] = &config.pools[..] else {
        panic!()
    };
    assert_eq!(configured.interceptors, Interceptors::default());
    assert!(configured.metrics);
    assert_eq!(config.admin, None);
    let pool = &configured.pool;
    assert_eq!(&*pool.name, "default");
    let clusters: Vec<_> = pool
        .endpoints
        .iter()
        .map(|endpoint| &*endpoint.cluster)
        .collect();
    assert_eq!(clusters, ["a", "b"]);
    let default = Pool::new("default", Vec::new());
    assert_eq!(pool.strategy, default.strategy);
    assert_eq!(pool.decay, default.decay);
    assert_eq!(pool.retry, default.retry);
    assert_eq!(pool.timeouts, default.timeouts);
    assert_eq!(pool.breaker, default.breaker);
    assert_eq!(pool.checks, None);
    assert!(!pool.response_headers);
    assert_eq!(config.sync_interval, Duration::from_millis(100));
    assert_eq!(config.max_kept_bytes, 67_108_864);
    assert_eq!(pool.max_response_bytes, 8_388_608);
}

/// The one-pool configuration of the documentation.
#[test]
fn the_documented_configuration() {
    let config = crate::parse(
        br#"{
            "endpoints": ["api_east", {"cluster": "api_west", "weight": 2.0}],
            "load_balancer": {"strategy": "least_response_time", "health_check_interval": 30.0,
                "failure_threshold": 3, "circuit_breaker_timeout": 60.0},
            "retry_policy": {"strategy": "exponential", "max_attempts": 4, "base_delay": 0.5,
                "max_delay": 10.0, "jitter": true},
            "timeout": {"connect": 5.0, "read": 30.0, "write": 30.0, "total": 60.0}
        }"#,
    );
    let pool = config.unwrap().pools.remove(0).pool;
    let seconds = Duration::from_secs;
    assert_eq!(pool.strategy, Strategy::LeastResponseTime);
    let weights = pool.endpoints.iter();
    let weights: Vec<_> = weights.map(|endpoint| endpoint.weight.value()).collect();
    assert_eq!(weights, [1.0, 2.0]);
    assert_eq!(pool.breaker.failure_threshold, 3);
    assert_eq!(pool.breaker.timeout, seconds(60));
    assert_eq!(pool.checks.map(|checks| checks.interval), Some(seconds(30)));
    assert_eq!(pool.retry.max_attempts, 4);
    assert_eq!(pool.retry.jitter, Jitter::Range(0.1));
    let bounds = Bounds {
        base: Duration::from_millis(500),
        max: seconds(10),
    };
    assert_eq!(pool.retry.bounds, bounds);
    assert_eq!(pool.timeouts, Timeouts::default());
}

#[test]
fn all_errors_come_together_single_values_first() {
    check(
        r#"{
            "pools": [
                {"name": "a", "endpoints": ["x", "x"], "load_balancer": {"strategy": "fastest"}},
                {"name": "a", "match": {"prefix": "api"}, "endpoints": [{"weight": -1}],
                 "retry_policy": {"max_attempts": 11, "base_delay": 5, "max_delay": "1s",
                    "retry_on_status_codes": [503, "5xx", 600]}, "connection_pool": {"dynamic": 1}},
                {"endpoints": [], "timeout": {"read": "90s"}},
                "b"
            ],
            "cluster_header": "Host",
            "response_headers": 1,
            "extra": true
        }"#,
        &[
            "pools[0].load_balancer.strategy: must be one of round_robin, \
             weighted_round_robin, least_connections, least_response_time, random, \
             weighted_random, health_based, consistent_hash, power_of_two, got \"fastest\"",
            "pools[1].match.prefix: must be a path that begins with `/`, without query, got \
             \"api\"",
            "pools[1].endpoints[0].weight: must be a number from 0 to 1000000, got -1",
            "pools[1].endpoints[0].cluster: must be given",
            "pools[1].retry_policy.max_attempts: must be a whole number from 1 to 10, got 11",
            "pools[1].retry_policy.retry_on_status_codes[2]: must be a whole number from 100 \
             to 599, or statuses such as \"500-504\" or \"5xx\", got 600",
            "pools[1].connection_pool.dynamic: must be true or false, got 1",
            "pools[2].endpoints: must have 1 to 1000 entries, got []",
            "pools[3]: must be an object, got \"b\"",
            "cluster_header: must be the name of a header, neither a pseudo-header, nor `host` \
             or `content-length`, nor hop-by-hop, got \"Host\"",
            "response_headers: must be true or false, got 1",
            "extra: unknown field",
            "response_headers: must be inside the pools when `pools` is given",
            "pools[0].endpoints[1]: must be unique, is the same as pools[0].endpoints[0], got \
             \"x\"",
            "pools[1].retry_policy.max_delay: must be at least base_delay = 5 s, got \"1s\"",
            "pools[1].name: must be unique, is the same as pools[0].name, got \"a\"",
            "pools[2].timeout.total: must be at least connect + read = 95 s, got 60 (the \
             default)",
        ],
    );
}

#[test]
fn pools_or_one_pool_but_not_both() {
    check("{}", &["endpoints: must be given"]);
    check(
        r#"{"pools": []}"#,
        &["pools: must have 1 to 1000 entries, got []"],
    );
    check(r#"{"pools": {}}"#, &["pools: must be a list, got {}"]);
    check(r#"{"pools": [{}]}"#, &["pools[0].endpoints: must be given"]);
    check(
        r#"{"pools": [{"endpoints": ["a"]}], "name": "b", "match": {}, "endpoints": ["a"],
            "max_connections": 7}"#,
        &[
            "name: must be inside the pools when `pools` is given",
            "match: must be inside the pools when `pools` is given",
            "endpoints: must be inside the pools when `pools` is given",
            "max_connections: must be inside the pools when `pools` is given",
        ],
    );
    check(
        r#"{"pools": [{"endpoints": ["a"], "cluster_header": "x-a"}]}"#,
        &["pools[0].cluster_header: unknown field"],
    );
}

#[test]
fn the_admin_surface_may_stand_alone() {
    let admin = |json: &str| {
        let config = crate::parse(json.as_bytes()).unwrap_or_else(|errors| panic!("{errors}"));
        assert!(config.pools.is_empty());
        config.admin.unwrap()
    };
    assert_eq!(&*admin(r#"{"admin": {}}"#).path, "/steerage");
    let given = admin(r#"{"admin": {"path": "/a/b/", "token": "s3cret"}, "sync_interval": 1}"#);
    assert_eq!(&*given.path, "/a/b");
    assert_eq!(given.token.as_deref(), Some("s3cret"));
    assert!(!format!("{given:?}").contains("s3cret"), "{given:?}");
    let config = crate::parse(br#"{"endpoints": ["a"], "admin": {"token": "s3cret"}}"#).unwrap();
    assert_eq!(config.pools.len(), 1);
    assert!(!format!("{config:?}").contains("s3cret"));

    check(
        r#"{"admin": {"path": "/", "token": ""}}"#,
        &[
            "admin.path: must be a path below `/`, without query, got \"/\"",
            "admin.token: must be text that is not empty",
        ],
    );
    check(
        r#"{"admin": {}, "timeout": {"read": 1}}"#,
        &["endpoints: must be given"],
    );
    check(
        r#"{"pools": [{"endpoints": ["a"], "admin": {}}]}"#,
        &["pools[0].admin: unknown field"],
    );
}

#[test]
fn retries_are_made_by_calls_or_by_the_router() {
    let by = |json: &str| {
        let config = crate::parse(json.as_bytes()).unwrap_or_else(|errors| panic!("{errors}"));
        let pools = config.pools.iter();
        pools.map(|pool| pool.pool.retry.by).collect::<Vec<_>>()
    };
    assert_eq!(by(r#"{"endpoints": ["a"]}"#), [RetriesBy::Calls]);
    assert_eq!(
        by(r#"{"endpoints": ["a"], "retries": "calls"}"#),
        [RetriesBy::Calls]
    );
    assert_eq!(
        by(r#"{"endpoints": ["a"], "retries": "router"}"#),
        [RetriesBy::Router]
    );
    assert_eq!(
        by(r#"{"retries": "router",
                "pools": [{"name": "a", "endpoints": ["a"]}, {"endpoints": ["b"]}]}"#),
        [RetriesBy::Router; 2]
    );
    check(
        r#"{"endpoints": ["a"], "retries": "envoy"}"#,
        &["retries: must be one of calls, router, got \"envoy\""],
    );
    check(
        r#"{"pools": [{"endpoints": ["a"], "retries": "router"}]}"#,
        &["pools[0].retries: unknown field"],
    );
}

#[test]
fn the_role_of_attempts_stands_alone() {
    let attempts = crate::parse_role(br#"{"role": "attempts"}"#);
    assert!(matches!(attempts, Ok(Role::Attempts)), "{attempts:?}");
    let filter = crate::parse_role(br#"{"endpoints": ["a"]}"#);
    assert!(matches!(filter, Ok(Role::Filter(_))), "{filter:?}");

    let alone = "must not be given beside `role`: that is a configuration of its own, without \
                 another field";
    check(
        r#"{"role": "attempts", "endpoints": ["a"], "retries": "router", "timeout": {"raed": 1}}"#,
        &[
            "timeout.raed: unknown field, did you mean `read`?",
            &format!("retries: {alone}"),
            &format!("endpoints: {alone}"),
            &format!("timeout: {alone}"),
        ],
    );
    // Which fields belong to it is not known.
    check(
        r#"{"role": "filter"}"#,
        &["role: must be attempts, got \"filter\""],
    );
    check(
        r#"{"pools": [{"endpoints": ["a"], "role": "attempts"}]}"#,
        &["pools[0].role: unknown field"],
    );
    // Who wants pools says so.
    check(
        r#"{"role": "attempts"}"#,
        &[
            "role: must not be given where the configuration of the filter itself is wanted: this \
           one has no pools",
        ],
    );
}

#[test]
fn pools_have_names_that_differ() {
    let config = crate::parse(
        br#"{"pools": [{"name": "A-1", "endpoints": ["a"]}, {"endpoints": ["a"]}],
             "cluster_header": "X-Cluster"}"#,
    );
    let config = config.unwrap();
    let names: Vec<_> = config.pools.iter().map(|pool| &*pool.pool.name).collect();
    assert_eq!(names, ["A-1", "default"]);
    assert_eq!(&*config.cluster_header, "x-cluster");
    check(
        r#"{"pools": [{"endpoints": ["a"]}, {"name": "default", "endpoints": ["b"]},
            {"name": "", "endpoints": ["c"]}]}"#,
        &[
            "pools[2].name: must be a name of letters, digits, `_` and `-`, got \"\"",
            "pools[1].name: must be unique, is the same as pools[0].name, got \"default\"",
        ],
    );
}

#[test]
fn each_value_has_one_spelling() {
    let both = |json: &str, expected: &[&str]| {
        let errors = crate::parse(json.as_bytes()).unwrap_err().to_string();
        let lines: Vec<_> = errors
            .lines()
            .filter(|line| line.contains("spelling"))
            .collect();
        assert_eq!(lines, expected);
    };
    both(
        r#"{"endpoints": ["a"], "max_connections": 1, "max_keepalive_connections": 2,
            "keepalive_expiry": 3, "connection_pool": {"max_connections": 1,
                "max_keepalive_connections": 2, "keepalive_expiry": 3}}"#,
        &[
            "max_connections: must be given in one spelling only, is also \
             connection_pool.max_connections, got 1",
            "max_keepalive_connections: must be given in one spelling only, is also \
             connection_pool.max_keepalive_connections, got 2",
            "keepalive_expiry: must be given in one spelling only, is also \
             connection_pool.keepalive_expiry, got 3",
        ],
    );
    both(
        r#"{"pools": [{"endpoints": ["a"], "load_balancer": {"health_check_interval": 4,
                "health_check_timeout": 5, "health_check_path": "/a", "failure_threshold": 6,
                "circuit_breaker_timeout": 7},
            "health_check": {"interval": 4, "timeout": 5, "path": "/a"},
            "circuit_breaker": {"failure_threshold": 6, "timeout": 7}}]}"#,
        &[
            "pools[0].load_balancer.health_check_interval: must be given in one spelling \
             only, is also pools[0].health_check.interval, got 4",
            "pools[0].load_balancer.health_check_timeout: must be given in one spelling only, \
             is also pools[0].health_check.timeout, got 5",
            "pools[0].load_balancer.health_check_path: must be given in one spelling only, is \
             also pools[0].health_check.path, got \"/a\"",
            "pools[0].load_balancer.failure_threshold: must be given in one spelling only, is \
             also pools[0].circuit_breaker.failure_threshold, got 6",
            "pools[0].load_balancer.circuit_breaker_timeout: must be given in one spelling \
             only, is also pools[0].circuit_breaker.timeout, got 7",
        ],
    );
}

#[test]
fn timeouts_leave_room_for_one_attempt() {
    let timeouts =
        pool(r#""timeout": {"connect": "250ms", "read": 1.5, "write": "1m", "total": "1.75s"}"#)
            .timeouts;
    let milliseconds = Duration::from_millis;
    assert_eq!(timeouts.connect(), milliseconds(250));
    assert_eq!(timeouts.read(), milliseconds(1_500));
    assert_eq!(timeouts.write(), milliseconds(60_000));
    assert_eq!(timeouts.total(), milliseconds(1_750));
    let total = "timeout.total: must be at least connect + read";
    for (timeout, expected) in [
        (
            r#"{"total": 34, "connect": 5, "read": 30}"#,
            format!("{total} = 35 s, got 34"),
        ),
        (
            r#"{"connect": 61}"#,
            format!("{total} = 91 s, got 60 (the default)"),
        ),
    ] {
        check(
            &format!(r#"{{"endpoints": ["a"], "timeout": {timeout}}}"#),
            &[&expected],
        );
    }
    let span = "must be a duration above 0 and at most 24 h: seconds (0.25) or text (\"250ms\", \
                \"30s\", \"5m\", \"1h\")";
    check(
        r#"{"endpoints": ["a"], "timeout": {"connect": 0, "read": "0ms", "write": "25h",
            "total": -1}}"#,
        &[
            &format!("timeout.connect: {span}, got 0"),
            &format!("timeout.read: {span}, got \"0ms\""),
            &format!("timeout.write: {span}, got \"25h\""),
            &format!("timeout.total: {span}, got -1"),
        ],
    );
    // One mistake is one error: the total is not compared with what is unusable.
    check(
        r#"{"endpoints": ["a"], "timeout": {"connect": "x", "read": 60}}"#,
        &[&format!("timeout.connect: {span}, got \"x\"")],
    );
}

#[test]
fn workers_share_neither_too_seldom_nor_all_the_time() {
    for (given, milliseconds) in [("0.01", 10), ("\"250ms\"", 250), ("10", 10_000)] {
        let json = format!(r#"{{"pools": [{{"endpoints": ["a"]}}], "sync_interval": {given}}}"#);
        let config = crate::parse(json.as_bytes()).unwrap();
        assert_eq!(config.sync_interval, Duration::from_millis(milliseconds));
    }
    for bad in ["0", "\"9ms\"", "10.001", "true"] {
        check(
            &format!(r#"{{"endpoints": ["a"], "sync_interval": {bad}}}"#),
            &[&format!(
                "sync_interval: must be a duration from 0.01 s to 10 s: seconds (0.25) or text \
                 (\"250ms\", \"30s\", \"5m\", \"1h\"), got {bad}"
            )],
        );
    }
    check(
        r#"{"pools": [{"endpoints": ["a"], "sync_interval": 1}]}"#,
        &["pools[0].sync_interval: unknown field"],
    );
}

#[test]
fn how_much_is_kept_is_within_what_a_vm_has() {
    for most in [0, 1, 268_435_456] {
        let json = format!(
            r#"{{"endpoints": ["a"], "max_kept_bytes": {most}, "max_response_bytes": {}}}"#,
            most / 4
        );
        let config = crate::parse(json.as_bytes()).unwrap();
        assert_eq!(config.max_kept_bytes, most);
        assert_eq!(config.pools[0].pool.max_response_bytes, most / 4);
    }
    check(
        r#"{"endpoints": ["a"], "max_kept_bytes": 268435457, "max_response_bytes": 67108865}"#,
        &[
            "max_kept_bytes: must be a whole number from 0 to 268435456, got 268435457",
            "max_response_bytes: must be a whole number from 0 to 67108864, got 67108865",
        ],
    );
    check(
        r#"{"pools": [{"endpoints": ["a"], "max_kept_bytes": 1}]}"#,
        &["pools[0].max_kept_bytes: unknown field"],
    );
}

#[test]
fn answers_to_the_client() {
    assert!(pool(r#""response_headers": true"#).response_headers);
    assert!(!pool(r#""on_exhausted": "last_response""#).response_headers);
    check(
        r#"{"endpoints": ["a"], "on_exhausted": "error"}"#,
        &["on_exhausted: must be last_response, got \"error\""],
    );
}

#[test]
fn sections_may_be_empty_but_must_be_objects() {
    pool(
        r#""load_balancer": {}, "retry_policy": {}, "timeout": {}, "circuit_breaker": {},
           "health_check": {}, "connection_pool": {}, "interceptors": {}, "match": {}"#,
    );
    check(
        r#"{"endpoints": {"a": 1}, "load_balancer": "random", "retry_policy": 3, "timeout": [],
            "match": null}"#,
        &[
            "endpoints: must be a list, got an object",
            "load_balancer: must be an object, got \"random\"",
            "retry_policy: must be an object, got 3",
            "timeout: must be an object, got []",
            "match: must be an object, got null",
        ],
    );
}

#[test]
fn what_minds_the_pool_as_a_whole_arrives() {
    let pool = pool(
        r#""load_balancer": {"slow_start": "30s", "panic_threshold": 0.25, "overprovisioning": 2},
           "circuit_breaker": {"max_open_fraction": 0.5}"#,
    );
    assert_eq!(pool.slow_start, Duration::from_secs(30));
    assert_eq!(pool.panic_threshold, Some(0.25));
    assert_eq!(pool.overprovisioning, 2.0);
    assert_eq!(pool.breaker.max_open_fraction, 0.5);
}

#[test]
fn panic_is_the_last_resort_by_default_and_can_be_switched_off() {
    let default = pool(r#""name": "p""#);
    assert_eq!(default.panic_threshold, Some(0.0));
    assert_eq!(default.overprovisioning, 1.4);
    let never = pool(r#""load_balancer": {"panic_threshold": false, "overprovisioning": 0}"#);
    assert_eq!(never.panic_threshold, None);
    assert_eq!(never.overprovisioning, 0.0);
}

#[test]
fn what_is_off_anyway_is_accepted() {
    pool(
        r#""load_balancer": {"slow_start": "0s", "panic_threshold": 0.0},
           "circuit_breaker": {"max_open_fraction": 1}, "interceptors": {"request": [], "response": [], "logging": false}"#,
    );
}

#[test]
fn what_minds_the_pool_as_a_whole_has_its_range() {
    check(
        r#"{"endpoints": ["a"],
            "circuit_breaker": {"max_open_fraction": 1.5},
            "load_balancer": {"slow_start": "25h", "panic_threshold": 2, "overprovisioning": 101}
        }"#,
        &[
            "circuit_breaker.max_open_fraction: must be a number from 0 to 1, got 1.5",
            "load_balancer.slow_start: must be a duration from 0 to 24 h: seconds (0.25) or text \
             (\"250ms\", \"30s\", \"5m\", \"1h\"), got \"25h\"",
            "load_balancer.panic_threshold: must be a number from 0 to 1, or false, got 2",
            "load_balancer.overprovisioning: must be a number from 0 to 100, got 101",
        ],
    );
    check(
        r#"{"endpoints": ["a"], "load_balancer": {"panic_threshold": true}}"#,
        &["load_balancer.panic_threshold: must be a number from 0 to 1, or false, got true"],
    );
}

#[test]
fn the_schema_of_an_editor_is_ignored() {
    crate::parse(br#"{"$schema": "https://example.com/schema.json", "endpoints": ["a"]}"#).unwrap();
    let second = crate::parse_role(br#"{"role": "attempts", "$schema": "schema.json"}"#);
    assert!(matches!(second, Ok(Role::Attempts)));
    check(
        r#"{"$schema": 1, "endpoints": ["a"]}"#,
        &["[\"$schema\"]: must be text without control characters, got 1"],
    );
}

#[test]
fn params_are_any_object() {
    let config = crate::parse(br#"{"endpoints": ["a"], "params": {"a" : [1, {"b": null}]}}"#);
    assert_eq!(&*config.unwrap().pools[0].params, r#"{"a":[1,{"b":null}]}"#);
    let config = crate::parse(br#"{"endpoints": ["a"]}"#).unwrap();
    assert_eq!(&*config.pools[0].params, "{}");
    check(
        r#"{"endpoints": ["a"], "params": [1]}"#,
        &["params: must be an object, got a list of 1"],
    );
}
