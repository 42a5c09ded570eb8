//! What a control plane makes of the resources in `envoy/istio`. The files are turned into Envoy's
//! configuration as Istio does it, so that a test of the result is a test of the files.
//!
//! | of a resource | Istio makes |
//! |---|---|
//! | WasmPlugin, TrafficExtension | a discovered filter `NAMESPACE.NAME` without a `vm_id` |
//! | its `pluginConfig` | a string of JSON in which every number has been a double |
//! | VirtualService | routes with `timeout: 0s`, and Istio's own retries unless they are off |
//! | EnvoyFilter | see `envoy_filter` |
//!
//! Limits: this is written after their sources and was compared with none of them running. TLS
//! between proxies, limits of clusters and the telemetry of Istio are left out: they touch neither
//! the filter nor its routes.
//!
//! Example: a VirtualService of a sidecar for `api.default.svc.cluster.local` becomes a virtual
//! host with the domains `api`, `api.default` and so on, and port 80 behind each.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use serde_json::{Map, Value, json};
use steerage_harness::{Envoy, EnvoyBuilder};

use crate::envoy_filter::{IN_ENVOY_FILTER, read_configuration};
use crate::samples::root;

/// The type of the filter.
pub(crate) const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";

/// The module that ships.
pub(crate) const MODULE: &str = "steerage.wasm";

/// A service of the mesh that no resource names.
pub(crate) const OTHER: &str = "other.default.svc.cluster.local";

/// The resources of one file.
pub(crate) struct Resources(pub(crate) Vec<Value>);

/// A proxy of Istio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proxy {
    Gateway,
    Sidecar,
    Waypoint,
}

impl Resources {
    /// Those of a file in `envoy/`.
    pub(crate) fn read(file: &str) -> Self {
        let text = fs::read_to_string(root().join("envoy").join(file)).expect("a file");
        let mut resources = Self(of_yaml(&text));
        resources.0.iter_mut().for_each(read_configuration);
        resources
    }

    /// The first of these kinds.
    pub(crate) fn of_kind(&self, kinds: &[&str]) -> Option<&Value> {
        let mut all = self.0.iter();
        all.find(|resource| kinds.iter().any(|kind| resource["kind"] == *kind))
    }

    /// The filter's configuration, to be changed.
    pub(crate) fn policy(&mut self) -> &mut Value {
        let places = [
            "/spec/pluginConfig",
            "/spec/wasm/pluginConfig",
            "/spec/wasm/0/config",
            IN_ENVOY_FILTER,
        ];
        let mut all = self.0.iter_mut();
        all.find_map(|resource| {
            let place = places
                .iter()
                .find(|place| resource.pointer(place).is_some())?;
            resource.pointer_mut(place)
        })
        .expect("a configuration")
    }

    /// The same for another plugin beside this one.
    pub(crate) fn called(mut self, name: &str) -> Self {
        for resource in &mut self.0 {
            resource["metadata"]["name"] = json!(name);
        }
        self
    }

    /// The name of Istio's filter.
    pub(crate) fn filter_name(&self) -> String {
        name_of(self.plugin(), ".")
    }

    fn plugin(&self) -> &Value {
        self.of_kind(&["WasmPlugin", "TrafficExtension"])
            .expect("a plugin")
    }

    /// What Istio's agent hands to the proxy, the module fetched.
    pub(crate) fn filter(&self, module: &str) -> Value {
        let spec = &self.plugin()["spec"];
        let spec = spec.get("wasm").unwrap_or(spec);
        let strategy = spec["failStrategy"].as_str();
        let strategy = strategy.filter(|name| *name != "FAIL_CLOSE");
        json!({
            "@type": WASM,
            "config": {
                "name": self.filter_name(),
                "root_id": spec["pluginName"],
                "failure_policy": strategy.unwrap_or("FAIL_CLOSED"),
                "configuration": string(&through_doubles(spec["pluginConfig"].clone())),
                "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": code(module)},
            },
        })
    }

    /// The routes, in one virtual host.
    pub(crate) fn virtual_host(&self, proxy: Proxy) -> Value {
        let service = self.of_kind(&["VirtualService"]).expect("routes");
        let host = service["spec"]["hosts"][0].as_str().expect("a host");
        let domains = match proxy {
            Proxy::Gateway => vec![host.to_owned()],
            // A waypoint finds the service by its address, and then takes every host.
            Proxy::Waypoint => vec!["*".to_owned()],
            Proxy::Sidecar => {
                let short = |end: &str| host.strip_suffix(end).map(str::to_owned);
                let all = [
                    Some(host.to_owned()),
                    short(".cluster.local"),
                    short(".svc.cluster.local"),
                ];
                let name = host.split('.').next().map(str::to_owned);
                all.into_iter().chain([name]).flatten().collect()
            }
        };
        let domains: Vec<_> = domains
            .iter()
            .flat_map(|domain| match &**domain {
                "*" => vec![domain.clone()],
                _ => vec![domain.clone(), format!("{domain}:*")],
            })
            .collect();
        let routes = service["spec"]["http"].as_array().expect("routes");
        let routes: Vec<_> = routes.iter().map(|http| self.route(http, proxy)).collect();
        json!({
            "name": host,
            "domains": domains,
            "routes": routes,
            "include_request_attempt_count": true,
        })
    }

    fn route(&self, http: &Value, proxy: Proxy) -> Value {
        let mut matched = json!({"prefix": "/"});
        if let Some(headers) = http["match"][0]["headers"].as_object() {
            let headers = headers
                .iter()
                .map(|(name, value)| match value.get("exact") {
                    Some(exact) => json!({"name": name, "string_match": {"exact": exact}}),
                    None => json!({"name": name, "present_match": true}),
                });
            matched["headers"] = headers.collect();
        }
        let to = &http["route"][0]["destination"];
        let part = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (port, subset, host) = (
            &to["port"]["number"],
            part(&to["subset"]),
            part(&to["host"]),
        );
        let cluster = match proxy {
            Proxy::Waypoint if subset.is_empty() => format!("inbound-vip|{port}|http|{host}"),
            Proxy::Waypoint => format!("inbound-vip|{port}|http/{subset}|{host}"),
            Proxy::Gateway | Proxy::Sidecar => format!("outbound|{port}|{subset}|{host}"),
        };
        assert!(
            http.get("timeout").is_none(),
            "Istio refuses 0s, and more is not wanted"
        );
        let mut action = json!({"cluster": cluster, "timeout": "0s"});
        if http["retries"]["attempts"] != 0 {
            action["retry_policy"] = json!({
                "retry_on": "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
                "retriable_status_codes": [503],
                "num_retries": 2,
            });
        }
        let mut route = json!({"name": part(&http["name"]), "match": matched, "route": action});
        self.patch_route(&mut route, proxy);
        route
    }
}

