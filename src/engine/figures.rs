//! What metrics are made of: counts since the worker began, and levels as they are now.
//!
//! Nothing is published while a request is served. What is counted anyway, for status and for the
//! other workers, is copied out once a round, and the shell adds to the host's metrics by how much
//! it has grown.

use steerage_policy::breaker::StateName;
use steerage_policy::endpoint::EndpointState;
use steerage_policy::health::Health;
use steerage_policy::retry::reason::{Denial, Trigger};
use steerage_policy::stats::totals::Totals;
use steerage_policy::time::Instant;

use crate::settings::PoolIndex;

/// The figures of one pool.
#[derive(Debug)]
pub struct PoolFigures {
    /// Which pool it is.
    pub pool: PoolIndex,
    /// Whether this worker is the one that sets the levels for all workers.
    pub is_reporter: bool,
    /// Requests that belonged to it.
    pub requests: u64,
    /// Requests by whether the client got a good answer: those that did, and those that did not.
    pub answers: [u64; 2],
    /// Attempts after the first, by [`Trigger`].
    pub retries: [u64; Trigger::ALL.len()],
    /// Retries that were denied, by [`Denial`].
    pub denied: [u64; Denial::ALL.len()],
    /// Whether so little of it is available that breakers and health are ignored.
    pub panics: bool,
    /// Its endpoints, in the order of the configuration.
    pub endpoints: Vec<EndpointFigures>,
}

/// The figures of one endpoint.
#[derive(Debug)]
pub struct EndpointFigures {
    /// What has been counted.
    pub totals: Totals,
    /// Response times since the last round, in milliseconds.
    pub durations: Vec<u32>,
    /// The verdict on its health.
    pub health: Health,
    /// The state of its circuit.
    pub circuit: StateName,
    /// Attempts under way in all workers.
    pub active: u32,
    /// How many of them it takes at a time, over all workers.
    pub limit: u32,
}

impl EndpointFigures {
    /// Those of `state`.
    pub(crate) fn of(state: &EndpointState, durations: Vec<u32>, now: Instant) -> Self {
        Self {
            totals: *state.totals(),
            durations,
            health: state.health(now),
            circuit: state.agreed().circuit(now),
            active: state.active(),
            limit: state.limit(),
        }
    }
}
