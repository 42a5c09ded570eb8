//! What an attempt came to.
//!
//! Two questions are asked of every attempt, and they differ. *Was the endpoint at fault?* decides
//! what is remembered of it: 5xx answers and transport failures are, 4xx answers are not, or one
//! bad client would condemn a sound endpoint. *May the request be tried again?* is asked by
//! [`crate::retry`] and depends on the policy.
//!
//! Attempts that end for a reason that says nothing of the endpoint (the client went away, another
//! filter answered) are [`Outcome::Neutral`] and leave no mark.

/// How one attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The endpoint answered with this status, whatever it is.
    Answered(u16),
    /// No connection could be had, so nothing was sent: refused, timed out while connecting, no
    /// host, unknown cluster, or the cluster's own limits are reached.
    ConnectFailure,
    /// The connection broke after (part of) the request may have been sent.
    Reset,
    /// The endpoint did not begin to answer in time.
    Timeout,
    /// Nothing can be said of the endpoint.
    Neutral,
}

/// Failures below HTTP, by the names of the configuration's `retry_on`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// `connect_failure`: nothing was sent.
    ConnectFailure,
    /// `reset`: the connection broke.
    Reset,
    /// `timeout`: no answer in time.
    Timeout,
}

impl Transport {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::ConnectFailure, Self::Reset, Self::Timeout];

    /// The name in configurations and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConnectFailure => "connect_failure",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Outcomes as metrics tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The endpoint did its work.
    Success,
    /// It answered, and with a status that is its fault.
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

    /// The name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Status => "status",
            Self::ConnectFailure => Transport::ConnectFailure.name(),
            Self::Reset => Transport::Reset.name(),
            Self::Timeout => Transport::Timeout.name(),
            Self::Neutral => "neutral",
        }
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
    /// What this says of the endpoint: 5xx and transport failures are its fault; so is 429, which
    /// says that it has no room.
    #[must_use]
    pub const fn class(self) -> Class {
        match self {
            Self::Answered(429 | 500..=599)
            | Self::ConnectFailure
            | Self::Reset
            | Self::Timeout => Class::Failure,
            Self::Answered(_) => Class::Success,
            Self::Neutral => Class::Neutral,
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
            (Self::Neutral, _) => Kind::Neutral,
        }
    }

    /// The failure below HTTP, if it was one.
    #[must_use]
    pub const fn transport(self) -> Option<Transport> {
        match self {
            Self::ConnectFailure => Some(Transport::ConnectFailure),
            Self::Reset => Some(Transport::Reset),
            Self::Timeout => Some(Transport::Timeout),
            Self::Answered(_) | Self::Neutral => None,
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
        for kind in Transport::ALL {
            assert_eq!(Transport::from_name(kind.name()), Some(kind));
        }
        assert_eq!(Transport::from_name("no_such_failure"), None);
    }
}