/// The configuration as Istio hands it on: all numbers have been doubles.
fn through_doubles(value: Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.into_iter().map(through_doubles).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter();
            let fields: Map<_, _> = fields
                .map(|(name, value)| (name, through_doubles(value)))
                .collect();
            Value::Object(fields)
        }
        other => other,
    }
}

pub(crate) fn string(configuration: &Value) -> Value {
    json!({
        "@type": "type.googleapis.com/google.protobuf.StringValue",
        "value": configuration.to_string(),
    })
}

/// The module as a file, which is what the agent makes of an image.
pub(crate) fn code(module: &str) -> Value {
    let path = root().join("target").join(module);
    json!({"local": {"filename": path.canonicalize().expect("the module")}})
}

pub(crate) fn router() -> Value {
    json!({"name": "envoy.filters.http.router", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
    }})
}

/// A control plane that delivers filters: files that an Envoy looks at.
pub(crate) struct Discovery {
    folder: PathBuf,
    module: &'static str,
}

impl Discovery {
    /// A separate one for each test.
    pub(crate) fn new(test: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("discovery")
            .join(test);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder");
        Self {
            folder,
            module: MODULE,
        }
    }

    /// The same with this file of `target/` in place of the module.
    pub(crate) fn of(self, module: &'static str) -> Self {
        Self { module, ..self }
    }

    /// Delivers the filter of these resources, in one step.
    pub(crate) fn deliver(&self, resources: &Resources) {
        for mut filter in resources.discovered(self.module) {
            let name = filter["name"].as_str().expect("a name").to_owned();
            filter["@type"] =
                json!("type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig");
            let document = json!({"resources": [filter]});
            let new = self.folder.join("new");
            fs::write(&new, document.to_string()).expect("the folder is there");
            fs::rename(new, self.folder.join(name)).expect("the folder is there");
        }
    }

    /// The place of a discovered filter among others.
    pub(crate) fn place(&self, name: &str) -> Value {
        json!({"name": name, "config_discovery": {
            "config_source": {
                "path_config_source": {
                    "path": self.folder.join(name),
                    "watched_directory": {"path": self.folder},
                },
                "resource_api_version": "V3",
            },
            "type_urls": [WASM],
        }})
    }

    /// A proxy with the filters of all of these and their routes.
    pub(crate) fn proxy(&self, proxy: Proxy, all: &[&Resources]) -> EnvoyBuilder {
        let mut filters = Vec::new();
        let mut last = router();
        for resources in all {
            self.deliver(resources);
            let (before, router) = resources.http_filters(self);
            filters.extend(before);
            last = router;
        }
        filters.push(last);
        let hosts = all.iter().map(|resources| resources.virtual_host(proxy));
        // A sidecar has the other services of the mesh beside these.
        let other = (proxy == Proxy::Sidecar).then(|| {
            let action = json!({"cluster": format!("outbound|80||{OTHER}"), "timeout": "0s"});
            let routes = json!([{"match": {"prefix": "/"}, "route": action}]);
            json!({"name": OTHER, "domains": [OTHER], "routes": routes})
        });
        let hosts: Vec<_> = hosts.chain(other).collect();
        Envoy::builder()
            .merge_manager(json!({"http_filters": filters}))
            .merge_manager(json!({"route_config": {"virtual_hosts": hosts}}))
    }
}

/// The documents of a file.
pub(crate) fn of_yaml(text: &str) -> Vec<Value> {
    let documents = serde_yaml_ng::Deserializer::from_str(text);
    documents
        .map(|document| Value::deserialize(document).expect("YAML"))
        .collect()
}

/// A resource's namespace and its name, with this between them.
pub(crate) fn name_of(resource: &Value, between: &str) -> String {
    let part = |name: &str| resource["metadata"][name].as_str().expect("a name");
    [part("namespace"), part("name")].join(between)
}
