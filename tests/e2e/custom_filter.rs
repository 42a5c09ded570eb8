//! `examples/custom-filter`, a filter with extensions in Rust, in a real Envoy: the pool `models`
//! has its backoff, its balancer and its interceptors, and no other pool has them.

use std::time::Duration;

use steerage_harness::tokio::spawn;
use steerage_harness::{
    Answer, Envoy, Received, Reply, Upstream, eventually, get, repository, run,
};

use crate::support::{ask, assert_unharmed, bodies, envoy_of};

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

#[test]
fn the_interceptors_of_the_example_see_first_attempts_and_retries() {
    run(async {
        let own = Upstream::named("own").await.unwrap();
        let rented = Upstream::named("rented").await.unwrap();
        let envoy = custom(&own, &rented).await;
        let cookie = [("cookie", "id=7")];
        let received_by = |upstream: &Upstream| {
            let request = upstream.received().remove(0);
            let header = |name| Received::header(&request, name);
            (header("cookie"), header("x-bill"))
        };
        let client = Some("id=7".to_owned());

        // A first attempt that the interceptor does not change.
        let answer = ask(&envoy, "GET", "/", &cookie).await;
        assert_eq!(received_by(&own), (client.clone(), None));
        assert_timed(&answer, "own", Duration::ZERO);

        // A retry, which waits for 40 ms; its answer took as long as the upstream did.
        own.set(|_, _| Reply::status(503));
        let slow = Duration::from_millis(30);
        rented.set(move |_, _| Reply::ok().header("server-timing", "db;dur=5").delay(slow));
        let answer = ask(&envoy, "GET", "/", &cookie).await;
        assert_eq!(received_by(&rented), (None, Some("models/2".to_owned())));
        let values: Vec<_> = answer.headers.get_all("server-timing").iter().collect();
        assert_eq!(values[0], "db;dur=5", "it is added to what was there");
        assert_timed(&answer, "rented", slow);

        // A first attempt that it changes.
        own.set(|_, _| Reply::hang());
        own.clear();
        rented.clear();
        let held = [(); 2].map(|()| {
            let addr = envoy.addr();
            spawn(async move { get(addr, "/").await })
        });
        eventually("own is full", Duration::from_secs(10), async || {
            (own.count() == 2).then_some(())
        })
        .await
        .unwrap();
        let answer = ask(&envoy, "GET", "/", &cookie).await;
        assert_eq!(received_by(&rented), (None, Some("models/1".to_owned())));
        assert_timed(&answer, "rented", slow);
        for request in held {
            request.abort();
        }

        // Another pool.
        own.set(|_, _| Reply::ok());
        own.clear();
        rented.clear();
        for _ in 0..2 {
            let answer = ask(&envoy, "GET", "/others", &cookie).await;
            assert_eq!(answer.status, 200);
        }
        assert_eq!(
            [&own, &rented].map(received_by),
            [(); 2].map(|()| (client.clone(), None))
        );
        assert_unharmed(&envoy).await;
    });
}

/// Asserts that the last `server-timing` of a good answer names this endpoint, and a time of at
/// least `least`.
#[track_caller]
fn assert_timed(answer: &Answer, endpoint: &str, least: Duration) {
    assert_eq!(answer.status, 200);
    let timings = answer.headers.get_all("server-timing");
    let timing = timings.iter().next_back().unwrap().to_str().unwrap();
    let (name, milliseconds) = timing.split_once(";dur=").unwrap();
    assert_eq!(name, endpoint);
    assert!(
        milliseconds.parse::<u128>().unwrap() >= least.as_millis(),
        "{timing}"
    );
}
