//! What is wrong with a configuration.
//!
//! An error is data: a path, the value found there, and the rule that it breaks. [`fmt::Display`]
//! makes a sentence of it, always in the form `path: rule, got value`.
//!
//! Example: `load_balancer.decay: must be a duration above 0 and at most 24 h: seconds (0.25) or
//! text ("250ms", "30s", "5m", "1h"), got "fast"`.

use core::fmt;
use core::time::Duration;

use steerage_policy::matching::InvalidRegex;

use crate::decimal::Decimal;
use crate::expression::ExpressionError;
use crate::interceptors::TemplateError;
use crate::json::Json;
use crate::kind::{Field, Kind};

/// All errors of one configuration; at least one.
#[derive(Clone, Debug)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    pub(crate) const fn new(errors: Vec<ConfigError>) -> Self {
        Self(errors)
    }

    /// The errors, in the order in which they were found.
    pub fn iter(&self) -> core::slice::Iter<'_, ConfigError> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a ConfigErrors {
    type Item = &'a ConfigError;
    type IntoIter = core::slice::Iter<'a, ConfigError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for ConfigErrors {
    /// One error a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, error) in self.iter().enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl core::error::Error for ConfigErrors {}

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug)]
pub struct ConfigError {
    /// Where, e.g. `pools[1].endpoints[0].weight`; empty if it is the whole document.
    pub path: Box<str>,
    /// What was found there, shortened; `None` where the value does not matter or is a secret.
    pub value: Option<Box<str>>,
    /// The rule that it breaks.
    pub problem: Problem,
}

impl ConfigError {
    /// An error where the value does not matter.
    #[must_use]
    pub fn new(path: String, problem: Problem) -> Self {
        Self {
            path: path.into(),
            value: None,
            problem,
        }
    }

