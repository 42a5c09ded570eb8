//! How an attempt ended, and what that says of its endpoint.
//!
//! Every attempt has one [`Outcome`]. Three questions are asked of it, and they differ:
//!
//! - *Was the endpoint at fault?* [`crate::judge`] answers that: it depends on the policy and on
//!   the circumstances.
//! - *May the request be tried again?* [`crate::retry`] answers that.
//! - *Was the client served?* ([`Class`]) That is what a pool counts of its requests.
//!
//! An attempt may end for a reason that says nothing of the endpoint: the client has left, or
//! another filter has answered. Its outcome is [`Outcome::Neutral`], which leaves no mark on the
//! endpoint.
//!
//! Example: `Answered(404)` is no fault of its endpoint, and is still tried again if the policy
//! lists 404. `Neutral(ClientGone)` is neither, and never tried again.

/// How one attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The endpoint answered with this status, whatever it is.
    Answered(u16),
    /// The endpoint answered over gRPC, with this status other than OK.
    Grpc(GrpcStatus),
    /// There was no connection, so nothing was sent: refused, timed out while connecting, no host,
    /// or unknown cluster.
    ConnectFailure,
    /// The connection broke after the request, or part of it, may have been sent.
    Reset,
    /// The endpoint did not begin to answer in time.
    Timeout,
    /// The first event or message of the answer, whose head was good, said that it has failed
    /// ([`crate::retry::first_message`]).
    Event,
    /// The end says nothing of the endpoint.
    Neutral(Neutral),
}

/// Why an attempt says nothing of its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Neutral {
    /// The proxy or another filter answered, or the answer could not be read.
    Unknown,
    /// The proxy found no route for the attempt, so nothing was sent.
    NotRouted,
    /// The proxy itself refused to send it: a cluster's limit, its maintenance mode, or an order to
    /// drop load. Nothing was sent.
    Overflow,
    /// Another attempt of the same request was faster.
    Overtaken,
    /// The client left before the answer.
    ClientGone,
    /// The client did not finish its request in time.
    WriteTimeout,
    /// The answer to a call is longer than is kept of one.
    TooLarge,
}

impl Neutral {
    /// What access logs call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::NotRouted => "not_routed",
            Self::Overflow => "overflow",
            Self::Overtaken => "overtaken",
            Self::ClientGone => "client_gone",
            Self::WriteTimeout => "write_timeout",
            Self::TooLarge => "too_large",
        }
    }
}

/// Outcomes as metrics and configurations distinguish them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The endpoint did its work.
    Success,
    /// It answered with a status that is its fault.
    Status,
    /// Nothing was sent.
    ConnectFailure,
    /// The connection broke.
    Reset,
    /// No answer in time.
    Timeout,
    /// Not judged.
    Neutral,
    /// No answer in the time that the client or the exchange left, which was less than `read`: not
    /// judged.
    Deadline,
    /// It answered with a good status, and its first event or message said that it has failed.
    Event,
}

impl Kind {
    /// Every kind, in the order of its numbers.
    pub const ALL: [Self; 8] = [
        Self::Success,
        Self::Status,
        Self::ConnectFailure,
        Self::Reset,
        Self::Timeout,
        Self::Neutral,
        Self::Deadline,
        Self::Event,
    ];

    /// The ways to fail, by the names of a condition's `outcome`, in the order of the
    /// documentation.
    pub const FAILURES: [Self; 5] = [
        Self::Status,
        Self::ConnectFailure,
        Self::Reset,
        Self::Timeout,
        Self::Event,
    ];

    /// The failures below HTTP, by the names of `retry_on`, in the order of the documentation.
    pub const TRANSPORT: [Self; 3] = [Self::ConnectFailure, Self::Reset, Self::Timeout];

    /// The name in metrics and configurations.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Status => "status",
            Self::ConnectFailure => "connect_failure",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
            Self::Neutral => "neutral",
            Self::Deadline => "deadline",
            Self::Event => "event",
        }
    }

    /// The one of `kinds` with this name.
    #[must_use]
    pub fn named(name: &str, kinds: &[Self]) -> Option<Self> {
        kinds.iter().copied().find(|kind| kind.name() == name)
    }

    /// Whether the endpoint was at fault.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        !matches!(self, Self::Success | Self::Neutral | Self::Deadline)
    }
}

/// What an outcome means to the client that gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It was served.
    Success,
    /// It was not, for no fault of its own.
    Failure,
    /// Neither: it left, or somebody else answered.
    Neutral,
}

/// A status of gRPC, by its number
/// (<https://github.com/grpc/grpc/blob/master/doc/statuscodes.md>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GrpcStatus(pub u8);

impl GrpcStatus {
    /// The call did what it was to do.
    pub const OK: Self = Self(0);
    /// The call has failed, and it is not known how; also that of an answer without a status.
    pub const UNKNOWN: Self = Self(2);
    /// The time was over.
    pub const DEADLINE_EXCEEDED: Self = Self(4);
    /// No capacity.
    pub const RESOURCE_EXHAUSTED: Self = Self(8);
    /// The server is not there at the moment.
    pub const UNAVAILABLE: Self = Self(14);

