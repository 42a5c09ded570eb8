//! An endpoint as configured, and what is known of it now.
//!
//! An endpoint is one choice of the load balancer, and always a named cluster of the proxy.
//! [`Endpoint`] never changes while a configuration is in force. [`EndpointState`] is what traffic
//! has shown of it.

mod agreed;
mod check_host;
mod cool_down;
mod in_flight;
mod lingering;
pub mod operator;
mod others;
mod recent;
mod scope;
mod state;
mod view;

use alloc::boxed::Box;

use twox_hash::XxHash64;

pub use agreed::{Agreed, Exclusion};
pub use cool_down::CoolDown;
pub use others::Others;
pub(crate) use recent::LEAST_SECONDS;
pub use scope::{InScope, MOST_SCOPES, Scope, ScopedCoolDowns};
pub use state::{EndpointState, Pace, Took};
pub use view::EndpointView;

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
    /// The label in metrics and status; by default the cluster's name.
    pub name: Box<str>,
    /// Share of the traffic relative to the other endpoints; 0 drains it.
    pub weight: Weight,
    /// Whether it may be selected at all. One that may not is still checked and shown.
    pub enabled: bool,
    /// Tier: endpoints of a higher number are used when those of lower numbers are not enough.
    pub priority: u32,
    /// Replaces `:authority` on attempts to this endpoint.
    pub authority: Option<Box<str>>,
    /// Prepended to `:path` on attempts to this endpoint.
    pub path_prefix: Option<Box<str>>,
    /// Replaces the pool's path of health checks.
    pub health_check_path: Option<Box<str>>,
    /// Replaces the host of its health checks.
    pub health_check_host: Option<Box<str>>,
    /// The cluster whose answers to health checks speak for it, if that is another.
    pub health_check_cluster: Option<Box<str>>,
}

impl Endpoint {
    /// An endpoint of weight 1 in the best tier, which changes nothing in the request.
    #[must_use]
    pub fn new(cluster: &str) -> Self {
        Self {
            cluster: cluster.into(),
            name: cluster.into(),
            weight: Weight::ONE,
            enabled: true,
            priority: 0,
            authority: None,
            path_prefix: None,
            health_check_path: None,
            health_check_host: None,
            health_check_cluster: None,
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
    /// The default weight.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_finite_and_not_negative() {
        for bad in [-1.0, f64::NAN, f64::INFINITY, Weight::MAX * 2.0] {
            assert_eq!(Weight::new(bad), None, "{bad}");
        }
        assert!(Weight::new(0.0).is_some_and(Weight::is_drained));
        assert!(Weight::new(0.001).is_some_and(|weight| !weight.is_drained()));
    }
}
