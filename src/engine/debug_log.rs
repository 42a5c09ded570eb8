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
//! `exchange` is the shell's number of the stream. A line is made only in a turn whose `debug` is
//! set, so the log costs nothing while it is off.

use core::fmt;
use core::time::Duration;

use steerage_policy::endpoint::{Agreed, Endpoint, EndpointIndex};
use steerage_policy::exchange::Attempt;
use steerage_policy::outcome::{Class, Kind, Outcome};
use steerage_policy::pool::{Pool, PoolState};
use steerage_policy::retry::Decision;
use steerage_policy::time::Instant;

use crate::names::StreamId;

/// An endpoint has been chosen, and these were excluded.
pub(crate) fn begun(
    stream: StreamId,
    pool: &Pool,
    state: &PoolState,
    attempt: &Attempt,
    now: Instant,
) -> String {
    format!(
        "event=attempt exchange={} pool={} attempt={} endpoint={} exclusions={}",
        stream.0,
        pool.name,
        attempt.number(),
        name(pool, attempt),
        Exclusions {
            pool,
            state,
            chosen: attempt.endpoint(),
            now,
        }
    )
}

/// An attempt has come to something.
pub(crate) fn ended(
    stream: StreamId,
    pool: &Pool,
    attempt: &Attempt,
    outcome: Outcome,
    took: Duration,
) -> String {
    format!(
        "event=outcome exchange={} pool={} attempt={} endpoint={} outcome={}{} took={}",
        stream.0,
        pool.name,
        attempt.number(),
        name(pool, attempt),
        name_of(outcome),
        Status(outcome),
        Seconds(took)
    )
}

/// What follows; `None` where there was nothing to decide, as after a success.
pub(crate) fn decided(stream: StreamId, decision: Decision) -> Option<String> {
    let stream = stream.0;
    match decision {
        Decision::Again(delay) => Some(format!(
            "event=retry exchange={stream} delay={}",
            Seconds(delay)
        )),
        Decision::Stop(None) => None,
        Decision::Stop(Some(denial)) => {
            let reason = denial.name();
            Some(format!("event=stop exchange={stream} reason={reason}"))
        }
    }
}

/// What the workers agree on has changed.
pub(crate) fn changed(
    pool: &Pool,
    endpoint: &Endpoint,
    before: &Agreed,
    after: &Agreed,
    now: Instant,
) -> impl Iterator<Item = String> {
    let breaker = (before.circuit(now).name(), after.circuit(now).name());
    let health = (before.verdict(now).name(), after.verdict(now).name());
    let lines = [("breaker", breaker), ("health", health)].map(|(event, (from, to))| {
        (from != to).then(|| {
            let (pool, endpoint) = (&pool.name, &endpoint.name);
            format!("event={event} pool={pool} endpoint={endpoint} from={from} to={to}")
        })
    });
    lines.into_iter().flatten()
}

/// What a line calls an outcome: the kind of failure, or what the answer was to the client.
fn name_of(outcome: Outcome) -> &'static str {
    match (outcome.class(), outcome.failure()) {
        (Class::Success, _) => Kind::Success.name(),
        (_, Some(kind)) => kind.name(),
        (_, None) => Kind::Neutral.name(),
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
            Outcome::Grpc(status) => write!(f, " grpc_status={}", status.0),
            _ => Ok(()),
        }
    }
}

/// A duration in seconds with three decimals.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = (self.0.as_micros() + 500) / 1_000;
        write!(f, "{}.{:03}", millis / 1_000, millis % 1_000)
    }
}
