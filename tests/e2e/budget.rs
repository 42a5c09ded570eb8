//! A pool's retry budget, over all workers: when everything fails, upstreams see few more attempts
//! than there are requests.

use std::time::Duration;

use steerage_harness::tokio::time::sleep;
use steerage_harness::{Load, Reply, Upstream, run};

use crate::support::{assert_unharmed, envoy_of};

const RATE: f64 = 100.0;

/// How many attempts upstreams see for each request while all of them fail, under this budget; and
/// how many retries it denied.
async fn attempts_per_request(budget: &str) -> (f64, u64) {
    let a = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
    let b = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
    let config = format!(
        r#"{{"endpoints": ["a", "b"],
             "retry_policy": {{"max_attempts": 4, "base_delay": 0.001, "budget": {budget}}}}}"#
    );
    let envoy = envoy_of(&[("a", a.addr()), ("b", b.addr())], &config)
        .concurrency(4)
        .start()
        .await
        .unwrap();
    let report = Load::new(envoy.addr())
        .during(Duration::from_secs(6))
        .concurrency(16)
        .rate(RATE)
        .run()
        .await;
    let requests = report.total();
    assert_eq!(report.status(503), requests, "{report}");
    assert!(requests > 300, "{report}");
    let attempts = a.count() + b.count();
    let denied = "wasmcustom.steerage_retries_denied_total;pool=default;reason=budget";
    // The next round publishes it.
    sleep(Duration::from_millis(500)).await;
    let denied = envoy.stat(denied).await.unwrap().unwrap_or_default();
    assert_unharmed(&envoy).await;
    (attempts as f64 / requests as f64, denied)
}

#[test]
fn upstreams_that_all_fail_see_few_more_attempts_than_requests() {
    run(async {
        let (attempts, denied) =
            attempts_per_request(r#"{"ratio": 0.2, "min_per_second": 0}"#).await;
        assert!((1.1..=1.25).contains(&attempts), "{attempts}");
        assert!(denied > 100, "{denied}");
    });
}

#[test]
fn without_a_budget_they_see_all_attempts() {
    run(async {
        let (attempts, denied) = attempts_per_request("false").await;
        assert!(attempts > 3.9, "{attempts}");
        assert_eq!(denied, 0);
    });
}
