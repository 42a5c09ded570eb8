//! The filter as an upstream filter of its own clusters, in one VM: a call then begins a stream of the
//! filter before it has returned. Nothing traps, and requests are retried as ever.

use std::net::SocketAddr;

use steerage_harness::serde_json::{Value, json};
use steerage_harness::{Cluster, Envoy, Reply, Upstream, get, repository, run};

use crate::support::{assert_unharmed, steady};

#[test]
fn the_filter_in_front_of_its_own_upstreams_in_one_vm_does_not_trap() {
    let config = steady(
        r#"{
            "endpoints": ["sick", "well"],
            "retry_policy": {"strategy": "fixed", "base_delay": 0.001, "jitter": false},
            "health_check": {"interval": 1, "unhealthy_threshold": 1000}
        }"#,
    );
    run(async {
        for workers in [1, 2, 4] {
            let sick = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
            let well = Upstream::named("well").await.unwrap();
            let envoy = Envoy::builder()
                .config(config.clone())
                .cluster_with(filtered("sick", sick.addr(), &config))
                .cluster_with(filtered("well", well.addr(), &config))
                .concurrency(workers)
                .start()
                .await
                .unwrap();
            for _ in 0..40 {
                let answer = get(envoy.addr(), "/").await.unwrap();
                assert_eq!(
                    (answer.status.as_u16(), answer.text()),
                    (200, "well".into())
                );
            }
            assert!(sick.count() > 0, "nothing had to be retried");
            assert_unharmed(&envoy).await;
        }
    });
}

/// A cluster with the filter in front of it: the same plugin as the listener's, so the same VM.
fn filtered(name: &str, addr: SocketAddr, config: &str) -> Cluster {
    let plugin = json!({
        "name": "steerage",
        "root_id": "steerage",
        "failure_policy": "FAIL_RELOAD",
        "vm_config": {
            "vm_id": "steerage",
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": repository().join("target/steerage.wasm")}},
        },
        "configuration": {
            "@type": "type.googleapis.com/google.protobuf.StringValue",
            "value": config,
        },
    });
    let filter = |name: &str, config: Value| json!({"name": name, "typed_config": config});
    let filters = [
        filter(
            "steerage",
            json!({
                "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                "config": plugin,
            }),
        ),
        filter(
            "envoy.filters.http.upstream_codec",
            json!({
                "@type": "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec",
            }),
        ),
    ];
    Cluster::new(name).host(addr).merge(json!({
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http_protocol_options": {}},
                "http_filters": filters,
            },
        },
    }))
}
