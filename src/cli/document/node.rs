//! The tree of a file.

use std::ops::Range;

use serde_json::Number;
use steerage_config::place::{item, member};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// The bytes of the text.
    pub(crate) at: Range<usize>,
    pub(crate) value: Value,
}

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Also what could not be read.
    Null,
    Flag(bool),
    Number(Number),
    Text(Box<str>, Style),
    List(Vec<Node>),
    /// In the order of the text; a key may occur several times.
    Map(Vec<Member>),
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) key: Box<str>,
    /// The key's first byte.
    pub(crate) at: usize,
    pub(crate) node: Node,
}

/// How a text is written, and so how its characters lie in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// As it is: plain, or a block.
    Bare,
    /// With `''` for a quote.
    SingleQuoted,
    /// With escapes. JSON's strings, too.
    DoubleQuoted,
}

/// How deep values may lie within others. The filter reads no deeper.
pub(super) const DEEPEST: usize = 128;

impl Node {
    /// The first value of this key.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        let found = self.members().iter().find(|member| &*member.key == key);
        found.map(|member| &member.node)
    }

    /// The value at a path of keys.
    pub(crate) fn at_path(&self, keys: &[&str]) -> Option<&Self> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    pub(crate) fn members(&self) -> &[Member] {
        match &self.value {
            Value::Map(members) => members,
            _ => &[],
        }
    }

    pub(crate) fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// What lies in it directly.
    pub(crate) fn children(&self) -> impl Iterator<Item = &Self> {
        let members = self.members().iter().map(|member| &member.node);
        members.chain(self.items())
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text, _) => Some(text),
            _ => None,
        }
    }

    /// The text of this key.
    pub(crate) fn text_of(&self, key: &str) -> Option<&str> {
        self.get(key)?.text()
    }

    pub(crate) fn number(&self) -> Option<f64> {
        match &self.value {
            Value::Number(number) => number.as_f64(),
            _ => None,
        }
    }

    pub(crate) const fn is_map(&self) -> bool {
        matches!(self.value, Value::Map(_))
    }

    /// As JSON, with repeated keys.
    pub(crate) fn to_json(&self) -> String {
        let mut json = String::new();
        self.write_json(&mut json);
        json
    }

    fn write_json(&self, json: &mut String) {
        match &self.value {
            Value::Null => json.push_str("null"),
            Value::Flag(flag) => json.push_str(if *flag { "true" } else { "false" }),
            Value::Number(number) => json.push_str(&number.to_string()),
            Value::Text(text, _) => json.push_str(&quoted(text)),
            Value::List(items) => {
                for (index, node) in items.iter().enumerate() {
                    json.push(if index == 0 { '[' } else { ',' });
                    node.write_json(json);
                }
                json.push_str(if items.is_empty() { "[]" } else { "]" });
            }
            Value::Map(members) => {
                for (index, member) in members.iter().enumerate() {
                    json.push(if index == 0 { '{' } else { ',' });
                    json.push_str(&quoted(&member.key));
                    json.push(':');
                    member.node.write_json(json);
                }
                json.push_str(if members.is_empty() { "{}" } else { "}" });
            }
        }
    }

    /// The value at a path as errors write it; of a repeated key the first.
    pub(crate) fn find(&self, path: &str) -> Option<&Self> {
        self.find_below("", path)
    }

    fn find_below(&self, here: &str, path: &str) -> Option<&Self> {
        if here == path {
            return Some(self);
        }
        let leads = |to: &str| {
            let rest = path.strip_prefix(to);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let items = self.items().iter().enumerate();
        let items = items.map(|(index, node)| (item(here, index), node));
        let members = self.members().iter();
        let members = members.map(|it| (member(here, &it.key), &it.node));
        let mut below = items.chain(members);
        let (to, node) = below.find(|(to, _)| leads(to))?;
        node.find_below(&to, path)
    }

    /// Calls `visit` for this value and all within it, with their paths as errors write them.
    pub(crate) fn walk<'a>(&'a self, path: &str, visit: &mut impl FnMut(&str, &'a Self)) {
        visit(path, self);
        for (index, node) in self.items().iter().enumerate() {
            node.walk(&item(path, index), visit);
        }
        for Member { key, node, .. } in self.members() {
            node.walk(&member(path, key), visit);
        }
    }

    /// The resources of Kubernetes in a document: itself, or the entries of a List.
    pub(crate) fn resources(&self) -> Vec<&Self> {
        let is_list = self
            .text_of("kind")
            .is_some_and(|kind| kind.ends_with("List"));
        match self.get("items") {
            Some(items) if is_list => items.items().iter().collect(),
            _ => vec![self],
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
