//! How endpoints are chosen and how much each of them takes: `load_balancer`, `connection_pool`.

use steerage_policy::balance::Strategy;

use super::{COUNT, Kind, SHARE_OR_ZERO, SPAN, SPAN_OR_ZERO, Section, TextRule, field};

/// `load_balancer`.
pub static LOAD_BALANCER: Section = Section::of(&[
    field(
        "strategy",
        Kind::Choice(&Strategy::NAMES),
        "\"round_robin\"",
        "how an endpoint is chosen among those that are available",
    ),
    field(
        "health_check_interval",
        SPAN,
        "30",
        "see health_check.interval",
    )
    .same_as("health_check.interval"),
    field(
        "health_check_timeout",
        SPAN,
        "5",
        "see health_check.timeout",
    )
    .same_as("health_check.timeout"),
    field(
        "health_check_path",
        Kind::Text(TextRule::PathAndQuery),
        "\"/health\"",
        "see health_check.path",
    )
    .same_as("health_check.path"),
    field(
        "failure_threshold",
        COUNT,
        "5",
        "see circuit_breaker.failure_threshold",
    )
    .same_as("circuit_breaker.failure_threshold"),
    field(
        "circuit_breaker_timeout",
        SPAN,
        "60",
        "see circuit_breaker.timeout",
    )
    .same_as("circuit_breaker.timeout"),
    field(
        "slow_start",
        SPAN_OR_ZERO,
        "0",
        "an endpoint that comes back ramps up to its weight over this time",
    ),
    field(
        "panic_threshold",
        SHARE_OR_ZERO,
        "0",
        "when the available share of the pool falls below this, availability is ignored",
    ),
    field(
        "decay",
        SPAN,
        "10",
        "time constant of the response-time average",
    ),
    field(
        "hash_on",
        Kind::Either(&[Kind::Object(&HASH_ON), Kind::Choice(&["source_ip", "path"])]),
        "–",
        "what of a request decides its endpoint, for consistent_hash",
    ),
]);

/// `load_balancer.hash_on`, where it is an object.
pub static HASH_ON: Section = Section {
    fields: &[
        field(
            "header",
            Kind::Text(TextRule::HeaderName),
            "–",
            "the value of this header",
        ),
        // The names of cookies are tokens as well (RFC 6265 §4.1.1).
        field(
            "cookie",
            Kind::Text(TextRule::HeaderName),
            "–",
            "the value of this cookie",
        ),
        field(
            "query",
            Kind::Text(TextRule::QueryName),
            "–",
            "the value of this query parameter",
        ),
    ],
    and: None,
    exactly_one: &["header", "cookie", "query"],
};

/// `connection_pool`.
pub static CONNECTION_POOL: Section = Section::of(&[
    field(
        "max_connections",
        COUNT,
        "100",
        "most attempts at a time to an endpoint, over all workers",
    ),
    field(
        "max_keepalive_connections",
        COUNT,
        "20",
        "most idle connections that are kept; belongs to the clusters",
    ),
    field(
        "keepalive_expiry",
        SPAN,
        "5",
        "how long an idle connection is kept; belongs to the clusters",
    ),
    field(
        "expected_rps",
        Kind::Number {
            zero: false,
            max: 1e9,
        },
        "–",
        "requests a second to an endpoint; with avg_response_time it gives the limit by Little's law",
    ),
    field("avg_response_time", SPAN, "–", "see expected_rps"),
    field(
        "dynamic",
        Kind::Flag,
        "false",
        "whether the limit follows the measured response times",
    ),
]);
