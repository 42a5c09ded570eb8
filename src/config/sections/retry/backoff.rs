//! The delays of `retry_policy`: the strategy, its bounds, and how delays are spread.
//!
//! Example: `{"strategy": "linear", "base_delay": 0.1}` gives 0.1 s, 0.2 s, 0.3 s, each spread by
//! the default jitter.

use core::time::Duration;

use steerage_policy::retry::backoff::Delays;
use steerage_policy::retry::jitter::{Bounds, Jitter};

use crate::choice;
use crate::expression::Expression;
use crate::value::{Checked, FromValue, Value};

/// The names of the strategies.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum BackoffName {
    Exponential,
    Linear,
    Fibonacci,
    Fixed,
    Custom,
}

impl BackoffName {
    const ALL: [Self; 5] = [
        Self::Exponential,
        Self::Linear,
        Self::Fibonacci,
        Self::Fixed,
        Self::Custom,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Exponential => "exponential",
            Self::Linear => "linear",
            Self::Fibonacci => "fibonacci",
            Self::Fixed => "fixed",
            Self::Custom => "custom",
        }
    }
}

choice!(BackoffName);

/// A strategy with what it takes.
pub(crate) enum Backoff<'a> {
    Exponential { factor: f64 },
    Linear,
    Fibonacci,
    Fixed,
    Custom(&'a OwnDelays),
}

impl Backoff<'_> {
    pub(super) fn delays(&self, Bounds { base, max }: Bounds) -> Delays {
        match self {
            Self::Exponential { factor } => Delays::exponential(base, *factor, max),
            Self::Linear => Delays::linear(base, max),
            Self::Fibonacci => Delays::fibonacci(base, max),
            Self::Fixed => Delays::fixed(base, max),
            Self::Custom(OwnDelays::Expression(expression)) => {
                Delays::custom(|n| expression.value(f64::from(n)), max)
            }
            Self::Custom(OwnDelays::List(list)) => Delays::list(list, max),
        }
    }
}

/// `custom_retry_function`.
pub(crate) enum OwnDelays {
    Expression(Expression),
    List(Vec<Duration>),
}

impl FromValue for OwnDelays {
    fn from_value(checked: &Checked<'_>) -> Option<Self> {
        match &checked.value {
            Value::Expression(expression) => Some(Self::Expression(expression.clone())),
            _ => Vec::from_value(checked).map(Self::List),
        }
    }
}

/// The names of the ways to spread a delay.
#[derive(Clone, Copy)]
pub(crate) enum JitterName {
    None,
    Full,
    Equal,
    Decorrelated,
}

impl JitterName {
    const ALL: [Self; 4] = [Self::None, Self::Full, Self::Equal, Self::Decorrelated];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Full => "full",
            Self::Equal => "equal",
            Self::Decorrelated => "decorrelated",
        }
    }
}

choice!(JitterName);

/// `jitter`: whether delays are spread by `jitter_range`, or in which other way.
pub(crate) enum Spread {
    ByRange(bool),
    Named(JitterName),
}

impl FromValue for Spread {
    fn from_value(checked: &Checked<'_>) -> Option<Self> {
        match checked.choice() {
            Some(name) => Some(Self::Named(name)),
            None => bool::from_value(checked).map(Self::ByRange),
        }
    }
}

impl Spread {
    pub(super) const fn jitter(self, range: f64) -> Jitter {
        match self {
            Self::ByRange(true) => Jitter::Range(range),
            Self::ByRange(false) | Self::Named(JitterName::None) => Jitter::None,
            Self::Named(JitterName::Full) => Jitter::Full,
            Self::Named(JitterName::Equal) => Jitter::Equal,
            Self::Named(JitterName::Decorrelated) => Jitter::Decorrelated,
        }
    }
}
