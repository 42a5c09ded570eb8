//! How long the filter waits between attempts, as the upstreams see it: every strategy, the cap,
//! every jitter, and the failover without a delay.
//!
//! A gap is never shorter than the configured delay: that holds exactly. How much longer it is
//! depends on the machine, so single gaps may be late, but not the median of all.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use steerage_harness::tokio::task::JoinSet;
use steerage_harness::{Envoy, Reply, Upstream, get, run};

use crate::support::{assert_unharmed, median, pool, pool_of_one_worker};

#[test]
fn gaps_between_attempts_follow_the_strategy() {
    // Name, policy, gaps in milliseconds.
    let strategies: [(&str, &str, &[u64]); 8] = [
        (
            "fibonacci",
            r#""strategy": "fibonacci", "base_delay": 0.1, "max_attempts": 4"#,
            &[100, 100, 200],
        ),
        (
            "fixed",
            r#""strategy": "fixed", "base_delay": "60ms", "max_attempts": 4"#,
            &[60, 60, 60],
        ),
        (
            "linear",
            r#""strategy": "linear", "base_delay": 0.05, "max_attempts": 4"#,
            &[50, 100, 150],
        ),
        (
            "exponential",
            r#""strategy": "exponential", "base_delay": 0.02, "exponential_base": 3, "max_attempts": 4"#,
            &[20, 60, 180],
        ),
        (
            "expression",
            r#""strategy": "custom", "custom_retry_function": "min(attempt ^ 1.5, 30.0) / 10", "max_attempts": 4"#,
            &[100, 282, 519],
        ),
        (
            "list",
            r#""strategy": "custom", "custom_retry_function": [0.08, "20ms"], "max_attempts": 4"#,
            &[80, 20, 20],
        ),
        (
            "capped",
            r#""strategy": "exponential", "base_delay": 0.05, "max_delay": 0.08, "max_attempts": 4"#,
            &[50, 80, 80],
        ),
        (
            "none",
            r#""strategy": "fixed", "base_delay": 0, "max_attempts": 4"#,
            &[0, 0, 0],
        ),
    ];
    run(async move {
        let (a, b) = (failing().await, failing().await);
        let policies =
            strategies.map(|(name, policy, _)| (name, format!(r#"{policy}, "jitter": false"#)));
        let envoy =
            pool_of_one_worker(&[("a", a.addr()), ("b", b.addr())], &pools(&policies)).await;
        let mut late = Vec::new();
        for round in 0..5 {
            let paths = strategies.map(|(name, ..)| format!("/{name}/{round}"));
            let seen = gaps_of_all(&envoy, &paths, &[&a, &b]).await;
            for (name, _, expected) in strategies {
                let gaps = &seen[&format!("/{name}/{round}")];
                assert_eq!(gaps.len(), expected.len(), "{name}: {gaps:?}");
                for (gap, expected) in gaps.iter().zip(expected) {
                    let expected = Duration::from_millis(*expected);
                    assert!(*gap >= expected, "{name}: {gaps:?}");
                    late.push(*gap - expected);
                }
            }
        }
        let worst = late.iter().max().unwrap();
        assert!(*worst < Duration::from_millis(750), "{worst:?}");
        assert!(median(late) <= Duration::from_millis(15));
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn jitter_keeps_to_its_range_and_spreads_over_it() {
    // Name, jitter, range of the first gap in milliseconds. The delay is 100 ms.
    let modes: [(&str, &str, [u64; 2]); 5] = [
        ("full", r#""full""#, [0, 100]),
        ("equal", r#""equal""#, [50, 100]),
        ("decorrelated", r#""decorrelated""#, [100, 300]),
        ("range", r#"true, "jitter_range": 0.5"#, [50, 150]),
        (
            "capped",
            r#"true, "jitter_range": 0.5, "max_delay": 0.1"#,
            [50, 100],
        ),
    ];
    run(async move {
        let (a, b) = (failing().await, failing().await);
        let policies = modes.map(|(name, jitter, _)| {
            let policy = r#""strategy": "fixed", "base_delay": 0.1, "max_attempts": 2"#;
            (name, format!(r#"{policy}, "jitter": {jitter}"#))
        });
        let envoy = pool(&[("a", a.addr()), ("b", b.addr())], &pools(&policies)).await;
        let mut seen: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
        for round in 0..6 {
            let paths: Vec<_> = (0..4)
                .flat_map(|n| modes.map(|(name, ..)| format!("/{name}/{round}/{n}")))
                .collect();
            for (path, gaps) in gaps_of_all(&envoy, &paths, &[&a, &b]).await {
                let (name, ..) = modes
                    .iter()
                    .find(|(name, ..)| path.starts_with(&format!("/{name}/")))
                    .unwrap();
                seen.entry(name).or_default().extend(gaps);
            }
        }
        for (name, _, [low, high]) in modes {
            let (low, high) = (Duration::from_millis(low), Duration::from_millis(high));
            let gaps = &seen[name];
            assert_eq!(gaps.len(), 24);
            let shortest = *gaps.iter().min().unwrap();
            let longest = *gaps.iter().max().unwrap();
            assert!(shortest >= low, "{name}: {shortest:?}");
            assert!(
                longest < high + Duration::from_millis(750),
                "{name}: {longest:?}"
            );
            assert!(
                median(gaps.clone()) <= high + Duration::from_millis(15),
                "{name}: {gaps:?}"
            );
            // All 24 draws fall into the last tenth with a negligible probability, except in the
            // capped mode, where more than half of them do: there it is one in a million.
            assert!(shortest < high - (high - low) / 10, "{name}: {gaps:?}");
        }
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn a_refused_connection_is_followed_at_once_by_an_untried_endpoint() {
    run(async {
        let well = Upstream::named("well").await.unwrap();
        let sick = failing().await;
        let refusing = Upstream::refusing().unwrap();
        let base = Duration::from_millis(1_500);
        let policy = r#""retry_policy": {"strategy": "fixed", "base_delay": 1.5, "jitter": false"#;
        let envoy = pool(
            &[
                ("well", well.addr()),
                ("sick", sick.addr()),
                ("refusing", refusing.addr()),
                ("refusing_too", refusing.addr()),
            ],
            &format!(
                r#"{{"pools": [
                    {{"name": "untried", "match": {{"path": "/untried"}}, {policy}}},
                      "endpoints": ["refusing", {{"cluster": "refusing_too", "priority": 1}}, {{"cluster": "well", "priority": 2}}]}},
                    {{"name": "retry", "match": {{"path": "/retry"}}, {policy}}},
                      "endpoints": ["sick", {{"cluster": "refusing", "priority": 1}}, {{"cluster": "well", "priority": 2}}]}},
                    {{"name": "tried", "match": {{"path": "/tried"}}, {policy}, "max_attempts": 2}},
                      "endpoints": ["refusing"]}},
                    {{"name": "off", "match": {{"path": "/off"}}, {policy}, "immediate_failover": false}},
                      "endpoints": ["refusing", {{"cluster": "well", "priority": 1}}]}}
                ]}}"#
            ),
        )
        .await;
        // The request, its status, the number of delays waited.
        let cases = [
            ("/untried", 200, 0),
            ("/retry", 200, 1),
            ("/tried", 503, 1),
            ("/off", 200, 1),
        ];
        let mut requests = JoinSet::new();
        for (path, status, delays) in cases {
            let addr = envoy.addr();
            requests.spawn(async move {
                let answer = get(addr, path).await.unwrap();
                assert_eq!(answer.status, status, "{path}: {answer:?}");
                assert!(
                    answer.elapsed >= base * delays,
                    "{path}: {:?}",
                    answer.elapsed
                );
                assert!(
                    answer.elapsed < base * delays + base / 2,
                    "{path}: {:?}",
                    answer.elapsed
                );
            });
        }
        requests.join_all().await;
        assert_unharmed(&envoy).await;
    });
}

/// An upstream that fails every request.
async fn failing() -> Upstream {
    Upstream::start(|_, _| Reply::status(503)).await.unwrap()
}

/// A configuration with a pool of a and b for each of these names and retry policies; a pool takes
/// the paths under its name.
fn pools<const N: usize>(policies: &[(&str, String); N]) -> String {
    let pools = policies.each_ref().map(|(name, policy)| {
        format!(
            r#"{{"name": "{name}", "match": {{"prefix": "/{name}/"}}, "endpoints": ["a", "b"],
                "retry_policy": {{{policy}}}}}"#
        )
    });
    format!(r#"{{"pools": [{}]}}"#, pools.join(","))
}

/// Requests all these paths at once and returns, for each, the times between the arrivals of its
/// attempts at the upstreams.
async fn gaps_of_all(
    envoy: &Envoy,
    paths: &[String],
    upstreams: &[&Upstream],
) -> BTreeMap<String, Vec<Duration>> {
    async fn ask(addr: SocketAddr, path: String) {
        assert_eq!(get(addr, &path).await.unwrap().status, 503);
    }
    for upstream in upstreams {
        upstream.clear();
    }
    let requests: JoinSet<()> = paths
        .iter()
        .map(|path| ask(envoy.addr(), path.clone()))
        .collect();
    requests.join_all().await;
    let mut arrivals: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for received in upstreams.iter().flat_map(|upstream| upstream.received()) {
        arrivals.entry(received.path).or_default().push(received.at);
    }
    arrivals
        .into_iter()
        .map(|(path, mut at)| {
            at.sort_unstable();
            (path, at.windows(2).map(|pair| pair[1] - pair[0]).collect())
        })
        .collect()
}
