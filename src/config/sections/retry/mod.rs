//! `retry_policy`: when and how often failed attempts are repeated.

mod backoff;
mod budget;
mod cool_down;
mod hedge;
mod scope;

use core::time::Duration;

use steerage_policy::outcome::{self, GrpcStatus};
use steerage_policy::retry::backoff::{MAX_ATTEMPTS, MAX_RETRIES};
use steerage_policy::retry::by::RetriesBy;
use steerage_policy::retry::idempotency::Methods;
use steerage_policy::retry::jitter::Bounds;
use steerage_policy::retry::{RetryPolicy, Statuses};

pub use budget::BUDGET;
pub use cool_down::COOL_DOWN;
pub use hedge::HEDGE;
pub use scope::RETRY_AFTER_SCOPE;

use scope::RetryAfterScope;

use backoff::{Backoff, BackoffName, JitterName, OwnDelays, Spread};

use super::retry_when::{self, CONDITION};
use crate::error::Problem;
use crate::fields::Fields;
use crate::key::{Entries, Key, Nested};
use crate::kind::{Kind, METHOD, SPAN_OR_ZERO, STATUS, any_number_of};
use crate::report::{Errors, Reported};
use crate::text_rule::TextRule;
use crate::value::{Choice, Value};
use crate::{choice, section};

