//! The fields of `retry_policy`.

use core::time::Duration;

use steerage_policy::outcome::{self, GrpcStatus};
use steerage_policy::retry::Statuses;
use steerage_policy::retry::backoff::{MAX_ATTEMPTS, MAX_RETRIES};
use steerage_policy::retry::first_message::EventRule;
use steerage_policy::retry::idempotency::Methods;

use super::super::retry_when::CONDITION;
use super::backoff::{BackoffName, JitterName, OwnDelays, Spread};
use super::budget::BUDGET;
use super::cool_down::COOL_DOWN;
use super::first_event::FIRST_EVENT_LIST;
use super::hedge::HEDGE;
use super::scope::RetryAfterScope;
use crate::key::{Entries, Key, Nested};
use crate::kind::{Kind, METHOD, SPAN_OR_ZERO, STATUS, any_number_of};
use crate::text_rule::TextRule;
use crate::value::Choice;
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
        "statuses of gRPC that are tried again, by name or number, where the method may be repeated; \
         only with retries \"router\": with calls they only count as a failure",
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
    COMMIT_ON: CommitOnName = Key::choice(
        "commit_on",
        "\"headers\"",
        "when an answer is the client's and no longer tried again: with its head, or with its first \
         message (an event of SSE, a message of gRPC, other bytes, the end); only with retries \
         \"router\"",
    );
    COMMIT_TIMEOUT: Duration = Key::span(
        "commit_timeout",
        "= timeout.read",
        "for the first message to come after the head; at most timeout.total",
    );
    FIRST_EVENTS: Vec<EventRule> = Key::new(
        "retry_on_first_event",
        FIRST_EVENT_LIST,
        "–",
        "first messages that are tried again: failures that the head does not tell of",
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

/// The names of the moments.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommitOnName {
    Headers,
    FirstMessage,
}

impl CommitOnName {
    const ALL: [Self; 2] = [Self::Headers, Self::FirstMessage];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Headers => "headers",
            Self::FirstMessage => "first_message",
        }
    }
}

choice!(CommitOnName);

/// A failure below HTTP.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TransportFailure(pub(super) outcome::Kind);

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
