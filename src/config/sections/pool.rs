//! A pool: its own fields, and its sections put together.

use core::time::Duration;

use steerage_policy::pool::{Pool as PoolPolicy, Timeouts};
use steerage_policy::retry::by::RetriesBy;

use super::balance::{self, LoadBalancer};
use super::breaker::{self, CircuitBreaker};
use super::endpoint;
use super::health::{self, HealthCheck};
use super::interceptors::{self, InterceptorsSection};
use super::limit::{self, ConnectionPool};
use super::matching::{self, Match};
use super::retry::{self, Retry};
use super::timeout::{self, Timeout};
use crate::config::ConfiguredPool;
use crate::error::{ConfigError, Problem};
use crate::fields::Fields;
use crate::from_value::Raw;
use crate::key::{Describe, Entries, Key, Nested, Unread};
use crate::kind::Kind;
use crate::place::member;
use crate::report::{Errors, Reported};
use crate::section;
use crate::text_rule::TextRule;
use crate::value::Value;

section! {
    /// A pool, as an entry of `pools` or as the document itself.
    pub static POOL: Pool;
    NAME: Box<str> = Key::text(
        "name",
        TextRule::PoolName,
        "\"default\"",
        "the pool's name, unique; pools of the same name and VM share health",
    );
    MATCH: Nested<Match> = Key::object(
        "match",
        "everything",
        "which requests belong to the pool; all conditions given must hold",
    );
    ENDPOINTS: Entries = Key::new(
        "endpoints",
        endpoint::ENDPOINTS,
        "–",
        "the clusters to choose from, as names or as objects",
    )
    .required();
    BALANCER: Nested<LoadBalancer> = Key::object(
        "load_balancer",
        "{}",
        "how the endpoint of an attempt is chosen",
    );
    RETRY: Nested<Retry> = Key::object(
        "retry_policy",
        "{}",
        "whether and when a failed attempt is followed by another",
    );
    TIMEOUT: Nested<Timeout> = Key::object("timeout", "{}", "limits in time");
    BREAKER: Nested<CircuitBreaker> = Key::object(
        "circuit_breaker",
        "{}",
        "when an endpoint that fails is left alone",
    );
    HEALTH: Nested<HealthCheck> = Key::object(
        "health_check",
        "{}",
        "requests that ask whether an endpoint works",
    );
    CONNECTIONS: Nested<ConnectionPool> = Key::object(
        "connection_pool",
        "{}",
        "how many attempts an endpoint takes at a time",
    );
    INTERCEPTORS: Nested<InterceptorsSection> = Key::object(
        "interceptors",
        "{}",
        "changes to the headers of attempts and answers; logging",
    );
    MAX_CONNECTIONS: u32 = Key::count("max_connections", "100", "see connection_pool")
        .same_as("connection_pool.max_connections");
    MAX_KEEPALIVE_CONNECTIONS: u32 =
        Key::count("max_keepalive_connections", "20", "see connection_pool")
            .same_as("connection_pool.max_keepalive_connections");
    KEEPALIVE_EXPIRY: Duration = Key::span("keepalive_expiry", "5", "see connection_pool")
        .same_as("connection_pool.keepalive_expiry");
    ENABLE_LOGGING: bool = Key::flag(
        "enable_logging_interceptor",
        "false",
        "see interceptors.logging",
    )
    .same_as("interceptors.logging");
    ENABLE_METRICS: bool = Key::flag(
        "enable_metrics_interceptor",
        "true",
        "whether metrics are kept",
    );
    ENABLE_HEALTH_CHECKS: bool = Key::flag(
        "enable_health_checks",
        "true iff any health_check* field is given",
        "whether endpoints are checked",
    );
    MAX_RESPONSE_BYTES: usize = Key::whole(
        "max_response_bytes",
        0,
        67_108_864,
        "8388608",
        "a longer answer of a call is given up, and the client gets the best one before it",
    );
    RESPONSE_HEADERS: bool = Key::flag(
        "response_headers",
        "false",
        "whether the answer to the client carries x-steerage-endpoint and x-steerage-attempts",
    );
    ACCESS_LOG: bool = Key::flag(
        "access_log",
        "false",
        "whether access logs can print the endpoint and the attempts of every answer, not only of those that took \
         more than one healthy attempt",
    );
    PARAMS: Raw = Key::new(
        "params",
        Kind::Anything,
        "{}",
        "what extensions in Rust are told: an object that only they read",
    );
    ON_EXHAUSTED: Unread = Key::new(
        "on_exhausted",
        Kind::Choice(&["last_response"]),
        "\"last_response\"",
        "what the client gets when retries end in failure: the last upstream answer as it came",
    );
}

/// What holds for all pools of a document.
pub(super) struct Common<'a> {
    /// The routing header, in lower case.
    pub(super) cluster_header: &'a str,
    /// Who makes the retries.
    pub(super) retries: Result<RetriesBy, Reported>,
}

