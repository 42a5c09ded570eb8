//! What the end-to-end tests share: short ways to start an Envoy, to send requests, and to look at
//! the results. They panic at the first surprise, as tests do.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use steerage_harness::serde_json::{self, Value, json};
use steerage_harness::tokio;
use steerage_harness::{Answer, Bytes, Client, Envoy, EnvoyBuilder, Request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The builder of an Envoy with these clusters, of one host each, and this configuration of the
/// filter, [`steady`], for tests that need other settings of Envoy.
pub(crate) fn envoy_of(clusters: &[(&str, SocketAddr)], json: &str) -> EnvoyBuilder {
    let builder = Envoy::builder().config(steady(json));
    clusters.iter().fold(builder, |builder, &(name, addr)| {
        builder.cluster(name, addr)
    })
}

/// The configuration with breakers that never open and retries without a budget, in the pools that
/// do not configure them. Most tests let an endpoint fail while they look at something else.
pub(crate) fn steady(json: &str) -> String {
    let Ok(mut config) = serde_json::from_str::<Value>(json) else {
        return json.to_owned();
    };
    let never = json!({"failure_threshold": 1_000_000, "minimum_requests": 1_000_000});
    let pools = match config.get_mut("pools") {
        Some(Value::Array(pools)) => pools.iter_mut().collect(),
        _ => vec![&mut config],
    };
    for pool in pools {
        if let Some(fields) = pool.as_object_mut() {
            fields
                .entry("circuit_breaker")
                .or_insert_with(|| never.clone());
            let retry = fields.entry("retry_policy").or_insert_with(|| json!({}));
            if let Some(retry) = retry.as_object_mut() {
                retry.entry("budget").or_insert(Value::Bool(false));
            }
        }
    }
    config.to_string()
}

/// A running Envoy with two workers, these clusters, of one host each, and this configuration.
pub(crate) async fn pool(clusters: &[(&str, SocketAddr)], json: &str) -> Envoy {
    envoy_of(clusters, json).start().await.unwrap()
}

/// Like [`pool`], with one worker: the filter's state is in one place, so the order of its choices
/// is predictable.
pub(crate) async fn pool_of_one_worker(clusters: &[(&str, SocketAddr)], json: &str) -> Envoy {
    envoy_of(clusters, json)
        .concurrency(1)
        .start()
        .await
        .unwrap()
}

/// A request with these headers (a name may be given twice) and this body.
pub(crate) fn request_of(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Request<Bytes> {
    headers
        .iter()
        .fold(
            Request::builder().method(method).uri(path),
            |request, &(name, value)| request.header(name, value),
        )
        .body(body.into())
        .unwrap()
}

/// Sends a request without a body on its own connection.
pub(crate) async fn ask(
    envoy: &Envoy,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Answer {
    Client::one_shot()
        .request(
            envoy.addr(),
            request_of(method, path, headers, Bytes::new()),
        )
        .await
        .unwrap()
}

/// GET `/` so many times, one after the other, on one connection and so at one worker: the bodies
/// of the answers, which [`steerage_harness::Upstream::named`] makes the upstreams' names.
pub(crate) async fn bodies(envoy: &Envoy, requests: usize) -> Vec<String> {
    let client = Client::new();
    let mut bodies = Vec::new();
    for _ in 0..requests {
        let answer = client.get(envoy.addr(), "/").await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        bodies.push(answer.text());
    }
    bodies
}

/// The status of an answer as it came over the wire.
pub(crate) fn status_of(answer: &[u8]) -> Option<u16> {
    let rest = answer.strip_prefix(b"HTTP/1.1 ")?;
    std::str::from_utf8(rest.get(..3)?).ok()?.parse().ok()
}

/// Sends `bytes` and reads to the end of the connection. A reset is an end, too, and what came
/// before it counts.
pub(crate) async fn to_the_end(addr: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    let exchange = async {
        let mut stream = TcpStream::connect(addr).await?;
        stream.write_all(bytes).await?;
        while stream.read_buf(&mut answer).await? > 0 {}
        Ok::<_, std::io::Error>(())
    };
    let outcome = tokio::time::timeout(Duration::from_secs(10), exchange).await;
    assert!(outcome.is_ok(), "{} is still open", bytes.escape_ascii());
    answer
}

/// How often each text occurs.
pub(crate) fn tally(texts: impl IntoIterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for text in texts {
        *counts.entry(text).or_default() += 1;
    }
    counts
}

/// The middle one (the upper of two).
pub(crate) fn median(mut values: Vec<Duration>) -> Duration {
    values.sort_unstable();
    values[values.len() / 2]
}

/// Asserts that the filter had no trouble in a test: its VM was never restarted after a trap, and
/// it logged no error.
pub(crate) async fn assert_unharmed(envoy: &Envoy) {
    let reloads = envoy.stats("^wasm\\..*vm_reload").await.unwrap();
    assert!(reloads.values().all(|&count| count == 0), "{reloads:?}");
    let log = envoy.log();
    let complaints: Vec<_> = log
        .lines()
        .filter(|line| line.contains("[wasm]"))
        .filter(|line| line.contains("[error]") || line.contains("[critical]"))
        .collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}
