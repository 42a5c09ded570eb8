//! A new configuration takes over and no request notices: none fails, and requests under way, their
//! delays and retries included, end under the old configuration.

use std::time::{Duration, Instant};

use steerage_harness::tokio;
use steerage_harness::{ConfigUpdate, Envoy, Load, Reply, Upstream, eventually, get, run};

use crate::support::{assert_unharmed, envoy_of};

#[test]
fn updates_every_100_ms_fail_no_request() {
    run(async {
        for (workers, time) in [(1, 1), (2, 3), (4, 1)] {
            let time = Duration::from_secs(time);
            // Every other request is retried, so that updates fall into delays and retries, too.
            let sick = Upstream::start(|_, number| match number % 2 {
                0 => Reply::status(503),
                _ => Reply::ok(),
            })
            .await
            .unwrap();
            let slow = Upstream::start(|_, _| Reply::ok().delay(Duration::from_millis(50)))
                .await
                .unwrap();
            let envoy = envoy_of(&[("sick", sick.addr()), ("slow", slow.addr())], &version(0))
                .concurrency(workers)
                .by_ecds()
                .start()
                .await
                .unwrap();
            let load = Load::new(envoy.addr())
                .during(time)
                .concurrency(8)
                .rate(200.0)
                .run();
            let (report, updates) = tokio::join!(load, update_for(&envoy, time));
            assert_eq!(report.status(200), report.total(), "{report}");
            assert!(report.total() > 100, "{report}");
            let retried = slow.count();
            assert!(retried > report.total() / 4, "{retried} retries, {report}");
            assert!(updates > 3, "{updates} updates");
            assert_unharmed(&envoy).await;
        }
    });
}

/// Updates the configuration every 100 ms, or as often as Envoy can, and counts the updates.
async fn update_for(envoy: &Envoy, time: Duration) -> usize {
    let start = Instant::now();
    let mut clock = tokio::time::interval(Duration::from_millis(100));
    let mut updates = 0;
    while start.elapsed() < time {
        clock.tick().await;
        updates += 1;
        let verdict = envoy.update_filter_config(version(updates)).await.unwrap();
        assert_eq!(verdict, ConfigUpdate::Accepted);
    }
    updates
}

/// A configuration that differs from version to version, and always has the same effect.
fn version(number: usize) -> String {
    format!(
        r#"{{"name": "version-{number}",
             "endpoints": ["sick", {{"cluster": "slow", "priority": 1}}],
             "retry_policy": {{"strategy": "fixed", "base_delay": 0.05, "jitter": "none"}}}}"#
    )
}

#[test]
fn updates_of_a_busy_pool_exceed_no_limit_and_count_nothing_twice() {
    run(async {
        for workers in [1, 2, 4] {
            let time = Duration::from_secs(6);
            let slow = Upstream::start(|_, _| Reply::ok().delay(Duration::from_millis(300)));
            let slow = slow.await.unwrap();
            let envoy = envoy_of(&[("a", slow.addr())], &limited("0.1"))
                .concurrency(workers)
                .by_ecds()
                .start()
                .await
                .unwrap();
            let load = Load::new(envoy.addr()).during(time).concurrency(12).run();
            let updates = async {
                let mut clock = tokio::time::interval(Duration::from_millis(333));
                for interval in ["10", "0.01", "1", "0.1"].into_iter().cycle().take(17) {
                    clock.tick().await;
                    let verdict = envoy.update_filter_config(limited(interval)).await;
                    assert_eq!(verdict.unwrap(), ConfigUpdate::Accepted);
                }
            };
            let (report, ()) = tokio::join!(load, updates);
            assert_eq!(report.status(200), report.total(), "{workers}: {report}");
            assert!(report.total() > 100, "{report}");
            // The last one has a round of 0.01 s.
            let verdict = envoy.update_filter_config(limited("0.01")).await;
            assert_eq!(verdict.unwrap(), ConfigUpdate::Accepted);
            let active = "wasmcustom.steerage_endpoint_active.*";
            let idle = async || {
                let active = envoy.stats(active).await.ok()?;
                (active.len() == 1 && active.values().all(|&it| it == 0)).then_some(())
            };
            eventually("nothing is under way", Duration::from_secs(5), idle)
                .await
                .unwrap();
            // Each worker tells its counts in a round of its own.
            for name in ["steerage_selections_total", "steerage_attempts_total"] {
                let told = async || {
                    let counts = envoy.stats(&format!("wasmcustom.{name}.*")).await.ok()?;
                    (counts.values().sum::<u64>() == slow.count() as u64).then_some(())
                };
                let what = format!("{name} of {} with {workers}", slow.count());
                eventually(&what, Duration::from_secs(5), told)
                    .await
                    .unwrap();
            }
            assert_unharmed(&envoy).await;
        }
    });
}

