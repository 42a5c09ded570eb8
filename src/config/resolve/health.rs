//! When endpoints that fail are left alone, and how they are checked.
//!
//! Some of these values have a second spelling in `load_balancer`. That both are given has been
//! reported already; whichever is there is read.

use core::time::Duration;

use steerage_policy::breaker::{BreakerPolicy, SlowCalls};
use steerage_policy::health::CheckPolicy;
use steerage_policy::retry::Statuses;

use crate::error::{ConfigError, Problem};
use crate::fields::{Fields, Reported};
use crate::json::{Json, Object};
use crate::schema;
use crate::status;

pub(super) fn breaker(
    fields: &Fields<'_>,
    load_balancer: &Fields<'_>,
    errors: &mut Vec<ConfigError>,
) -> Result<BreakerPolicy, Reported> {
    let default = BreakerPolicy::default();
    let (timeout, max_timeout) = open_times(fields, load_balancer, &default, errors)?;
    let slow_call_rate = fields.number("slow_call_rate")?;
    Ok(BreakerPolicy {
        failure_threshold: either(
            fields.whole("failure_threshold")?,
            load_balancer.whole("failure_threshold")?,
            default.failure_threshold,
        ),
        failure_rate: fields
            .number("failure_rate")?
            .unwrap_or(default.failure_rate),
        minimum_requests: fields
            .whole("minimum_requests")?
            .unwrap_or(default.minimum_requests),
        window: fields.span("window")?.unwrap_or(default.window),
        slow_calls: fields
            .span("slow_call_duration")?
            .map(|duration| SlowCalls {
                duration,
                rate: slow_call_rate.unwrap_or(DEFAULT_SLOW_CALL_RATE),
            }),
        timeout,
        max_timeout,
        half_open_requests: fields
            .whole("half_open_requests")?
            .unwrap_or(default.half_open_requests),
        success_threshold: fields
            .whole("success_threshold")?
            .unwrap_or(default.success_threshold),
        max_open_fraction: fields
            .number("max_open_fraction")?
            .unwrap_or(default.max_open_fraction),
    })
}

/// The first and the longest time that a breaker stays open. A first one above the default of the
/// longest takes that along: who asks for ten minutes should not have to say it twice.
fn open_times(
    fields: &Fields<'_>,
    load_balancer: &Fields<'_>,
    default: &BreakerPolicy,
    errors: &mut Vec<ConfigError>,
) -> Result<(Duration, Duration), Reported> {
    let max = fields.span("max_timeout");
    let canonical = fields.span("timeout")?;
    let timeout = either(
        canonical,
        load_balancer.span("circuit_breaker_timeout")?,
        default.timeout,
    );
    match max? {
        None => Ok((timeout, default.max_timeout.max(timeout))),
        Some(max) if timeout <= max => Ok((timeout, max)),
        Some(_) => {
            let seeds =
                canonical.is_none() && load_balancer.get("circuit_breaker_timeout").is_some();
            let what = if seeds {
                "load_balancer.circuit_breaker_timeout"
            } else {
                "timeout"
            };
            let problem = Problem::AtLeast {
                what,
                least: timeout,
            };
            errors.push(fields.error("max_timeout", problem));
            Err(Reported)
        }
    }
}

/// How the endpoints of this pool are checked; `None` if they are not.
pub(super) fn checks(
    pool: &Fields<'_>,
    load_balancer: &Fields<'_>,
) -> Result<Option<CheckPolicy>, Reported> {
    let fields = pool.object("health_check", &schema::HEALTH_CHECK);
    let policy = policy(&fields, load_balancer)?;
    let wanted = pool
        .flag("enable_health_checks")?
        .unwrap_or_else(|| something_is_said(pool, &fields, load_balancer));
    Ok(wanted.then_some(policy))
}

/// Whether any field is given whose name begins with `health_check`. `"health_check": {}` says no
/// more than its default does.
fn something_is_said(
    pool: &Fields<'_>,
    health_check: &Fields<'_>,
    load_balancer: &Fields<'_>,
) -> bool {
    let given = |fields: &Fields<'_>, name: &str| fields.get(name).is_some();
    let mut own = schema::HEALTH_CHECK.all();
    let mut seeds = schema::LOAD_BALANCER.all();
    let Some(Json::List(endpoints)) = pool.get("endpoints") else {
        return false;
    };
    own.any(|field| given(health_check, field.name))
        || seeds
            .any(|field| field.name.starts_with("health_check") && given(load_balancer, field.name))
        || endpoints.iter().any(|endpoint| match endpoint {
            Json::Object(endpoint) => endpoint.get("health_check_path").is_some(),
            _ => false,
        })
}

fn policy(fields: &Fields<'_>, load_balancer: &Fields<'_>) -> Result<CheckPolicy, Reported> {
    let default = CheckPolicy::default();
    let interval = either(
        fields.span("interval")?,
        load_balancer.span("health_check_interval")?,
        default.interval,
    );
    Ok(CheckPolicy {
        interval,
        unhealthy_interval: fields.span("unhealthy_interval")?.unwrap_or(interval),
        timeout: either(
            fields.span("timeout")?,
            load_balancer.span("health_check_timeout")?,
            default.timeout,
        ),
        path: either(
            fields.text("path")?.map(Into::into),
            load_balancer.text("health_check_path")?.map(Into::into),
            default.path,
        ),
        method: fields.text("method")?.map_or(default.method, Into::into),
        host: fields.text("host")?.map(Into::into),
        headers: fields
            .read("headers", |json| match json {
                Json::Object(object) => headers(object),
                _ => None,
            })?
            .unwrap_or(default.headers),
        healthy_statuses: fields
            .list("healthy_statuses", status::read)?
            .map_or(default.healthy_statuses, Statuses::new),
        degraded_statuses: fields
            .list("degraded_statuses", status::read)?
            .map_or(default.degraded_statuses, Statuses::new),
        healthy_threshold: fields
            .whole("healthy_threshold")?
            .unwrap_or(default.healthy_threshold),
        unhealthy_threshold: fields
            .whole("unhealthy_threshold")?
            .unwrap_or(default.unhealthy_threshold),
        jitter: fields.number("jitter")?.unwrap_or(default.jitter),
    })
}

/// Names in lower case, as HTTP/2 wants them.
fn headers(object: &Object) -> Option<Vec<(Box<str>, Box<str>)>> {
    object
        .0
        .iter()
        .map(|(name, json)| Some((name.to_ascii_lowercase().into(), json.text()?.into())))
        .collect()
}

/// The value of one of two spellings.
fn either<T>(one: Option<T>, other: Option<T>, default: T) -> T {
    one.or(other).unwrap_or(default)
}

const DEFAULT_SLOW_CALL_RATE: f64 = 1.0;

#[cfg(test)]
mod tests;
