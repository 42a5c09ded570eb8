//! What these tests share: an Envoy that is prepared for retries by its router, and whether it was
//! the router that made them.

use std::net::SocketAddr;

use steerage_harness::serde_json::{self, Value, json};
use steerage_harness::{Client, Cluster, Envoy, EnvoyBuilder, Reply, RouterRetries};

use crate::support::{assert_unharmed, steady};

/// The configuration, [`steady`], with retries by the router.
pub(super) fn by_router(json: &str) -> String {
    let mut config: Value = serde_json::from_str(&steady(json)).unwrap();
    config["retries"] = json!("router");
    config.to_string()
}

/// What is spoken with clients and with upstreams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

pub(super) use Protocol::{Http1, Http2};

impl Protocol {
    /// A client that keeps its connections.
    pub(super) fn client(self) -> Client {
        match self {
            Http1 => Client::new(),
            Http2 => Client::new().http2(),
        }
    }
}

/// The builder of an Envoy with these clusters, of one host each, and this configuration, whose
/// router makes the retries.
pub(super) fn envoy_of(
    protocol: Protocol,
    clusters: &[(&str, SocketAddr)],
    json: &str,
) -> EnvoyBuilder {
    let builder = Envoy::builder()
        .config(by_router(json))
        .router_retries(RouterRetries::by_state());
    clusters.iter().fold(builder, |builder, &(name, addr)| {
        let cluster = Cluster::new(name).host(addr);
        builder.cluster_with(match protocol {
            Http1 => cluster,
            Http2 => cluster.http2(),
        })
    })
}

/// The same, running with two workers.
pub(super) async fn envoy(
    protocol: Protocol,
    clusters: &[(&str, SocketAddr)],
    json: &str,
) -> Envoy {
    envoy_of(protocol, clusters, json).start().await.unwrap()
}

/// Makes an answer.
pub(super) type MakeReply = fn() -> Reply;

/// How many retries the router has made.
pub(super) async fn retries_made(envoy: &Envoy) -> u64 {
    let made = envoy.stats("^cluster\\..*\\.upstream_rq_retry$").await;
    made.unwrap().values().sum()
}

/// Asserts that the filter had no trouble, and that every retry was the router's: no call was made.
pub(super) async fn assert_all_by_router(envoy: &Envoy) {
    assert_unharmed(envoy).await;
    assert!(retries_made(envoy).await > 0, "no retry by the router");
    let troubles = envoy.stats("steerage_internal_errors_total").await.unwrap();
    assert!(troubles.values().all(|&n| n == 0), "{troubles:?}");
    // Calls are the only requests that Envoy counts as internal ones.
    let calls = envoy.stats("^cluster\\..*\\.internal\\.upstream_rq_completed$");
    let calls = calls.await.unwrap();
    assert!(calls.values().all(|&n| n == 0), "{calls:?}");
}
