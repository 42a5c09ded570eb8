//! The rules of the tree that a reviewer would otherwise have to hold in mind.
//!
//! They are about text: where a word may stand, how long a file may be, and whether what the
//! documents name exists. Everything that a lint or a crate's boundary can hold is held there.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests stop at the first surprise"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use steerage_config::schema::{self, Kind, Section};
use steerage_harness::serde_json::{self, Value};

/// Most lines of a source file, its tests not counted.
const LONGEST: usize = 400;

/// What operators are told.
const DOCUMENTS: &str = "src/admin/documents.rs";

/// A text file of the tree.
struct File {
    /// From the root, with `/`.
    path: String,
    text: String,
}

impl File {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    fn is_under(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| self.path.starts_with(folder))
    }

    /// Its text without the tests at its end.
    fn code(&self) -> &str {
        let tests = self.text.match_indices("#[cfg(test)]").find(|(at, cfg)| {
            let after = self.text.get(at + cfg.len()..).unwrap_or_default();
            let next = after.trim_start().lines().next().unwrap_or_default();
            next.starts_with("mod ") && next.ends_with('{')
        });
        tests
            .and_then(|(at, _)| self.text.get(..at))
            .unwrap_or(&self.text)
    }

    /// Its lines of code with their numbers, without those that are only comments.
    fn statements(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code()
            .lines()
            .enumerate()
            .map(|(position, line)| (position + 1, line.trim_start()))
            .filter(|(_, line)| !line.starts_with("//"))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every path of the tree that is not built and not Git's: files, and folders with a `/` at the end.
fn paths() -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            let name = path.to_str().unwrap().replace('\\', "/");
            if name == ".git" || name == "target" {
                continue;
            }
            if fs::metadata(entry.path()).unwrap().is_dir() {
                found.push(name + "/");
                folders.push(path);
            } else {
                found.push(name);
            }
        }
    }
    found.sort();
    found
}

/// Every text file of the tree.
fn files() -> Vec<File> {
    paths()
        .into_iter()
        .filter(|path| !path.ends_with('/'))
        .filter_map(|path| {
            let text = String::from_utf8(fs::read(root().join(&path)).unwrap()).ok()?;
            Some(File { path, text })
        })
        .collect()
}

/// Every source file that ships: under `src`, and not only there for tests.
fn sources() -> Vec<File> {
    let all = files();
    let mut only_for_tests = vec!["/tests/".to_owned()];
    for file in all.iter().filter(|file| file.is_under(&["src/"])) {
        let folder = file.path.rsplit_once('/').unwrap().0;
        for declared in file.text.split("#[cfg(test)]").skip(1) {
            let declared = declared.trim_start().lines().next().unwrap_or_default();
            if let Some(name) = declared
                .strip_prefix("mod ")
                .and_then(|rest| rest.strip_suffix(';'))
            {
                only_for_tests.push(format!("{folder}/{name}.rs"));
                only_for_tests.push(format!("{folder}/{name}/"));
            }
        }
    }
    all.into_iter()
        .filter(|file| file.is_rust() && file.is_under(&["src/"]))
        .filter(|file| !only_for_tests.iter().any(|part| file.path.contains(part)))
        .collect()
}

