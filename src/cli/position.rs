//! Line and column of a value in the text.
//!
//! The parser keeps no positions, because the filter does not show them. Here the text is walked
//! once more, and every value gets the path that errors have, by `steerage_config::place`.
//!
//! Limits: in a text that is not JSON only a part of the values is found. A path that does not
//! exist, such as that of a missing field, is placed at the object that lacks it.
//!
//! Example: in `{"timeout": {"read": 0}}`, `timeout.read` is at line 1, column 14, and its value at
//! column 22.

use steerage_config::place::{item, member};

/// A place in a text, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// The part of a field that an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Its value.
    Value,
    /// Its name.
    Key,
    /// Its name where it occurs a second time.
    SecondKey,
}

/// Every value of a document.
#[derive(Debug)]
pub(crate) struct Positions<'a> {
    text: &'a str,
    found: Vec<Found>,
}

#[derive(Debug)]
struct Found {
    path: String,
    /// Where its name begins; for entries of lists the same as the value.
    key: usize,
    value: usize,
}

impl<'a> Positions<'a> {
    /// Those of `text`.
    pub(crate) fn of(text: &'a str) -> Self {
        let mut walk = Walk {
            text,
            at: 0,
            found: Vec::new(),
        };
        walk.space();
        walk.note(String::new(), walk.at);
        walk.value("");
        Self {
            text,
            found: walk.found,
        }
    }

    /// The place of this part of the value at `path`.
    pub(crate) fn find(&self, path: &str, part: Part) -> Position {
        let mut path = path;
        let mut part = part;
        loop {
            let mut such = self.found.iter().filter(|found| found.path == path);
            let first = such.next();
            let found = match part {
                Part::SecondKey => such.next().or(first),
                _ => first,
            };
            if let Some(found) = found {
                return self.position(match part {
                    Part::Value => found.value,
                    Part::Key | Part::SecondKey => found.key,
                });
            }
            let Some(end) = path.rfind(['.', '[']) else {
                return self.position(self.found.first().map_or(0, |root| root.value));
            };
            path = path.get(..end).unwrap_or_default();
            part = Part::Value;
        }
    }

    fn position(&self, at: usize) -> Position {
        let before = self.text.get(..at).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        Position {
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
        }
    }
}

/// Goes through the text once. `at` is always at a character's first byte.
struct Walk<'a> {
    text: &'a str,
    at: usize,
    found: Vec<Found>,
}

impl Walk<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn note(&mut self, path: String, key: usize) {
        let value = self.at;
        self.found.push(Found { path, key, value });
    }

    fn skip(&mut self, such: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&such) {
            self.at += 1;
        }
    }

    fn space(&mut self) {
        self.skip(|byte| byte.is_ascii_whitespace());
    }

    fn value(&mut self, path: &str) {
        match self.peek() {
            Some(b'{') => self.members(path),
            Some(b'[') => self.items(path),
            Some(b'"') => {
                self.string();
            }
            _ => self.skip(|byte| !b",]}".contains(&byte) && !byte.is_ascii_whitespace()),
        }
    }

    fn members(&mut self, path: &str) {
        self.at += 1;
        loop {
            self.space();
            match self.peek() {
                Some(b'"') => {
                    let key = self.at;
                    let path = member(path, &self.string());
                    self.skip(|byte| byte == b':' || byte.is_ascii_whitespace());
                    self.note(path.clone(), key);
                    self.value(&path);
                }
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return;
                }
                _ => return,
            }
        }
    }

    fn items(&mut self, path: &str) {
        self.at += 1;
        let mut index = 0;
        loop {
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return;
                }
                None | Some(b'}') => return,
                Some(_) => {
                    let path = item(path, index);
                    self.note(path.clone(), self.at);
                    self.value(&path);
                    index += 1;
                }
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
        let quoted = self.text.get(start..self.at).unwrap_or_default();
        serde_json::from_str(quoted).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
{ "timeout": {"read" : 0, "read": 1},
  "endpoints": ["é", {"cluster": "b]"} , 3],
  "a\"b": {"x y": [[true]]} }"#;

    #[track_caller]
    fn check(path: &str, part: Part, line: usize, column: usize) {
        let expected = Position { line, column };
        assert_eq!(Positions::of(TEXT).find(path, part), expected, "{path}");
    }

    #[test]
    fn every_value_is_found() {
        check("", Part::Value, 2, 1);
        check("timeout", Part::Key, 2, 3);
        check("timeout", Part::Value, 2, 14);
        check("timeout.read", Part::Value, 2, 24);
        check("timeout.read", Part::SecondKey, 2, 27);
        check("endpoints[0]", Part::Value, 3, 17);
        check("endpoints[1].cluster", Part::Value, 3, 34);
        check("endpoints[2]", Part::Value, 3, 42);
        check(r#"["a\"b"]["x y"][0][0]"#, Part::Value, 4, 21);
    }

    #[test]
    fn what_is_missing_is_where_it_is_missing() {
        check("timeout.total", Part::Key, 2, 14);
        check("endpoints[9]", Part::Value, 3, 16);
        check("pools", Part::Key, 2, 1);
    }

    #[test]
    fn what_is_no_json_ends() {
        for text in [
            "", "{", "[", "[}", "{1}", "\"", "{\"a", "{\"a\"", "[\"\\", "[:]", "é", "\"\\é\"",
        ] {
            Positions::of(text).find("a[0].b", Part::Key);
        }
    }
}
