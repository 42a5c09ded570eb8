//! Which failures are retried elsewhere: refused connections, failing answers, resets, hangs,
//! unusable clusters; by method, by kind of failure, by status, up to the last attempt, after which
//! the client gets the last answer of an upstream unchanged.

use std::time::Duration;

use steerage_harness::tokio::io::{AsyncReadExt, AsyncWriteExt};
use steerage_harness::tokio::net::TcpListener;
use steerage_harness::tokio::task::JoinSet;
use steerage_harness::{Answer, Bytes, Client, Cluster, Envoy, Load, Reply, Upstream, get, run};

use crate::support::{
    ask, assert_unharmed, envoy_of, pool, pool_of_one_worker, request_of, steady,
};

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
fn unusable_clusters_are_passed_over_for_every_method() {
    run(async {
        let spare = Upstream::named("spare").await.unwrap();
        let sick = failing("sick").await;
        let well = Upstream::named("well").await.unwrap();
        let refusing = Upstream::refusing().unwrap();
        let unusable = ["unknown", "empty", "no_requests", "no_pending", "refusing"];
        let mut pools = Vec::new();
        for cluster in unusable {
            pools.push(format!(
                r#"{{"name": "first_{cluster}", "match": {{"path": "/first/{cluster}"}},
                    "endpoints": ["{cluster}", {{"cluster": "well", "priority": 1}}]}}"#
            ));
            pools.push(format!(
                r#"{{"name": "retry_{cluster}", "match": {{"path": "/retry/{cluster}"}},
                    "endpoints": ["sick", {{"cluster": "{cluster}", "priority": 1}}, {{"cluster": "well", "priority": 2}}]}}"#
            ));
        }
        pools.push(
            r#"{"name": "all", "match": {"path": "/all"}, "retry_policy": {"max_attempts": 6},
                "endpoints": ["unknown", "empty", "no_requests", "no_pending", "refusing", {"cluster": "well", "priority": 1}]}"#
                .to_owned(),
        );
        let envoy = envoy_of(
            &[
                ("sick", sick.addr()),
                ("well", well.addr()),
                ("refusing", refusing.addr()),
            ],
            &format!(r#"{{"pools": [{}]}}"#, pools.join(",")),
        )
        .cluster_with(Cluster::new("empty"))
        .cluster_with(
            Cluster::new("no_requests")
                .host(spare.addr())
                .max_requests(0),
        )
        .cluster_with(
            Cluster::new("no_pending")
                .host(spare.addr())
                .max_pending_requests(0),
        )
        .start()
        .await
        .unwrap();
        for cluster in unusable {
            for (method, path, headers) in [
                ("GET", format!("/first/{cluster}"), &[][..]),
                ("POST", format!("/first/{cluster}"), &[]),
                ("GET", format!("/retry/{cluster}"), &[]),
                (
                    "POST",
                    format!("/retry/{cluster}"),
                    &[("idempotency-key", "k")],
                ),
            ] {
                well.clear();
                let answer = ask(&envoy, method, &path, headers).await;
                let case = format!("{method} {path}: {answer:?}");
                assert_eq!(
                    (answer.status.as_u16(), &*answer.text()),
                    (200, "well"),
                    "{case}"
                );
                let number = if path.starts_with("/first") { "2" } else { "3" };
                let attempt = well.received().remove(0).header("x-envoy-attempt-count");
                assert_eq!(attempt.as_deref(), Some(number), "{case}");
            }
        }
        for method in ["GET", "POST"] {
            let answer = ask(&envoy, method, "/all", &[]).await;
            assert_eq!(
                (answer.status.as_u16(), &*answer.text()),
                (200, "well"),
                "{method}"
            );
        }
        assert_eq!(spare.count(), 0);
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn a_cluster_that_is_busy_to_its_limits_is_passed_over() {
    run(async {
        let busy = Upstream::start(|received, _| match &*received.path {
            "/occupy" => Reply::hang(),
            _ => Reply::ok().body("busy"),
        })
        .await
        .unwrap();
        let sick = failing("sick").await;
        let well = Upstream::named("well").await.unwrap();
        // Envoy grants every worker a connection at any limit, so there is only one worker.
        let envoy = envoy_of(
            &[("sick", sick.addr()), ("well", well.addr())],
            r#"{"pools": [
                {"name": "retry", "match": {"path": "/retry"},
                 "endpoints": ["sick", {"cluster": "busy", "priority": 1}, {"cluster": "well", "priority": 2}]},
                {"name": "first", "endpoints": ["busy", {"cluster": "well", "priority": 1}]}
            ]}"#,
        )
        .cluster_with(
            Cluster::new("busy")
                .host(busy.addr())
                .max_connections(1)
                .max_pending_requests(1),
        )
        .concurrency(1)
        .start()
        .await
        .unwrap();
        assert_eq!(ask(&envoy, "POST", "/", &[]).await.text(), "busy");

        // One request has the connection and another waits for it.
        let addr = envoy.addr();
        let mut occupants = JoinSet::new();
        occupants.spawn(get(addr, "/occupy"));
        occupants.spawn(get(addr, "/occupy"));
        envoy
            .wait_for_stat("cluster.busy.upstream_rq_pending_active", |n| n == 1)
            .await
            .unwrap();
        for (method, path) in [("GET", "/"), ("POST", "/"), ("GET", "/retry")] {
            let answer = ask(&envoy, method, path, &[]).await;
            assert_eq!(answer.text(), "well", "{method} {path}: {answer:?}");
        }
        assert_eq!(busy.count(), 2, "the first request and one occupant");
        drop(occupants);
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn when_retries_are_used_up_the_last_upstream_answer_goes_out_as_it_came() {
    run(async {
        let a = failing("a").await;
        let b = failing("b").await;
        let hanging = Upstream::start(|_, _| Reply::hang()).await.unwrap();
        let resetting = Upstream::start(|_, _| Reply::reset()).await.unwrap();
        let refusing = Upstream::refusing().unwrap();
        // Name of the pool, its endpoints in the order of their use, the one that answers.
        let cases = [
            ("two_answers", &["a", "b"][..], "b"),
            ("then_refused", &["a", "refusing"], "a"),
            ("then_reset", &["a", "resetting"], "a"),
            ("then_hanging", &["a", "hanging"], "a"),
            ("then_unknown", &["a", "unknown"], "a"),
            ("two_then_refused", &["a", "b", "refusing"], "b"),
            ("between", &["refusing", "a", "resetting"], "a"),
            ("after_failures", &["resetting", "refusing", "b"], "b"),
        ];
        let pools = cases.map(|(name, endpoints, _)| {
            let endpoints: Vec<_> = endpoints
                .iter()
                .enumerate()
                .map(|(priority, cluster)| {
                    format!(r#"{{"cluster": "{cluster}", "priority": {priority}}}"#)
                })
                .collect();
            format!(
                r#"{{"name": "{name}", "match": {{"path": "/{name}"}}, "endpoints": [{}],
                    "retry_policy": {{"max_attempts": {}, "base_delay": 0.005}},
                    "timeout": {{"connect": 1, "read": 0.3, "total": 10}}}}"#,
                endpoints.join(","),
                endpoints.len()
            )
        });
        let envoy = pool(
            &[
                ("a", a.addr()),
                ("b", b.addr()),
                ("hanging", hanging.addr()),
                ("resetting", resetting.addr()),
                ("refusing", refusing.addr()),
            ],
            &format!(
                r#"{{"pools": [{}, {{"name": "none", "endpoints": ["refusing", "unknown"]}}]}}"#,
                pools.join(",")
            ),
        )
        .await;
        for (name, _, answered_by) in cases {
            let answer = ask(&envoy, "GET", &format!("/{name}"), &[]).await;
            let status = if answered_by == "a" { 503 } else { 502 };
            assert_is_the_answer_of(&answer, answered_by, status);
        }
        // No upstream ever answered, so the client gets Envoy's own answer.
        assert_eq!(ask(&envoy, "GET", "/none", &[]).await.status, 503);
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn a_head_is_retried_and_answered_like_a_get() {
    run(async {
        // An answer to HEAD has no body, so Envoy's own cannot be recognized by its text.
        let a = failing("a").await;
        let b = failing("b").await;
        let well = Upstream::named("well").await.unwrap();
        let refusing = Upstream::refusing().unwrap();
        let hanging = Upstream::start(|_, _| Reply::hang()).await.unwrap();
        let resetting = Upstream::start(|_, _| Reply::reset()).await.unwrap();
        let mut pools = Vec::new();
        for failure in ["refusing", "hanging", "resetting"] {
            let timeout = r#""timeout": {"connect": 1, "read": 0.3, "total": 10}"#;
            // b's 502 is retried; then a failure that is retried, too, although an upstream's 503
            // or 504 is not.
            pools.push(format!(
                r#"{{"name": "on_{failure}", "match": {{"path": "/on/{failure}"}}, {timeout},
                    "endpoints": ["b", {{"cluster": "{failure}", "priority": 1}}, {{"cluster": "well", "priority": 2}}],
                    "retry_policy": {{"base_delay": 0.005, "retry_on_status_codes": [502]}}}}"#
            ));
            pools.push(format!(
                r#"{{"name": "last_{failure}", "match": {{"path": "/last/{failure}"}}, {timeout},
                    "endpoints": ["a", {{"cluster": "{failure}", "priority": 1}}],
                    "retry_policy": {{"base_delay": 0.005, "max_attempts": 2}}}}"#
            ));
        }
        let envoy = pool(
            &[
                ("a", a.addr()),
                ("b", b.addr()),
                ("well", well.addr()),
                ("refusing", refusing.addr()),
                ("hanging", hanging.addr()),
                ("resetting", resetting.addr()),
            ],
            &format!(r#"{{"pools": [{}]}}"#, pools.join(",")),
        )
        .await;
        let mut surprises = Vec::new();
        for failure in ["refusing", "hanging", "resetting"] {
            for method in ["GET", "HEAD"] {
                let on = ask(&envoy, method, &format!("/on/{failure}"), &[]).await;
                if on.status != 200 {
                    surprises.push(format!(
                        "{method} after {failure}: {} instead of 200",
                        on.status
                    ));
                }
                let last = ask(&envoy, method, &format!("/last/{failure}"), &[]).await;
                if last.status != 503 || last.header("x-from").as_deref() != Some("a") {
                    surprises.push(format!(
                        "{method} ending {failure}: not a's answer: {last:?}"
                    ));
                }
            }
        }
        assert!(surprises.is_empty(), "{surprises:#?}");
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

#[test]
fn retries_keep_to_the_policy() {
    run(async {
        let bad = Upstream::start(|received, _| match &*received.path {
            "/reset" => Reply::reset(),
            path => Reply::status(path.rsplit('/').next().unwrap().parse().unwrap()),
        })
        .await
        .unwrap();
        let refusing = Upstream::refusing().unwrap();
        let well = Upstream::named("well").await.unwrap();
        let listener = |endpoint: &str, policy: &str| {
            format!(
                r#"{{"endpoints": ["{endpoint}", {{"cluster": "well", "priority": 1}}], "retry_policy": {{"base_delay": 0.005{policy}}}}}"#
            )
        };
        let envoy = envoy_of(
            &[
                ("bad", bad.addr()),
                ("refusing", refusing.addr()),
                ("well", well.addr()),
            ],
            &listener("bad", ""),
        )
        .listener(
            "statuses",
            steady(&listener(
                "bad",
                r#", "retry_on_status_codes": [404, "520-529", "3xx"]"#,
            )),
        )
        .listener(
            "methods",
            steady(&listener("bad", r#", "retry_methods": ["POST"]"#)),
        )
        .listener(
            "only_reset",
            steady(&listener(
                "bad",
                r#", "retry_on": ["reset"], "retry_on_status_codes": []"#,
            )),
        )
        .listener(
            "no_reset",
            steady(&listener("bad", r#", "retry_on": ["connect_failure"]"#)),
        )
        .listener(
            "only_reset_refused",
            steady(&listener("refusing", r#", "retry_on": ["reset"]"#)),
        )
        .listener("once", steady(&listener("bad", r#", "max_attempts": 1"#)))
        .listener(
            "once_refused",
            steady(&listener("refusing", r#", "max_attempts": 1"#)),
        )
        .start()
        .await
        .unwrap();
        for (listener, method, path, status) in [
            // By default 429, 500, 502, 503 and 504 are, and nothing else is.
            ("main", "GET", "/429", 200),
            ("main", "GET", "/500", 200),
            ("main", "GET", "/502", 200),
            ("main", "GET", "/503", 200),
            ("main", "GET", "/504", 200),
            ("main", "GET", "/404", 404),
            ("main", "GET", "/501", 501),
            ("main", "GET", "/505", 505),
            ("main", "GET", "/301", 301),
            ("main", "PUT", "/503", 200),
            ("main", "DELETE", "/503", 200),
            ("main", "OPTIONS", "/503", 200),
            ("main", "PATCH", "/503", 503),
            ("main", "GET", "/reset", 200),
            ("statuses", "GET", "/404", 200),
            ("statuses", "GET", "/525", 200),
            ("statuses", "GET", "/307", 200),
            ("statuses", "GET", "/503", 503),
            ("methods", "POST", "/503", 200),
            ("methods", "GET", "/503", 503),
            ("only_reset", "GET", "/reset", 200),
            ("only_reset", "GET", "/503", 503),
            ("no_reset", "GET", "/reset", 503),
            ("no_reset", "GET", "/503", 200),
            ("only_reset_refused", "GET", "/", 503),
            ("once", "GET", "/502", 502),
            ("once", "GET", "/reset", 503),
            ("once_refused", "GET", "/", 503),
        ] {
            well.clear();
            let answer = ask_at(&envoy, listener, method, path).await;
            let case = format!("{method} {path} at {listener}: {answer:?}");
            assert_eq!(answer.status, status, "{case}");
            assert_eq!(well.count(), usize::from(status == 200), "{case}");
        }
        assert_unharmed(&envoy).await;
    });
}

/// An upstream whose failure is recognizable: 503 if it is `sick` or `a`, else 502.
async fn failing(name: &'static str) -> Upstream {
    Upstream::start(move |_, _| {
        Reply::status(if name == "b" { 502 } else { 503 })
            .header("x-from", name)
            .header("content-type", "application/problem+json")
            .header("set-cookie", "first=1; Path=/")
            .header("set-cookie", "second=2")
            .header("set-cookie", format!("third={name}"))
            .body(format!(r#"{{"failed": "{name}"}}"#))
    })
    .await
    .unwrap()
}

/// Asserts that an answer is one of [`failing`]'s, complete.
#[track_caller]
fn assert_is_the_answer_of(answer: &Answer, name: &str, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.text(), format!(r#"{{"failed": "{name}"}}"#));
    assert_eq!(answer.header("x-from").as_deref(), Some(name));
    let kind = answer.header("content-type");
    assert_eq!(kind.as_deref(), Some("application/problem+json"));
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
    assert_eq!(
        cookies,
        ["first=1; Path=/", "second=2", &*format!("third={name}")]
    );
    assert_eq!(answer.headers.get_all("content-length").iter().count(), 1);
    assert_eq!(answer.header("x-steerage-reason"), None);
}

/// Sends a request without a body to one of several listeners.
async fn ask_at(envoy: &Envoy, listener: &str, method: &str, path: &str) -> Answer {
    Client::one_shot()
        .request(
            envoy.addr_of(listener).unwrap(),
            request_of(method, path, &[], Bytes::new()),
        )
        .await
        .unwrap()
}
