//! `check`: the errors for which the filter refuses a configuration, and probable mistakes.
//!
//! Example: `policy.json:1:40: error: timeout.raed: unknown field, did you mean `read`?`

use std::fmt::Write as _;
use std::str;

use serde_json::{Value, json};
use steerage_config::{ConfigError, Problem, Role, parse_role};

use crate::arguments::{Check, Format};
use crate::finished::{Finished, REFUSED};
use crate::position::{Part, Position, Positions};
use crate::source;
use crate::text::{self, Colour, count, paint};
use crate::warnings::{self, Warning};

/// An error or a warning, with its place in the configuration.
#[derive(Debug)]
struct Diagnostic {
    position: Option<Position>,
    path: String,
    /// The rest, without the path.
    message: String,
}

/// Carries out the command.
pub(crate) fn run(arguments: &Check, colour: bool) -> Finished {
    let bytes = match source::bytes(&arguments.file) {
        Ok(bytes) => bytes,
        Err(finished) => return finished,
    };
    let positions = str::from_utf8(&bytes).ok().map(Positions::of);
    let (errors, warnings, role) = match parse_role(&bytes) {
        Ok(role) => {
            let warnings = match &role {
                Role::Filter(config) => warnings::of(config, &source::document(&bytes)),
                Role::Attempts => Vec::new(),
            };
            let place = |warning| warned(warning, positions.as_ref());
            let warnings: Vec<_> = warnings.into_iter().map(place).collect();
            (Vec::new(), warnings, Some(role))
        }
        Err(errors) => {
            let place = |error| refused(error, positions.as_ref());
            (errors.iter().map(place).collect(), Vec::new(), None)
        }
    };
    let (errors, warnings) = (sorted(errors), sorted(warnings));
    let name = source::name(&arguments.file);
    let output = match arguments.format {
        Format::Text => for_people(&name, &errors, &warnings, role.as_ref(), colour),
        Format::Json => for_programs(&name, role.is_some(), &errors, &warnings),
    };
    // A refused configuration is bad even if it has no error in the list.
    let good = role.is_some() && (warnings.is_empty() || !arguments.strict);
    Finished {
        output,
        status: if good { 0 } else { REFUSED },
        ..Finished::default()
    }
}

/// In the order of the text; what is found later is not less important.
fn sorted(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostics.sort_by_key(|diagnostic| {
        let place = diagnostic.position;
        place.map(|Position { line, column }| (line, column))
    });
    diagnostics
}

fn warned(warning: Warning, positions: Option<&Positions<'_>>) -> Diagnostic {
    Diagnostic {
        position: positions.map(|positions| positions.find(&warning.path, Part::Value)),
        path: warning.path,
        message: warning.message,
    }
}

fn refused(error: &ConfigError, positions: Option<&Positions<'_>>) -> Diagnostic {
    let part = match error.problem {
        Problem::UnknownField { .. } | Problem::OutsidePool | Problem::BesideRole => Part::Key,
        Problem::Repeated => Part::SecondKey,
        _ => Part::Value,
    };
    let position = match error.problem {
        Problem::Syntax { line, column, .. } => Some(Position { line, column }),
        Problem::Empty | Problem::Binary | Problem::PlainText => None,
        _ => positions.map(|positions| positions.find(&error.path, part)),
    };
    let value = error.value.as_ref();
    Diagnostic {
        position,
        path: error.path.to_string(),
        message: match value {
            Some(value) => format!("{}, got {value}", error.problem),
            None => error.problem.to_string(),
        },
    }
}

fn for_people(
    name: &str,
    errors: &[Diagnostic],
    warnings: &[Diagnostic],
    role: Option<&Role>,
    colour: bool,
) -> String {
    let mut output = String::new();
    let error = paint(Colour::Red, "error", colour);
    let warning = paint(Colour::Yellow, "warning", colour);
    let errors_first = errors.iter().map(|diagnostic| (&error, diagnostic));
    for (kind, diagnostic) in
        errors_first.chain(warnings.iter().map(|diagnostic| (&warning, diagnostic)))
    {
        output.push_str(name);
        if let Some(Position { line, column }) = diagnostic.position {
            // Writing to a `String` cannot fail.
            let _ = write!(output, ":{line}:{column}");
        }
        let colon = if diagnostic.path.is_empty() { "" } else { ": " };
        let Diagnostic { path, message, .. } = diagnostic;
        let _ = writeln!(output, ": {kind}: {path}{colon}{message}");
    }
    let good = paint(Colour::Green, "good", colour);
    let summary = match role {
        None => format!("refused, {}", count(errors.len(), "error")),
        Some(Role::Attempts) => {
            format!("{good}, for the module in the router's upstream filters")
        }
        Some(Role::Filter(config)) => {
            let endpoints = config.pools.iter().map(|pool| pool.pool.endpoints.len());
            format!(
                "{good}, {} with {}, {}",
                count(config.pools.len(), "pool"),
                count(endpoints.sum(), "endpoint"),
                count(warnings.len(), "warning"),
            )
        }
    };
    let _ = writeln!(output, "{name}: {summary}");
    output
}

fn for_programs(name: &str, valid: bool, errors: &[Diagnostic], warnings: &[Diagnostic]) -> String {
    text::json(&json!({
        "file": name,
        "valid": valid,
        "errors": errors.iter().map(diagnostic).collect::<Vec<_>>(),
        "warnings": warnings.iter().map(diagnostic).collect::<Vec<_>>(),
    }))
}

fn diagnostic(diagnostic: &Diagnostic) -> Value {
    json!({
        "path": diagnostic.path,
        "message": diagnostic.message,
        "line": diagnostic.position.map(|position| position.line),
        "column": diagnostic.position.map(|position| position.column),
    })
}
