//! What workers share, and what happens to it when something breaks:
//! - `least_connections` counts the attempts of all workers;
//! - a VM that traps is replaced and finds the agreement again, its attempts under way are
//!   forgotten, and the other workers go on;
//! - bytes under the filter's keys that are not its records are counted and do no harm;
//! - a changed configuration keeps the state of the endpoints that stay.

use std::time::Duration;

use steerage_harness::tokio::time::sleep;
use steerage_harness::{Client, Envoy, Load, Reply, Upstream, get, repository, run};

use crate::support::{assert_unharmed, envoy_of, request_of, tally};

/// A breaker that stays open once three attempts have failed.
const STAYS_OPEN: &str =
    r#""circuit_breaker": {"failure_threshold": 3, "timeout": 600, "max_timeout": 600}"#;

async fn saboteur(clusters: &[(&str, std::net::SocketAddr)], json: &str) -> Envoy {
    envoy_of(clusters, json)
        .wasm(repository().join("target/steerage-sabotage.wasm"))
        .concurrency(4)
        .start()
        .await
        .unwrap()
}

async fn sabotage(envoy: &Envoy, how: &str) -> u16 {
    let request = request_of("GET", "/", &[("x-sabotage", how)], "");
    let answer = Client::one_shot().request(envoy.addr(), request).await;
    answer.unwrap().status.as_u16()
}

#[test]
fn attempts_under_way_stay_level_over_all_workers() {
    run(async {
        let slow = Upstream::start(|_, _| Reply::ok().delay(Duration::from_millis(200)))
            .await
            .unwrap();
        let fast = |_: &_, _| Reply::ok().delay(Duration::from_millis(20));
        let (b, c) = (
            Upstream::start(fast).await.unwrap(),
            Upstream::start(fast).await.unwrap(),
        );
        let envoy = envoy_of(
            &[("slow", slow.addr()), ("b", b.addr()), ("c", c.addr())],
            r#"{"endpoints": ["slow", "b", "c"],
                "load_balancer": {"strategy": "least_connections"}}"#,
        )
        .concurrency(4)
        .start()
        .await
        .unwrap();
        let load = Load::new(envoy.addr())
            .during(Duration::from_secs(4))
            .concurrency(64)
            .rate(200.0)
            .run();
        let sample = async {
            sleep(Duration::from_secs(1)).await;
            let mut sums = [0.0; 3];
            for _ in 0..SAMPLES {
                for (sum, name) in sums.iter_mut().zip(["slow", "b", "c"]) {
                    let stat = format!("cluster.{name}.upstream_rq_active");
                    let active = envoy.stat(&stat).await.unwrap().unwrap();
                    *sum += f64::from(u32::try_from(active).unwrap());
                }
                sleep(Duration::from_millis(40)).await;
            }
            sums.map(|sum| sum / f64::from(SAMPLES))
        };
        let (report, active) = steerage_harness::tokio::join!(load, sample);
        assert_eq!(report.failed(), 0, "{report}");
        let mean = active.iter().sum::<f64>() / 3.0;
        for each in active {
            // Within two, and one more for a busy machine.
            assert!((each - mean).abs() <= 3.0, "{active:?}");
        }
        assert_unharmed(&envoy).await;
    });
}

const SAMPLES: u32 = 50;

