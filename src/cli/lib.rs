//! # steerage-cli: the command line beside the filter
//!
//! What can be known of a configuration before an Envoy loads it: whether the filter would take it, what is
//! likely to be a mistake in it all the same, which delays it asks for, and what a cluster needs for it.
//!
//! | file | command |
//! |---|---|
//! | `arguments` | all of them, and their help |
//! | `check`, `warnings`, `position` | `check`: errors and traps with their line and column |
//! | `delays` | `delays`: before each retry, with and without jitter |
//! | `size` | `size`: connections by Little's law |
//! | `render` | `render`: what deploys a configuration |
//! | `schema`, `reference` | `schema`: JSON Schema and reference, made of the table that the parser walks |
//! | `source`, `text` | reading files, writing numbers and colours |
//!
//! ## Why this way
//! Nothing is judged here a second time: `check` asks [`steerage_config::parse`], the parser that is in the
//! filter, and `delays` the policy's own backoff and jitter. What is said here is what happens there.
//!
//! ## Limits
//! It runs on a developer's machine and is no part of the module. It does not know which clusters an Envoy
//! has. A line and a column are those of the first place with the path that an error names.
//!
//! ## Example
//! ```
//! let finished = steerage_cli::run(["steerage", "size", "--rps", "100", "--response-time", "500ms"], false);
//! assert_eq!(finished.status, 0);
//! assert!(finished.output.contains("max_connections            60"));
//! ```

#![forbid(unsafe_code)]

mod arguments;
mod check;
mod delays;
mod finished;
mod position;
mod reference;
mod render;
mod schema;
mod size;
mod source;
mod text;
mod warnings;

use std::ffi::OsString;

use clap::Parser as _;

use arguments::{Arguments, Command, SchemaFormat};
pub use finished::{FAILED, Finished, REFUSED};

/// Carries out the command of a command line, the program's name first. `colour`: whether the output may
/// be coloured.
pub fn run<T: Into<OsString> + Clone>(
    arguments: impl IntoIterator<Item = T>,
    colour: bool,
) -> Finished {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return explain(&error, colour),
    };
    match arguments.command {
        Command::Check(check) => check::run(&check, colour),
        Command::Delays(delays) => delays::run(&delays),
        Command::Size(size) => size::run(&size),
        Command::Render { target } => render::run(&target),
        Command::Schema(schema) => Finished::with(match schema.format {
            SchemaFormat::Json => text::json(&schema::document()),
            SchemaFormat::Markdown => reference::document(),
        }),
        Command::Completions { shell } => Finished::with(arguments::completions(shell)),
    }
}

/// Help that was asked for, or what is wrong with the arguments.
fn explain(error: &clap::Error, colour: bool) -> Finished {
    let text = error.render();
    let text = if colour {
        text.ansi().to_string()
    } else {
        text.to_string()
    };
    if error.use_stderr() {
        Finished {
            complaint: text,
            status: FAILED,
            ..Finished::default()
        }
    } else {
        Finished::with(text)
    }
}