/// A document of the tree, by its path from the root.
fn document(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[track_caller]
fn none(what: &str, found: impl IntoIterator<Item = String>) {
    let found: Vec<_> = found.into_iter().collect();
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

/// Lines of code outside `folders` in which one of `words` stands.
fn strays(words: &[&str], folders: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in sources().iter().filter(|file| !file.is_under(folders)) {
        for (number, line) in file.statements() {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{number}: {line}", file.path));
            }
        }
    }
    found
}

#[test]
fn the_walk_finds_the_tree() {
    // A walk that found nothing would make every rule below hold.
    let sources = sources();
    for path in ["src/lib.rs", "src/host.rs", "src/policy/retry/mod.rs"] {
        assert!(sources.iter().any(|file| file.path == path), "{path}");
    }
    assert!(!sources.iter().any(|file| file.path.contains("/tests/")));
}

#[test]
fn source_files_are_short_enough_to_be_read() {
    none(
        "files that should be two",
        sources()
            .iter()
            .map(|file| (file, file.code().lines().count()))
            .filter(|(_, lines)| *lines > LONGEST)
            .map(|(file, lines)| format!("{}: {lines} lines", file.path)),
    );
}

#[test]
fn only_host_calls_the_host() {
    none(
        "hostcalls outside of src/host.rs",
        strays(
            &["extern \"C\" {", "wasm_import_module"],
            &["src/host.rs", "src/host/"],
        ),
    );
}

#[test]
fn only_callbacks_and_memory_are_called_by_the_host() {
    none(
        "exported functions outside of src/filter/callbacks.rs",
        strays(
            &["extern \"C\" fn", "no_mangle"],
            &[
                "src/filter/callbacks.rs",
                "src/host/memory.rs",
                "src/lib.rs",
            ],
        ),
    );
}

#[test]
fn nothing_that_ships_uses_the_sdk() {
    none("uses of the SDK", strays(&["proxy_wasm"], &[]));
}

#[test]
fn only_the_configuration_and_the_documents_know_json() {
    none(
        "uses of JSON outside of the configuration, its command line and of what operators are told",
        strays(&["serde_json"], &["src/cli/", "src/config/", DOCUMENTS]),
    );
}

#[test]
fn only_what_workers_share_is_written_down() {
    none(
        "uses of serde where nothing is shared",
        strays(
            &["serde"],
            &["src/cli/", "src/config/", "src/shared/wire/", DOCUMENTS],
        ),
    );
}

#[test]
fn the_policy_uses_nothing_of_the_platform() {
    let elsewhere = ["src/host", "src/filter/", "src/config/", "src/lib.rs"];
    let found = strays(&["std::"], &elsewhere);
    none(
        "uses of the standard library in the policy",
        found
            .into_iter()
            .filter(|place| place.starts_with("src/policy/")),
    );
}

#[test]
fn names_say_what_is_in_a_file() {
    let empty = [
        "common", "helper", "helpers", "misc", "types", "util", "utils",
    ];
    none(
        "names that say nothing",
        paths().into_iter().filter(|path| {
            let name = path.trim_end_matches('/').rsplit('/').next();
            let stem = name.and_then(|name| name.split('.').next());
            stem.is_some_and(|stem| empty.contains(&stem))
        }),
    );
}

#[test]
fn nothing_is_left_for_later_in_a_comment() {
    // In two parts each, so that this file passes.
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("db", "g!("),
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
    ];
    none("marks of unfinished work", mentions(&marks));
}

#[test]
fn no_file_knows_the_machine_that_it_was_written_on() {
    let folders = [
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("/tm", "p/w"),
    ];
    none("paths of one machine", mentions(&folders));
}

