//! Where an exchange stands, and what moves it on.
//!
//! ```text
//!            ┌────────────── answered, good or final ────────────────────┐
//!            │                                                           ▼
//! ──► Routed ┼─ failed, a retry follows ──► Waiting ── due ──► Calling ─► Answering
//!            │                                 ▲                 │  ▲
//!            │                                 └── a retry follows  │
//!            └─ failed, hedges are under way ───────────────────────┘
//! ```
//!
//! The phase owns the attempt that the router has. A transition that ends it hands it out, so that
//! it is counted as ended exactly once.

use steerage_policy::exchange::Attempt;

/// The phase of one exchange.
#[derive(Debug)]
pub(super) enum Phase {
    /// The router has the first attempt, and hedges may be under way. Its answer moves the exchange
    /// on, or a timer: a hedge, the write deadline, the deadline.
    Routed(Attempt),
    /// The answer is held until a retry is due: a timer.
    Waiting,
    /// The answer is held until one of the calls is answered well or all of them have failed, or
    /// until the deadline.
    Calling,
    /// The answer is on its way to the client. The first attempt is still there if it is the one
    /// whose answer streams by; it ends with the stream.
    Answering(Option<Attempt>),
}

impl Phase {
    /// The first attempt, while the router has it.
    pub(super) const fn routed(&self) -> Option<&Attempt> {
        match self {
            Self::Routed(attempt) => Some(attempt),
            _ => None,
        }
    }

    /// The router's attempt has come to its end, or is given up: the calls are what is left.
    #[must_use = "an attempt that is taken out must be ended"]
    pub(super) fn first_ended(&mut self) -> Option<Attempt> {
        if let Self::Routed(_) = self
            && let Self::Routed(attempt) = core::mem::replace(self, Self::Calling)
        {
            return Some(attempt);
        }
        None
    }

    /// A retry will be due. Attempts have ended before.
    pub(super) fn wait(&mut self) {
        *self = Self::Waiting;
    }

    /// A call has been made for the retry that was due.
    pub(super) fn call(&mut self) {
        *self = Self::Calling;
    }

    /// The client is answered by the `streaming` attempt of the router, or by an answer that is
    /// there as a whole.
    pub(super) fn answer(&mut self, streaming: Option<Attempt>) {
        *self = Self::Answering(streaming);
    }

    /// Whether the answer waits for calls alone.
    pub(super) const fn is_calling(&self) -> bool {
        matches!(self, Self::Calling)
    }
}
