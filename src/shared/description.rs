//! What a pool looks like as configured, for whoever shows it.
//!
//! Whoever answers an operator need not have the pool's configuration: an instance that holds only
//! `admin` shows the pools of all the others. What those others count is in their slots; what does not
//! change while a configuration is in force is here, once for all workers, and not in every slot
//! every round.
//!
//! While an old configuration drains beside a new one, the one that began last has described its own. So
//! that the two do not take turns, a worker describes once, and again only if that was lost.

use core::time::Duration;

use serde::{Deserialize, Serialize};
use steerage_policy::limit::Limit;
use steerage_policy::pool::Pool;

use crate::store::Store;
use crate::{codec, key};

/// A pool as configured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// The name of its strategy.
    pub strategy: String,
    /// How many trials a half-open endpoint serves at a time.
    pub half_open_requests: u32,
    /// How many attempts each endpoint takes at a time; a dynamic limit begins with that.
    pub limit: u32,
    /// Whether the limit follows the response times.
    pub is_dynamic: bool,
    /// How long an idle connection is to be kept.
    pub keepalive_expiry: Duration,
    /// The time over which attempts are counted.
    pub window: Duration,
    /// Its endpoints, in the order of the configuration.
    pub endpoints: Vec<DescribedEndpoint>,
}

/// An endpoint as configured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DescribedEndpoint {
    /// Its cluster.
    pub cluster: String,
    /// Its label.
    pub name: String,
    /// Its weight.
    pub weight: f64,
}

impl Description {
    /// The description of `pool`.
    #[must_use]
    pub fn of(pool: &Pool) -> Self {
        let endpoints = pool.endpoints.iter().map(|endpoint| DescribedEndpoint {
            cluster: endpoint.cluster.to_string(),
            name: endpoint.name.to_string(),
            weight: endpoint.weight.value(),
        });
        Self {
            strategy: pool.strategy.name().to_owned(),
            half_open_requests: pool.breaker.half_open_requests,
            limit: pool.limit.start(),
            is_dynamic: matches!(pool.limit, Limit::Dynamic { .. }),
            keepalive_expiry: pool.keepalive.expiry,
            window: pool.breaker.window,
            endpoints: endpoints.collect(),
        }
    }

    /// The description of the pool with this name; `None` if there is none that can be read.
    #[must_use]
    pub fn read(store: &dyn Store, pool: &str) -> Option<Self> {
        codec::decode(&store.read(&key::description(pool))?.bytes).ok()
    }

    /// Writes it down for the pool with this name. If somebody else does so at the same time, theirs
    /// stands.
    pub fn write(&self, store: &dyn Store, pool: &str) {
        let key = key::description(pool);
        let version = store.read(&key).map(|value| value.version);
        let _ = store.write(&key, &codec::encode(self), version);
    }
}
