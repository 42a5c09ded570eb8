//! The types that checked values become.
//!
//! Example: a list of methods becomes [`Methods`], and so does a single one where both are allowed.

use core::ops::RangeInclusive;
use core::time::Duration;

use steerage_policy::matching::{HostPattern, PathRegex};
use steerage_policy::outcome::GrpcStatus;
use steerage_policy::retry::Statuses;
use steerage_policy::retry::idempotency::Methods;

use crate::value::{Checked, FromValue, Unsigned, Value};

/// Reads `$type` from one form of value.
macro_rules! from_value {
    ($($type:ty: $pattern:pat => $value:expr;)*) => {$(
        impl FromValue for $type {
            fn from_value(checked: &Checked<'_>) -> Option<Self> {
                match &checked.value {
                    $pattern => Some($value),
                    _ => None,
                }
            }
        }
    )*};
}

from_value! {
    bool: Value::Flag(flag) => *flag;
    f64: Value::Number(number) => *number;
    Duration: Value::Span(span) => *span;
    Box<str>: Value::Text(text) => (*text).into();
    PathRegex: Value::Regex(regex) => regex.clone();
    HostPattern: Value::Host(host) => host.clone();
}

/// A value as JSON, for others to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Raw(pub(crate) Box<str>);

impl FromValue for Raw {
    fn from_value(checked: &Checked<'_>) -> Option<Self> {
        match &checked.value {
            Value::Anything(json) => {
                let mut text = String::new();
                json.write(&mut text);
                Some(Self(text.into()))
            }
            _ => None,
        }
    }
}

macro_rules! unsigned {
    ($($type:ty),*) => {$(
        impl Unsigned for $type {
            const MAX: u64 = <$type>::MAX as u64;
        }

        impl FromValue for $type {
            fn from_value(checked: &Checked<'_>) -> Option<Self> {
                match checked.value {
                    Value::Whole(number) => number.try_into().ok(),
                    _ => None,
                }
            }
        }
    )*};
}

unsigned!(u8, u16, u32, usize);

impl FromValue for RangeInclusive<u16> {
    fn from_value(checked: &Checked<'_>) -> Option<Self> {
        match &checked.value {
            Value::Statuses(range) => Some(range.clone()),
            _ => u16::from_value(checked).map(|status| status..=status),
        }
    }
}

/// A failure by its name, or any status by its number.
impl FromValue for GrpcStatus {
    fn from_value(checked: &Checked<'_>) -> Option<Self> {
        match checked.value {
            Value::Choice(position) => u8::try_from(position + 1).ok(),
            _ => u8::from_value(checked),
        }
        .map(Self)
    }
}

/// Every entry of a list, or the only value where it stands without a list.
impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(checked: &Checked<'_>) -> Option<Self> {
        match &checked.value {
            Value::List(list) => list.iter().map(T::from_value).collect(),
            _ => T::from_value(checked).map(|only| vec![only]),
        }
    }
}

impl FromValue for Statuses {
    fn from_value(checked: &Checked<'_>) -> Option<Self> {
        Vec::from_value(checked).map(Self::new)
    }
}

impl FromValue for Methods {
    fn from_value(checked: &Checked<'_>) -> Option<Self> {
        let names: Vec<Box<str>> = FromValue::from_value(checked)?;
        Some(Self::new(names.iter().map(|name| &**name)))
    }
}

/// Headers with a value each, their names in lower case as HTTP/2 wants them.
#[derive(Debug)]
pub(crate) struct Headers<T>(pub(crate) Vec<(Box<str>, T)>);

impl<T: FromValue> FromValue for Headers<T> {
    fn from_value(checked: &Checked<'_>) -> Option<Self> {
        let Value::Headers(headers) = &checked.value else {
            return None;
        };
        let headers = headers.iter().map(|header| {
            let value = T::from_value(&header.checked)?;
            Some((header.name.to_ascii_lowercase().into(), value))
        });
        headers.collect::<Option<_>>().map(Self)
    }
}
