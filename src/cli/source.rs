//! Reading configurations from files.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use serde_json::Value;
use steerage_config::{Config, ConfigErrors, parse};

use crate::finished::{Finished, REFUSED};

/// What the file is called in messages.
pub(crate) fn name(file: &Path) -> String {
    if is_input(file) {
        "standard input".into()
    } else {
        file.display().to_string()
    }
}

/// The bytes of the file.
///
/// # Errors
/// The complaint for the user.
pub(crate) fn bytes(file: &Path) -> Result<Vec<u8>, Finished> {
    let read = if is_input(file) {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(file)
    };
    read.map_err(|error| Finished::failed(&format!("cannot read {}: {error}", name(file))))
}

/// The configuration in the file.
///
/// # Errors
/// The complaint for the user: that it cannot be read, or all of its errors.
pub(crate) fn configuration(file: &Path) -> Result<Config, Finished> {
    parse(&bytes(file)?).map_err(|errors| refused(file, &errors))
}

/// The complaint about a configuration that the filter refuses.
pub(crate) fn refused(file: &Path, errors: &ConfigErrors) -> Finished {
    let name = name(file);
    Finished {
        complaint: format!(
            "steerage: {name} is no configuration that the filter takes:\n{errors}\n"
        ),
        status: REFUSED,
        ..Finished::default()
    }
}

/// What is written in a configuration that was accepted.
pub(crate) fn document(accepted: &[u8]) -> Value {
    // What was accepted is JSON; the alternative only spares an `unwrap`.
    serde_json::from_slice(accepted).unwrap_or_default()
}

/// The pools of a document as they are written, each with its path.
pub(crate) fn pools(document: &Value) -> Vec<(String, &Value)> {
    match document.get("pools").and_then(Value::as_array) {
        Some(pools) => pools
            .iter()
            .enumerate()
            .map(|(index, pool)| (steerage_config::place::item("pools", index), pool))
            .collect(),
        None => vec![(String::new(), document)],
    }
}

/// The path of a field in a pool.
pub(crate) fn path_in(pool: &str, field: &str) -> String {
    if pool.is_empty() {
        field.into()
    } else {
        format!("{pool}.{field}")
    }
}

fn is_input(file: &Path) -> bool {
    file == Path::new("-")
}
