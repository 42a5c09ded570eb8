//! What holds for every input: [`parse`] never panics, a refusal has at least one error of one
//! line, and what it accepts keeps the limits that the filter relies on.

use core::time::Duration;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use steerage_policy::endpoint::MAX_ENDPOINTS;
use steerage_policy::retry::backoff::{Backoff as _, MAX_ATTEMPTS};

use crate::parse;
use crate::schema::{
    ACTION, ADMIN, CIRCUIT_BREAKER, ENDPOINT, HEALTH_CHECK, INTERCEPTORS, LOAD_BALANCER, LOGGING,
    MATCH, POOL, RETRY_POLICY, ROOT, TIMEOUT, WHEN,
};

fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    let config = match parse(bytes) {
        Ok(config) => config,
        Err(errors) => {
            prop_assert!(errors.iter().count() > 0);
            let text = errors.to_string();
            prop_assert_eq!(text.lines().count(), errors.iter().count(), "{}", text);
            return Ok(());
        }
    };
    prop_assert!(!config.cluster_header.is_empty());
    prop_assert!(!config.pools.is_empty() || config.admin.is_some());
    if let Some(admin) = &config.admin {
        prop_assert!(admin.path.len() > 1 && !admin.path.ends_with('/'));
    }
    let sync_intervals = Duration::from_millis(10)..=Duration::from_secs(10);
    prop_assert!(sync_intervals.contains(&config.sync_interval));
    for configured in &config.pools {
        let pool = &configured.pool;
        prop_assert!((1..=MAX_ENDPOINTS).contains(&pool.endpoints.len()));
        prop_assert!((1..=MAX_ATTEMPTS).contains(&pool.retry.max_attempts));
        let timeouts = pool.timeouts;
        prop_assert!(timeouts.total() >= timeouts.connect() + timeouts.read());
        prop_assert!(!pool.decay.is_zero() && !timeouts.read().is_zero());
        let breaker = &pool.breaker;
        prop_assert!(breaker.failure_threshold > 0 && breaker.success_threshold > 0);
        prop_assert!((1..=16).contains(&breaker.half_open_requests));
        prop_assert!(!breaker.timeout.is_zero() && breaker.max_timeout >= breaker.timeout);
        if let Some(checks) = &pool.checks {
            prop_assert!(!checks.interval.is_zero() && !checks.unhealthy_interval.is_zero());
            prop_assert!(!checks.timeout.is_zero() && checks.path.starts_with('/'));
            prop_assert!(checks.healthy_threshold > 0 && checks.unhealthy_threshold > 0);
            prop_assert!((0.0..=1.0).contains(&checks.jitter));
        }
        let bounds = pool.retry.bounds;
        prop_assert!(bounds.base <= bounds.max);
        for n in 1..=9 {
            prop_assert!(pool.retry.backoff.delay(n) <= bounds.max);
        }
    }
    Ok(())
}

/// A configuration with everything.
fn complete() -> Value {
    json!({
        "pools": [
            {
                "name": "api",
                "match": {
                    "prefix": "/api", "path": "/api/a", "regex": "/api/.*", "hosts": ["*.a.org"],
                    "methods": ["GET"],
                    "headers": {"x-a": "b", "x-c": {"present": true}, "x-d": {"prefix": "e"}}
                },
                "endpoints": [
                    "a",
                    {"cluster": "b", "weight": 2.5, "priority": 1, "authority": "b.org",
                     "path_prefix": "/v1", "health_check_path": "/up", "name": "beta",
                     "health_check_host": "probe.org", "health_check_cluster": "b-probe"}
                ],
                "load_balancer": {
                    "strategy": "consistent_hash", "decay": 5, "hash_on": {"header": "x-user"}
                },
                "retry_policy": {
                    "strategy": "custom", "max_attempts": 4, "base_delay": 0.1, "max_delay": "10s",
                    "exponential_base": 2, "custom_retry_function": "attempt ^ 2", "jitter": true,
                    "jitter_range": 0.2, "retry_on_status_codes": [503, "5xx"],
                    "retry_on": ["reset"], "retry_methods": ["GET"], "immediate_failover": true,
                    "max_request_bytes": 1024
                },
                "timeout": {"connect": 1, "read": "2s", "write": 3, "total": "1m"},
                "circuit_breaker": {
                    "failure_threshold": 3, "failure_rate": 0.4, "minimum_requests": 10,
                    "window": 5, "slow_call_duration": "2s", "slow_call_rate": 0.9, "timeout": 30,
                    "max_timeout": "10m", "half_open_requests": 2, "success_threshold": 2,
                    "max_open_fraction": 1
                },
                "health_check": {
                    "interval": 10, "timeout": 1, "path": "/up", "method": "HEAD",
                    "host": "a.org", "headers": {"x-probe": "1"}, "healthy_statuses": [204],
                    "degraded_statuses": ["3xx"], "healthy_threshold": 2, "unhealthy_threshold": 3,
                    "jitter": 0.2, "unhealthy_interval": 5
                },
                "interceptors": {
                    "request": [
                        {"set_header": {"x-try": "{attempt}"}, "when": {"attempt": 2}},
                        {"remove_header": "x-a", "when": {"header": {"x-b": "c"}}}
                    ],
                    "response": [
                        {"add_header": {"x-time": "{response_time}"},
                         "when": {"status": ["5xx"], "slower_than": 1}}
                    ],
                    "logging": {"level": "warn", "slower_than": 1}
                },
                "enable_metrics_interceptor": true,
                "enable_health_checks": true,
                "response_headers": true,
                "on_exhausted": "last_response"
            },
            {"endpoints": ["c"], "retry_policy": {"strategy": "fibonacci"}}
        ],
        "admin": {"path": "/steerage", "token": "secret"},
        "cluster_header": "x-cluster",
        "sync_interval": "50ms"
    })
}

