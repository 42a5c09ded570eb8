//! An endpoint as configured, and what is known of it now.
//!
//! An endpoint is one choice of the load balancer and always a named cluster of the proxy.
//! [`Endpoint`] never changes while a configuration is in force; [`EndpointState`] is all that
//! traffic has taught about it.

use alloc::boxed::Box;
use core::time::Duration;

use twox_hash::XxHash64;

use crate::health::Health;
use crate::latency::Average;
use crate::outcome::{Class, Outcome};
use crate::time::Instant;
use crate::window::Window;

/// Position of an endpoint in its pool, from 0, in the order of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointIndex(u16);

impl EndpointIndex {
    /// The endpoint at `position`; `None` beyond [`MAX_ENDPOINTS`].
    #[must_use]
    pub fn new(position: usize) -> Option<Self> {
        let index = u16::try_from(position).ok()?;
        (position < MAX_ENDPOINTS).then_some(Self(index))
    }

    /// The position, usable with `slice::get`.
    #[must_use]
    pub fn position(self) -> usize {
        usize::from(self.0)
    }
}

/// Most endpoints that a pool may have.
pub const MAX_ENDPOINTS: usize = 1_000;

/// One choice of the load balancer, as configured.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// The cluster's name in the proxy, e.g. `outbound|80||svc.ns.svc.cluster.local`.
    pub cluster: Box<str>,
    /// The label in metrics and status; the cluster's name unless given.
    pub name: Box<str>,
    /// Share of the traffic relative to the other endpoints; 0 drains it.
    pub weight: Weight,
    /// Tier: endpoints of a higher number are used when the lower ones are not enough.
    pub priority: u32,
    /// Replaces `:authority` on attempts to this endpoint.
    pub authority: Option<Box<str>>,
    /// Goes in front of `:path` on attempts to this endpoint.
    pub path_prefix: Option<Box<str>>,
}

impl Endpoint {
    /// An endpoint of weight 1 in the best tier that changes nothing in the request.
    #[must_use]
    pub fn new(cluster: &str) -> Self {
        Self {
            cluster: cluster.into(),
            name: cluster.into(),
            weight: Weight::ONE,
            priority: 0,
            authority: None,
            path_prefix: None,
        }
    }

    /// A hash of the cluster's name: the same in every worker, process and build.
    #[must_use]
    pub fn hash(&self) -> u64 {
        XxHash64::oneshot(0, self.cluster.as_bytes())
    }
}

/// A weight: finite and not negative. 0 means drained.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Weight(f64);

impl Weight {
    /// The weight of an endpoint that gives none.
    pub const ONE: Self = Self(1.0);
    /// The largest weight accepted; sums of [`MAX_ENDPOINTS`] of them stay exact.
    pub const MAX: f64 = 1_000_000.0;

    /// `None` unless `weight` is within 0..=[`Weight::MAX`].
    #[must_use]
    pub fn new(weight: f64) -> Option<Self> {
        (0.0..=Self::MAX).contains(&weight).then_some(Self(weight))
    }

    /// The weight as a number.
    #[must_use]
    pub const fn value(self) -> f64 {
        self.0
    }

    /// Whether the endpoint is being drained.
    #[must_use]
    pub fn is_drained(self) -> bool {
        self.0 == 0.0
    }
}

/// Why an endpoint may not be selected now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exclusion {
    /// Its health is [`Health::Unhealthy`].
    Unhealthy,
}

/// What is known of one endpoint: what this worker saw itself.
///
/// Strategies read it through methods only, so that what other workers publish can be merged in
/// here without any strategy knowing.
#[derive(Clone, Debug, Default)]
pub struct EndpointState {
    active: u32,
    health: Health,
    response_time: Average,
    window: Window,
}

impl EndpointState {
    /// Attempts under way: sent, and neither answered to the end nor given up.
    #[must_use]
    pub const fn active(&self) -> u32 {
        self.active
    }

    /// The verdict on its health.
    #[must_use]
    pub const fn health(&self) -> Health {
        self.health
    }

    /// Sets the verdict on its health.
    pub fn set_health(&mut self, health: Health) {
        self.health = health;
    }

    /// Its response times.
    #[must_use]
    pub const fn response_time(&self) -> &Average {
        &self.response_time
    }

    /// Share of successful attempts of late, 0.0..=1.0; 1 while nothing is known.
    #[must_use]
    pub fn success_rate(&self, now: Instant) -> f64 {
        self.window.success_rate(now).unwrap_or(1.0)
    }

    /// Why it may not be selected now; `None` when it is available.
    #[must_use]
    pub fn exclusion(&self) -> Option<Exclusion> {
        (self.health == Health::Unhealthy).then_some(Exclusion::Unhealthy)
    }

    /// An attempt is sent.
    pub fn attempt_started(&mut self) {
        self.active = self.active.saturating_add(1);
    }

    /// An attempt is over, whatever it came to.
    pub fn attempt_ended(&mut self) {
        self.active = self.active.saturating_sub(1);
    }

    /// Learns from an outcome. `took` is the time from sending to the answer's beginning; a failure
    /// counts as at least `penalty`, so that failing fast never looks like being fast.
    pub fn record(
        &mut self,
        outcome: Outcome,
        took: Duration,
        penalty: Duration,
        now: Instant,
        decay: Duration,
    ) {
        match outcome.class() {
            Class::Neutral => {}
            Class::Success => {
                self.window.record(true, now);
                self.response_time.observe(took, now, decay);
            }
            Class::Failure => {
                self.window.record(false, now);
                self.response_time.observe(took.max(penalty), now, decay);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const DECAY: Duration = Duration::from_secs(10);

    #[test]
    fn weights_are_finite_and_not_negative() {
        for bad in [-1.0, f64::NAN, f64::INFINITY, Weight::MAX * 2.0] {
            assert_eq!(Weight::new(bad), None, "{bad}");
        }
        assert!(Weight::new(0.0).is_some_and(Weight::is_drained));
        assert!(Weight::new(0.001).is_some_and(|weight| !weight.is_drained()));
    }

    #[test]
    fn active_never_goes_below_zero() {
        let mut state = EndpointState::default();
        state.attempt_ended();
        assert_eq!(state.active(), 0);
        state.attempt_started();
        assert_eq!(state.active(), 1);
    }

    #[test]
    fn a_fast_failure_is_remembered_as_its_penalty() {
        let mut state = EndpointState::default();
        let now = Instant::from_nanos(1);
        let took = Duration::from_millis(1);
        let penalty = Duration::from_secs(1);
        state.record(Outcome::Answered(503), took, penalty, now, DECAY);
        assert_eq!(state.response_time().seconds(), Some(1.0));
        assert_eq!(state.success_rate(now), 0.0);
    }

    #[test]
    fn neutral_outcomes_leave_no_mark() {
        let mut state = EndpointState::default();
        let now = Instant::from_nanos(1);
        state.record(Outcome::Neutral, DECAY, DECAY, now, DECAY);
        assert_eq!(state.response_time().seconds(), None);
        assert_eq!(state.success_rate(now), 1.0);
    }

    #[test]
    fn unhealthy_is_the_only_health_that_excludes() {
        let mut state = EndpointState::default();
        for health in [Health::Healthy, Health::Degraded, Health::Unknown] {
            state.set_health(health);
            assert_eq!(state.exclusion(), None);
        }
        state.set_health(Health::Unhealthy);
        assert_eq!(state.exclusion(), Some(Exclusion::Unhealthy));
    }
}
