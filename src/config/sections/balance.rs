//! `load_balancer`: how the endpoint of an attempt is chosen.

use core::time::Duration;

use steerage_policy::balance::{HashOn, Strategy, StrategyName};

use crate::error::Problem;
use crate::fields::Fields;
use crate::key::Key;
use crate::kind::{Kind, share};
use crate::report::{Errors, Reported};
use crate::text_rule::TextRule;
use crate::value::{Checked, Choice, FromValue, Value};
use crate::{choice, section};

section! {
    /// `load_balancer`.
    pub static LOAD_BALANCER: LoadBalancer;
    STRATEGY: StrategyName = Key::choice(
        "strategy",
        "\"round_robin\"",
        "how an endpoint is chosen among those that are available",
    );
    HEALTH_CHECK_INTERVAL: Duration =
        Key::span("health_check_interval", "30", "see health_check.interval")
            .same_as("health_check.interval");
    HEALTH_CHECK_TIMEOUT: Duration =
        Key::span("health_check_timeout", "5", "see health_check.timeout")
            .same_as("health_check.timeout");
    HEALTH_CHECK_PATH: Box<str> = Key::text(
        "health_check_path",
        TextRule::PathAndQuery,
        "\"/health\"",
        "see health_check.path",
    )
    .same_as("health_check.path");
    FAILURE_THRESHOLD: u32 = Key::count(
        "failure_threshold",
        "5",
        "see circuit_breaker.failure_threshold",
    )
    .same_as("circuit_breaker.failure_threshold");
    CIRCUIT_BREAKER_TIMEOUT: Duration =
        Key::span("circuit_breaker_timeout", "60", "see circuit_breaker.timeout")
            .same_as("circuit_breaker.timeout");
    SLOW_START: Duration = Key::span_or_zero(
        "slow_start",
        "0",
        "an endpoint that comes back ramps up to its weight over this time",
    );
    PANIC_THRESHOLD: PanicThreshold = Key::new(
        "panic_threshold",
        PANIC_THRESHOLD_KIND,
        "0",
        "breakers and health are ignored where they leave nothing available, and when they leave \
         less than this share of the weight; false: never",
    );
    OVERPROVISIONING: f64 = Key::number(
        "overprovisioning",
        true,
        MAX_OVERPROVISIONING,
        "1.4",
        "a tier that has lost weight carries this times its available share; 0: everything, as \
         long as one of its endpoints is available",
    );
    DECAY: Duration = Key::span("decay", "10", "time constant of the response-time average");
    HASH: HashOn = Key::new(
        "hash_on",
        HASH_KIND,
        "–",
        "what of a request decides its endpoint, for consistent_hash",
    );
}

/// The kind of `panic_threshold`.
const PANIC_THRESHOLD_KIND: Kind = Kind::Either(&[share(true), Kind::Off]);

/// The largest `overprovisioning`: with it, one endpoint of a hundred carries a whole tier.
const MAX_OVERPROVISIONING: f64 = 100.0;

/// `panic_threshold`; `None`: never.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PanicThreshold(pub(super) Option<f64>);

impl FromValue for PanicThreshold {
    fn from_value(checked: &Checked<'_>) -> Option<Self> {
        match checked.value {
            Value::Flag(false) => Some(Self(None)),
            _ => f64::from_value(checked).map(|share| Self(Some(share))),
        }
    }
}

/// The kind of `hash_on`.
const HASH_KIND: Kind = Kind::Either(&[Kind::Object(&HASH_ON), Kind::Choice(WholeRequest::NAMES)]);

choice!(StrategyName);

#[inline(never)]
pub(super) fn strategy(
    fields: &Fields<'_, LoadBalancer>,
    errors: &mut Errors,
) -> Result<Strategy, Reported> {
    let hash_on = fields.get(&HASH);
    let name = fields.get(&STRATEGY)?.unwrap_or(StrategyName::RoundRobin);
    if let Some(strategy) = name.strategy(hash_on.clone().ok().flatten()) {
        return Ok(strategy);
    }
    hash_on?;
    let problem = Problem::RequiredWith {
        field: STRATEGY.field.name,
        value: name.name(),
    };
    Err(errors.report(fields.error(&HASH, problem)))
}