#[test]
fn a_configuration_with_everything_is_accepted() {
    assert!(parse(complete().to_string().as_bytes()).is_ok());
}

/// Any JSON, with names and values of the configuration among it.
fn any_json() -> impl Strategy<Value = Value> {
    let words = [
        "a",
        "5xx",
        "30s",
        "0ms",
        "custom",
        "consistent_hash",
        "attempt",
        "1/attempt",
        "full",
        "path",
        "/a",
        "GET",
        "{attempt}",
        "",
        "\u{0}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0_u16..700).prop_map(Value::from),
        prop::sample::select(words.to_vec()).prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((any_key(), inner), 0..6)
                .prop_map(|pairs| Value::from(pairs.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn any_key() -> impl Strategy<Value = String> {
    let sections = [
        &ROOT,
        &POOL,
        &MATCH,
        &ENDPOINT,
        &LOAD_BALANCER,
        &RETRY_POLICY,
        &TIMEOUT,
        &CIRCUIT_BREAKER,
        &HEALTH_CHECK,
        &INTERCEPTORS,
        &ACTION,
        &WHEN,
        &LOGGING,
        &ADMIN,
    ];
    let names: Vec<_> = sections
        .into_iter()
        .flat_map(|section| section.all())
        .map(|field| field.name.to_owned())
        .collect();
    prop_oneof![9 => prop::sample::select(names), 1 => ".{0,8}"]
}

/// Calls `change` with the `nth` value within `json`, counted from the outside in.
fn change_nth(json: &mut Value, nth: &mut usize, change: &mut dyn FnMut(&mut Value)) {
    if *nth == 0 {
        change(json);
    }
    *nth = nth.wrapping_sub(1);
    match json {
        Value::Array(list) => list
            .iter_mut()
            .for_each(|json| change_nth(json, nth, change)),
        Value::Object(object) => object
            .values_mut()
            .for_each(|json| change_nth(json, nth, change)),
        _ => {}
    }
}

proptest! {
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&bytes)?;
    }

    #[test]
    fn any_text(text in "[{\\[\"a:,1\\]} \n]{0,60}") {
        check(text.as_bytes())?;
    }

    #[test]
    fn any_document(json in any_json()) {
        check(json.to_string().as_bytes())?;
    }

    #[test]
    fn any_fields_of_one_pool(pairs in prop::collection::vec((any_key(), any_json()), 0..6)) {
        let mut object: Map<_, _> = pairs.into_iter().collect();
        object.insert("endpoints".into(), json!(["a", "b"]));
        check(Value::from(object).to_string().as_bytes())?;
    }

    #[test]
    fn any_change_of_one_value(nth in 0_usize..120, other in any_json()) {
        let mut json = complete();
        change_nth(&mut json, &mut { nth }, &mut |json| *json = other.clone());
        check(json.to_string().as_bytes())?;
    }

    #[test]
    fn any_change_of_one_key(nth in 0_usize..120, which in 0_usize..16, key in any_key()) {
        let mut json = complete();
        change_nth(&mut json, &mut { nth }, &mut |json| {
            if let Value::Object(object) = json {
                let old = object.keys().nth(which % object.len().max(1)).cloned();
                if let Some(value) = old.and_then(|old| object.remove(&old)) {
                    object.insert(key.clone(), value);
                }
            }
        });
        check(json.to_string().as_bytes())?;
    }

    #[test]
    fn any_cut_and_any_other_byte(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = complete().to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        check(&bytes)?;
        check(&bytes[..at])?;
    }
}
