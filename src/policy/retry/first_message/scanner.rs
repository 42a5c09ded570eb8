//! Looks at the beginning of an answer's body, until it is known whether the answer is the
//! client's.
//!
//! Each byte is looked at once, in whatever parts they come, and a message is searched once. Kept
//! are the name of an event, and the message if a rule looks into it: [`MOST`] bytes at most.
//!
//! - **Server-sent events**: the first event, as `sse.rs` has it. Comments, blank lines and
//!   fields without an event (`id`, `retry`) decide nothing.
//! - **gRPC**: the first message, when it is whole. One that is compressed is passed unread.
//! - **Any other body**: nothing in it says where a message ends, so its message is the first part
//!   that arrives. More is not waited for, because that would hold back healthy bodies until 16 KiB
//!   of them are there. So a text that stands in a later part is not found.
//!
//! Where [`MOST`] bytes do not decide, what there is of the message does, as at the end of the
//! body.
//!
//! Example: `: wait\n\n` is undecided. `event: error\n` is, too, because the event may go on. The
//! blank line behind it makes a failure of it under the rule `Event("error")`.

use alloc::vec::Vec;

use super::body::Body;
use super::grpc::Grpc;
use super::rule::{EventRule, Verdict, judge};
use super::sse::Sse;

/// So many bytes of a body are looked at, keep-alives and framing included.
pub const MOST: usize = 16 * 1024;

/// The scanner of one answer.
#[derive(Debug)]
pub struct Scanner {
    rules: Vec<EventRule>,
    reader: Reader,
    looked_at: usize,
    verdict: Verdict,
}

#[derive(Debug)]
enum Reader {
    Sse(Sse),
    Grpc(Grpc),
    Other,
}

impl Scanner {
    /// A scanner of a body of this kind, none of which has come yet.
    #[must_use]
    pub fn new(body: Body, rules: &[EventRule]) -> Self {
        let keeps_data = rules.iter().any(|rule| matches!(rule, EventRule::Data(_)));
        Self {
            rules: rules.to_vec(),
            reader: match body {
                Body::Sse => Reader::Sse(Sse::new(keeps_data)),
                Body::Grpc => Reader::Grpc(Grpc::new(keeps_data)),
                Body::Other => Reader::Other,
            },
            looked_at: 0,
            verdict: Verdict::Undecided,
        }
    }

    /// The next part of the body has come: only what is new. A verdict stays, whatever comes after
    /// it; there is one after [`MOST`] bytes.
    pub fn feed(&mut self, bytes: &[u8]) -> Verdict {
        if self.verdict != Verdict::Undecided {
            return self.verdict;
        }
        let left = MOST.saturating_sub(self.looked_at);
        let bytes = bytes.get(..left).unwrap_or(bytes);
        self.looked_at += bytes.len();
        self.verdict = match &mut self.reader {
            Reader::Sse(events) => events.read(bytes, &self.rules),
            Reader::Grpc(messages) => messages.read(bytes, &self.rules),
            Reader::Other if bytes.is_empty() => Verdict::Undecided,
            Reader::Other => judge(&self.rules, None, bytes),
        };
        if self.looked_at == MOST {
            return self.end();
        }
        self.verdict
    }

    /// The body has ended, or no more of it is waited for. Never [`Verdict::Undecided`]: without a
    /// message that fails, the answer is the client's.
    pub fn end(&mut self) -> Verdict {
        if self.verdict == Verdict::Undecided {
            self.verdict = match &self.reader {
                Reader::Sse(events) => events.judged(&self.rules),
                Reader::Grpc(messages) => messages.judged(&self.rules),
                Reader::Other => Verdict::Commit,
            };
        }
        self.verdict
    }
}
