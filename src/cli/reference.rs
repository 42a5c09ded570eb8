//! `schema --format markdown`: the reference of all fields, from the parser's own table.
//!
//! Example: `timeout.read` is the row "| `read` | duration above 0 | 30 | for an attempt to begin
//! to answer once the request is sent |" under the heading "timeout".

use std::fmt::Write as _;

use steerage_config::schema::{Field, Kind, ROOT, Section};

use crate::schema::{SECTIONS, name};

/// What comes before the tables.
const HEAD: &str = "\
# Configuration reference

Every field, made by `make docs` of the table that the filter itself checks configurations with. The
[README](../README.md#configure-it) says what the fields are for; `schema.json` is the same as JSON Schema.

A duration is seconds (`0.25`) or text (`\"250ms\"`, `\"30s\"`, `\"5m\"`, `\"1h\"`), up to 24 h. Where a default is
`–` nothing holds unless the field is given. Rules between fields are named by `steerage check`.
";

/// The whole reference.
pub(crate) fn document() -> String {
    let mut output = HEAD.to_owned();
    section(
        &mut output,
        "The document",
        "besides all fields of a [pool](#pool)",
        ROOT.fields,
        &ROOT,
    );
    for (name, described) in SECTIONS {
        section(
            &mut output,
            name,
            introduction(name),
            described.fields,
            described,
        );
    }
    output
}

/// The place of a section, if its name does not show it.
fn introduction(name: &str) -> &'static str {
    match name {
        "pool" => "an entry of `pools`, or the document itself",
        "header_rule" => "what a header must be, where it is not simply its value",
        "endpoint" => "an entry of `endpoints`, where it is not simply a name",
        "hash_on" => "`load_balancer.hash_on`, where it is an object",
        "condition" => "an entry of `retry_policy.retry_when`; at least one field",
        "first_event" => "an entry of `retry_policy.retry_on_first_event`",
        "budget" | "hedge" => "in `retry_policy`",
        "action" => "an entry of `interceptors.request` and `interceptors.response`",
        "when" => "in an [action](#action)",
        "logging" => "`interceptors.logging`, where it is an object",
        _ => "",
    }
}

fn section(
    output: &mut String,
    title: &str,
    introduction: &str,
    fields: &'static [Field],
    section: &Section,
) {
    // Writing to a `String` cannot fail.
    let _ = write!(output, "\n## {title}\n\n");
    let mut words = introduction.chars();
    if let Some(first) = words.next() {
        let _ = write!(output, "{}{}.", first.to_uppercase(), words.as_str());
        output.push_str(if section.exactly_one.is_empty() {
            "\n\n"
        } else {
            " "
        });
    }
    if !section.exactly_one.is_empty() {
        let names: Vec<_> = section
            .exactly_one
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        let _ = write!(
            output,
            "Exactly one of {} must be given.\n\n",
            names.join(", ")
        );
    }
    output.push_str("| field | value | default | meaning |\n|---|---|---|---|\n");
    for field in fields {
        let _ = writeln!(
            output,
            "| `{}` | {} | {} | {} |",
            field.name,
            cell(&value(&field.kind)),
            cell(&default(field)),
            cell(&meaning(field)),
        );
    }
}

fn default(field: &Field) -> String {
    if field.required {
        "required".into()
    } else if serde_json::from_str::<serde_json::Value>(field.default).is_ok() {
        format!("`{}`", field.default)
    } else {
        field.default.into()
    }
}

fn meaning(field: &Field) -> String {
    let mut meaning = field.meaning.to_owned();
    if let Some(other) = field.same_as {
        let _ = write!(meaning, "; another spelling of `{other}`");
    }
    meaning
}

/// A kind of value, briefly.
fn value(kind: &Kind) -> String {
    match kind {
        Kind::Span { zero: true } => "duration".into(),
        Kind::Span { zero: false } => "duration above 0".into(),
        Kind::SpanWithin { min, max } => format!(
            "duration from {} to {}",
            crate::text::span(*min),
            crate::text::span(*max)
        ),
        Kind::Choice(names) => {
            let names: Vec<_> = names.iter().map(|name| format!("`\"{name}\"`")).collect();
            names.join(", ")
        }
        Kind::List { of, min: 0, .. } => format!("list of: {}", value(of)),
        Kind::List { of, min, max } => format!("list of {min} to {max}: {}", value(of)),
        Kind::Object(section) => match name(section) {
            Some(name) => format!("[{name}](#{name})"),
            None => "object".into(),
        },
        Kind::Headers(of) => format!("object of header names, each with: {}", value(of)),
        Kind::Either(kinds) => {
            let kinds: Vec<_> = kinds.iter().map(value).collect();
            kinds.join(", or ")
        }
        other => other.to_string(),
    }
}

/// `text` in a table, where a bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
