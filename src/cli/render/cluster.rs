//! What the clusters of a configuration's endpoints need.
//!
//! A cluster may be an endpoint of several pools. It then has the sum of their limits, and the
//! shortest of their connect timeouts.
//!
//! Both the filter and Envoy enforce the limits of `connection_pool`: the filter counts attempts,
//! Envoy connections. What Envoy refuses it refuses late, so its limits have [`ROOM`]: in a burst
//! each worker begins attempts before it has learned of the others', and health checks need
//! connections, too.
//!
//! Example: `{"endpoints": ["a"], "max_connections": 60}` gives the cluster `a` 120 connections.

use std::time::Duration;

use steerage_config::Config;
use steerage_policy::pool::Pool;

/// Envoy's limits are so many times those of the filter.
const ROOM: u32 = 2;

/// One cluster.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cluster {
    pub(super) name: String,
    /// The names of the pools that have it.
    pub(super) pools: Vec<String>,
    /// For a connection to be made.
    pub(super) connect: Duration,
    /// Most connections, and most requests at a time, with [`ROOM`].
    pub(super) connections: u32,
    /// How long an idle connection is kept.
    pub(super) expiry: Duration,
}

/// Every cluster once, in the order of the configuration.
pub(super) fn all(config: &Config) -> Vec<Cluster> {
    let mut clusters: Vec<Cluster> = Vec::new();
    for configured in &config.pools {
        let pool = &configured.pool;
        for endpoint in &pool.endpoints {
            add(&mut clusters, &endpoint.cluster, pool);
            if let Some(checked) = endpoint.health_check_cluster.as_deref()
                && pool.checks.is_some()
                && *checked != *endpoint.cluster
            {
                add(&mut clusters, checked, pool);
            }
        }
    }
    clusters
}

/// A pool has a cluster of this name, for its traffic or for its checks.
fn add(clusters: &mut Vec<Cluster>, name: &str, pool: &Pool) {
    let cluster = Cluster {
        name: name.to_owned(),
        pools: vec![pool.name.to_string()],
        connect: pool.timeouts.connect(),
        connections: pool.limit.most().saturating_mul(ROOM),
        expiry: pool.keepalive.expiry,
    };
    match clusters.iter_mut().find(|known| known.name == cluster.name) {
        Some(known) => known.join(cluster),
        None => clusters.push(cluster),
    }
}

impl Cluster {
    /// The needs of another pool.
    fn join(&mut self, other: Self) {
        for pool in other.pools {
            if !self.pools.contains(&pool) {
                self.pools.push(pool);
            }
        }
        self.connect = self.connect.min(other.connect);
        self.connections = self.connections.saturating_add(other.connections);
        self.expiry = self.expiry.max(other.expiry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cluster_of_two_pools_has_room_for_both() {
        let document = json!({"pools": [
            {"name": "a", "endpoints": ["x", "y"], "timeout": {"connect": 1}, "max_connections": 60},
            {"name": "b", "endpoints": ["y"], "timeout": {"connect": "500ms"}},
        ]});
        let config = steerage_config::parse(document.to_string().as_bytes()).unwrap();
        let [x, y] = &all(&config)[..] else {
            panic!("two clusters")
        };
        assert_eq!((&*x.name, x.connections), ("x", 120));
        assert_eq!((&*y.name, y.connections), ("y", 320));
        assert_eq!(y.connect, Duration::from_millis(500));
        assert_eq!(y.pools, ["a", "b"]);
    }
}
