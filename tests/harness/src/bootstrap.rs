//! What Envoy is told: the bootstrap, as JSON, from a builder.
//!
//! One listener (or more), one virtual host, one route whose cluster is named by the header
//! `x-steerage-cluster`, which is how the filter sits in Envoy for users, too. Every address
//! is a loopback address and every port of Envoy's own is chosen by the kernel, so any number
//! of tests run at once.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::error::HarnessError;
use crate::json::{address, merge_into};
use crate::listener::{ANY_PORT, FILTER, Filter, Listeners, MAIN, string_value};
use crate::router_retries::RouterRetries;

/// An Envoy in the making; see [`crate::Envoy::builder`].
#[derive(Clone, Debug)]
pub struct EnvoyBuilder {
    pub(crate) concurrency: u32,
    pub(crate) component_log_level: Option<String>,
    pub(crate) pinned_to: Option<String>,
    /// Name and filter of each listener, the main one first.
    listeners: Vec<(String, Filter)>,
    /// What all of them have in common.
    pub(crate) common: Listeners,
    clusters: Vec<Cluster>,
    bootstrap: Value,
}

impl EnvoyBuilder {
    pub(crate) fn new() -> Self {
        let wasm = std::env::var_os("STEERAGE_WASM")
            .map_or_else(|| repository().join("target/steerage.wasm"), PathBuf::from);
        Self {
            concurrency: 2,
            component_log_level: None,
            pinned_to: None,
            listeners: vec![(MAIN.to_owned(), Filter::Steerage(None))],
            common: Listeners {
                wasm,
                by_ecds: false,
                manager: json!({}),
                route: json!({}),
                plugin: json!({}),
                plugins: Vec::new(),
                router_retries: None,
            },
            clusters: Vec::new(),
            bootstrap: json!({}),
        }
    }

    /// Runs this many workers; 2 unless told otherwise.
    #[must_use]
    pub fn concurrency(mut self, workers: u32) -> Self {
        self.concurrency = workers;
        self
    }

    /// Loads this module instead of `$STEERAGE_WASM` or `target/steerage.wasm`.
    #[must_use]
    pub fn wasm(mut self, path: impl Into<PathBuf>) -> Self {
        self.common.wasm = path.into();
        self
    }

    /// Configures the filter with this JSON text, sent as a `google.protobuf.StringValue`.
    /// Without a configuration the field is absent.
    #[must_use]
    pub fn config(self, json: impl Into<String>) -> Self {
        self.main_filter(Filter::Steerage(Some(string_value(&json.into()))))
    }

    /// Configures the filter with this `google.protobuf.Any` in JSON, whatever it holds, for
    /// example `{"@type": "type.googleapis.com/google.protobuf.Struct", "value": {…}}`.
    #[must_use]
    pub fn config_any(self, any: Value) -> Self {
        self.main_filter(Filter::Steerage(Some(any)))
    }

    /// Leaves the filter out and routes everything to `cluster`: bare Envoy.
    #[must_use]
    pub fn without_filter(self, cluster: impl Into<String>) -> Self {
        self.main_filter(Filter::Absent {
            cluster: cluster.into(),
        })
    }

    /// Delivers the main listener's filter by extension config discovery from a file, as
    /// control planes do; [`crate::Envoy::update_filter_config`] then changes it while Envoy runs.
    #[must_use]
    pub fn by_ecds(mut self) -> Self {
        self.common.by_ecds = true;
        self
    }

    /// Adds a listener with a filter of the same code and VM but its own configuration;
    /// [`crate::Envoy::addr_of`] finds it by this name.
    #[must_use]
    pub fn listener(mut self, name: impl Into<String>, json: impl Into<String>) -> Self {
        self.listeners.push((
            name.into(),
            Filter::Steerage(Some(string_value(&json.into()))),
        ));
        self
    }

    /// Adds a listener as [`EnvoyBuilder::listener`] does, for operators: what the filter is told there
    /// in a body needs a permission that has no place where there are pools.
    #[must_use]
    pub fn admin_listener(self, name: &str, json: impl Into<String>) -> Self {
        self.listener(name, json)
            .merge_plugin_of(name, json!({"allow_on_headers_stop_iteration": true}))
    }

    /// Adds a cluster of one host.
    #[must_use]
    pub fn cluster(self, name: impl Into<String>, addr: SocketAddr) -> Self {
        self.cluster_with(Cluster::new(name).host(addr))
    }

    /// Adds a cluster.
    #[must_use]
    pub fn cluster_with(mut self, cluster: Cluster) -> Self {
        self.clusters.push(cluster);
        self
    }

    /// Merges more fields into the HTTP connection manager of every listener; objects are
    /// merged, anything else (arrays, too) is replaced.
    #[must_use]
    pub fn merge_manager(mut self, more: Value) -> Self {
        merge_into(&mut self.common.manager, more);
        self
    }

    /// Merges more fields into the route's action (`RouteAction`) of every listener, such as
    /// `prefix_rewrite`.
    #[must_use]
    pub fn merge_route(mut self, more: Value) -> Self {
        merge_into(&mut self.common.route, more);
        self
    }

    /// Has Envoy's router make the retries, as far as the filter's configuration wants it to. All
    /// clusters may then have as many retries at a time as they are given.
    #[must_use]
    pub fn router_retries(mut self, retries: RouterRetries) -> Self {
        self.common.router_retries = Some(retries);
        self
    }

