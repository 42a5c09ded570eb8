//! `retry_policy`: when and how often failed attempts are repeated.

mod backoff;
mod budget;
mod commit;
mod cool_down;
mod first_event;
mod hedge;
mod keys;
mod scope;

use core::time::Duration;

use steerage_policy::retry::RetryPolicy;
use steerage_policy::retry::by::RetriesBy;
use steerage_policy::retry::jitter::Bounds;

pub use budget::BUDGET;
pub use cool_down::COOL_DOWN;
pub use first_event::FIRST_EVENT;
pub use hedge::HEDGE;
pub use keys::RETRY_POLICY;
pub(super) use keys::Retry;
pub use scope::RETRY_AFTER_SCOPE;

use backoff::{Backoff, BackoffName, OwnDelays};
use keys::{
    ATTEMPTS, BASE_DELAY, BUDGET_OR_OFF, COOL_DOWNS, EXPONENTIAL_BASE, FUNCTION, GRPC_STATUSES,
    HEDGE_OR_OFF, IMMEDIATE_FAILOVER, JITTER, JITTER_RANGE, MAX_DELAY, MAX_REQUEST_BYTES,
    MAX_RETRY_AFTER, METHODS, RESPECT_RETRY_AFTER, RETRY_AFTER_STATUSES, RETRY_ON, RETRY_WHEN,
    SCOPE, STATUSES, STOP_NESTED, STRATEGY, THROTTLING_BASE_DELAY,
};

use super::retry_when;
use crate::error::Problem;
use crate::fields::Fields;
use crate::key::Key;
use crate::report::{Errors, Reported};
use crate::value::Value;

/// The policy of these fields, whose retries are made `by` whoever the document says, in a pool
/// whose answers begin within `total`.
#[inline(never)]
pub(super) fn policy(
    fields: &Fields<'_, Retry>,
    by: Result<RetriesBy, Reported>,
    total: Result<Duration, Reported>,
    errors: &mut Errors,
) -> Result<RetryPolicy, Reported> {
    let default = RetryPolicy::default();
    let commit_on = commit::commit_on(fields, by, total, errors);
    let function = function(fields, errors);
    let list = fields.entries(&RETRY_WHEN);
    let conditions =
        list.and_then(|list| retry_when::conditions(list, &fields.path(&RETRY_WHEN), errors));
    let list = fields.entries(&COOL_DOWNS);
    let cool_downs =
        list.and_then(|list| cool_down::cool_downs(list, &fields.path(&COOL_DOWNS), errors));
    let bounds = bounds(fields, default.bounds, errors)?;
    let throttling_bounds = throttling_bounds(fields, bounds, errors)?;
    let function = function?;
    let backoff = backoff(fields, function.as_ref())?;
    let by = by?;
    Ok(RetryPolicy {
        by,
        commit_on: commit_on?,
        max_attempts: fields.get(&ATTEMPTS)?.unwrap_or(default.max_attempts),
        backoff: backoff.delays(bounds),
        throttling_backoff: backoff.delays(throttling_bounds),
        jitter: {
            let range = fields.get(&JITTER_RANGE)?.unwrap_or(DEFAULT_RANGE);
            let spread = fields.get(&JITTER)?;
            spread.map_or(default.jitter, |spread| spread.jitter(range))
        },
        bounds,
        throttling_bounds,
        conditions: conditions?,
        max_cool_down: max_cool_down(fields, default.max_cool_down)?,
        retry_after_statuses: fields
            .get(&RETRY_AFTER_STATUSES)?
            .unwrap_or(default.retry_after_statuses),
        cool_downs: cool_downs?,
        retry_after_scope: match fields.checked(&SCOPE).map(|checked| &checked.value) {
            Some(Value::Object(_)) => {
                let scope = fields.object(&SCOPE);
                let header = scope.required(&scope::HEADER, errors)?;
                Some(header.to_ascii_lowercase().into())
            }
            _ => None,
        },
        budget: if matches!(switch(fields, &BUDGET_OR_OFF), Some(Value::Flag(false))) {
            None
        } else {
            Some(budget::budget(&fields.inner(&BUDGET_OR_OFF))?)
        },
        hedge: match switch(fields, &HEDGE_OR_OFF) {
            Some(Value::Object(_)) => Some(hedge::hedge(&fields.inner(&HEDGE_OR_OFF))?),
            _ => None,
        },
        stop_nested: fields.get(&STOP_NESTED)?.unwrap_or(default.stop_nested),
        statuses: fields.get(&STATUSES)?.unwrap_or(default.statuses),
        grpc_statuses: fields.get(&GRPC_STATUSES)?.unwrap_or(default.grpc_statuses),
        transports: match fields.get(&RETRY_ON)? {
            Some(kinds) => kinds.into_iter().map(|kind| kind.0).collect(),
            None => default.transports,
        },
        methods: fields.get(&METHODS)?.unwrap_or(default.methods),
        max_request_bytes: fields.get(&MAX_REQUEST_BYTES)?.unwrap_or(match by {
            RetriesBy::Calls => default.max_request_bytes,
            RetriesBy::Router => MAX_REQUEST_BYTES_BY_ROUTER,
        }),
        immediate_failover: fields
            .get(&IMMEDIATE_FAILOVER)?
            .unwrap_or(default.immediate_failover),
    })
}

