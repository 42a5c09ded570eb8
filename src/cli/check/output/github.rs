//! Commands of GitHub's workflows, which become remarks beside the lines of a change.

use std::fmt::Write as _;

use super::checked::Checked;
use crate::check::diagnostic::Severity;

pub(super) fn written(checked: &Checked<'_>) -> String {
    let mut output = String::new();
    for diagnostic in checked.diagnostics {
        let kind = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let file = property(checked.name(diagnostic.file));
        // Writing to a `String` cannot fail.
        let _ = write!(output, "::{kind} file={file}");
        if let Some(position) = diagnostic.position {
            let _ = write!(output, ",line={},col={}", position.line, position.column);
        }
        let help = diagnostic.help.as_ref();
        let help = help.map_or_else(String::new, |help| format!("\n{help}"));
        let message = escaped(&format!("{}{help}", diagnostic.sentence()));
        let _ = writeln!(output, ",title=steerage {}::{message}", diagnostic.rule);
    }
    output
}

fn escaped(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    escaped(text).replace(':', "%3A").replace(',', "%2C")
}
