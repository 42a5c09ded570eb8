//! An operator's request to override an endpoint's health or circuit, as JSON or as a query.
//!
//! It is read like a section of a configuration, with the same errors.
//!
//! Example: `{"state": "open", "timeout": "1m"}` opens a circuit for a minute, and so does
//! `state=open&timeout=1m`. `{"health": "ill"}` is the error that `health` must be one of healthy,
//! degraded, unhealthy, auto.

use core::time::Duration;

use steerage_config::error::{ConfigError, ConfigErrors, Problem};
use steerage_config::table::{Document, Errors, Fields, Key, Reported};
use steerage_config::{choice, section};
use steerage_policy::endpoint::operator::{Circuit, Override};
use steerage_policy::health::Health;

/// What is overridden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// An endpoint's health: `{"health": "healthy" | "degraded" | "unhealthy" | "auto"}`.
    Health,
    /// Its circuit: `{"state": "open" | "closed" | "auto", "timeout": 60.0}`.
    Circuit,
}

section! {
    /// An override of an endpoint's health.
    static HEALTH_OVERRIDE: HealthOverride;
    HEALTH: HealthName = Key::choice(
        "health",
        "–",
        "what the endpoint's health is to be; auto gives it back to checks and traffic",
    )
    .required();
}

section! {
    /// An override of an endpoint's circuit.
    static CIRCUIT_OVERRIDE: CircuitOverride;
    STATE: CircuitName = Key::choice(
        "state",
        "–",
        "what the circuit is to be; auto gives it back to the breaker",
    )
    .required();
    TIMEOUT: Duration = Key::span("timeout", "for ever", "for how long");
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum HealthName {
    Healthy,
    Degraded,
    Unhealthy,
    Auto,
}

impl HealthName {
    const ALL: [Self; 4] = [Self::Healthy, Self::Degraded, Self::Unhealthy, Self::Auto];

    const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
            Self::Auto => "auto",
        }
    }
}

choice!(HealthName);

#[derive(Clone, Copy, Debug)]
pub(crate) enum CircuitName {
    Open,
    Closed,
    Auto,
}

impl CircuitName {
    const ALL: [Self; 3] = [Self::Open, Self::Closed, Self::Auto];

    const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Auto => "auto",
        }
    }
}

choice!(CircuitName);

/// Reads the body of a request.
pub(crate) fn read(subject: Subject, body: &[u8]) -> Result<Override, ConfigErrors> {
    match Document::from_json(body) {
        Some(document) => requested(subject, &document),
        None => {
            let mut errors = Errors::default();
            let problem = Problem::Rule("the body must be a JSON object");
            let refused = Err(errors.report(ConfigError::new(String::new(), problem)));
            errors.finish(refused)
        }
    }
}

/// Reads the query of a request: `state=open&timeout=60`.
pub(crate) fn read_query(subject: Subject, query: &str) -> Result<Override, ConfigErrors> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    requested(subject, &Document::from_pairs(pairs))
}

fn requested(subject: Subject, document: &Document) -> Result<Override, ConfigErrors> {
    match subject {
        Subject::Health => document.read(health),
        Subject::Circuit => document.read(circuit),
    }
}

fn health(fields: &Fields<'_, HealthOverride>, errors: &mut Errors) -> Result<Override, Reported> {
    Ok(Override::Health(
        match fields.required(&HEALTH, errors)? {
            HealthName::Healthy => Some(Health::Healthy),
            HealthName::Degraded => Some(Health::Degraded),
            HealthName::Unhealthy => Some(Health::Unhealthy),
            HealthName::Auto => None,
        },
    ))
}

fn circuit(
    fields: &Fields<'_, CircuitOverride>,
    errors: &mut Errors,
) -> Result<Override, Reported> {
    let state = fields.required(&STATE, errors)?;
    let lasts = fields.get(&TIMEOUT)?;
    Ok(Override::Circuit(match state {
        CircuitName::Open => Some((Circuit::Open, lasts)),
        CircuitName::Closed => Some((Circuit::Closed, lasts)),
        CircuitName::Auto => {
            if lasts.is_some() {
                let problem = Problem::Rule("must not be given with \"auto\"");
                return Err(errors.report(fields.error(&TIMEOUT, problem)));
            }
            None
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(subject: Subject, body: &[u8], expected: &str) {
        let errors = read(subject, body).unwrap_err();
        assert_eq!(errors.to_string(), expected);
    }

    #[test]
    fn every_override_is_understood_in_a_body_and_in_a_query() {
        let minute = Some(Duration::from_secs(60));
        for (subject, body, query, expected) in [
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
            assert_eq!(
                read(subject, body.as_bytes()).ok(),
                Some(expected),
                "{body}"
            );
            assert_eq!(read_query(subject, query).ok(), Some(expected), "{query}");
        }
    }

    #[test]
    fn any_other_request_is_refused_with_the_rule() {
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
