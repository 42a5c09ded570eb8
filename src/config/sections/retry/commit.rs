//! `retry_policy.commit_on`: when an answer is the client's.
//!
//! Until then nothing of the answer has gone to the client, so that another endpoint can give
//! another one. A call is held whole anyway, and only its end says how it went: this is for retries
//! by the router.
//!
//! Example: `{"commit_on": "first_message", "commit_timeout": 5}`: the head of an answer is held
//! until its first message has come, for 5 s at most.

use core::time::Duration;

use steerage_policy::retry::by::RetriesBy;
use steerage_policy::retry::first_message::{CommitOn, FirstMessage};

use super::keys::{COMMIT_ON, COMMIT_TIMEOUT, CommitOnName, FIRST_EVENTS, Retry};
use crate::error::Problem;
use crate::fields::Fields;
use crate::key::Key;
use crate::report::{Errors, Reported};

/// The moment, where retries are made `by` whoever the document says, and an answer has to begin
/// within `total`.
pub(super) fn commit_on(
    fields: &Fields<'_, Retry>,
    by: Result<RetriesBy, Reported>,
    total: Result<Duration, Reported>,
    errors: &mut Errors,
) -> Result<CommitOn, Reported> {
    if fields.get(&COMMIT_ON)? != Some(CommitOnName::FirstMessage) {
        let timeout = only_with_first_message(fields, &COMMIT_TIMEOUT, errors);
        let rules = only_with_first_message(fields, &FIRST_EVENTS, errors);
        return timeout.and(rules).and(Ok(CommitOn::Headers));
    }
    let by_router = match by? {
        RetriesBy::Router => Ok(()),
        RetriesBy::Calls => {
            let (field, value) = ("retries", RetriesBy::Router.name());
            let problem = Problem::OnlyWith { field, value };
            Err(errors.report(fields.error(&COMMIT_ON, problem)))
        }
    };
    let timeout = timeout(fields, total, errors);
    let rules = fields.get(&FIRST_EVENTS)?.unwrap_or_default();
    by_router?;
    Ok(CommitOn::FirstMessage(FirstMessage {
        timeout: timeout?,
        rules,
    }))
}

/// Reports the field if it is given.
fn only_with_first_message<T>(
    fields: &Fields<'_, Retry>,
    key: &Key<Retry, T>,
    errors: &mut Errors,
) -> Result<(), Reported> {
    if !fields.given(key) {
        return Ok(());
    }
    let problem = Problem::OnlyWith {
        field: COMMIT_ON.field.name,
        value: CommitOnName::FirstMessage.name(),
    };
    Err(errors.report(fields.error(key, problem)))
}

/// `commit_timeout`. An answer that is held longer than `total` could not begin in time.
fn timeout(
    fields: &Fields<'_, Retry>,
    total: Result<Duration, Reported>,
    errors: &mut Errors,
) -> Result<Option<Duration>, Reported> {
    let timeout = fields.get(&COMMIT_TIMEOUT)?;
    let most = total?;
    if timeout.is_none_or(|timeout| timeout <= most) {
        return Ok(timeout);
    }
    let what = "timeout.total";
    Err(errors.report(fields.error(&COMMIT_TIMEOUT, Problem::AtMost { what, most })))
}