/// The pool of these fields. `missing`: given if an error about missing endpoints is on the list
/// already.
#[inline(never)]
pub(super) fn pool(
    fields: &Fields<'_, Pool>,
    missing: Option<Reported>,
    common: &Common<'_>,
    errors: &mut Errors,
) -> Result<ConfiguredPool, Reported> {
    let load_balancer = fields.object(&BALANCER);
    refuse_both_spellings(fields, fields, errors);
    refuse_both_spellings(&load_balancer, fields, errors);

    let matcher = matching::matcher(&fields.object(&MATCH));
    let checks = health::checks(
        &fields.object(&HEALTH),
        &load_balancer,
        fields.get(&ENABLE_HEALTH_CHECKS),
        fields.entries(&ENDPOINTS).is_ok_and(endpoint::any_checked),
    );
    let endpoints = match fields.checked(&ENDPOINTS) {
        Some(list) => {
            let checks = checks.as_ref().ok().and_then(Option::as_ref);
            endpoint::endpoints(list, &fields.path(&ENDPOINTS), checks, errors)
        }
        None => Err(missing.unwrap_or_else(|| fields.refuse(errors, Problem::Required))),
    };
    let strategy = balance::strategy(&load_balancer, errors);
    let timeouts = timeout::timeouts(&fields.object(&TIMEOUT), errors);
    let total = timeouts
        .as_ref()
        .map(Timeouts::total)
        .map_err(|reported| *reported);
    let retry = retry::policy(&fields.object(&RETRY), common.retries, total, errors);
    let breaker = breaker::breaker(&fields.object(&BREAKER), &load_balancer, errors);
    let connections = fields.object(&CONNECTIONS);
    let limit = limit::limit(&connections, fields.get(&MAX_CONNECTIONS), errors);
    let keepalive = limit::keepalive(
        &connections,
        fields.get(&MAX_KEEPALIVE_CONNECTIONS),
        fields.get(&KEEPALIVE_EXPIRY),
    );
    let interceptors = interceptors::interceptors(
        &fields.object(&INTERCEPTORS),
        fields.get(&ENABLE_LOGGING),
        common.cluster_header,
        errors,
    );

    let name = fields.get(&NAME)?;
    let default = PoolPolicy::new(name.as_deref().unwrap_or(DEFAULT_NAME), endpoints?);
    let pool = PoolPolicy {
        matcher: matcher?,
        strategy: strategy?,
        decay: load_balancer.get(&balance::DECAY)?.unwrap_or(default.decay),
        retry: retry?,
        timeouts: timeouts?,
        breaker: breaker?,
        slow_start: load_balancer
            .get(&balance::SLOW_START)?
            .unwrap_or(default.slow_start),
        panic_threshold: load_balancer
            .get(&balance::PANIC_THRESHOLD)?
            .map_or(default.panic_threshold, |threshold| threshold.0),
        overprovisioning: load_balancer
            .get(&balance::OVERPROVISIONING)?
            .unwrap_or(default.overprovisioning),
        checks: checks?,
        limit: limit?,
        keepalive: keepalive?,
        max_response_bytes: fields
            .get(&MAX_RESPONSE_BYTES)?
            .unwrap_or(default.max_response_bytes),
        response_headers: fields
            .get(&RESPONSE_HEADERS)?
            .unwrap_or(default.response_headers),
        access_log: fields.get(&ACCESS_LOG)?.unwrap_or(default.access_log),
        ..default
    };
    Ok(ConfiguredPool {
        pool,
        interceptors: interceptors?,
        metrics: fields.get(&ENABLE_METRICS)?.unwrap_or(true),
        params: fields
            .get(&PARAMS)?
            .map_or_else(|| "{}".into(), |Raw(json)| json),
    })
}

/// Reports the fields of a section whose other spelling, a path from the pool, is given too.
fn refuse_both_spellings<S: Describe>(
    fields: &Fields<'_, S>,
    pool: &Fields<'_, Pool>,
    errors: &mut Errors,
) {
    for field in S::SECTION.fields {
        let Some((section, name)) = field.same_as.and_then(|path| path.split_once('.')) else {
            continue;
        };
        let other = match pool
            .members()
            .find(section)
            .map(|entry| &entry.checked.value)
        {
            Some(Value::Object(members)) => members.json(name),
            _ => None,
        };
        if let (Some(json), Some(_)) = (fields.members().json(field.name), other) {
            let other = member(&member(pool.place(), section), name).into();
            let path = member(fields.place(), field.name);
            errors.report(ConfigError::at(
                path,
                json,
                Problem::BothSpellings { other },
            ));
        }
    }
}

/// The name of a pool that gives none.
pub(super) const DEFAULT_NAME: &str = "default";
