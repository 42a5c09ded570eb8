//! The bytes of a configuration, or of a small document beside it, as an object.
//!
//! What arrives may not be JSON at all: Envoy hands over the bytes of any message that the operator
//! configured. The usual mistakes are recognised and named.
//!
//! Example: the bytes `endpoints:` are the error that the configuration must be JSON.

use core::str;

use crate::check;
use crate::error::{ConfigError, ConfigErrors, Problem};
use crate::fields::Fields;
use crate::json::{Json, Object, excerpt};
use crate::key::Describe;
use crate::report::{Errors, Reported};

/// A JSON object before its fields are checked.
#[derive(Debug)]
pub struct Document(Object);

impl Document {
    /// The object in these bytes; `None` if they are anything else.
    #[must_use]
    pub fn from_json(bytes: &[u8]) -> Option<Self> {
        let text = str::from_utf8(bytes).ok()?;
        match serde_json::from_str(text) {
            Ok(Json::Object(object)) => Some(Self(object)),
            _ => None,
        }
    }

    /// An object with these fields. A value that looks like a number is one.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let pairs = pairs.into_iter().map(|(name, value)| {
            let number = value.parse().ok().map(Json::Number);
            let json = number.unwrap_or_else(|| Json::Text(value.into()));
            (name.into(), json)
        });
        Self(Object(pairs.collect()))
    }

    /// Checks the fields, and makes of them what `make` does.
    ///
    /// # Errors
    /// [`ConfigErrors`]: everything that is wrong. First what is wrong with single values, in the
    /// order of the document, then what `make` finds.
    pub fn read<S: Describe, T>(
        &self,
        make: impl FnOnce(&Fields<'_, S>, &mut Errors) -> Result<T, Reported>,
    ) -> Result<T, ConfigErrors> {
        let mut errors = Errors::default();
        let members = check::object(S::SECTION, &self.0, "", &mut errors);
        let made = make(&Fields::new(&members, String::new()), &mut errors);
        errors.finish(made)
    }
}

/// Reads the bytes of a configuration.
///
/// # Errors
/// Why they are no JSON object.
#[inline(never)]
pub(crate) fn read(bytes: &[u8]) -> Result<Document, ConfigError> {
    let whole = |problem, value| {
        Err(ConfigError {
            value,
            ..ConfigError::new(String::new(), problem)
        })
    };
    if bytes.trim_ascii().is_empty() {
        return whole(Problem::Empty, None);
    }
    let control = |byte: &u8| byte.is_ascii_control() && !b"\t\r\n".contains(byte);
    let Ok(text) = str::from_utf8(bytes) else {
        return whole(Problem::Binary, None);
    };
    if bytes.iter().any(control) {
        return whole(Problem::Binary, None);
    }
    match serde_json::from_str(text) {
        Ok(Json::Object(object)) => Ok(Document(object)),
        Ok(other) => whole(Problem::NotAnObject, Some(other.excerpt())),
        Err(_) if !text.trim_start().starts_with(['{', '[']) => {
            whole(Problem::PlainText, Some(excerpt(text)))
        }
        Err(error) => whole(syntax(&error), None),
    }
}

fn syntax(error: &serde_json::Error) -> Problem {
    let (line, column) = (error.line(), error.column());
    let message = error.to_string();
    let place = format!(" at line {line} column {column}");
    let reason = message.strip_suffix(place.as_str()).unwrap_or(&message);
    Problem::Syntax {
        line,
        column,
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check;

    #[track_caller]
    fn check_bytes(bytes: &[u8], expected: &str) {
        assert_eq!(read(bytes).unwrap_err().to_string(), expected);
    }

    #[test]
    fn what_is_no_json_object_is_named() {
        let empty = "no configuration arrived: give the JSON as a google.protobuf.StringValue; the \
                     smallest one is {\"endpoints\": [\"a\", \"b\"]}";
        check_bytes(b"", empty);
        check_bytes(b" \r\n", empty);
        let binary = "the configuration is not text but looks like a binary protobuf, such as \
                      google.protobuf.Struct: give the JSON as a google.protobuf.StringValue";
        check_bytes(b"\x0a\x11\x0a\tendpoints\x12\x04\x1a\x02\x61\x62", binary);
        check_bytes(b"{\"endpoints\": [\"\xff\"]}", binary);
        check_bytes(b"{\"endpoints\": []}\0", binary);
        let plain = "the configuration must be JSON, such as {\"endpoints\": [\"a\", \"b\"]}, got ";
        check_bytes(b"round robin", &format!("{plain}\"round robin\""));
        check_bytes(
            b"endpoints:\n- a\n",
            &format!("{plain}\"endpoints:\\n- a\\n\""),
        );
        let object = "the configuration must be a JSON object, such as {\"endpoints\": [\"a\", \"b\"]}, got ";
        check_bytes(b"[\"a\", \"b\"]", &format!("{object}a list of 2"));
        check_bytes(b"null", &format!("{object}null"));
        check_bytes(b"\"{}\"", &format!("{object}\"{{}}\""));
        let syntax = "the configuration is not valid JSON at line ";
        check_bytes(
            b"{\"endpoints\": [\n  \"a\",\n]}",
            &format!("{syntax}3, column 1: trailing comma"),
        );
        check_bytes(
            b"{\"a\": 1} 2",
            &format!("{syntax}1, column 10: trailing characters"),
        );
        check_bytes(
            "[".repeat(200).as_bytes(),
            &format!("{syntax}1, column 128: recursion limit exceeded"),
        );
        check_bytes(
            b"{\"a\": 1e999}",
            &format!("{syntax}1, column 11: number out of range"),
        );
    }

    #[test]
    fn repeated_keys_are_kept_and_refused() {
        check(
            r#"{"endpoints": ["a"], "endpoints": ["b"], "timeout": {"read": 1, "read": 1}}"#,
            &[
                "endpoints: must be given only once",
                "timeout.read: must be given only once",
            ],
        );
    }
}
