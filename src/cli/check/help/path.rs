//! Paths in parts, and values in short.

use crate::document::Node;

/// The path of the section, and the field's name.
pub(super) fn parted(path: &str) -> (&str, &str) {
    match path.rfind('.') {
        Some(dot) => (
            path.get(..dot).unwrap_or_default(),
            path.get(dot + 1..).unwrap_or_default(),
        ),
        None => ("", path),
    }
}

/// The path of a field beside another.
pub(super) fn within(section: &str, field: &str) -> String {
    match section {
        "" => field.into(),
        _ => format!("{section}.{field}"),
    }
}

/// A value as JSON, if it is short.
pub(super) fn shown(node: &Node) -> String {
    let json = node.to_json();
    match json.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", json.get(..at).unwrap_or_default()),
        None => json,
    }
}