section! {
    /// `retry_policy`.
    pub static RETRY_POLICY: Retry;
    STRATEGY: BackoffName = Key::choice(
        "strategy",
        "\"exponential\"",
        "how the delay grows: base·b^(n−1), base·n, base·F(n), base, or a custom function",
    );
    ATTEMPTS: u8 = Key::whole(
        "max_attempts",
        1,
        MAX_ATTEMPTS as u64,
        "3",
        "attempts in total, the first included",
    );
    BASE_DELAY: Duration = Key::span_or_zero(
        "base_delay",
        "0.025",
        "the delay that the others are made of",
    );
    MAX_DELAY: Duration = Key::span(
        "max_delay",
        "60",
        "cap of every delay, before and after jitter; at least base_delay",
    );
    EXPONENTIAL_BASE: f64 = Key::number(
        "exponential_base",
        false,
        1_000.0,
        "2",
        "b of the exponential strategy",
    );
    FUNCTION: OwnDelays = Key::new(
        "custom_retry_function",
        Kind::Either(&[
            Kind::Text(TextRule::Expression),
            Kind::List {
                of: &SPAN_OR_ZERO,
                min: 1,
                max: MAX_RETRIES,
            },
        ]),
        "–",
        "for the strategy custom: an expression in `attempt` that gives seconds, or a list of \
         delays, the last repeated",
    );
    JITTER: Spread = Key::new(
        "jitter",
        Kind::Either(&[Kind::Flag, Kind::Choice(JitterName::NAMES)]),
        "\"full\"",
        "how delays are spread; true: by ± jitter_range, false: not at all",
    );
    JITTER_RANGE: f64 = Key::share_or_zero(
        "jitter_range",
        "0.1",
        "the spread of jitter true, as a share of the delay",
    );
    STATUSES: Statuses = Key::new(
        "retry_on_status_codes",
        any_number_of(&STATUS),
        "[429, 500, 502, 503, 504]",
        "answers that are tried again: numbers, ranges \"500-504\" or classes \"5xx\"",
    );
    GRPC_STATUSES: Vec<GrpcStatus> = Key::new(
        "retry_on_grpc_statuses",
        any_number_of(&Kind::Either(&[
            Kind::Choice(&GrpcStatus::FAILURES),
            Kind::Whole { min: 1, max: 16 },
        ])),
        "[\"UNAVAILABLE\", \"RESOURCE_EXHAUSTED\"]",
        "statuses of gRPC that are as bad as a failure, by name or number; a call cannot repeat \
         them",
    );
    RETRY_ON: Vec<TransportFailure> = Key::new(
        "retry_on",
        any_number_of(&Kind::Choice(TransportFailure::NAMES)),
        "[\"connect_failure\", \"reset\", \"timeout\"]",
        "transport failures that are tried again",
    );
    METHODS: Methods = Key::new(
        "retry_methods",
        any_number_of(&METHOD),
        "[\"GET\", \"HEAD\", \"OPTIONS\", \"TRACE\", \"PUT\", \"DELETE\"]",
        "methods that may be repeated; any may be if nothing was sent, or with an Idempotency-Key",
    );
    RETRY_WHEN: Entries = Key::new(
        "retry_when",
        any_number_of(&CONDITION_KIND),
        "[]",
        "conditions that must all hold as well",
    );
    RESPECT_RETRY_AFTER: bool = Key::flag(
        "respect_retry_after",
        "true",
        "whether an answer that says when to come back (Retry-After) starts a cool-down",
    );
    MAX_RETRY_AFTER: Duration = Key::span(
        "max_retry_after",
        "300",
        "the longest cool-down that Retry-After starts",
    );
    RETRY_AFTER_STATUSES: Statuses = Key::new(
        "retry_after_statuses",
        any_number_of(&STATUS),
        "[429, 503, 529]",
        "the answers whose Retry-After is read",
    );
    SCOPE: Nested<RetryAfterScope> = Key::object(
        "retry_after_scope",
        "–",
        "a cool-down holds only for requests with the same value of a header; otherwise for all",
    );
    COOL_DOWNS: Entries = Key::new(
        "cool_down",
        any_number_of(&COOL_DOWN_KIND),
        "[]",
        "cool-downs after answers that name no time; the first entry with the status counts",
    );
    THROTTLING_BASE_DELAY: Duration = Key::span_or_zero(
        "throttling_base_delay",
        "= base_delay",
        "base_delay after 429, or 503 with Retry-After, when no cool-down says more",
    );
    IMMEDIATE_FAILOVER: bool = Key::flag(
        "immediate_failover",
        "true",
        "whether an untried endpoint is tried without delay after a refused connection",
    );
    BUDGET_OR_OFF: bool = Key::new(
        "budget",
        BUDGET_KIND,
        "{\"ratio\": 0.2, \"min_per_second\": 10, \"ttl\": 10}",
        "how many retries there may be for so many requests; false: any number",
    );
    MAX_REQUEST_BYTES: usize = Key::whole(
        "max_request_bytes",
        0,
        16_777_216,
        "65536, or 1048576 with retries \"router\"",
        "a larger request body streams through and is not retried; by the router it is Envoy that \
         keeps it, so request_body_buffer_limit must not be less",
    );
    STOP_NESTED: bool = Key::flag(
        "stop_nested",
        "false",
        "whether a request that is a retry already is not retried again here",
    );
    HEDGE_OR_OFF: bool = Key::new(
        "hedge",
        HEDGE_KIND,
        "off",
        "a second attempt elsewhere when the first has not answered by then",
    );
}

/// A failure below HTTP.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TransportFailure(outcome::Kind);

impl TransportFailure {
    const ALL: [Self; 3] = [
        Self(outcome::Kind::ConnectFailure),
        Self(outcome::Kind::Reset),
        Self(outcome::Kind::Timeout),
    ];

    const fn name(self) -> &'static str {
        self.0.name()
    }
}

choice!(TransportFailure);

const COOL_DOWN_KIND: Kind = Kind::Object(&COOL_DOWN);
const CONDITION_KIND: Kind = Kind::Object(&CONDITION);
const BUDGET_KIND: Kind = Kind::Either(&[Kind::Off, Kind::Object(&BUDGET)]);
const HEDGE_KIND: Kind = Kind::Either(&[Kind::Null, Kind::Off, Kind::Object(&HEDGE)]);

/// The policy of these fields, whose retries are made `by` whoever the document says.
pub(super) fn policy(
    fields: &Fields<'_, Retry>,
    by: Result<RetriesBy, Reported>,
    errors: &mut Errors,
) -> Result<RetryPolicy, Reported> {
    let default = RetryPolicy::default();
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
        commit_on: default.commit_on,
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
