//! `interceptors` and what is inside it.

use super::{
    COUNT, HEADER_RULES, HEADER_VALUES, Kind, Off, SPAN, SPAN_OR_ZERO, STATUSES, Section, TextRule,
    any_number_of, field,
};

/// `interceptors`.
pub static INTERCEPTORS: Section = Section::of(&[
    field(
        "request",
        any_number_of(&Kind::Object(&ACTION)),
        "[]",
        "changes to the request of an attempt",
    )
    .planned(Off::Empty),
    field(
        "response",
        any_number_of(&Kind::Object(&ACTION)),
        "[]",
        "changes to the answer to the client",
    )
    .planned(Off::Empty),
    field(
        "logging",
        Kind::Either(&[Kind::Flag, Kind::Object(&LOGGING)]),
        "false",
        "whether attempts are logged, and which",
    )
    .planned(Off::False),
]);

/// An entry of `interceptors.request` and `interceptors.response`.
pub static ACTION: Section = Section {
    fields: &[
        field(
            "set_header",
            HEADER_VALUES,
            "–",
            "sets these headers, whatever they were",
        ),
        field(
            "add_header",
            HEADER_VALUES,
            "–",
            "adds these headers to those of the same name",
        ),
        field(
            "remove_header",
            Kind::Text(TextRule::HeaderName),
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
    field("status", STATUSES, "–", "the status is one of these"),
    field("header", HEADER_RULES, "–", "as match.headers"),
    field("attempt", COUNT, "–", "the number of the attempt is this"),
    field("slower_than", SPAN, "–", "the attempt took longer"),
]);

/// `interceptors.logging`, where it is an object.
pub static LOGGING: Section = Section::of(&[
    field(
        "level",
        Kind::Choice(&["trace", "debug", "info", "warn", "error", "critical"]),
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
