//! How an attempt ended, and what that says of its endpoint.
//!
//! Every attempt has one [`Outcome`]. Two questions are asked of it, and they differ:
//!
//! - *Was the endpoint at fault?* ([`Class`]) That decides what is remembered of it. 5xx answers,
//!   429 and transport failures are its fault. Other 4xx answers are not, or one client with bad
//!   requests would condemn a sound endpoint.
//! - *May the request be tried again?* [`crate::retry`] answers that, and it depends on the policy.
//!
//! An attempt may end for a reason that says nothing of the endpoint: the client has left, or
//! another filter has answered. Its outcome is [`Outcome::Neutral`], which leaves no mark on the
//! endpoint.
//!
//! Example: `Answered(404)` is a success of its endpoint, and is still tried again if the policy
//! lists 404. `Neutral(ClientGone)` is neither, and never tried again.

/// How one attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The endpoint answered with this status, whatever it is.
    Answered(u16),
    /// There was no connection, so nothing was sent: refused, timed out while connecting, no host,
    /// unknown cluster, or the cluster's own limits are reached.
    ConnectFailure,
    /// The connection broke after the request, or part of it, may have been sent.
    Reset,
    /// The endpoint did not begin to answer in time.
    Timeout,
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
    /// Another attempt of the same request was faster.
    Overtaken,
    /// The client left before the answer.
    ClientGone,
    /// The client did not finish its request in time.
    WriteTimeout,
    /// The answer to a call is longer than is kept of one.
    TooLarge,
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
}

impl Kind {
    /// Every kind, in the order of its numbers.
    pub const ALL: [Self; 6] = [
        Self::Success,
        Self::Status,
        Self::ConnectFailure,
        Self::Reset,
        Self::Timeout,
        Self::Neutral,
    ];

    /// The ways to fail, by the names of a condition's `outcome`, in the order of the
    /// documentation.
    pub const FAILURES: [Self; 4] = [
        Self::Status,
        Self::ConnectFailure,
        Self::Reset,
        Self::Timeout,
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
        !matches!(self, Self::Success | Self::Neutral)
    }
}

/// What an outcome says of the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It did its work.
    Success,
    /// It was at fault.
    Failure,
    /// Not judged.
    Neutral,
}

impl Outcome {
    /// What this says of the endpoint. 5xx, 429 (no capacity) and transport failures are its fault.
    #[must_use]
    pub const fn class(self) -> Class {
        match self {
            Self::Answered(429 | 500..=599)
            | Self::ConnectFailure
            | Self::Reset
            | Self::Timeout => Class::Failure,
            Self::Answered(_) => Class::Success,
            Self::Neutral(_) => Class::Neutral,
        }
    }

    /// What metrics call it.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match (self, self.class()) {
            (Self::Answered(_), Class::Success) => Kind::Success,
            (Self::Answered(_), _) => Kind::Status,
            (Self::ConnectFailure, _) => Kind::ConnectFailure,
            (Self::Reset, _) => Kind::Reset,
            (Self::Timeout, _) => Kind::Timeout,
            (Self::Neutral(_), _) => Kind::Neutral,
        }
    }

    /// How the attempt failed, if it is tried again: one of [`Kind::FAILURES`]. Every answer counts
    /// as [`Kind::Status`] here, because a policy may list any status. `None` for a neutral
    /// outcome.
    #[must_use]
    pub const fn failure(self) -> Option<Kind> {
        match self {
            Self::Answered(_) => Some(Kind::Status),
            Self::ConnectFailure => Some(Kind::ConnectFailure),
            Self::Reset => Some(Kind::Reset),
            Self::Timeout => Some(Kind::Timeout),
            Self::Neutral(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn clients_mistakes_are_not_the_endpoints_fault() {
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
            assert_eq!(outcome.kind(), Kind::Neutral, "{outcome:?}");
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
}