    /// The names of the failures, in the order of their numbers from 1.
    pub const FAILURES: [&'static str; 16] = [
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];

    /// Whether it means that the server is at fault: UNKNOWN, DEADLINE_EXCEEDED, INTERNAL,
    /// UNAVAILABLE or DATA_LOSS.
    #[must_use]
    pub const fn is_servers(self) -> bool {
        matches!(self.0, 2 | 4 | 13..=15)
    }
}

impl Outcome {
    /// What this means to a client that gets it. 5xx and 429 answers, gRPC's own failures, those of
    /// transport and those that a first event tells of do not serve it.
    #[must_use]
    pub const fn class(self) -> Class {
        match self {
            Self::Answered(429 | 500..=599)
            | Self::Grpc(GrpcStatus::RESOURCE_EXHAUSTED)
            | Self::ConnectFailure
            | Self::Reset
            | Self::Timeout
            | Self::Event
            | Self::Neutral(Neutral::Overflow) => Class::Failure,
            Self::Grpc(status) if status.is_servers() => Class::Failure,
            Self::Answered(_) | Self::Grpc(_) => Class::Success,
            Self::Neutral(_) => Class::Neutral,
        }
    }

    /// The HTTP status of the endpoint's answer; `None` where it has not answered.
    #[must_use]
    pub const fn status(self) -> Option<u16> {
        match self {
            Self::Answered(status) => Some(status),
            // A failure may only stand in the body of an answer that is good so far.
            Self::Grpc(_) | Self::Event => Some(200),
            _ => None,
        }
    }

    /// Whether nothing was sent, so that another attempt is the first of which an endpoint learns.
    #[must_use]
    pub const fn nothing_sent(self) -> bool {
        matches!(
            self,
            Self::ConnectFailure | Self::Neutral(Neutral::NotRouted | Neutral::Overflow)
        )
    }

    /// How the attempt failed, if it is tried again: one of [`Kind::FAILURES`]. Every answer counts
    /// as [`Kind::Status`] here, because a policy may list any status. `None` for a neutral
    /// outcome.
    #[must_use]
    pub const fn failure(self) -> Option<Kind> {
        match self {
            Self::Answered(_) | Self::Grpc(_) => Some(Kind::Status),
            Self::ConnectFailure => Some(Kind::ConnectFailure),
            Self::Reset => Some(Kind::Reset),
            Self::Timeout => Some(Kind::Timeout),
            Self::Event => Some(Kind::Event),
            Self::Neutral(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_served_by_all_but_failures_of_the_server() {
        let judged = [200, 204, 301, 400, 404, 429, 499, 500, 503, 599]
            .map(|status| Outcome::Answered(status).class());
        use Class::{Failure, Success};
        assert_eq!(
            judged,
            [
                Success, Success, Success, Success, Success, Failure, Success, Failure, Failure,
                Failure
            ]
        );
    }

    #[test]
    fn every_transport_failure_has_one_name() {
        for kind in Kind::TRANSPORT {
            assert_eq!(Kind::named(kind.name(), &Kind::TRANSPORT), Some(kind));
        }
        assert_eq!(Kind::named("no_such_failure", &Kind::TRANSPORT), None);
        assert_eq!(Kind::named("status", &Kind::TRANSPORT), None);
    }

    #[test]
    fn what_says_nothing_of_the_endpoint_is_neutral() {
        use Neutral::{ClientGone, Overtaken, TooLarge, Unknown, WriteTimeout};
        for neutral in [Unknown, Overtaken, ClientGone, WriteTimeout, TooLarge] {
            let outcome = Outcome::Neutral(neutral);
            assert_eq!(outcome.class(), Class::Neutral, "{outcome:?}");
            assert_eq!(outcome.failure(), None, "{outcome:?}");
        }
    }

    #[test]
    fn an_answer_that_is_tried_again_failed_by_its_status_whatever_that_is() {
        for status in [200, 404, 503] {
            assert_eq!(Outcome::Answered(status).failure(), Some(Kind::Status));
        }
        assert_eq!(Outcome::Reset.failure(), Some(Kind::Reset));
    }

    #[test]
    fn a_first_event_that_tells_of_a_failure_serves_nobody_though_its_status_is_good() {
        let told = Outcome::Event;
        assert_eq!(told.class(), Class::Failure);
        assert_eq!(told.status(), Some(200));
        assert_eq!(told.failure(), Some(Kind::Event));
        assert!(Kind::Event.is_failure() && !told.nothing_sent());
        assert_eq!(Kind::named("event", &Kind::FAILURES), Some(Kind::Event));
        assert_eq!(Kind::named("event", &Kind::TRANSPORT), None);
    }
}
