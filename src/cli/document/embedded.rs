//! A text within a text: where its characters are in the file.
//!
//! YAML removes indentation, folds lines and reads escapes. All of that changes blanks and escapes
//! only, so the characters that are not blank are counted on both sides.
//!
//! Example: of `value: "{\"a\": 1}"` the text is `{"a": 1}`, and its `1` is the sixth character
//! that is not blank on both sides.

use std::iter::Peekable;
use std::str::CharIndices;

use super::node::Style;

/// The characters of a text that are not blank.
#[derive(Debug)]
pub(crate) struct Embedded {
    /// The byte of each in the text.
    inner: Vec<usize>,
    /// The byte of each in the file.
    outer: Vec<usize>,
    start: usize,
}

impl Embedded {
    /// `raw`: how `text` is written in the file, at the byte `start` of it.
    pub(crate) fn of(text: &str, raw: &str, start: usize, style: Style) -> Self {
        let blank = |c: &char| c.is_whitespace();
        let inner = text.char_indices().filter(|(_, c)| !blank(c));
        Self {
            inner: inner.map(|(at, _)| at).collect(),
            outer: written(raw, style)
                .into_iter()
                .map(|at| start + at)
                .collect(),
            start,
        }
    }

    /// Where the byte `at` of the text is in the file.
    pub(crate) fn outer(&self, at: usize) -> usize {
        let index = self.inner.partition_point(|inner| *inner < at);
        let found = self.outer.get(index).or_else(|| self.outer.last());
        found.copied().unwrap_or(self.start)
    }
}

/// Where the characters that are not blank begin, as they are written.
fn written(raw: &str, style: Style) -> Vec<usize> {
    let quote = match style {
        Style::Bare => None,
        Style::SingleQuoted => Some('\''),
        Style::DoubleQuoted => Some('"'),
    };
    let mut found = Vec::new();
    let mut characters = raw.char_indices().peekable();
    if quote.is_some() {
        characters.next();
    }
    while let Some((at, c)) = characters.next() {
        match (c, quote) {
            ('\'', Some('\'')) => match characters.next_if(|(_, next)| *next == '\'') {
                Some(_) => found.push(at),
                None => break,
            },
            ('"', Some('"')) => break,
            ('\\', Some('"')) => {
                if escape(&mut characters) {
                    found.push(at);
                }
            }
            _ if c.is_whitespace() => {}
            _ => found.push(at),
        }
    }
    found
}

/// Reads an escape after its backslash. Whether it is a character that is not blank.
fn escape(characters: &mut Peekable<CharIndices<'_>>) -> bool {
    let Some((_, kind)) = characters.next() else {
        return false;
    };
    let digits = match kind {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        'n' | 't' | 'r' | ' ' | '\t' | '\n' | '\r' | 'N' | '_' | 'L' | 'P' | 'v' | 'f' => {
            return false;
        }
        _ => return true,
    };
    let mut code = 0_u32;
    for _ in 0..digits {
        let digit = characters.next_if(|(_, c)| c.is_ascii_hexdigit());
        let digit = digit.and_then(|(_, c)| c.to_digit(16)).unwrap_or_default();
        code = code.wrapping_mul(16).wrapping_add(digit);
    }
    // The second half of a pair belongs to the character of the first.
    let is_second_half = (0xdc00..0xe000).contains(&code);
    !is_second_half && char::from_u32(code).is_none_or(|c| !c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::super::{Value, yaml};
    use super::*;

    /// Where `what` of the text at `a` is in the file.
    #[track_caller]
    fn check(file: &str, what: &str, expected: &str) {
        let documents = yaml::read(file).unwrap();
        let node = documents[0].get("a").unwrap();
        let Value::Text(text, style) = &node.value else {
            panic!("no text: {node:?}")
        };
        let raw = &file[node.at.clone()];
        let embedded = Embedded::of(text, raw, node.at.start, *style);
        let at = embedded.outer(text.find(what).unwrap());
        assert!(file[at..].starts_with(expected), "{}", &file[at..]);
    }

    #[test]
    fn characters_are_found_however_they_are_written() {
        check(
            "a: |  # why\n    {\"x\":\n\n      \"é\", \"y\": 1}\n",
            "1}",
            "1}",
        );
        check("a: >-\n  {\"x\":\n  2}\nb: 3", "2}", "2}");
        check("a: '{\"it''s\":\n   2}'", "s\"", "s\":");
        check("a: '{\"it''s\":\n   2}'", "2}", "2}'");
        check(r#"a: "{\"x\": \u0032, \"\u00e9\\n\": \t3}""#, "3", "3}");
        check(r#"a: "{\"x\": \u0032, \"y\": 3}""#, "2", r"\u0032");
        check("a: \"{\\\"x\\\": \\\n   4}\"", "4", "4}");
        check("a: plain text\n  5", "5", "5");
    }
}
