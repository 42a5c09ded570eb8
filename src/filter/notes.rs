//! What is noted of an exchange for access logs.

use steerage_engine::action::{Account, Reason};
use steerage_policy::retry::reason::Denial;

use super::attempt_headers::attempts;
use super::plugin::PoolShell;
use crate::host::{self, Refused};
use crate::metrics::hostcall_refused;

/// Sets what the access log can print: `%FILTER_STATE(wasm.steerage.endpoint:PLAIN)%` and so on.
/// The reason is why the client did not get a better answer; most have none.
pub(super) fn note(pool: &PoolShell, account: &Account) {
    let endpoint = last_endpoint(pool, account);
    let denial = || account.denial.map(Denial::name);
    let reason = account.reason.map(Reason::name).or_else(denial);
    let noted = note_value("steerage.endpoint", endpoint)
        .and_then(|()| note_value("steerage.attempts", &attempts(account.attempts)))
        .and_then(|()| note_value("steerage.reason", reason.unwrap_or_default()));
    if let Err(refused) = noted {
        hostcall_refused("to note something for the access log", refused);
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
