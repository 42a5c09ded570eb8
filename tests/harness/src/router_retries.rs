//! What Envoy is told so that its router makes the retries and the filter decides on them: the
//! route with its retry policy, and the filter once more, in front of each attempt.

use serde_json::{Value, json};

/// How Envoy is prepared for retries by its router; completely, unless something is left out. See
/// [`crate::EnvoyBuilder::router_retries`].
#[derive(Clone, Debug)]
pub struct RouterRetries {
    by_header: bool,
    refreshes: bool,
    attempts: bool,
    /// Fields of the plugin of attempts.
    plugin: Value,
    kept_bytes: u32,
}

impl RouterRetries {
    /// The route names the clusters, and the filter's state says which of them is next.
    pub fn by_state() -> Self {
        Self {
            by_header: false,
            refreshes: true,
            attempts: true,
            plugin: json!({"allow_on_headers_stop_iteration": true}),
            kept_bytes: 1024 * 1024,
        }
    }

    /// The route names no cluster: a header does, which the filter writes one attempt ahead.
    pub fn by_header() -> Self {
        Self {
            by_header: true,
            ..Self::by_state()
        }
    }

    /// A retry goes where the first attempt went, whatever is said.
    #[must_use]
    pub fn without_refresh(mut self) -> Self {
        self.refreshes = false;
        self
    }

    /// No filter in front of attempts.
    #[must_use]
    pub fn without_attempts_filter(mut self) -> Self {
        self.attempts = false;
        self
    }

    /// The filter in front of attempts may not hold an answer.
    #[must_use]
    pub fn without_holding(mut self) -> Self {
        self.plugin = json!({});
        self
    }

    /// The filter in front of attempts has a VM of its own.
    #[must_use]
    pub fn in_another_vm(mut self) -> Self {
        self.plugin = json!({
            "allow_on_headers_stop_iteration": true,
            "vm_config": {"vm_id": "another"},
        });
        self
    }

    /// Envoy keeps this much of a request's body for its retries; 1 MiB unless told otherwise.
    #[must_use]
    pub fn kept_bytes(mut self, bytes: u32) -> Self {
        self.kept_bytes = bytes;
        self
    }

    /// How the route finds its cluster, anew for each attempt.
    pub(crate) fn route_action(&self, clusters: &[&str]) -> Value {
        let mut action = json!({
            "retry_policy": {
                "refresh_cluster_on_retry": self.refreshes,
                "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.001s"},
            },
        });
        let (key, value) = if self.by_header {
            let cluster = json!({"cluster_header": "x-steerage-cluster", "weight": 1});
            ("weighted_clusters", json!({"clusters": [cluster]}))
        } else {
            (
                "inline_cluster_specifier_plugin",
                json!({"extension": {"name": "steerage", "typed_config": by_next(clusters)}}),
            )
        };
        if let Some(action) = action.as_object_mut() {
            action.insert(key.to_owned(), value);
        }
        action
    }

    pub(crate) fn virtual_host(&self) -> Value {
        json!({
            "include_request_attempt_count": true,
            "request_body_buffer_limit": self.kept_bytes,
        })
    }

    /// Fields of the router; `filter` makes the filter of attempts with these fields of its plugin.
    pub(crate) fn router(&self, filter: impl FnOnce(Value) -> Value) -> Value {
        if !self.attempts {
            return json!({});
        }
        json!({"upstream_http_filters": [
            filter(self.plugin.clone()),
            {"name": "envoy.filters.http.upstream_codec", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec",
            }},
        ]})
    }
}

/// Chooses the cluster whose name is the filter state that the filter writes.
fn by_next(clusters: &[&str]) -> Value {
    let action = |cluster: &&str| {
        let action = json!({
            "@type": "type.googleapis.com/envoy.extensions.router.cluster_specifiers.matcher.v3.ClusterAction",
            "cluster": cluster,
        });
        let action = json!({"action": {"name": cluster, "typed_config": action}});
        ((*cluster).to_owned(), action)
    };
    let map: serde_json::Map<String, Value> = clusters.iter().map(action).collect();
    json!({
        "@type": "type.googleapis.com/envoy.extensions.router.cluster_specifiers.matcher.v3.MatcherClusterSpecifier",
        "cluster_matcher": {"matcher_tree": {
            "input": {"name": "next", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3.FilterStateInput",
                "key": "wasm.steerage.next",
            }},
            "exact_match_map": {"map": map},
        }},
    })
}
