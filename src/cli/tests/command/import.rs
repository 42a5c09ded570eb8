//! What `import` makes of the samples in `tests/imported`: a configuration that the filter takes,
//! and comments.
//!
//! Beside each sample is what is printed (`.expected`): the comments, and the configuration.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::samples::root;
use crate::steerage;

const IMPORTED: &str = "src/cli/tests/imported";

/// The samples.
fn imported() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(IMPORTED)).expect("a folder");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.retain(|file| file.extension().is_some_and(|it| it != "expected"));
    files.sort();
    files
}

#[test]
fn what_others_are_configured_with_becomes_a_configuration() {
    let files = imported();
    assert!(files.len() >= 10, "{}", files.len());
    for file in files {
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name");
        let output = Command::new(env!("CARGO_BIN_EXE_steerage"))
            .args(["import", name])
            .current_dir(root().join(IMPORTED))
            .output()
            .expect("the program runs");
        let policy = String::from_utf8(output.stdout).expect("text");
        let comments = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(0), "{name}: {comments}");
        let expected = fs::read_to_string(file.with_extension("expected")).expect("a file");
        assert_eq!(comments + &policy, expected, "{name}");
        let run = steerage(&["check", "-"], policy.as_bytes());
        assert_eq!(run.status, 0, "{name}: {}", run.output);
    }
}

#[test]
fn what_is_nothing_of_others_is_refused() {
    for text in [
        "",
        "a: 1\n",
        "kind: Service\napiVersion: v1\n",
        "{\"endpoints\": [\"a\"]}",
    ] {
        let run = steerage(&["import", "-"], text.as_bytes());
        assert_eq!((run.status, &*run.output), (2, ""), "{text}");
        assert!(
            run.complaint.contains("nothing to import"),
            "{}",
            run.complaint
        );
    }
    let run = steerage(&["import", "-"], b"a: [\n");
    assert_eq!(run.status, 2);
    assert!(run.complaint.contains("is no YAML"), "{}", run.complaint);
    let run = steerage(&["import", "-"], b"\xff");
    assert_eq!(run.status, 2);
}
