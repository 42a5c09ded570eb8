//! Parts of the YAML that is written: templates, names in quotes, durations, the configuration as a
//! block.
//!
//! Example: a quarter of a second is `0.250s`.

use std::time::Duration;

use serde_json::Value;

/// The beginning of a resource of Kubernetes, up to what it specifies.
pub(super) fn metadata(version: &str, kind: &str, name: &str, namespace: &str) -> String {
    let (name, namespace) = (quoted(name), quoted(namespace));
    format!(
        "---
apiVersion: {version}
kind: {kind}
metadata: {{name: {name}, namespace: {namespace}}}
spec:
"
    )
}

/// A template with something in each of its places. What comes into one is not searched for others.
pub(super) fn filled(template: &str, places: &[(&str, &str)]) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some(position) = rest.find('@') {
        let (before, from_here) = rest.split_at(position);
        text.push_str(before);
        let mut here = places.iter().filter_map(|(place, value)| {
            let after = from_here.strip_prefix(place)?;
            Some((*value, after))
        });
        let (value, after) = here.next().unwrap_or_else(|| from_here.split_at(1));
        text.push_str(value);
        rest = after;
    }
    text.push_str(rest);
    text
}

/// The text of a configuration as a block of YAML, each line indented.
///
/// What is not printable in YAML can only be within strings of the JSON, where it may be escaped.
pub(super) fn block(json: &str, indent: usize) -> String {
    let mut block = String::new();
    for line in json.trim().lines() {
        if !line.trim().is_empty() {
            block.push_str(&" ".repeat(indent));
            block.push_str(&printable(line.trim_end()));
        }
        block.push('\n');
    }
    block
}

/// Each line of a text indented.
pub(super) fn indented(text: &str, indent: usize) -> String {
    let margin = " ".repeat(indent);
    text.lines()
        .map(|line| format!("{margin}{line}\n"))
        .collect()
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
    use super::*;

    #[test]
    fn what_is_filled_in_is_no_place() {
        let places = [("@A@\n", "@B@\n"), ("@B@", "b")];
        assert_eq!(
            filled("@A@\n@type @B@ @A@@\n", &places),
            "@B@\n@type b @A@@\n"
        );
    }

    #[test]
    fn blocks_keep_their_layout() {
        let json = "\n{\r\n  \"a\": 1,\n\n  \"b\": \"\u{2028}é\"  \n}\n";
        assert_eq!(
            block(json, 2),
            "  {\n    \"a\": 1,\n\n    \"b\": \"\\u2028é\"\n  }\n"
        );
        assert_eq!(quoted("a\"b\u{85}"), r#""a\"b\u0085""#);
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
