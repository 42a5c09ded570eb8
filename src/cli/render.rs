//! `render`: what deploys a configuration.
//!
//! | file | writes |
//! |---|---|
//! | this | what the others have in common: the configuration as a block of YAML, names in quotes |
//! | `cluster` | what the clusters of the endpoints need |
//! | `envoy`, `envoy.yaml` | an Envoy with a listener, the filter and the clusters |
//!
//! Only what the filter takes is rendered. The configuration is written as it was given: what somebody has
//! laid out should be found again.
//!
//! Limits: a configuration names clusters and does not say where they are. Addresses are given with
//! `--address`, or are ports of this machine to be replaced.

mod cluster;
mod envoy;

use steerage_config::parse;

use crate::Finished;
use crate::arguments::{RenderEnvoy, Target};
use crate::source;

/// Carries out the command.
pub(crate) fn run(target: &Target) -> Finished {
    match target {
        Target::Envoy(arguments) => envoy(arguments),
    }
}

fn envoy(arguments: &RenderEnvoy) -> Finished {
    let bytes = match source::bytes(&arguments.file) {
        Ok(bytes) => bytes,
        Err(finished) => return finished,
    };
    let config = match parse(&bytes) {
        Ok(config) => config,
        Err(errors) => return source::refused(&arguments.file, &errors),
    };
    let clusters = cluster::all(&config, &source::document(&bytes));
    let known = |name: &str| clusters.iter().any(|cluster| cluster.name == name);
    let mut addresses = arguments.address.iter();
    if let Some(unknown) = addresses.find(|address| !known(&address.cluster)) {
        let cluster = &unknown.cluster;
        return Finished::failed(&format!("--address: no endpoint has the cluster {cluster}"));
    }
    let policy = String::from_utf8_lossy(&bytes);
    Finished::with(envoy::document(arguments, &config, &clusters, &policy))
}

/// The text of a configuration as a block of YAML, each line indented.
///
/// What is not printable in YAML can only be within strings of the JSON, where it may be escaped.
fn block(json: &str, indent: usize) -> String {
    let mut block = String::new();
    for line in json.trim().lines() {
        if !line.trim().is_empty() {
            block.push_str(&" ".repeat(indent));
            block.push_str(&printable(line.trim_end()));
        }
        block.push('\n');
    }
    block
}

/// `text` in double quotes, as JSON and YAML have them.
fn quoted(text: &str) -> String {
    printable(&serde_json::Value::from(text).to_string())
}

/// JSON with escapes in place of what YAML takes for line breaks or does not allow.
fn printable(json: &str) -> String {
    let mut printable = String::new();
    for c in json.chars() {
        match c {
            '\u{7f}'..='\u{9f}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}'
            | '\u{fffe}'
            | '\u{ffff}' => {
                printable.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            _ => printable.push(c),
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_keep_their_layout() {
        let json = "\n{\r\n  \"a\": 1,\n\n  \"b\": \"\u{2028}é\"  \n}\n";
        assert_eq!(
            block(json, 2),
            "  {\n    \"a\": 1,\n\n    \"b\": \"\\u2028é\"\n  }\n"
        );
        assert_eq!(quoted("a\"b\u{85}"), r#""a\"b\u0085""#);
    }
}
