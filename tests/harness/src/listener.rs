//! What a listener is told: its route, its filters, and the filter's plugin.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::json::{address, merge_into};
use crate::router_retries::RouterRetries;

/// What stands before the router.
#[derive(Clone, Debug)]
pub(crate) enum Filter {
    /// The filter, with this `configuration` field, or none.
    Steerage(Option<Value>),
    /// No filter; everything is routed to this cluster.
    Absent { cluster: String },
}

/// What the listeners have in common.
#[derive(Clone, Debug)]
pub(crate) struct Listeners {
    pub(crate) wasm: PathBuf,
    pub(crate) by_ecds: bool,
    /// More fields of the HTTP connection manager.
    pub(crate) manager: Value,
    /// More fields of the route's action.
    pub(crate) route: Value,
    /// More fields of the filter's plugin.
    pub(crate) plugin: Value,
    /// Fields of one listener's plugin only, by its name.
    pub(crate) plugins: Vec<(String, Value)>,
    pub(crate) router_retries: Option<RouterRetries>,
}

impl Listeners {
    /// One listener; `ecds` is the directory of the discovered configuration's file, `clusters` are
    /// the names of those that a request may go to.
    pub(crate) fn listener(
        &self,
        name: &str,
        filter: &Filter,
        ecds: &Path,
        clusters: &[&str],
    ) -> Value {
        let mut host = json!({"name": "all", "domains": ["*"]});
        let mut action = json!({"timeout": "0s"});
        let mut router = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
        });
        let mut removed = Vec::new();
        let mut filters = Vec::new();
        match filter {
            Filter::Absent { cluster } => merge_into(&mut action, json!({"cluster": cluster})),
            Filter::Steerage(configuration) => {
                removed.push("x-steerage-cluster");
                filters.push(self.filter(name, configuration.as_ref(), ecds));
                match &self.router_retries {
                    None => {
                        merge_into(&mut action, json!({"cluster_header": "x-steerage-cluster"}));
                    }
                    Some(retries) => {
                        merge_into(&mut action, retries.route_action(clusters));
                        merge_into(&mut host, retries.virtual_host());
                        let attempts = |more| self.attempts_plugin(more);
                        merge_into(&mut router, retries.router(attempts));
                    }
                }
            }
        }
        merge_into(&mut action, self.route.clone());
        filters.push(json!({"name": "envoy.filters.http.router", "typed_config": router}));
        merge_into(
            &mut host,
            json!({"routes": [{
                "match": {"prefix": "/"},
                "route": action,
                "request_headers_to_remove": removed,
            }]}),
        );
        let mut manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": name,
            "codec_type": "AUTO",
            "route_config": {"name": name, "virtual_hosts": [host]},
            "http_filters": filters,
        });
        merge_into(&mut manager, self.manager.clone());
        json!({
            "name": name,
            "address": address(ANY_PORT),
            "filter_chains": [{"filters": [
                {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager},
            ]}],
        })
    }

    /// The filter with its configuration, as an extension's `typed_config`.
    pub(crate) fn wasm(&self, listener: &str, configuration: Option<&Value>) -> Value {
        let mut plugin = self.plugin_of(configuration);
        for (_, more) in self.plugins.iter().filter(|(name, _)| name == listener) {
            merge_into(&mut plugin, more.clone());
        }
        json!({"@type": WASM_TYPE, "config": plugin})
    }

    fn filter(&self, listener: &str, configuration: Option<&Value>, ecds: &Path) -> Value {
        if !self.by_ecds || listener != MAIN {
            return json!({"name": FILTER, "typed_config": self.wasm(listener, configuration)});
        }
        json!({"name": FILTER, "config_discovery": {
            "config_source": {
                "path_config_source": {
                    "path": ecds.join(DISCOVERY_FILE),
                    "watched_directory": {"path": ecds},
                },
                "resource_api_version": "V3",
            },
            "type_urls": [WASM_TYPE],
        }})
    }

    /// The filter of attempts, with these fields beside the common ones.
    fn attempts_plugin(&self, more: Value) -> Value {
        let mut plugin = self.plugin_of(Some(&string_value(r#"{"role": "attempts"}"#)));
        merge_into(&mut plugin, more);
        json!({"name": FILTER, "typed_config": {"@type": WASM_TYPE, "config": plugin}})
    }

    fn plugin_of(&self, configuration: Option<&Value>) -> Value {
        let mut plugin = json!({
            "name": FILTER,
            "root_id": FILTER,
            "failure_policy": "FAIL_RELOAD",
            "vm_config": {
                "vm_id": FILTER,
                "runtime": "envoy.wasm.runtime.v8",
                "code": {"local": {"filename": self.wasm}},
            },
        });
        if let Some(configuration) = configuration {
            merge_into(&mut plugin, json!({"configuration": configuration}));
        }
        merge_into(&mut plugin, self.plugin.clone());
        plugin
    }
}

/// A text as the filter's configuration.
pub(crate) fn string_value(text: &str) -> Value {
    json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text})
}

/// The name of the listener that [`crate::Envoy::addr`] means.
pub(crate) const MAIN: &str = "main";

/// The filter's name, its root id and its VM id.
pub(crate) const FILTER: &str = "steerage";

/// The file, in a directory of its own, that a discovered configuration is read from.
pub(crate) const DISCOVERY_FILE: &str = "filter.json";

/// A port that the kernel chooses.
pub(crate) const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

const WASM_TYPE: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
