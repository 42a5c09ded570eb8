//! The program `steerage`, run as a user runs it, and the documents made by it.
//!
//! | file | what holds |
//! |---|---|
//! | `commands` | what each command prints, and with which exit code it ends |
//! | `documents` | the committed schema and reference are those of the program |
//! | `agreement` | program, parser and schema agree on which configurations are good |
//! | `mutation` | where its thousands of configurations come from |

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop at the first surprise"
)]

mod agreement;
mod commands;
mod documents;
mod mutation;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a run has come to.
struct Run {
    output: String,
    complaint: String,
    status: i32,
}

/// Runs the program with these arguments and this standard input.
fn steerage(arguments: &[&str], input: &[u8]) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_steerage"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut stdin = child.stdin.take().expect("it is piped");
    // A program that does not read its input may have ended already.
    let _ = stdin.write_all(input);
    drop(stdin);
    let output = child.wait_with_output().expect("the program ends");
    Run {
        output: String::from_utf8(output.stdout).expect("text"),
        complaint: String::from_utf8(output.stderr).expect("text"),
        status: output.status.code().expect("no signal"),
    }
}

/// The repository's root.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A document of the repository.
fn document(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every configuration that the documents show: those of the README, and those within `envoy/`.
fn samples() -> Vec<String> {
    let readme = document("README.md");
    let of_readme = readme
        .split("```json\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .filter(|sample| sample.contains("\"endpoints\"") || sample.contains("\"pools\""))
        .map(str::to_owned);
    let mut samples: Vec<_> = of_readme.collect();
    for name in ["envoy", "operations", "demo", "llm-gateway"] {
        let text = document(&format!("envoy/{name}.yaml"));
        let before = samples.len();
        for rest in text.split("value: |\n").skip(1) {
            let indent = rest.len() - rest.trim_start().len();
            let lines = rest.lines();
            let block = lines.take_while(|line| line.len() - line.trim_start().len() >= indent);
            samples.push(block.collect::<Vec<_>>().join("\n"));
        }
        assert!(samples.len() > before, "{name}");
    }
    assert!(samples.len() >= 8, "{}", samples.len());
    samples
}
