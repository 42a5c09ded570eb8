//! Headers, contract §5: those about an attempt for the upstream, those about the answer for the
//! client, and that no client's header steers the filter or the router, on first attempts and on
//! retries.

use std::time::Duration;

use steerage_harness::serde_json::json;
use steerage_harness::{Answer, Cluster, Envoy, Received, Reply, Upstream, run};

use crate::support::{ask, assert_unharmed, pool, steady};

#[test]
fn every_attempt_carries_its_number_and_the_time_that_is_left() {
    run(async {
        let slow_failure = |_: &Received, _| Reply::status(503).delay(Duration::from_millis(300));
        let a = Upstream::start(slow_failure).await.unwrap();
        let b = Upstream::start(slow_failure).await.unwrap();
        let c = Upstream::named("c").await.unwrap();
        let envoy = pool(
            &[("a", a.addr()), ("b", b.addr()), ("c", c.addr())],
            r#"{"endpoints": ["a", {"cluster": "b", "priority": 1}, {"cluster": "c", "priority": 2}],
                "timeout": {"connect": 0.2, "read": 1.8, "total": 2}}"#,
        )
        .await;
        assert_eq!(ask(&envoy, "GET", "/", &[]).await.text(), "c");
        let attempts = [&a, &b, &c].map(|upstream| upstream.received().remove(0));
        let counts: Vec<_> = attempts
            .iter()
            .map(|attempt| values(attempt, "x-envoy-attempt-count"))
            .collect();
        assert_eq!(counts, [["1"], ["2"], ["3"]]);
        let timeouts: Vec<u64> = attempts
            .iter()
            .map(|attempt| values(attempt, "x-envoy-expected-rq-timeout-ms"))
            .map(|values| {
                assert_eq!(values.len(), 1, "{values:?}");
                values[0].parse().unwrap()
            })
            .collect();
        assert!(timeouts[0] <= 1_800, "the read timeout: {timeouts:?}");
        // The time of earlier failures is used up; the next attempt has the rest and no more.
        assert!(timeouts[1] <= 1_700 && timeouts[2] <= 1_400, "{timeouts:?}");
        assert!(
            timeouts[0] >= timeouts[1] && timeouts[1] >= timeouts[2],
            "{timeouts:?}"
        );
        assert!(timeouts[2] > 0, "{timeouts:?}");
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn response_headers_give_the_client_endpoint_and_attempts() {
    run(async {
        let well = Upstream::named("well").await.unwrap();
        let sick = Upstream::start(|_, _| Reply::status(503).body("sick"))
            .await
            .unwrap();
        let refusing = Upstream::refusing().unwrap();
        let envoy = pool(
            &[
                ("well", well.addr()),
                ("sick", sick.addr()),
                ("refusing", refusing.addr()),
            ],
            r#"{"pools": [
                {"name": "routed", "match": {"path": "/routed"}, "response_headers": true,
                 "endpoints": [{"cluster": "well", "name": "West"}]},
                {"name": "retried", "match": {"path": "/retried"}, "response_headers": true,
                 "endpoints": ["sick", {"cluster": "refusing", "priority": 1}, {"cluster": "well", "name": "West", "priority": 2}]},
                {"name": "resumed", "match": {"path": "/resumed"}, "response_headers": true,
                 "endpoints": ["sick", {"cluster": "refusing", "priority": 1}],
                 "retry_policy": {"max_attempts": 2}},
                {"name": "off", "match": {"path": "/off"}, "endpoints": ["sick"]}
            ]}"#,
        )
        .await;
        for (method, path, status, endpoint, attempts) in [
            ("GET", "/routed", 200, "West", "1"),
            ("GET", "/retried", 200, "West", "3"),
            ("HEAD", "/retried", 200, "West", "3"),
            ("POST", "/retried", 503, "sick", "1"),
            ("GET", "/resumed", 503, "refusing", "2"),
            ("HEAD", "/resumed", 503, "refusing", "2"),
        ] {
            let answer = ask(&envoy, method, path, &[]).await;
            let case = format!("{method} {path}: {answer:?}");
            assert_eq!(answer.status, status, "{case}");
            assert_eq!(
                answer_values(&answer, "x-steerage-endpoint"),
                [endpoint],
                "{case}"
            );
            assert_eq!(
                answer_values(&answer, "x-steerage-attempts"),
                [attempts],
                "{case}"
            );
        }
        for method in ["GET", "POST"] {
            let answer = ask(&envoy, method, "/off", &[]).await;
            assert_eq!(answer.status, 503);
            assert_eq!(answer.header("x-steerage-endpoint"), None);
            assert_eq!(answer.header("x-steerage-attempts"), None);
        }
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn response_headers_of_another_steerage_behind_this_one_are_replaced() {
    run(async {
        let nested = |_: &Received, _| {
            Reply::ok()
                .header("x-steerage-endpoint", "inner")
                .header("x-steerage-attempts", "9")
        };
        let near = Upstream::start(nested).await.unwrap();
        let far = Upstream::start(nested).await.unwrap();
        let envoy = pool(
            &[("near", near.addr()), ("far", far.addr())],
            r#"{"endpoints": ["near", {"cluster": "far", "priority": 1}], "response_headers": true}"#,
        )
        .await;
        let check = async |method: &str, endpoint: &str, attempts: &str| {
            let answer = ask(&envoy, method, "/", &[]).await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer_values(&answer, "x-steerage-endpoint"), [endpoint]);
            assert_eq!(answer_values(&answer, "x-steerage-attempts"), [attempts]);
        };
        check("GET", "near", "1").await;
        near.set(|_, _| Reply::status(503));
        check("HEAD", "far", "2").await;
        check("GET", "far", "2").await;
    });
}

#[test]
fn a_client_cannot_steer() {
    // Each would have an effect if it were honoured: the cluster, the number of attempts, or a
    // timeout of 1 ms for upstreams that take 30.
    let hostile = [
        ("x-steerage-cluster", "trap"),
        ("x-steerage-cluster", "trap"),
        ("x-steerage-anything", "1"),
        ("x-steerage-endpoint", "trap"),
        ("x-steerage-attempts", "9"),
        ("X-Envoy-Attempt-Count", "9"),
        (
            "x-envoy-retry-on",
            "5xx,reset,retriable-status-codes,gateway-error",
        ),
        ("x-envoy-retry-on", "connect-failure"),
        ("x-envoy-retry-grpc-on", "unavailable"),
        ("x-envoy-max-retries", "7"),
        ("x-envoy-retriable-status-codes", "200,404,503"),
        ("x-envoy-retriable-header-names", "x-why"),
        ("x-envoy-upstream-rq-timeout-ms", "1"),
        ("x-envoy-upstream-rq-per-try-timeout-ms", "1"),
        ("x-envoy-upstream-rq-timeout-alt-response", "1"),
        ("x-envoy-upstream-stream-duration-ms", "1"),
        ("x-envoy-hedge-on-per-try-timeout", "true"),
        ("x-envoy-expected-rq-timeout-ms", "1"),
        ("x-envoy-is-timeout-retry", "true"),
        ("x-envoy-upstream-alt-stat-name", "mine"),
    ];
    run(async move {
        let sick = Upstream::start(|_, _| {
            Reply::status(503)
                .header("x-why", "sick")
                .delay(Duration::from_millis(30))
        })
        .await
        .unwrap();
        let well =
            Upstream::start(|_, _| Reply::ok().body("well").delay(Duration::from_millis(30)))
                .await
                .unwrap();
        let trap = Upstream::named("trap").await.unwrap();
        let envoy = pool(
            &[
                ("sick", sick.addr()),
                ("well", well.addr()),
                ("trap", trap.addr()),
            ],
            r#"{"pools": [
                {"name": "routed", "match": {"path": "/routed"}, "endpoints": ["well"]},
                {"name": "retried", "match": {"path": "/retried"}, "endpoints": ["sick", {"cluster": "well", "priority": 1}]}
            ]}"#,
        )
        .await;
        for path in ["/routed", "/retried"] {
            let answer = ask(&envoy, "GET", path, &hostile).await;
            assert_eq!(
                (answer.status.as_u16(), &*answer.text()),
                (200, "well"),
                "{path}"
            );
        }
        let answer = ask(&envoy, "POST", "/retried", &hostile).await;
        assert_eq!(
            answer.status, 503,
            "a POST is not repeated because a client says so"
        );
        assert_eq!((sick.count(), well.count(), trap.count()), (2, 2, 0));

        let well = well.received();
        let sick = sick.received();
        let attempts = [
            (&well[0], "1"),
            (&well[1], "2"),
            (&sick[0], "1"),
            (&sick[1], "1"),
        ];
        for (attempt, number) in attempts {
            assert_eq!(values(attempt, "x-envoy-attempt-count"), [number]);
            let told = values(attempt, "x-envoy-expected-rq-timeout-ms");
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told[0].parse::<u64>().unwrap() > 1_000, "{told:?}");
            let own = ["x-envoy-attempt-count", "x-envoy-expected-rq-timeout-ms"];
            let names = attempt.headers.keys();
            let ours: Vec<_> = names
                .filter(|name| name.as_str().starts_with("x-steerage"))
                .collect();
            assert!(ours.is_empty(), "{ours:?} in attempt {number}");
            for (name, _) in hostile {
                let name = name.to_ascii_lowercase();
                if !own.contains(&&*name) {
                    assert_eq!(attempt.header(&name), None, "{name} in attempt {number}");
                }
            }
        }
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn header_rules_in_the_right_place_apply_to_every_attempt() {
    run(async {
        // On the route they would hold for first attempts only: a call does not take the route, and
        // Envoy puts what the route adds to an answer in front of what a call has brought.
        let reply = |status| {
            move |_: &Received, _| {
                Reply::status(status)
                    .header("access-control-allow-origin", "https://internal.example")
                    .header("x-internal", "1")
            }
        };
        let near = Upstream::start(reply(200)).await.unwrap();
        let far = Upstream::start(reply(200)).await.unwrap();
        let config = r#"{"endpoints": ["near", {"cluster": "far", "priority": 1}],
            "interceptors": {
                "request": [{"remove_header": "x-internal-token"}],
                "response": [{"set_header": {"access-control-allow-origin": "*"}},
                             {"remove_header": "x-internal"}]
            }}"#;
        // A filter in front of the upstreams sees calls, too.
        let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
        let type_of = |name: &str| format!("type.googleapis.com/envoy.extensions.{name}");
        let filters = json!({"typed_extension_protocol_options": {options: {
            "@type": format!("type.googleapis.com/{options}"),
            "explicit_http_config": {"http_protocol_options": {}},
            "http_filters": [
                {"name": "header_mutation", "typed_config": {
                    "@type": type_of("filters.http.header_mutation.v3.HeaderMutation"),
                    "mutations": {"request_mutations": [
                        {"remove": "x-other-token"}, {"remove": "x-envoy-internal"},
                    ]},
                }},
                {"name": "upstream_codec", "typed_config": {
                    "@type": type_of("filters.http.upstream_codec.v3.UpstreamCodec"),
                }},
            ],
        }}});
        let cluster = |name, upstream: &Upstream| {
            Cluster::new(name)
                .host(upstream.addr())
                .merge(filters.clone())
        };
        let envoy = Envoy::builder()
            .config(steady(config))
            .cluster_with(cluster("near", &near))
            .cluster_with(cluster("far", &far))
            .start()
            .await
            .unwrap();
        let sent = [("x-internal-token", "1"), ("x-other-token", "1")];
        let check = async || {
            let answer = ask(&envoy, "GET", "/", &sent).await;
            assert_eq!(answer.status, 200);
            let cors = answer_values(&answer, "access-control-allow-origin");
            assert_eq!(
                (cors, answer.header("x-internal")),
                (vec!["*".to_owned()], None)
            );
        };
        check().await;
        near.set(reply(503));
        check().await;
        for attempt in near.received().into_iter().chain(far.received()) {
            for name in ["x-internal-token", "x-other-token", "x-envoy-internal"] {
                assert_eq!(attempt.header(name), None, "{attempt:?}");
            }
        }
        assert_eq!((near.count(), far.count()), (2, 1));
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn other_headers_reach_every_attempt_unchanged() {
    run(async {
        let sick = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
        let well = Upstream::named("well").await.unwrap();
        let envoy = pool(
            &[("sick", sick.addr()), ("well", well.addr())],
            r#"{"endpoints": ["sick", {"cluster": "well", "priority": 1}]}"#,
        )
        .await;
        let sent = [
            ("x-twice", "1"),
            ("x-twice", "2"),
            ("x-empty", ""),
            ("cookie", "a=1; b=2"),
            ("authorization", "Bearer x"),
            (
                "traceparent",
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            ),
            ("x-forwarded-for", "192.0.2.7"),
            ("user-agent", "tests"),
            ("accept-encoding", "gzip"),
        ];
        let answer = ask(&envoy, "GET", "/", &sent).await;
        assert_eq!(answer.text(), "well");
        let first = sick.received().remove(0);
        let retry = well.received().remove(0);
        for (name, _) in sent {
            let expected: Vec<_> = sent
                .iter()
                .filter(|(other, _)| *other == name)
                .map(|(_, value)| *value)
                .collect();
            assert_eq!(values(&retry, name), expected, "{name}");
            assert_eq!(values(&first, name), expected, "{name}");
        }
        // Envoy made it for the first attempt, and this is still the same request.
        for name in ["host", "x-request-id", "x-forwarded-proto"] {
            assert_eq!(values(&retry, name), values(&first, name), "{name}");
            assert_eq!(values(&retry, name).len(), 1, "{name}");
        }
    });
}

/// All values of a header that an upstream saw.
fn values(received: &Received, name: &str) -> Vec<String> {
    let values = received.headers.get_all(name).iter();
    values
        .map(|value| value.to_str().unwrap().to_owned())
        .collect()
}

/// All values of a header that the client got.
fn answer_values(answer: &Answer, name: &str) -> Vec<String> {
    let values = answer.headers.get_all(name).iter();
    values
        .map(|value| value.to_str().unwrap().to_owned())
        .collect()
}
