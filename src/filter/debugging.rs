//! The debug log: each decision is one line of `key=value`, at the host's level `debug` for `wasm`.
//!
//! ```text
//! event=attempt exchange=7 pool=default attempt=1 endpoint=east exclusions=west:breaker_open
//! event=outcome exchange=7 pool=default attempt=1 endpoint=east outcome=status status=503 took=0.012
//! event=retry exchange=7 delay=0.025
//! event=stop exchange=7 reason=exhausted
//! event=breaker pool=default endpoint=east from=closed to=open
//! event=health pool=default endpoint=east from=healthy to=unhealthy
//! ```
//!
//! `exchange` is the host's number of the stream. Below that level nothing is formatted: `log` looks at
//! the level first, which the worker reads from the host once a round.

use core::fmt;
use core::time::Duration;

use steerage_policy::endpoint::{Agreed, Endpoint, EndpointIndex};
use steerage_policy::exchange::Attempt;
use steerage_policy::outcome::Outcome;
use steerage_policy::pool::{Pool, PoolState};
use steerage_policy::retry::Decision;
use steerage_policy::time::Instant;

use super::timers::StreamId;
use crate::interceptors::Seconds;

/// An endpoint has been chosen, and these were not in question.
pub(super) fn begun(id: StreamId, pool: &Pool, state: &PoolState, attempt: &Attempt, now: Instant) {
    log::debug!(
        "event=attempt exchange={id} pool={} attempt={} endpoint={} exclusions={}",
        pool.name,
        attempt.number(),
        name(pool, attempt),
        Exclusions {
            pool,
            state,
            chosen: attempt.endpoint(),
            now,
        }
    );
}

/// An attempt has come to something.
pub(super) fn ended(
    id: StreamId,
    pool: &Pool,
    attempt: &Attempt,
    outcome: Outcome,
    took: Duration,
) {
    log::debug!(
        "event=outcome exchange={id} pool={} attempt={} endpoint={} outcome={}{} took={}",
        pool.name,
        attempt.number(),
        name(pool, attempt),
        outcome.kind().name(),
        Status(outcome),
        Seconds(took)
    );
}

/// What follows.
pub(super) fn decided(id: StreamId, decision: Decision) {
    match decision {
        Decision::Again(delay) => {
            log::debug!("event=retry exchange={id} delay={}", Seconds(delay));
        }
        // Most often it was a success, and there was nothing to decide.
        Decision::Stop(None) => {}
        Decision::Stop(Some(denial)) => {
            log::debug!("event=stop exchange={id} reason={}", denial.name());
        }
    }
}

/// What the workers agree on has changed.
pub(super) fn changed(
    pool: &Pool,
    endpoint: &Endpoint,
    before: &Agreed,
    after: &Agreed,
    now: Instant,
) {
    let breaker = (before.circuit(now).name(), after.circuit(now).name());
    let health = (before.verdict(now).name(), after.verdict(now).name());
    for (event, (from, to)) in [("breaker", breaker), ("health", health)] {
        if from != to {
            log::debug!(
                "event={event} pool={} endpoint={} from={from} to={to}",
                pool.name,
                endpoint.name
            );
        }
    }
}

fn name<'a>(pool: &'a Pool, attempt: &Attempt) -> &'a str {
    pool.endpoint(attempt.endpoint())
        .map_or("", |endpoint| &endpoint.name)
}

/// The endpoints that could not be chosen, each with the reason.
struct Exclusions<'a> {
    pool: &'a Pool,
    state: &'a PoolState,
    /// If it is on trial, it has no permit left now.
    chosen: EndpointIndex,
    now: Instant,
}

impl fmt::Display for Exclusions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoints = self.pool.endpoints.iter().zip(self.state.endpoints());
        let mut separator = "";
        for (endpoint, (index, state)) in endpoints {
            if index == self.chosen {
                continue;
            }
            if let Some(exclusion) = state.exclusion(&self.pool.breaker, self.now) {
                write!(f, "{separator}{}:{}", endpoint.name, exclusion.name())?;
                separator = ",";
            }
        }
        f.write_str(if separator.is_empty() { "none" } else { "" })
    }
}

/// ` status=503` of an answer, nothing of a failure without one.
struct Status(Outcome);

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Outcome::Answered(status) => write!(f, " status={status}"),
            _ => Ok(()),
        }
    }
}
