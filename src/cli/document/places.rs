//! The places of a configuration's values, by the paths that errors have.
//!
//! Limits: a path that does not exist, such as that of a missing field, is placed at the object
//! that lacks it.
//!
//! Example: in `{"timeout": {"read": 0}}`, `timeout.total` is at the `{` of `timeout`.

use std::collections::HashMap;

use steerage_config::place::{item, member};

use super::node::{Member, Node};

/// The part of a field that is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Its value.
    Value,
    /// Its name.
    Key,
    /// Its name where it occurs a second time.
    SecondKey,
}

/// Every value of a tree.
#[derive(Debug)]
pub(crate) struct Places {
    root: usize,
    found: HashMap<String, Found>,
}

#[derive(Clone, Copy, Debug)]
struct Found {
    /// Where its name begins; for entries of lists the same as the value.
    key: usize,
    value: usize,
    second_key: Option<usize>,
}

impl Places {
    pub(crate) fn of(root: &Node) -> Self {
        let mut places = Self {
            root: root.at.start,
            found: HashMap::new(),
        };
        places.add(String::new(), root.at.start, root);
        places
    }

    fn add(&mut self, path: String, key: usize, node: &Node) {
        for (index, node) in node.items().iter().enumerate() {
            self.add(item(&path, index), node.at.start, node);
        }
        for Member { key, at, node } in node.members() {
            self.add(member(&path, key), *at, node);
        }
        let found = Found {
            key,
            value: node.at.start,
            second_key: None,
        };
        self.found
            .entry(path)
            .and_modify(|first| {
                first.second_key.get_or_insert(key);
            })
            .or_insert(found);
    }

    /// The byte at which this part of the value at `path` begins.
    pub(crate) fn find(&self, path: &str, part: Part) -> usize {
        if let Some(found) = self.found.get(path) {
            return match part {
                Part::Value => found.value,
                Part::Key => found.key,
                Part::SecondKey => found.second_key.unwrap_or(found.key),
            };
        }
        match path.rfind(['.', '[']) {
            Some(end) => self.find(path.get(..end).unwrap_or_default(), Part::Value),
            None => self.root,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::json;
    use super::super::lines::{Lines, Position};
    use super::*;

    const TEXT: &str = r#"
{ "timeout": {"read" : 0, "read": 1},
  "endpoints": ["é", {"cluster": "b]"} , 3],
  "a\"b": {"x y": [[true]]} }"#;

    #[track_caller]
    fn check(path: &str, part: Part, line: usize, column: usize) {
        let places = Places::of(&json::read(TEXT));
        let found = Lines::of(TEXT).position(places.find(path, part));
        assert_eq!(found, Position { line, column }, "{path}");
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
}
