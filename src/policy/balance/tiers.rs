//! How tiers of priority take over from each other.
//!
//! They do so by degrees, as in Envoy: a tier that has lost some of its weight gives up traffic
//! only when what is left of it, times `overprovisioning`, is less than all of it. Endpoints rarely
//! run so near to their limits that the others could not carry the load of one more. With an
//! overprovisioning of 0 the next tier is a backup: it gets nothing while one endpoint of the tiers
//! before it is available.
//! <https://www.envoyproxy.io/docs/envoy/v1.40.0/intro/arch_overview/upstream/load_balancing/priority>
//!
//! Example, overprovisioning 1.4: two endpoints of equal weight in tier 0, one of them not
//! available: 0.5 × 1.4 = 70 % of the requests stay in tier 0, 30 % go to tier 1.

use crate::endpoint::Endpoint;

/// The weights of one tier.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weights {
    /// Of the endpoints that may be chosen.
    pub(super) usable: f64,
    /// Of all endpoints.
    pub(super) all: f64,
    /// Whether one of those that may be chosen is as good as the best one, apart from its tier.
    pub(super) has_best: bool,
}

/// The tier of one choice among `endpoints`; `None` if all of them are in one tier. `draw` is a
/// number in 0.0..1.0, and `weights` gives those of a tier.
pub(super) fn choose(
    endpoints: &[Endpoint],
    overprovisioning: f64,
    draw: f64,
    weights: impl Fn(u32) -> Weights,
) -> Option<u32> {
    let lowest = next(endpoints, None)?;
    next(endpoints, Some(lowest))?;
    let mut total = 0.0;
    let mut share = 1.0;
    let mut tier = Some(lowest);
    while let Some(priority) = tier {
        total += load(weights(priority), overprovisioning, &mut share);
        tier = next(endpoints, tier);
    }
    let mut wanted = draw * total;
    let mut share = 1.0;
    let mut tier = Some(lowest);
    let mut last = None;
    while let Some(priority) = tier {
        let load = load(weights(priority), overprovisioning, &mut share);
        if load > 0.0 {
            last = Some(priority);
            if wanted < load {
                break;
            }
            wanted -= load;
        }
        tier = next(endpoints, tier);
    }
    last
}

/// The lowest priority above `priority`.
fn next(endpoints: &[Endpoint], priority: Option<u32>) -> Option<u32> {
    let priorities = endpoints.iter().map(|endpoint| endpoint.priority);
    priorities
        .filter(|next| priority.is_none_or(|priority| *next > priority))
        .min()
}

/// The share of the traffic that a tier takes of the `share` that the tiers before it have left,
/// and which it reduces. A tier without an endpoint as good as the best one takes nothing.
fn load(weights: Weights, overprovisioning: f64, share: &mut f64) -> f64 {
    let health = if weights.usable <= 0.0 {
        0.0
    } else if overprovisioning <= 0.0 {
        1.0
    } else {
        (overprovisioning * weights.usable / weights.all).min(1.0)
    };
    let load = health.min(*share);
    *share -= load;
    if weights.has_best { load } else { 0.0 }
}
