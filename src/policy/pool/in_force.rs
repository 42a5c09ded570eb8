//! What all workers agree on, read through the configuration in force.
//!
//! The record outlives the configuration under which it came about. It may say that a breaker is
//! open for an hour, where a minute is allowed now; that an endpoint is unhealthy, though nobody
//! checks it any more and nothing could make it healthy again; that a check is due tomorrow.
//!
//! Example: `health_check.interval` was 24 h and is 1 s now. A check that is due in more than 1.1 s
//! is due at once.

use alloc::boxed::Box;

use super::Pool;
use crate::breaker::StateName;
use crate::endpoint::{Agreed, Endpoint, EndpointState};
use crate::time::Instant;

impl Pool {
    /// Takes over what all agree on, as far as it holds under this configuration.
    pub fn agree(&self, state: &mut EndpointState, mut agreed: Agreed, now: Instant) {
        self.bound(&mut agreed, now);
        if self.checks.is_none() {
            agreed.health = agreed.health.unchecked();
        }
        state.agree(agreed);
    }

    /// Whether its endpoints are checked in another way than those of `before`.
    #[must_use]
    pub fn checks_otherwise_than(&self, before: &Self) -> bool {
        let Some(checks) = &self.checks else {
            return false;
        };
        let asked = |endpoint: &Endpoint| {
            let cluster: Box<str> = endpoint.checked_cluster().into();
            let host: Box<str> = endpoint.checked_host(checks).into();
            (cluster, host, endpoint.health_check_path.clone())
        };
        before.checks.as_ref() != Some(checks)
            || self.endpoints.iter().any(|endpoint| {
                let mut old = before.endpoints.iter();
                let old = old.find(|old| old.cluster == endpoint.cluster);
                old.is_some_and(|old| asked(old) != asked(endpoint))
            })
    }

    /// Shortens what lasts longer than this configuration allows.
    fn bound(&self, agreed: &mut Agreed, now: Instant) {
        agreed.breaker.shorten(&self.breaker);
        let longest = now + self.retry.longest_cool_down();
        if let Some(cooling) = &mut agreed.cooling {
            cooling.until = cooling.until.min(longest);
        }
        if let Some(checks) = &self.checks {
            agreed.health.hasten(checks, now);
        }
    }

    /// The same before a change, and not only for the eyes of this worker. `others_open` is the
    /// number of the pool's other breakers that are not closed: beyond what is allowed, this one
    /// is.
    pub fn bring_in_force(&self, agreed: &mut Agreed, others_open: usize, now: Instant) {
        self.bound(agreed, now);
        let is_open = agreed.breaker.name() != StateName::Closed;
        if is_open && !self.breaker.may_open(others_open, self.endpoints.len()) {
            agreed.breaker.close(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;
    use core::time::Duration;

    use super::*;
    use crate::breaker::{Admission, Verdict};
    use crate::endpoint::{Endpoint, EndpointState};
    use crate::health::{CheckPolicy, Finding, Health};

    const HOUR: Duration = Duration::from_secs(3_600);
    const SECOND: Duration = Duration::from_secs(1);
    const NOW: Instant = Instant::from_nanos(5_000_000_000);

    /// Open for an hour, cooling down for an hour, and unhealthy, with the next check in a day.
    fn bad() -> Agreed {
        let mut old = pool();
        old.breaker.timeout = HOUR;
        let checks = CheckPolicy {
            interval: HOUR * 24,
            unhealthy_interval: HOUR * 24,
            ..CheckPolicy::default()
        };
        let mut agreed = Agreed::default();
        let failure = Verdict::Failure { consecutive: true };
        let pass = agreed.breaker.free_pass();
        agreed.breaker.judge(&old.breaker, pass, failure, true, NOW);
        agreed.cool_down(NOW + HOUR, NOW);
        assert!(agreed.health.claim_check(&checks, 0.5, NOW));
        agreed.health.take_finding(&checks, Finding::Unhealthy, NOW);
        agreed
    }

    fn pool() -> Pool {
        Pool::new("p", ["a", "b"].map(Endpoint::new).to_vec())
    }

    fn read(pool: &Pool, agreed: Agreed, now: Instant) -> EndpointState {
        let mut state = EndpointState::new(SECOND);
        pool.agree(&mut state, agreed, now);
        state
    }

    #[test]
    fn without_checks_there_is_no_verdict_but_an_operators() {
        let mut agreed = bad();
        let (mut with, without) = (pool(), pool());
        with.checks = Some(CheckPolicy::default());
        let health = |pool, agreed: &Agreed| read(pool, agreed.clone(), NOW).health(NOW);
        assert_eq!(health(&with, &agreed), Health::Unhealthy);
        assert_eq!(health(&without, &agreed), Health::Unknown);
        // Live traffic may say that it is degraded.
        agreed.health.mark_degraded(NOW);
        assert_eq!(health(&without, &agreed), Health::Degraded);
        agreed.operator.health = Some(Health::Unhealthy);
        assert_eq!(health(&without, &agreed), Health::Unhealthy);
    }

    #[test]
    fn a_shorter_interval_makes_a_check_due_sooner_and_a_longer_one_not_later() {
        let due = |interval, after| {
            let mut pool = pool();
            pool.checks = Some(CheckPolicy {
                interval,
                unhealthy_interval: interval,
                ..CheckPolicy::default()
            });
            let agreed = read(&pool, bad(), NOW).agreed().clone();
            agreed.health.check_is_due(NOW + after)
        };
        assert!(due(SECOND * 10, Duration::ZERO));
        assert!(!due(HOUR * 48, HOUR * 23) && due(HOUR * 48, HOUR * 24));
    }

    #[test]
    fn a_shorter_timeout_ends_an_open_time_and_a_longer_one_does_not_prolong_it() {
        let admission = |timeout, after| {
            let mut pool = pool();
            pool.breaker.timeout = timeout;
            let state = read(&pool, bad(), NOW);
            state.admission(&pool.breaker, NOW + after)
        };
        assert_eq!(admission(SECOND, SECOND / 2), Admission::Refused);
        assert_eq!(admission(SECOND, SECOND), Admission::Trial);
        assert_eq!(admission(HOUR * 2, HOUR - SECOND), Admission::Refused);
        assert_eq!(admission(HOUR * 2, HOUR), Admission::Trial);
    }

    #[test]
    fn a_cool_down_ends_as_soon_as_is_allowed_now() {
        let until = |max: Option<Duration>, given: &[u32]| {
            let mut pool = pool();
            pool.retry.max_cool_down = max;
            let statuses = crate::retry::Statuses::default();
            let rules = given
                .iter()
                .map(|&seconds| (statuses.clone(), SECOND * seconds));
            pool.retry.cool_downs = rules.collect::<Vec<_>>();
            read(&pool, bad(), NOW).cooling_until(NOW)
        };
        assert_eq!(until(Some(HOUR * 2), &[]), Some(NOW + HOUR));
        assert_eq!(until(Some(SECOND), &[]), Some(NOW + SECOND));
        assert_eq!(until(None, &[]), None);
        assert_eq!(until(None, &[7, 3]), Some(NOW + SECOND * 7));
    }

    #[test]
    fn no_more_breakers_stay_open_than_may_open_now() {
        let open = |fraction: f64, others_open| {
            let mut pool = pool();
            pool.breaker.max_open_fraction = fraction;
            let mut agreed = bad();
            pool.bring_in_force(&mut agreed, others_open, NOW);
            agreed.breaker.name() != StateName::Closed
        };
        assert!(open(1.0, 1) && open(0.5, 0));
        assert!(!open(0.5, 1) && !open(0.0, 0));
    }
}
