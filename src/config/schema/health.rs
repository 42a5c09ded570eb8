//! The sections about endpoints that fail: `circuit_breaker` and `health_check`.

use super::{
    COUNT, Field, HEADER_VALUES, Kind, METHOD, Off, SHARE, SHARE_OR_ZERO, SPAN, STATUS, STATUSES,
    Section, TextRule, field, some,
};

/// `circuit_breaker`.
pub static CIRCUIT_BREAKER: Section = Section::of(&[
    planned(
        "failure_threshold",
        COUNT,
        "5",
        "this many failures in a row open it",
    ),
    planned(
        "failure_rate",
        SHARE,
        "0.5",
        "this share of failures within the window opens it",
    ),
    planned(
        "minimum_requests",
        COUNT,
        "20",
        "the fewest attempts of which a share is taken",
    ),
    planned("window", SPAN, "10", "of which attempts a share is taken"),
    planned(
        "slow_call_duration",
        SPAN,
        "off",
        "from where an attempt counts as slow",
    ),
    planned(
        "slow_call_rate",
        SHARE,
        "1",
        "this share of slow attempts within the window opens it",
    ),
    planned(
        "timeout",
        SPAN,
        "60",
        "how long it stays open the first time",
    ),
    planned(
        "max_timeout",
        SPAN,
        "300",
        "up to where that doubles with each further opening without recovery",
    ),
    planned(
        "half_open_requests",
        COUNT,
        "1",
        "trial permits at a time over all workers",
    ),
    planned(
        "success_threshold",
        COUNT,
        "1",
        "trial successes that close it",
    ),
    planned(
        "max_open_fraction",
        SHARE_OR_ZERO,
        "1",
        "never more than this share of the pool is kept open",
    ),
]);

/// `health_check`.
pub static HEALTH_CHECK: Section = Section::of(&[
    planned("interval", SPAN, "30", "from one check to the next"),
    planned("timeout", SPAN, "5", "for a check to be answered"),
    planned(
        "path",
        Kind::Text(TextRule::PathAndQuery),
        "\"/health\"",
        "the path that is asked for",
    ),
    planned("method", METHOD, "\"GET\"", "the method of a check"),
    planned(
        "host",
        Kind::Text(TextRule::Authority),
        "the endpoint's",
        ":authority of a check",
    ),
    field("headers", HEADER_VALUES, "{}", "further headers of a check").planned(Off::Empty),
    planned(
        "healthy_statuses",
        some(&STATUS),
        "[\"2xx\"]",
        "answers that mean HEALTHY",
    ),
    planned(
        "degraded_statuses",
        STATUSES,
        "[\"4xx\"]",
        "answers that mean DEGRADED",
    ),
    planned(
        "healthy_threshold",
        COUNT,
        "1",
        "good checks in a row that make it HEALTHY",
    ),
    planned(
        "unhealthy_threshold",
        COUNT,
        "2",
        "bad checks in a row that make it UNHEALTHY; the first verdict needs one only",
    ),
    planned(
        "jitter",
        SHARE_OR_ZERO,
        "0.1",
        "how far an interval is spread, as a share of it",
    ),
    planned(
        "unhealthy_interval",
        SPAN,
        "= interval",
        "from one check to the next of an UNHEALTHY endpoint",
    ),
]);

/// A field that is not built yet, whatever its value.
const fn planned(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    meaning: &'static str,
) -> Field {
    field(name, kind, default, meaning).planned(Off::Never)
}
