//! What an attempt says of its endpoint, in one table.
//!
//! | it ended with | metrics | breaker | balance | speed |
//! |---|---|---|---|---|
//! | no answer, in less time than the whole of `read` | `deadline` | – | – | – |
//! | no answer in the whole of `read` | `timeout` | failure in the row and the rate | failure | penalty |
//! | no connection, a reset, an answer that breaks off | its name | failure in the row and the rate | failure | penalty |
//! | a first event or message that another endpoint has failed this exchange with already | `event` | – | – | – |
//! | a first event or message that is a failure | `event` | failure in the row and the rate | failure | penalty |
//! | an answer that starts a cool-down | `status` | – | unwanted | penalty |
//! | what another endpoint has failed this exchange with already | `status` | – | – | – |
//! | a status of `failure_status_codes`; gRPC UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, DATA_LOSS | `status` | failure in the row and the rate | failure | penalty |
//! | 429, gRPC RESOURCE_EXHAUSTED | `status` | failure in the rate | failure | penalty |
//! | another answer that is listed for retry | `success` | good | unwanted | penalty |
//! | another that the client is to blame for: 4xx, 501, 505, 511, the rest of gRPC's | `success` | good | success | – |
//! | any other answer | `success` | good | success | sample |
//! | nothing that says something of the endpoint | `neutral` | – | – | – |
//!
//! The first line that fits counts. What the table keeps apart:
//!
//! - **metrics**: the label `outcome`.
//! - **breaker**: a failure counts in the row of consecutive failures, or in the rate only.
//! - **balance**: the share of successes, which strategies weigh endpoints by. An answer that the
//!   policy retries is of no use to the client, so its endpoint must not attract traffic by it,
//!   even if nothing is wrong with the endpoint.
//! - **speed**: a client error takes no time to find, so it says nothing of how fast the endpoint
//!   works; a failure counts as slow, so that failing fast does not look like being fast.
//!
//! Example: with the default policy a 503 of `a` counts against `a`. The retry goes to `b`, which
//! answers 503 as well: that is the request's fault or everybody's, and says nothing of `b`.

use crate::breaker::{BreakerPolicy, Verdict};
use crate::outcome::{GrpcStatus, Kind, Outcome};
use crate::retry::RetryPolicy;
use crate::stats::window::Counted;

/// How an attempt ended, with the circumstances that decide what that says of its endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// How it ended.
    pub outcome: Outcome,
    /// Whether another endpoint has failed the same exchange in the same way before.
    pub is_repeated: bool,
    /// Whether its endpoint cools down for it.
    pub cools: bool,
}

impl From<Outcome> for Facts {
    /// An attempt of which only this is known.
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            is_repeated: false,
            cools: false,
        }
    }
}

/// What an attempt says of its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// What metrics call it.
    pub kind: Kind,
    /// What the breaker makes of it.
    pub breaker: Verdict,
    /// How it counts in the window.
    pub counted: Counted,
    /// What it says of the endpoint's speed.
    pub speed: Speed,
}

/// What an attempt says of its endpoint's speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speed {
    /// Its time is a sample.
    Sample,
    /// It counts as a slow answer at least.
    Penalty,
    /// Nothing.
    Silent,
}

/// Judges an attempt under these policies of its pool. `had_whole_read`: its endpoint had the
/// pool's whole `read` to answer in.
#[must_use]
pub fn judge(
    facts: Facts,
    had_whole_read: bool,
    retry: &RetryPolicy,
    breaker: &BreakerPolicy,
) -> Judged {
    match facts.outcome {
        Outcome::Neutral(_) => nothing(Kind::Neutral),
        Outcome::Timeout if !had_whole_read => nothing(Kind::Deadline),
        Outcome::Timeout => failure(Kind::Timeout, true),
        Outcome::Reset => failure(Kind::Reset, true),
        Outcome::ConnectFailure => failure(Kind::ConnectFailure, true),
        Outcome::Event if facts.is_repeated => nothing(Kind::Event),
        Outcome::Event => failure(Kind::Event, true),
        Outcome::Answered(_) | Outcome::Grpc(_) => answered(facts, retry, breaker),
    }
}

fn answered(facts: Facts, retry: &RetryPolicy, breaker: &BreakerPolicy) -> Judged {
    let blame = blame(facts.outcome, breaker);
    let is_listed = retry.covers(facts.outcome);
    if facts.cools {
        return Judged {
            kind: Kind::Status,
            breaker: Verdict::Neutral,
            counted: Counted::Unwanted,
            speed: Speed::Penalty,
        };
    }
    if facts.is_repeated && (blame != Blame::None || is_listed) {
        return nothing(Kind::Status);
    }
    let (counted, speed) = match blame {
        Blame::Row => return failure(Kind::Status, true),
        Blame::Rate => return failure(Kind::Status, false),
        Blame::None if is_listed => (Counted::Unwanted, Speed::Penalty),
        Blame::None if is_clients(facts.outcome) => (Counted::Success, Speed::Silent),
        Blame::None => (Counted::Success, Speed::Sample),
    };
    Judged {
        kind: Kind::Success,
        breaker: Verdict::Success,
        counted,
        speed,
    }
}

const fn failure(kind: Kind, consecutive: bool) -> Judged {
    Judged {
        kind,
        breaker: Verdict::Failure { consecutive },
        counted: Counted::Failure,
        speed: Speed::Penalty,
    }
}

const fn nothing(kind: Kind) -> Judged {
    Judged {
        kind,
        breaker: Verdict::Neutral,
        counted: Counted::Not,
        speed: Speed::Silent,
    }
}

/// In what an answer counts against its endpoint.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Blame {
    None,
    Rate,
    Row,
}

fn blame(outcome: Outcome, breaker: &BreakerPolicy) -> Blame {
    match outcome {
        // What the server does not do at all: every endpoint would say so (RFC 9110 §15.6.2 and
        // §15.6.6, RFC 6585 §6).
        Outcome::Answered(501 | 505 | 511) => Blame::None,
        Outcome::Answered(status) if breaker.failure_statuses.contains(status) => Blame::Row,
        // No capacity, but alive.
        Outcome::Answered(429) | Outcome::Grpc(GrpcStatus::RESOURCE_EXHAUSTED) => Blame::Rate,
        Outcome::Grpc(status) if status.is_servers() => Blame::Row,
        _ => Blame::None,
    }
}

/// Whether the client is to blame for an answer that is nobody else's fault.
const fn is_clients(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Answered(status) => status >= 400,
        _ => true,
    }
}

#[cfg(test)]
mod tests;
