//! Which endpoints get the traffic when a part of the pool is bad:
//! - a tier takes over as much as the one before has lost;
//! - with too little available, availability is ignored;
//! - an endpoint that comes back regains its share gradually;
//! - never more of a pool is open than is allowed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use steerage_harness::{Client, Envoy, Load, Reply, Upstream, eventually, run, tokio};

use crate::support::{assert_unharmed, envoy_of};

/// An upstream whose checks fail and whose other answers are good.
async fn unhealthy() -> Upstream {
    let answer = |path: &str| Reply::status(if path == "/health" { 500 } else { 200 });
    Upstream::start(move |received, _| answer(&received.path))
        .await
        .unwrap()
}

/// Requests that an upstream got, without its checks.
fn served(upstream: &Upstream) -> usize {
    let received = upstream.received();
    received.iter().filter(|it| it.path != "/health").count()
}

/// Waits until this gauge has this value and every worker has merged its cause: one writes it, the
/// others merge it in their next round.
async fn settled(envoy: &Envoy, gauge: &str, endpoint: &str, value: u64) {
    let name = format!("wasmcustom.{gauge};pool=default;endpoint={endpoint}");
    let there = async || {
        let now = envoy.stat(&name).await.unwrap();
        (now == Some(value)).then_some(())
    };
    eventually(&name, Duration::from_secs(10), there)
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
}

#[test]
fn a_tier_takes_over_what_the_one_before_has_lost() {
    run(async {
        let well = Upstream::named("well").await.unwrap();
        let ill = unhealthy().await;
        let spare = Upstream::named("spare").await.unwrap();
        let clusters = [
            ("well", well.addr()),
            ("ill", ill.addr()),
            ("spare", spare.addr()),
        ];
        let config = r#"{
            "endpoints": ["well", "ill", {"cluster": "spare", "priority": 1}],
            "health_check": {"interval": 0.2}
        }"#;
        let envoy = envoy_of(&clusters, config).start().await.unwrap();
        settled(&envoy, "steerage_endpoint_health", "ill", 1).await;
        settled(&envoy, "steerage_endpoint_health", "spare", 3).await;
        for upstream in [&well, &ill, &spare] {
            upstream.clear();
        }
        let report = Load::new(envoy.addr())
            .total(2_000)
            .concurrency(8)
            .run()
            .await;
        assert_eq!(report.status(200), 2_000, "{report:?}");
        assert_eq!(served(&ill), 0);
        // 0.5 × 1.4 of them stay, give or take five standard deviations of that.
        assert!(
            (1_300..=1_500).contains(&served(&well)),
            "{}",
            served(&well)
        );
        assert_eq!(served(&well) + served(&spare), 2_000);
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn with_too_little_available_availability_is_ignored() {
    run(async {
        let ill = [unhealthy().await, unhealthy().await];
        let clusters = [("a", ill[0].addr()), ("b", ill[1].addr())];
        for (threshold, status) in [("0.5", 200), ("0", 200), ("false", 503)] {
            let config = format!(
                r#"{{
                    "endpoints": ["a", "b"],
                    "load_balancer": {{"panic_threshold": {threshold}}},
                    "health_check": {{"interval": 0.2}}
                }}"#
            );
            let envoy = envoy_of(&clusters, &config).start().await.unwrap();
            for endpoint in ["a", "b"] {
                settled(&envoy, "steerage_endpoint_health", endpoint, 1).await;
            }
            let report = Load::new(envoy.addr()).total(40).concurrency(4).run().await;
            assert_eq!(report.status(status), 40, "{threshold}: {report:?}");
            assert_unharmed(&envoy).await;
        }
    });
}

#[test]
fn an_endpoint_that_comes_back_regains_its_share_gradually() {
    run(async {
        let steady = Upstream::named("steady").await.unwrap();
        let is_first = AtomicBool::new(true);
        let back = Upstream::start(move |_, _| {
            let first = Reply::status(503).header("retry-after-ms", "500");
            let is_first = is_first.swap(false, Ordering::Relaxed);
            if is_first { first } else { Reply::ok() }
        });
        let back = back.await.unwrap();
        let clusters = [("steady", steady.addr()), ("back", back.addr())];
        let config = r#"{
            "endpoints": ["steady", "back"],
            "load_balancer": {"strategy": "random", "slow_start": 600}
        }"#;
        let envoy = envoy_of(&clusters, config).start().await.unwrap();
        let client = Client::new();
        let received = async || {
            client.get(envoy.addr(), "/").await.unwrap();
            (back.count() > 0).then_some(())
        };
        eventually("a `Retry-After`", Duration::from_secs(10), received)
            .await
            .unwrap();
        let again = async || {
            client.get(envoy.addr(), "/").await.unwrap();
            (back.count() > 1).then_some(())
        };
        eventually("the end of the cool-down", Duration::from_secs(20), again)
            .await
            .unwrap();
        steady.clear();
        back.clear();
        let report = Load::new(envoy.addr())
            .total(1_000)
            .concurrency(4)
            .run()
            .await;
        assert_eq!(report.status(200), 1_000, "{report:?}");
        // Half of a tenth at first; of ten minutes not much will have passed.
        assert!((15..=120).contains(&back.count()), "{}", back.count());
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn never_more_of_a_pool_is_open_than_is_allowed() {
    run(async {
        let bad = [
            Upstream::start(|_, _| Reply::status(503)).await.unwrap(),
            Upstream::start(|_, _| Reply::status(503)).await.unwrap(),
            Upstream::start(|_, _| Reply::status(503)).await.unwrap(),
        ];
        let names = ["a", "b", "c"];
        let clusters = [0, 1, 2].map(|n| (names[n], bad[n].addr()));
        let config = r#"{
            "endpoints": ["a", "b", "c"],
            "circuit_breaker": {"failure_threshold": 3, "timeout": 600, "max_timeout": 600, "max_open_fraction": 0.67}
        }"#;
        let envoy = envoy_of(&clusters, config)
            .concurrency(4)
            .start()
            .await
            .unwrap();
        Load::new(envoy.addr())
            .total(200)
            .concurrency(8)
            .run()
            .await;
        let open = async || {
            let stats = envoy.stats("steerage_endpoint_breaker").await.unwrap();
            let open = stats.values().filter(|&&state| state == 2).count();
            (open == 2).then_some(())
        };
        eventually("two open breakers", Duration::from_secs(10), open)
            .await
            .unwrap();
        // The one that is left gets everything.
        for upstream in &bad {
            upstream.clear();
        }
        let report = Load::new(envoy.addr()).total(50).concurrency(4).run().await;
        assert_eq!(report.status(503), 50);
        let received = bad.iter().filter(|upstream| upstream.count() > 0).count();
        assert_eq!(received, 1);
        let transitions = envoy
            .stats("steerage_breaker_transitions_total.*to=open")
            .await
            .unwrap();
        assert_eq!(transitions.values().sum::<u64>(), 2, "{transitions:?}");
        assert_unharmed(&envoy).await;
    });
}
