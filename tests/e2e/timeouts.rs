//! Time that runs out:
//! - `read`: an attempt that does not begin to answer in time is followed by the next;
//! - `total`: the client has its answer by then, in every phase, and no attempt follows;
//!   a delay that does not fit is not waited for, and the last answer goes out early;
//! - `write`: a client that does not finish its request gets 408, one that does is served;
//! - a response that has begun is not cut.
//!
//! Lower bounds are exact where the filter keeps the time. Envoy, which watches `read`, goes by a
//! coarser clock (see [`EARLY`]). Upper bounds leave half a second for a busy machine.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use steerage_harness::serde_json::json;
use steerage_harness::tokio;
use steerage_harness::{
    Answer, Bytes, Client, HarnessError, Reply, Request, Upstream, get, raw, request, run,
};
use tokio::task::JoinSet;

use crate::support::{assert_unharmed, envoy_of, request_of, status_of, steady};

#[test]
fn an_attempt_that_does_not_answer_within_read_is_followed_by_the_next() {
    run(async {
        for workers in [1, 4] {
            let [first, second] = [hanging().await, hanging().await];
            let well = Upstream::named("well").await.unwrap();
            let clusters = [
                ("first", first.addr()),
                ("second", second.addr()),
                ("well", well.addr()),
            ];
            let config = in_turn(
                &["first", "second", "well"],
                r#"{"connect": 0.1, "read": 0.3, "total": 10}"#,
            );
            let envoy = envoy_of(&clusters, &config)
                .concurrency(workers)
                .start()
                .await
                .unwrap();
            for answer in at_once(8, envoy.addr()).await {
                assert_eq!(answer.text(), "well", "{answer:?}");
                // The first wait is the router's, the second one a call's.
                assert!(answer.begun + EARLY >= millis(600), "{answer:?}");
            }
            assert_eq!((first.count(), second.count(), well.count()), (8, 8, 8));

            // A request that must not be repeated is not repeated after a timeout: it was sent.
            let post = request(envoy.addr(), request_of("POST", "/", &[], "once"))
                .await
                .unwrap();
            assert_eq!(post.status, 504, "{post:?}");
            assert!(post.begun + EARLY >= millis(300), "{post:?}");
            assert_eq!((first.count(), second.count(), well.count()), (9, 8, 8));
            assert_unharmed(&envoy).await;
        }
    });
}

