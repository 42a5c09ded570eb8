//! `interceptors` and what is inside it.

use steerage_policy::retry::backoff::MAX_ATTEMPTS;

use super::{
    HEADER_RULES, Kind, SPAN, SPAN_OR_ZERO, STATUS, Section, TextRule, any_number_of, field, some,
};
use crate::interceptors::Level;

/// `interceptors`.
pub static INTERCEPTORS: Section = Section::of(&[
    field(
        "request",
        any_number_of(&Kind::Object(&ACTION)),
        "[]",
        "changes to the request of an attempt",
    ),
    field(
        "response",
        any_number_of(&Kind::Object(&ACTION)),
        "[]",
        "changes to the answer to the client",
    ),
    field(
        "logging",
        Kind::Either(&[Kind::Flag, Kind::Object(&LOGGING)]),
        "false",
        "whether attempts are logged, and which",
    ),
]);

/// An entry of `interceptors.request` and `interceptors.response`.
pub static ACTION: Section = Section {
    fields: &[
        field(
            "set_header",
            TEMPLATES,
            "–",
            "sets these headers, whatever they were",
        ),
        field(
            "add_header",
            TEMPLATES,
            "–",
            "adds these headers to those of the same name",
        ),
        field(
            "remove_header",
            Kind::Text(TextRule::ChangeableHeader),
            "–",
            "removes this header",
        ),
        field(
            "when",
            Kind::Object(&WHEN),
            "always",
            "only then; all conditions given must hold",
        ),
    ],
    and: None,
    exactly_one: &["set_header", "add_header", "remove_header"],
};

/// `when` of an interceptor.
pub static WHEN: Section = Section::of(&[
    field(
        "status",
        some(&STATUS),
        "–",
        "the answer's status is one of these, as retry_on_status_codes; only in response",
    ),
    field("header", HEADER_RULES, "–", "as match.headers"),
    field(
        "attempt",
        Kind::Either(&[ATTEMPT, some(&ATTEMPT)]),
        "–",
        "the number of the attempt is this, or one of these",
    ),
    field(
        "slower_than",
        SPAN,
        "–",
        "the attempt took longer; only in response",
    ),
]);

/// The number of an attempt.
const ATTEMPT: Kind = Kind::Whole {
    min: 1,
    max: MAX_ATTEMPTS as u64,
};

/// Headers with values that may name what is known when a message goes out.
const TEMPLATES: Kind = Kind::Headers(&Kind::Text(TextRule::Template));

/// `interceptors.logging`, where it is an object.
pub static LOGGING: Section = Section::of(&[
    field(
        "level",
        Kind::Choice(&Level::NAMES),
        "\"info\"",
        "the level of the log lines",
    ),
    field(
        "slower_than",
        SPAN_OR_ZERO,
        "0",
        "only attempts that took longer are logged",
    ),
]);
