//! The program `steerage`, run as a user runs it, and the documents that it generates.
//!
//! | file | what holds |
//! |---|---|
//! | `commands` | what each command prints, and with which exit code it ends |
//! | `mistakes`, `surroundings` | what `check` says of wrong configurations, and of files around them |
//! | `documents` | the committed schema and reference are those of the program |
//! | `import` | what is made of the configurations of others |
//! | `istio`, `gateway` | what is rendered for Istio, and for Envoy Gateway |
//! | `by_router` | what is rendered where the router makes the retries |
//! | `deployment` | hosts, servers elsewhere, limits and the admin surface in what is rendered |
//! | `kubernetes` | what is rendered for both, of configurations of all kinds |
//! | `manifests` | the resources in `envoy/istio` and `envoy/gateway` |
//! | `definitions` | whether Kubernetes would accept a resource |
//! | `agreement` | program, parser and schema agree on which configurations are good |
//! | `mutation`, `samples` | where its thousands of configurations come from |

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop at the first surprise"
)]

mod agreement;
mod by_router;
mod commands;
mod definitions;
mod deployment;
mod documents;
mod gateway;
mod import;
mod istio;
mod kubernetes;
mod manifests;
mod mistakes;
mod mutation;
mod samples;
mod surroundings;

use std::io::Write as _;
use std::process::{Command, Stdio};

/// The result of a run.
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
