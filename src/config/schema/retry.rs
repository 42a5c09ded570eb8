//! `retry_policy` and what is inside it.

use steerage_policy::outcome::Kind as Failure;
use steerage_policy::retry::backoff::{MAX_ATTEMPTS, MAX_RETRIES};

use super::{
    HEADER_RULES, Kind, METHOD, SHARE, SHARE_OR_ZERO, SPAN, SPAN_OR_ZERO, STATUS, STATUSES,
    Section, TextRule, any_number_of, field, some,
};

/// `retry_policy`.
pub static RETRY_POLICY: Section = Section::of(&[
    field(
        "strategy",
        Kind::Choice(&["exponential", "linear", "fibonacci", "fixed", "custom"]),
        "\"exponential\"",
        "how the delay grows: base·b^(n−1), base·n, base·F(n), base, or a function of one's own",
    ),
    field(
        "max_attempts",
        Kind::Whole {
            min: 1,
            max: MAX_ATTEMPTS as u64,
        },
        "3",
        "attempts in total, the first included",
    ),
    field(
        "base_delay",
        SPAN_OR_ZERO,
        "0.025",
        "the delay that the others are made of",
    ),
    field(
        "max_delay",
        SPAN,
        "60",
        "cap of every delay, before and after jitter; at least base_delay",
    ),
    field(
        "exponential_base",
        Kind::Number {
            zero: false,
            max: 1_000.0,
        },
        "2",
        "b of the exponential strategy",
    ),
    field(
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
    ),
    field(
        "jitter",
        Kind::Either(&[
            Kind::Flag,
            Kind::Choice(&["none", "full", "equal", "decorrelated"]),
        ]),
        "\"full\"",
        "how delays are spread; true: by ± jitter_range, false: not at all",
    ),
    field(
        "jitter_range",
        SHARE_OR_ZERO,
        "0.1",
        "the spread of jitter true, as a share of the delay",
    ),
    field(
        "retry_on_status_codes",
        STATUSES,
        "[429, 500, 502, 503, 504]",
        "answers that are tried again: numbers, ranges \"500-504\" or classes \"5xx\"",
    ),
    field(
        "retry_on",
        any_number_of(&Kind::Choice(&[
            Failure::ConnectFailure.name(),
            Failure::Reset.name(),
            Failure::Timeout.name(),
        ])),
        "[\"connect_failure\", \"reset\", \"timeout\"]",
        "transport failures that are tried again",
    ),
    field(
        "retry_methods",
        any_number_of(&METHOD),
        "[\"GET\", \"HEAD\", \"OPTIONS\", \"TRACE\", \"PUT\", \"DELETE\"]",
        "methods that may be repeated; any may be if nothing was sent, or with an Idempotency-Key",
    ),
    field(
        "retry_when",
        any_number_of(&Kind::Object(&CONDITION)),
        "[]",
        "conditions that must all hold as well",
    ),
    field(
        "respect_retry_after",
        Kind::Flag,
        "true",
        "whether an endpoint that asks for quiet gets it",
    ),
    field(
        "max_retry_after",
        SPAN,
        "300",
        "the longest quiet that an endpoint gets",
    ),
    field(
        "throttling_base_delay",
        SPAN_OR_ZERO,
        "= base_delay",
        "base_delay after 429, or 503 with Retry-After, when no cool-down says more",
    ),
    field(
        "immediate_failover",
        Kind::Flag,
        "true",
        "whether an untried endpoint is tried without delay after a refused connection",
    ),
    field(
        "budget",
        Kind::Either(&[Kind::Off, Kind::Object(&BUDGET)]),
        "{\"ratio\": 0.2, \"min_per_second\": 10, \"ttl\": 10}",
        "how many retries there may be for so many requests; false: any number",
    ),
    field(
        "max_request_bytes",
        Kind::Whole {
            min: 0,
            max: 16_777_216,
        },
        "65536",
        "a larger request body streams through and is not retried",
    ),
    field(
        "stop_nested",
        Kind::Flag,
        "false",
        "whether a request that is a retry already is not retried again here",
    ),
    field(
        "hedge",
        Kind::Either(&[Kind::Null, Kind::Off, Kind::Object(&HEDGE)]),
        "off",
        "a second attempt elsewhere when the first has not answered by then",
    ),
]);

/// An entry of `retry_policy.retry_when`. That it has at least one field is a rule of `resolve`.
pub static CONDITION: Section = Section::of(&[
    field(
        "status",
        some(&STATUS),
        "–",
        "the failed answer's status is one of these, as retry_on_status_codes",
    ),
    field(
        "response_header",
        HEADER_RULES,
        "–",
        "the headers of the failed answer, as match.headers",
    ),
    field(
        "request_header",
        HEADER_RULES,
        "–",
        "the headers of the client's request, as match.headers",
    ),
    field(
        "method",
        Kind::Either(&[METHOD, some(&METHOD)]),
        "–",
        "the request's method is this, or one of these",
    ),
    field("faster_than", SPAN, "–", "the failed attempt took less"),
    field(
        "outcome",
        Kind::Either(&[FAILURE, some(&FAILURE)]),
        "–",
        "the attempt failed in this way, or in one of these",
    ),
]);

/// How an attempt can fail.
const FAILURE: Kind = Kind::Choice(&[
    "status",
    Failure::ConnectFailure.name(),
    Failure::Reset.name(),
    Failure::Timeout.name(),
]);

/// `retry_policy.budget`.
pub static BUDGET: Section = Section::of(&[
    field(
        "ratio",
        SHARE_OR_ZERO,
        "0.2",
        "retries for each request of the last `ttl`",
    ),
    field(
        "min_per_second",
        Kind::Number {
            zero: true,
            max: 1_000_000.0,
        },
        "10",
        "retries that are allowed in any case",
    ),
    field("ttl", SPAN, "10", "how long a request counts"),
]);

/// `retry_policy.hedge`.
pub static HEDGE: Section = Section::of(&[
    field(
        "delay",
        Kind::Either(&[Kind::Choice(&["p95"]), SPAN]),
        "\"p95\"",
        "how long the first attempt has, or the share of attempts that answer in time",
    ),
    field(
        "max",
        Kind::Whole {
            min: 1,
            max: MAX_RETRIES as u64,
        },
        "1",
        "further attempts at most",
    ),
    field("ratio", SHARE, "0.05", "hedges for each request at most"),
]);
