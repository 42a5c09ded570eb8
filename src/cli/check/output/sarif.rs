//! SARIF 2.1.0 (OASIS), which code scanning and editors read.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::checked::Checked;
use crate::check::diagnostic::{Diagnostic, Severity};
use crate::text;

pub(super) fn written(checked: &Checked<'_>) -> String {
    let all = checked.diagnostics;
    let rules: BTreeSet<_> = all.iter().map(|diagnostic| diagnostic.rule).collect();
    let rules: Vec<_> = rules.into_iter().map(|rule| json!({"id": rule})).collect();
    let results: Vec<_> = all
        .iter()
        .map(|diagnostic| result(checked, diagnostic))
        .collect();
    text::json(&json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "steerage",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    }))
}

fn result(checked: &Checked<'_>, diagnostic: &Diagnostic) -> Value {
    let help = diagnostic.help.as_ref();
    let help = help.map_or_else(String::new, |help| format!("\n{help}"));
    let uri = checked.name(diagnostic.file).replace('\\', "/");
    let mut place = json!({"artifactLocation": {"uri": uri}});
    if let Some(position) = diagnostic.position
        && let Some(place) = place.as_object_mut()
    {
        let region = json!({"startLine": position.line, "startColumn": position.column});
        place.insert("region".into(), region);
    }
    json!({
        "ruleId": diagnostic.rule,
        "level": match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        "message": {"text": format!("{}{help}", diagnostic.sentence())},
        "locations": [{"physicalLocation": place}],
    })
}
