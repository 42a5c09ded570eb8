//! The sections about endpoints that fail: `circuit_breaker` and `health_check`.

use super::{
    COUNT, HEADER_VALUES, Kind, METHOD, SHARE, SHARE_OR_ZERO, SPAN, STATUS, STATUSES, Section,
    TextRule, field, some,
};

/// `circuit_breaker`.
pub static CIRCUIT_BREAKER: Section = Section::of(&[
    field(
        "failure_threshold",
        COUNT,
        "5",
        "this many failures in a row open it",
    ),
    field(
        "failure_rate",
        SHARE,
        "0.5",
        "this share of failures within the window opens it",
    ),
    field(
        "minimum_requests",
        COUNT,
        "20",
        "the fewest attempts of which a share is taken",
    ),
    field("window", SPAN, "10", "of which attempts a share is taken"),
    field(
        "slow_call_duration",
        SPAN,
        "off",
        "from where an attempt counts as slow",
    ),
    field(
        "slow_call_rate",
        SHARE,
        "1",
        "this share of slow attempts within the window opens it",
    ),
    field(
        "timeout",
        SPAN,
        "60",
        "how long it stays open the first time",
    ),
    field(
        "max_timeout",
        SPAN,
        "300",
        "up to where that doubles with each further opening without recovery; at least timeout",
    ),
    field(
        "half_open_requests",
        Kind::Whole { min: 1, max: 16 },
        "1",
        "trial permits at a time over all workers",
    ),
    field(
        "success_threshold",
        COUNT,
        "1",
        "trial successes that close it",
    ),
    field(
        "max_open_fraction",
        SHARE_OR_ZERO,
        "1",
        "never more than this share of the pool is kept open",
    ),
]);

/// `health_check`.
pub static HEALTH_CHECK: Section = Section::of(&[
    field("interval", SPAN, "30", "from one check to the next"),
    field("timeout", SPAN, "5", "for a check to be answered"),
    field(
        "path",
        Kind::Text(TextRule::PathAndQuery),
        "\"/health\"",
        "the path that is asked for",
    ),
    field("method", METHOD, "\"GET\"", "the method of a check"),
    field(
        "host",
        Kind::Text(TextRule::Authority),
        "the endpoint's",
        ":authority of a check",
    ),
    field("headers", HEADER_VALUES, "{}", "further headers of a check"),
    field(
        "healthy_statuses",
        some(&STATUS),
        "[\"2xx\"]",
        "answers that mean HEALTHY",
    ),
    field(
        "degraded_statuses",
        STATUSES,
        "[\"4xx\"]",
        "answers that mean DEGRADED",
    ),
    field(
        "healthy_threshold",
        COUNT,
        "1",
        "good checks in a row that make it HEALTHY",
    ),
    field(
        "unhealthy_threshold",
        COUNT,
        "2",
        "bad checks in a row that make it UNHEALTHY; the first verdict needs one only",
    ),
    field(
        "jitter",
        SHARE_OR_ZERO,
        "0.1",
        "how far an interval is spread, as a share of it",
    ),
    field(
        "unhealthy_interval",
        SPAN,
        "= interval",
        "from one check to the next of an UNHEALTHY endpoint",
    ),
]);
