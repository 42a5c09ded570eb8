//! Which failures are retried elsewhere: refused connections, failing answers, resets, hangs; by
//! method and by kind of failure.

use std::time::Duration;

use steerage_harness::tokio::io::{AsyncReadExt, AsyncWriteExt};
use steerage_harness::tokio::net::TcpListener;
use steerage_harness::{Client, Load, Reply, Upstream, run};

use crate::last_answer::{assert_is_the_answer_of, failing};
use crate::support::{ask, assert_unharmed, envoy_of, pool, pool_of_one_worker, request_of};

#[test]
fn one_refusing_and_one_failing_cluster_of_three_are_invisible_to_clients() {
    run(async {
        for (workers, requests) in [(2, 2_000), (1, 300), (4, 300)] {
            let refusing = Upstream::refusing().unwrap();
            let sick = failing("sick").await;
            let well = Upstream::named("well").await.unwrap();
            let envoy = envoy_of(
                &[
                    ("refusing", refusing.addr()),
                    ("sick", sick.addr()),
                    ("well", well.addr()),
                ],
                r#"{"endpoints": ["refusing", "sick", "well"], "retry_policy": {"max_attempts": 3}}"#,
            )
            .concurrency(workers)
            .start()
            .await
            .unwrap();
            let report = Load::new(envoy.addr())
                .total(requests)
                .concurrency(16)
                .run()
                .await;
            assert_eq!(report.status(200), requests, "{report}");
            assert_eq!(well.count(), requests, "each was served once");
            assert!(sick.count() <= requests, "and failed there at most once");
            assert_unharmed(&envoy).await;
        }
    });
}

