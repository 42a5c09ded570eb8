//! A retried answer streams as a first one does; upgrades are retried until they succeed.

use std::time::{Duration, Instant};

use steerage_harness::serde_json::json;
use steerage_harness::{Reply, Upstream, raw, run};

use super::stage::{Http1, Http2, assert_all_by_router, envoy, envoy_of};
use crate::support::{median, request_of};

const IN_ORDER: &str = r#"{"endpoints": ["sick", {"cluster": "well", "priority": 1}],
    "retry_policy": {"strategy": "fixed", "base_delay": 0.01, "jitter": false}}"#;

#[test]
fn the_first_piece_of_a_retried_stream_is_there_at_once() {
    run(async {
        for protocol in [Http1, Http2] {
            let sick = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
            let pause = Duration::from_millis(150);
            let stream = move |_: &_, _| Reply::ok().send("one").pause(pause).send("two");
            let well = Upstream::start(stream).await.unwrap();
            let clusters = [("sick", sick.addr()), ("well", well.addr())];
            let envoy = envoy(protocol, &clusters, IN_ORDER).await;
            let client = protocol.client();
            let mut late = Vec::new();
            for number in 0..5 {
                let request = request_of("GET", "/", &[], "");
                let mut opened = client.open(envoy.addr(), request).await.unwrap();
                assert_eq!(opened.chunk().await.unwrap().unwrap(), "one");
                late.push(Instant::now() - well.received()[number].at);
                assert_eq!(opened.rest().await.unwrap().text(), "two");
            }
            assert!(
                median(late.clone()) <= Duration::from_millis(20),
                "{late:?}"
            );
            assert_eq!((sick.count(), well.count()), (5, 5));
            assert_all_by_router(&envoy).await;
        }
    });
}

#[test]
fn an_upgrade_that_fails_is_tried_elsewhere_and_echoes() {
    run(async {
        let hello =
            b"GET /chat HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n\
            GET / HTTP/1.1\r\ncontent-length: 0\r\n\r\n";
        let sick = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
        let refusing = Upstream::refusing().unwrap();
        let well = Upstream::start(|_, _| Reply::upgrade()).await.unwrap();
        for first in [sick.addr(), refusing.addr()] {
            let envoy = envoy_of(Http1, &[("sick", first), ("well", well.addr())], IN_ORDER)
                .merge_manager(json!({"upgrade_configs": [{"upgrade_type": "websocket"}]}));
            let envoy = envoy.start().await.unwrap();
            let answer = raw(envoy.addr(), hello).await.unwrap();
            let answer = String::from_utf8_lossy(&answer);
            assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
            assert!(answer.ends_with("content-length: 0\r\n\r\n"), "{answer}");
            assert_all_by_router(&envoy).await;
        }
    });
}
