//! What the clusters of a configuration's endpoints need.
//!
//! A cluster may be an endpoint of several pools. It then has room for all of them together, and the
//! shortest of their connect timeouts.
//!
//! The fields of `connection_pool` are read from the document, in both spellings, because they are Envoy's
//! to keep as well as the filter's: the filter counts attempts, Envoy connections.
//!
//! Example: `{"endpoints": ["a"], "max_connections": 60}` gives the cluster `a` 60 connections.

use std::time::Duration;

use serde_json::Value;
use steerage_config::schema::CONNECTION_POOL;
use steerage_config::{Config, duration};

use crate::size;
use crate::source::pools;

/// One cluster.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cluster {
    pub(super) name: String,
    /// The names of the pools that have it.
    pub(super) pools: Vec<String>,
    /// For a connection to be made.
    pub(super) connect: Duration,
    /// Most connections, and most requests at a time.
    pub(super) connections: u32,
    /// How long an idle connection is kept.
    pub(super) expiry: Duration,
}

/// Every cluster once, in the order of the configuration.
pub(super) fn all(config: &Config, document: &Value) -> Vec<Cluster> {
    let mut clusters: Vec<Cluster> = Vec::new();
    for ((_, written), configured) in pools(document).iter().zip(&config.pools) {
        let pool = &configured.pool;
        for endpoint in &pool.endpoints {
            let cluster = Cluster {
                name: endpoint.cluster.to_string(),
                pools: vec![pool.name.to_string()],
                connect: pool.timeouts.connect(),
                connections: connections(written),
                expiry: span(written, "keepalive_expiry").unwrap_or_default(),
            };
            match clusters.iter_mut().find(|known| known.name == cluster.name) {
                Some(known) => known.join(cluster),
                None => clusters.push(cluster),
            }
        }
    }
    clusters
}

impl Cluster {
    /// The needs of another pool.
    fn join(&mut self, other: Self) {
        self.pools.extend(other.pools);
        self.connect = self.connect.min(other.connect);
        self.connections = self.connections.saturating_add(other.connections);
        self.expiry = self.expiry.max(other.expiry);
    }
}

/// Most connections to each endpoint of a pool: as many as its load needs, if that is given.
fn connections(pool: &Value) -> u32 {
    let most = number(pool, "max_connections").unwrap_or_default();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and at most a million, as the schema has it"
    )]
    let most = most as u32;
    match (
        number(pool, "expected_rps"),
        span(pool, "avg_response_time"),
    ) {
        (Some(rps), Some(time)) => size::connections(rps, time.as_secs_f64(), most),
        _ => most,
    }
}

fn number(pool: &Value, name: &str) -> Option<f64> {
    value(pool, name)?.as_f64()
}

fn span(pool: &Value, name: &str) -> Option<Duration> {
    match value(pool, name)? {
        Value::String(text) => duration::from_text(&text),
        number => Duration::try_from_secs_f64(number.as_f64()?).ok(),
    }
}

/// The value of a field of `connection_pool`, in either spelling, or its default.
fn value(pool: &Value, name: &str) -> Option<Value> {
    let given = pool
        .get("connection_pool")
        .and_then(|section| section.get(name))
        .or_else(|| pool.get(name));
    let default = || serde_json::from_str(CONNECTION_POOL.field(name)?.default).ok();
    given.cloned().or_else(default)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn limits_come_from_either_spelling_or_the_load_or_the_default() {
        for (pool, expected) in [
            (json!({}), 100),
            (json!({"max_connections": 60}), 60),
            (json!({"connection_pool": {"max_connections": 70}}), 70),
            (
                json!({"connection_pool": {"expected_rps": 100, "avg_response_time": "500ms"}}),
                60,
            ),
            (
                json!({"connection_pool": {"expected_rps": 1000, "avg_response_time": 0.5}}),
                100,
            ),
        ] {
            assert_eq!(connections(&pool), expected, "{pool}");
        }
        let expiry = |pool| span(&pool, "keepalive_expiry").map(|span| span.as_secs_f64());
        assert_eq!(expiry(json!({})), Some(5.0));
        assert_eq!(expiry(json!({"keepalive_expiry": "1m"})), Some(60.0));
    }

    #[test]
    fn a_cluster_of_two_pools_has_room_for_both() {
        let document = json!({"pools": [
            {"name": "a", "endpoints": ["x", "y"], "timeout": {"connect": 1}},
            {"name": "b", "endpoints": ["y"], "timeout": {"connect": "500ms"}},
        ]});
        let config = steerage_config::parse(document.to_string().as_bytes()).unwrap();
        let [x, y] = &all(&config, &document)[..] else {
            panic!("two clusters")
        };
        assert_eq!((&*x.name, x.connections), ("x", 100));
        assert_eq!((&*y.name, y.connections), ("y", 200));
        assert_eq!(y.connect, Duration::from_millis(500));
        assert_eq!(y.pools, ["a", "b"]);
    }
}
