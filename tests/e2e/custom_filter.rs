//! `examples/custom-filter`, a filter with extensions in Rust, in a real Envoy: its backoff and its
//! balancer are what the pool `models` gets, and what every other pool is spared.

use std::time::Duration;

use steerage_harness::tokio::spawn;
use steerage_harness::{Envoy, Reply, Upstream, eventually, get, repository, run};

use crate::support::{assert_unharmed, bodies, envoy_of};

/// An Envoy of one worker with the example, for these two upstreams.
async fn custom(own: &Upstream, rented: &Upstream) -> Envoy {
    let clusters = [("own", own.addr()), ("rented", rented.addr())];
    envoy_of(
        &clusters,
        r#"{"pools": [
            {"name": "others", "match": {"prefix": "/others"}, "endpoints": ["own", "rented"],
             "retry_policy": {"strategy": "fixed", "base_delay": 0, "max_attempts": 4}},
            {"name": "models", "endpoints": ["own", "rented"],
             "retry_policy": {"jitter": false, "max_attempts": 4}}
        ]}"#,
    )
    .wasm(repository().join("target/custom-filter.wasm"))
    .concurrency(1)
    .start()
    .await
    .unwrap()
}

#[test]
fn retries_wait_as_long_as_the_backoff_of_the_example_says() {
    run(async {
        let own = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
        let rented = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
        let envoy = custom(&own, &rented).await;
        let gaps = async |path: &str| {
            own.clear();
            rented.clear();
            assert_eq!(get(envoy.addr(), path).await.unwrap().status, 503);
            let mut attempts = own.received();
            attempts.extend(rented.received());
            let mut at: Vec<_> = attempts.iter().map(|attempt| attempt.at).collect();
            at.sort_unstable();
            let gaps = at.windows(2).map(|pair| pair[1] - pair[0]);
            gaps.collect::<Vec<_>>()
        };
        // 1, 3 and 6 steps; the configured strategy would wait for 25, 50 and 100 ms.
        let waited = gaps("/").await;
        assert_eq!(waited.len(), 3);
        for (gap, milliseconds) in waited.iter().zip([40, 120, 240]) {
            assert!(*gap >= Duration::from_millis(milliseconds), "{waited:?}");
        }
        // A pool that is not extended does not wait at all.
        let unextended = gaps("/others").await;
        assert_eq!(unextended.len(), 3);
        let total: Duration = unextended.iter().sum();
        assert!(total < waited.iter().sum(), "{unextended:?}");
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn endpoints_are_filled_up_by_the_balancer_of_the_example() {
    run(async {
        let own = Upstream::named("own").await.unwrap();
        let rented = Upstream::named("rented").await.unwrap();
        let envoy = custom(&own, &rented).await;
        // The strategy of the configuration would take turns.
        assert_eq!(bodies(&envoy, 3).await, ["own", "own", "own"]);
        own.clear();
        own.set(|_, _| Reply::hang());
        let held = [(); 2].map(|()| {
            let addr = envoy.addr();
            spawn(async move { get(addr, "/").await })
        });
        eventually("own is full", Duration::from_secs(10), async || {
            (own.count() == 2).then_some(())
        })
        .await
        .unwrap();
        assert_eq!(bodies(&envoy, 3).await, ["rented", "rented", "rented"]);
        own.set(|_, _| Reply::ok().body("own"));
        for request in held {
            request.abort();
        }
        eventually("own has room", Duration::from_secs(10), async || {
            (get(envoy.addr(), "/").await.ok()?.text() == "own").then_some(())
        })
        .await
        .unwrap();
        assert_unharmed(&envoy).await;
    });
}
