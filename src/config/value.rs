//! What the check of a document yields: each value as its kind understands it.
//!
//! A value is read once, where it is checked. A broken part is kept as well: a list with one bad
//! entry still has its other entries, and rules between those are judged.
//!
//! Example: `"250ms"` of the kind duration is [`Value::Span`], and `{"prefix": "/a"}` of the kind
//! object is [`Value::Object`] with one [`Entry`].

use core::ops::RangeInclusive;
use core::time::Duration;

use steerage_policy::matching::{HostPattern, PathRegex};

use crate::expression::Expression;
use crate::interceptors::Template;
use crate::json::Json;
use crate::report::Reported;

/// A value that was checked.
#[derive(Debug)]
pub struct Checked<'a> {
    /// As much of it as can be used.
    pub(crate) value: Value<'a>,
    /// Given if it, or anything inside it, breaks a rule.
    pub(crate) reported: Option<Reported>,
}

/// A value as its kind understands it.
#[derive(Debug)]
pub(crate) enum Value<'a> {
    /// Nothing: `null`, or a value of which nothing can be used.
    Nothing,
    Flag(bool),
    Number(f64),
    Whole(u64),
    Span(Duration),
    /// The position among the names of the kind.
    Choice(usize),
    Text(&'a str),
    Statuses(RangeInclusive<u16>),
    Regex(PathRegex),
    Host(HostPattern),
    Template(Template),
    Expression(Expression),
    List(Vec<Checked<'a>>),
    Object(Members<'a>),
    Headers(Vec<Header<'a>>),
    /// An object with any content.
    Anything(&'a Json),
}

/// The known fields of an object that are given.
#[derive(Debug)]
pub(crate) struct Members<'a> {
    entries: Vec<Entry<'a>>,
    reported: Option<Reported>,
}

/// A field that is given, or one that is missing and must be given.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) name: &'static str,
    /// As the document has it.
    pub(crate) json: Option<&'a Json>,
    pub(crate) checked: Checked<'a>,
}

/// An entry of an object of headers.
#[derive(Debug)]
pub(crate) struct Header<'a> {
    pub(crate) name: &'a str,
    /// As the document has it.
    pub(crate) json: &'a Json,
    pub(crate) checked: Checked<'a>,
}

impl Checked<'_> {
    /// A value of which nothing can be used.
    pub(crate) const fn unusable(reported: Reported) -> Self {
        Self {
            value: Value::Nothing,
            reported: Some(reported),
        }
    }

    /// The value of a type with names.
    #[must_use]
    pub fn choice<T: Choice>(&self) -> Option<T> {
        match self.value {
            Value::Choice(position) => T::ALL.get(position).copied(),
            _ => None,
        }
    }
}

impl<'a> Members<'a> {
    pub(crate) const fn none() -> Self {
        Self {
            entries: Vec::new(),
            reported: None,
        }
    }

    pub(crate) fn add(&mut self, entry: Entry<'a>) {
        self.refuse(entry.checked.reported);
        self.entries.push(entry);
    }

    /// Notes that an error about this object is on the list.
    pub(crate) fn refuse(&mut self, reported: Option<Reported>) {
        self.reported = self.reported.or(reported);
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Entry<'a>> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// The value of this field in the document, right or wrong.
    pub(crate) fn json(&self, name: &str) -> Option<&'a Json> {
        self.find(name)?.json
    }

    /// Given if this object, or anything inside it, breaks a rule.
    pub(crate) const fn reported(&self) -> Option<Reported> {
        self.reported
    }
}

/// A type that is made of a checked value.
pub trait FromValue: Sized {
    /// The value; `None` if it is of a kind that this type is not made of.
    fn from_value(checked: &Checked<'_>) -> Option<Self>;
}

/// A type of whole numbers.
pub trait Unsigned: TryFrom<u64> {
    /// The largest.
    const MAX: u64;
}

/// A plain type with a name for each value.
pub trait Choice: Copy + 'static {
    /// Every value, in the order of the documentation.
    const ALL: &'static [Self];
    /// Their names, in the same order.
    const NAMES: &'static [&'static str];
}
