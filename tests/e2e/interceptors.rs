//! Interceptors, contract §4: an upstream sees the changes of every attempt, a client those of its
//! answer, and the log has attempts and no secrets.

use std::time::Duration;

use steerage_harness::{Answer, Load, Received, Reply, Upstream, eventually, run};

use crate::support::{ask, assert_unharmed, pool};

fn seen(attempt: &Received, name: &str) -> Vec<String> {
    let values = attempt.headers.get_all(name).iter();
    values.map(text).collect()
}

fn header_values(answer: &Answer, name: &str) -> Vec<String> {
    let values = answer.headers.get_all(name).iter();
    values.map(text).collect()
}

fn text(value: impl AsRef<[u8]>) -> String {
    String::from_utf8_lossy(value.as_ref()).into_owned()
}

/// Every kind of action, on attempts and answers.
const EVERYTHING: &str = r#"
    "request": [
        {"set_header": {"x-try": "{attempt} at {endpoint} of {pool}"}},
        {"set_header": {"authorization": "Bearer ours"}},
        {"add_header": {"x-many": "ours"}},
        {"remove_header": "x-debug"},
        {"set_header": {"x-again": "{{yes}}"}, "when": {"attempt": [2, 3]}},
        {"set_header": {"x-gold": "1"}, "when": {"header": {"x-tenant": "gold"}}}
    ],
    "response": [
        {"set_header": {"x-from": "{endpoint} after {attempt}"}},
        {"set_header": {"x-took": "{response_time}"}},
        {"add_header": {"set-cookie": "ours=1"}},
        {"remove_header": "x-internal"},
        {"set_header": {"x-sorry": "1"}, "when": {"status": ["5xx"]}},
        {"set_header": {"x-slow": "1"}, "when": {"slower_than": "150ms"}}
    ]"#;

const HEADERS: [(&str, &str); 4] = [
    ("authorization", "Bearer theirs"),
    ("x-many", "theirs"),
    ("x-debug", "1"),
    ("x-tenant", "gold"),
];

fn answer(status: u16) -> Reply {
    Reply::status(status)
        .header("x-from", "the upstream")
        .header("x-internal", "1")
        .header("set-cookie", "theirs=1")
}

#[track_caller]
fn assert_attempt(attempt: &Received, number: &str, is_try: &str) {
    assert_eq!(seen(attempt, "x-envoy-attempt-count"), [number]);
    assert_eq!(seen(attempt, "x-try"), [is_try]);
    assert_eq!(seen(attempt, "authorization"), ["Bearer ours"]);
    assert_eq!(seen(attempt, "x-many"), ["theirs", "ours"]);
    assert_eq!(seen(attempt, "x-debug"), [""; 0]);
    assert_eq!(seen(attempt, "x-gold"), ["1"]);
    let again = (number != "1").then_some("{yes}");
    assert_eq!(seen(attempt, "x-again"), Vec::from_iter(again));
}

#[track_caller]
fn assert_answer(answer: &Answer, from: &str) {
    assert_eq!(header_values(answer, "x-from"), [from], "{answer:?}");
    assert_eq!(header_values(answer, "x-internal"), [""; 0], "{answer:?}");
    assert_eq!(
        header_values(answer, "set-cookie"),
        ["theirs=1", "ours=1"],
        "{answer:?}"
    );
    let sorry = (answer.status.as_u16() >= 500).then_some("1");
    assert_eq!(header_values(answer, "x-sorry"), Vec::from_iter(sorry));
}

