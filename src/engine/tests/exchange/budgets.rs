//! Retries are never more than the pool's budget allows, and never denied within it.
//!
//! The budget counts over a trailing window of ten buckets, so what it holds lies between the last
//! 0.9 `ttl` and the last `ttl`: the bounds here leave it that room. One worker is enough: that
//! several spend from one budget depends on what they publish.

use std::time::Duration;

use proptest::prelude::prop_assert;
use proptest::proptest;
use steerage_policy::retry::Decision;
use steerage_policy::retry::budget::BudgetPolicy;
use steerage_policy::retry::reason::Denial;
use steerage_policy::time::Instant;

use super::cases::{Case, steady};
use super::config;
use super::playing::play;
use super::records::Record;

/// How many retries there may be for the requests between the two times, the last included.
fn allowed(case: &Case, budget: &BudgetPolicy, after: Instant, until: Instant) -> f64 {
    let requests = case.requests.iter();
    let requests = requests
        .map(|request| Instant::ORIGIN + request.arrives)
        .filter(|&at| (after < at || after == Instant::ORIGIN) && at <= until)
        .count();
    budget.ratio * requests as f64 + budget.min_per_second * budget.ttl.as_secs_f64()
}

/// How many retries were decided on between the two times, by the records up to some point.
fn decided(records: &[Record], after: Instant, until: Instant) -> f64 {
    let decided = records
        .iter()
        .filter(|record| matches!(record.decision, Decision::Again(_)))
        .filter(|record| after < record.ended && record.ended <= until);
    decided.count() as f64
}

/// `span` before `now`.
fn before(now: Instant, span: Duration) -> Instant {
    let since_origin = now.since(Instant::ORIGIN);
    Instant::ORIGIN + since_origin.saturating_sub(span)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn retries_are_never_over_the_budget(case in steady()) {
        let records = play(&case).attempts;
        let Some(budget) = case.pool.retry.budget else { return Ok(()) };
        for (position, record) in records.iter().enumerate() {
            if let Decision::Again(_) = record.decision {
                let now = record.ended;
                let certain = before(now, budget.ttl * 9 / 10);
                let most = allowed(&case, &budget, before(now, budget.ttl), now);
                let retries = decided(&records[..=position], certain, now);
                prop_assert!(retries <= most + 1e-6, "{retries} of {most}: {record:?}");
            }
        }
    }

    #[test]
    fn retries_are_denied_only_when_the_budget_is_spent(case in steady()) {
        let records = play(&case).attempts;
        let Some(budget) = case.pool.retry.budget else { return Ok(()) };
        for (position, record) in records.iter().enumerate() {
            if record.decision == Decision::Stop(Some(Denial::Budget)) {
                let now = record.ended;
                let certain = before(now, budget.ttl * 9 / 10);
                let least = allowed(&case, &budget, certain, now);
                let retries = decided(&records[..position], before(now, budget.ttl), now);
                prop_assert!(retries + 1.0 > least - 1e-6, "{retries} of {least}: {record:?}");
            }
        }
    }
}
