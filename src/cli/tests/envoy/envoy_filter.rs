//! What Istio makes of the EnvoyFilters in `envoy/istio`.
//!
//! | patch | Istio makes |
//! |---|---|
//! | EXTENSION_CONFIG | a discovered filter, its module fetched by the agent |
//! | HTTP_FILTER, INSERT_BEFORE the router | a filter right before it |
//! | HTTP_FILTER, MERGE into the router | the router with the value merged into it |
//! | HTTP_ROUTE | the route of that name with the value merged into it |
//!
//! Example: a value `{"route": {"cluster_header": "x"}}` takes the place of the route's `cluster`.

use serde_json::{Value, json};

use crate::control_plane::{Discovery, Proxy, Resources, code, router, string};

/// Where the configuration of the filter is in an EnvoyFilter.
pub(crate) const IN_ENVOY_FILTER: &str =
    "/spec/configPatches/0/patch/value/typed_config/config/configuration";

/// Has the configuration of the filter in an EnvoyFilter, which is text, be changed in the same way
/// as others.
pub(crate) fn read_configuration(resource: &mut Value) {
    if let Some(configuration) = resource.pointer_mut(IN_ENVOY_FILTER) {
        let text = configuration["value"].as_str().expect("text");
        *configuration = serde_json::from_str(text).expect("JSON");
    }
}

impl Resources {
    /// The patches of an EnvoyFilter to this, by this operation.
    fn patches(&self, to: &str, operation: &str) -> Vec<&Value> {
        let filter = self.of_kind(&["EnvoyFilter"]);
        let patches = filter.and_then(|filter| filter["spec"]["configPatches"].as_array());
        let patches = patches.into_iter().flatten();
        let wanted = |it: &&Value| it["applyTo"] == to && it["patch"]["operation"] == operation;
        patches.filter(wanted).collect()
    }

    /// The discovered filters that Istio's agent hands to the proxy, the module fetched.
    pub(crate) fn discovered(&self, module: &str) -> Vec<Value> {
        let patches = self.patches("EXTENSION_CONFIG", "ADD");
        if patches.is_empty() {
            return vec![json!({
                "name": self.filter_name(),
                "typed_config": self.filter(module),
            })];
        }
        let values = patches.iter().map(|patch| {
            let mut value = patch["patch"]["value"].clone();
            let config = &mut value["typed_config"]["config"];
            assert!(config["vm_config"]["code"]["remote"]["http_uri"]["uri"].is_string());
            config["vm_config"]["code"] = code(module);
            if config["configuration"].get("@type").is_none() {
                config["configuration"] = string(&config["configuration"]);
            }
            value
        });
        values.collect()
    }

    /// The filters of a proxy whose router has no filter before it.
    pub(crate) fn http_filters(&self, discovery: &Discovery) -> (Vec<Value>, Value) {
        let mut router = router();
        let patches = self.patches("HTTP_FILTER", "INSERT_BEFORE");
        if patches.is_empty() {
            return (vec![discovery.place(&self.filter_name())], router);
        }
        for patch in self.patches("HTTP_FILTER", "MERGE") {
            is_at_the_router(patch);
            merge(&mut router, &patch["patch"]["value"]);
        }
        let behind = &mut router["typed_config"]["upstream_http_filters"];
        discovery.looks_here(behind.as_array_mut().expect("filters"));
        let before = patches.iter().map(|patch| {
            is_at_the_router(patch);
            patch["patch"]["value"].clone()
        });
        let mut before: Vec<_> = before.collect();
        discovery.looks_here(&mut before);
        (before, router)
    }

    /// Merges what is for this route into it.
    pub(crate) fn patch_route(&self, route: &mut Value, proxy: Proxy) {
        for patch in self.patches("HTTP_ROUTE", "MERGE") {
            let context = match proxy {
                Proxy::Gateway => "GATEWAY",
                Proxy::Sidecar => "SIDECAR_OUTBOUND",
                Proxy::Waypoint => panic!("a waypoint's routes are not patched"),
            };
            assert_eq!(patch["match"]["context"], context);
            let name = &patch["match"]["routeConfiguration"]["vhost"]["route"]["name"];
            if *name == route["name"] {
                merge(route, &patch["patch"]["value"]);
            }
        }
    }
}

impl Discovery {
    /// Has filters that Istio would deliver be found here.
    fn looks_here(&self, filters: &mut [Value]) {
        for filter in filters {
            let name = filter["name"].as_str().expect("a name").to_owned();
            let Some(source) = filter.pointer_mut("/config_discovery/config_source") else {
                continue;
            };
            let istio =
                json!({"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"});
            assert_eq!(*source, istio);
            let here = self.place(&name);
            *source = here["config_discovery"]["config_source"].clone();
        }
    }
}

/// Merges as protocol buffers do: of fields that exclude each other, the last one stays.
pub(crate) fn merge(into: &mut Value, value: &Value) {
    let (Some(fields), Some(more)) = (into.as_object_mut(), value.as_object()) else {
        *into = value.clone();
        return;
    };
    let exclusive = [
        "cluster",
        "cluster_header",
        "weighted_clusters",
        "inline_cluster_specifier_plugin",
    ];
    if more.keys().any(|name| exclusive.contains(&&**name)) {
        fields.retain(|name, _| !exclusive.contains(&&**name));
    }
    for (name, value) in more {
        merge(fields.entry(name).or_insert(Value::Null), value);
    }
}

/// Asserts that a patch is about the router of any listener.
fn is_at_the_router(patch: &Value) {
    let at = json!({
        "name": "envoy.filters.network.http_connection_manager",
        "subFilter": {"name": "envoy.filters.http.router"},
    });
    let listener = &patch["match"]["listener"];
    assert_eq!(*listener, json!({"filterChain": {"filter": at}}));
}