    /// Merges more fields into the filter's `PluginConfig`, such as another `vm_id`.
    #[must_use]
    pub fn merge_plugin(mut self, more: Value) -> Self {
        merge_into(&mut self.common.plugin, more);
        self
    }

    /// The same for the filter of this listener only.
    #[must_use]
    pub fn merge_plugin_of(mut self, listener: impl Into<String>, more: Value) -> Self {
        self.common.plugins.push((listener.into(), more));
        self
    }

    /// Merges more fields into the bootstrap, such as `overload_manager`.
    #[must_use]
    pub fn merge_bootstrap(mut self, more: Value) -> Self {
        merge_into(&mut self.bootstrap, more);
        self
    }

    /// Sets the log level of components, for example `wasm:debug`; the rest logs at `info`.
    #[must_use]
    pub fn component_log_level(mut self, levels: impl Into<String>) -> Self {
        self.component_log_level = Some(levels.into());
        self
    }

    /// Pins the process to these processors, in the notation of `taskset -c`, for benches.
    #[must_use]
    pub fn pinned_to(mut self, processors: impl Into<String>) -> Self {
        self.pinned_to = Some(processors.into());
        self
    }

    pub(crate) fn needs_wasm(&self) -> bool {
        self.listeners
            .iter()
            .any(|(_, filter)| matches!(filter, Filter::Steerage(_)))
    }

    /// The bootstrap; `ecds` is the directory of the discovered configuration's file.
    pub(crate) fn to_json(&self, ecds: &Path) -> Value {
        let names: Vec<_> = self.clusters.iter().map(Cluster::name).collect();
        let listeners: Vec<Value> = self
            .listeners
            .iter()
            .map(|(name, filter)| self.common.listener(name, filter, ecds, &names))
            .collect();
        let cluster = |cluster: &Cluster| cluster.to_json(self.common.router_retries.is_some());
        let clusters: Vec<Value> = self.clusters.iter().map(cluster).collect();
        let mut bootstrap = json!({
            // Discovery insists on a node.
            "node": {"id": "harness", "cluster": "harness"},
            "admin": {"address": address(ANY_PORT)},
            "stats_config": {"stats_tags": stats_tags()},
            "static_resources": {"listeners": listeners, "clusters": clusters},
        });
        merge_into(&mut bootstrap, self.bootstrap.clone());
        bootstrap
    }

    /// What the file of a discovered filter configuration holds, for the main listener.
    pub(crate) fn discovery_json(&self, version: u64) -> Value {
        let configuration = match self.listeners.first() {
            Some((_, Filter::Steerage(configuration))) => configuration.as_ref(),
            _ => None,
        };
        json!({
            "version_info": version.to_string(),
            "resources": [{
                "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
                "name": FILTER,
                "typed_config": self.common.wasm(MAIN, configuration),
            }],
        })
    }

    fn main_filter(mut self, filter: Filter) -> Self {
        if let Some((_, main)) = self.listeners.first_mut() {
            *main = filter;
        }
        self
    }
}

/// The repository's root, where `target/`, `envoy/` and `tests/` are.
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// The text of a file that users load, from the repository's root unless `path` is absolute, with
/// each of `replacements` made wherever it applies, and at least once.
pub(crate) fn adapted(path: &Path, replacements: &[(&str, &str)]) -> Result<String, HarnessError> {
    let path = repository().join(path);
    let mut text =
        fs::read_to_string(&path).map_err(HarnessError::io(format!("read {}", path.display())))?;
    for &(from, to) in replacements {
        if !text.contains(from) {
            return Err(HarnessError::NothingToReplace {
                path,
                text: from.to_owned(),
            });
        }
        text = text.replace(from, to);
    }
    Ok(text)
}

/// The tags that Envoy takes out of the names of the filter's metrics: those that users load, each a
/// line of `envoy/envoy.yaml`.
fn stats_tags() -> Vec<Value> {
    let tag = |line: &str| {
        let rest = line.trim().strip_prefix("- {tag_name: ")?;
        let (name, rest) = rest.split_once(", regex: '")?;
        Some(json!({"tag_name": name, "regex": rest.strip_suffix("'}")?}))
    };
    let file = include_str!("../../../envoy/envoy.yaml");
    file.lines().filter_map(tag).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_taken_out_of_names_as_users_are_told_to() {
        let tags = stats_tags();
        assert_eq!(tags.len(), 7, "{tags:?}");
        assert_eq!(
            tags.first(),
            Some(&json!({
                "tag_name": "pool",
                "regex": r"^wasmcustom\.steerage_.*?(;pool=([^;]*))",
            }))
        );
    }

    #[test]
    fn the_filter_is_configured_by_a_string() {
        let builder = EnvoyBuilder::new()
            .config("{\"endpoints\": [\"a\"]}")
            .listener("other", "{}");
        let bootstrap = builder.to_json(Path::new("/nowhere"));
        let filter = |listener: &str| {
            let path = "filter_chains/0/filters/0/typed_config/http_filters/0/typed_config/config/configuration/value";
            bootstrap
                .pointer(&format!("/static_resources/listeners/{listener}/{path}"))
                .and_then(Value::as_str)
        };
        assert_eq!(filter("0"), Some("{\"endpoints\": [\"a\"]}"));
        assert_eq!(filter("1"), Some("{}"));
    }
}
