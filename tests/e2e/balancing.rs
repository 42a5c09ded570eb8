//! `least_response_time` under a steady load, with the defaults of everything else.

use std::time::Duration;

use steerage_harness::serde_json::{self, Value};
use steerage_harness::tokio::join;
use steerage_harness::{Envoy, Load, Reply, Upstream, run};

use crate::support::{ask, assert_unharmed};

const REQUESTS: usize = 3_000;

/// Both pools have the same load at the same time, so that other work of this machine affects both.
#[test]
fn traffic_is_in_proportion_to_speed_and_faster_than_in_turn() {
    run(async {
        let upstream = async |milliseconds| {
            let delay = Duration::from_millis(milliseconds);
            let reply = move |_: &_, _| Reply::ok().delay(delay);
            Upstream::start(reply).await.unwrap()
        };
        let upstreams = [upstream(10).await, upstream(20).await, upstream(40).await];
        let envoy = Envoy::builder()
            .cluster("a", upstreams[0].addr())
            .cluster("b", upstreams[1].addr())
            .cluster("c", upstreams[2].addr())
            .config(
                r#"{"admin": {"path": "/steerage"}, "pools": [
                    {"name": "speed", "match": {"path": "/speed"}, "endpoints": ["a", "b", "c"],
                     "load_balancer": {"strategy": "least_response_time"}},
                    {"name": "turns", "endpoints": ["a", "b", "c"]}
                ]}"#,
            )
            .concurrency(2)
            .start()
            .await
            .unwrap();
        let load = |path: &str, requests: usize, rate: f64| {
            let load = Load::new(envoy.addr()).path(path).total(requests);
            load.concurrency(64).rate(rate).run()
        };
        let (speed, turns) = join!(
            load("/speed", REQUESTS, 300.0),
            load("/turns", REQUESTS / 3, 100.0)
        );
        assert_eq!(speed.failed() + turns.failed(), 0, "{speed}; {turns}");
        let (drawn, taken) = (speed.percentile(50.0), turns.percentile(50.0));
        assert!(drawn < taken, "{speed}; in turn: {turns}");

        // By their speeds on this machine: the less other work, the closer to 4 : 2 : 1.
        let speeds = speeds(&envoy).await;
        let counts = upstreams.each_ref().map(|upstream| {
            let received = upstream.received();
            received.iter().filter(|one| one.path == "/speed").count()
        });
        for (count, speed) in counts.iter().zip(speeds) {
            let share = speed / speeds.iter().sum::<f64>();
            let expected = share * REQUESTS as f64;
            let noise = 4.0 * (expected * (1.0 - share)).sqrt();
            let off = (*count as f64 - expected).abs();
            assert!(
                off <= 0.15 * expected + noise,
                "{counts:?} with {speeds:?}: {share}"
            );
        }
        assert!(
            counts[0] as f64 > 1.3 * counts[1] as f64 && counts[1] as f64 > 1.3 * counts[2] as f64,
            "{counts:?}"
        );
        assert_unharmed(&envoy).await;
    });
}

/// How many consecutive answers each endpoint of the pool `speed` can give in a second.
async fn speeds(envoy: &Envoy) -> [f64; 3] {
    let answer = ask(envoy, "GET", "/steerage/endpoints", &[]).await;
    let endpoints: Vec<Value> = serde_json::from_str(&answer.text()).unwrap();
    let mut of_pool = endpoints.iter().filter(|one| one["pool"] == "speed");
    [(); 3].map(|()| {
        let endpoint = of_pool.next().unwrap();
        1.0 / endpoint["average_response_time"].as_f64().unwrap()
    })
}
