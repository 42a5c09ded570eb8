//! Which first messages are failures.
//!
//! Example: under `Data("overloaded_error")` the message `{"error":{"type":"overloaded_error"}}` is
//! one, whatever it is called.

use alloc::boxed::Box;

/// What makes a failure of a first message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventRule {
    /// It is an event of this name, compared exactly. An event that gives none is called
    /// `message`.
    Event(Box<str>),
    /// It has this text in its data, as far as that is looked at ([`MOST`](super::MOST)).
    Data(Box<str>),
}

/// What the beginning of a body says of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet.
    Undecided,
    /// The answer is the client's.
    Commit,
    /// A rule makes a failure of its first message.
    Failed,
}

/// What the rules say of a message with this data. `name`: it is an event, and this is its name.
pub(super) fn judge(rules: &[EventRule], name: Option<&[u8]>, data: &[u8]) -> Verdict {
    let fails = rules.iter().any(|rule| match rule {
        EventRule::Event(wanted) => name == Some(wanted.as_bytes()),
        EventRule::Data(text) => has(data, text),
    });
    if fails {
        Verdict::Failed
    } else {
        Verdict::Commit
    }
}

/// Whether a text stands in bytes that may be anything. A text is whole characters, so it never
/// goes beyond a valid piece; and to search text takes linear time, which windows of bytes do not.
fn has(bytes: &[u8], text: &str) -> bool {
    bytes
        .utf8_chunks()
        .any(|piece| piece.valid().contains(text))
}
