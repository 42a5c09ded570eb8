//! `circuit_breaker`: when an endpoint that fails is left alone.
//!
//! Two of these values have a second spelling in `load_balancer`. The pool refuses both together;
//! here the one that is given is read.

use core::time::Duration;

use steerage_policy::breaker::{BreakerPolicy, SlowCalls};
use steerage_policy::retry::Statuses;

use super::balance::{self, LoadBalancer};
use crate::error::Problem;
use crate::fields::Fields;
use crate::key::Key;
use crate::kind::{STATUS, any_number_of};
use crate::report::{Errors, Reported};
use crate::section;

section! {
    /// `circuit_breaker`.
    pub static CIRCUIT_BREAKER: CircuitBreaker;
    FAILURE_THRESHOLD: u32 = Key::count(
        "failure_threshold",
        "5",
        "this many failures in a row open it",
    );
    FAILURE_STATUSES: Statuses = Key::new(
        "failure_status_codes",
        any_number_of(&STATUS),
        "[\"5xx\"]",
        "answers that count as failures, as retry_on_status_codes; 501, 505 and 511 never do",
    );
    FAILURE_RATE: f64 = Key::share(
        "failure_rate",
        "0.5",
        "this share of failures within the window opens it",
    );
    MINIMUM_REQUESTS: u32 = Key::count(
        "minimum_requests",
        "20",
        "the fewest attempts of which a share is taken",
    );
    WINDOW: Duration = Key::span("window", "10", "of which attempts a share is taken");
    SLOW_CALL_DURATION: Duration = Key::span(
        "slow_call_duration",
        "off",
        "from where an attempt counts as slow",
    );
    SLOW_CALL_RATE: f64 = Key::share(
        "slow_call_rate",
        "1",
        "this share of slow attempts within the window opens it",
    );
    TIMEOUT: Duration = Key::span("timeout", "60", "how long it stays open the first time");
    MAX_TIMEOUT: Duration = Key::span(
        "max_timeout",
        "300",
        "up to where that doubles with each further opening without recovery; at least timeout",
    );
    HALF_OPEN_REQUESTS: u32 = Key::whole(
        "half_open_requests",
        1,
        16,
        "1",
        "trial permits at a time over all workers",
    );
    SUCCESS_THRESHOLD: u32 = Key::count(
        "success_threshold",
        "1",
        "trial successes that close it",
    );
    MAX_OPEN_FRACTION: f64 = Key::share_or_zero(
        "max_open_fraction",
        "1",
        "never more than this share of the pool is kept open",
    );
}

#[inline(never)]
pub(super) fn breaker(
    fields: &Fields<'_, CircuitBreaker>,
    load_balancer: &Fields<'_, LoadBalancer>,
    errors: &mut Errors,
) -> Result<BreakerPolicy, Reported> {
    let default = BreakerPolicy::default();
    let (timeout, max_timeout) = open_times(fields, load_balancer, &default, errors)?;
    let slow_call_rate = fields.get(&SLOW_CALL_RATE)?;
    Ok(BreakerPolicy {
        failure_statuses: fields
            .get(&FAILURE_STATUSES)?
            .unwrap_or(default.failure_statuses),
        failure_threshold: fields
            .get(&FAILURE_THRESHOLD)?
            .or(load_balancer.get(&balance::FAILURE_THRESHOLD)?)
            .unwrap_or(default.failure_threshold),
        failure_rate: fields.get(&FAILURE_RATE)?.unwrap_or(default.failure_rate),
        minimum_requests: fields
            .get(&MINIMUM_REQUESTS)?
            .unwrap_or(default.minimum_requests),
        window: fields.get(&WINDOW)?.unwrap_or(default.window),
        slow_calls: fields.get(&SLOW_CALL_DURATION)?.map(|duration| SlowCalls {
            duration,
            rate: slow_call_rate.unwrap_or(DEFAULT_SLOW_CALL_RATE),
        }),
        timeout,
        max_timeout,
        half_open_requests: fields
            .get(&HALF_OPEN_REQUESTS)?
            .unwrap_or(default.half_open_requests),
        success_threshold: fields
            .get(&SUCCESS_THRESHOLD)?
            .unwrap_or(default.success_threshold),
        max_open_fraction: fields
            .get(&MAX_OPEN_FRACTION)?
            .unwrap_or(default.max_open_fraction),
    })
}

/// The first and the longest time that a breaker stays open. A first time above the default of the
/// longest raises that default, so that it need not be given twice.
fn open_times(
    fields: &Fields<'_, CircuitBreaker>,
    load_balancer: &Fields<'_, LoadBalancer>,
    default: &BreakerPolicy,
    errors: &mut Errors,
) -> Result<(Duration, Duration), Reported> {
    let max = fields.get(&MAX_TIMEOUT);
    let canonical = fields.get(&TIMEOUT)?;
    let other = load_balancer.get(&balance::CIRCUIT_BREAKER_TIMEOUT)?;
    let timeout = canonical.or(other).unwrap_or(default.timeout);
    match max? {
        None => Ok((timeout, default.max_timeout.max(timeout))),
        Some(max) if timeout <= max => Ok((timeout, max)),
        Some(_) => {
            let what = if canonical.is_none() && other.is_some() {
                "load_balancer.circuit_breaker_timeout"
            } else {
                TIMEOUT.field.name
            };
            let problem = Problem::AtLeast {
                what,
                least: timeout,
            };
            Err(errors.report(fields.error(&MAX_TIMEOUT, problem)))
        }
    }
}

const DEFAULT_SLOW_CALL_RATE: f64 = 1.0;

#[cfg(test)]
mod tests;
