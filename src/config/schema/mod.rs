//! Every field that a configuration may have, as data.
//!
//! One table is the source of everything that is said about a field: which names are known, which
//! kinds and ranges hold ([`Kind`]), what errors say, and what the
//! reference documentation and a JSON Schema can be made of. It is walked by `check`; the values are
//! then read by `resolve` through the same functions, so what was checked is what is used.
//!
//! Limits: rules between fields are code, in `resolve`. All numbers of the contract are at least 0,
//! so a number has only an upper limit and whether it may be 0.
//!
//! Example: `field("decay", SPAN, "10", "…")` in the section of the load balancer makes
//! `{"load_balancer": {"decay": 0}}` an error that says what a duration is.

mod balance;
mod health;
mod interceptors;
mod pool;
mod retry;
mod text_rule;

use core::fmt;
use core::time::Duration;

pub use balance::{CONNECTION_POOL, HASH_ON, LOAD_BALANCER};
pub use health::{CIRCUIT_BREAKER, HEALTH_CHECK};
pub use interceptors::{ACTION, INTERCEPTORS, LOGGING, WHEN};
pub use pool::{
    ADMIN, CIRCUIT_WORD, ENDPOINT, HEADER_RULE, HEALTH_WORD, MATCH, POOL, ROOT, TIMEOUT,
};
pub use retry::{BUDGET, CONDITION, HEDGE, RETRY_POLICY};
pub use text_rule::{RESERVED_HEADERS, TextRule};

use crate::decimal::Decimal;
use crate::json::Json;
use crate::status;

/// The fields of one kind of object.
#[derive(Debug)]
pub struct Section {
    /// Its own fields, in the order of the documentation.
    pub fields: &'static [Field],
    /// Another section whose fields may be given as well.
    pub and: Option<&'static Self>,
    /// Of these fields exactly one must be given; no such rule when empty.
    pub exactly_one: &'static [&'static str],
}

impl Section {
    /// A section with these fields only.
    #[must_use]
    pub const fn of(fields: &'static [Field]) -> Self {
        Self {
            fields,
            and: None,
            exactly_one: &[],
        }
    }

