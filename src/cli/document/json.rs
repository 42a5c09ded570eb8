//! Reads JSON, also where it is broken: what stands before the break has its place.
//!
//! The filter's own parser says what is wrong with a text; this finds where.
//!
//! Example: of `{"a": [1, }` it reads `a` and its first entry.

use super::node::{DEEPEST, Member, Node, Style, Value};

/// The value that begins the text.
pub(crate) fn read(text: &str) -> Node {
    let mut reader = Reader { text, at: 0 };
    if text.starts_with(MARK) {
        reader.at = MARK.len_utf8();
    }
    reader.space();
    reader.value(0)
}

/// Goes through the text once. `at` is always at a character's first byte.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip(&mut self, such: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&such) {
            self.at += 1;
        }
    }

    fn space(&mut self) {
        self.skip(|byte| byte.is_ascii_whitespace());
    }

    fn value(&mut self, depth: usize) -> Node {
        let start = self.at;
        let value = match self.peek() {
            // Nothing deeper is read: the text ends here.
            Some(b'{' | b'[') if depth >= DEEPEST => {
                self.at = self.text.len();
                Value::Null
            }
            Some(b'{') => Value::Map(self.members(depth + 1)),
            Some(b'[') => Value::List(self.items(depth + 1)),
            Some(b'"') => Value::Text(self.string().into(), Style::DoubleQuoted),
            _ => {
                self.skip(|byte| !b",]}".contains(&byte) && !byte.is_ascii_whitespace());
                self.scalar(start)
            }
        };
        Node {
            at: start..self.at,
            value,
        }
    }

    fn scalar(&self, start: usize) -> Value {
        match self.text.get(start..self.at).unwrap_or_default() {
            "true" => Value::Flag(true),
            "false" => Value::Flag(false),
            other => serde_json::from_str(other).map_or(Value::Null, Value::Number),
        }
    }

    fn members(&mut self, depth: usize) -> Vec<Member> {
        let mut members = Vec::new();
        self.at += 1;
        loop {
            self.space();
            match self.peek() {
                Some(b'"') => {
                    let at = self.at;
                    let key = self.string().into();
                    self.skip(|byte| byte == b':' || byte.is_ascii_whitespace());
                    let node = self.value(depth);
                    members.push(Member { key, at, node });
                }
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return members;
                }
                _ => return members,
            }
        }
    }

    fn items(&mut self, depth: usize) -> Vec<Node> {
        let mut items = Vec::new();
        self.at += 1;
        loop {
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return items;
                }
                None | Some(b'}') => return items,
                Some(_) => items.push(self.value(depth)),
            }
        }
    }

    /// The string that begins here.
    fn string(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'\\') => self.at += 2,
                Some(b'"') => {
                    self.at += 1;
                    break;
                }
                Some(_) => self.at += 1,
                None => break,
            }
        }
        self.at = self.at.min(self.text.len());
        let quoted = self.text.get(start..self.at).unwrap_or_default();
        serde_json::from_str(quoted).unwrap_or_default()
    }
}

/// The byte order mark.
const MARK: char = '\u{feff}';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_json_is_read_whole() {
        for json in [
            r#"{"a":[1,2.5,{"b":null}],"a":true,"c":{},"d":[],"e\"":"x\\yé"}"#,
            "[]",
            "-3",
        ] {
            assert_eq!(read(json).to_json(), json);
        }
    }

    #[test]
    fn what_is_no_json_ends() {
        for text in [
            "", "{", "[", "[}", "{1}", "\"", "{\"a", "{\"a\"", "[\"\\", "[:]", "é", "\"\\é\"",
        ] {
            read(text);
        }
        let deep = "[".repeat(100_000);
        read(&deep);
        assert_eq!(read(r#"{"a": [1, }"#).to_json(), r#"{"a":[1]}"#);
    }
}
