//! What `check` says of the files in `tests/checked`: configurations in what stands around them.
//!
//! Beside each of them is what is printed (`.expected`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::samples::root;

/// Runs the program in a folder of the tree. Its output and exit code.
fn check_in(folder: &str, arguments: &[&str]) -> (String, i32) {
    let output = Command::new(env!("CARGO_BIN_EXE_steerage"))
        .arg("check")
        .args(arguments)
        .current_dir(root().join(folder))
        .output()
        .expect("the program runs");
    let text = String::from_utf8(output.stdout).expect("text");
    let complaint = String::from_utf8(output.stderr).expect("text");
    (text + &complaint, output.status.code().expect("no signal"))
}

const CHECKED: &str = "src/cli/tests/checked";

fn checked_files() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(CHECKED)).expect("a folder");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.retain(|file| file.extension().is_some_and(|it| it != "expected"));
    files.sort();
    files
}

fn name(file: &Path) -> &str {
    file.file_name()
        .and_then(|name| name.to_str())
        .expect("a name")
}

#[test]
fn files_of_all_kinds_are_checked_with_what_is_around() {
    let files = checked_files();
    assert!(files.len() >= 10);
    for file in files {
        let expected = fs::read_to_string(file.with_extension("expected")).expect("a file");
        let (output, _) = check_in(CHECKED, &[name(&file)]);
        assert_eq!(output, expected, "{}", file.display());
    }
}

#[test]
fn what_ships_is_good() {
    let (output, status) = check_in(".", &["envoy"]);
    assert_eq!(status, 0, "{output}");
    for folder in ["envoy/istio", "envoy/gateway"] {
        let (output, status) = check_in(".", &["--strict", folder]);
        assert_eq!(status, 0, "{output}");
    }
    for file in ["envoy/envoy.yaml", "envoy/router-retries.yaml"] {
        let (output, status) = check_in(".", &["--strict", file]);
        assert_eq!(status, 0, "{output}");
    }
}

#[test]
fn several_files_are_checked_together() {
    let folder = std::env::temp_dir().join(format!("steerage-check-{}", std::process::id()));
    fs::create_dir_all(folder.join("deep")).expect("a folder");
    let text = fs::read_to_string(root().join(CHECKED).join("istio.yaml")).expect("a file");
    for (index, document) in text.split("---\n").enumerate() {
        let file = folder.join(if index == 3 { "deep" } else { "." });
        fs::write(file.join(format!("{index}.yaml")), document).expect("a file");
    }
    fs::write(folder.join("README.txt"), "not YAML: [").expect("a file");
    fs::write(folder.join("package.json"), "{\"name\": \"x\"}").expect("a file");
    let path = folder.display().to_string();
    let (output, status) = check_in(".", &[&path]);
    assert_eq!(status, 1);
    let alone = check_in(CHECKED, &["istio.yaml"]).0;
    let count = |text: &str, what: &str| text.matches(what).count();
    for what in [": error: ", ": warning: "] {
        assert_eq!(count(&output, what), count(&alone, what), "{output}");
    }
    assert!(
        output.ends_with("2 configurations in 2 files: refused, 4 errors, 6 warnings\n"),
        "{output}"
    );
    // The routes alone hold no configuration.
    let routes = folder.join("2.yaml").display().to_string();
    let (output, status) = check_in(".", &[&routes]);
    assert_eq!(status, 2);
    assert!(
        output.contains("no configuration of Steerage in"),
        "{output}"
    );
    fs::remove_dir_all(&folder).expect("it was written");
}

#[test]
fn findings_are_printed_for_programs_too() {
    let (json, status) = check_in(CHECKED, &["--format", "json", "envoy.yaml", "values.yaml"]);
    assert_eq!(status, 1);
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json[0]["errors"][0]["rule"], "unknown-cluster");
    assert_eq!(json[0]["errors"][0]["line"], 33);
    assert_eq!(json[1]["configurations"], 2);
    assert_eq!(json[1]["valid"], false);

    let (sarif, status) = check_in(CHECKED, &["--format", "sarif", "envoy.yaml"]);
    assert_eq!(status, 1);
    let sarif: Value = serde_json::from_str(&sarif).expect("JSON");
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let rules: Vec<_> = run["tool"]["driver"]["rules"]
        .as_array()
        .expect("a list")
        .clone();
    for result in run["results"].as_array().expect("a list") {
        assert!(
            rules.iter().any(|rule| rule["id"] == result["ruleId"]),
            "{result}"
        );
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "envoy.yaml");
        assert!(place["region"]["startLine"].as_u64() > Some(0), "{result}");
        assert!(result["message"]["text"].is_string());
    }

    let (github, status) = check_in(CHECKED, &["--format", "github", "envoy-filter.yaml"]);
    assert_eq!(status, 1);
    let expected = "::error file=envoy-filter.yaml,line=17,col=48,title=steerage unknown-field::\
                    on_exhaused: unknown field, did you mean `on_exhausted`?%0Awrite \"on_exhausted\": \
                    \"last_response\"";
    assert!(github.lines().any(|line| line == expected), "{github}");
    let (github, status) = check_in(".", &["--format", "github", "envoy/envoy.yaml"]);
    assert_eq!((&*github, status), ("", 0));
}
