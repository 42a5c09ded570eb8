//! Active health checks: calls, like retries.
//!
//! Every worker looks in each round whether a check is due. The first one to claim it in what the
//! workers share makes it, so each check is made once. The answer becomes a finding, which changes
//! the endpoint's health and its breaker.

use rand::{Rng, RngExt as _};
use slab::Slab;
use steerage_policy::endpoint::EndpointIndex;
use steerage_policy::health::Finding;
use steerage_policy::outcome::Outcome;

use crate::action::{Action, CallId, Check};
use crate::answer::Answer;
use crate::pool::SteeredPool;
use crate::signals::DEGRADED;
use crate::turn::Turn;
use crate::walk::Call;

impl SteeredPool {
    /// Makes the checks that are due and that no other worker has claimed.
    #[inline(never)]
    pub(crate) fn check_health(
        &mut self,
        calls: &mut Slab<Call>,
        rng: &mut dyn Rng,
        turn: &mut Turn<'_>,
    ) {
        if self.pool().checks.is_none() || self.is_checked_elsewhere {
            return;
        }
        let now = turn.now;
        let endpoints = self.state.endpoints();
        let due: Vec<EndpointIndex> = endpoints
            .filter(|(_, state)| state.agreed().health.check_is_due(now))
            .map(|(index, _)| index)
            .collect();
        for endpoint in due {
            let draw = rng.random();
            let claimed = self.change(endpoint, turn, |pool, agreed| {
                let checks = pool.checks.as_ref();
                checks.is_some_and(|checks| agreed.health.claim_check(checks, draw, now))
            });
            if claimed == Some(true) {
                let pool = self.index;
                let id = CallId(calls.insert(Call::Check { pool, endpoint }));
                turn.actions
                    .push_back(Action::Check(Check { id, pool, endpoint }));
            }
        }
    }

    /// A check has been answered, or has failed.
    #[inline(never)]
    pub(crate) fn check_answered(
        &mut self,
        endpoint: EndpointIndex,
        answer: &Answer,
        turn: &mut Turn<'_>,
    ) {
        let Some(checks) = &self.settings.pool.checks else {
            return; // A pool without checks makes none.
        };
        let status = match answer.outcome {
            Outcome::Answered(status) => Some(status),
            _ => None,
        };
        let mut finding = checks.finding(status);
        let headers = answer.headers.as_ref();
        if finding == Finding::Healthy && headers.is_some_and(|it| it.get(DEGRADED).is_some()) {
            finding = Finding::Degraded;
        }
        if let Some(state) = self.state.endpoint_mut(endpoint) {
            state.totals_mut().checked(finding);
        }
        let now = turn.now;
        self.change(endpoint, turn, |pool, agreed| {
            if let Some(checks) = &pool.checks {
                agreed.health.take_finding(checks, finding, now);
            }
            let breaker = &mut agreed.breaker;
            breaker.checked(&pool.breaker, finding.is_good(), now);
        });
    }

    /// Takes in what a live answer says of its endpoint's health. Only a pool that checks obeys
    /// `x-envoy-immediate-health-check-fail`: nothing else could make the endpoint usable again.
    pub(crate) fn mark(
        &mut self,
        endpoint: EndpointIndex,
        degraded: bool,
        failing: bool,
        turn: &mut Turn<'_>,
    ) {
        let now = turn.now;
        let failing = failing && self.pool().checks.is_some();
        let degraded = degraded
            && self
                .state
                .endpoint(endpoint)
                .is_some_and(|state| state.agreed().health.degraded_is_news(now));
        if degraded || failing {
            self.change(endpoint, turn, |_, agreed| {
                if degraded {
                    agreed.health.mark_degraded(now);
                }
                if failing {
                    agreed.health.fail_immediately();
                }
            });
        }
    }
}
