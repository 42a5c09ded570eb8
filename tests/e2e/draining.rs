//! Endpoints that are to get no traffic get none: weight 0 while anything else is available, tried
//! or not, and `"enabled": false` whatever happens.

use std::time::Duration;

use steerage_harness::{Bytes, Load, Reply, Upstream, run, tokio};

use crate::support::{ask, assert_unharmed, envoy_of, request_of};

const STRATEGIES: [&str; 4] = [
    "round_robin",
    "weighted_round_robin",
    "least_connections",
    "random",
];

#[test]
fn a_drained_endpoint_serves_when_every_other_is_unavailable_and_not_when_they_are_tried() {
    run(async {
        for workers in [1, 2, 4] {
            let stable = Upstream::named("stable").await.unwrap();
            let other = Upstream::named("other").await.unwrap();
            let canary = Upstream::named("canary").await.unwrap();
            let off = Upstream::named("off").await.unwrap();
            // Those that are to get nothing stand first: they are not spared by their place.
            let pools = STRATEGIES.map(|strategy| {
                format!(
                    r#"{{"name": "{strategy}", "match": {{"path": "/{strategy}"}},
                        "load_balancer": {{"strategy": "{strategy}"}},
                        "retry_policy": {{"max_attempts": 4, "base_delay": 0.001}},
                        "endpoints": [{{"cluster": "canary", "weight": 0}},
                                      {{"cluster": "off", "enabled": false}}, "stable", "other"]}}"#
                )
            });
            let clusters = [
                ("stable", stable.addr()),
                ("other", other.addr()),
                ("canary", canary.addr()),
                ("off", off.addr()),
            ];
            let opening = r#"{"name": "opening", "circuit_breaker": {"failure_threshold": 2},
                "endpoints": [{"cluster": "off", "enabled": false},
                              {"cluster": "canary", "weight": 0}, "stable"]}"#;
            let config = format!(r#"{{"pools": [{}, {opening}]}}"#, pools.join(","));
            let envoy = envoy_of(&clusters, &config).concurrency(workers);
            let envoy = envoy.start().await.unwrap();
            let load = async |requests: usize| {
                let make = |number: usize| {
                    let path = format!("/{}", STRATEGIES[number % STRATEGIES.len()]);
                    let method = ["GET", "POST"][number / STRATEGIES.len() % 2];
                    let key = [("idempotency-key", "k")];
                    request_of(method, &path, &key, Bytes::new())
                };
                let load = Load::new(envoy.addr()).requests(make);
                load.total(requests).concurrency(8).run().await
            };
            for failure in [Reply::status(503), Reply::status(429), Reply::reset()] {
                for upstream in [&stable, &other] {
                    let failure = failure.clone();
                    upstream.set(move |_, _| failure.clone());
                }
                let report = load(40).await;
                assert_eq!(report.status(200), 0, "{workers} workers: {report}");
            }
            // Each request was tried four times, and so again where it had been.
            let attempts = stable.count() + other.count();
            assert_eq!(attempts, 3 * 40 * 4, "{workers} workers");
            // Half of them fail, so that many are retried and all are served in the end.
            stable.set(|_, _| Reply::ok());
            let report = load(40).await;
            assert_eq!(report.status(200), 40, "{workers} workers: {report}");
            assert_eq!((canary.count(), off.count()), (0, 0), "{workers} workers");

            stable.set(|_, _| Reply::status(503));
            for _ in 0..3 {
                ask(&envoy, "GET", "/", &[]).await;
            }
            let breaker = "wasmcustom.steerage_endpoint_breaker;pool=opening;endpoint=stable";
            let is_open = |state| state == 2;
            envoy.wait_for_stat(breaker, is_open).await.unwrap();
            // By then every worker has had a round.
            tokio::time::sleep(Duration::from_millis(300)).await;
            stable.clear();
            let report = Load::new(envoy.addr()).total(40).concurrency(8).run().await;
            assert_eq!(report.status(200), 40, "{workers} workers: {report}");
            assert_eq!((stable.count(), off.count()), (0, 0), "{workers} workers");
            assert!(canary.count() >= 40, "{workers} workers");
            assert_unharmed(&envoy).await;
        }
    });
}