    /// The field with this name.
    #[must_use]
    pub fn field(&'static self, name: &str) -> Option<&'static Field> {
        self.all().find(|field| field.name == name)
    }

    /// All fields that may be given.
    pub fn all(&'static self) -> impl Iterator<Item = &'static Field> {
        let more = self.and.map_or(&[] as &[Field], |section| section.fields);
        self.fields.iter().chain(more)
    }
}

/// One field of an object.
#[derive(Debug)]
pub struct Field {
    /// Its key.
    pub name: &'static str,
    /// What its value must be.
    pub kind: Kind,
    /// What holds when it is not given, as the documentation writes it; `–` if nothing does.
    pub default: &'static str,
    /// What it means, without a final stop.
    pub meaning: &'static str,
    /// Whether it must be given.
    pub required: bool,
    /// The other spelling of this field, as a path from its pool: at most one of them may be given.
    pub same_as: Option<&'static str>,
}

/// A field that may be left out.
#[must_use]
pub const fn field(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    meaning: &'static str,
) -> Field {
    Field {
        name,
        kind,
        default,
        meaning,
        required: false,
        same_as: None,
    }
}

impl Field {
    /// It must be given.
    #[must_use]
    pub const fn required(self) -> Self {
        Self {
            required: true,
            ..self
        }
    }

    /// It is another spelling of the field at `path`.
    #[must_use]
    pub const fn same_as(self, path: &'static str) -> Self {
        Self {
            same_as: Some(path),
            ..self
        }
    }
}

/// What a value must be. `Display` completes the sentence "must be …".
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// `false` only: the way to switch off what has settings otherwise.
    Off,
    /// `null` only.
    Null,
    /// A number from 0.
    Number {
        /// Whether it may be 0.
        zero: bool,
        /// The largest.
        max: f64,
    },
    /// A whole number.
    Whole {
        /// The smallest.
        min: u64,
        /// The largest.
        max: u64,
    },
    /// A duration up to [`crate::duration::MAX`].
    Span {
        /// Whether it may be 0.
        zero: bool,
    },
    /// A duration of which neither much less nor much more makes sense.
    SpanWithin {
        /// The shortest.
        min: Duration,
        /// The longest.
        max: Duration,
    },
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// A text.
    Text(TextRule),
    /// A list.
    List {
        /// What every entry is.
        of: &'static Self,
        /// Fewest entries.
        min: usize,
        /// Most entries.
        max: usize,
    },
    /// An object with known fields.
    Object(&'static Section),
    /// An object whose keys are names of headers, each with such a value.
    Headers(&'static Self),
    /// Any of these.
    Either(&'static [Self]),
}

impl Kind {
    /// Whether the JSON type of `json` is one that this kind takes.
    pub(crate) fn is_type_of(&self, json: &Json) -> bool {
        match self {
            Self::Flag | Self::Off => matches!(json, Json::Flag(_)),
            Self::Null => matches!(json, Json::Null),
            Self::Number { .. } | Self::Whole { .. } => matches!(json, Json::Number(_)),
            Self::Span { .. } | Self::SpanWithin { .. } => {
                matches!(json, Json::Number(_) | Json::Text(_))
            }
            Self::Choice(_) | Self::Text(_) => matches!(json, Json::Text(_)),
            Self::List { .. } => matches!(json, Json::List(_)),
            Self::Object(_) | Self::Headers(_) => matches!(json, Json::Object(_)),
            Self::Either(kinds) => kinds.iter().any(|kind| kind.is_type_of(json)),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("true or false"),
            Self::Off => f.write_str("false"),
            Self::Null => f.write_str("null"),
            Self::Number { zero: true, max } => write!(f, "a number from 0 to {}", Decimal(*max)),
            Self::Number { zero: false, max } => {
                write!(f, "a number above 0 and at most {}", Decimal(*max))
            }
            Self::Whole { min, max } => write!(f, "a whole number from {min} to {max}"),
            Self::Span { zero } => {
                let range = if *zero {
                    "from 0 to 24 h"
                } else {
                    "above 0 and at most 24 h"
                };
                write!(f, "a duration {range}: {SPAN_FORMS}")
            }
            Self::SpanWithin { min, max } => {
                let (min, max) = (Decimal(min.as_secs_f64()), Decimal(max.as_secs_f64()));
                write!(f, "a duration from {min} s to {max} s: {SPAN_FORMS}")
            }
            Self::Choice([only]) => f.write_str(only),
            Self::Choice(names) => write!(f, "one of {}", names.join(", ")),
            Self::Text(rule) => rule.fmt(f),
            Self::List { .. } => f.write_str("a list"),
            Self::Object(_) => f.write_str("an object"),
            Self::Headers(_) => f.write_str("an object of header names"),
            Self::Either(kinds) => {
                for (position, kind) in kinds.iter().enumerate() {
                    let or = if position == 0 { "" } else { ", or " };
                    write!(f, "{or}{kind}")?;
                }
                Ok(())
            }
        }
    }
}

/// How a duration is written.
const SPAN_FORMS: &str = "seconds (0.25) or text (\"250ms\", \"30s\", \"5m\", \"1h\")";

const SPAN: Kind = Kind::Span { zero: false };
const SPAN_OR_ZERO: Kind = Kind::Span { zero: true };
/// A part of a whole.
const SHARE: Kind = Kind::Number {
    zero: false,
    max: 1.0,
};
const SHARE_OR_ZERO: Kind = Kind::Number {
    zero: true,
    max: 1.0,
};
/// How many of something.
const COUNT: Kind = Kind::Whole {
    min: 1,
    max: 1_000_000,
};
const STATUS: Kind = Kind::Either(&[
    Kind::Whole {
        min: status::LOWEST as u64,
        max: status::HIGHEST as u64,
    },
    Kind::Text(TextRule::Statuses),
]);
const STATUSES: Kind = any_number_of(&STATUS);
const METHOD: Kind = Kind::Text(TextRule::Method);
const HEADER_RULES: Kind = Kind::Headers(&Kind::Either(&[
    Kind::Text(TextRule::HeaderValue),
    Kind::Object(&HEADER_RULE),
]));
const HEADER_VALUES: Kind = Kind::Headers(&Kind::Text(TextRule::HeaderValue));

const fn any_number_of(of: &'static Kind) -> Kind {
    Kind::List {
        of,
        min: 0,
        max: MOST,
    }
}

const fn some(of: &'static Kind) -> Kind {
    Kind::List {
        of,
        min: 1,
        max: MOST,
    }
}

/// Most entries of a list or an object of headers that has no limit of its own: far more than any list needs, and little
/// enough to be compared with each other.
pub(crate) const MOST: usize = 1_000;

#[cfg(test)]
mod tests;
