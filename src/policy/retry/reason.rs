//! Why there was another attempt, or why there was none, as metrics and status tell it.
//!
//! Both are closed lists with numbers, so that they can be counted in arrays and labels stay bounded.

use crate::outcome::{Outcome, Transport};

/// Why a retry was denied, as metrics tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// See [`crate::retry::Stop::Budget`].
    Budget,
    /// See [`crate::retry::Stop::Method`].
    Method,
    /// See [`crate::retry::idempotency::Obstacle::BodyTooLarge`].
    BodyTooLarge,
    /// See [`crate::retry::Stop::Deadline`].
    Deadline,
    /// See [`crate::retry::Stop::Exhausted`].
    Exhausted,
    /// See [`crate::retry::idempotency::Obstacle::Grpc`].
    Grpc,
    /// See [`crate::retry::idempotency::Obstacle::IncompleteRequest`].
    IncompleteRequest,
    /// See [`crate::retry::idempotency::Obstacle::Upgrade`].
    Upgrade,
    /// See [`crate::retry::idempotency::Obstacle::Trailers`].
    Trailers,
    /// See [`crate::retry::idempotency::Obstacle::Nested`].
    Nested,
    /// See [`crate::retry::Stop::Condition`].
    Condition,
    /// When the retry was due, no endpoint was available.
    NoEndpointAvailable,
    /// When the retry was due, the endpoints that might be available were at their limits.
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

/// Why an attempt after the first was made, as metrics tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The one before was answered with a status that is tried again.
    Status,
    /// Nothing could be sent.
    ConnectFailure,
    /// The connection broke.
    Reset,
    /// There was no answer in time.
    Timeout,
    /// The one before is still under way.
    Hedge,
}

impl Trigger {
    /// Every reason, in the order of its numbers.
    pub const ALL: [Self; 5] = [
        Self::Status,
        Self::ConnectFailure,
        Self::Reset,
        Self::Timeout,
        Self::Hedge,
    ];

    /// The reason after an attempt that came to this.
    #[must_use]
    pub const fn after(outcome: Outcome) -> Self {
        match outcome.transport() {
            None => Self::Status,
            Some(Transport::ConnectFailure) => Self::ConnectFailure,
            Some(Transport::Reset) => Self::Reset,
            Some(Transport::Timeout) => Self::Timeout,
        }
    }

    /// The name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::ConnectFailure => Transport::ConnectFailure.name(),
            Self::Reset => Transport::Reset.name(),
            Self::Timeout => Transport::Timeout.name(),
            Self::Hedge => "hedge",
        }
    }
}