#[test]
fn checks_that_are_taken_back_leave_no_verdict_and_shorter_times_hold_at_once() {
    run(async {
        let well = Upstream::start(|request, _| match &*request.path {
            "/wrong" => Reply::status(500),
            "/fail" => Reply::status(503).header("retry-after", "200"),
            _ => Reply::ok(),
        });
        let well = well.await.unwrap();
        let pool = |fields: &str| {
            format!(
                r#"{{"endpoints": ["a"], "load_balancer": {{"panic_threshold": false}}, {fields}}}"#
            )
        };
        let wrong = r#""health_check": {"path": "/wrong", "interval": "24h"}"#;
        let envoy = envoy_of(&[("a", well.addr())], &pool(wrong)).by_ecds();
        let envoy = envoy.start().await.unwrap();
        let becomes = async |status: u16, path: &'static str| {
            eventually("another answer", Duration::from_secs(10), async || {
                let answer = get(envoy.addr(), path).await.ok()?;
                (answer.status == status).then_some(())
            })
            .await
            .unwrap();
        };
        becomes(503, "/").await;
        // Each takes back what has excluded the endpoint before.
        for (fields, then) in [
            (r#""enable_health_checks": false"#, 200),
            (wrong, 503),
            (
                r#""health_check": {"path": "/right", "interval": "24h"}"#,
                200,
            ),
        ] {
            let verdict = envoy.update_filter_config(pool(fields)).await;
            assert_eq!(verdict.unwrap(), ConfigUpdate::Accepted);
            becomes(then, "/").await;
        }
        // A cool-down is tried after a second, which a busy machine may take to ask again.
        eventually("a cool-down", Duration::from_secs(10), async || {
            get(envoy.addr(), "/fail").await.ok()?;
            let answer = get(envoy.addr(), "/").await.ok()?;
            (answer.status == 503).then_some(())
        })
        .await
        .unwrap();
        let quiet = r#""retry_policy": {"respect_retry_after": false}"#;
        let verdict = envoy.update_filter_config(pool(quiet)).await;
        assert_eq!(verdict.unwrap(), ConfigUpdate::Accepted);
        becomes(200, "/").await;
        assert_unharmed(&envoy).await;
    });
}

/// A pool of one endpoint that takes 20 attempts at a time.
fn limited(sync_interval: &str) -> String {
    format!(
        r#"{{"endpoints": ["a"], "connection_pool": {{"max_connections": 20}},
             "sync_interval": {sync_interval}}}"#
    )
}

#[test]
fn a_delay_and_a_retry_under_way_end_under_the_old_configuration() {
    run(async {
        for workers in [1, 4] {
            // The delay of a client of the old configuration, and the answer to another's retry,
            // take until long after the new one has taken over.
            let sick = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
            let well = Upstream::start(|request, _| match &*request.path {
                "/slow" => Reply::ok().body("well").delay(Duration::from_secs(2)),
                _ => Reply::ok().body("well"),
            })
            .await
            .unwrap();
            let new = Upstream::named("new").await.unwrap();
            let clusters = [
                ("sick", sick.addr()),
                ("well", well.addr()),
                ("new", new.addr()),
            ];
            let pool = |path: &str, delay: &str| {
                format!(
                    r#"{{"name": "{path}", "match": {{"path": "/{path}"}},
                         "endpoints": ["sick", {{"cluster": "well", "priority": 1}}],
                         "retry_policy": {{"strategy": "fixed", "base_delay": {delay}, "jitter": "none"}}}}"#
                )
            };
            let old = format!(
                r#"{{"pools": [{}, {}]}}"#,
                pool("delayed", "2"),
                pool("slow", "0.001")
            );
            let envoy = envoy_of(&clusters, &old)
                .concurrency(workers)
                .by_ecds()
                .start()
                .await
                .unwrap();
            let addr = envoy.addr();
            let delayed = tokio::spawn(async move { get(addr, "/delayed").await });
            let slow = tokio::spawn(async move { get(addr, "/slow").await });
            envoy
                .wait_for_stat("cluster.sick.upstream_rq_503", |n| n == 2)
                .await
                .unwrap();
            let retried = async || (well.count() == 1).then_some(());
            eventually("the retry of /slow", Duration::from_secs(10), retried)
                .await
                .unwrap();

            let verdict = envoy
                .update_filter_config(r#"{"endpoints": ["new"]}"#)
                .await;
            assert_eq!(verdict.unwrap(), ConfigUpdate::Accepted);
            eventually("new takes over", Duration::from_secs(10), async || {
                let answer = get(addr, "/").await.ok()?;
                (answer.text() == "new").then_some(())
            })
            .await
            .unwrap();

            for request in [delayed, slow] {
                let answer = request.await.unwrap().unwrap();
                assert_eq!((answer.status.as_u16(), &*answer.text()), (200, "well"));
            }
            assert_eq!((sick.count(), well.count()), (2, 2));
            assert_unharmed(&envoy).await;
        }
    });
}
