//! The committed schema and reference are those of the program.

use crate::samples::document;
use crate::steerage;

#[track_caller]
fn check(path: &str, format: &str) {
    let run = steerage(&["schema", "--format", format], b"");
    assert_eq!((run.status, &*run.complaint), (0, ""));
    assert!(
        run.output == document(path),
        "{path} is not what the table of fields says: run `make docs`"
    );
}

#[test]
fn the_committed_schema_is_made_of_the_table() {
    check("docs/schema.json", "json");
}

#[test]
fn the_committed_reference_is_made_of_the_table() {
    check("docs/configuration.md", "markdown");
}
