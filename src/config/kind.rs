//! What a value may be, and the fields of a section, as data.
//!
//! The check walks a document along a [`Section`]; errors, the reference documentation and the JSON
//! Schema are made of the same data.
//!
//! Limits: rules between fields are code, in the files of `sections`. All numbers are at least 0,
//! so a number has only an upper limit and whether it may be 0.
//!
//! Example: `decay` of the load balancer has the kind [`Kind::Span`], so
//! `{"load_balancer": {"decay": 0}}` is an error that says what a duration is.

use core::fmt;
use core::time::Duration;

use crate::decimal::Decimal;
use crate::text_rule::TextRule;

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
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its key.
    pub name: &'static str,
    /// What its value must be.
    pub kind: Kind,
    /// Its default, as the documentation writes it; `–` if there is none.
    pub default: &'static str,
    /// What it means, without a final stop.
    pub meaning: &'static str,
    /// Whether it must be given.
    pub required: bool,
    /// The other spelling of this field, as a path from its pool: at most one of them may be given.
    pub same_as: Option<&'static str>,
}

/// What a value must be. `Display` completes the sentence "must be …".
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// `false` only: switches off what an object would set.
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
    /// A duration within these limits.
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
    /// An object with any content.
    Anything,
    /// Any of these.
    Either(&'static [Self]),
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
            Self::Object(_) | Self::Anything => f.write_str("an object"),
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

/// A part of a whole. `zero`: whether it may be 0.
pub(crate) const fn share(zero: bool) -> Kind {
    Kind::Number { zero, max: 1.0 }
}

/// A list with any number of entries.
pub(crate) const fn any_number_of(of: &'static Kind) -> Kind {
    Kind::List {
        of,
        min: 0,
        max: MOST,
    }
}

/// A list with at least one entry.
pub(crate) const fn some(of: &'static Kind) -> Kind {
    Kind::List {
        of,
        min: 1,
        max: MOST,
    }
}

/// One status, or several as text.
pub(crate) const STATUS: Kind = Kind::Either(&[
    Kind::Whole {
        min: LOWEST_STATUS as u64,
        max: HIGHEST_STATUS as u64,
    },
    Kind::Text(TextRule::Statuses),
]);

/// An HTTP method.
pub(crate) const METHOD: Kind = Kind::Text(TextRule::Method);

/// A duration above 0.
pub(crate) const SPAN: Kind = Kind::Span { zero: false };

/// A duration that may be 0.
pub(crate) const SPAN_OR_ZERO: Kind = Kind::Span { zero: true };

/// The lowest status of HTTP.
pub(crate) const LOWEST_STATUS: u16 = 100;

/// The highest status of HTTP.
pub(crate) const HIGHEST_STATUS: u16 = 599;

/// Most entries of a list, or of an object of headers, that has no limit of its own. More than any
/// list needs, and few enough to compare each entry with every other.
pub(crate) const MOST: usize = 1_000;
