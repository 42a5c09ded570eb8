//! Delays and deadlines hold as with calls, and an attempt that is not to be made reaches nobody.

use std::time::Duration;

use steerage_harness::{Received, Reply, Upstream, get, run};

use super::stage::{Http1, MakeReply, assert_all_by_router, envoy};
use crate::support::{assert_unharmed, median, request_of};

#[test]
fn gaps_between_attempts_are_those_of_fibonacci() {
    run(async {
        let failures: [(&str, MakeReply); 2] =
            [("/status", || Reply::status(503)), ("/reset", Reply::reset)];
        for (path, failure) in failures {
            let a = Upstream::start(move |_, _| failure()).await.unwrap();
            let b = Upstream::start(move |_, _| failure()).await.unwrap();
            let envoy = envoy(
                Http1,
                &[("a", a.addr()), ("b", b.addr())],
                r#"{"endpoints": ["a", "b"], "retry_policy": {"strategy": "fibonacci",
                    "base_delay": 0.05, "jitter": false, "max_attempts": 5}}"#,
            )
            .await;
            let mut late = Vec::new();
            for _ in 0..3 {
                a.clear();
                b.clear();
                assert_eq!(get(envoy.addr(), path).await.unwrap().status, 503);
                let mut at: Vec<_> = [a.received(), b.received()].concat();
                at.sort_by_key(|received| received.at);
                assert_eq!(at.len(), 5, "{path}");
                for (pair, millis) in at.windows(2).zip([50, 50, 100, 150]) {
                    let gap = pair[1].at - pair[0].at;
                    let expected = Duration::from_millis(millis);
                    // An arrival is noticed a little after it happens, the first one, too.
                    assert!(
                        gap + Duration::from_millis(2) >= expected,
                        "{path}: {gap:?}"
                    );
                    late.push(gap.saturating_sub(expected));
                }
            }
            assert!(
                median(late.clone()) <= Duration::from_millis(15),
                "{late:?}"
            );
            assert_all_by_router(&envoy).await;
        }
    });
}

#[test]
fn the_deadline_is_kept_in_an_attempt_and_in_a_delay() {
    run(async {
        let hanging = Upstream::start(|_, _| Reply::hang()).await.unwrap();
        let envoy = envoy(
            Http1,
            &[("a", hanging.addr()), ("b", hanging.addr())],
            r#"{"endpoints": ["a", "b"],
                "retry_policy": {"strategy": "fixed", "base_delay": 0.01, "jitter": false},
                "timeout": {"connect": 0.1, "read": 0.2, "total": 0.3}}"#,
        )
        .await;
        let total = Duration::from_millis(300);
        let mut late = Vec::new();
        for _ in 0..5 {
            let answer = get(envoy.addr(), "/").await.unwrap();
            assert_eq!(answer.status, 504, "{answer:?}");
            let reason = answer.header("x-steerage-reason");
            assert_eq!(reason.as_deref(), Some("deadline_exceeded"), "{answer:?}");
            assert!(
                answer.begun + Duration::from_millis(2) >= total,
                "{answer:?}"
            );
            late.push(answer.begun.saturating_sub(total));
        }
        assert!(
            median(late.clone()) <= Duration::from_millis(20),
            "{late:?}"
        );
        assert_unharmed(&envoy).await;
        assert_eq!(hanging.count(), 10);
    });
}

#[test]
fn an_attempt_that_is_not_to_be_made_reaches_no_upstream() {
    run(async {
        let failure = |received: &Received, _| {
            let reply = if received.path.ends_with("/reset") {
                Reply::reset()
            } else {
                Reply::status(503)
            };
            reply.delay(Duration::from_millis(20))
        };
        let sick = Upstream::start(failure).await.unwrap();
        let other = Upstream::named("other").await.unwrap();
        let policies = [
            ("attempts", r#""max_attempts": 1"#),
            ("budget", r#""budget": {"ratio": 0, "min_per_second": 0}"#),
            ("deadline", r#""base_delay": 9, "jitter": false"#),
            ("condition", r#""retry_when": [{"faster_than": 0.001}]"#),
        ];
        let pools = policies.map(|(by, policy)| {
            format!(
                r#"{{"name": "{by}", "match": {{"prefix": "/{by}/"}},
                    "endpoints": ["sick", {{"cluster": "other", "priority": 1}}],
                    "retry_policy": {{{policy}}},
                    "timeout": {{"connect": 1, "read": 2, "total": 3}}}}"#
            )
        });
        let config = format!(r#"{{"pools": [{}]}}"#, pools.join(","));
        let clusters = [("sick", sick.addr()), ("other", other.addr())];
        let envoy = envoy(Http1, &clusters, &config).await;
        for (by, _) in policies {
            for failure in ["status", "reset"] {
                sick.clear();
                for _ in 0..3 {
                    let path = format!("/{by}/{failure}");
                    let answer = get(envoy.addr(), &path).await.unwrap();
                    assert_eq!(answer.status, 503, "{path}: {answer:?}");
                    assert!(answer.begun < Duration::from_secs(1), "{path}: {answer:?}");
                }
                assert_eq!((sick.count(), other.count()), (3, 0), "{by}, {failure}");
            }
        }
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn a_head_that_is_refused_and_not_to_be_repeated_is_answered() {
    run(async {
        let refusing = Upstream::refusing().unwrap();
        let clusters = [("a", refusing.addr()), ("b", refusing.addr())];
        let config = r#"{"endpoints": ["a", "b"],
            "retry_policy": {"budget": {"ratio": 0, "min_per_second": 0}},
            "timeout": {"connect": 0.1, "read": 0.25, "total": 0.6}}"#;
        let envoy = envoy(Http1, &clusters, config).await;
        for _ in 0..10 {
            let head = request_of("HEAD", "/", &[], "");
            let answer = Http1.client().request(envoy.addr(), head).await.unwrap();
            assert_eq!(answer.status, 503, "{answer:?}");
            assert!(answer.body.is_empty(), "{answer:?}");
        }
        assert_unharmed(&envoy).await;
    });
}
