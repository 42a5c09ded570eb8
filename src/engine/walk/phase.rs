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
//! Where the router makes the retries, a failed attempt may also lead to `Routed` again.
//!
//! The phase owns the attempt that the router has. A transition that ends it hands it out, so that
//! it is counted as ended exactly once.

use steerage_policy::exchange::Attempt;
use steerage_policy::judge::Judged;
use steerage_policy::outcome::Outcome;
use steerage_policy::time::Instant;

/// The phase of one exchange.
#[derive(Debug)]
pub(super) enum Phase {
    /// The router has an attempt, the first or one that it was asked to make, and hedges of the
    /// first may be under way. Its answer moves the exchange on, or a timer: the end of its delay,
    /// a hedge, the write deadline, the deadline.
    Routed(Attempt),
    /// The answer is held until a retry is due: a timer.
    Waiting,
    /// The answer is held until one of the calls is answered well or all of them have failed, or
    /// until the deadline.
    Calling,
    /// The answer is on its way to the client. The first attempt is still there if it is the one
    /// whose answer streams by; it ends with the stream.
    Answering(Option<Streaming>),
}

/// The first attempt while its answer streams to the client.
#[derive(Debug)]
pub(super) struct Streaming {
    pub(super) attempt: Attempt,
    /// What it will have come to if nothing goes wrong any more; `None` once that is recorded.
    pub(super) pending: Option<Pending>,
}

/// A good answer that has begun, and is judged at its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) outcome: Outcome,
    pub(super) judged: Judged,
    pub(super) began: Instant,
}

impl Phase {
    /// The attempt that the router has.
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

    /// The router makes this attempt.
    pub(super) fn route(&mut self, attempt: Attempt) {
        *self = Self::Routed(attempt);
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
    pub(super) fn answer(&mut self, streaming: Option<Streaming>) {
        *self = Self::Answering(streaming);
    }

    /// The first attempt, while its answer streams to the client.
    pub(super) const fn streaming(&mut self) -> Option<&mut Streaming> {
        match self {
            Self::Answering(streaming) => streaming.as_mut(),
            _ => None,
        }
    }

    /// Whether a good answer streams to the client that is not judged yet.
    pub(super) const fn awaits_end(&self) -> bool {
        matches!(self, Self::Answering(Some(streaming)) if streaming.pending.is_some())
    }

    /// Whether the client has its answer.
    pub(super) const fn is_answering(&self) -> bool {
        matches!(self, Self::Answering(_))
    }

    /// Whether the answer waits for calls alone.
    pub(super) const fn is_calling(&self) -> bool {
        matches!(self, Self::Calling)
    }
}