#[test]
fn the_read_timeout_begins_when_the_request_has_been_sent() {
    run(async {
        let well = Upstream::named("well").await.unwrap();
        let timeouts = r#"{"connect": 0.1, "read": 0.3, "total": 10}"#;
        let envoy = envoy_of(&[("well", well.addr())], &in_turn(&["well"], timeouts))
            .start()
            .await
            .unwrap();
        let answer = upload(envoy.addr(), 7, millis(100)).await.unwrap();
        assert_eq!(answer.text(), "well", "{answer:?}");
        assert!(answer.begun >= millis(600), "{answer:?}");
        assert_eq!(well.count(), 1);
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn no_attempt_outlives_the_deadline_and_none_follows_it() {
    run(async {
        for workers in [1, 2, 4] {
            let upstreams = [hanging().await, hanging().await, hanging().await];
            let clusters = [
                ("a", upstreams[0].addr()),
                ("b", upstreams[1].addr()),
                ("c", upstreams[2].addr()),
            ];
            // Attempts begin at about 0, 0.4 and 0.8 s; the last is cut short.
            let config = in_turn(
                &["a", "b", "c"],
                r#"{"connect": 0.1, "read": 0.4, "total": 1}"#,
            )
            .replace("\"max_attempts\": 3", "\"max_attempts\": 10");
            let envoy = envoy_of(&clusters, &config)
                .concurrency(workers)
                .start()
                .await
                .unwrap();
            for answer in at_once(8, envoy.addr()).await {
                // The last attempt's time ends with the deadline, and Envoy watches that.
                assert_deadline(&answer, EARLY);
            }
            for (upstream, at_most) in upstreams.iter().zip([400, 400, 200]) {
                let received = upstream.received();
                assert_eq!(received.len(), 8);
                for attempt in received {
                    let left = attempt.header("x-envoy-expected-rq-timeout-ms").unwrap();
                    let left: u64 = left.parse().unwrap();
                    assert!((1..=at_most).contains(&left), "{left} ms of {at_most}");
                }
            }
            // There is no event to wait for: nothing must happen for the time of ten delays.
            tokio::time::sleep(millis(100)).await;
            assert!(upstreams.iter().all(|upstream| upstream.count() == 8));
            assert_unharmed(&envoy).await;
        }
    });
}

#[test]
fn the_deadline_comes_during_the_first_attempt_of_a_slow_upload() {
    run(async {
        let [slow, other] = [hanging().await, hanging().await];
        let envoy = envoy_of(
            &[("slow", slow.addr()), ("other", other.addr())],
            &in_turn(
                &["slow", "other"],
                r#"{"connect": 0.1, "read": 0.9, "total": 1}"#,
            ),
        )
        .start()
        .await
        .unwrap();
        // The upload takes 0.5 s, so the read timeout would end at 1.4 s.
        let answer = upload(envoy.addr(), 6, millis(100)).await.unwrap();
        assert_deadline(&answer, Duration::ZERO);
        assert_eq!((slow.count(), other.count()), (1, 0));
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn a_failure_that_does_not_end_is_not_waited_for() {
    run(async {
        let endless = || Reply::status(503).stream(vec!["x"; 40], millis(50));
        let first = Upstream::start(move |_, _| endless()).await.unwrap();
        let second = Upstream::start(move |_, _| endless()).await.unwrap();
        let well = Upstream::named("well").await.unwrap();
        let clusters = [
            ("first", first.addr()),
            ("second", second.addr()),
            ("well", well.addr()),
        ];
        let timeouts = r#"{"connect": 0.1, "read": 0.9, "total": 1}"#;
        let envoy = envoy_of(&clusters, &in_turn(&["first", "well"], timeouts))
            .listener(
                "retry",
                steady(&in_turn(&["first", "second", "well"], timeouts)),
            )
            .start()
            .await
            .unwrap();
        // The head of a routed answer is enough to release it.
        let answer = get(envoy.addr(), "/").await.unwrap();
        assert_eq!(answer.text(), "well", "{answer:?}");
        // A call delivers its answer only when it is complete, so the deadline ends it.
        for answer in at_once(8, envoy.addr_of("retry").unwrap()).await {
            assert_deadline(&answer, EARLY);
        }
        assert_eq!((second.count(), well.count()), (8, 1));
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn a_delay_that_does_not_fit_is_not_waited_for() {
    run(async {
        let busy = Upstream::start(|_, _| Reply::status(503).body("busy"))
            .await
            .unwrap();
        let failed = Upstream::start(|_, _| Reply::status(500).body("failed"))
            .await
            .unwrap();
        let policy = |delays: &str| {
            in_turn(
                &["busy", "failed"],
                r#"{"connect": 0.1, "read": 5, "total": 20}"#,
            )
            .replace(
                r#""strategy": "fixed", "base_delay": 0.01"#,
                &format!(r#""strategy": "custom", "custom_retry_function": {delays}"#),
            )
        };
        let clusters = [("busy", busy.addr()), ("failed", failed.addr())];
        let envoy = envoy_of(&clusters, &policy("[30]"))
            .listener("once", steady(&policy("[0.01, 30]")))
            .start()
            .await
            .unwrap();
        let answer = get(envoy.addr(), "/").await.unwrap();
        assert_eq!((answer.status.as_u16(), &*answer.text()), (503, "busy"));
        assert_eq!(answer.header("x-steerage-reason"), None);
        assert!(answer.begun < Duration::from_secs(10), "{answer:?}");
        assert_eq!((busy.count(), failed.count()), (1, 0));

        let answer = get(envoy.addr_of("once").unwrap(), "/").await.unwrap();
        assert_eq!((answer.status.as_u16(), &*answer.text()), (500, "failed"));
        assert!(answer.begun < Duration::from_secs(10), "{answer:?}");
        assert_eq!((busy.count(), failed.count()), (2, 1));
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn a_client_that_does_not_finish_its_request_gets_408() {
    run(async {
        let well = Upstream::named("well").await.unwrap();
        let config = in_turn(
            &["well"],
            r#"{"connect": 0.1, "read": 5, "write": 1, "total": 20}"#,
        );
        let envoy = envoy_of(&[("well", well.addr())], &config)
            .start()
            .await
            .unwrap();
        let silent = async {
            let start = Instant::now();
            let head = b"PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhello";
            let answer = raw(envoy.addr(), head).await.unwrap();
            let text = String::from_utf8_lossy(&answer);
            assert_eq!(status_of(&answer), Some(408), "{text}");
            assert!(text.contains("x-steerage-reason: write_timeout"), "{text}");
            assert!(start.elapsed() >= millis(1000), "{:?}", start.elapsed());
        };
        // Activity does not extend it: the whole request has one second.
        let dribbling = async {
            let answer = upload(envoy.addr(), 100, millis(100)).await.unwrap();
            assert_eq!(answer.status, 408, "{answer:?}");
            assert_eq!(answer.header("x-steerage-reason").unwrap(), "write_timeout");
            assert!(
                (millis(1000)..millis(5000)).contains(&answer.begun),
                "{answer:?}"
            );
        };
        let slow = async {
            let answer = upload(envoy.addr(), 4, millis(100)).await.unwrap();
            assert_eq!(answer.text(), "well", "{answer:?}");
        };
        tokio::join!(silent, dribbling, slow);
        let complete = well.received().iter().filter(|got| got.complete).count();
        assert_eq!(complete, 1, "only the slow upload arrived whole");
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn a_response_that_has_begun_may_take_longer_than_the_total() {
    run(async {
        let chunks = || (0..8).map(|number| format!("{number} ").into_bytes());
        let streaming = Upstream::start(move |_, _| Reply::ok().stream(chunks(), millis(200)))
            .await
            .unwrap();
        let config = in_turn(
            &["streaming"],
            r#"{"connect": 0.1, "read": 0.5, "total": 0.6}"#,
        );
        let envoy = envoy_of(&[("streaming", streaming.addr())], &config)
            .start()
            .await
            .unwrap();
        let answer = get(envoy.addr(), "/").await.unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(answer.text(), "0 1 2 3 4 5 6 7 ");
        assert!(answer.elapsed >= millis(1400), "{answer:?}");
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn an_upgrade_without_an_answer_ends_by_the_deadline() {
    run(async {
        let slow = hanging().await;
        let config = in_turn(
            &["slow"],
            r#"{"connect": 0.1, "read": 0.5, "write": 0.2, "total": 0.7}"#,
        );
        let envoy = envoy_of(&[("slow", slow.addr())], &config)
            .merge_manager(json!({"upgrade_configs": [{"upgrade_type": "websocket"}]}))
            .start()
            .await
            .unwrap();
        let start = Instant::now();
        let hello =
            b"GET / HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n";
        let answer = raw(envoy.addr(), hello).await.unwrap();
        let text = String::from_utf8_lossy(&answer);
        assert_eq!(status_of(&answer), Some(504), "{text}");
        let waited = start.elapsed();
        assert!(waited + EARLY >= millis(500), "{waited:?}");
        assert!(waited < millis(1200), "{waited:?}");
        assert_unharmed(&envoy).await;
    });
}

/// Asserts that the client got the 504 of a deadline of one second, at most so much `early`.
#[track_caller]
fn assert_deadline(answer: &Answer, early: Duration) {
    assert_eq!(answer.status, 504, "{answer:?}");
    let reason = answer.header("x-steerage-reason");
    assert_eq!(reason.as_deref(), Some("deadline_exceeded"), "{answer:?}");
    assert!(answer.begun + early >= millis(1000), "{answer:?}");
    assert!(answer.begun < millis(1500), "{answer:?}");
}

/// The answers to so many GETs sent at the same time, on connections of their own.
async fn at_once(requests: usize, addr: SocketAddr) -> Vec<Answer> {
    let mut tasks = JoinSet::new();
    for _ in 0..requests {
        tasks.spawn(async move { get(addr, "/").await.unwrap() });
    }
    tasks.join_all().await
}

/// PUTs a body in so many chunks with a pause `every` between two.
async fn upload(addr: SocketAddr, chunks: usize, every: Duration) -> Result<Answer, HarnessError> {
    let chunks = (0..chunks).map(|_| Bytes::from_static(b"x"));
    let head = Request::put("/").body(()).unwrap();
    Client::one_shot()
        .request_streaming(addr, head, chunks, every)
        .await
}

/// A server that takes requests and never answers.
async fn hanging() -> Upstream {
    Upstream::start(|_, _| Reply::hang()).await.unwrap()
}

/// A configuration that tries these clusters in this order, with these timeouts.
fn in_turn(clusters: &[&str], timeouts: &str) -> String {
    let endpoints: Vec<String> = clusters
        .iter()
        .enumerate()
        .map(|(tier, cluster)| format!(r#"{{"cluster": "{cluster}", "priority": {tier}}}"#))
        .collect();
    let endpoints = endpoints.join(", ");
    format!(
        r#"{{
            "endpoints": [{endpoints}],
            "retry_policy": {{"strategy": "fixed", "base_delay": 0.01, "jitter": "none", "max_attempts": 3}},
            "timeout": {timeouts}
        }}"#
    )
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Timers of Envoy's end so much too early at most: its clock ticks every few milliseconds.
const EARLY: Duration = millis(10);
