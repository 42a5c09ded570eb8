//! Parts of the YAML that is written: names in quotes, durations, values on a line or as a block.
//!
//! Example: a quarter of a second is `0.250s`.

use std::time::Duration;

use serde_json::Value;

/// The text of a configuration as a block of YAML, each line indented, without the last break.
///
/// What is not printable in YAML can only be within strings of the JSON, where it may be escaped.
pub(super) fn block(json: &str, indent: usize) -> String {
    let margin = " ".repeat(indent);
    let lines = json.trim().lines().map(|line| match line.trim_end() {
        "" => String::new(),
        line => format!("{margin}{}", printable(line)),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Each line of a text indented.
pub(super) fn indented(text: &str, indent: usize) -> String {
    let margin = " ".repeat(indent);
    text.lines()
        .map(|line| format!("{margin}{line}\n"))
        .collect()
}

/// A value on one line.
pub(super) fn flow(value: &Value) -> String {
    let joined = |parts: Vec<String>| parts.join(", ");
    match value {
        Value::Array(items) => format!("[{}]", joined(items.iter().map(flow).collect())),
        Value::Object(fields) => {
            let fields = fields.iter();
            let fields = fields.map(|(key, value)| format!("{}: {}", name(key), flow(value)));
            format!("{{{}}}", joined(fields.collect()))
        }
        other => printable(&other.to_string()),
    }
}

/// A key, in quotes unless it is a plain word.
fn name(key: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let begins = key.starts_with(|c: char| c.is_ascii_alphabetic());
    // YAML has words for truth and nothing, in several spellings.
    let is_word = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        .iter()
        .any(|word| key.eq_ignore_ascii_case(word));
    if begins && key.bytes().all(is_plain) && !is_word {
        key.to_owned()
    } else {
        quoted(key)
    }
}

/// A duration as Envoy reads it, a millisecond at least: less would be none.
pub(super) fn envoy_span(span: Duration) -> String {
    let milliseconds = span.as_micros().div_ceil(1_000).max(1);
    format!("{}.{:03}s", milliseconds / 1_000, milliseconds % 1_000).replace(".000s", "s")
}

/// `text` in double quotes, as JSON and YAML have them.
pub(super) fn quoted(text: &str) -> String {
    printable(&Value::from(text).to_string())
}

/// JSON with escapes in place of what YAML takes for line breaks or does not allow.
pub(super) fn printable(json: &str) -> String {
    let mut printable = String::new();
    for c in json.chars() {
        match c {
            '\u{7f}'..='\u{9f}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}'
            | '\u{fffe}'
            | '\u{ffff}' => {
                printable.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            _ => printable.push(c),
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn blocks_keep_their_layout() {
        let json = "\n{\r\n  \"a\": 1,\n\n  \"b\": \"\u{2028}é\"  \n}\n";
        assert_eq!(
            block(json, 2),
            "  {\n    \"a\": 1,\n\n    \"b\": \"\\u2028é\"\n  }"
        );
        assert_eq!(quoted("a\"b\u{85}"), r#""a\"b\u0085""#);
    }

    #[test]
    fn values_stand_on_one_line() {
        let value = json!({"a_1": [1, "x: y"], "b-c": {}, "yes": null});
        assert_eq!(
            flow(&value),
            r#"{a_1: [1, "x: y"], "b-c": {}, "yes": null}"#
        );
    }

    #[test]
    fn durations_are_rounded_up_to_milliseconds() {
        for (microseconds, expected) in [
            (0, "0.001s"),
            (1, "0.001s"),
            (1_001, "0.002s"),
            (250_000, "0.250s"),
            (5_000_000, "5s"),
            (86_400_000_000, "86400s"),
        ] {
            assert_eq!(envoy_span(Duration::from_micros(microseconds)), expected);
        }
    }
}
