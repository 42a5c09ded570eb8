//! `retry_policy` and what is inside it.

use steerage_policy::backoff::{MAX_ATTEMPTS, MAX_RETRIES};
use steerage_policy::outcome::Transport;

use super::{
    HEADER_RULES, Kind, METHOD, Off, SHARE, SHARE_OR_ZERO, SPAN, SPAN_OR_ZERO, STATUSES, Section,
    TextRule, any_number_of, field,
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
            Transport::ConnectFailure.name(),
            Transport::Reset.name(),
            Transport::Timeout.name(),
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
    )
    .planned(Off::Empty),
    field(
        "respect_retry_after",
        Kind::Flag,
        "true",
        "whether an endpoint that asks for quiet gets it",
    )
    .planned(Off::False),
    field(
        "max_retry_after",
        SPAN,
        "300",
        "the longest quiet that an endpoint gets",
    )
    .planned(Off::Never),
    field(
        "throttling_base_delay",
        SPAN_OR_ZERO,
        "= base_delay",
        "the base after 429, or 503 with Retry-After, when no cool-down says more",
    )
    .planned(Off::Never),
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
    )
    .planned(Off::False),
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
    )
    .planned(Off::False),
    field(
        "hedge",
        Kind::Either(&[Kind::Null, Kind::Off, Kind::Object(&HEDGE)]),
        "off",
        "a second attempt elsewhere when the first has not answered by then",
    )
    .planned(Off::False),
]);

/// An entry of `retry_policy.retry_when`.
pub static CONDITION: Section = Section {
    fields: &[
        field(
            "response_header",
            HEADER_RULES,
            "–",
            "the headers of the failed answer, as match.headers",
        ),
        field("faster_than", SPAN, "–", "the failed attempt took less"),
    ],
    and: None,
    exactly_one: &["response_header", "faster_than"],
};

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
