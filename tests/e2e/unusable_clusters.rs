//! Clusters that cannot take a request, unknown, empty, refusing or at their limits, are passed over,
//! for every method: nothing was sent.

use steerage_harness::tokio::task::JoinSet;
use steerage_harness::{Cluster, Reply, Upstream, get, run};

use crate::last_answer::failing;
use crate::support::{ask, assert_unharmed, envoy_of};

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
