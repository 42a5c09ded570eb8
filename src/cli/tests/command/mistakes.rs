//! What users write, and the message that each of them gets: the table `mistakes.txt`.
//!
//! An entry is a heading, the input, the exit code and the output. What others call `-` is the
//! standard input.

use crate::samples::document;
use crate::steerage;

#[test]
fn every_mistake_gets_a_message_that_says_what_to_write() {
    let table = document("src/cli/tests/command/mistakes.txt");
    let entries: Vec<_> = table.split("\n\n## ").collect();
    assert!(entries.len() >= 60, "{}", entries.len());
    for entry in entries {
        let (name, rest) = entry.split_once('\n').expect("a heading");
        let (input, expected) = rest.split_once("\n=> ").expect("an exit code");
        let (status, output) = expected.split_once('\n').expect("an output");
        let run = steerage(&["check", "-"], input.as_bytes());
        let found = run.output.replace("standard input", "-");
        assert_eq!(found.trim_end(), output.trim_end(), "{name}");
        assert_eq!(run.status.to_string(), status, "{name}");
        let findings = found.matches(": error: ").count() + found.matches(": warning: ").count();
        assert_eq!(found.matches("  help: ").count(), findings, "{name}");
    }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the time that it takes is what is tested"
)]
fn a_large_file_is_checked_at_once() {
    let pool = |index: usize| {
        let endpoints: Vec<_> = (0..20)
            .map(|endpoint| format!(r#"{{"cluster": "cluster-{index}-{endpoint}", "weight": 1, "path_prefix": "/v1"}}"#))
            .collect();
        let endpoints = endpoints.join(",\n");
        format!(
            r#"{{"name": "p{index}", "match": {{"prefix": "/{index}"}}, "endpoints": [{endpoints}]}}"#
        )
    };
    let pools: Vec<_> = (0..1_000).map(pool).collect();
    let good = format!(r#"{{"pools": [{}]}}"#, pools.join(",\n"));
    // On one line, each with a message.
    let fields: Vec<_> = (0..50_000)
        .map(|index| format!(r#""unknown_field_{index}": 1"#))
        .collect();
    let bad = format!(r#"{{"endpoints": ["é"], {}}}"#, fields.join(", "));
    for (text, status) in [(good, 0), (bad, 1)] {
        assert!(text.len() > 900_000, "{}", text.len());
        let start = std::time::Instant::now();
        let run = steerage(&["check", "-"], text.as_bytes());
        let taken = start.elapsed();
        assert_eq!(run.status, status);
        // A third of a second with optimisation.
        assert!(taken.as_secs() < 10, "{taken:?}");
    }
}
