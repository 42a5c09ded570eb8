//! `check`: what is wrong with configurations, and with what stands around them.
//!
//! | file | what |
//! |---|---|
//! | `files` | the files, and those of folders: a configuration, or documents in which there are some |
//! | `plugins`, `found` | each configuration, with its places in the file and what it is part of |
//! | `help` | for an error, what to write instead |
//! | `policy_warnings`, `written` | configurations that are accepted, and probably mistakes |
//! | `around` | routes, clusters, resources: whether they fit |
//! | `report`, `diagnostic` | what was found, in the order of the text |
//! | `output` | for people, programs, SARIF and GitHub |
//!
//! Example: `envoy.yaml:58:40: error: timeout.raed: unknown field, did you mean `read`?`

mod around;
mod diagnostic;
mod files;
mod found;
mod help;
mod output;
mod plugins;
mod policy_warnings;
mod report;
mod written;

use steerage_config::{ConfigError, Role};

use crate::arguments::Check;
use crate::document::places::Part;
use crate::finished::{Finished, REFUSED};
use around::Scene;
use diagnostic::{Diagnostic, Severity};
use files::{Content, File};
use found::Found;
use output::Checked;
use plugins::Plugin;
use report::{Remark, Report, Spot};

/// Carries out the command.
pub(crate) fn run(arguments: &Check, colour: bool) -> Finished {
    let files = match files::read(&arguments.files) {
        Ok(files) => files,
        Err(finished) => return finished,
    };
    let plugins = plugins::all(&files);
    let diagnostics = check(&files, &plugins);
    if plugins.is_empty() && diagnostics.is_empty() {
        let names: Vec<_> = arguments
            .files
            .iter()
            .map(|file| crate::source::name(file))
            .collect();
        return Finished::failed(&format!(
            "no configuration of Steerage in {}",
            names.join(", ")
        ));
    }
    let has = |severity| diagnostics.iter().any(|it| it.severity == severity);
    // A refused configuration is bad even if it has no error in the list.
    let good = plugins.iter().all(|plugin| plugin.found.parsed.is_ok()) && !has(Severity::Error);
    let checked = Checked {
        files: &files,
        plugins: &plugins,
        diagnostics: &diagnostics,
        good,
    };
    Finished {
        output: output::written(&checked, arguments.format, colour),
        status: if good && !(arguments.strict && has(Severity::Warning)) {
            0
        } else {
            REFUSED
        },
        ..Finished::default()
    }
}

fn check(files: &[File], plugins: &[Plugin<'_>]) -> Vec<Diagnostic> {
    let mut report = Report::of(files);
    for (index, file) in files.iter().enumerate() {
        if let Content::Unreadable(unreadable) = &file.content {
            let message = format!("the file is no YAML: {}", unreadable.reason);
            let remark = Remark::new("syntax", message);
            let spot = Spot::new(index, unreadable.at);
            // A folder may hold templates, which become YAML later.
            if file.is_found {
                report.warn(spot, remark);
            } else {
                report.error(spot, remark);
            }
        }
    }
    for plugin in plugins {
        configuration(plugin.file, &plugin.found, &mut report);
    }
    around::check(&Scene::of(files, plugins), &mut report);
    report.finish()
}

/// What is wrong with a configuration by itself.
fn configuration(file: usize, found: &Found, report: &mut Report<'_>) {
    for remark in written::of(found) {
        place(file, found, remark, report);
    }
    match &found.parsed {
        Ok(Role::Attempts) => {}
        Ok(Role::Filter(config)) => {
            for remark in policy_warnings::of(config, &found.json) {
                place(file, found, remark, report);
            }
        }
        Err(errors) => {
            for (index, error) in errors.iter().enumerate() {
                // Thousands of errors have one cause.
                let help = (index < MOST_HELP)
                    .then(|| help::of(error, found))
                    .flatten();
                let at = found.byte_of(error);
                let remark = Remark {
                    rule: rule(error),
                    path: error.path.to_string(),
                    message: message(error),
                    help,
                };
                report.error(Spot { file, at }, remark);
            }
        }
    }
}

fn place(file: usize, found: &Found, remark: Remark, report: &mut Report<'_>) {
    let at = found.byte(&remark.path, Part::Value);
    report.warn(Spot::new(file, at), remark);
}

fn message(error: &ConfigError) -> String {
    match &error.value {
        Some(value) => format!("{}, got {value}", error.problem),
        None => error.problem.to_string(),
    }
}

/// The name of a kind of error.
fn rule(error: &ConfigError) -> &'static str {
    use steerage_config::Problem::{
        Binary, Duplicate, Empty, MustBe, NotAnObject, PlainText, Repeated, Required, Syntax,
        UnknownField,
    };
    match error.problem {
        Empty | Binary | PlainText | NotAnObject | Syntax { .. } => "syntax",
        UnknownField { .. } => "unknown-field",
        Required => "required",
        MustBe(_) => "value",
        Repeated | Duplicate { .. } => "repeated",
        _ => "fields-together",
    }
}

/// How many errors of a configuration get help.
const MOST_HELP: usize = 100;
