//! When and how often failed attempts are repeated.

use core::time::Duration;

use steerage_policy::outcome::Kind;
use steerage_policy::retry::backoff::Delays;
use steerage_policy::retry::budget::BudgetPolicy;
use steerage_policy::retry::hedge::{HedgeDelay, HedgePolicy};
use steerage_policy::retry::idempotency::Methods;
use steerage_policy::retry::jitter::{Bounds, Jitter};
use steerage_policy::retry::{RetryPolicy, Statuses};

use crate::duration;
use crate::error::{ConfigError, Problem};
use crate::fields::{Fields, Reported};
use crate::json::Json;
use crate::schema;
use crate::status;
use crate::text;

pub(super) fn policy(
    fields: &Fields<'_>,
    errors: &mut Vec<ConfigError>,
) -> Result<RetryPolicy, Reported> {
    let default = RetryPolicy::default();
    let custom = custom(fields, errors);
    let conditions = super::condition::conditions(fields, errors);
    let bounds = bounds(fields, default.bounds, errors)?;
    let throttling_bounds = throttling_bounds(fields, bounds, errors)?;
    let custom = custom?;
    Ok(RetryPolicy {
        max_attempts: fields
            .whole("max_attempts")?
            .unwrap_or(default.max_attempts),
        backoff: backoff(fields, bounds, custom)?,
        throttling_backoff: backoff(fields, throttling_bounds, custom)?,
        jitter: jitter(fields)?.unwrap_or(default.jitter),
        bounds,
        throttling_bounds,
        conditions: conditions?,
        max_cool_down: max_cool_down(fields, default.max_cool_down)?,
        budget: budget(fields)?,
        hedge: hedge(fields)?,
        stop_nested: fields.flag("stop_nested")?.unwrap_or(default.stop_nested),
        statuses: fields
            .list("retry_on_status_codes", status::read)?
            .map_or(default.statuses, Statuses::new),
        transports: fields
            .list("retry_on", |json| {
                Kind::named(json.text()?, &Kind::TRANSPORT)
            })?
            .unwrap_or(default.transports),
        methods: fields
            .list("retry_methods", Json::text)?
            .map_or(default.methods, Methods::new),
        max_request_bytes: fields
            .whole("max_request_bytes")?
            .unwrap_or(default.max_request_bytes),
        immediate_failover: fields
            .flag("immediate_failover")?
            .unwrap_or(default.immediate_failover),
    })
}

/// `custom_retry_function`, which goes together with the strategy `custom`.
fn custom<'a>(
    fields: &Fields<'a>,
    errors: &mut Vec<ConfigError>,
) -> Result<Option<&'a Json>, Reported> {
    let (field, value) = ("strategy", CUSTOM);
    let wanted = fields.text(field)? == Some(CUSTOM);
    let problem = match (wanted, fields.get(FUNCTION).is_some()) {
        (true, false) => Problem::RequiredWith { field, value },
        (false, true) => Problem::OnlyWith { field, value },
        _ => return fields.read(FUNCTION, Some),
    };
    errors.push(fields.error(FUNCTION, problem));
    Err(Reported)
}

/// `base_delay` and `max_delay`. Defaults take part in the rule between them: a cap below the
/// default base would silently take the growth out of a backoff.
fn bounds(
    fields: &Fields<'_>,
    default: Bounds,
    errors: &mut Vec<ConfigError>,
) -> Result<Bounds, Reported> {
    let given = fields.span(BASE);
    let max = fields.span(MAX)?.unwrap_or(default.max);
    let base = match given? {
        Some(base) => base,
        // The user's own delays are not made of the base, so its default is in nobody's way.
        None if fields.text("strategy")? == Some(CUSTOM) => default.base.min(max),
        None => default.base,
    };
    if base <= max {
        return Ok(Bounds { base, max });
    }
    errors.push(if fields.get(MAX).is_some() {
        let (what, least) = (BASE, base);
        fields.error(MAX, Problem::AtLeast { what, least })
    } else {
        let (what, most) = (MAX, max);
        fields.error(BASE, Problem::AtMost { what, most })
    });
    Err(Reported)
}

