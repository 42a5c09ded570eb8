//! What is no JSON, and what it should be.
//!
//! Example: for a line `'endpoints': ['a']` the help is `write "endpoints": ["a"]`.

use crate::document::lines::Lines;

/// The help for a text that breaks at this line and column, which counts bytes.
pub(super) fn broken(text: &str, line: usize, column: usize, reason: &str) -> Option<String> {
    let lines = Lines::of(text);
    let at = lines.byte(line, column);
    let here = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let rest = text.get(at..).unwrap_or_default();
    // The parser stops at a word's first or second character.
    let start = at.saturating_sub(1);
    let word = text.get(start..).unwrap_or(rest);
    let comment = comment(here);
    if reason.contains("EOF") {
        return Some(missing_end(text));
    }
    if let Some(code) = comment {
        return Some(match code.trim() {
            "" => "JSON has no comments: remove this line".into(),
            code => format!("JSON has no comments: write {code}"),
        });
    }
    if here.contains('\'') && !here.contains('"') || rest.starts_with('\'') {
        return Some(format!(
            "JSON has double quotes: write {}",
            here.trim().replace('\'', "\"")
        ));
    }
    if here.contains(['“', '”', '„']) {
        let straight = here.trim().replace(['“', '”', '„'], "\"");
        return Some(format!("JSON has straight quotes: write {straight}"));
    }
    if reason.contains("trailing comma") {
        return Some(trailing_comma(text, at));
    }
    for (wrong, right) in [("True", "true"), ("False", "false"), ("None", "null")] {
        if word.starts_with(wrong) || rest.starts_with(wrong) {
            return Some(format!("write {}", here.trim().replace(wrong, right)));
        }
    }
    for wrong in ["NaN", "Infinity", "-Infinity", "nan", "inf", "Inf"] {
        if word.starts_with(wrong) || rest.starts_with(wrong) {
            return Some(format!("JSON has no {wrong}: write a number, such as 1"));
        }
    }
    if reason.contains("key must be a string") {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        let key = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        if !key.is_empty() {
            return Some(format!("write \"{key}\": names stand in double quotes"));
        }
    }
    if reason.contains("expected `,`") {
        return Some(missing_comma(text, at));
    }
    if reason.contains("expected `:`") {
        return Some("write a `:` between a name and its value".into());
    }
    if reason.contains("control character") {
        return Some("write \\n for a line break in a text, and \\t for a tab".into());
    }
    if reason.contains("trailing characters") {
        return Some("end with one object: remove what follows its last `}`".into());
    }
    None
}

/// The help for a text that does not look like JSON.
pub(super) fn other_text(text: &str) -> Option<String> {
    if text.starts_with('\u{feff}') {
        return Some("the file begins with a byte order mark: save it as UTF-8 without one".into());
    }
    let mut code = text
        .lines()
        .map(|line| comment(line).unwrap_or(line).trim());
    let first = code.find(|line| !line.is_empty()).unwrap_or_default();
    if first.starts_with(['{', '*']) || text.trim_start().starts_with("/*") {
        return Some("JSON has no comments: begin with `{`".into());
    }
    if text.contains(": ") || text.contains(":\n") || text.starts_with("- ") {
        return Some(
            "this looks like YAML, which the filter does not read: write {\"endpoints\": [\"a\", \"b\"]}. \
             Within a resource, as pluginConfig, it may stand as it is"
                .into(),
        );
    }
    Some("write {\"endpoints\": [\"a\", \"b\"]}".into())
}

/// A line without its comment, if it has one.
fn comment(line: &str) -> Option<&str> {
    let mut in_text = false;
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => in_text = !in_text,
            '#' if !in_text => return line.get(..at),
            '/' if !in_text => {
                let rest = line.get(at..).unwrap_or_default();
                if rest.starts_with("//") || rest.starts_with("/*") {
                    return line.get(..at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The brackets that are open at the end.
fn missing_end(text: &str) -> String {
    let mut open = Vec::new();
    let mut in_text = false;
    let mut escaped = false;
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => in_text = !in_text,
            '{' if !in_text => open.push('}'),
            '[' if !in_text => open.push(']'),
            '}' | ']' if !in_text => {
                open.pop();
            }
            _ => {}
        }
    }
    if in_text {
        return "a text has no end: write `\"` after it".into();
    }
    let missing: String = open.iter().rev().collect();
    format!("write {missing} at the end")
}

fn trailing_comma(text: &str, at: usize) -> String {
    let comma = text.get(..at).unwrap_or_default().rfind(',').unwrap_or(at);
    let start = text.get(..comma).unwrap_or_default().rfind('\n');
    let before = text
        .get(start.map_or(0, |line| line + 1)..comma)
        .unwrap_or_default();
    let after = text.get(comma + 1..).unwrap_or_default();
    let after = after.lines().next().unwrap_or_default();
    format!(
        "remove the comma: write {}{}",
        before.trim_start(),
        after.trim_end()
    )
}

fn missing_comma(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or_default().trim_end();
    let line = before.lines().next_back().unwrap_or_default();
    format!("a comma is missing: write {},", line.trim())
}
