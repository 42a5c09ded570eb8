//! Circuit breakers, one state for all workers:
//! - a failing endpoint is left alone by all of them, but for a bounded number of requests;
//! - after its time there is one trial at a time over all workers, and repeated failures double it;
//! - after recovery its share returns; with nothing available the answer is 503 at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use steerage_harness::tokio::time::sleep;
use steerage_harness::{Load, Received, Reply, Upstream, get, run};

use crate::support::{assert_unharmed, envoy_of};

const WORKERS: u32 = 4;

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Groups of requests that came with less than `gap` between one and the next.
fn bursts(received: &[Received], gap: Duration) -> Vec<Vec<Instant>> {
    let mut bursts: Vec<Vec<Instant>> = Vec::new();
    for request in received {
        match bursts.last_mut() {
            Some(burst) if request.at - burst[burst.len() - 1] < gap => burst.push(request.at),
            _ => bursts.push(vec![request.at]),
        }
    }
    bursts
}

#[test]
fn a_failing_endpoint_is_left_alone_by_all_workers_and_tried_once_at_a_time() {
    run(async {
        let sick = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
        let well = Upstream::named("well").await.unwrap();
        let envoy = envoy_of(
            &[("sick", sick.addr()), ("well", well.addr())],
            r#"{"endpoints": ["sick", "well"], "retry_policy": {"base_delay": 0.001},
                "circuit_breaker": {"failure_threshold": 5, "timeout": 1, "max_timeout": 2}}"#,
        )
        .concurrency(WORKERS)
        .start()
        .await
        .unwrap();
        let report = Load::new(envoy.addr())
            .during(Duration::from_secs(7))
            .concurrency(16)
            .rate(400.0)
            .run()
            .await;
        assert_eq!(report.failed(), 0, "{report}");

        let bursts = bursts(&sick.received(), millis(400));
        // Five failures open it. Each of the other workers may have had one under way, or send one
        // before it merges the opening; the clients have at most 16 requests under way at a time.
        assert!(bursts[0].len() <= 5 + 4 + 16, "{}", bursts[0].len());
        // Open for 1 s, then for 2 s, which is the most, each ended by one trial that fails.
        let begun: Vec<Duration> = bursts
            .windows(2)
            .map(|pair| pair[1][0] - pair[0][0])
            .collect();
        assert!(bursts.len() >= 4, "{begun:?}");
        for (number, burst) in bursts.iter().enumerate().skip(1) {
            assert_eq!(burst.len(), 1, "trial {number} of {}", bursts.len());
        }
        for (pause, open) in begun.iter().zip([1_000, 2_000, 2_000]) {
            assert!(*pause >= millis(open), "{begun:?}");
            assert!(*pause < millis(open + 700), "{begun:?}");
        }
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn a_trial_that_takes_long_is_the_only_one() {
    run(async {
        let at_once = Arc::new(AtomicUsize::new(0));
        let sick = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
        let well = Upstream::named("well").await.unwrap();
        let envoy = envoy_of(
            &[("sick", sick.addr()), ("well", well.addr())],
            r#"{"endpoints": ["sick", "well"], "retry_policy": {"base_delay": 0.001},
                "circuit_breaker": {"failure_threshold": 1, "timeout": 0.5}}"#,
        )
        .concurrency(WORKERS)
        .start()
        .await
        .unwrap();
        let load = |time| {
            Load::new(envoy.addr())
                .during(time)
                .concurrency(16)
                .rate(300.0)
                .run()
        };
        load(millis(400)).await;
        let opened = sick.count();
        assert!(opened > 0);
        sick.set({
            let at_once = Arc::clone(&at_once);
            move |_, _| {
                at_once.fetch_add(1, Ordering::SeqCst);
                Reply::ok().delay(millis(1_500))
            }
        });
        // The trial begins after half a second and takes longer than this load.
        let report = load(millis(900)).await;
        assert_eq!(report.failed(), 0, "{report}");
        assert_eq!(at_once.load(Ordering::SeqCst), 1);

        // It has succeeded: the endpoint's share is back within two seconds.
        sick.set(|_, _| Reply::ok());
        load(Duration::from_secs(2)).await;
        sick.clear();
        well.clear();
        load(Duration::from_secs(1)).await;
        let (back, rest) = (sick.count(), well.count());
        assert!(
            back * 10 > rest * 7 && rest * 10 > back * 7,
            "{back} and {rest}"
        );
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn with_nothing_available_the_answer_comes_at_once_and_traffic_returns_by_itself() {
    run(async {
        let only = Upstream::start(|_, _| Reply::status(500)).await.unwrap();
        let envoy = envoy_of(
            &[("only", only.addr())],
            r#"{"endpoints": ["only"], "retry_policy": {"max_attempts": 1},
                "load_balancer": {"panic_threshold": false},
                "circuit_breaker": {"failure_threshold": 2, "timeout": 1}}"#,
        )
        .concurrency(2)
        .start()
        .await
        .unwrap();
        let ask = async || get(envoy.addr(), "/").await.unwrap();
        for _ in 0..2 {
            assert_eq!(ask().await.status, 500);
        }
        // Others merge it within one interval.
        sleep(millis(250)).await;
        let refused = ask().await;
        assert_eq!(refused.status, 503);
        let reason = refused.header("x-steerage-reason");
        assert_eq!(reason.as_deref(), Some("no_endpoint_available"));
        assert!(refused.elapsed < millis(500), "{:?}", refused.elapsed);
        assert_eq!(only.count(), 2);
        only.set(|_, _| Reply::ok());
        sleep(millis(1_000)).await;
        assert_eq!(ask().await.status, 200);
        assert_eq!(ask().await.status, 200);
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn too_many_failures_in_a_window_and_slow_calls_open_it_too() {
    run(async {
        // Every second answer fails, so failures are never consecutive.
        let flaky = Upstream::start(|_, n| Reply::status(if n % 2 == 0 { 200 } else { 500 }))
            .await
            .unwrap();
        let slow = Upstream::start(|_, _| Reply::ok().delay(millis(60)))
            .await
            .unwrap();
        let well = Upstream::named("well").await.unwrap();
        let policy = |endpoint: &str| {
            format!(
                r#"{{"endpoints": ["{endpoint}", {{"cluster": "well", "priority": 1}}],
                    "circuit_breaker": {{"minimum_requests": 10, "timeout": 60,
                        "slow_call_duration": 0.03, "slow_call_rate": 0.9}}}}"#
            )
        };
        let clusters = [
            ("flaky", flaky.addr()),
            ("slow", slow.addr()),
            ("well", well.addr()),
        ];
        let envoy = envoy_of(
            &clusters,
            &policy("flaky").replacen('{', r#"{"name": "flaky", "#, 1),
        )
        .concurrency(1)
        .listener(
            "slow",
            policy("slow").replacen('{', r#"{"name": "slow", "#, 1),
        )
        .start()
        .await
        .unwrap();
        for _ in 0..20 {
            get(envoy.addr(), "/").await.unwrap();
            get(envoy.addr_of("slow").unwrap(), "/").await.unwrap();
        }
        assert_eq!((flaky.count(), slow.count()), (10, 10));
        assert_unharmed(&envoy).await;
    });
}
