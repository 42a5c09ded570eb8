//! Every way to fail, as the first attempt and as the second: the third answers. What may not be
//! repeated is not, and a cool-down is kept by all workers.

use std::time::Duration;

use steerage_harness::tokio::task::JoinSet;
use steerage_harness::tokio::time::sleep;
use steerage_harness::{Cluster, Reply, Upstream, get, run};

use super::stage::{Http1, Http2, assert_all_by_router, envoy, envoy_of};
use crate::support::{ask, assert_unharmed};

/// Failures, each the name of two clusters: with a 1 and with a 2.
const FAILURES: [&str; 7] = [
    "503", "429", "reset", "silent", "refused", "empty", "unknown",
];

#[test]
fn each_failure_of_the_first_two_attempts_is_followed_by_a_good_answer() {
    run(async {
        for protocol in [Http1, Http2] {
            let sick =
                Upstream::start(
                    |received, _| match received.header("x-failure").as_deref() {
                        Some("reset") => Reply::reset(),
                        Some("silent") => Reply::hang(),
                        Some("429") => Reply::status(429),
                        _ => Reply::status(503),
                    },
                );
            let sick = sick.await.unwrap();
            let refusing = Upstream::refusing().unwrap();
            let well = Upstream::named("well").await.unwrap();
            let mut pools = Vec::new();
            let mut builder = envoy_of(protocol, &[("well", well.addr())], "{}");
            for failure in FAILURES {
                for place in [1, 2] {
                    let cluster = Cluster::new(format!("{failure}-{place}"));
                    builder = match failure {
                        "unknown" => builder,
                        "empty" => builder.cluster_with(cluster),
                        "refused" => builder.cluster_with(cluster.host(refusing.addr())),
                        _ => builder.cluster_with(match protocol {
                            Http1 => cluster.host(sick.addr()),
                            Http2 => cluster.host(sick.addr()).http2(),
                        }),
                    };
                }
                for second in FAILURES {
                    pools.push(format!(
                        r#"{{"name": "{failure}-{second}", "match": {{"path": "/{failure}-{second}"}},
                            "endpoints": ["{failure}-1", {{"cluster": "{second}-2", "priority": 1}},
                                {{"cluster": "well", "priority": 2}}],
                            "retry_policy": {{"base_delay": 0.001}},
                            "interceptors": {{"request": [
                                {{"set_header": {{"x-failure": "{failure}"}}, "when": {{"attempt": 1}}}},
                                {{"set_header": {{"x-failure": "{second}"}}, "when": {{"attempt": 2}}}}]}},
                            "timeout": {{"connect": 0.2, "read": 0.3, "total": 5}}}}"#
                    ));
                }
            }
            let config = super::stage::by_router(&format!(r#"{{"pools": [{}]}}"#, pools.join(",")));
            let envoy = builder.config(config).start().await.unwrap();
            let mut requests = JoinSet::new();
            for first in FAILURES {
                for second in FAILURES {
                    let (addr, path) = (envoy.addr(), format!("/{first}-{second}"));
                    requests.spawn(async move { (get(addr, &path).await.unwrap(), path) });
                }
            }
            for (answer, path) in requests.join_all().await {
                assert_eq!(
                    (answer.status.as_u16(), &*answer.text()),
                    (200, "well"),
                    "{path}"
                );
            }
            assert_eq!(well.count(), FAILURES.len() * FAILURES.len());
            assert_unharmed(&envoy).await;
        }
    });
}

#[test]
fn a_post_is_repeated_only_if_nothing_was_sent_or_its_key_allows_it() {
    run(async {
        let sick = Upstream::start(|received, _| match &*received.path {
            "/reset" => Reply::reset(),
            "/silent" => Reply::hang(),
            _ => Reply::status(503),
        });
        let sick = sick.await.unwrap();
        let refusing = Upstream::refusing().unwrap();
        let well = Upstream::named("well").await.unwrap();
        let config = r#"{"pools": [
            {"name": "refused", "match": {"path": "/refused"},
             "endpoints": ["refused", {"cluster": "well", "priority": 1}]},
            {"name": "rest", "endpoints": ["sick", {"cluster": "well", "priority": 1}],
             "retry_policy": {"base_delay": 0.001},
             "timeout": {"connect": 0.1, "read": 0.2, "total": 2}}]}"#;
        let clusters = [
            ("sick", sick.addr()),
            ("refused", refusing.addr()),
            ("well", well.addr()),
        ];
        let envoy = envoy(Http1, &clusters, config).await;
        for (path, status) in [("/503", 503), ("/reset", 503), ("/silent", 504)] {
            let answer = ask(&envoy, "POST", path, &[]).await;
            assert_eq!(answer.status, status, "{path}: {answer:?}");
            assert_eq!(well.count(), 0, "{path}");
        }
        for path in ["/503", "/reset", "/silent", "/refused"] {
            let key: &[_] = if path == "/refused" {
                &[]
            } else {
                &[("idempotency-key", "1")]
            };
            let answer = ask(&envoy, "POST", path, key).await;
            assert_eq!(answer.text(), "well", "{path}: {answer:?}");
        }
        assert_all_by_router(&envoy).await;
    });
}

#[test]
fn a_cool_down_is_kept_by_all_workers() {
    run(async {
        let busy = Upstream::start(|_, _| Reply::status(429).header("retry-after", "30"));
        let busy = busy.await.unwrap();
        let well = Upstream::named("well").await.unwrap();
        let clusters = [("busy", busy.addr()), ("well", well.addr())];
        let envoy = envoy_of(Http1, &clusters, r#"{"endpoints": ["busy", "well"]}"#);
        let envoy = envoy.concurrency(4).start().await.unwrap();
        while busy.count() == 0 {
            assert_eq!(get(envoy.addr(), "/").await.unwrap().text(), "well");
        }
        sleep(Duration::from_millis(500)).await;
        let before = busy.count();
        for _ in 0..40 {
            assert_eq!(get(envoy.addr(), "/").await.unwrap().text(), "well");
        }
        assert_eq!(busy.count(), before);
        assert_all_by_router(&envoy).await;
    });
}
