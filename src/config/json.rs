//! JSON as a tree.
//!
//! `serde_json::Value` keeps only the last of repeated keys and may lose the order of fields.
//! Errors need both. The tree is at most 128 levels deep (a limit of `serde_json`), so walking it
//! by recursion is safe.
//!
//! Example: `{"a": [1, 1.5], "a": null}` is an [`Object`] of two pairs, both with the key `a`.

use core::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Flag(bool),
    Number(Number),
    Text(Box<str>),
    List(Vec<Self>),
    Object(Object),
}

/// A JSON object, in the order of the document, repeated keys included.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Object(pub(crate) Vec<(Box<str>, Json)>);

impl Json {
    /// The number, if it is a whole one and not negative. `4.0` is whole, as in JSON Schema.
    pub(crate) fn whole(&self) -> Option<u64> {
        let Self::Number(number) = self else {
            return None;
        };
        if let Some(whole) = number.as_u64() {
            return Some(whole);
        }
        let float = number.as_f64()?;
        // Up to here every whole number has a float of its own.
        let exact = (0.0..=9_007_199_254_740_992.0).contains(&float) && float.fract() == 0.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole and within the range of u64"
        )]
        exact.then_some(float as u64)
    }

    /// What an error shows of the value: short, on one line. Lists and objects are only named, so
    /// that an error about a section cannot spell out a secret within it.
    pub(crate) fn excerpt(&self) -> Box<str> {
        match self {
            Self::Null => "null".into(),
            Self::Flag(true) => "true".into(),
            Self::Flag(false) => "false".into(),
            Self::Number(number) => number.to_string().into(),
            Self::Text(text) => excerpt(text),
            Self::List(list) if list.is_empty() => "[]".into(),
            Self::List(list) => format!("a list of {}", list.len()).into(),
            Self::Object(object) if object.0.is_empty() => "{}".into(),
            Self::Object(_) => "an object".into(),
        }
    }
}

impl Json {
    /// Writes the value as JSON; of a repeated key each.
    pub(crate) fn write(&self, to: &mut String) {
        match self {
            Self::Null => to.push_str("null"),
            Self::Flag(flag) => to.push_str(if *flag { "true" } else { "false" }),
            Self::Number(number) => to.push_str(&number.to_string()),
            Self::Text(text) => to.push_str(&quoted(text)),
            Self::List(list) => {
                to.push('[');
                for (index, value) in list.iter().enumerate() {
                    if index > 0 {
                        to.push(',');
                    }
                    value.write(to);
                }
                to.push(']');
            }
            Self::Object(Object(pairs)) => {
                to.push('{');
                for (index, (key, value)) in pairs.iter().enumerate() {
                    if index > 0 {
                        to.push(',');
                    }
                    to.push_str(&quoted(key));
                    to.push(':');
                    value.write(to);
                }
                to.push('}');
            }
        }
    }
}

fn quoted(text: &str) -> String {
    // Text always has a JSON form; the alternative only spares an `unwrap`.
    serde_json::to_string(text).unwrap_or_default()
}

/// `text` as JSON, shortened.
pub(crate) fn excerpt(text: &str) -> Box<str> {
    let mut chars = text.chars();
    let mut short: String = chars.by_ref().take(EXCERPT).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    // Text always has a JSON form; the alternative only spares an `unwrap`.
    serde_json::to_string(&short).unwrap_or(short).into()
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Flag(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        // `serde_json` gives finite numbers only.
        Ok(Number::from_f64(value).map_or(Json::Null, Json::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Json::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Json, A::Error> {
        let mut pairs = Vec::new();
        while let Some((key, value)) = object.next_entry::<Box<str>, Json>()? {
            pairs.push((key, value));
        }
        Ok(Json::Object(Object(pairs)))
    }
}

/// Most characters of a text that an error shows.
const EXCERPT: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpts_are_short() {
        let long: Json = serde_json::to_string(&"\"é".repeat(99))
            .and_then(|text| serde_json::from_str(&text))
            .unwrap();
        assert_eq!(*long.excerpt(), format!("\"{}…\"", "\\\"é".repeat(30)));
    }

    #[test]
    fn what_is_written_is_what_was_read() {
        let text = r#"{"a":[1,2.5,null,true,{}],"a\"":"x\\y","c":[]}"#;
        let json: Json = serde_json::from_str(text).unwrap();
        let mut written = String::new();
        json.write(&mut written);
        assert_eq!(written, text);
    }

    #[test]
    fn whole_numbers_may_have_a_point() {
        for (json, expected) in [
            ("4", Some(4)),
            ("4.0", Some(4)),
            ("4.5", None),
            ("-1", None),
            ("18446744073709551615", Some(u64::MAX)),
            ("1e300", None),
            ("\"4\"", None),
        ] {
            let json: Json = serde_json::from_str(json).unwrap();
            assert_eq!(json.whole(), expected, "{json:?}");
        }
    }
}