/// `throttling_base_delay` in place of `base_delay`.
fn throttling_bounds(
    fields: &Fields<'_>,
    bounds: Bounds,
    errors: &mut Vec<ConfigError>,
) -> Result<Bounds, Reported> {
    let base = fields.span(THROTTLING_BASE)?.unwrap_or(bounds.base);
    if base <= bounds.max {
        return Ok(Bounds { base, ..bounds });
    }
    let (what, most) = (MAX, bounds.max);
    errors.push(fields.error(THROTTLING_BASE, Problem::AtMost { what, most }));
    Err(Reported)
}

/// `respect_retry_after` and `max_retry_after`.
fn max_cool_down(
    fields: &Fields<'_>,
    default: Option<Duration>,
) -> Result<Option<Duration>, Reported> {
    let max = fields.span("max_retry_after")?.or(default);
    let respected = fields.flag("respect_retry_after")?.unwrap_or(true);
    Ok(max.filter(|_| respected))
}

fn budget(fields: &Fields<'_>) -> Result<Option<BudgetPolicy>, Reported> {
    const BUDGET: &str = "budget";
    let default = BudgetPolicy::default();
    if fields.flag(BUDGET) == Ok(Some(false)) {
        return Ok(None);
    }
    let budget = fields.object(BUDGET, &schema::BUDGET);
    Ok(Some(BudgetPolicy {
        ratio: budget.number("ratio")?.unwrap_or(default.ratio),
        min_per_second: budget
            .number("min_per_second")?
            .unwrap_or(default.min_per_second),
        ttl: budget.span("ttl")?.unwrap_or(default.ttl),
    }))
}

/// `hedge`: off unless it is an object.
fn hedge(fields: &Fields<'_>) -> Result<Option<HedgePolicy>, Reported> {
    const HEDGE: &str = "hedge";
    if !matches!(fields.get(HEDGE), Some(Json::Object(_))) {
        return Ok(None);
    }
    let hedge = fields.object(HEDGE, &schema::HEDGE);
    let delay = hedge.read("delay", |json| match json {
        Json::Text(name) if &**name == "p95" => Some(HedgeDelay::P95),
        _ => duration::read(json).map(HedgeDelay::Fixed),
    })?;
    Ok(Some(HedgePolicy {
        delay: delay.unwrap_or(HedgeDelay::P95),
        max: hedge.whole("max")?.unwrap_or(1),
        ratio: hedge.number("ratio")?.unwrap_or(0.05),
    }))
}

fn backoff(
    fields: &Fields<'_>,
    Bounds { base, max }: Bounds,
    custom: Option<&Json>,
) -> Result<Delays, Reported> {
    let factor = fields.number("exponential_base")?.unwrap_or(DEFAULT_FACTOR);
    match fields.text("strategy")? {
        None | Some("exponential") => Ok(Delays::exponential(base, factor, max)),
        Some("linear") => Ok(Delays::linear(base, max)),
        Some("fibonacci") => Ok(Delays::fibonacci(base, max)),
        Some("fixed") => Ok(Delays::fixed(base, max)),
        Some(_) => custom.and_then(|json| own(json, max)).ok_or(Reported),
    }
}

/// The backoff of a list or an expression.
fn own(json: &Json, max: Duration) -> Option<Delays> {
    match json {
        Json::Text(expression) => text::delays(expression, max),
        Json::List(list) => {
            let delays: Option<Vec<_>> = list.iter().map(duration::read).collect();
            Some(Delays::list(&delays?, max))
        }
        _ => None,
    }
}

fn jitter(fields: &Fields<'_>) -> Result<Option<Jitter>, Reported> {
    let range = fields.number("jitter_range")?.unwrap_or(DEFAULT_RANGE);
    fields.read("jitter", |json| match json {
        Json::Flag(true) => Some(Jitter::Range(range)),
        Json::Flag(false) => Some(Jitter::None),
        Json::Text(name) => match &**name {
            "none" => Some(Jitter::None),
            "full" => Some(Jitter::Full),
            "equal" => Some(Jitter::Equal),
            "decorrelated" => Some(Jitter::Decorrelated),
            _ => None,
        },
        _ => None,
    })
}

const BASE: &str = "base_delay";
const THROTTLING_BASE: &str = "throttling_base_delay";
const MAX: &str = "max_delay";
const FUNCTION: &str = "custom_retry_function";
const CUSTOM: &str = "custom";
const DEFAULT_FACTOR: f64 = 2.0;
const DEFAULT_RANGE: f64 = 0.1;

#[cfg(test)]
mod tests;
