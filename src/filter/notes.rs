//! What is noted of an exchange for access logs.

use core::fmt;

use steerage_engine::action::{Account, Reason};
use steerage_engine::trail::Step;
use steerage_policy::outcome::{Kind, Outcome};
use steerage_policy::retry::reason::Denial;

use super::attempt_headers::attempts;
use super::plugin::PoolShell;
use crate::host::{self, Refused};
use crate::metrics::hostcall_refused;

/// Sets what the access log can print: `%FILTER_STATE(wasm.steerage.endpoint:PLAIN)%` and so on.
/// The reason is why the client did not get a better answer. A healthy first attempt is not noted,
/// unless the pool wants it: its cluster is Envoy's own `%UPSTREAM_CLUSTER%`, and each note costs a
/// hostcall.
pub(super) fn note(pool: &PoolShell, account: &Account) {
    let denial = || account.denial.map(Denial::name);
    let reason = account.reason.map(Reason::name).or_else(denial);
    if account.trail.steps().is_empty() && reason.is_none() {
        return;
    }
    let noted = note_value("steerage.endpoint", last_endpoint(pool, account))
        .and_then(|()| note_value("steerage.attempts", &attempts(account.attempts)))
        .and_then(|()| note_value("steerage.reason", reason.unwrap_or_default()))
        .and_then(|()| note_value("steerage.trail", &trail(pool, account)));
    if let Err(refused) = noted {
        hostcall_refused("to note something for the access log", refused);
    }
}

/// Every attempt: `east:503:12,west:200:31` is a 503 of `east` after 12 ms, and a 200 of `west`
/// after 31 ms.
fn trail(pool: &PoolShell, account: &Account) -> String {
    let steps = account.trail.steps().iter();
    let steps = steps.map(|step| Told { pool, step }.to_string());
    steps.collect::<Vec<_>>().join(",")
}

/// One attempt as the access log prints it.
struct Told<'a> {
    pool: &'a PoolShell,
    step: &'a Step,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Step {
            endpoint,
            outcome,
            took,
        } = *self.step;
        write!(f, "{}:", self.pool.endpoint_name(endpoint))?;
        match outcome {
            Outcome::Answered(status) => write!(f, "{status}")?,
            Outcome::Grpc(status) => write!(f, "grpc_{}", status.0)?,
            Outcome::Neutral(neutral) => f.write_str(neutral.name())?,
            failed => f.write_str(failed.failure().map_or("", Kind::name))?,
        }
        write!(f, ":{}", host::milliseconds(took))
    }
}

/// Notes a value, unless it is empty.
fn note_value(name: &str, value: &str) -> Result<(), Refused> {
    if value.is_empty() {
        return Ok(());
    }
    host::set_filter_state(name, value.as_bytes())
}

/// The name of the endpoint that was chosen last; empty if there was no attempt.
pub(super) fn last_endpoint<'a>(pool: &'a PoolShell, account: &Account) -> &'a str {
    account
        .endpoint
        .map_or("", |index| pool.endpoint_name(index))
}
