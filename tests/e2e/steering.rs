//! Where a request goes with every strategy: which pool takes it, what happens if no pool takes it,
//! the routing header, an endpoint's changes to its requests, and the reserves: drained endpoints
//! and higher tiers.

use steerage_harness::serde_json::{Value, json};
use steerage_harness::{Received, Reply, Upstream, run};

use crate::support::{ask, assert_unharmed, bodies, envoy_of, pool, pool_of_one_worker};

#[test]
fn the_first_pool_that_matches_takes_the_request() {
    run(async {
        let names = ["exact", "prefix", "regex", "hosts", "methods", "headers"];
        let mut upstreams = Vec::new();
        for name in names {
            upstreams.push(Upstream::named(name).await.unwrap());
        }
        let clusters: Vec<_> = names
            .into_iter()
            .zip(upstreams.iter().map(Upstream::addr))
            .collect();
        let envoy = pool(
            &clusters,
            r#"{"pools": [
                {"name": "exact", "match": {"path": "/api/exact"}, "endpoints": ["exact"]},
                {"name": "prefix", "match": {"prefix": "/api"}, "endpoints": ["prefix"]},
                {"name": "regex", "match": {"regex": "/v[0-9]+/users"}, "endpoints": ["regex"]},
                {"name": "hosts", "match": {"hosts": ["shop.example", "*.shop.example"]}, "endpoints": ["hosts"]},
                {"name": "methods", "match": {"prefix": "/m", "methods": ["PUT", "DELETE"]}, "endpoints": ["methods"]},
                {"name": "headers", "match": {"headers": {"x-tenant": "blue", "x-trace": {"present": true}, "user-agent": {"prefix": "curl/"}}}, "endpoints": ["headers"]}
            ]}"#,
        )
        .await;
        let blue = [
            ("x-tenant", "blue"),
            ("x-trace", ""),
            ("user-agent", "curl/8"),
        ];
        for (method, path, headers, taken_by) in [
            ("GET", "/api/exact", &[][..], "exact"),
            ("GET", "/api/exact?q=1", &[], "exact"),
            ("GET", "/api/exact/", &[], "prefix"),
            ("POST", "/apis", &[], "prefix"),
            ("GET", "/API", &[], ""),
            ("GET", "/v12/users?page=2", &[], "regex"),
            ("GET", "/v12/users/1", &[], ""),
            ("GET", "/x/v12/users", &[], ""),
            ("GET", "/", &[("host", "shop.example")], "hosts"),
            ("GET", "/", &[("host", "EU.Shop.example:8080")], "hosts"),
            ("GET", "/", &[("host", "myshop.example")], ""),
            ("PUT", "/m", &[], "methods"),
            ("DELETE", "/m", &[], "methods"),
            ("GET", "/m", &[], ""),
            ("GET", "/", &blue, "headers"),
            ("GET", "/", &blue[..2], ""),
            ("GET", "/", &[("x-tenant", "blues"), blue[1], blue[2]], ""),
            (
                "GET",
                "/",
                &[blue[0], blue[1], ("user-agent", "my curl/8")],
                "",
            ),
            // The order of the pools decides between two that match.
            ("PUT", "/m", &blue, "methods"),
        ] {
            let answer = ask(&envoy, method, path, headers).await;
            let case = format!("{method} {path} {headers:?}");
            if taken_by.is_empty() {
                assert_eq!(answer.status, 503, "{case}");
            } else {
                assert_eq!(
                    (answer.status.as_u16(), &*answer.text()),
                    (200, taken_by),
                    "{case}"
                );
            }
        }
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn an_unmatched_request_keeps_all_but_the_routing_header() {
    run(async {
        let mine = Upstream::named("mine").await.unwrap();
        let plain = Upstream::named("plain").await.unwrap();
        let routes = json!([
            {"match": {"prefix": "/plain"}, "route": {"cluster": "plain", "timeout": "0s"}},
            {"match": {"prefix": "/"}, "route": {"cluster_header": "x-steerage-cluster", "timeout": "0s"}},
        ]);
        let envoy = envoy_of(
            &[("mine", mine.addr()), ("plain", plain.addr())],
            r#"{"match": {"prefix": "/mine"}, "endpoints": ["mine"]}"#,
        )
        .merge_manager(with_routes(&routes))
        .start()
        .await
        .unwrap();

        // The client's choice is gone, so Envoy finds no cluster.
        let twice = [
            ("x-steerage-cluster", "mine"),
            ("X-Steerage-Cluster", "plain"),
        ];
        let answer = ask(&envoy, "GET", "/elsewhere", &twice).await;
        assert_eq!(answer.status, 503, "{answer:?}");
        assert_eq!((mine.count(), plain.count()), (0, 0));

        // On a route without the routing header, nothing else is missing or added.
        let sent = [
            twice[0],
            twice[1],
            ("x-steerage-other", "1"),
            ("x-custom", "2"),
        ];
        let answer = ask(&envoy, "GET", "/plain?q=1", &sent).await;
        assert_eq!(answer.text(), "plain");
        let received = plain.received().remove(0);
        assert_eq!(received.path, "/plain?q=1");
        assert_eq!(received.header("x-steerage-cluster"), None);
        assert_eq!(received.header("x-steerage-other").as_deref(), Some("1"));
        assert_eq!(received.header("x-custom").as_deref(), Some("2"));
        assert_eq!(received.header("x-envoy-attempt-count"), None);
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn the_routing_header_may_have_another_name() {
    run(async {
        let sick = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
        let well = Upstream::named("well").await.unwrap();
        let trap = Upstream::named("trap").await.unwrap();
        let routes = json!([
            {"match": {"prefix": "/"}, "route": {"cluster_header": "x-go-to", "timeout": "0s"}},
        ]);
        let envoy = envoy_of(
            &[("sick", sick.addr()), ("well", well.addr()), ("trap", trap.addr())],
            r#"{"cluster_header": "x-go-to", "pools": [{"match": {"path": "/steered"}, "endpoints": ["sick", {"cluster": "well", "priority": 1}]}]}"#,
        )
        .merge_manager(with_routes(&routes))
        .start()
        .await
        .unwrap();
        let chosen = [
            ("x-go-to", "trap"),
            ("x-go-to", "trap"),
            ("x-steerage-cluster", "trap"),
        ];
        assert_eq!(ask(&envoy, "GET", "/steered", &chosen).await.text(), "well");
        for received in [sick.received().remove(0), well.received().remove(0)] {
            let values: Vec<_> = received.headers.get_all("x-go-to").iter().collect();
            assert!(values.iter().all(|value| *value != "trap"), "{received:?}");
            assert_eq!(received.header("x-steerage-cluster"), None, "{received:?}");
        }
        assert_eq!(ask(&envoy, "GET", "/unmatched", &chosen).await.status, 503);
        assert_eq!(trap.count(), 0);
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn an_endpoint_may_rewrite_the_authority_and_prefix_the_path_on_every_attempt() {
    run(async {
        let a = Upstream::named("a").await.unwrap();
        let b = Upstream::named("b").await.unwrap();
        let c = Upstream::named("c").await.unwrap();
        let envoy = pool_of_one_worker(
            &[("a", a.addr()), ("b", b.addr()), ("c", c.addr())],
            r#"{"match": {"path": "/users"}, "endpoints": [
                {"cluster": "a", "authority": "a.internal", "path_prefix": "/v1"},
                {"cluster": "b", "authority": "b.internal:81", "path_prefix": "/v2/deep"},
                "c"]}"#,
        )
        .await;
        let users = async || {
            let answer = ask(
                &envoy,
                "GET",
                "/users?page=2",
                &[("host", "public.example")],
            )
            .await;
            assert_eq!(answer.status, 200, "{answer:?}");
        };
        // First attempts only: one of each.
        for _ in 0..3 {
            users().await;
        }
        // Each of them as the only sound one, so that it gets the retries.
        let upstreams = [&a, &b, &c];
        for sound in 0..3 {
            for (number, upstream) in upstreams.into_iter().enumerate() {
                let status = if number == sound { 200 } else { 503 };
                upstream.set(move |_, _| Reply::status(status));
            }
            for _ in 0..3 {
                users().await;
            }
        }
        for (upstream, host, path) in [
            (&a, "a.internal", "/v1/users?page=2"),
            (&b, "b.internal:81", "/v2/deep/users?page=2"),
            (&c, "public.example", "/users?page=2"),
        ] {
            let received = upstream.received();
            let attempt = |received: &Received| received.header("x-envoy-attempt-count").unwrap();
            assert!(received.iter().any(|received| attempt(received) == "1"));
            assert!(received.iter().any(|received| attempt(received) != "1"));
            for received in received {
                assert_eq!(received.header("host").as_deref(), Some(host));
                assert_eq!(received.path, path);
            }
        }
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn an_authority_does_not_lose_the_virtual_host() {
    run(async {
        let a = Upstream::named("a").await.unwrap();
        let b = Upstream::named("b").await.unwrap();
        for (rewrites, workers) in [(true, 1), (true, 4), (false, 2)] {
            let mut route = json!({"cluster_header": "x-steerage-cluster", "timeout": "0s"});
            if rewrites {
                route["host_rewrite_header"] = json!("x-steerage-authority");
            }
            let hosts = json!({"route_config": {"virtual_hosts": [{
                "name": "one", "domains": ["public.example"], "routes": [{
                    "match": {"prefix": "/"}, "route": route,
                    "request_headers_to_remove": ["x-steerage-cluster"],
                }],
            }]}});
            let config = format!(
                r#"{{"host_rewrite_header": {rewrites}, "response_headers": true, "endpoints": [
                    {{"cluster": "a", "authority": "a.internal"}},
                    {{"cluster": "b", "authority": "b.internal"}}]}}"#
            );
            let clusters = [("a", a.addr()), ("b", b.addr())];
            let envoy = envoy_of(&clusters, &config).concurrency(workers);
            let envoy = envoy.merge_manager(hosts).start().await.unwrap();
            for _ in 0..6 {
                let answer = ask(&envoy, "GET", "/", &[("host", "public.example")]).await;
                assert_eq!(answer.status, 200, "{answer:?}");
                let attempts = answer.header("x-steerage-attempts").unwrap();
                // Where the route does not rewrite the host, the first attempt finds none.
                assert_eq!(attempts, if rewrites { "1" } else { "2" });
            }
            for (upstream, host) in [(&a, "a.internal"), (&b, "b.internal")] {
                for received in upstream.received() {
                    assert_eq!(received.header("host").as_deref(), Some(host));
                }
            }
            assert_eq!(a.count() + b.count(), 6);
            a.clear();
            b.clear();
            let broken = "wasmcustom.steerage_internal_errors_total;kind=authority_breaks_route";
            let broken = envoy.stat(broken).await.unwrap();
            assert_eq!(broken, Some(if rewrites { 0 } else { 6 }));
            let blamed = envoy
                .stats("outcome=(status|connect_failure)")
                .await
                .unwrap();
            assert!(blamed.values().all(|&count| count == 0), "{blamed:?}");
            assert_unharmed(&envoy).await;
        }
    });
}

#[test]
fn reserves_are_used_only_when_nothing_better_is_left() {
    run(async {
        let main = Upstream::named("main").await.unwrap();
        let drained = Upstream::named("drained").await.unwrap();
        let far = Upstream::named("far").await.unwrap();
        // Written first, so that neither is chosen by its place.
        let envoy = pool_of_one_worker(
            &[
                ("main", main.addr()),
                ("drained", drained.addr()),
                ("far", far.addr()),
            ],
            r#"{"endpoints": [{"cluster": "drained", "weight": 0}, {"cluster": "far", "priority": 1}, "main"],
                "retry_policy": {"max_attempts": 4, "base_delay": 0.01}, "response_headers": true}"#,
        )
        .await;
        assert_eq!(bodies(&envoy, 10).await, ["main"; 10]);
        assert_eq!((drained.count(), far.count()), (0, 0));

        main.set(|_, _| Reply::status(503));
        assert_eq!(bodies(&envoy, 5).await, ["far"; 5], "the higher tier");
        assert_eq!((main.count(), drained.count()), (15, 0));

        far.stop().await.unwrap();
        assert_eq!(ask(&envoy, "GET", "/", &[]).await.status, 503);
        assert_eq!(drained.count(), 0, "no retry while others are available");

        main.set(|_, number| Reply::status(if number % 2 == 0 { 503 } else { 200 }));
        main.clear();
        let answer = ask(&envoy, "GET", "/", &[]).await;
        assert_eq!(
            (
                answer.status.as_u16(),
                answer.header("x-steerage-attempts").as_deref()
            ),
            (200, Some("3")),
            "when all were tried, the best one again"
        );
        assert_eq!(main.count(), 2);
        assert_unharmed(&envoy).await;

        main.set(|_, _| Reply::status(503));
        let envoy = pool_of_one_worker(
            &[("main", main.addr()), ("drained", drained.addr())],
            r#"{"endpoints": [{"cluster": "drained", "weight": 0}, "main"],
                "circuit_breaker": {"failure_threshold": 2}, "retry_policy": {"max_attempts": 1}}"#,
        )
        .await;
        for _ in 0..2 {
            assert_eq!(ask(&envoy, "GET", "/", &[]).await.status, 503);
        }
        assert_eq!(bodies(&envoy, 5).await, ["drained"; 5], "the last reserve");
        assert_unharmed(&envoy).await;
    });
}

/// The part of the connection manager that holds these routes.
fn with_routes(routes: &Value) -> Value {
    json!({"route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]}})
}
