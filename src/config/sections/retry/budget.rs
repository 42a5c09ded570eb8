//! `retry_policy.budget`: how many retries there may be for so many requests.

use core::time::Duration;

use steerage_policy::retry::budget::BudgetPolicy;

use crate::fields::Fields;
use crate::key::Key;
use crate::report::Reported;
use crate::section;

section! {
    /// `retry_policy.budget`.
    pub static BUDGET: Budget;
    RATIO: f64 = Key::share_or_zero(
        "ratio",
        "0.2",
        "retries for each request of the last `ttl`",
    );
    MIN_PER_SECOND: f64 = Key::number(
        "min_per_second",
        true,
        1_000_000.0,
        "10",
        "retries that are allowed in any case",
    );
    TTL: Duration = Key::span("ttl", "10", "how long a request counts");
}

pub(super) fn budget(fields: &Fields<'_, Budget>) -> Result<BudgetPolicy, Reported> {
    let default = BudgetPolicy::default();
    Ok(BudgetPolicy {
        ratio: fields.get(&RATIO)?.unwrap_or(default.ratio),
        min_per_second: fields
            .get(&MIN_PER_SECOND)?
            .unwrap_or(default.min_per_second),
        ttl: fields.get(&TTL)?.unwrap_or(default.ttl),
    })
}
