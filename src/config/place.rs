//! How errors name places in a document.
//!
//! Whoever has the text as well finds the line of an error by naming every value of it in the same way.
//!
//! Example: `pools[1].match.headers["x y"]` is made of `member`, [`item`], and `member` three times.

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