#[test]
fn every_attempt_and_the_answer_are_changed() {
    run(async {
        let slow = Duration::from_millis(150);
        let a = Upstream::start(|_, _| answer(503)).await.unwrap();
        let b = Upstream::start(|_, _| answer(503)).await.unwrap();
        let c = Upstream::start(move |_, _| answer(200).body("c").delay(slow))
            .await
            .unwrap();
        let envoy = pool(
            &[("a", a.addr()), ("b", b.addr()), ("c", c.addr())],
            &format!(
                r#"{{"name": "shop", "interceptors": {{{EVERYTHING}}}, "endpoints": [
                "a", {{"cluster": "b", "name": "beta", "priority": 1}}, {{"cluster": "c", "priority": 2}}]}}"#
            ),
        )
        .await;
        for method in ["GET", "HEAD"] {
            let answer = ask(&envoy, method, "/", &HEADERS).await;
            assert_eq!(answer.status, 200);
            assert_answer(&answer, "c after 3");
            let took: f64 = header_values(&answer, "x-took")[0].parse().unwrap();
            assert!((0.15..5.0).contains(&took), "{took}");
            assert_eq!(header_values(&answer, "x-slow"), ["1"]);
            for (upstream, number, is_try) in [
                (&a, "1", "1 at a of shop"),
                (&b, "2", "2 at beta of shop"),
                (&c, "3", "3 at c of shop"),
            ] {
                assert_attempt(&upstream.received().remove(0), number, is_try);
                upstream.clear();
            }
        }
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn an_answer_that_streams_by_and_one_that_is_released_are_changed() {
    run(async {
        let well = Upstream::start(|_, _| answer(200)).await.unwrap();
        let sick = Upstream::start(|_, _| answer(503).body("sick"))
            .await
            .unwrap();
        let refusing = Upstream::refusing().unwrap();
        let envoy = pool(
            &[
                ("well", well.addr()),
                ("sick", sick.addr()),
                ("refusing", refusing.addr()),
            ],
            &format!(
                r#"{{"pools": [
                {{"name": "well", "match": {{"path": "/well"}}, "endpoints": ["well"],
                  "interceptors": {{{EVERYTHING}}}}},
                {{"name": "sick", "match": {{"path": "/sick"}}, "interceptors": {{{EVERYTHING}}},
                  "endpoints": ["sick", {{"cluster": "refusing", "priority": 1}}],
                  "retry_policy": {{"max_attempts": 2}}}}]}}"#
            ),
        )
        .await;
        for method in ["GET", "HEAD", "POST"] {
            let answer = ask(&envoy, method, "/well", &HEADERS).await;
            assert_eq!(answer.status, 200);
            assert_answer(&answer, "well after 1");
            assert_eq!(header_values(&answer, "x-slow"), [""; 0]);
        }
        let first = well.received().remove(0);
        assert_attempt(&first, "1", "1 at well of well");
        for method in ["GET", "HEAD"] {
            let answer = ask(&envoy, method, "/sick", &HEADERS).await;
            assert_eq!(answer.status, 503);
            assert_answer(&answer, "refusing after 2");
        }
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn the_filters_own_answer_at_the_deadline_is_changed() {
    run(async {
        let hanging = Upstream::start(|_, _| Reply::hang()).await.unwrap();
        let envoy = pool(
            &[("hanging", hanging.addr())],
            r#"{"endpoints": ["hanging"], "timeout": {"connect": 0.1, "read": 0.4, "total": 0.5},
                "retry_policy": {"max_attempts": 1}, "interceptors": {"response": [
                    {"set_header": {"x-from": "{endpoint}"}, "when": {"status": [504]}}]}}"#,
        )
        .await;
        let answer = ask(&envoy, "GET", "/", &[]).await;
        assert_eq!(answer.status, 504);
        assert_eq!(header_values(&answer, "x-from"), ["hanging"], "{answer:?}");
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn the_log_has_each_attempt_and_no_secret() {
    run(async {
        let sick = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
        let well = Upstream::start(|_, _| Reply::ok().header("set-cookie", "s=s3cret"))
            .await
            .unwrap();
        let envoy = pool(
            &[("sick", sick.addr()), ("well", well.addr())],
            r#"{"endpoints": ["sick", {"cluster": "well", "priority": 1}],
                "enable_logging_interceptor": true,
                "interceptors": {"request": [{"set_header": {"x-api-key": "s3cret"}}]}}"#,
        )
        .await;
        let secrets = [("authorization", "Bearer s3cret"), ("cookie", "s=s3cret")];
        let path = "/cart%0Aevent=forged?token=s3cret";
        assert_eq!(ask(&envoy, "GET", path, &secrets).await.status, 200);
        let ended = eventually(
            "both attempts are logged",
            Duration::from_secs(5),
            async || {
                let log = envoy.log();
                (log.matches("event=attempt_ended").count() == 2).then_some(log)
            },
        )
        .await;
        let log = ended.unwrap();
        let path = r#"path="/cart%0Aevent=forged""#;
        for (attempt, endpoint, end) in [("1", "sick", "status=503"), ("2", "well", "status=200")] {
            let common =
                format!("pool=default attempt={attempt} endpoint={endpoint} method=GET {path}");
            assert!(
                log.contains(&format!("event=attempt_sent {common}")),
                "{log}"
            );
            let line = format!("event=attempt_ended {common} {end} response_time=0.");
            assert!(log.contains(&line), "{log}");
        }
        assert!(!log.contains("s3cret"), "{log}");
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn concurrent_requests_are_changed_each_by_its_own_values() {
    run(async {
        let upstream = |name: &'static str| {
            Upstream::start(move |attempt, turn| {
                let fails = turn % 3 == 0;
                let expected = format!("{} at {name}", seen(attempt, "x-envoy-attempt-count")[0]);
                let right = seen(attempt, "x-try") == [expected];
                Reply::status(if !right {
                    418
                } else if fails {
                    503
                } else {
                    200
                })
            })
        };
        let a = upstream("a").await.unwrap();
        let b = upstream("b").await.unwrap();
        let envoy = pool(
            &[("a", a.addr()), ("b", b.addr())],
            r#"{"endpoints": ["a", "b"], "retry_policy": {"max_attempts": 10, "base_delay": 0},
                "interceptors": {"request": [{"set_header": {"x-try": "{attempt} at {endpoint}"}}],
                    "response": [{"add_header": {"x-from": "{endpoint}"}}],
                    "logging": {"level": "debug"}}}"#,
        )
        .await;
        let report = Load::new(envoy.addr())
            .during(Duration::from_secs(2))
            .concurrency(16)
            .rate(300.0)
            .run()
            .await;
        assert_eq!(report.status(200), report.total(), "{report}");
        assert!(
            a.count() + b.count() > report.total(),
            "nothing was retried"
        );
        assert_unharmed(&envoy).await;
    });
}
