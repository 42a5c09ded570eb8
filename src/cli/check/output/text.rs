//! For people: a line for each finding, what to write instead below it, and a summary.

use std::fmt::Write as _;

use steerage_config::Role;

use super::checked::Checked;
use crate::check::diagnostic::Severity;
use crate::document::lines::Position;
use crate::text::{Colour, count, paint};

pub(super) fn written(checked: &Checked<'_>, colour: bool) -> String {
    let mut output = String::new();
    for diagnostic in checked.diagnostics {
        let kind = match diagnostic.severity {
            Severity::Error => paint(Colour::Red, "error", colour),
            Severity::Warning => paint(Colour::Yellow, "warning", colour),
        };
        output.push_str(checked.name(diagnostic.file));
        if let Some(Position { line, column }) = diagnostic.position {
            // Writing to a `String` cannot fail.
            let _ = write!(output, ":{line}:{column}");
        }
        let _ = writeln!(output, ": {kind}: {}", diagnostic.sentence());
        if let Some(help) = &diagnostic.help {
            let _ = writeln!(output, "  {}: {help}", paint(Colour::Green, "help", colour));
        }
    }
    let _ = writeln!(output, "{}", summary(checked, colour));
    output
}

fn summary(checked: &Checked<'_>, colour: bool) -> String {
    let of = |severity| {
        let all = checked.diagnostics.iter();
        all.filter(|diagnostic| diagnostic.severity == severity)
            .count()
    };
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    let refused = match warnings {
        0 => format!("refused, {}", count(errors, "error")),
        _ => format!(
            "refused, {}, {}",
            count(errors, "error"),
            count(warnings, "warning")
        ),
    };
    let good = paint(Colour::Green, "good", colour);
    let warned = count(warnings, "warning");
    match checked.plugins {
        [plugin] => {
            let name = checked.name(plugin.file);
            let verdict = match &plugin.found.parsed {
                _ if !checked.good => refused,
                Ok(Role::Attempts) if warnings == 0 => {
                    format!("{good}, for the module in the router's upstream filters")
                }
                Ok(Role::Filter(config)) => {
                    let endpoints = config.pools.iter().map(|pool| pool.pool.endpoints.len());
                    format!(
                        "{good}, {} with {}, {warned}",
                        count(config.pools.len(), "pool"),
                        count(endpoints.sum(), "endpoint"),
                    )
                }
                _ => format!("{good}, {warned}"),
            };
            format!("{name}: {verdict}")
        }
        [] => {
            let file = checked.diagnostics.first().map_or(0, |first| first.file);
            format!("{}: {refused}", checked.name(file))
        }
        plugins => {
            let mut files: Vec<_> = plugins.iter().map(|plugin| plugin.file).collect();
            files.dedup();
            format!(
                "{} in {}: {}",
                count(plugins.len(), "configuration"),
                count(files.len(), "file"),
                if checked.good {
                    format!("{good}, {warned}")
                } else {
                    refused
                },
            )
        }
    }
}
