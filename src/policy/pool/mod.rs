//! A pool: a set of endpoints with one policy, and what its traffic has shown.
//!
//! [`Pool`] is the configuration and never changes. [`PoolState`] is what one worker knows. They
//! are separate, so that a decision can borrow the one and change the other.
//!
//! Example: two workers serve one pool of three endpoints. There is one `Pool`, and each worker has
//! a `PoolState` with three endpoint states.

mod in_force;
mod state;
mod timeouts;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use crate::balance::Strategy;
use crate::balance::rules::Rules;
use crate::breaker::{BreakerPolicy, StateName};
use crate::endpoint::{Agreed, Endpoint, EndpointIndex};
use crate::health::CheckPolicy;
use crate::limit::{Keepalive, Limit};
use crate::matching::Matcher;
use crate::retry::RetryPolicy;

pub use state::{Judgement, PoolState};
pub use timeouts::{Timeouts, TotalTooShort};

/// A pool as configured.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Unique among the pools of a configuration.
    pub name: Box<str>,
    /// Which requests belong to it.
    pub matcher: Matcher,
    /// At least one, at most [`crate::endpoint::MAX_ENDPOINTS`].
    pub endpoints: Vec<Endpoint>,
    /// How endpoints are chosen.
    pub strategy: Strategy,
    /// Time constant of the response-time averages.
    pub decay: Duration,
    /// When failed attempts are repeated.
    pub retry: RetryPolicy,
    /// Limits in time.
    pub timeouts: Timeouts,
    /// When an endpoint's breaker opens, and how it closes again.
    pub breaker: BreakerPolicy,
    /// How long slow start lasts after an endpoint becomes available again; zero: there is none.
    pub slow_start: Duration,
    /// Breakers and health are ignored where they would leave nothing available, and when less than
    /// this share of the pool's weight, 0.0..=1.0, is available; `None`: never.
    pub panic_threshold: Option<f64>,
    /// How many times its available share a tier of priority carries; 0: everything, as long as one
    /// of its endpoints is available.
    pub overprovisioning: f64,
    /// How the endpoints are checked; `None` if they are not.
    pub checks: Option<CheckPolicy>,
    /// How many attempts may be under way at each endpoint.
    pub limit: Limit,
    /// What the clusters should do with idle connections.
    pub keepalive: Keepalive,
    /// Longest body in bytes that the answer of a call may have.
    pub max_response_bytes: usize,
    /// Whether answers name the endpoint and the number of attempts to the client.
    pub response_headers: bool,
    /// Whether access logs are told of every answer, and not only of those that took more than one
    /// healthy attempt.
    pub access_log: bool,
}

impl Pool {
    /// A pool of these endpoints with the default policy, which matches every request.
    #[must_use]
    pub fn new(name: &str, endpoints: Vec<Endpoint>) -> Self {
        Self {
            name: name.into(),
            matcher: Matcher::default(),
            endpoints,
            strategy: Strategy::RoundRobin,
            decay: DEFAULT_DECAY,
            retry: RetryPolicy::default(),
            timeouts: Timeouts::default(),
            breaker: BreakerPolicy::default(),
            slow_start: Duration::ZERO,
            panic_threshold: Some(0.0),
            overprovisioning: DEFAULT_OVERPROVISIONING,
            checks: None,
            limit: Limit::DEFAULT,
            keepalive: Keepalive::default(),
            max_response_bytes: 8 << 20,
            response_headers: false,
            access_log: false,
        }
    }

    /// The endpoint at `index`.
    #[must_use]
    pub fn endpoint(&self, index: EndpointIndex) -> Option<&Endpoint> {
        self.endpoints.get(index.position())
    }

    /// Reverts the opening of a breaker, if more of the pool would be open than is allowed.
    /// `before` is what was agreed before, and `others_open` is the number of the pool's other
    /// breakers that are not closed. The next failure tries again.
    pub fn limit_open(&self, before: &Agreed, agreed: &mut Agreed, others_open: usize) {
        let was_closed = before.breaker.name() == StateName::Closed;
        let has_opened = agreed.breaker.name() == StateName::Open;
        if was_closed && has_opened && !self.breaker.may_open(others_open, self.endpoints.len()) {
            agreed.breaker = before.breaker.clone();
        }
    }
}

impl Rules for Pool {
    fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    fn breaker(&self) -> &BreakerPolicy {
        &self.breaker
    }

    fn slow_start(&self) -> Duration {
        self.slow_start
    }

    fn panic_threshold(&self) -> Option<f64> {
        self.panic_threshold
    }

    fn overprovisioning(&self) -> f64 {
        self.overprovisioning
    }
}

/// `load_balancer.decay` by default.
pub const DEFAULT_DECAY: Duration = Duration::from_secs(10);

/// `load_balancer.overprovisioning` by default, which is Envoy's.
pub const DEFAULT_OVERPROVISIONING: f64 = 1.4;

#[cfg(test)]
mod tests;