section! {
    /// `load_balancer.hash_on`, where it is an object.
    pub static HASH_ON: PartOfRequest, exactly one of HASH_HEADER, HASH_COOKIE, HASH_QUERY;
    HASH_HEADER: Box<str> = Key::text(
        "header",
        TextRule::HeaderName,
        "–",
        "the value of this header",
    );
    // The names of cookies are tokens as well (RFC 6265 §4.1.1).
    HASH_COOKIE: Box<str> = Key::text(
        "cookie",
        TextRule::HeaderName,
        "–",
        "the value of this cookie",
    );
    HASH_QUERY: Box<str> = Key::text(
        "query",
        TextRule::QueryName,
        "–",
        "the value of this query parameter",
    );
}

/// The values of `hash_on` that are no object.
#[derive(Clone, Copy)]
enum WholeRequest {
    SourceIp,
    Path,
}

impl WholeRequest {
    const ALL: [Self; 2] = [Self::SourceIp, Self::Path];

    const fn name(self) -> &'static str {
        match self {
            Self::SourceIp => "source_ip",
            Self::Path => "path",
        }
    }
}

choice!(WholeRequest);

impl FromValue for HashOn {
    fn from_value(checked: &Checked<'_>) -> Option<Self> {
        match checked.choice() {
            Some(WholeRequest::SourceIp) => return Some(Self::SourceIp),
            Some(WholeRequest::Path) => return Some(Self::Path),
            None => {}
        }
        let fields = Fields::of(checked, String::new());
        if let Some(header) = fields.get(&HASH_HEADER).ok()? {
            return Some(Self::Header(header.to_ascii_lowercase().into()));
        }
        if let Some(cookie) = fields.get(&HASH_COOKIE).ok()? {
            return Some(Self::Cookie(cookie));
        }
        fields.get(&HASH_QUERY).ok()?.map(Self::Query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, pool};

    #[test]
    fn every_strategy_has_its_name() {
        for name in StrategyName::ALL {
            let fields = format!(r#"{{"strategy": "{}", "hash_on": "path"}}"#, name.name());
            let strategy = pool(&format!(r#""load_balancer": {fields}"#)).strategy;
            assert_eq!(Some(&strategy), name.strategy(Some(HashOn::Path)).as_ref());
            assert_eq!(strategy.name(), name.name());
        }
    }

    #[test]
    fn consistent_hash_needs_something_to_hash() {
        for (hash_on, expected) in [
            (r#"{"header": "X-User"}"#, HashOn::Header("x-user".into())),
            (r#"{"cookie": "Session"}"#, HashOn::Cookie("Session".into())),
            (r#"{"query": "Q"}"#, HashOn::Query("Q".into())),
            (r#""source_ip""#, HashOn::SourceIp),
            (r#""path""#, HashOn::Path),
        ] {
            let fields = format!(r#"{{"strategy": "consistent_hash", "hash_on": {hash_on}}}"#);
            let strategy = pool(&format!(r#""load_balancer": {fields}"#)).strategy;
            assert_eq!(strategy, Strategy::ConsistentHash(expected));
        }
        check(
            r#"{"endpoints": ["a"], "load_balancer": {"strategy": "consistent_hash"}}"#,
            &["load_balancer.hash_on: must be given when strategy is consistent_hash"],
        );
        check(
            r#"{"pools": [
                {"name": "a", "endpoints": ["a"], "load_balancer": {"hash_on": "host"}},
                {"name": "b", "endpoints": ["a"], "load_balancer": {"hash_on": {}}},
                {"name": "c", "endpoints": ["a"], "load_balancer": {"strategy": "consistent_hash",
                    "hash_on": {"header": "a", "cookie": "b"}}},
                {"name": "d", "endpoints": ["a"], "load_balancer": {"hash_on": {"query": "a=b"}}}
            ]}"#,
            &[
                "pools[0].load_balancer.hash_on: must be an object, or one of source_ip, path, got \
                 \"host\"",
                "pools[1].load_balancer.hash_on: must have exactly one of header, cookie, query",
                "pools[2].load_balancer.hash_on: must have exactly one of header, cookie, query",
                "pools[3].load_balancer.hash_on.query: must be the name of a query parameter, got \
                 \"a=b\"",
            ],
        );
    }

    #[test]
    fn decay_is_a_time() {
        let decay = pool(r#""load_balancer": {"decay": "500ms"}"#).decay;
        assert_eq!(decay, Duration::from_millis(500));
        check(
            r#"{"endpoints": ["a"], "load_balancer": {"decay": 0}}"#,
            &[
                "load_balancer.decay: must be a duration above 0 and at most 24 h: seconds (0.25) or \
               text (\"250ms\", \"30s\", \"5m\", \"1h\"), got 0",
            ],
        );
    }
}