#[test]
fn a_vm_that_traps_comes_back_with_the_agreement_and_the_others_go_on() {
    run(async {
        let sick = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
        let b = Upstream::named("b").await.unwrap();
        let c = Upstream::named("c").await.unwrap();
        let envoy = saboteur(
            &[("sick", sick.addr()), ("b", b.addr()), ("c", c.addr())],
            &format!(
                r#"{{"endpoints": ["sick", "b", "c"], "load_balancer": {{"strategy": "least_connections"}},
                    "retry_policy": {{"base_delay": 0.001}}, {STAYS_OPEN}}}"#
            ),
        )
        .await;
        for _ in 0..60 {
            assert_eq!(get(envoy.addr(), "/").await.unwrap().status, 200);
        }
        sleep(Duration::from_millis(250)).await;
        let opened = sick.count();
        assert_eq!(sabotage(&envoy, "trap").await, 503);
        // The trapped worker answers 503 until its VM is replaced, which its next request begins.
        sleep(Duration::from_secs(2)).await;
        for _ in 0..60 {
            let _may_wait_for_its_vm = get(envoy.addr(), "/").await;
        }
        sleep(Duration::from_secs(4)).await;
        let mut answers = Vec::new();
        for _ in 0..100 {
            let answer = get(envoy.addr(), "/").await.unwrap();
            assert_eq!(answer.status, 200, "{answer:?}");
            answers.push(answer.text());
            // Spread over many rounds: within one round the published counts decide.
            sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(sick.count(), opened, "the breaker is still open");
        // Nothing counts as active any more: an endpoint with an attempt that never ends would get
        // hardly any traffic, for ever.
        let answers = tally(answers);
        assert!((10..=90).contains(&answers["b"]), "{answers:?}");
        let reloads = envoy.stat("wasm.steerage.vm_reload_success").await;
        assert!(reloads.unwrap().unwrap() >= 1);
    });
}

#[test]
fn bytes_that_are_no_records_are_counted_and_do_no_harm() {
    run(async {
        let a = Upstream::named("a").await.unwrap();
        let b = Upstream::named("b").await.unwrap();
        let envoy = saboteur(
            &[("a", a.addr()), ("b", b.addr())],
            r#"{"endpoints": ["a", "b"], "health_check": {"interval": 1}}"#,
        )
        .await;
        for _ in 0..4 {
            assert_eq!(sabotage(&envoy, "scribble").await, 200);
            sleep(Duration::from_millis(250)).await;
            for _ in 0..20 {
                assert_eq!(get(envoy.addr(), "/").await.unwrap().status, 200);
            }
        }
        let counted = envoy.stats("steerage_internal_errors").await.unwrap();
        assert!(counted.values().sum::<u64>() >= 4, "{counted:?}");
        assert!(
            counted
                .iter()
                .all(|(name, count)| *count == 0 || name.contains("kind=unreadable_record"))
        );
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn a_changed_configuration_keeps_what_is_known_of_the_endpoints_that_stay() {
    run(async {
        let sick = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
        let well = Upstream::named("well").await.unwrap();
        let new = Upstream::named("new").await.unwrap();
        let clusters = [
            ("sick", sick.addr()),
            ("well", well.addr()),
            ("new", new.addr()),
        ];
        let config = |endpoints: &str| {
            format!(
                r#"{{"endpoints": [{endpoints}], "retry_policy": {{"base_delay": 0.001}}, {STAYS_OPEN}}}"#
            )
        };
        let envoy = envoy_of(&clusters, &config(r#""sick", "well""#))
            .by_ecds()
            .start()
            .await
            .unwrap();
        let ask_all = async || {
            for _ in 0..40 {
                assert_eq!(get(envoy.addr(), "/").await.unwrap().status, 200);
            }
        };
        ask_all().await;
        sleep(Duration::from_millis(250)).await;
        let opened = sick.count();
        envoy
            .update_filter_config(&config(r#""new", "sick""#))
            .await
            .unwrap();
        // A worker merges the agreement in its first round.
        sleep(Duration::from_millis(250)).await;
        ask_all().await;
        assert_eq!(sick.count(), opened, "its breaker is still open");
        assert_eq!(new.count(), 40);

        // Once no worker has it any more it is forgotten, and comes back as a new one.
        envoy
            .update_filter_config(&config(r#""new""#))
            .await
            .unwrap();
        sleep(Duration::from_secs(6)).await;
        envoy
            .update_filter_config(&config(r#""new", "sick""#))
            .await
            .unwrap();
        sleep(Duration::from_millis(250)).await;
        ask_all().await;
        assert!(sick.count() > opened, "it starts anew");
        assert_unharmed(&envoy).await;
    });
}
