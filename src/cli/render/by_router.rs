//! What makes Envoy's router retry as the filter decides (`"retries": "router"`), on every kind of
//! proxy.
//!
//! The text of the route's action is `by_router.yaml`. A route knows every endpoint's cluster once,
//! however many attempts there are. How the module is loaded a second time, behind the router,
//! differs from proxy to proxy.
//!
//! Example: of `{"retries": "router", "endpoints": ["a", "b"]}` the map of the action has the
//! entries `a` and `b`.

use std::fmt::Write as _;

use steerage_config::Config;
use steerage_policy::retry::by::RetriesBy;

use super::yaml::{filled, indented, quoted};

/// So many retries a cluster may have at a time: no limit. Envoy counts each against the cluster of
/// the first attempt, and refuses more than 3 by default.
pub(super) const MAX_RETRIES: u32 = 1_000_000;

/// The configuration of the module behind the router.
pub(super) const ATTEMPTS: &str = r#"{"role": "attempts"}"#;

/// What a route has to know of the pools.
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

    /// The fields of the route's action, each line indented. `rewrite`: more of them.
    pub(super) fn action(&self, rewrite: &str, indent: usize) -> String {
        let mut entries = String::new();
        for cluster in &self.clusters {
            let name = quoted(cluster);
            // Writing to a `String` cannot fail.
            let _ = write!(
                entries,
                "              {name}:
                action:
                  name: {name}
                  typed_config:
                    \"@type\": type.googleapis.com/envoy.extensions.router.cluster_specifiers.matcher.v3.ClusterAction
                    cluster: {name}
"
            );
        }
        let places = [("@ENTRIES@\n", &*entries), ("@REWRITE@\n", rewrite)];
        indented(&filled(TEMPLATE, &places), indent)
    }
}

const TEMPLATE: &str = include_str!("by_router.yaml");
