//! What an operator says to the admin surface, as JSON.
//!
//! The same reading and the same errors as of a configuration: a word is a small document with a schema
//! of its own.
//!
//! ```
//! use steerage_config::operator::{self, Subject};
//! use steerage_policy::endpoint::operator::{Circuit, Override};
//!
//! let word = operator::read(Subject::Circuit, br#"{"state": "open"}"#)?;
//! assert_eq!(word, Override::Circuit(Some((Circuit::Open, None))));
//!
//! let errors = operator::read(Subject::Health, br#"{"health": "ill"}"#).unwrap_err();
//! assert_eq!(
//!     errors.to_string(),
//!     "health: must be one of healthy, degraded, unhealthy, auto, got \"ill\""
//! );
//! # Ok::<(), steerage_config::ConfigErrors>(())
//! ```

use core::str;

use steerage_policy::endpoint::operator::{Circuit, Override};
use steerage_policy::health::Health;

use crate::check;
use crate::error::{ConfigError, ConfigErrors, Problem};
use crate::fields::{Fields, Reported};
use crate::json::{Json, Object};
use crate::schema::{CIRCUIT_WORD, HEALTH_WORD};

/// What is spoken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An endpoint's health: `{"health": "healthy" | "degraded" | "unhealthy" | "auto"}`.
    Health,
    /// Its circuit: `{"state": "open" | "closed" | "auto", "timeout": 60.0}`.
    Circuit,
}

/// Reads what is said in the body of a request.
///
/// # Errors
/// [`ConfigErrors`]: everything that is wrong with it.
pub fn read(subject: Subject, body: &[u8]) -> Result<Override, ConfigErrors> {
    let json = str::from_utf8(body).ok().map(serde_json::from_str::<Json>);
    match json {
        Some(Ok(Json::Object(object))) => word(subject, &object),
        _ => Err(ConfigErrors::new(vec![ConfigError {
            path: "".into(),
            value: None,
            problem: Problem::NoWord,
        }])),
    }
}

/// Reads what is said in a query: `state=open&timeout=60`.
///
/// # Errors
/// [`ConfigErrors`]: everything that is wrong with it.
pub fn read_query(subject: Subject, query: &str) -> Result<Override, ConfigErrors> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let object = pairs.map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        // What looks like a number is one: a duration may be.
        let number = value.parse().ok().map(Json::Number);
        (
            key.into(),
            number.unwrap_or_else(|| Json::Text(value.into())),
        )
    });
    word(subject, &Object(object.collect()))
}

fn word(subject: Subject, object: &Object) -> Result<Override, ConfigErrors> {
    let section = match subject {
        Subject::Health => &HEALTH_WORD,
        Subject::Circuit => &CIRCUIT_WORD,
    };
    let mut errors = Vec::new();
    check::object(section, object, "", &mut errors);
    let fields = Fields::new(object, section, String::new());
    let word = match subject {
        Subject::Health => health(&fields),
        Subject::Circuit => circuit(&fields, &mut errors),
    };
    match word {
        Ok(word) if errors.is_empty() => Ok(word),
        _ => Err(ConfigErrors::new(errors)),
    }
}

fn health(fields: &Fields<'_>) -> Result<Override, Reported> {
    let health = match fields.text("health")?.ok_or(Reported)? {
        "healthy" => Some(Health::Healthy),
        "degraded" => Some(Health::Degraded),
        "unhealthy" => Some(Health::Unhealthy),
        _ => None,
    };
    Ok(Override::Health(health))
}

fn circuit(fields: &Fields<'_>, errors: &mut Vec<ConfigError>) -> Result<Override, Reported> {
    let state = fields.text("state")?.ok_or(Reported)?;
    let lasts = fields.span("timeout")?;
    let circuit = match state {
        "open" => Circuit::Open,
        "closed" => Circuit::Closed,
        _ => {
            if lasts.is_some() {
                errors.push(fields.error("timeout", Problem::WithoutEnd));
            }
            return Ok(Override::Circuit(None));
        }
    };
    Ok(Override::Circuit(Some((circuit, lasts))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    #[track_caller]
    fn refused(subject: Subject, body: &[u8], expected: &str) {
        let errors = read(subject, body).unwrap_err();
        assert_eq!(errors.to_string(), expected);
    }

    #[test]
    fn every_word_is_understood_in_a_body_and_in_a_query() {
        let minute = Some(Duration::from_secs(60));
        for (subject, body, query, word) in [
            (
                Subject::Health,
                r#"{"health": "healthy"}"#,
                "health=healthy",
                Override::Health(Some(Health::Healthy)),
            ),
            (
                Subject::Health,
                r#"{"health": "degraded"}"#,
                "health=degraded",
                Override::Health(Some(Health::Degraded)),
            ),
            (
                Subject::Health,
                r#"{"health": "unhealthy"}"#,
                "health=unhealthy",
                Override::Health(Some(Health::Unhealthy)),
            ),
            (
                Subject::Health,
                r#"{"health": "auto"}"#,
                "health=auto",
                Override::Health(None),
            ),
            (
                Subject::Circuit,
                r#"{"state": "open", "timeout": 60.0}"#,
                "state=open&timeout=60",
                Override::Circuit(Some((Circuit::Open, minute))),
            ),
            (
                Subject::Circuit,
                r#"{"state": "open", "timeout": "1m"}"#,
                "state=open&timeout=1m",
                Override::Circuit(Some((Circuit::Open, minute))),
            ),
            (
                Subject::Circuit,
                r#"{"state": "closed"}"#,
                "state=closed",
                Override::Circuit(Some((Circuit::Closed, None))),
            ),
            (
                Subject::Circuit,
                r#"{"state": "auto"}"#,
                "state=auto",
                Override::Circuit(None),
            ),
        ] {
            assert_eq!(read(subject, body.as_bytes()).ok(), Some(word), "{body}");
            assert_eq!(read_query(subject, query).ok(), Some(word), "{query}");
        }
    }

    #[test]
    fn what_is_no_word_is_refused_with_the_rule() {
        let no_json = "the body must be a JSON object";
        for body in [&b""[..], b"open", b"[1]", b"{\"state\"", b"\xff\xfe"] {
            refused(Subject::Circuit, body, no_json);
        }
        refused(Subject::Health, b"{}", "health: must be given");
        refused(
            Subject::Circuit,
            br#"{"timeout": 1}"#,
            "state: must be given",
        );
        refused(
            Subject::Circuit,
            br#"{"state": "auto", "timeout": 1}"#,
            "timeout: must not be given with \"auto\", got 1",
        );
        refused(
            Subject::Circuit,
            br#"{"state": "open", "timeout": 0, "force": true}"#,
            "timeout: must be a duration above 0 and at most 24 h: seconds (0.25) or text (\"250ms\", \"30s\", \"5m\", \"1h\"), got 0\n\
             force: unknown field",
        );
    }
}
