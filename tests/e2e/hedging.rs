//! Hedges get the slowest percent of answers from elsewhere, at the cost of a few more attempts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use steerage_harness::{Load, LoadReport, Reply, Upstream, get, request, run};

use crate::support::{assert_unharmed, envoy_of, request_of};

/// A load on two endpoints, of which one takes 2 s for 5 % of its requests, under this
/// `retry_policy`; and the number of attempts.
async fn under(retry_policy: &str) -> (LoadReport, usize) {
    let turns = Arc::new(AtomicUsize::new(0));
    let stalling = Upstream::start(move |_, _| {
        let stalls = turns.fetch_add(1, Ordering::SeqCst) % 20 == 10;
        Reply::ok().delay(Duration::from_millis(if stalls { 2_000 } else { 5 }))
    });
    let stalling = stalling.await.unwrap();
    let well = Upstream::start(|_, _| Reply::ok().delay(Duration::from_millis(5)));
    let well = well.await.unwrap();
    let config =
        format!(r#"{{"endpoints": ["stalling", "well"], "retry_policy": {{{retry_policy}}}}}"#);
    let clusters = [("stalling", stalling.addr()), ("well", well.addr())];
    let envoy = envoy_of(&clusters, &config).concurrency(4).start();
    let envoy = envoy.await.unwrap();
    let report = Load::new(envoy.addr())
        .during(Duration::from_secs(6))
        .concurrency(32)
        .rate(100.0)
        .run()
        .await;
    assert_eq!(report.status(200), report.total(), "{report}");
    assert_unharmed(&envoy).await;
    (report, stalling.count() + well.count())
}

#[test]
fn hedges_answer_the_slowest_percent() {
    run(async {
        let (slow, attempts) = under("").await;
        assert_eq!(attempts, slow.total(), "one attempt each");
        assert!(slow.percentile(99.0) > Duration::from_secs(1), "{slow}");

        let (fast, attempts) = under(r#""hedge": {"delay": 0.1, "ratio": 0.05}"#).await;
        let p99 = fast.percentile(99.0);
        assert!(p99 < Duration::from_millis(400), "{fast}");
        assert!(p99 >= Duration::from_millis(100), "nothing stalled: {fast}");
        let more = attempts as f64 / fast.total() as f64;
        assert!(more <= 1.05, "{more} attempts a request");
    });
}

#[test]
fn the_first_good_answer_wins_and_a_post_is_sent_once() {
    run(async {
        for workers in [1, 2, 4] {
            let slow = Upstream::start(|_, _| Reply::ok().body("slow").delay(SECOND));
            let slow = slow.await.unwrap();
            let well = Upstream::named("well").await.unwrap();
            let config = r#"{"endpoints": ["slow", {"cluster": "well", "priority": 1}],
                "retry_policy": {"hedge": {"delay": 0.2, "ratio": 1}}}"#;
            let clusters = [("slow", slow.addr()), ("well", well.addr())];
            let envoy = envoy_of(&clusters, config).concurrency(workers).start();
            let envoy = envoy.await.unwrap();

            let answer = get(envoy.addr(), "/").await.unwrap();
            assert_eq!(answer.text(), "well");
            assert!(answer.begun >= Duration::from_millis(200), "{answer:?}");
            let numbers = |upstream: &Upstream| -> Vec<_> {
                let received = upstream.received();
                received
                    .iter()
                    .filter_map(|got| got.header("x-envoy-attempt-count"))
                    .collect()
            };
            assert_eq!(numbers(&slow), ["1"]);
            assert_eq!(numbers(&well), ["2"]);

            let put = request_of("PUT", "/", &[], "x".repeat(10_000));
            let answer = request(envoy.addr(), put).await.unwrap();
            assert_eq!(answer.text(), "well");
            assert_eq!(well.received()[1].body_length, 10_000);

            let post = request_of("POST", "/", &[], "x");
            let answer = request(envoy.addr(), post).await.unwrap();
            assert_eq!(answer.text(), "slow");
            assert_eq!(well.count(), 2);

            // Nothing is left of overtaken attempts.
            for stat in [
                "cluster.slow.upstream_rq_active",
                "cluster.well.upstream_rq_active",
            ] {
                envoy.wait_for_stat(stat, |n| n == 0).await.unwrap();
            }
            assert_unharmed(&envoy).await;
        }
    });
}

#[test]
fn a_quick_answer_that_is_none_does_not_beat_the_right_one() {
    run(async {
        for quick in [404, 401, 301] {
            for first_is_right in [true, false] {
                let right = || Reply::ok().body("right").delay(SECOND / 2);
                let (first, hedge) = if first_is_right {
                    let first = Upstream::start(move |_, _| right());
                    (
                        first.await,
                        Upstream::start(move |_, _| Reply::status(quick)).await,
                    )
                } else {
                    // Slow enough to be hedged, and still before the hedge.
                    let first = Upstream::start(move |_, _| Reply::status(quick).delay(SECOND / 4));
                    (first.await, Upstream::start(move |_, _| right()).await)
                };
                let (first, hedge) = (first.unwrap(), hedge.unwrap());
                let config = r#"{"endpoints": ["first", {"cluster": "hedge", "priority": 1}],
                    "retry_policy": {"hedge": {"delay": 0.1, "ratio": 1}}}"#;
                let clusters = [("first", first.addr()), ("hedge", hedge.addr())];
                let envoy = envoy_of(&clusters, config).start().await.unwrap();
                let answer = get(envoy.addr(), "/").await.unwrap();
                assert_eq!(answer.text(), "right", "{quick}: {answer:?}");
                assert_eq!((first.count(), hedge.count()), (1, 1));
                // If all of them say so, it is so, and it is not asked for again.
                first.set(move |_, _| Reply::status(quick).delay(SECOND / 4));
                hedge.set(|_, _| Reply::status(503));
                let answer = get(envoy.addr(), "/").await.unwrap();
                assert_eq!(answer.status.as_u16(), quick, "{answer:?}");
                first.set(|_, _| Reply::status(503).delay(SECOND / 4));
                hedge.set(move |_, _| Reply::status(quick));
                let answer = get(envoy.addr(), "/").await.unwrap();
                assert_eq!(answer.status.as_u16(), quick, "{answer:?}");
                assert_eq!((first.count(), hedge.count()), (3, 3));
                assert_unharmed(&envoy).await;
            }
        }
    });
}

const SECOND: Duration = Duration::from_secs(1);
