//! What to write in place of what is wrong.
//!
//! The parser states the rule; this knows what users of other programs mean, and shows the line
//! that says it here. It is no part of the filter, which only logs.
//!
//! | file | is about |
//! |---|---|
//! | `names`, `aliases` | fields that are called otherwise elsewhere, or stand in another place |
//! | `values` | values of another type, or in the words of other programs |
//! | `words` | strategies in the words of other programs, slips of the pen |
//! | `syntax` | what is no JSON |
//! | `path` | paths in parts, values in short |
//!
//! Example: for `"max_retries": 3` the help is `write "max_attempts": 4`.

mod aliases;
mod names;
mod path;
mod syntax;
mod values;
pub(super) mod words;

use std::str;
use std::time::Duration;

use steerage_config::{ConfigError, Problem};

use super::found::Found;
use crate::document::Node;
use crate::durations;
use path::{parted, shown, within};

/// The help for an error of this configuration, if there is any.
pub(crate) fn of(error: &ConfigError, found: &Found) -> Option<String> {
    let text = str::from_utf8(&found.json).unwrap_or_default();
    let node = || found.tree.find(&error.path);
    let (_, key) = parted(&error.path);
    match &error.problem {
        Problem::Empty => {
            Some(r#"write {"endpoints": ["a", "b"]}, with the names of clusters"#.into())
        }
        Problem::Syntax {
            line,
            column,
            reason,
        } => syntax::broken(text, *line, *column, reason),
        Problem::PlainText => syntax::other_text(text),
        Problem::NotAnObject if let Some(inner) = found.tree.text() => Some(format!(
            "write the object itself, and not a text of it: {inner}"
        )),
        Problem::NotAnObject => Some(match found.tree.items() {
            [] => r#"write {"endpoints": ["a", "b"]}"#.into(),
            _ => format!(r#"write {{"endpoints": {}}}"#, shown(&found.tree)),
        }),
        Problem::UnknownField { nearest } => names::unknown(&error.path, *nearest, node()?),
        Problem::Required if key == "endpoints" => {
            Some(r#"write "endpoints": ["a", "b"], with the names of clusters"#.into())
        }
        Problem::Required => Some(format!("write \"{key}\"")),
        Problem::Length { .. } if key == "endpoints" => {
            Some(r#"write "endpoints": ["a", "b"], with the names of clusters"#.into())
        }
        Problem::MustBe(kind) => values::other(&error.path, kind, node()?),
        Problem::AtLeast { least, .. } => at_least(&error.path, *least, found),
        Problem::AtMost { most, .. } => Some(format!(
            "write \"{key}\": {} or less",
            durations::written(*most)
        )),
        Problem::OutsidePool => Some(format!(
            "write \"{key}\" in each of the pools, and not beside `pools`"
        )),
        Problem::BothSpellings { other } => Some(format!("remove \"{key}\", or {other}")),
        Problem::Repeated => Some(format!("remove one \"{key}\"")),
        Problem::Duplicate { of } => Some(format!("remove it, or {of}")),
        Problem::NoHostToCheck => Some(r#"write "host": "api.example.com" in health_check"#.into()),
        Problem::RequiredWith { .. } if key == "hash_on" => {
            Some(r#"write "hash_on": "source_ip" in load_balancer"#.into())
        }
        Problem::RequiredWith { .. } if key == "custom_retry_function" => {
            Some(r#"write "custom_retry_function": [0.1, 0.5, 2] in retry_policy"#.into())
        }
        _ => None,
    }
}

/// A value must be longer. Often the other one is too long, because it is meant in milliseconds.
fn at_least(path: &str, least: Duration, found: &Found) -> Option<String> {
    let (section, key) = parted(path);
    let tree = &found.tree;
    let beside = |field: &str| tree.find(&within(section, field));
    for field in ["connect", "read", "base_delay"] {
        let number = beside(field).and_then(Node::number);
        if let Some(number) = number.filter(|number| *number >= 100.0) {
            return Some(format!(
                "a number is of seconds: if milliseconds are meant, write \"{field}\": \"{number}ms\""
            ));
        }
    }
    Some(format!("write \"{key}\": {}", durations::written(least)))
}
