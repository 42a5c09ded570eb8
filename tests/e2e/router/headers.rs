//! What upstreams and clients see: each attempt as its endpoint wants it, with the rules of the route
//! and its number, and nothing else of the filter. And what metrics say of all that.

use std::time::Duration;

use steerage_harness::serde_json::json;
use steerage_harness::{Load, Reply, Upstream, eventually, get, run};

use super::stage::{Http1, Http2, assert_all_by_router, envoy_of};
use crate::support::ask;

#[test]
fn each_attempt_is_as_its_endpoint_the_route_and_interceptors_want_it() {
    run(async {
        for protocol in [Http1, Http2] {
            let sick = Upstream::start(|_, _| Reply::status(503).header("x-steerage-retry", "1"));
            let sick = sick.await.unwrap();
            let well = Upstream::start(|_, _| Reply::ok().header("x-steerage-retry", "1"));
            let well = well.await.unwrap();
            let clusters = [("sick", sick.addr()), ("well", well.addr())];
            let config = r#"{"response_headers": true, "retry_policy": {"base_delay": 0.001},
                "endpoints": [{"cluster": "sick", "authority": "sick.example"},
                    {"cluster": "well", "priority": 1, "authority": "well.example", "path_prefix": "/v2"}],
                "interceptors": {
                    "request": [{"add_header": {"x-attempt": "{attempt} {endpoint}"}}],
                    "response": [{"add_header": {"x-answered": "{attempt}"}}]}}"#;
            let envoy = envoy_of(protocol, &clusters, config)
                .merge_manager(json!({"route_config": {"request_headers_to_add": [
                    {"header": {"key": "x-of-the-route", "value": "here"}}]}}))
                .start()
                .await
                .unwrap();
            let forged = [
                ("x-steerage-cluster", "sick"),
                ("x-envoy-retry-on", "5xx"),
                ("x-envoy-max-retries", "9"),
            ];
            let answer = ask(&envoy, "GET", "/path?q=1", &forged).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let header = |name| answer.header(name).unwrap_or_default();
            assert_eq!(header("x-steerage-endpoint"), "well");
            assert_eq!(header("x-steerage-attempts"), "2");
            let answered: Vec<_> = answer.headers.get_all("x-answered").iter().collect();
            assert_eq!(answered, ["2"]);
            let at_both = [
                (&sick, "sick.example", "/path?q=1", "1", "1 sick"),
                (&well, "well.example", "/v2/path?q=1", "2", "2 well"),
            ];
            for (upstream, authority, path, number, seen) in at_both {
                let received = upstream.received();
                assert_eq!(received.len(), 1, "{authority}: {received:?}");
                let received = &received[0];
                let header = |name| received.header(name).unwrap_or_default();
                assert_eq!(header("host"), authority);
                assert_eq!(received.path, path);
                assert_eq!(header("x-envoy-attempt-count"), number);
                assert_eq!(header("x-of-the-route"), "here");
                let once: Vec<_> = received.headers.get_all("x-attempt").iter().collect();
                assert_eq!(once, [seen]);
                let ours: Vec<_> = received
                    .headers
                    .keys()
                    .map(|name| name.as_str())
                    .filter(|name| {
                        name.contains("steerage")
                            || name.contains("retr")
                            || name.contains("per-try")
                    })
                    .collect();
                assert!(ours.is_empty(), "{authority}: {ours:?}");
            }
            assert_all_by_router(&envoy).await;
        }
    });
}

#[test]
fn a_rewrite_of_the_route_applies_to_retries() {
    run(async {
        let sick = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
        let well = Upstream::named("well").await.unwrap();
        let clusters = [("sick", sick.addr()), ("well", well.addr())];
        let config = r#"{"endpoints": ["sick", {"cluster": "well", "priority": 1}]}"#;
        let envoy = envoy_of(Http1, &clusters, config)
            .merge_route(json!({"prefix_rewrite": "/rewritten/"}));
        let envoy = envoy.start().await.unwrap();
        assert_eq!(get(envoy.addr(), "/path").await.unwrap().text(), "well");
        for upstream in [&sick, &well] {
            assert_eq!(upstream.received()[0].path, "/rewritten/path");
        }
        assert_all_by_router(&envoy).await;
    });
}

#[test]
fn sums_of_metrics_are_what_upstreams_have_counted() {
    run(async {
        for workers in [1, 2, 4] {
            let status = |_: &_, n| Reply::status(if n % 3 == 0 { 503 } else { 200 });
            let bad = Upstream::start(status).await.unwrap();
            let good = Upstream::named("good").await.unwrap();
            let gone = Upstream::refusing().unwrap();
            let clusters = [
                ("bad", bad.addr()),
                ("good", good.addr()),
                ("gone", gone.addr()),
            ];
            let config =
                r#"{"endpoints": ["bad", "good", "gone"], "retry_policy": {"base_delay": 0.001}}"#;
            let envoy = envoy_of(Http1, &clusters, config).concurrency(workers);
            let envoy = envoy.start().await.unwrap();
            let report = Load::new(envoy.addr())
                .total(150)
                .concurrency(8)
                .run()
                .await;
            assert_eq!(report.status(200), 150, "{report}");
            let count = async |parts: &[&str]| -> u64 {
                let stats = envoy.stats("^wasmcustom\\.steerage_").await.unwrap();
                let wanted = |name: &str| parts.iter().all(|part| name.contains(part));
                let found = stats.iter().filter(|(name, _)| wanted(name));
                found.map(|(_, value)| value).sum()
            };
            eventually("counted requests", Duration::from_secs(5), async || {
                let requests = count(&["steerage_requests_total"]).await;
                let answers = count(&["steerage_answers_total"]).await;
                (requests == 150 && answers == 150).then_some(())
            })
            .await
            .unwrap();
            for (endpoint, upstream) in [("endpoint=bad", &bad), ("endpoint=good", &good)] {
                let attempts = count(&["steerage_attempts_total", endpoint]).await;
                assert_eq!(attempts, upstream.count() as u64, "{endpoint}");
                let selections = count(&["steerage_selections_total", endpoint]).await;
                assert_eq!(selections, attempts, "{endpoint}");
            }
            let failed = count(&["steerage_attempts_total", "outcome=status"]).await;
            assert_eq!(failed, bad.count().div_ceil(3) as u64);
            let retries = count(&["steerage_retries_total", "reason=status"]).await;
            assert_eq!(retries, failed);
            eventually("nothing active", Duration::from_secs(5), async || {
                (count(&["steerage_endpoint_active"]).await == 0).then_some(())
            })
            .await
            .unwrap();
            assert_all_by_router(&envoy).await;
        }
    });
}
