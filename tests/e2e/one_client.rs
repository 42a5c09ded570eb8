//! The requests of one client fail wherever they go, because of what they are, or because of its own
//! deadline: nobody else gets other answers by it.

use std::time::Duration;

use steerage_harness::tokio::join;
use steerage_harness::{Envoy, Load, LoadReport, Received, Reply, Upstream, request, run};

use crate::support::{ask, assert_unharmed, request_of};

/// It answers what it is asked by the path, all else well; a POST takes it long.
fn reply(received: &Received, _: usize) -> Reply {
    let status = received.path.rsplit_once("/status/");
    let status = status.and_then(|(_, status)| status.parse().ok());
    let reply = status.map_or_else(Reply::ok, Reply::status);
    let takes = if received.method == "POST" { 400 } else { 20 };
    reply.delay(Duration::from_millis(takes))
}

#[test]
fn what_fails_wherever_it_goes_or_is_given_up_early_opens_no_breaker() {
    run(async {
        let (one, two, four) = join!(with_workers(1), with_workers(2), with_workers(4));
        for (workers, envoy) in [(1, one), (2, two), (4, four)] {
            let opened = envoy
                .stats("steerage_breaker_transitions_total.*to=open")
                .await
                .unwrap();
            let mut blamed = opened
                .iter()
                .filter(|(name, _)| !name.contains("sustained"));
            let is_clean = blamed.all(|(_, &count)| count == 0);
            assert!(is_clean, "{workers} workers: {opened:?}");
            assert_unharmed(&envoy).await;
        }
    });
}

async fn with_workers(workers: u32) -> Envoy {
    let upstreams = [(); 3].map(|()| Upstream::start(reply));
    let [a, b, c] = upstreams;
    let (a, b, c) = join!(a, b, c);
    let (a, b, c) = (a.unwrap(), b.unwrap(), c.unwrap());
    let pools = ["poison", "unsupported", "hurried"].map(|name| {
        format!(
            r#"{{"name": "{name}", "match": {{"prefix": "/{name}"}}, "endpoints": ["a", "b", "c"],
                "load_balancer": {{"panic_threshold": false}}}}"#
        )
    });
    let sustained = r#"{"name": "sustained", "match": {"prefix": "/sustained"},
        "endpoints": ["a", "b", "c"], "circuit_breaker": {"timeout": 1, "max_timeout": 2}}"#;
    let envoy = Envoy::builder()
        .cluster("a", a.addr())
        .cluster("b", b.addr())
        .cluster("c", c.addr())
        .config(format!(
            r#"{{"pools": [{}, {sustained}]}}"#,
            pools.join(",")
        ))
        .concurrency(workers)
        .start()
        .await
        .unwrap();

    for _ in 0..5 {
        assert_eq!(
            ask(&envoy, "GET", "/poison/status/500", &[]).await.status,
            500
        );
    }
    for number in 0..30 {
        let status = [501, 505, 511][number % 3];
        let path = format!("/unsupported/status/{status}");
        assert_eq!(ask(&envoy, "GET", &path, &[]).await.status, status);
    }
    // A client of gRPC with less time than the answer takes.
    let grpc = [
        ("content-type", "application/grpc"),
        ("grpc-timeout", "40m"),
    ];
    for _ in 0..20 {
        let late = request(envoy.addr(), request_of("POST", "/hurried", &grpc, "hello"));
        let late = late.await.unwrap();
        assert_eq!(late.header("grpc-status").as_deref(), Some("4"), "{late:?}");
    }
    let load = async |path: &'static str, seconds: u64| -> LoadReport {
        let load = Load::new(envoy.addr()).path(path).concurrency(8);
        load.rate(20.0)
            .during(Duration::from_secs(seconds))
            .run()
            .await
    };
    let (poison, unsupported, hurried, sustained, crashing) = join!(
        load("/poison", 2),
        load("/unsupported", 2),
        load("/hurried", 2),
        load("/sustained", 5),
        load("/sustained/status/500", 5)
    );
    assert_eq!(crashing.status(500), crashing.total(), "{crashing}");
    for report in [poison, unsupported, hurried, sustained] {
        assert_eq!(
            report.status(200),
            report.total(),
            "{workers} workers: {report}"
        );
    }
    envoy
}