    /// An error that shows the value.
    pub(crate) fn at(path: String, json: &Json, problem: Problem) -> Self {
        Self {
            value: Some(json.excerpt()),
            ..Self::new(path, problem)
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        self.problem.fmt(f)?;
        match &self.value {
            Some(value) => write!(f, ", got {value}"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for ConfigError {}

/// A rule that a configuration breaks.
#[derive(Clone, Debug)]
pub enum Problem {
    /// No bytes arrived.
    Empty,
    /// The bytes are not text.
    Binary,
    /// The text does not look like JSON.
    PlainText,
    /// Not well-formed JSON.
    Syntax {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What the JSON parser says.
        reason: Box<str>,
    },
    /// JSON, but not an object.
    NotAnObject,
    /// A rule of a document other than a configuration, as a sentence without its subject.
    Rule(&'static str),
    /// Refused without an error: a fault of this package.
    Internal,
    /// No field has this name here.
    UnknownField {
        /// The known field with the most similar name, if one is similar.
        nearest: Option<&'static str>,
    },
    /// The same key a second time in one object.
    Repeated,
    /// The field must be given.
    Required,
    /// The field must be given because of another one.
    RequiredWith {
        /// The other field.
        field: &'static str,
        /// Its value.
        value: &'static str,
    },
    /// The field must be given because another one is.
    RequiredBeside {
        /// The other field.
        field: &'static str,
    },
    /// The field may be given only with a certain value of another one.
    OnlyWith {
        /// The other field.
        field: &'static str,
        /// Its value.
        value: &'static str,
    },
    /// Not of this kind, or not within its range.
    MustBe(Kind),
    /// A list of the wrong length.
    Length {
        /// Fewest entries.
        min: usize,
        /// Most entries.
        max: usize,
    },
    /// Not exactly one of these fields.
    ExactlyOne(&'static [&'static str]),
    /// None of these fields.
    AtLeastOne(&'static [Field]),
    /// Not a regular expression.
    Regex(InvalidRegex),
    /// Not an expression.
    Expression(ExpressionError),
    /// Not a template.
    Template(TemplateError),
    /// A condition or a template about an answer, where there is no answer yet.
    OnlyOfAnswers,
    /// An expression that gives no delay.
    NoDelay {
        /// The number of the retry.
        n: u8,
        /// What it gives.
        seconds: f64,
    },
    /// The same as another value that it must differ from.
    Duplicate {
        /// Where the other is.
        of: Box<str>,
    },
    /// Health checks of an endpoint have no host that they could ask for.
    NoHostToCheck,
    /// Given in both spellings.
    BothSpellings {
        /// The path of the other.
        other: Box<str>,
    },
    /// A field of a pool beside `pools`.
    OutsidePool,
    /// A field beside `role`.
    BesideRole,
    /// The configuration of a role that has no pools, where pools are wanted.
    WithoutPools,
    /// Less than other values allow.
    AtLeast {
        /// The other values.
        what: &'static str,
        /// What they come to.
        least: Duration,
    },
    /// More than another value allows.
    AtMost {
        /// The other value.
        what: &'static str,
        /// What it comes to.
        most: Duration,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(
                f,
                "no configuration arrived: give the JSON as a google.protobuf.StringValue; the \
                 smallest one is {SMALLEST}"
            ),
            Self::Binary => f.write_str(
                "the configuration is not text but looks like a binary protobuf, such as \
                 google.protobuf.Struct: give the JSON as a google.protobuf.StringValue",
            ),
            Self::PlainText => {
                write!(f, "the configuration must be JSON, such as {SMALLEST}")
            }
            Self::Syntax {
                line,
                column,
                reason,
            } => write!(
                f,
                "the configuration is not valid JSON at line {line}, column {column}: {reason}"
            ),
            Self::NotAnObject => write!(
                f,
                "the configuration must be a JSON object, such as {SMALLEST}"
            ),
            Self::Rule(rule) => f.write_str(rule),
            Self::Internal => {
                f.write_str("refused without a reason: this is a fault of Steerage itself")
            }
            Self::UnknownField { nearest: None } => f.write_str("unknown field"),
            Self::UnknownField {
                nearest: Some(name),
            } => write!(f, "unknown field, did you mean `{name}`?"),
            Self::Repeated => f.write_str("must be given only once"),
            Self::Required => f.write_str("must be given"),
            Self::RequiredWith { field, value } => {
                write!(f, "must be given when {field} is {value}")
            }
            Self::RequiredBeside { field } => {
                write!(f, "must be given when {field} is given")
            }
            Self::OnlyWith { field, value } => {
                write!(f, "may be given only when {field} is {value}")
            }
            Self::MustBe(kind) => write!(f, "must be {kind}"),
            Self::Length { min, max } => write!(f, "must have {min} to {max} entries"),
            Self::ExactlyOne(names) => {
                write!(f, "must have exactly one of {}", names.join(", "))
            }
            Self::AtLeastOne(fields) => {
                let names: Vec<_> = fields.iter().map(|field| field.name).collect();
                write!(f, "must have at least one of {}", names.join(", "))
            }
            Self::Regex(error) => {
                write!(f, "must be a regular expression: {}", OneLine(error))
            }
            Self::Expression(error) => error.fmt(f),
            Self::Template(error) => error.fmt(f),
            Self::OnlyOfAnswers => f.write_str(
                "may use only in interceptors.response what an answer tells: its status and its time",
            ),
            Self::NoDelay { n, seconds } => write!(
                f,
                "must give 0 or more seconds for every attempt from 1 to 9, gives {} for attempt {n}",
                Decimal(*seconds)
            ),
            Self::Duplicate { of } => write!(f, "must be unique, is the same as {of}"),
            Self::NoHostToCheck => f.write_str(
                "must have `health_check_host` or `authority`, or the pool `health_check.host`, \
                 since health checks cannot ask for a host of its name",
            ),
            Self::BothSpellings { other } => {
                write!(f, "must be given in one spelling only, is also {other}")
            }
            Self::OutsidePool => f.write_str("must be inside the pools when `pools` is given"),
            Self::BesideRole => f.write_str(
                "must not be given beside `role`: that is a configuration of its own, without \
                 another field",
            ),
            Self::WithoutPools => f.write_str(
                "must not be given where the configuration of the filter itself is wanted: this \
                 one has no pools",
            ),
            Self::AtLeast { what, least } => {
                write!(f, "must be at least {what} = {} s", Decimal(least.as_secs_f64()))
            }
            Self::AtMost { what, most } => {
                write!(f, "must be at most {what} = {} s", Decimal(most.as_secs_f64()))
            }
        }
    }
}

/// A foreign error without line breaks, so that one error stays one line.
struct OneLine<'a>(&'a InvalidRegex);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_string().replace(['\n', '\r'], " "))
    }
}

const SMALLEST: &str = r#"{"endpoints": ["a", "b"]}"#;