/// Lines of any text file in which one of `words` stands.
fn mentions(words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files() {
        for (position, line) in file.text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{}: {}", file.path, position + 1, line.trim()));
            }
        }
    }
    found
}

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
    for name in ["ARCHITECTURE.md", "README.md"] {
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
fn spans(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn samples_in_the_readme_are_configurations() {
    let readme = document("README.md");
    let samples: Vec<_> = readme
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

#[test]
fn every_configuration_takes_the_same_labels_out_of_names() {
    let tags = |path: &str| -> Vec<String> {
        let text = document(path);
        let lines = text.lines().filter(|line| line.contains("{tag_name:"));
        lines.map(str::to_owned).collect()
    };
    let expected = tags("envoy/envoy.yaml");
    assert_eq!(expected.len(), 7);
    for path in [
        "envoy/demo.yaml",
        "envoy/hot-reload.yaml",
        "envoy/llm-gateway.yaml",
        "envoy/operations.yaml",
        "src/cli/render/envoy.yaml",
    ] {
        assert_eq!(tags(path), expected, "{path}");
    }
}

/// The names in a text: of metrics, of recording rules and other words.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':')
}

#[test]
fn rules_and_dashboard_ask_for_metrics_that_the_readme_describes() {
    let readme = document("README.md");
    let described: BTreeSet<_> = readme
        .lines()
        .filter(|line| line.starts_with("| `steerage_"))
        .flat_map(names)
        .filter(|name| name.starts_with("steerage_"))
        .collect();
    let recording = document("envoy/prometheus/recording.yml");
    let recorded: BTreeSet<_> = recording
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- record: "))
        .collect();
    assert!(!recorded.is_empty());

    let mut unknown = BTreeSet::new();
    for path in [
        "envoy/prometheus/recording.yml",
        "envoy/prometheus/alerts.yml",
        "envoy/grafana/steerage.json",
    ] {
        for name in names(&document(path)) {
            let exists = if name.contains(":steerage_") {
                recorded.contains(name)
            } else {
                let family = name.strip_suffix("_bucket").unwrap_or(name);
                !name.starts_with("steerage_") || described.contains(family)
            };
            if !exists {
                unknown.insert(format!("{path}: {name}"));
            }
        }
    }
    none("metrics that do not exist", unknown);
}

#[test]
fn every_alert_is_tested_and_has_a_section_of_the_runbook() {
    let alerts = document("envoy/prometheus/alerts.yml");
    let runbook = document("envoy/prometheus/runbook.md");
    let tests = document("envoy/prometheus/rules_test.yml");
    let named: Vec<_> = alerts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    let sections: Vec<_> = runbook
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    assert_eq!(named, sections);
    for alert in named {
        // As GitHub forms an anchor.
        let anchor = format!("runbook.md#{}\n", alert.to_lowercase());
        assert!(alerts.contains(&anchor), "{alert} has no {anchor}");
        assert!(tests.contains(&anchor), "no test in which {alert} fires");
        let silent = format!("{{alertname: {alert}, ");
        assert!(
            tests.contains(&silent),
            "no test in which {alert} keeps silent"
        );
    }
}

#[test]
fn the_dashboard_can_be_imported() {
    let board = document("envoy/grafana/steerage.json");
    let board: Value = serde_json::from_str(&board).unwrap();
    assert!(board.get("uid").is_some_and(Value::is_string));
    let panels = board.get("panels").and_then(Value::as_array).unwrap();
    let mut ids = BTreeSet::new();
    for panel in panels {
        let id = panel.get("id").and_then(Value::as_u64).unwrap();
        assert!(ids.insert(id), "two panels have the id {id}");
        for target in panel
            .get("targets")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            // Whatever it is called where it is imported.
            let source = target.pointer("/datasource/uid").and_then(Value::as_str);
            assert_eq!(source, Some("${datasource}"), "{target}");
        }
    }
}

#[test]
fn the_versions_of_envoy_are_the_same_everywhere() {
    let makefile = document("Makefile");
    let list = makefile
        .lines()
        .find_map(|line| line.strip_prefix("ENVOYS      := "))
        .unwrap();
    let versions: Vec<_> = list.split_whitespace().collect();
    let parts = |version: &str| -> Vec<u32> {
        version
            .split('.')
            .map(|part| part.parse().unwrap())
            .collect()
    };
    assert!(versions.is_sorted_by_key(|version| parts(version)));

    let readme = document("README.md");
    let (_, section) = readme.split_once("\n## Compatibility\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let mut rows: Vec<_> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(' ').next())
        .filter(|cell| cell.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    rows.reverse();
    assert_eq!(rows, versions);

    // The newest is what the whole suite runs on, and what the quick start does.
    let newest = versions.last().unwrap();
    let script = document("tests/harness/envoy.sh");
    assert!(script.contains(&format!("\nversion=${{1:-{newest}}}\n")));
    let compose = document("envoy/quickstart/docker-compose.yaml");
    assert!(compose.contains(&format!("image: envoyproxy/envoy:v{newest}\n")));
    assert!(section.contains(&format!("| {newest} | every test |")));
}

#[test]
fn smoke_tests_are_tests() {
    // A name that matches nothing would be passed over in silence.
    let list = document("tests/e2e/smoke.txt");
    let names: Vec<_> = list
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    assert!(!names.is_empty());
    let unknown = names.iter().filter(|name| {
        let (module, test) = name.split_once("::").unwrap();
        let text = document(&format!("tests/e2e/{module}.rs"));
        !text.contains(&format!("#[test]\nfn {test}() {{"))
    });
    none(
        "smoke tests that do not exist",
        unknown.map(|name| (*name).to_owned()),
    );
    let once: BTreeSet<_> = names.iter().collect();
    assert_eq!(once.len(), names.len(), "some are named twice");
}