/// The value of a field that is an object or switches it off.
fn switch<'a>(fields: &Fields<'a, Retry>, key: &Key<Retry, bool>) -> Option<&'a Value<'a>> {
    fields.checked(key).map(|checked| &checked.value)
}

/// `custom_retry_function`, which is given with the strategy `custom` and only then.
fn function(
    fields: &Fields<'_, Retry>,
    errors: &mut Errors,
) -> Result<Option<OwnDelays>, Reported> {
    let (field, value) = (STRATEGY.field.name, BackoffName::Custom.name());
    let wanted = fields.get(&STRATEGY)? == Some(BackoffName::Custom);
    let problem = match (wanted, fields.given(&FUNCTION)) {
        (true, false) => Problem::RequiredWith { field, value },
        (false, true) => Problem::OnlyWith { field, value },
        _ => return fields.get(&FUNCTION),
    };
    Err(errors.report(fields.error(&FUNCTION, problem)))
}

fn backoff<'a>(
    fields: &Fields<'_, Retry>,
    function: Option<&'a OwnDelays>,
) -> Result<Backoff<'a>, Reported> {
    let factor = fields.get(&EXPONENTIAL_BASE)?.unwrap_or(DEFAULT_FACTOR);
    let exponential = Backoff::Exponential { factor };
    Ok(match fields.get(&STRATEGY)? {
        None | Some(BackoffName::Exponential) => exponential,
        Some(BackoffName::Linear) => Backoff::Linear,
        Some(BackoffName::Fibonacci) => Backoff::Fibonacci,
        Some(BackoffName::Fixed) => Backoff::Fixed,
        // `function` has refused the strategy without its function.
        Some(BackoffName::Custom) => function.map_or(exponential, Backoff::Custom),
    })
}

/// `base_delay` and `max_delay`. The rule between them also applies to defaults: with a cap below
/// the default base, delays would silently not grow.
fn bounds(
    fields: &Fields<'_, Retry>,
    default: Bounds,
    errors: &mut Errors,
) -> Result<Bounds, Reported> {
    let given = fields.get(&BASE_DELAY);
    let max = fields.get(&MAX_DELAY)?.unwrap_or(default.max);
    let base = match given? {
        Some(base) => base,
        // Custom delays are not made of the base, so the rule does not apply to its default.
        None if fields.get(&STRATEGY)? == Some(BackoffName::Custom) => default.base.min(max),
        None => default.base,
    };
    if base <= max {
        return Ok(Bounds { base, max });
    }
    Err(errors.report(if fields.given(&MAX_DELAY) {
        let (what, least) = (BASE_DELAY.field.name, base);
        fields.error(&MAX_DELAY, Problem::AtLeast { what, least })
    } else {
        let (what, most) = (MAX_DELAY.field.name, max);
        fields.error(&BASE_DELAY, Problem::AtMost { what, most })
    }))
}

/// `throttling_base_delay` in place of `base_delay`.
fn throttling_bounds(
    fields: &Fields<'_, Retry>,
    bounds: Bounds,
    errors: &mut Errors,
) -> Result<Bounds, Reported> {
    let base = fields.get(&THROTTLING_BASE_DELAY)?.unwrap_or(bounds.base);
    if base <= bounds.max {
        return Ok(Bounds { base, ..bounds });
    }
    let (what, most) = (MAX_DELAY.field.name, bounds.max);
    Err(errors.report(fields.error(&THROTTLING_BASE_DELAY, Problem::AtMost { what, most })))
}

/// The longest cool-down: `respect_retry_after` and `max_retry_after`.
fn max_cool_down(
    fields: &Fields<'_, Retry>,
    default: Option<Duration>,
) -> Result<Option<Duration>, Reported> {
    let max = fields.get(&MAX_RETRY_AFTER)?.or(default);
    let respected = fields.get(&RESPECT_RETRY_AFTER)?.unwrap_or(true);
    Ok(max.filter(|_| respected))
}

/// Envoy keeps the body, in its own buffers, so there can be more of it.
const MAX_REQUEST_BYTES_BY_ROUTER: usize = 1 << 20;
const DEFAULT_FACTOR: f64 = 2.0;
const DEFAULT_RANGE: f64 = 0.1;

#[cfg(test)]
mod tests;
