//! `health_check`: requests that ask whether an endpoint works.
//!
//! Some of these values have a second spelling in `load_balancer`. The pool refuses both together;
//! here the one that is given is read.

use core::time::Duration;

use steerage_policy::health::CheckPolicy;
use steerage_policy::retry::Statuses;

use super::balance::{self, LoadBalancer};
use crate::fields::Fields;
use crate::from_value::Headers;
use crate::key::Key;
use crate::kind::{Kind, STATUS, any_number_of, some};
use crate::report::Reported;
use crate::section;
use crate::text_rule::TextRule;

section! {
    /// `health_check`.
    pub static HEALTH_CHECK: HealthCheck;
    INTERVAL: Duration = Key::span("interval", "30", "from one check to the next");
    TIMEOUT: Duration = Key::span("timeout", "5", "for a check to be answered");
    PATH: Box<str> = Key::text(
        "path",
        TextRule::PathAndQuery,
        "\"/health\"",
        "the path that is asked for",
    );
    CHECK_METHOD: Box<str> = Key::text(
        "method",
        TextRule::Method,
        "\"GET\"",
        "the method of a check",
    );
    HOST: Box<str> = Key::text(
        "host",
        TextRule::Authority,
        "from the cluster's name",
        ":authority of the checks of endpoints that have no host of their own",
    );
    HEADERS: Headers<Box<str>> = Key::new(
        "headers",
        Kind::Headers(&Kind::Text(TextRule::HeaderValue)),
        "{}",
        "further headers of a check",
    );
    HEALTHY_STATUSES: Statuses = Key::new(
        "healthy_statuses",
        some(&STATUS),
        "[\"2xx\"]",
        "answers that mean HEALTHY",
    );
    DEGRADED_STATUSES: Statuses = Key::new(
        "degraded_statuses",
        any_number_of(&STATUS),
        "[\"4xx\"]",
        "answers that mean DEGRADED",
    );
    HEALTHY_THRESHOLD: u32 = Key::count(
        "healthy_threshold",
        "1",
        "good checks in a row that make it HEALTHY",
    );
    UNHEALTHY_THRESHOLD: u32 = Key::count(
        "unhealthy_threshold",
        "2",
        "bad checks in a row that make it UNHEALTHY; the first verdict needs one only",
    );
    JITTER: f64 = Key::share_or_zero(
        "jitter",
        "0.1",
        "how far an interval is spread, as a share of it",
    );
    UNHEALTHY_INTERVAL: Duration = Key::span(
        "unhealthy_interval",
        "= interval",
        "from one check to the next of an UNHEALTHY endpoint",
    );
}

/// How the endpoints of a pool are checked; `None` if they are not. `wanted` is
/// `enable_health_checks`. Without it, checks are on if a field of this section is given, or
/// another whose name begins with `health_check`. `endpoint_has_path`: whether an endpoint has such
/// a field.
#[inline(never)]
pub(super) fn checks(
    fields: &Fields<'_, HealthCheck>,
    load_balancer: &Fields<'_, LoadBalancer>,
    wanted: Result<Option<bool>, Reported>,
    said_of_endpoints: bool,
) -> Result<Option<CheckPolicy>, Reported> {
    let policy = policy(fields, load_balancer)?;
    let wanted = wanted?.unwrap_or_else(|| {
        said_of_endpoints
            || fields.any_given::<HealthCheck>()
            || load_balancer.given(&balance::HEALTH_CHECK_INTERVAL)
            || load_balancer.given(&balance::HEALTH_CHECK_TIMEOUT)
            || load_balancer.given(&balance::HEALTH_CHECK_PATH)
    });
    Ok(wanted.then_some(policy))
}

fn policy(
    fields: &Fields<'_, HealthCheck>,
    load_balancer: &Fields<'_, LoadBalancer>,
) -> Result<CheckPolicy, Reported> {
    let default = CheckPolicy::default();
    let interval = fields
        .get(&INTERVAL)?
        .or(load_balancer.get(&balance::HEALTH_CHECK_INTERVAL)?)
        .unwrap_or(default.interval);
    Ok(CheckPolicy {
        interval,
        unhealthy_interval: fields.get(&UNHEALTHY_INTERVAL)?.unwrap_or(interval),
        timeout: fields
            .get(&TIMEOUT)?
            .or(load_balancer.get(&balance::HEALTH_CHECK_TIMEOUT)?)
            .unwrap_or(default.timeout),
        path: fields
            .get(&PATH)?
            .or(load_balancer.get(&balance::HEALTH_CHECK_PATH)?)
            .unwrap_or(default.path),
        method: fields.get(&CHECK_METHOD)?.unwrap_or(default.method),
        host: fields.get(&HOST)?,
        headers: fields
            .get(&HEADERS)?
            .map_or(default.headers, |headers| headers.0),
        healthy_statuses: fields
            .get(&HEALTHY_STATUSES)?
            .unwrap_or(default.healthy_statuses),
        degraded_statuses: fields
            .get(&DEGRADED_STATUSES)?
            .unwrap_or(default.degraded_statuses),
        healthy_threshold: fields
            .get(&HEALTHY_THRESHOLD)?
            .unwrap_or(default.healthy_threshold),
        unhealthy_threshold: fields
            .get(&UNHEALTHY_THRESHOLD)?
            .unwrap_or(default.unhealthy_threshold),
        jitter: fields.get(&JITTER)?.unwrap_or(default.jitter),
    })
}

#[cfg(test)]
mod tests;
