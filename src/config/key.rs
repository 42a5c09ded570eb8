//! Fields with the types of their values.
//!
//! A [`Key`] is one field of one section: its name, kind, default and meaning. Its type is the type
//! of its value. The macro `section!` puts every key into the table of its section, and only the
//! keys of a section can be read from its objects. So the table has every field that is read.
//! Constructors such as [`Key::span`] give a kind and the type that belongs to it.
//!
//! Example: `MAX_ATTEMPTS: u8 = Key::whole("max_attempts", 1, 10, "3", "…")` is checked to be a
//! whole number from 1 to 10, and read by `fields.get(&MAX_ATTEMPTS)` as `Option<u8>`.

use core::marker::PhantomData;
use core::time::Duration;

use crate::kind::{Field, Kind, SPAN, SPAN_OR_ZERO, Section, share};
use crate::text_rule::TextRule;
use crate::value::{Choice, Unsigned};

/// A field of the section `S` whose value is read as a `T`.
#[derive(Debug)]
pub struct Key<S, T> {
    /// The field without its types.
    pub field: Field,
    types: PhantomData<fn(S) -> T>,
}

/// What only documents say. The filter writes none, so the module does not carry the texts.
const fn documentation(text: &'static str) -> &'static str {
    if cfg!(target_family = "wasm") {
        ""
    } else {
        text
    }
}

/// A section's type, which stands for its table.
pub trait Describe {
    /// The table.
    const SECTION: &'static Section;
}

/// In place of a value's type: an object of the section `N`.
#[derive(Debug)]
pub struct Nested<N>(PhantomData<fn() -> N>);

/// In place of a value's type: a list whose entries are read one by one.
#[derive(Debug)]
pub enum Entries {}

/// In place of a value's type: a field that is checked and has no other use here.
#[derive(Debug)]
pub enum Unread {}

impl<S, T> Key<S, T> {
    /// A field of any kind. The type must be one that values of this kind become.
    #[must_use]
    pub const fn new(
        name: &'static str,
        kind: Kind,
        default: &'static str,
        meaning: &'static str,
    ) -> Self {
        let field = Field {
            name,
            kind,
            default: documentation(default),
            meaning: documentation(meaning),
            required: false,
            same_as: None,
        };
        Self::of(field)
    }

    const fn of(field: Field) -> Self {
        Self {
            field,
            types: PhantomData,
        }
    }

    /// It must be given.
    #[must_use]
    pub const fn required(&self) -> Self {
        Self::of(Field {
            required: true,
            ..self.field
        })
    }

    /// It is another spelling of the field at `path`.
    #[must_use]
    pub const fn same_as(&self, path: &'static str) -> Self {
        Self::of(Field {
            same_as: Some(path),
            ..self.field
        })
    }
}

impl<S> Key<S, bool> {
    pub(crate) const fn flag(
        name: &'static str,
        default: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self::new(name, Kind::Flag, default, meaning)
    }
}

impl<S> Key<S, Duration> {
    /// A duration above 0.
    #[must_use]
    pub const fn span(name: &'static str, default: &'static str, meaning: &'static str) -> Self {
        Self::new(name, SPAN, default, meaning)
    }

    pub(crate) const fn span_or_zero(
        name: &'static str,
        default: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self::new(name, SPAN_OR_ZERO, default, meaning)
    }
}

impl<S> Key<S, f64> {
    /// A number from 0, or above it, to `max`.
    pub(crate) const fn number(
        name: &'static str,
        zero: bool,
        max: f64,
        default: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self::new(name, Kind::Number { zero, max }, default, meaning)
    }

    /// A part of a whole, which may not be 0.
    pub(crate) const fn share(
        name: &'static str,
        default: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self::new(name, share(false), default, meaning)
    }

    pub(crate) const fn share_or_zero(
        name: &'static str,
        default: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self::new(name, share(true), default, meaning)
    }
}

impl<S, T: Unsigned> Key<S, T> {
    /// A whole number, which the type must be able to hold.
    pub(crate) const fn whole(
        name: &'static str,
        min: u64,
        max: u64,
        default: &'static str,
        meaning: &'static str,
    ) -> Self {
        assert!(max <= T::MAX);
        Self::new(name, Kind::Whole { min, max }, default, meaning)
    }
}

impl<S> Key<S, u32> {
    /// How many of something.
    pub(crate) const fn count(
        name: &'static str,
        default: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self::whole(name, 1, 1_000_000, default, meaning)
    }
}

impl<S> Key<S, Box<str>> {
    pub(crate) const fn text(
        name: &'static str,
        rule: TextRule,
        default: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self::new(name, Kind::Text(rule), default, meaning)
    }
}

impl<S, T: Choice> Key<S, T> {
    /// One of the names of `T`.
    #[must_use]
    pub const fn choice(name: &'static str, default: &'static str, meaning: &'static str) -> Self {
        Self::new(name, Kind::Choice(T::NAMES), default, meaning)
    }
}

impl<S, N: Describe> Key<S, Nested<N>> {
    pub(crate) const fn object(
        name: &'static str,
        default: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self::new(name, Kind::Object(N::SECTION), default, meaning)
    }
}
