//! What the tests of this crate share.

use steerage_policy::pool::Pool;

use crate::parse;

/// Asserts that `json` has these errors, in this order.
#[track_caller]
pub(crate) fn check(json: &str, expected: &[&str]) {
    let lines = match parse(json.as_bytes()) {
        Ok(_) => String::new(),
        Err(errors) => errors.to_string(),
    };
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines, expected, "{json}");
}

/// The one pool of `{"endpoints": ["a"], <more>}`.
#[track_caller]
pub(crate) fn pool(more: &str) -> Pool {
    let json = format!(r#"{{"endpoints": ["a"], {more}}}"#);
    let mut config = parse(json.as_bytes()).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.pools.len(), 1);
    config.pools.remove(0).pool
}
