//! What this Envoy itself refuses, because its clusters are at their limits, is nobody's fault: it is
//! tried elsewhere, or answered `overloaded`, and leaves no trace.

use std::time::Duration;

use steerage_harness::serde_json::{self, Value, json};
use steerage_harness::tokio::{self, task::JoinSet};
use steerage_harness::{Client, Cluster, Envoy, Load, Reply, Upstream, run};

use crate::support::{ask, assert_unharmed, request_of};

/// Of each cluster: connections, and requests at a time or waiting.
const LIMIT: u32 = 20;
const CLIENTS: usize = 150;

#[test]
fn a_burst_over_the_clusters_limits_opens_no_breaker_and_blames_nobody() {
    run(async {
        for workers in [1, 2, 4] {
            let slow = |_: &_, _| Reply::ok().delay(Duration::from_millis(300));
            let a = Upstream::start(slow).await.unwrap();
            let b = Upstream::start(slow).await.unwrap();
            let cluster = |name: &str, upstream: &Upstream| {
                Cluster::new(name)
                    .host(upstream.addr())
                    .max_connections(LIMIT)
                    .max_pending_requests(LIMIT)
                    .max_requests(LIMIT)
            };
            // As many as the clusters take. Each worker counts for itself at first, so that it is
            // the clusters that refuse most.
            let config = format!(
                r#"{{"endpoints": ["a", "b"], "max_connections": {LIMIT}, "admin": {{"path": "/steerage"}}}}"#
            );
            let envoy = Envoy::builder()
                .config(config)
                .cluster_with(cluster("a", &a))
                .cluster_with(cluster("b", &b))
                .concurrency(workers)
                .start()
                .await
                .unwrap();
            let mut clients = JoinSet::new();
            for number in 0..CLIENTS {
                let addr = envoy.addr();
                clients.spawn(async move {
                    let client = Client::new();
                    let mut answers = Vec::new();
                    for _ in 0..3 {
                        // A POST may be tried elsewhere, too, because nothing was sent.
                        let (method, body) = [("GET", ""), ("POST", "hello")][number % 2];
                        let request = request_of(method, "/", &[], body);
                        answers.push(client.request(addr, request).await.unwrap());
                    }
                    answers
                });
            }
            let answers: Vec<_> = clients.join_all().await.into_iter().flatten().collect();
            let mut served = 0;
            for answer in &answers {
                let reason = answer.header("x-steerage-reason");
                match (answer.status.as_u16(), reason.as_deref()) {
                    (200, None) => served += 1,
                    (503, Some("overloaded")) => {}
                    _ => panic!("{workers} workers: {answer:?}"),
                }
            }
            let refused = answers.len() - served;
            assert!(
                served >= 40 && refused >= 40,
                "{workers} workers: {served} served"
            );

            // Afterwards, idle and after another round of every worker.
            tokio::time::sleep(Duration::from_millis(300)).await;
            let opened = envoy
                .stats("steerage_breaker_transitions_total.*to=open")
                .await
                .unwrap();
            assert!(
                opened.values().all(|&count| count == 0),
                "{workers}: {opened:?}"
            );
            let endpoints = ask(&envoy, "GET", "/steerage/endpoints", &[]).await;
            let endpoints: Vec<Value> = serde_json::from_slice(&endpoints.body).unwrap();
            for endpoint in &endpoints {
                let seen = ["circuit_breaker_state", "available", "failed_requests"];
                let seen = seen.map(|field| &endpoint[field]);
                let expected = [&json!("closed"), &json!(true), &json!(0)];
                assert_eq!(seen, expected, "{workers} workers: {endpoint}");
            }
            let report = Load::new(envoy.addr()).total(20).concurrency(4).run().await;
            assert_eq!(report.status(200), 20, "{workers} workers: {report}");
            assert_unharmed(&envoy).await;
        }
    });
}
