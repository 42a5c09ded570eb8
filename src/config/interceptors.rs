//! What a pool changes in the headers of its messages, and what it logs, as valid data.
//!
//! Values are templates: text with variables that have a value only when a message is sent.
//! Templates are parsed with the configuration, so an unknown variable is an error there.
//!
//! Limits: names are in lower case, [`is_changeable`], and not that of the routing header. Only
//! changes to answers have conditions on an answer.
//!
//! Example: `{"set_header": {"x-try": "{attempt} of {{many}}"}}` sends `x-try: 2 of {many}` with
//! the second attempt.
//!
//! [`is_changeable`]: steerage_policy::headers::is_changeable

use core::fmt;
use core::time::Duration;

use steerage_policy::matching::HeaderRule;
use steerage_policy::retry::Statuses;

/// What is done to the messages of one pool; nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interceptors {
    /// Changes to every attempt, in order.
    pub request: Vec<HeaderAction>,
    /// Changes to the answer to the client, in order.
    pub response: Vec<HeaderAction>,
    /// Whether attempts are logged, and which.
    pub logging: Option<Logging>,
}

/// A change of headers, and when it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderAction {
    /// What is changed.
    pub change: Change,
    /// When.
    pub when: When,
}

/// A change of headers. Names in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Sets these headers; former values are lost.
    Set(Vec<(Box<str>, Template)>),
    /// Adds these headers to those of the same name.
    Add(Vec<(Box<str>, Template)>),
    /// Removes this header.
    Remove(Box<str>),
}

/// Conditions on a message; all that are given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct When {
    /// The answer's status is one of these; never given for attempts.
    pub status: Option<Statuses>,
    /// Every header's rule holds. Names in lower case.
    pub headers: Vec<(Box<str>, HeaderRule)>,
    /// The number of the attempt is one of these.
    pub attempt: Option<Vec<u8>>,
    /// The attempt took longer; never given for attempts.
    pub slower_than: Option<Duration>,
}

/// How attempts are logged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logging {
    /// The level of the lines.
    pub level: Level,
    /// Only attempts that took longer are logged; zero logs them all.
    pub slower_than: Duration,
}

/// A level of the host's log. The numbers are the ABI's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// `trace`
    Trace = 0,
    /// `debug`
    Debug = 1,
    /// `info`
    #[default]
    Info = 2,
    /// `warn`
    Warn = 3,
    /// `error`
    Error = 4,
    /// `critical`
    Critical = 5,
}

impl Level {
    /// Every level, the lowest first.
    pub const ALL: [Self; 6] = [
        Self::Trace,
        Self::Debug,
        Self::Info,
        Self::Warn,
        Self::Error,
        Self::Critical,
    ];

    /// The name in configurations.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

/// Text with variables that have a value when a message is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

/// A part of a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// This.
    Text(Box<str>),
    /// The value of this variable.
    Variable(Variable),
}

/// A variable of a [`Template`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    /// `{attempt}`: the attempt's number, from 1; for an answer how many there were.
    Attempt,
    /// `{endpoint}`: the name of the attempt's endpoint.
    Endpoint,
    /// `{pool}`: the name of the pool.
    Pool,
    /// `{response_time}`: how long the attempt took, in seconds with three decimals.
    ResponseTime,
}

impl Variable {
    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "attempt" => Self::Attempt,
            "endpoint" => Self::Endpoint,
            "pool" => Self::Pool,
            "response_time" => Self::ResponseTime,
            _ => return None,
        })
    }
}

impl Template {
    /// Reads a template. `{{` and `}}` stand for braces.
    ///
    /// # Errors
    /// [`TemplateError`]: a brace alone, or a name that is not known.
    pub fn new(text: &str) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, brace, after)) = split_at_brace(rest) {
            plain.push_str(before);
            rest = if let Some(after) = after.strip_prefix(brace) {
                plain.push(brace);
                after
            } else {
                let (name, after) = match after.split_once(['{', '}']) {
                    Some((name, after)) if brace == '{' => (name, after),
                    _ => return Err(TemplateError::LoneBrace),
                };
                let variable = Variable::from_name(name).ok_or(TemplateError::Unknown)?;
                if !plain.is_empty() {
                    pieces.push(Piece::Text(core::mem::take(&mut plain).into()));
                }
                pieces.push(Piece::Variable(variable));
                after
            };
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain.into()));
        }
        Ok(Self(pieces))
    }

    /// Its parts, in order.
    #[must_use]
    pub fn pieces(&self) -> &[Piece] {
        &self.0
    }

    /// Whether it names this.
    #[must_use]
    pub fn names(&self, variable: Variable) -> bool {
        self.0.contains(&Piece::Variable(variable))
    }
}

/// What comes before the first brace, the brace, and what comes after it.
fn split_at_brace(text: &str) -> Option<(&str, char, &str)> {
    let at = text.find(['{', '}'])?;
    let (before, rest) = text.split_at_checked(at)?;
    let brace = rest.chars().next()?;
    Some((before, brace, rest.strip_prefix(brace)?))
}

/// Why text is no [`Template`]. `Display` is a sentence without a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateError {
    /// A brace that neither encloses a name nor is written twice.
    LoneBrace,
    /// A name that is not known.
    Unknown,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LoneBrace => "must have braces in pairs; `{{` and `}}` stand for a brace itself",
            Self::Unknown => {
                "must name only {attempt}, {endpoint}, {pool} and {response_time} in braces"
            }
        })
    }
}

impl core::error::Error for TemplateError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates() {
        let text = |text: &str| Piece::Text(text.into());
        let variable = Piece::Variable;
        for (template, expected) in [
            ("", Ok(vec![])),
            ("a b", Ok(vec![text("a b")])),
            ("{attempt}", Ok(vec![variable(Variable::Attempt)])),
            (
                "{pool}/{endpoint} ",
                Ok(vec![
                    variable(Variable::Pool),
                    text("/"),
                    variable(Variable::Endpoint),
                    text(" "),
                ]),
            ),
            ("{{attempt}}", Ok(vec![text("{attempt}")])),
            (
                "{{{response_time}}}",
                Ok(vec![text("{"), variable(Variable::ResponseTime), text("}")]),
            ),
            ("ä{{", Ok(vec![text("ä{")])),
            ("{", Err(TemplateError::LoneBrace)),
            ("a}", Err(TemplateError::LoneBrace)),
            ("}{", Err(TemplateError::LoneBrace)),
            ("{attempt", Err(TemplateError::LoneBrace)),
            ("{}", Err(TemplateError::Unknown)),
            ("{Attempt}", Err(TemplateError::Unknown)),
            ("{a{attempt}", Err(TemplateError::Unknown)),
            ("{ attempt }", Err(TemplateError::Unknown)),
        ] {
            assert_eq!(
                Template::new(template),
                expected.map(Template),
                "{template}"
            );
        }
    }

    #[test]
    fn levels_have_the_names_of_the_host() {
        assert_eq!(Level::default().name(), "info");
        assert_eq!(Level::Critical.name(), "critical");
        assert_eq!(Level::ALL.map(|level| level as u8), [0, 1, 2, 3, 4, 5]);
    }
}
