//! How many retries there may be for so many requests.
//!
//! When everything fails, each request would be sent `max_attempts` times, and an upstream that is
//! down because it is overloaded would get three times the load. A budget ties retries to requests.
//! Within the trailing `ttl` there may be `ratio` retries for each request, plus a reserve of
//! `min_per_second`, so that a pool with little traffic can retry at all. The shape is that of
//! Finagle's `RetryBudget`.
//!
//! **Counts and not a bucket of tokens**, because counts of several workers add up. Each worker
//! publishes its own counts and adds those of the others, so there is one budget for all of them.
//!
//! **A retry is paid when it is decided**, before its delay. Otherwise a thousand requests that
//! fail together would all find the budget full. A retry that is then not made, because its client
//! has left, stays paid.
//!
//! Limits: workers can overdraw the budget by what they spend before they have read each other's
//! counts, which takes up to two `sync_interval`s.
//!
//! Example: `ratio` 0.2, `min_per_second` 10, `ttl` 10 s. After 500 requests within ten seconds
//! there may be 0.2 × 500 + 10 × 10 = 200 retries in these ten seconds. The 201st is denied.

use core::time::Duration;

use crate::retry::hedge::HedgePolicy;
use crate::stats::spending::{Spending, has_room};
use crate::stats::window::Window;
use crate::time::Instant;

/// How many retries there may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BudgetPolicy {
    /// Retries for each request, 0.0..=1.0.
    pub ratio: f64,
    /// Retries per second that are always allowed.
    pub min_per_second: f64,
    /// How long requests and retries count.
    pub ttl: Duration,
}

impl BudgetPolicy {
    /// Whether one more retry is within the budget.
    #[must_use]
    pub fn allows(&self, spending: Spending) -> bool {
        let reserve = self.min_per_second * self.ttl.as_secs_f64();
        has_room(spending.retries, spending.requests, self.ratio, reserve)
    }
}

impl Default for BudgetPolicy {
    /// One retry for five requests, ten a second in any case, over ten seconds.
    fn default() -> Self {
        Self {
            ratio: 0.2,
            min_per_second: 10.0,
            ttl: Duration::from_secs(10),
        }
    }
}

/// The account of one pool: what this worker has counted, and what the others have.
#[derive(Clone, Debug)]
pub struct Budget {
    own: Window<Spending>,
    others: Spending,
}

impl Budget {
    /// An empty account, in which everything counts for `ttl`.
    #[must_use]
    pub fn new(ttl: Duration) -> Self {
        Self {
            own: Window::new(ttl),
            others: Spending::default(),
        }
    }

    /// A request has arrived.
    pub fn request(&mut self, now: Instant) {
        let request = Spending {
            requests: 1,
            ..Spending::default()
        };
        self.own.add(request, now);
    }

    /// Pays for a retry if the budget allows it.
    #[must_use = "a retry that is not paid for must not be made"]
    pub fn pay(&mut self, policy: &BudgetPolicy, now: Instant) -> bool {
        let allowed = policy.allows(self.spending(now));
        if allowed {
            self.own.add(RETRY, now);
        }
        allowed
    }

    /// Pays for a hedge if the ratio of hedges allows it, and the budget if there is one.
    #[must_use = "a hedge that is not paid for must not be made"]
    pub fn pay_hedge(
        &mut self,
        policy: Option<&BudgetPolicy>,
        hedges: &HedgePolicy,
        now: Instant,
    ) -> bool {
        let spending = self.spending(now);
        let allowed =
            hedges.allows(spending) && policy.is_none_or(|policy| policy.allows(spending));
        if allowed {
            self.own.add(Spending { hedges: 1, ..RETRY }, now);
        }
        allowed
    }

    /// What all workers have spent, as far as this worker knows.
    fn spending(&self, now: Instant) -> Spending {
        let mut spending = self.own.counts(now);
        spending += self.others;
        spending
    }

    /// The counts that this worker publishes.
    #[must_use]
    pub fn report(&self, now: Instant) -> Spending {
        self.own.counts(now)
    }

    /// Replaces the sum of the other workers' counts.
    pub const fn set_others(&mut self, others: Spending) {
        self.others = others;
    }
}

const RETRY: Spending = Spending {
    requests: 0,
    retries: 1,
    hedges: 0,
};

#[cfg(test)]
mod tests {
    use super::*;

    fn second(n: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(n)
    }

    /// How many retries there may be after so many requests at once.
    fn allowed(policy: BudgetPolicy, requests: u32) -> usize {
        let mut budget = Budget::new(policy.ttl);
        for _ in 0..requests {
            budget.request(second(1));
        }
        (0..10_000)
            .take_while(|_| budget.pay(&policy, second(1)))
            .count()
    }

    #[test]
    fn a_share_of_the_requests_and_a_reserve() {
        let policy = BudgetPolicy::default();
        assert_eq!(allowed(policy, 500), 200);
        assert_eq!(allowed(policy, 0), 100);
        let strict = BudgetPolicy {
            min_per_second: 0.0,
            ..policy
        };
        for (requests, retries) in [(0, 0), (4, 0), (5, 1), (9, 1), (10, 2), (500, 100)] {
            assert_eq!(allowed(strict, requests), retries, "{requests}");
        }
        let none = BudgetPolicy {
            ratio: 0.0,
            ..strict
        };
        assert_eq!(allowed(none, 500), 0);
    }

    #[test]
    fn everything_counts_for_its_time_and_no_longer() {
        let policy = BudgetPolicy {
            min_per_second: 0.0,
            ..BudgetPolicy::default()
        };
        let mut budget = Budget::new(policy.ttl);
        for _ in 0..5 {
            budget.request(second(1));
        }
        assert!(budget.pay(&policy, second(10)));
        assert!(!budget.pay(&policy, second(10)));
        for _ in 0..5 {
            budget.request(second(12));
        }
        // The first requests are forgotten by now, the retry is not.
        assert!(!budget.pay(&policy, second(12)));
        assert!(budget.pay(&policy, second(20)));
    }

    #[test]
    fn workers_spend_from_one_budget() {
        let policy = BudgetPolicy {
            min_per_second: 0.0,
            ..BudgetPolicy::default()
        };
        let mut budget = Budget::new(policy.ttl);
        assert!(!budget.pay(&policy, second(1)));
        budget.set_others(Spending {
            requests: 10,
            ..RETRY
        });
        assert!(budget.pay(&policy, second(1)));
        assert!(!budget.pay(&policy, second(1)));
        assert_eq!(budget.report(second(1)), RETRY);
    }
}
