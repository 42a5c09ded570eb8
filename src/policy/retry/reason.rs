//! Why there was another attempt, and why there was none.
//!
//! Both are closed lists, so they can be counted in arrays and the labels of metrics stay bounded.
//! Their order and their names are part of metrics and status: new ones go to the end.
//!
//! Example: a POST is answered with 503. Its method forbids a repeat, so the retry is denied with
//! [`Denial::Method`]. Had the connection been refused, the retry would have been made, and counted
//! with [`Trigger::ConnectFailure`].

use crate::outcome::{Kind, Outcome};

/// Why an attempt that was wanted was not made.
///
/// Most reasons are found when an attempt has failed. [`Denial::NoEndpointAvailable`],
/// [`Denial::Overloaded`] and [`Denial::Deadline`] may also be found when the next attempt is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The pool's budget of retries is spent.
    Budget,
    /// The request's method forbids a repeat, and it has no `Idempotency-Key`.
    Method,
    /// The request's body is larger than `max_request_bytes`, so the proxy does not have it any
    /// more.
    BodyTooLarge,
    /// The delay would not end before the deadline of the request, or the deadline has passed.
    Deadline,
    /// All `max_attempts` attempts have been made.
    Exhausted,
    /// The request is gRPC: its answer ends in trailers, which a replayed answer cannot carry.
    Grpc,
    /// The client has not sent all of the request yet.
    IncompleteRequest,
    /// The request is an upgrade or CONNECT: the connection is a two-way stream.
    Upgrade,
    /// The request has trailers, which a replayed request cannot carry.
    Trailers,
    /// The request is a retry already, and the policy leaves retries to the sender (`stop_nested`).
    Nested,
    /// A condition of `retry_when` does not hold.
    Condition,
    /// No endpoint of the pool may be selected now.
    NoEndpointAvailable,
    /// No endpoint may be selected now, and at least one only because it is at its limit.
    Overloaded,
}

impl Denial {
    /// Every reason, in the order of its numbers.
    pub const ALL: [Self; 13] = [
        Self::Budget,
        Self::Method,
        Self::BodyTooLarge,
        Self::Deadline,
        Self::Exhausted,
        Self::Grpc,
        Self::IncompleteRequest,
        Self::Upgrade,
        Self::Trailers,
        Self::Nested,
        Self::Condition,
        Self::NoEndpointAvailable,
        Self::Overloaded,
    ];

    /// The name in metrics and status.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Budget => "budget",
            Self::Method => "method",
            Self::BodyTooLarge => "body_too_large",
            Self::Deadline => "deadline",
            Self::Exhausted => "exhausted",
            Self::Grpc => "grpc",
            Self::IncompleteRequest => "incomplete_request",
            Self::Upgrade => "upgrade",
            Self::Trailers => "trailers",
            Self::Nested => "nested",
            Self::Condition => "condition",
            Self::NoEndpointAvailable => "no_endpoint_available",
            Self::Overloaded => "overloaded",
        }
    }
}

/// Why an attempt after the first was made, as metrics distinguish it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The attempt before was answered with a status that is tried again.
    Status,
    /// Nothing could be sent.
    ConnectFailure,
    /// The connection broke.
    Reset,
    /// There was no answer in time.
    Timeout,
    /// The attempt before is still under way.
    Hedge,
    /// The first event or message of the answer before said that it has failed.
    Event,
}

impl Trigger {
    /// Every reason, in the order of its numbers.
    pub const ALL: [Self; 6] = [
        Self::Status,
        Self::ConnectFailure,
        Self::Reset,
        Self::Timeout,
        Self::Hedge,
        Self::Event,
    ];

    /// The reason for the attempt after one with this outcome.
    #[must_use]
    pub fn after(outcome: Outcome) -> Self {
        if outcome.nothing_sent() {
            return Self::ConnectFailure;
        }
        let failed = outcome.failure();
        let mut triggers = Self::ALL.into_iter();
        let found = triggers.find(|trigger| failed.is_some() && trigger.kind() == failed);
        found.unwrap_or(Self::Status)
    }

    /// The name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.kind() {
            Some(kind) => kind.name(),
            None => "hedge",
        }
    }

    /// How the attempt before it failed; `None` if it has not failed.
    const fn kind(self) -> Option<Kind> {
        Some(match self {
            Self::Status => Kind::Status,
            Self::ConnectFailure => Kind::ConnectFailure,
            Self::Reset => Kind::Reset,
            Self::Timeout => Kind::Timeout,
            Self::Event => Kind::Event,
            Self::Hedge => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Neutral;

    #[test]
    fn a_retry_is_counted_by_how_the_attempt_before_it_failed() {
        let named = [
            Outcome::Answered(503),
            Outcome::ConnectFailure,
            Outcome::Neutral(Neutral::Overflow),
            Outcome::Reset,
            Outcome::Timeout,
            Outcome::Event,
        ]
        .map(|outcome| Trigger::after(outcome).name());
        let refused = "connect_failure";
        assert_eq!(
            named,
            ["status", refused, refused, "reset", "timeout", "event"]
        );
    }
}
