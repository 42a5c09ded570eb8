//! Which part of the traffic, and of the attempts under way, each endpoint gets, with any number of
//! workers that know of each other a little late.

use std::time::{Duration, Instant};

use steerage_harness::{Client, Envoy, Load, Received, Reply, Upstream, run, tokio};

use crate::support::{assert_unharmed, envoy_of};

const WORKERS: [u32; 3] = [1, 2, 4];

async fn taking(milliseconds: u64) -> Upstream {
    let delay = Duration::from_millis(milliseconds);
    let reply = move |_: &_, _| Reply::ok().delay(delay);
    Upstream::start(reply).await.unwrap()
}

/// Mean difference of what two clusters have under way, as Envoy counts it, looked at every 25 ms
/// for so long.
async fn mean_gap(envoy: &Envoy, clusters: [&str; 2], time: Duration) -> f64 {
    let mut clock = tokio::time::interval(Duration::from_millis(25));
    let (start, mut looks, mut sum) = (Instant::now(), 0.0, 0.0);
    while start.elapsed() < time {
        clock.tick().await;
        let active = envoy
            .stats("^cluster\\..*\\.upstream_rq_active$")
            .await
            .unwrap();
        let [one, other] =
            clusters.map(|name| active[&format!("cluster.{name}.upstream_rq_active")]);
        sum += one.abs_diff(other) as f64;
        looks += 1.0;
    }
    assert!(looks >= 10.0, "{looks}");
    sum / looks
}

#[test]
fn least_connections_keeps_fast_and_slow_endpoints_level_whatever_the_number_of_workers() {
    run(async {
        for workers in WORKERS {
            let (fast, slow) = (taking(30).await, taking(300).await);
            let clusters = [("fast", fast.addr()), ("slow", slow.addr())];
            let config = r#"{"endpoints": ["fast", "slow"],
                "load_balancer": {"strategy": "least_connections"}}"#;
            let envoy = envoy_of(&clusters, config).concurrency(workers);
            let envoy = envoy.start().await.unwrap();
            // How many clients a worker has is the kernel's choice, so there are several loads.
            let mut gaps = Vec::new();
            for _ in 0..workers {
                let load = Load::new(envoy.addr()).concurrency(24);
                let load = load.during(Duration::from_millis(1_800)).run();
                let gap = async {
                    // The workers learn of each other.
                    tokio::time::sleep(Duration::from_millis(600)).await;
                    mean_gap(&envoy, ["fast", "slow"], Duration::from_millis(1_100)).await
                };
                let (report, gap) = tokio::join!(load, gap);
                assert_eq!(report.status(200), report.total(), "{report}");
                gaps.push(gap);
            }
            let mean = gaps.iter().sum::<f64>() / f64::from(workers);
            assert!(mean <= 4.0, "{workers} workers: {gaps:?}");
            assert_unharmed(&envoy).await;
        }
    });
}

#[test]
fn weights_are_kept_by_few_clients_and_by_many() {
    const CLIENTS: [usize; 4] = [1, 2, 4, 32];
    const REQUESTS: usize = 300;
    let cases = ["least_connections", "weighted_round_robin"]
        .map(|strategy| CLIENTS.map(|clients| (strategy, clients)))
        .concat();
    // A pool for each number of clients: state of its own, and all at the same time.
    let pools = cases.iter().map(|(strategy, clients)| {
        format!(
            r#"{{"name": "{strategy}-{clients}", "match": {{"path": "/{strategy}/{clients}"}},
                "load_balancer": {{"strategy": "{strategy}"}},
                "endpoints": [{{"cluster": "most", "weight": 80}},
                              {{"cluster": "rest", "weight": 20}}]}}"#
        )
    });
    let pools: Vec<_> = pools.collect();
    let config = format!(r#"{{"pools": [{}]}}"#, pools.join(","));
    run(async move {
        for workers in WORKERS {
            let (most, rest) = (taking(5).await, taking(5).await);
            let clusters = [("most", most.addr()), ("rest", rest.addr())];
            let envoy = envoy_of(&clusters, &config).concurrency(workers);
            let envoy = envoy.start().await.unwrap();
            let mut loads = tokio::task::JoinSet::new();
            for (strategy, clients) in &cases {
                let load = Load::new(envoy.addr()).path(&format!("/{strategy}/{clients}"));
                loads.spawn(load.concurrency(*clients).total(REQUESTS).run());
            }
            for report in loads.join_all().await {
                assert_eq!(report.status(200), REQUESTS, "{report}");
            }
            let received = most.received();
            for (strategy, clients) in &cases {
                let path = format!("/{strategy}/{clients}");
                let count = received.iter().filter(|one| one.path == path).count();
                let share = count as f64 / REQUESTS as f64;
                assert!(
                    (share - 0.8).abs() <= 0.05,
                    "{path} clients, {workers} workers: {share}"
                );
            }
            assert_unharmed(&envoy).await;
        }
    });
}

