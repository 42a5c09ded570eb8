//! What makes Envoy's router retry as the filter decides (`"retries": "router"`), on every kind of
//! proxy.
//!
//! The text of the route's action is a template. A route knows every endpoint's cluster once,
//! however many attempts there are. How the module is loaded a second time, behind the router,
//! differs from proxy to proxy.
//!
//! Example: of `{"retries": "router", "endpoints": ["a", "b"]}` the map of the action has the
//! entries `a` and `b`.

use serde::Serialize;
use steerage_config::Config;
use steerage_policy::retry::by::RetriesBy;

/// So many retries a cluster may have at a time: no limit. Envoy counts each against the cluster of
/// the first attempt, and refuses more than 3 by default.
pub(super) const MAX_RETRIES: u32 = 1_000_000;

/// What a route has to know of the pools.
#[derive(Serialize)]
pub(super) struct ByRouter<'a> {
    /// The clusters of the endpoints, each once.
    clusters: Vec<&'a str>,
    /// Most bytes of a request that are kept, to be sent again.
    pub(super) buffer: usize,
}

impl<'a> ByRouter<'a> {
    /// `None` where the filter makes the retries, or there are no pools.
    pub(super) fn of(config: &'a Config) -> Option<Self> {
        let pools = || config.pools.iter().map(|configured| &configured.pool);
        let mut by_router = pools().filter(|pool| pool.retry.by == RetriesBy::Router);
        by_router.next()?;
        let mut clusters: Vec<&str> = Vec::new();
        for endpoint in pools().flat_map(|pool| &pool.endpoints) {
            if !clusters.contains(&&*endpoint.cluster) {
                clusters.push(&endpoint.cluster);
            }
        }
        let buffers = pools().map(|pool| pool.retry.max_request_bytes);
        Some(Self {
            clusters,
            buffer: buffers.max().unwrap_or_default(),
        })
    }
}
