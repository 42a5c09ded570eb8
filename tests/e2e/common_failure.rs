//! When everything fails at once, a pool comes back as soon as its endpoints do: what the filter has
//! concluded from the failures keeps nobody waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use steerage_harness::tokio::join;
use steerage_harness::{Envoy, EnvoyBuilder, Load, LoadReport, Reply, Upstream, run};

use crate::support::assert_unharmed;

/// Three servers that fail all at once, while they are told to.
struct Trio {
    upstreams: [Upstream; 3],
    failing: Arc<AtomicBool>,
}

impl Trio {
    async fn start(failure: fn() -> Reply) -> Self {
        let failing = Arc::new(AtomicBool::new(false));
        let one = async || {
            let failing = Arc::clone(&failing);
            let reply = move |_: &_, _| match failing.load(Ordering::Relaxed) {
                true => failure(),
                false => Reply::ok(),
            };
            Upstream::start(reply).await.unwrap()
        };
        let upstreams = [one().await, one().await, one().await];
        Self { upstreams, failing }
    }

    /// As clusters of these names.
    fn before(&self, builder: EnvoyBuilder, names: [&str; 3]) -> EnvoyBuilder {
        let named = names.into_iter().zip(&self.upstreams);
        named.fold(builder, |builder, (name, it)| {
            builder.cluster(name, it.addr())
        })
    }
}

#[test]
fn a_second_after_which_all_are_well_again_is_over_within_two() {
    run(async {
        let (one, two, four) = join!(
            common_failure_with(1),
            common_failure_with(2),
            common_failure_with(4)
        );
        for (workers, envoy) in [(1, one), (2, two), (4, four)] {
            // The default breakers did what they are there for.
            let opened = envoy
                .stats("steerage_breaker_transitions_total.*to=open")
                .await
                .unwrap();
            for pool in ["status", "reset", "refused"] {
                let of_pool = opened.iter().filter(|(name, _)| name.contains(pool));
                let count: u64 = of_pool.map(|(_, count)| count).sum();
                assert!(count >= 3, "{pool} with {workers} workers: {opened:?}");
            }
            assert_unharmed(&envoy).await;
        }
    });
}

/// Three pools, of which all fail for a second: one answers 503, one resets, one is down.
async fn common_failure_with(workers: u32) -> Envoy {
    let ailing = Trio::start(|| Reply::status(503)).await;
    let resetting = Trio::start(Reply::reset).await;
    let refusing = Trio::start(|| Reply::status(503)).await;
    let builder = Envoy::builder().concurrency(workers).config(
        r#"{"pools": [
            {"name": "status", "match": {"path": "/status"}, "endpoints": ["a", "b", "c"]},
            {"name": "reset", "match": {"path": "/reset"}, "endpoints": ["d", "e", "f"]},
            {"name": "refused", "match": {"path": "/refused"}, "endpoints": ["g", "h", "i"]}
        ]}"#,
    );
    let builder = ailing.before(builder, ["a", "b", "c"]);
    let builder = resetting.before(builder, ["d", "e", "f"]);
    let builder = refusing.before(builder, ["g", "h", "i"]);
    let envoy = builder.start().await.unwrap();
    let all = async |seconds: u64| {
        let load = |path| {
            let load = Load::new(envoy.addr()).path(path).concurrency(16);
            load.rate(20.0).during(Duration::from_secs(seconds)).run()
        };
        let (one, two, three) = join!(load("/status"), load("/reset"), load("/refused"));
        [one, two, three]
    };
    assert_served(&all(1).await, workers);

    for trio in [&ailing, &resetting] {
        trio.failing.store(true, Ordering::Relaxed);
    }
    for upstream in &refusing.upstreams {
        upstream.stop().await.unwrap();
    }
    for report in all(1).await {
        let failed = report.failed();
        assert!(failed >= 15, "{workers} workers, all fail: {report}");
    }
    for trio in [&ailing, &resetting] {
        trio.failing.store(false, Ordering::Relaxed);
    }
    for upstream in &refusing.upstreams {
        upstream.restart().await.unwrap();
    }
    // Two seconds in which some may still fail.
    all(2).await;
    assert_served(&all(3).await, workers);
    envoy
}

fn assert_served(reports: &[LoadReport], workers: u32) {
    for report in reports {
        assert_eq!(report.failed(), 0, "{workers} workers: {report}");
        assert_eq!(report.status(200), report.total(), "{workers}: {report}");
    }
}