#[test]
fn retries_do_not_bring_first_attempts_back_to_a_bad_endpoint() {
    run(async {
        for workers in WORKERS {
            let bad = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
            let good = Upstream::named("good").await.unwrap();
            let strategies = ["round_robin", "weighted_round_robin"];
            let pools = strategies.map(|strategy| {
                format!(
                    r#"{{"name": "{strategy}", "match": {{"path": "/{strategy}"}},
                        "load_balancer": {{"strategy": "{strategy}"}},
                        "retry_policy": {{"base_delay": 0.001}},
                        "endpoints": ["bad", "good"]}}"#
                )
            });
            let clusters = [("bad", bad.addr()), ("good", good.addr())];
            let config = format!(r#"{{"pools": [{}]}}"#, pools.join(","));
            let envoy = envoy_of(&clusters, &config).concurrency(workers);
            let envoy = envoy.start().await.unwrap();
            for strategy in strategies {
                let load = Load::new(envoy.addr()).path(&format!("/{strategy}"));
                let report = load.total(200).concurrency(5).run().await;
                assert_eq!(report.status(200), 200, "{report}");
                let first = |received: &Received| {
                    let number = received.header("x-envoy-attempt-count");
                    number.as_deref() == Some("1")
                };
                let count = |upstream: &Upstream| {
                    let all = upstream.received();
                    all.iter().filter(|it| first(it)).count()
                };
                let firsts = [count(&bad), count(&good)];
                assert_eq!(firsts.iter().sum::<usize>(), 200, "{firsts:?}");
                // Half of them, but for a turn of each worker.
                assert!(
                    (90..=110).contains(&firsts[0]),
                    "{strategy}, {workers} workers: {firsts:?}"
                );
                bad.clear();
                good.clear();
            }
            assert_unharmed(&envoy).await;
        }
    });
}

#[test]
fn turns_go_on_over_reloads_so_that_a_small_weight_gets_its_share() {
    const RELOADS: usize = 15;
    const BETWEEN: usize = 8;
    let version = |number: usize| {
        format!(
            r#"{{"endpoints": [{{"cluster": "stable", "weight": 95}}, {{"cluster": "canary", "weight": 5}}],
                "load_balancer": {{"strategy": "weighted_round_robin"}}, "sync_interval": {}}}"#,
            0.1 + number as f64 / 1_000.0
        )
    };
    run(async {
        for workers in WORKERS {
            let stable = Upstream::named("stable").await.unwrap();
            let canary = Upstream::named("canary").await.unwrap();
            let clusters = [("stable", stable.addr()), ("canary", canary.addr())];
            let envoy = envoy_of(&clusters, &version(0))
                .concurrency(workers)
                .by_ecds()
                .start()
                .await
                .unwrap();
            for reload in 1..=RELOADS {
                // One after the other on one connection, and so at one worker.
                let client = Client::new();
                for _ in 0..BETWEEN {
                    let answer = client.get(envoy.addr(), "/").await.unwrap();
                    assert_eq!(answer.status, 200);
                }
                envoy.update_filter_config(version(reload)).await.unwrap();
            }
            // One of twenty is 6 of 120. A worker may be one before or behind its turn.
            let most = 6 + usize::try_from(workers).unwrap();
            let seen = canary.count();
            assert!((3..=most).contains(&seen), "{workers} workers: {seen}");
            assert_unharmed(&envoy).await;
        }
    });
}
