//! Active health checks, made once for all workers:
//! - each upstream sees one check an interval, with any number of workers, and after a reload;
//! - two bad checks take an endpoint out for all workers, 404 degrades it, recovery brings it back;
//! - live answers can degrade an endpoint or take it out.

use std::time::Duration;

use steerage_harness::serde_json::json;
use steerage_harness::tokio::time::sleep;
use steerage_harness::{Cluster, Received, Reply, Upstream, eventually, get, run};

use crate::support::{assert_unharmed, envoy_of, tally};

fn checks(upstream: &Upstream) -> Vec<Received> {
    let mut received = upstream.received();
    received.retain(|request| request.path == "/health");
    received
}

/// The endpoints of 24 requests, each on its own connection, and so over all workers.
async fn spread(envoy: &steerage_harness::Envoy) -> std::collections::BTreeMap<String, usize> {
    let mut bodies = Vec::new();
    for _ in 0..24 {
        let answer = get(envoy.addr(), "/").await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        bodies.push(answer.text());
    }
    tally(bodies)
}

#[test]
fn each_upstream_sees_one_check_an_interval_with_any_number_of_workers() {
    run(async {
        let mut upstreams = Vec::new();
        for _ in 0..6 {
            upstreams.push(Upstream::start(|_, _| Reply::ok()).await.unwrap());
        }
        let names = ["a", "b", "c", "d", "e", "f"];
        let clusters: Vec<_> = names
            .into_iter()
            .zip(upstreams.iter().map(Upstream::addr))
            .collect();
        let config = |status: &str| {
            format!(
                r#"{{"pools": [
                    {{"name": "one", "match": {{"path": "/{status}"}}, "endpoints": ["a", "b", "c"], "health_check": {{"interval": 1}}}},
                    {{"name": "two", "endpoints": ["d", "e", "f"], "health_check": {{"interval": 1}}}}]}}"#
            )
        };
        let envoy = envoy_of(&clusters, &config("old"))
            .concurrency(4)
            .by_ecds()
            .start()
            .await
            .unwrap();
        let within = async |seconds: u64| {
            upstreams.iter().for_each(Upstream::clear);
            sleep(Duration::from_secs(seconds)).await;
            let counts: Vec<_> = upstreams.iter().map(|each| checks(each).len()).collect();
            let expected = usize::try_from(seconds).unwrap();
            // One more or less for where the interval begins and for jitter.
            assert!(
                counts.iter().all(|count| count.abs_diff(expected) <= 1),
                "{counts:?} checks in {seconds} s"
            );
        };
        within(5).await;
        // The worker that has checked so far is replaced; no upstream misses two intervals.
        envoy.update_filter_config(&config("new")).await.unwrap();
        within(4).await;
        let agent = checks(&upstreams[0])[0].header("user-agent");
        assert_eq!(agent.as_deref(), Some("steerage-health-check"));
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn bad_checks_take_an_endpoint_out_for_all_workers_and_good_ones_bring_it_back() {
    run(async {
        let a = Upstream::named("a").await.unwrap();
        let b = Upstream::named("b").await.unwrap();
        let envoy = envoy_of(
            &[("a", a.addr()), ("b", b.addr())],
            r#"{"endpoints": ["a", "b"],
                "health_check": {"interval": 0.3, "timeout": 0.2, "jitter": 0}}"#,
        )
        .concurrency(4)
        .start()
        .await
        .unwrap();
        let says = |status: u16| {
            move |received: &Received, _: usize| {
                if received.path == "/health" {
                    Reply::status(status)
                } else {
                    Reply::ok().body("a")
                }
            }
        };
        assert!(spread(&envoy).await.contains_key("a"));
        for (status, used) in [(500, false), (404, true), (503, false), (200, true)] {
            a.set(says(status));
            // Two intervals until the verdict and one round until all workers know, at most.
            sleep(Duration::from_millis(1_200)).await;
            let spread = spread(&envoy).await;
            assert_eq!(spread.contains_key("a"), used, "{status}: {spread:?}");
            assert!(spread.contains_key("b"), "{status}: {spread:?}");
        }
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn a_live_answer_can_take_its_endpoint_out_until_checks_say_otherwise() {
    run(async {
        let a = Upstream::start(|received, _| {
            if received.path == "/health" {
                Reply::status(500)
            } else {
                Reply::ok()
                    .header("x-envoy-immediate-health-check-fail", "true")
                    .body("a")
            }
        })
        .await
        .unwrap();
        let b = Upstream::named("b").await.unwrap();
        let envoy = envoy_of(
            &[("a", a.addr()), ("b", b.addr())],
            // The only check is made before anything is known, and the verdict waits for five.
            r#"{"endpoints": ["a", "b"],
                "health_check": {"interval": 60, "healthy_statuses": ["5xx", "2xx"]}}"#,
        )
        .concurrency(2)
        .start()
        .await
        .unwrap();
        eventually(
            "the answer that takes it out",
            Duration::from_secs(10),
            async || {
                let answer = get(envoy.addr(), "/").await.unwrap();
                (answer.text() == "a").then_some(())
            },
        )
        .await
        .unwrap();
        // The other worker merges it in its next round, on a busy machine a little later.
        let recovered = async || (spread(&envoy).await.get("b") == Some(&24)).then_some(());
        eventually("all go to b", Duration::from_secs(5), recovered)
            .await
            .unwrap();
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn a_cluster_of_a_mesh_is_checked_at_its_application() {
    run(async {
        // Like an application in a mesh, it serves one host, and what is no host at all it refuses: by
        // HTTP/1 with 400, by HTTP/2 with a reset.
        let app = Upstream::named("app").await.unwrap();
        let host = "api.ns.svc.cluster.local";
        let front = steerage_harness::Envoy::builder()
            .without_filter("app")
            .cluster("app", app.addr())
            .merge_manager(json!({"route_config": {"virtual_hosts": [{
                "name": "api",
                "domains": [host],
                "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "app"}}],
            }]}}))
            .start()
            .await
            .unwrap();
        let speaks_what = [("http_protocol_options", 1), ("http2_protocol_options", 4)];
        for (protocol, workers) in speaks_what {
            app.clear();
            let name = format!("outbound|80||{host}");
            let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
            let speaks = json!({"typed_extension_protocol_options": {options: {
                "@type": format!("type.googleapis.com/{options}"),
                "explicit_http_config": {protocol: {}},
            }}});
            let config = format!(
                r#"{{"endpoints": ["{name}"], "health_check": {{"interval": 0.2}},
                    "admin": {{"path": "/steerage"}}}}"#
            );
            let envoy = steerage_harness::Envoy::builder()
                .config(config)
                .concurrency(workers)
                .cluster_with(Cluster::new(&name).host(front.addr()).merge(speaks))
                .start()
                .await
                .unwrap();
            let soon = Duration::from_secs(5);
            eventually("a check has come through", soon, async || {
                (!checks(&app).is_empty()).then_some(())
            })
            .await
            .unwrap();
            let asked = checks(&app)[0].header("host");
            assert_eq!(asked.as_deref(), Some(host), "{protocol}");
            eventually("the verdict is healthy", soon, async || {
                let status = get(envoy.addr(), "/steerage/endpoints").await.unwrap();
                status
                    .text()
                    .contains(r#""health":"healthy""#)
                    .then_some(())
            })
            .await
            .unwrap();
            assert_unharmed(&envoy).await;
        }
    });
}
