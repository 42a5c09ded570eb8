//! Reads a stream of YAML documents.
//!
//! Plain words are typed by the core schema of YAML 1.2, as Envoy and Kubernetes read JSON out of
//! them: `1s` is text, `1` a number, `~` nothing.
//!
//! Example: `a: {b: [1, x]}` is the document `{"a": {"b": [1, "x"]}}`.

use std::collections::HashMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::Number;

use super::node::{DEEPEST, Member, Node, Style, Value};

/// A text that is no YAML.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// The byte at which that is certain.
    pub(crate) at: usize,
    pub(crate) reason: String,
}

/// The documents of a text.
///
/// # Errors
/// [`Unreadable`]: the first mistake.
pub(crate) fn read(text: &str) -> Result<Vec<Node>, Unreadable> {
    let bytes = Bytes::of(text);
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| Unreadable {
            at: bytes.byte(error.marker().index()),
            reason: error.info().to_owned(),
        })?;
        builder.event(event, bytes.range(&span))?;
    }
    Ok(builder.documents)
}

/// Where the parser's characters are in the text.
struct Bytes(Option<Vec<usize>>, usize);

impl Bytes {
    fn of(text: &str) -> Self {
        let several = (!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| at).collect());
        Self(several, text.len())
    }

    fn byte(&self, index: usize) -> usize {
        let at = match &self.0 {
            Some(starts) => starts.get(index).copied().unwrap_or(self.1),
            None => index,
        };
        at.min(self.1)
    }

    fn range(&self, span: &Span) -> Range<usize> {
        self.byte(span.start.index())..self.byte(span.end.index())
    }
}

/// Puts values into the lists and maps that are open.
#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    documents: Vec<Node>,
    /// The values that aliases have repeated.
    repeated: usize,
}

/// A list or a map whose end has not been read.
struct Open {
    at: usize,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    /// With the key that waits for its value.
    Map(Vec<Member>, Option<(Box<str>, usize)>),
}

impl Builder {
    fn event(&mut self, event: Event<'_>, at: Range<usize>) -> Result<(), Unreadable> {
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let value = scalar(&text, style);
                self.put(Node { at, value }, anchor);
            }
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor).cloned();
                let node = known.unwrap_or_else(|| Node {
                    at: at.clone(),
                    value: Value::Null,
                });
                // Aliases of aliases grow without bound.
                self.repeated += size(&node);
                if self.repeated > MOST_REPEATED {
                    return Err(unreadable(at.start, "too much is repeated by aliases"));
                }
                self.put(node, 0);
            }
            Event::SequenceStart(anchor, _) => self.open(at, anchor, Content::List(Vec::new()))?,
            Event::MappingStart(anchor, _) => {
                self.open(at, anchor, Content::Map(Vec::new(), None))?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(at.start),
            _ => {}
        }
        Ok(())
    }

    fn open(
        &mut self,
        at: Range<usize>,
        anchor: usize,
        content: Content,
    ) -> Result<(), Unreadable> {
        if self.open.len() >= DEEPEST {
            return Err(unreadable(at.start, "too deep"));
        }
        self.open.push(Open {
            at: at.start,
            anchor,
            content,
        });
        Ok(())
    }

    fn close(&mut self, end: usize) {
        let Some(open) = self.open.pop() else { return };
        let value = match open.content {
            Content::List(items) => Value::List(items),
            Content::Map(members, _) => Value::Map(members),
        };
        let at = open.at..end.max(open.at);
        self.put(Node { at, value }, open.anchor);
    }

    fn put(&mut self, node: Node, anchor: usize) {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.documents.push(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map(members, key)) => match key.take() {
                Some((key, at)) => members.push(Member { key, at, node }),
                None => *key = Some((key_of(&node), node.at.start)),
            },
        }
    }
}

fn unreadable(at: usize, reason: &str) -> Unreadable {
    let reason = reason.to_owned();
    Unreadable { at, reason }
}

fn key_of(node: &Node) -> Box<str> {
    match &node.value {
        Value::Text(text, _) => text.clone(),
        _ => node.to_json().into(),
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    let style = match style {
        ScalarStyle::Plain => return plain(text),
        ScalarStyle::SingleQuoted => Style::SingleQuoted,
        ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
        ScalarStyle::Literal | ScalarStyle::Folded => Style::Bare,
    };
    Value::Text(text.into(), style)
}

fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Flag(true),
        "false" | "False" | "FALSE" => Value::Flag(false),
        _ => number(text).map_or_else(|| Value::Text(text.into(), Style::Bare), Value::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    let digits = text.trim_start_matches(['-', '+']);
    if let Some(hexadecimal) = digits.strip_prefix("0x") {
        return u64::from_str_radix(hexadecimal, 16).ok().map(Number::from);
    }
    if let Some(octal) = digits.strip_prefix("0o") {
        return u64::from_str_radix(octal, 8).ok().map(Number::from);
    }
    // Rust reads words such as `inf`, too.
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let whole = text.trim_start_matches('+');
    whole
        .parse::<u64>()
        .map(Number::from)
        .or_else(|_| whole.parse::<i64>().map(Number::from))
        .ok()
        .or_else(|| whole.parse().ok().and_then(Number::from_f64))
}

/// The number of values in this one, itself included.
fn size(node: &Node) -> usize {
    1 + node.children().map(size).sum::<usize>()
}

/// Most values that aliases may repeat in a text.
const MOST_REPEATED: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let documents = read(text).unwrap();
        let found: Vec<_> = documents.iter().map(Node::to_json).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn documents_are_read_as_json() {
        check(
            "a: {b: [1, x]}\n---\n- 1s\n- ~\n",
            &[r#"{"a":{"b":[1,"x"]}}"#, r#"["1s",null]"#],
        );
        check(
            "a: &x {k: 1}\nb: *x\na: 2\n",
            &[r#"{"a":{"k":1},"b":{"k":1},"a":2}"#],
        );
        check(
            "[0x10, 0o17, -3, +4, 1.5, .5, 1e3, .inf, .nan, inf, true, 'true', yes, 1.2.3]",
            &[r#"[16,15,-3,4,1.5,0.5,1000.0,".inf",".nan","inf",true,"true","yes","1.2.3"]"#],
        );
        check("", &[]);
    }

    #[test]
    fn what_cannot_be_read_is_placed() {
        let found = read("é: 1\nb: [\n").unwrap_err();
        assert_eq!(found.at, 11, "{found:?}");
        let deep = "[".repeat(10_000);
        assert!(read(&deep).is_err());
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..40 {
            let before = level - 1;
            bomb.push_str(&format!(
                "a{level}: &a{level} [*a{before}, *a{before}, *a{before}]\n"
            ));
        }
        assert!(read(&bomb).is_err());
    }
}
