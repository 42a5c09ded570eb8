//! For programs: an object for the file, or a list of them for several files.

use serde_json::{Value, json};

use super::checked::Checked;
use crate::check::diagnostic::{Diagnostic, Severity};
use crate::text;

pub(super) fn written(checked: &Checked<'_>) -> String {
    let files: Vec<_> = (0..checked.files.len())
        .map(|index| file(checked, index))
        .collect();
    text::json(&match <[Value; 1]>::try_from(files) {
        Ok([file]) => file,
        Err(files) => files.into(),
    })
}

fn file(checked: &Checked<'_>, index: usize) -> Value {
    let of = |severity| {
        let all = checked.diagnostics.iter();
        let mine = all.filter(move |it| it.file == index && it.severity == severity);
        mine.map(diagnostic).collect::<Vec<_>>()
    };
    let errors = of(Severity::Error);
    let mut plugins = checked.plugins.iter().filter(|plugin| plugin.file == index);
    json!({
        "file": checked.name(index),
        "valid": errors.is_empty() && plugins.all(|plugin| plugin.found.parsed.is_ok()),
        "configurations": checked.plugins.iter().filter(|plugin| plugin.file == index).count(),
        "errors": errors,
        "warnings": of(Severity::Warning),
    })
}

fn diagnostic(diagnostic: &Diagnostic) -> Value {
    json!({
        "rule": diagnostic.rule,
        "path": diagnostic.path,
        "message": diagnostic.message,
        "help": diagnostic.help,
        "line": diagnostic.position.map(|position| position.line),
        "column": diagnostic.position.map(|position| position.column),
    })
}
