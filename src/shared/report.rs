//! What one worker publishes of a pool and of each of its endpoints.

use steerage_policy::endpoint::Others;
use steerage_policy::pool::{Pool, PoolState};
use steerage_policy::stats::spending::Spending;
use steerage_policy::stats::totals::{PoolTotals, Totals};
use steerage_policy::time::Instant;

/// What a worker publishes of one pool.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolReport {
    /// The pool's name.
    pub pool: String,
    /// Its recent requests and retries.
    pub spending: Spending,
    /// What the worker has counted since it began; in a slot, what was counted since the slot
    /// began.
    pub totals: PoolTotals,
    /// How long its recent requests took: [`steerage_policy::stats::quantile::Quantiles::counts`].
    pub times: Vec<(u16, u32)>,
    /// Its endpoints.
    pub endpoints: Vec<EndpointReport>,
}

/// What a worker publishes of one endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointReport {
    /// The endpoint's cluster.
    pub endpoint: String,
    /// What it counts of the present.
    pub now: Others,
    /// What the worker has counted since it began; in a slot, what was counted since the slot
    /// began.
    pub totals: Totals,
}

impl PoolReport {
    /// The report on a pool as it is now.
    #[must_use]
    pub fn of(pool: &Pool, state: &PoolState, now: Instant) -> Self {
        let endpoints = pool.endpoints.iter().zip(state.endpoints());
        Self {
            pool: pool.name.to_string(),
            spending: state.budget.report(now),
            totals: state.totals.clone(),
            times: state.times().counts().collect(),
            endpoints: endpoints
                .map(|(endpoint, (_, state))| EndpointReport {
                    endpoint: endpoint.cluster.to_string(),
                    now: state.report(now),
                    totals: *state.totals(),
                })
                .collect(),
        }
    }
}

/// The report on an endpoint. `position` is where it most likely is, and is tried first.
pub(crate) fn find<'a>(
    pools: &'a [PoolReport],
    pool: &str,
    endpoint: &str,
    position: usize,
) -> Option<&'a EndpointReport> {
    let endpoints = &pools.iter().find(|report| report.pool == pool)?.endpoints;
    let is_it = |report: &&EndpointReport| report.endpoint == endpoint;
    endpoints
        .get(position)
        .filter(is_it)
        .or_else(|| endpoints.iter().find(is_it))
}
