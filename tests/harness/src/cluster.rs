//! An upstream cluster as Envoy is told of it.
//!
//! The defaults are those of a healthy cluster on the same machine; a test makes it sick by
//! giving it no hosts, a host that refuses, or limits that overflow.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::json::{address, merge_into};

/// An upstream cluster as Envoy is to know it.
#[derive(Clone, Debug)]
pub struct Cluster {
    name: String,
    addresses: Vec<SocketAddr>,
    connect_timeout: Duration,
    thresholds: Map<String, Value>,
    merge: Value,
}

impl Cluster {
    /// A cluster without hosts and with a connect timeout of 0.25 s.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            addresses: Vec::new(),
            connect_timeout: Duration::from_millis(250),
            thresholds: Map::new(),
            merge: json!({}),
        }
    }

    /// Adds a host.
    #[must_use]
    pub fn host(mut self, addr: SocketAddr) -> Self {
        self.addresses.push(addr);
        self
    }

    /// Gives up on a connection after this time.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Envoy's circuit breaker: at most so many connections.
    #[must_use]
    pub fn max_connections(self, limit: u32) -> Self {
        self.threshold("max_connections", limit)
    }

    /// Envoy's circuit breaker: at most so many requests waiting for a connection; 0 makes
    /// every request that needs a new connection overflow.
    #[must_use]
    pub fn max_pending_requests(self, limit: u32) -> Self {
        self.threshold("max_pending_requests", limit)
    }

    /// Envoy's circuit breaker: at most so many requests at a time.
    #[must_use]
    pub fn max_requests(self, limit: u32) -> Self {
        self.threshold("max_requests", limit)
    }

    /// Speaks HTTP/2 with its hosts.
    #[must_use]
    pub fn http2(self) -> Self {
        self.merge(json!({"typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            },
        }}))
    }

    /// Envoy's circuit breaker: at most so many retries at a time; 3 unless told otherwise.
    #[must_use]
    pub fn max_retries(self, limit: u32) -> Self {
        self.threshold("max_retries", limit)
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Merges more fields of `envoy.config.cluster.v3.Cluster` in; objects are merged, anything
    /// else is replaced.
    #[must_use]
    pub fn merge(mut self, more: Value) -> Self {
        merge_into(&mut self.merge, more);
        self
    }

    fn threshold(mut self, name: &str, limit: u32) -> Self {
        self.thresholds.insert(name.to_owned(), limit.into());
        self
    }

    /// The cluster, with room for any number of retries at a time unless it says otherwise.
    pub(crate) fn to_json(&self, unlimited_retries: bool) -> Value {
        let hosts: Vec<Value> = self
            .addresses
            .iter()
            .map(|&addr| json!({"endpoint": {"address": address(addr)}}))
            .collect();
        let mut cluster = json!({
            "name": self.name,
            "type": "STATIC",
            "connect_timeout": seconds(self.connect_timeout),
            "load_assignment": {"cluster_name": self.name, "endpoints": [{"lb_endpoints": hosts}]},
        });
        let mut thresholds = self.thresholds.clone();
        if unlimited_retries {
            thresholds
                .entry("max_retries")
                .or_insert_with(|| 1_000_000.into());
        }
        if !thresholds.is_empty() {
            merge_into(
                &mut cluster,
                json!({"circuit_breakers": {"thresholds": [thresholds]}}),
            );
        }
        merge_into(&mut cluster, self.merge.clone());
        cluster
    }
}

/// A duration as protobuf's JSON writes it.
fn seconds(duration: Duration) -> String {
    format!("{}.{:09}s", duration.as_secs(), duration.subsec_nanos())
}
