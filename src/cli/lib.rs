//! # steerage-cli: the command line beside the filter
//!
//! It shows what a configuration does before an Envoy loads it: whether the filter would accept it,
//! which parts are likely to be mistakes, which delays follow from it, and which clusters it needs.
//!
//! | file | command |
//! |---|---|
//! | `arguments` | all of them, and their help |
//! | `check` | `check`: errors and warnings with their line and column |
//! | `document` | files as trees of values, each with its place |
//! | `istio`, `durations` | Istio's names of clusters; durations as others write them |
//! | `import` | `import`: a configuration of what others are configured with |
//! | `delays` | `delays`: before each retry, with and without jitter |
//! | `size` | `size`: connections by Little's law |
//! | `render` | `render`: what deploys a configuration |
//! | `schema`, `reference` | `schema`: JSON Schema and reference, from the parser's own table |
//! | `manual` | `man`: manual pages, of the arguments' help |
//! | `source`, `text` | reading files, writing numbers and colours |
//! | `finished` | the result of a command and its exit code |
//!
//! ## Why this way
//! No rule is written twice: `check` calls [`steerage_config::parse`], the parser that is in the
//! filter, and `delays` uses the policy's own backoff and jitter. So the results agree with the
//! filter.
//!
//! ## Limits
//! It runs on a developer's machine and is no part of the module. It does not know which clusters
//! an Envoy has, unless it is shown that Envoy's configuration.
//!
//! ## Example
//! ```
//! let arguments = ["steerage", "size", "--rps", "100", "--response-time", "500ms"];
//! let finished = steerage_cli::run(arguments, false);
//! assert_eq!(finished.status, 0);
//! assert!(finished.output.contains("max_connections            60"));
//! ```

#![forbid(unsafe_code)]

mod arguments;
mod check;
mod delays;
mod document;
mod durations;
mod finished;
mod import;
mod istio;
mod manual;
mod reference;
mod render;
mod schema;
mod size;
mod source;
mod text;

use std::ffi::OsString;

use clap::Parser as _;

use arguments::{Arguments, Command, SchemaFormat};
pub use finished::{FAILED, Finished, REFUSED};

/// Carries out the command of a command line, the program's name first. `colour`: whether the
/// output may be coloured.
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
        Command::Import(import) => import::run(&import),
        Command::Schema(schema) => Finished::with(match schema.format {
            SchemaFormat::Json => text::json(&schema::document()),
            SchemaFormat::Markdown => reference::document(),
        }),
        Command::Man { folder } => manual::run(folder.as_deref()),
        Command::Completions { shell } => Finished::with(arguments::completions(shell)),
    }
}

/// Help, or what is wrong with the arguments.
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
