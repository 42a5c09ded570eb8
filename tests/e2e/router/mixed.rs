//! What the router and calls do together, whatever chooses the endpoint, and what first messages
//! cost those that are good.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use steerage_harness::{Client, Envoy, Reply, RouterRetries, Upstream, run};

use super::stage::{Http1, assert_all_by_router, envoy, envoy_of, retries_made};
use crate::support::{assert_unharmed, median, request_of};

#[test]
fn every_strategy_has_its_retries_made_by_the_router() {
    run(async {
        let sick = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
        let (b, c) = (
            Upstream::named("well").await.unwrap(),
            Upstream::named("well").await.unwrap(),
        );
        let strategies = [
            "round_robin",
            "weighted_round_robin",
            "least_connections",
            "least_response_time",
            "random",
            "weighted_random",
            "health_based",
            "consistent_hash",
        ];
        let pools = strategies.map(|strategy| {
            let hash_on = match strategy {
                "consistent_hash" => r#", "hash_on": "path""#,
                _ => "",
            };
            format!(
                r#"{{"name": "{strategy}", "match": {{"prefix": "/{strategy}/"}},
                    "endpoints": ["sick", "b", "c"],
                    "retry_policy": {{"base_delay": 0.001}},
                    "load_balancer": {{"strategy": "{strategy}"{hash_on}}}}}"#
            )
        });
        let clusters = [("sick", sick.addr()), ("b", b.addr()), ("c", c.addr())];
        let config = format!(r#"{{"pools": [{}]}}"#, pools.join(","));
        let envoy = envoy(Http1, &clusters, &config).await;
        let client = Client::new();
        for strategy in strategies {
            for number in 0..12 {
                let path = format!("/{strategy}/{number}");
                let answer = client.get(envoy.addr(), &path).await.unwrap();
                assert_eq!(answer.text(), "well", "{path}: {answer:?}");
            }
        }
        assert!(sick.count() >= strategies.len(), "{}", sick.count());
        assert_all_by_router(&envoy).await;
    });
}

#[test]
fn a_hedge_and_a_long_wait_are_calls() {
    run(async {
        let sick = Upstream::start(|_, n| match n {
            0 => Reply::ok().body("late").delay(Duration::from_millis(600)),
            _ => Reply::status(503),
        });
        let sick = sick.await.unwrap();
        let well = Upstream::named("well").await.unwrap();
        let config = r#"{"endpoints": ["sick", {"cluster": "well", "priority": 1}],
            "retry_policy": {"base_delay": 0.5, "jitter": false,
                "hedge": {"delay": 0.1, "max": 1, "ratio": 1}},
            "timeout": {"connect": 0.2, "read": 1, "total": 5}}"#;
        let clusters = [("sick", sick.addr()), ("well", well.addr())];
        let envoy = envoy(Http1, &clusters, config).await;
        let hedged = Client::new().get(envoy.addr(), "/").await.unwrap();
        assert_eq!(hedged.text(), "well", "{hedged:?}");
        assert!(hedged.begun < Duration::from_millis(500), "{hedged:?}");
        let waited = Client::new().get(envoy.addr(), "/").await.unwrap();
        assert_eq!(waited.text(), "well", "{waited:?}");
        assert!(waited.begun >= Duration::from_millis(500), "{waited:?}");
        assert_eq!(retries_made(&envoy).await, 0);
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn a_route_that_reads_a_header_is_told_ahead_where_retries_go() {
    run(async {
        let sick = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
        let well = Upstream::named("well").await.unwrap();
        let clusters = [("sick", sick.addr()), ("well", well.addr())];
        let config = r#"{"endpoints": ["sick", {"cluster": "well", "priority": 1}],
            "retry_policy": {"base_delay": 0.001}}"#;
        let builder = envoy_of(Http1, &clusters, config).concurrency(1);
        let envoy = builder.router_retries(RouterRetries::by_header()).start();
        let envoy = envoy.await.unwrap();
        for _ in 0..10 {
            let answer = Client::new().get(envoy.addr(), "/").await.unwrap();
            assert_eq!(answer.text(), "well", "{answer:?}");
        }
        // The first shows that the route reads the header, and goes on by a call.
        assert!(retries_made(&envoy).await >= 9);
        assert_unharmed(&envoy).await;
    });
}

/// How long the first event of a good stream takes, of each of so many.
async fn first_events(addr: SocketAddr, streams: usize) -> Vec<Duration> {
    let client = Client::new();
    let mut took = Vec::new();
    for _ in 0..streams {
        let request = request_of("GET", "/", &[], "");
        let began = Instant::now();
        let mut opened = client.open(addr, request).await.unwrap();
        let first = opened.chunk().await.unwrap();
        took.push(began.elapsed());
        assert_eq!(first.as_deref(), Some(&b"data: 1\n\n"[..]), "{opened:?}");
        assert_eq!(opened.rest().await.unwrap().text(), "data: 2\n\n");
    }
    took
}

#[test]
fn one_stream_in_ten_opens_with_an_error_and_clients_neither_see_it_nor_wait_for_the_others() {
    run(async {
        let events = || Reply::ok().header("content-type", "text/event-stream");
        let pause = Duration::from_millis(15);
        let stream = move |_: &_, n: usize| match n % 10 {
            9 => events().send("event: error\ndata: {}\n\n"),
            _ => events()
                .pause(pause)
                .send("data: 1\n\n")
                .pause(pause)
                .send("data: 2\n\n"),
        };
        let good = move |_: &_, _: usize| {
            let first = events().pause(pause).send("data: 1\n\n");
            first.pause(pause).send("data: 2\n\n")
        };
        let (a, b) = (
            Upstream::start(stream).await.unwrap(),
            Upstream::start(stream).await.unwrap(),
        );
        let plain = Upstream::start(good).await.unwrap();
        let clusters = [("a", a.addr()), ("b", b.addr())];
        let policy = r#"{"endpoints": ["a", "b"],
            "retry_policy": {"base_delay": 0.001, "commit_on": "first_message",
                "retry_on_first_event": [{"event": "error"}]}}"#;
        let held: Envoy = envoy(Http1, &clusters, policy).await;
        let clusters = [("plain", plain.addr())];
        let unheld = envoy(Http1, &clusters, r#"{"endpoints": ["plain"]}"#).await;
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for _ in 0..8 {
            with.extend(first_events(held.addr(), 10).await);
            without.extend(first_events(unheld.addr(), 10).await);
        }
        // 2 ms, and what a busy machine adds.
        let noise = Duration::from_millis(3);
        let (with, without) = (median(with), median(without));
        assert!(
            with <= without + Duration::from_millis(2) + noise,
            "{with:?} {without:?}"
        );
        eprintln!("first events: {with:?} held, {without:?} not");
        assert!(a.count() + b.count() > 80);
        assert_all_by_router(&held).await;
    });
}
