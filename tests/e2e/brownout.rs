//! A brown-out: one of three endpoints takes 20 times as long, and fails three requests of ten.
//! With the defaults of everything but the strategy, clients notice nothing of it after the first
//! two seconds.

use std::time::Duration;

use steerage_harness::tokio::join;
use steerage_harness::{Envoy, Load, Reply, Upstream, run};

use crate::support::assert_unharmed;

const HEALTHY: Duration = Duration::from_millis(20);
const SICK: Duration = Duration::from_millis(400);

async fn three() -> [Upstream; 3] {
    let healthy = async || {
        let reply = |_: &_, _| Reply::ok().delay(HEALTHY);
        Upstream::start(reply).await.unwrap()
    };
    [healthy().await, healthy().await, healthy().await]
}

async fn envoy_before(upstreams: &[Upstream; 3], load_balancer: &str) -> Envoy {
    let config = format!(r#"{{"endpoints": ["a", "b", "c"], "load_balancer": {load_balancer}}}"#);
    Envoy::builder()
        .cluster("a", upstreams[0].addr())
        .cluster("b", upstreams[1].addr())
        .cluster("c", upstreams[2].addr())
        .config(config)
        .concurrency(2)
        .start()
        .await
        .unwrap()
}

fn load(envoy: &Envoy, seconds: u64) -> Load {
    Load::new(envoy.addr())
        .during(Duration::from_secs(seconds))
        .concurrency(64)
        .rate(150.0)
}

#[test]
fn after_2_s_clients_see_neither_slowness_nor_failures() {
    run(async {
        let upstreams = three().await;
        let envoy = envoy_before(&upstreams, r#"{"strategy": "least_response_time"}"#).await;
        let healthy = three().await;
        let control = envoy_before(&healthy, r#"{"strategy": "least_response_time"}"#).await;
        let before = load(&envoy, 3).run().await;
        assert_eq!(before.failed(), 0, "{before}");
        let share = upstreams[0].count() as f64 / before.total() as f64;
        assert!((0.2..0.47).contains(&share), "{share}");
        upstreams[0].set(|_, n| {
            let reply = if n % 10 < 3 {
                Reply::status(503)
            } else {
                Reply::ok()
            };
            reply.delay(SICK)
        });
        let first = load(&envoy, 2).run().await;
        // A busy machine has its own slow answers, so the healthy pool at the same time is the
        // measure.
        let (then, healthy) = join!(load(&envoy, 8).run(), load(&control, 8).run());
        assert!(then.success_rate() >= 0.999, "{then}");
        let bound = 2 * healthy.percentile(99.0).max(2 * HEALTHY);
        assert!(
            then.percentile(99.0) <= bound,
            "{then}; first: {first}; with healthy endpoints: {healthy}"
        );
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn after_the_brown_out_the_endpoint_soon_gets_its_traffic_back() {
    run(async {
        let upstreams = three().await;
        let envoy = envoy_before(
            &upstreams,
            r#"{"strategy": "least_response_time", "decay": "2s"}"#,
        )
        .await;
        load(&envoy, 1).run().await;
        upstreams[0].set(|_, _| Reply::ok().delay(SICK));
        load(&envoy, 3).run().await;
        upstreams[0].clear();
        let left_out = load(&envoy, 2).run().await;
        let share = upstreams[0].count() as f64 / left_out.total() as f64;
        assert!(share < 0.03, "{share}");
        upstreams[0].set(|_, _| Reply::ok().delay(HEALTHY));
        // It is explored after two time constants at the latest, when its slow answers are
        // forgotten by then.
        load(&envoy, 12).run().await;
        upstreams[0].clear();
        let again = load(&envoy, 3).run().await;
        let share = upstreams[0].count() as f64 / again.total() as f64;
        assert!((0.2..0.47).contains(&share), "{share}");
        assert_unharmed(&envoy).await;
    });
}
