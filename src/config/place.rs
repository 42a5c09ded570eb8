//! How errors name places in a document.
//!
//! A program that has the text finds the line of an error by naming the values in the same way.
//!
//! Example: [`member`] and [`item`] make `pools[1].match.headers["x y"]`, one part at a time.

use crate::json::excerpt;

/// The path of a field; names that could be misread are quoted.
#[must_use]
pub fn member(path: &str, key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if key.is_empty() || key.len() > 60 || !key.bytes().all(plain) {
        format!("{path}[{}]", excerpt(key))
    } else if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// The path of an entry of a list.
#[must_use]
pub fn item(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}
