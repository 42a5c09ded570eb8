//! How first attempts spread over the endpoints of a pool, by strategy: the order of those that
//! take turns, the shares of those that draw, and the preference of those that measure.
//!
//! Random shares are bounded by six standard deviations, which one run in 500 million exceeds.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use steerage_harness::tokio::io::{AsyncReadExt, AsyncWriteExt};
use steerage_harness::tokio::net::TcpSocket;
use steerage_harness::{Load, Reply, Upstream, run};

use crate::support::{ask, assert_unharmed, bodies, envoy_of, pool, pool_of_one_worker, tally};

#[test]
fn round_robin_takes_turns_in_the_order_of_the_configuration() {
    run(async {
        let [e1, e2, e3] = named(["e1", "e2", "e3"]).await;
        let clusters = [("e1", e1.addr()), ("e2", e2.addr()), ("e3", e3.addr())];
        let json = r#"{"endpoints": ["e1", "e2", "e3"]}"#;
        let envoy = pool_of_one_worker(&clusters, json).await;
        // From wherever it begins.
        let turns = ["e1", "e2", "e3"].repeat(5);
        let seen = bodies(&envoy, 12).await;
        assert!(turns.windows(12).any(|window| window == seen), "{seen:?}");

        // Every worker takes turns by itself, so the counts of all of them differ by at most one
        // for each worker.
        for workers in [2, 4] {
            let envoy = envoy_of(&clusters, json)
                .concurrency(workers)
                .start()
                .await
                .unwrap();
            for upstream in [&e1, &e2, &e3] {
                upstream.clear();
            }
            let report = Load::new(envoy.addr())
                .total(300)
                .concurrency(16)
                .run()
                .await;
            assert_eq!(report.status(200), 300, "{report}");
            let counts = [&e1, &e2, &e3].map(Upstream::count);
            let spread = counts.iter().max().unwrap() - counts.iter().min().unwrap();
            assert!(spread <= workers as usize, "{counts:?}");
            assert_unharmed(&envoy).await;
        }
    });
}

#[test]
fn weighted_round_robin_is_smooth() {
    run(async {
        let [a, b, c] = named(["a", "b", "c"]).await;
        let clusters = [("a", a.addr()), ("b", b.addr()), ("c", c.addr())];
        let pools = r#"{"pools": [
            {"name": "five", "match": {"headers": {"x-weights": "5,1,1"}},
             "endpoints": [{"cluster": "a", "weight": 5}, "b", "c"],
             "load_balancer": {"strategy": "weighted_round_robin"}},
            {"name": "fractions",
             "endpoints": [{"cluster": "a", "weight": 0.5}, {"cluster": "b", "weight": 0.25}, {"cluster": "c", "weight": 0.25}],
             "load_balancer": {"strategy": "weighted_round_robin"}}
        ]}"#;
        let envoy = pool_of_one_worker(&clusters, pools).await;
        let mut order = String::new();
        for _ in 0..21 {
            order += &ask(&envoy, "GET", "/", &[("x-weights", "5,1,1")])
                .await
                .text();
        }
        assert!("aabacaa".repeat(4).contains(&order), "{order}");
        assert_eq!(
            tally(bodies(&envoy, 40).await),
            counts([("a", 20), ("b", 10), ("c", 10)])
        );
    });
}

