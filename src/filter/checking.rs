//! Active health checks: calls of the root context, like retries.
//!
//! Every worker looks in each round whether a check is due; the one that comes first claims it in
//! what the workers share, so each check is made once, and by whoever is there. The answer becomes a
//! finding, and the finding is told to the endpoint's health and to its breaker.

use rand::RngExt as _;
use steerage_policy::endpoint::{Endpoint, EndpointIndex};
use steerage_policy::health::{CheckPolicy, Finding};
use steerage_policy::outcome::Outcome;
use steerage_policy::time::Instant;

use super::answering::Answer;
use super::worker::{Call, SteeredPool, Worker};
use crate::host::{self, Refused, Token};

impl Worker {
    /// Makes the checks that are due and that no other worker has claimed.
    pub(super) fn check_health(&mut self, now: Instant) {
        for (position, steered) in self.pools.iter_mut().enumerate() {
            if steered.pool.checks.is_none() {
                continue;
            }
            let due: Vec<EndpointIndex> = steered
                .state
                .endpoints()
                .filter(|(_, state)| state.agreed().health.check_is_due(now))
                .map(|(index, _)| index)
                .collect();
            // Most rounds end here, before anything is copied.
            let (false, Some(checks)) = (due.is_empty(), &steered.pool.checks) else {
                continue;
            };
            let checks = checks.clone();
            for index in due {
                let draw = self.rng.random();
                let claimed = steered.change(index, now, |_, agreed| {
                    agreed.health.claim_check(&checks, draw, now)
                });
                let (Some(true), Some(endpoint)) = (claimed, steered.pool.endpoint(index)) else {
                    continue;
                };
                match send(&checks, endpoint) {
                    Ok(token) => {
                        let call = Call::Check {
                            pool: position,
                            endpoint: index,
                        };
                        self.calls.insert(token, call);
                    }
                    // An unknown, empty or full cluster is as bad as no answer.
                    Err(_) => steered.found(&checks, index, Finding::Unhealthy, now),
                }
            }
        }
    }

    /// A check has been answered, or has failed: then it has no answer.
    pub(super) fn check_answered(
        &mut self,
        pool: usize,
        endpoint: EndpointIndex,
        answer: Option<&Answer>,
        now: Instant,
    ) {
        let Some(steered) = self.pools.get_mut(pool) else {
            return; // OK because a call's pool is one of the worker's.
        };
        let Some(checks) = steered.pool.checks.clone() else {
            return; // OK because a pool without checks makes none.
        };
        let status = match answer.map(Answer::outcome) {
            Some(Outcome::Answered(status)) => Some(status),
            _ => None,
        };
        let mut finding = checks.finding(status);
        if finding == Finding::Healthy && answer.is_some_and(Answer::says_degraded) {
            finding = Finding::Degraded;
        }
        steered.found(&checks, endpoint, finding, now);
    }
}

impl SteeredPool {
    /// Tells an endpoint's health and breaker what a check has found.
    fn found(
        &mut self,
        checks: &CheckPolicy,
        endpoint: EndpointIndex,
        finding: Finding,
        now: Instant,
    ) {
        if let Some(state) = self.state.endpoint_mut(endpoint) {
            state.totals_mut().checked(finding);
        }
        self.change(endpoint, now, |pool, agreed| {
            agreed.health.take_finding(checks, finding, now);
            agreed
                .breaker
                .checked(&pool.breaker, finding.is_good(), now);
        });
    }

    /// Takes in what a live answer says of its endpoint's health. Only a pool that checks listens to
    /// `x-envoy-immediate-health-check-fail`: nothing else could make the endpoint usable again.
    pub(super) fn hear_answer(
        &mut self,
        endpoint: EndpointIndex,
        degraded: bool,
        failing: bool,
        now: Instant,
    ) {
        let failing = failing && self.pool.checks.is_some();
        let degraded = degraded
            && self
                .state
                .endpoint(endpoint)
                .is_some_and(|state| state.agreed().health.degraded_is_news(now));
        if degraded || failing {
            self.change(endpoint, now, |_, agreed| {
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

/// Sends a check.
fn send(checks: &CheckPolicy, endpoint: &Endpoint) -> Result<Token, Refused> {
    let path = endpoint
        .health_check_path
        .as_deref()
        .unwrap_or(&checks.path);
    let host = endpoint
        .authority
        .as_deref()
        .or(checks.host.as_deref())
        .unwrap_or(&endpoint.cluster);
    let mut headers: Vec<(&str, &str)> = vec![
        (":method", &checks.method),
        (":path", path),
        (":authority", host),
        ("user-agent", USER_AGENT),
    ];
    headers.extend(
        checks
            .headers
            .iter()
            .map(|(name, value)| (&**name, &**value)),
    );
    host::call(&endpoint.cluster, &headers, &[], checks.timeout)
}

/// By which an upstream's access log tells checks from traffic.
const USER_AGENT: &str = "steerage-health-check";
