//! The configuration of one worker: shared by the engine and its shell, and never changed.

use core::time::Duration;
use std::sync::Arc;

use steerage_policy::balance::HashOn;
use steerage_policy::matching::RequestHead;
use steerage_policy::pool::Pool;

/// What a worker is configured with.
#[derive(Debug)]
pub struct Settings {
    /// The request header in which the route looks for the cluster, in lower case.
    pub cluster_header: Box<str>,
    /// How often the worker publishes and reads what is shared.
    pub sync_interval: Duration,
    /// Most bytes of requests and answers that the worker keeps at a time.
    pub max_kept_bytes: usize,
    /// In the order in which requests are matched.
    pub pools: Vec<Arc<PoolSettings>>,
}

impl Settings {
    /// These pools, with the defaults of the configuration.
    #[must_use]
    pub fn new(pools: Vec<PoolSettings>) -> Self {
        Self {
            cluster_header: "x-steerage-cluster".into(),
            sync_interval: Duration::from_millis(100),
            max_kept_bytes: 64 << 20,
            pools: pools.into_iter().map(Arc::new).collect(),
        }
    }

    /// The settings of one pool.
    #[must_use]
    pub fn pool(&self, index: PoolIndex) -> Option<&Arc<PoolSettings>> {
        self.pools.get(index.position())
    }

    /// The pool that a request belongs to: the first that matches.
    pub fn pool_of(&self, request: &impl RequestHead) -> Option<PoolIndex> {
        let mut pools = self.pools.iter();
        let position = pools.position(|settings| settings.pool.matcher.matches(request))?;
        PoolIndex::new(position)
    }
}

/// A pool, and what the shell wants to know of its traffic.
#[derive(Debug)]
pub struct PoolSettings {
    /// Its endpoints and its policy.
    pub pool: Pool,
    /// Whether the shell publishes metrics of it.
    pub metrics: bool,
    /// Whether the shell is told of every attempt that ends ([`crate::Action::AttemptEnded`]).
    pub attempt_log: bool,
}

impl PoolSettings {
    /// A pool without metrics and log.
    #[must_use]
    pub const fn of(pool: Pool) -> Self {
        Self {
            pool,
            metrics: false,
            attempt_log: false,
        }
    }

    /// Whether it spreads requests by the address that they come from.
    #[must_use]
    pub fn hashes_source(&self) -> bool {
        matches!(self.pool.strategy.hash_on(), Some(HashOn::SourceIp))
    }
}

/// Whether the router can make retries, and how it learns where they go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RouterRetry {
    /// It cannot: calls make them.
    #[default]
    No,
    /// It is told when the attempt before has failed.
    Told,
    /// It has to be told before the attempt before is sent.
    Planned,
}

/// Position of a pool in the settings, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PoolIndex(u16);

impl PoolIndex {
    /// The pool at `position`; `None` beyond what a configuration can hold.
    #[must_use]
    pub fn new(position: usize) -> Option<Self> {
        u16::try_from(position).ok().map(Self)
    }

    /// The position, usable with `slice::get`.
    #[must_use]
    pub fn position(self) -> usize {
        usize::from(self.0)
    }
}
