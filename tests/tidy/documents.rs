//! What `ARCHITECTURE.md`, the README and the manual of retries by the router name exists.

use std::collections::BTreeSet;
use std::fs;

use crate::tree::{document, files, none, paths, root};

#[test]
fn paths_in_documents_exist() {
    let paths = paths();
    let exists = |named: &str| {
        let named = named.trim_end_matches('/');
        let below = format!("/{named}");
        paths.iter().any(|path| {
            let path = path.trim_end_matches('/');
            path == named || path.ends_with(&below)
        })
    };
    let mut missing = Vec::new();
    for name in ["ARCHITECTURE.md", "README.md", "docs/router-retries.md"] {
        let Ok(text) = fs::read_to_string(root().join(name)) else {
            missing.push(name.to_owned());
            continue;
        };
        let text = without_fences(&text);
        let linked = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split([')', '#']).next())
            .filter(|target| !target.is_empty() && !target.contains(':'));
        let quoted = spans(&text)
            .into_iter()
            .filter(|span| looks_like_a_path(span));
        for path in linked.chain(quoted) {
            if !exists(path) {
                missing.push(format!("{name}: {path}"));
            }
        }
    }
    none("paths that do not exist", missing);
}

/// Whether this names a file or a folder of the tree: `src/host.rs`, `host.rs`, `filter/`.
fn looks_like_a_path(span: &str) -> bool {
    const ENDINGS: [&str; 8] = [
        ".rs", ".md", ".toml", ".yaml", ".yml", ".sh", ".json", ".lock",
    ];
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let built = span.starts_with("target/");
    let relative = !span.starts_with(['/', '.']) || span.starts_with(".ci");
    let ending = ENDINGS.iter().any(|ending| span.ends_with(ending));
    let folder = ["src/", "tests/", "envoy/", "docs/", "benches/", "examples/"]
        .iter()
        .any(|top| span.starts_with(top))
        || span.ends_with('/');
    span.chars().all(plain) && relative && !built && (ending || folder) && span.len() > 1
}

/// The document without its fenced blocks, whose backticks are no quotes.
fn without_fences(text: &str) -> String {
    let mut fenced = false;
    let mut kept = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// What stands between backticks.
pub(crate) fn spans(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_invariant_names_a_test_that_holds_it() {
    let tests: BTreeSet<_> = files()
        .into_iter()
        .filter(|file| file.is_rust() && file.is_under(&["src/", "tests/"]))
        .flat_map(|file| {
            let names = file.text.split("#[test]").skip(1).filter_map(|rest| {
                let (_, name) = rest.split_once("fn ")?;
                Some(name.split_once('(')?.0.to_owned())
            });
            names.collect::<Vec<_>>()
        })
        .collect();
    let text = document("ARCHITECTURE.md");
    let invariants = invariants(&text);
    assert!(
        !invariants.is_empty(),
        "ARCHITECTURE.md numbers no invariant"
    );
    let named = invariants.iter().flat_map(|item| spans(item));
    let unknown = named.filter(|span| {
        let name = span.rsplit("::").next().unwrap_or(span);
        name.matches('_').count() >= SENTENCE && !tests.contains(name)
    });
    none(
        "tests of invariants that do not exist",
        unknown.map(str::to_owned),
    );
    none(
        "invariants that no test holds",
        invariants
            .into_iter()
            .filter(|item| {
                !spans(item).into_iter().any(|span| {
                    let name = span.rsplit("::").next().unwrap_or(span);
                    tests.contains(name)
                })
            })
            .map(|item| item.lines().next().unwrap_or_default().to_owned()),
    );
}

/// What has so many `_` is the name of a test and of nothing else.
const SENTENCE: usize = 3;

/// The numbered items under the heading that speaks of invariants.
fn invariants(text: &str) -> Vec<String> {
    let mut within = false;
    let mut items: Vec<String> = Vec::new();
    for line in text.lines() {
        if line.starts_with('#') {
            within = line.to_lowercase().contains("invariant");
            continue;
        }
        let numbered = line
            .split_once(". ")
            .is_some_and(|(number, _)| number.parse::<u8>().is_ok());
        if within && numbered {
            items.push(line.to_owned());
        } else if within && let Some(item) = items.last_mut() {
            item.push('\n');
            item.push_str(line);
        }
    }
    items
}
