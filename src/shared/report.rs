//! What one worker tells the others, of a pool and of each of its endpoints.

use serde::{Deserialize, Serialize};
use steerage_policy::endpoint::Others;
use steerage_policy::pool::{Pool, PoolState};
use steerage_policy::stats::spending::Spending;
use steerage_policy::stats::totals::{PoolTotals, Totals};
use steerage_policy::time::Instant;

/// What a worker tells of one pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoolReport {
    /// The pool's name.
    pub pool: String,
    /// Its requests and retries of late.
    pub spending: Spending,
    /// What it has counted since it began; in the slot, since the slot began.
    pub totals: PoolTotals,
    /// How long its requests of late took, as [`steerage_policy::stats::quantile::Quantiles::counts`] has it.
    pub times: Vec<(u16, u32)>,
    /// Its endpoints.
    pub endpoints: Vec<EndpointReport>,
}

/// What a worker tells of one endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndpointReport {
    /// The endpoint's cluster.
    pub endpoint: String,
    /// What it counts now.
    pub now: Others,
    /// What it has counted since it began; in the slot, since the slot began.
    pub totals: Totals,
}

impl PoolReport {
    /// What there is to tell of a pool now.
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

/// What is told of an endpoint. `position` is where it most likely stands: looked at first.
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
