//! The metrics of all pools of a plugin.

use core::cell::RefCell;

use steerage_engine::figures::PoolFigures;
use steerage_engine::settings::PoolIndex;
use steerage_policy::endpoint::EndpointIndex;
use steerage_policy::pool::Pool;

use super::internal_error::InternalError;
use super::pool::PoolMetrics;

/// The metrics of each pool once they are defined. They are taken out while they are published.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    pools: RefCell<Vec<Option<PoolMetrics>>>,
}

impl Metrics {
    /// Raises the metrics to these figures. The first call defines them.
    pub(crate) fn publish<'a>(
        &self,
        figures: Vec<PoolFigures>,
        pool_of: impl Fn(PoolIndex) -> Option<&'a Pool>,
    ) {
        InternalError::define();
        let mut pools = self.pools.take();
        for figures in figures {
            let position = figures.pool.position();
            if pools.len() <= position {
                pools.resize_with(position + 1, || None);
            }
            if let (Some(metrics), Some(pool)) = (pools.get_mut(position), pool_of(figures.pool)) {
                let metrics = metrics.get_or_insert_with(|| PoolMetrics::define(pool));
                metrics.publish(&figures);
            }
        }
        self.pools.replace(pools);
    }

    /// Records response times, in milliseconds, between two rounds.
    pub(crate) fn record(&self, pool: PoolIndex, endpoint: EndpointIndex, durations: &[u32]) {
        let mut pools = self.pools.take();
        if let Some(Some(metrics)) = pools.get_mut(pool.position()) {
            metrics.record(endpoint, durations);
        }
        self.pools.replace(pools);
    }

    /// Sets the gauges of endpoints that no worker has any more back to 0. The host never forgets a
    /// gauge, and an open breaker would raise an alarm for ever.
    pub(crate) fn retire(&self, endpoints: &[(PoolIndex, EndpointIndex)]) {
        let mut pools = self.pools.take();
        for (pool, endpoint) in endpoints {
            if let Some(Some(metrics)) = pools.get_mut(pool.position()) {
                metrics.retire(*endpoint);
            }
        }
        for (position, metrics) in pools.iter_mut().enumerate() {
            let retired = endpoints
                .iter()
                .filter(|(pool, _)| pool.position() == position);
            if let Some(metrics) = metrics
                && retired.count() == metrics.size()
            {
                metrics.retire_pool();
            }
        }
        self.pools.replace(pools);
    }
}
