//! The README's samples and tables, and the manual's samples, are those of the code.

use std::collections::BTreeSet;

use steerage_config::schema::{self, Kind, Section};

use crate::documents::spans;
use crate::tree::{document, none};

#[test]
fn samples_in_the_readme_are_configurations() {
    check_samples("README.md");
}

#[test]
fn samples_in_the_manual_of_retries_by_the_router_are_configurations() {
    check_samples("docs/router-retries.md");
}

/// Asserts that there are samples of configurations, and that all of them are good.
#[track_caller]
fn check_samples(name: &str) {
    let text = document(name);
    let samples: Vec<_> = text
        .split("```json\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .filter(|sample| sample.contains("\"endpoints\"") || sample.contains("\"pools\""))
        .collect();
    assert!(!samples.is_empty());
    for sample in samples {
        if let Err(errors) = steerage_config::parse(sample.as_bytes()) {
            panic!("{sample}\n{errors}");
        }
    }
}

#[test]
fn code_in_the_readme_is_that_of_the_example() {
    let readme = document("README.md");
    let example = document("examples/custom-filter/lib.rs");
    let code: Vec<_> = readme
        .split("```rust\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .flat_map(|code| code.trim_end().split("\n\n"))
        .collect();
    assert!(!code.is_empty());
    none(
        "code of the README that is compiled nowhere",
        code.into_iter()
            .filter(|part| !example.contains(part))
            .map(str::to_owned),
    );
}

#[test]
fn the_readme_describes_every_field_and_no_other() {
    let readme = document("README.md");
    let rows: Vec<_> = readme
        .lines()
        .filter(|line| line.starts_with('|'))
        .collect();
    let mut fields = BTreeSet::new();
    collect(&schema::ROOT, "", &mut fields);
    none(
        "fields that no table of the README describes",
        fields
            .iter()
            .filter(|(name, _)| {
                let forms = [format!("`{name}`"), format!("\"{name}\"")];
                !rows
                    .iter()
                    .any(|row| forms.iter().any(|form| row.contains(form)))
            })
            .map(|(name, place)| format!("{place}{name}")),
    );

    let names: BTreeSet<_> = fields.iter().map(|(name, _)| *name).collect();
    let mut in_fields = false;
    let mut unknown = Vec::new();
    for line in readme.lines() {
        if line.starts_with("| field |") {
            in_fields = true;
        } else if !line.starts_with('|') {
            in_fields = false;
        } else if in_fields {
            let first = line.split('|').nth(1).unwrap_or_default();
            let quoted = spans(first).into_iter();
            unknown.extend(
                quoted
                    .filter(|name| !names.contains(name))
                    .map(str::to_owned),
            );
        }
    }
    none("fields of the README that do not exist", unknown);
}

/// Every field, with the path of its section.
fn collect(section: &'static Section, place: &str, fields: &mut BTreeSet<(&'static str, String)>) {
    for field in section.all() {
        fields.insert((field.name, place.to_owned()));
        // A pool of `pools` has the fields of the document itself.
        if field.name != "pools" {
            for inner in sections(&field.kind) {
                collect(inner, &format!("{place}{}.", field.name), fields);
            }
        }
    }
}

/// The sections that a value of this kind may be or hold.
fn sections(kind: &Kind) -> Vec<&'static Section> {
    match kind {
        Kind::Object(section) => vec![section],
        Kind::List { of, .. } => sections(of),
        Kind::Headers(of) => sections(of),
        Kind::Either(kinds) => kinds.iter().flat_map(sections).collect(),
        _ => Vec::new(),
    }
}
