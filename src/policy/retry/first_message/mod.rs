//! When an answer is the client's, if its head alone does not say whether it is good.
//!
//! An answer with status 200 may still fail at once: gRPC says so in its trailers, and a stream of
//! events in its first event. Until the client has seen the answer's head, another endpoint can
//! give another answer. So the head may be held until the first message is there ([`CommitOn`]),
//! and [`EventRule`]s may say which first messages are failures ([`Outcome::Event`]).
//!
//! Example: a model's server is overloaded. It answers 200 with `text/event-stream`, and then with
//! `event: error`. Under [`CommitOn::FirstMessage`] with the rule `Event("error")`, the client gets
//! the answer of another endpoint and sees nothing of this one.
//!
//! [`Body`] is how a body is divided into messages, and a [`Scanner`] looks for the first of them.
//!
//! [`Outcome::Event`]: crate::outcome::Outcome::Event

mod body;
mod grpc;
mod rule;
mod scanner;
mod sse;

use alloc::vec::Vec;
use core::time::Duration;

pub use body::Body;
pub use rule::{EventRule, Verdict};
pub use scanner::{MOST, Scanner};

/// When an answer that is good so far is given to the client. From then on it is not retried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CommitOn {
    /// With its head.
    #[default]
    Headers,
    /// With its first message, or its end.
    FirstMessage(FirstMessage),
}

/// How an answer is given with its first message: an event of a stream of events, a message of
/// gRPC, or the first bytes of any other body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FirstMessage {
    /// How long after its head an answer may take to bring its first message; `None`: as long as
    /// the pool's `read`.
    pub timeout: Option<Duration>,
    /// First messages that are failures: those for which one of these holds.
    pub rules: Vec<EventRule>,
}

#[cfg(test)]
mod tests;
