//! What is written down while a case is played.

use steerage_policy::breaker::{Admission, StateName};
use steerage_policy::endpoint::{Agreed, EndpointIndex};
use steerage_policy::outcome::Outcome;
use steerage_policy::retry::Decision;
use steerage_policy::retry::idempotency::Repeatability;
use steerage_policy::retry::reason::Denial;
use steerage_policy::time::Instant;

/// One attempt, from beginning to end, and what was decided then.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) request: usize,
    pub(crate) number: u8,
    pub(crate) endpoint: EndpointIndex,
    pub(crate) deadline: Instant,
    pub(crate) begun: Beginning,
    pub(crate) ended: Instant,
    pub(crate) outcome: Outcome,
    pub(crate) repeatability: Repeatability,
    /// How many available endpoints this exchange had not tried yet when the attempt ended.
    pub(crate) untried: usize,
    pub(crate) decision: Decision,
}

/// How an attempt began.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Beginning {
    pub(crate) at: Instant,
    /// When its worker had last read what the others published.
    pub(crate) synced: Instant,
    /// The admission as its worker knew it.
    pub(crate) known: Admission,
    /// The admission as it was agreed.
    pub(crate) agreed: Admission,
    pub(crate) is_trial: bool,
    /// How many available endpoints the exchange had not tried yet.
    pub(crate) untried: usize,
}

/// An exchange that got no further attempt.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) at: Instant,
    pub(crate) deadline: Instant,
    pub(crate) reason: Denial,
    /// How many endpoints were available, as far as its worker knew.
    pub(crate) available: usize,
}

/// What is agreed on for an endpoint, and what is under way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Look {
    pub(crate) state: StateName,
    pub(crate) admission: Admission,
    /// Trials of this state that are under way.
    pub(crate) trials: usize,
}

/// Everything that one case came to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Records {
    /// In the order in which they ended.
    pub(crate) attempts: Vec<Record>,
    pub(crate) refusals: Vec<Refusal>,
    /// After each event: attempts under way, and the sum of what the workers count as active.
    pub(crate) active: Vec<(usize, u32)>,
    /// After each event, of each endpoint.
    pub(crate) looks: Vec<Look>,
    /// What each worker counts as active in all of them when everything has ended.
    pub(crate) left: Vec<u32>,
    /// What is agreed on in the end, and when that is.
    pub(crate) agreed: Vec<Agreed>,
    pub(crate) end: Instant,
}
