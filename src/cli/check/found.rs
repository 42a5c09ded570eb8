//! A configuration that was found in a file, as the filter would get it.

use std::str;

use steerage_config::{ConfigError, ConfigErrors, Problem, Role, parse_role};

use crate::document::embedded::Embedded;
use crate::document::lines::Lines;
use crate::document::places::{Part, Places};
use crate::document::{Node, Value, json};

/// A configuration.
#[derive(Debug)]
pub(crate) struct Found {
    /// What the filter gets.
    pub(crate) json: Vec<u8>,
    /// The same as a tree, as far as it can be read.
    pub(crate) tree: Node,
    pub(crate) parsed: Result<Role, ConfigErrors>,
    places: Places,
    /// Where it is text within a file.
    embedded: Option<Embedded>,
    /// Whether it is a file of its own.
    is_file: bool,
}

impl Found {
    /// A whole file.
    pub(crate) fn file(bytes: &[u8]) -> Self {
        let text = str::from_utf8(bytes).unwrap_or_default();
        Self {
            is_file: true,
            ..Self::of(bytes.to_vec(), json::read(text), None)
        }
    }

    /// Within a file, as text (JSON in a string) or as values.
    pub(crate) fn within(file: &str, node: &Node) -> Self {
        match &node.value {
            Value::Text(text, style) => {
                let raw = file.get(node.at.clone()).unwrap_or_default();
                let embedded = Embedded::of(text, raw, node.at.start, *style);
                Self::of(text.as_bytes().to_vec(), json::read(text), Some(embedded))
            }
            _ => Self::of(node.to_json().into_bytes(), node.clone(), None),
        }
    }

    /// Nothing, where there should be one: what the filter gets then has no bytes.
    pub(crate) fn nothing(near: &Node) -> Self {
        let tree = Node {
            at: near.at.clone(),
            value: Value::Null,
        };
        Self::of(Vec::new(), tree, None)
    }

    fn of(json: Vec<u8>, tree: Node, embedded: Option<Embedded>) -> Self {
        Self {
            parsed: parse_role(&json),
            places: Places::of(&tree),
            json,
            tree,
            embedded,
            is_file: false,
        }
    }

    /// The byte of the file where this part of the value at `path` begins.
    pub(crate) fn byte(&self, path: &str, part: Part) -> usize {
        self.in_file(self.places.find(path, part))
    }

    /// The byte of the file where the error is.
    pub(crate) fn byte_of(&self, error: &ConfigError) -> Option<usize> {
        let part = match error.problem {
            Problem::Syntax { line, column, .. } => {
                let text = str::from_utf8(&self.json).unwrap_or_default();
                return Some(self.in_file(Lines::of(text).byte(line, column)));
            }
            // What is the matter with a whole file has no place in it.
            Problem::Empty | Problem::Binary | Problem::PlainText if self.is_file => return None,
            Problem::UnknownField { .. } | Problem::OutsidePool | Problem::BesideRole => Part::Key,
            Problem::Repeated => Part::SecondKey,
            _ => Part::Value,
        };
        Some(self.byte(&error.path, part))
    }

    fn in_file(&self, at: usize) -> usize {
        match &self.embedded {
            Some(embedded) => embedded.outer(at),
            None => at,
        }
    }
}