#[test]
fn a_post_is_repeated_only_if_nothing_was_sent_or_its_key_allows_it() {
    run(async {
        let refusing = Upstream::refusing().unwrap();
        let sick = failing("sick").await;
        let well = Upstream::named("well").await.unwrap();
        let envoy = pool(
            &[
                ("refusing", refusing.addr()),
                ("sick", sick.addr()),
                ("well", well.addr()),
            ],
            r#"{"endpoints": ["refusing", "sick", "well"], "retry_policy": {"base_delay": 0.005}}"#,
        )
        .await;
        let post = async |number: usize, headers: &[(&str, &str)]| {
            let body = format!("order {number}");
            let request = request_of("POST", "/orders", headers, body);
            Client::one_shot()
                .request(envoy.addr(), request)
                .await
                .unwrap()
        };
        let mut failed = 0;
        for number in 0..60 {
            let answer = post(number, &[]).await;
            if answer.status != 200 {
                // The upstream's own body, and never Envoy's about a refused connection.
                assert_is_the_answer_of(&answer, "sick", 503);
                failed += 1;
            }
        }
        assert_eq!(failed, sick.count());
        assert!(
            failed >= 15,
            "a third or more came to the failing one: {failed}"
        );
        assert_eq!(well.count(), 60 - failed, "nothing was sent twice");

        sick.clear();
        well.clear();
        for number in 0..30 {
            let answer = post(number, &[("idempotency-key", "k")]).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        assert!(sick.count() > 0);
        let mut bodies: Vec<_> = well
            .received()
            .iter()
            .map(|received| String::from_utf8(received.body.to_vec()).unwrap())
            .collect();
        bodies.sort_unstable();
        let mut sent: Vec<_> = (0..30).map(|number| format!("order {number}")).collect();
        sent.sort_unstable();
        assert_eq!(
            bodies, sent,
            "each arrived once where it was served, body and all"
        );
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn resets_and_hangs_are_retried_where_a_repeat_is_allowed() {
    run(async {
        let bad = Upstream::start(|received, _| match &*received.path {
            "/reset" => Reply::reset(),
            "/hang" => Reply::hang(),
            "/broken" => Reply::status(503),
            _ => Reply::status(404),
        })
        .await
        .unwrap();
        let worse = Upstream::start(|received, _| match &*received.path {
            "/reset" => Reply::reset(),
            "/hang" => Reply::hang(),
            // A retry's answer arrives only when it is complete, so it may still be tried again.
            "/broken" => Reply::ok().reset_after_headers(),
            _ => Reply::status(404),
        })
        .await
        .unwrap();
        let well = Upstream::named("well").await.unwrap();
        let envoy = pool(
            &[("bad", bad.addr()), ("worse", worse.addr()), ("well", well.addr())],
            r#"{"endpoints": ["bad", {"cluster": "worse", "priority": 1}, {"cluster": "well", "priority": 2}],
                "retry_policy": {"base_delay": 0.005}, "timeout": {"connect": 1, "read": 0.3, "total": 10}}"#,
        )
        .await;
        for path in ["/reset", "/hang", "/broken"] {
            for upstream in [&bad, &worse, &well] {
                upstream.clear();
            }
            let answer = ask(&envoy, "GET", path, &[]).await;
            assert_eq!(
                (answer.status.as_u16(), &*answer.text()),
                (200, "well"),
                "{path}"
            );
            if path == "/hang" {
                assert!(
                    answer.begun >= Duration::from_millis(600),
                    "{:?}",
                    answer.begun
                );
            }
            assert_eq!(
                (bad.count(), worse.count(), well.count()),
                (1, 1, 1),
                "{path}"
            );
        }
        // Requests that may have had an effect are not repeated.
        for (path, status) in [("/reset", 503), ("/hang", 504)] {
            well.clear();
            let answer = ask(&envoy, "POST", path, &[]).await;
            assert_eq!(answer.status, status, "{path}: {answer:?}");
            assert_eq!(well.count(), 0, "{path}");
        }
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn envoy_ends_a_failing_answer_that_breaks_off_while_it_is_held_back() {
    run(async {
        // The head says 503 and is held back; then the connection breaks before the retry is due.
        // Envoy's router answers for it at once, and the filter sees only the end of the stream.
        // The filter cannot do better, but nothing may be left behind.
        let sick = Upstream::start(|_, _| Reply::status(503).reset_after_headers())
            .await
            .unwrap();
        let well = Upstream::named("well").await.unwrap();
        let envoy = pool_of_one_worker(
            &[("sick", sick.addr()), ("well", well.addr())],
            r#"{"endpoints": ["sick", {"cluster": "well", "priority": 1}],
                "retry_policy": {"strategy": "fixed", "base_delay": 0.2, "jitter": false}}"#,
        )
        .await;
        let answer = ask(&envoy, "GET", "/", &[]).await;
        assert_eq!(answer.status, 502, "{answer:?}");
        assert_eq!(well.count(), 0, "the client has its answer: no retry");
        sick.set(|_, _| Reply::status(503));
        assert_eq!(ask(&envoy, "GET", "/", &[]).await.text(), "well");
        assert_eq!(well.count(), 1, "nor was the forgotten one made later");
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn an_invalid_http_answer_counts_as_a_reset() {
    run(async {
        // Envoy's answer for it is a 502, unlike its 503 for other resets.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let garbled = listener.local_addr().unwrap();
        steerage_harness::tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _gone = stream.read(&mut [0; 4096]).await;
                let _gone = stream.write_all(b"220 mail.example ESMTP\r\n\r\n").await;
            }
        });
        let a = failing("a").await;
        let well = Upstream::named("well").await.unwrap();
        let envoy = pool(
            &[("a", a.addr()), ("garbled", garbled), ("well", well.addr())],
            r#"{"pools": [
                {"name": "first", "match": {"path": "/first"}, "endpoints": ["garbled", {"cluster": "well", "priority": 1}],
                 "retry_policy": {"base_delay": 0.005, "retry_on_status_codes": [503]}},
                {"name": "retry", "match": {"path": "/retry"}, "endpoints": ["a", {"cluster": "garbled", "priority": 1}, {"cluster": "well", "priority": 2}],
                 "retry_policy": {"base_delay": 0.005, "retry_on_status_codes": [503]}},
                {"name": "last", "endpoints": ["a", {"cluster": "garbled", "priority": 1}],
                 "retry_policy": {"base_delay": 0.005, "max_attempts": 2}}
            ]}"#,
        )
        .await;
        for path in ["/first", "/retry"] {
            let answer = ask(&envoy, "GET", path, &[]).await;
            assert_eq!(
                (answer.status.as_u16(), &*answer.text()),
                (200, "well"),
                "{path}"
            );
        }
        assert_is_the_answer_of(&ask(&envoy, "GET", "/last", &[]).await, "a", 503);
        assert_unharmed(&envoy).await;
    });
}