#[test]
fn random_strategies_draw_evenly_and_by_weight() {
    run(async {
        let [a, b, c] = named(["a", "b", "c"]).await;
        let envoy = pool(
            &[("a", a.addr()), ("b", b.addr()), ("c", c.addr())],
            r#"{"pools": [
                {"name": "even", "match": {"path": "/even"}, "endpoints": ["a", "b", "c"],
                 "load_balancer": {"strategy": "random"}},
                {"name": "weighted", "match": {"path": "/weighted"},
                 "endpoints": [{"cluster": "a", "weight": 1}, {"cluster": "b", "weight": 3}, {"cluster": "c", "weight": 6}],
                 "load_balancer": {"strategy": "weighted_random"}}
            ]}"#,
        )
        .await;
        let upstreams = [&a, &b, &c];
        check_shares(
            envoy.addr(),
            "/even",
            upstreams,
            [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0],
        )
        .await;
        check_shares(envoy.addr(), "/weighted", upstreams, [0.1, 0.3, 0.6]).await;
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn least_connections_gives_a_slow_endpoint_less() {
    run(async {
        let quick = Upstream::start(|_, _| Reply::ok().delay(Duration::from_millis(5)))
            .await
            .unwrap();
        let slow = Upstream::start(|_, _| Reply::ok().delay(Duration::from_millis(100)))
            .await
            .unwrap();
        let json = r#"{"endpoints": ["quick", "slow"], "load_balancer": {"strategy": "least_connections"}}"#;
        for workers in [1, 2] {
            quick.clear();
            slow.clear();
            let envoy = envoy_of(&[("quick", quick.addr()), ("slow", slow.addr())], json)
                .concurrency(workers)
                .start()
                .await
                .unwrap();
            let report = Load::new(envoy.addr())
                .total(400)
                .concurrency(16)
                .run()
                .await;
            assert_eq!(report.status(200), 400, "{report}");
            // Taking turns would give each half.
            assert!(
                slow.count() * 4 < quick.count(),
                "{} / {}",
                slow.count(),
                quick.count()
            );
        }

        // One request at a time finds both idle: a tie, in turn.
        slow.set(|_, _| Reply::ok());
        quick.set(|_, _| Reply::ok());
        let envoy =
            pool_of_one_worker(&[("quick", quick.addr()), ("slow", slow.addr())], json).await;
        quick.clear();
        bodies(&envoy, 400).await;
        assert!(quick.count().abs_diff(200) <= 60, "{}", quick.count());
    });
}

#[test]
fn least_response_time_prefers_the_fast_and_is_not_fooled_by_fast_failures() {
    run(async {
        let fast = Upstream::start(|_, _| Reply::ok().delay(Duration::from_millis(4)))
            .await
            .unwrap();
        let slow = Upstream::start(|_, _| Reply::ok().delay(Duration::from_millis(60)))
            .await
            .unwrap();
        let broken = Upstream::start(|_, _| Reply::status(500)).await.unwrap();
        let envoy = pool(
            &[
                ("fast", fast.addr()),
                ("slow", slow.addr()),
                ("broken", broken.addr()),
            ],
            r#"{"pools": [
                {"name": "speed", "match": {"path": "/speed"}, "endpoints": ["slow", "fast"],
                 "load_balancer": {"strategy": "least_response_time"}},
                {"name": "broken", "match": {"path": "/broken"}, "endpoints": ["broken", "slow"],
                 "load_balancer": {"strategy": "least_response_time"}, "retry_policy": {"max_attempts": 1}}
            ]}"#,
        )
        .await;
        let report = Load::new(envoy.addr())
            .path("/speed")
            .total(400)
            .concurrency(8)
            .run()
            .await;
        assert_eq!(report.status(200), 400, "{report}");
        assert!(
            fast.count() > 3 * slow.count(),
            "{} / {}",
            fast.count(),
            slow.count()
        );
        assert!(
            slow.count() >= 1,
            "an endpoint without history is tried once"
        );

        let report = Load::new(envoy.addr())
            .path("/broken")
            .total(300)
            .concurrency(8)
            .run()
            .await;
        assert_eq!(report.total(), 300, "{report}");
        // The broken one answers at once, so a strategy by speed alone would send it most.
        assert!(report.status(500) * 10 <= 300, "{report}");
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn health_based_weighs_success_and_speed() {
    run(async {
        let fast = Upstream::start(|_, _| Reply::ok().delay(Duration::from_millis(5)))
            .await
            .unwrap();
        let slow = Upstream::start(|_, _| Reply::ok().delay(Duration::from_millis(50)))
            .await
            .unwrap();
        let broken = Upstream::start(|_, _| Reply::status(500)).await.unwrap();
        let envoy = pool(
            &[("fast", fast.addr()), ("slow", slow.addr()), ("broken", broken.addr())],
            r#"{"endpoints": ["fast", "slow", "broken"], "load_balancer": {"strategy": "health_based"},
                "retry_policy": {"max_attempts": 1}}"#,
        )
        .await;
        let report = Load::new(envoy.addr())
            .total(600)
            .concurrency(8)
            .run()
            .await;
        assert_eq!(report.total(), 600, "{report}");
        let seen = [&fast, &slow, &broken].map(Upstream::count);
        // Ten times slower is worth a tenth; half of that advantage may be lost in noise.
        assert!(seen[0] > 2 * seen[1], "{seen:?}");
        assert!(seen[1] >= 1, "{seen:?}");
        assert!(seen[2] * 10 <= 600, "{seen:?}");
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn consistent_hash_keeps_a_key_at_its_endpoint_and_a_loss_moves_only_its_own() {
    run(async {
        let [a, b, c] = named(["a", "b", "c"]).await;
        let by = |name: &str, hash_on: &str| {
            format!(
                r#"{{"name": "{name}", "match": {{"prefix": "/{name}"}}, "endpoints": ["a", "b", "c"],
                    "load_balancer": {{"strategy": "consistent_hash", "hash_on": {hash_on}}}}}"#
            )
        };
        let json = format!(
            r#"{{"pools": [{}, {}, {}, {}, {}]}}"#,
            by("header", r#"{"header": "x-user"}"#),
            by("cookie", r#"{"cookie": "user"}"#),
            by("query", r#"{"query": "user"}"#),
            by("path", r#""path""#),
            by("source", r#""source_ip""#),
        );
        let envoy = pool(&[("a", a.addr()), ("b", b.addr()), ("c", c.addr())], &json).await;
        // The endpoint for each key of each kind, over a new connection and so by any worker.
        let answers = async || {
            let mut answers = BTreeMap::new();
            for key in 0..24 {
                let key = format!("key-{key}");
                let cookie = format!("first=1; user={key}; last=2");
                for (kind, path, header) in [
                    ("header", "/header/x".to_owned(), ("x-user", &*key)),
                    ("cookie", "/cookie/x".to_owned(), ("cookie", &*cookie)),
                    (
                        "query",
                        format!("/query/x?first=1&user={key}&last=2"),
                        ("x-user", "other"),
                    ),
                    (
                        "path",
                        format!("/path/{key}?changes=nothing"),
                        ("x-user", "other"),
                    ),
                ] {
                    let answer = ask(&envoy, "GET", &path, &[header]).await;
                    assert_eq!(answer.status, 200, "{answer:?}");
                    answers.insert((kind, key.clone()), answer.text());
                }
            }
            for last in 1..25 {
                let answer = get_from(last, envoy.addr(), "/source/x").await;
                answers.insert(("source", last.to_string()), answer);
            }
            answers
        };
        let before = answers().await;
        assert_eq!(answers().await, before, "a key stays where it is");
        for kind in ["header", "cookie", "query", "path", "source"] {
            let of_kind = before.iter().filter(|((other, _), _)| *other == kind);
            let used = tally(of_kind.map(|(_, name)| name.clone()));
            assert_eq!(used.len(), 3, "keys of {kind} spread over all: {used:?}");
        }
        let by_header: Vec<_> = (0..24)
            .map(|key| &before[&("header", format!("key-{key}"))])
            .collect();
        let by_query: Vec<_> = (0..24)
            .map(|key| &before[&("query", format!("key-{key}"))])
            .collect();
        assert_eq!(by_header, by_query, "the key decides, in every place");

        b.stop().await.unwrap();
        let after = answers().await;
        for (key, name) in &before {
            if name == "b" {
                assert_ne!(after[key], "b");
            } else {
                assert_eq!(&after[key], name, "{key:?} had nothing to do with b");
            }
        }
        b.restart().await.unwrap();
        assert_eq!(answers().await, before, "keys return to their endpoint");
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn consistent_hash_spreads_requests_without_the_key() {
    run(async {
        let [a, b] = named(["a", "b"]).await;
        let envoy = pool_of_one_worker(
            &[("a", a.addr()), ("b", b.addr())],
            r#"{"endpoints": ["a", "b"], "load_balancer": {"strategy": "consistent_hash", "hash_on": {"header": "x-user"}}}"#,
        )
        .await;
        bodies(&envoy, 200).await;
        assert!(
            a.count().abs_diff(100) <= 43,
            "{} / {}",
            a.count(),
            b.count()
        );
    });
}

/// Upstreams that answer with their names.
async fn named<const N: usize>(names: [&'static str; N]) -> [Upstream; N] {
    let mut upstreams = Vec::new();
    for name in names {
        upstreams.push(Upstream::named(name).await.unwrap());
    }
    upstreams.try_into().unwrap()
}

fn counts<const N: usize>(expected: [(&str, usize); N]) -> BTreeMap<String, usize> {
    expected
        .map(|(name, count)| (name.to_owned(), count))
        .into()
}

/// Sends 3,000 requests for `path` and compares each upstream's share of them.
async fn check_shares(envoy: SocketAddr, path: &str, upstreams: [&Upstream; 3], shares: [f64; 3]) {
    for upstream in upstreams {
        upstream.clear();
    }
    let report = Load::new(envoy)
        .path(path)
        .total(3_000)
        .concurrency(8)
        .run()
        .await;
    assert_eq!(report.status(200), 3_000, "{report}");
    for (upstream, share) in upstreams.into_iter().zip(shares) {
        let seen = f64::from(u32::try_from(upstream.count()).unwrap());
        let deviation = (3_000.0 * share * (1.0 - share)).sqrt();
        assert!(
            (seen - 3_000.0 * share).abs() <= 6.0 * deviation,
            "{path}: {seen} instead of {}",
            3_000.0 * share
        );
    }
}

/// GET from 127.0.0.`last`; every such address is this machine. Returns the answer's body.
async fn get_from(last: u8, addr: SocketAddr, path: &str) -> String {
    let socket = TcpSocket::new_v4().unwrap();
    socket
        .bind(SocketAddr::from(([127, 0, 0, last], 0)))
        .unwrap();
    let mut stream = socket.connect(addr).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.rsplit_once("\r\n\r\n").unwrap().1.to_owned()
}
