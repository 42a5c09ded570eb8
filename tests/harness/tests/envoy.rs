//! A bare Envoy, without the filter, started, watched and ended.

use std::time::Duration;

use steerage_harness::serde_json::json;
use steerage_harness::{Cluster, Envoy, HarnessError, Load, Reply, Upstream, get, run};

#[test]
fn a_request_passes_through_a_bare_envoy() {
    run(async {
        let upstream = Upstream::named("a").await?;
        let envoy = Envoy::builder()
            .cluster("a", upstream.addr())
            .without_filter("a")
            .start()
            .await?;
        let answer = get(envoy.addr(), "/through?q=1").await?;
        assert_eq!(
            (answer.status.as_u16(), answer.text()),
            (200, "a".to_owned())
        );
        let received = upstream.received().remove(0);
        assert_eq!(received.path, "/through?q=1");
        assert!(
            received.headers.contains_key("x-request-id"),
            "{received:?}"
        );

        assert_eq!(
            envoy
                .wait_for_stat("http.main.downstream_rq_2xx", |n| n > 0)
                .await?,
            1
        );
        assert_eq!(envoy.stat("no.such.stat").await?, None);
        assert!(envoy.stats("^cluster\\.a\\.upstream_rq").await?.len() > 3);
        assert!(
            envoy.admin_get("/clusters").await?.contains("a::"),
            "the cluster is listed"
        );
        assert!(envoy.admin_get("/no-such-page").await.is_err());
        assert!(
            envoy.log().contains("starting main dispatch loop"),
            "{}",
            envoy.log()
        );
        assert!(envoy.rss_kib()? > 10_000);
        assert_eq!(envoy.url(), format!("http://{}", envoy.addr()));

        let before = envoy.cpu_time()?;
        let report = Load::new(envoy.addr())
            .total(2000)
            .concurrency(8)
            .run()
            .await;
        assert_eq!(report.failed(), 0, "{report}");
        assert!(envoy.cpu_time()? > before);

        let proc = format!("/proc/{}", envoy.pid());
        drop(envoy);
        assert!(!std::path::Path::new(&proc).exists(), "the process is gone");
        Ok::<_, HarnessError>(())
    })
    .unwrap();
}

#[test]
fn failing_clusters_fail_as_asked() {
    run(async {
        let refusing = Upstream::refusing()?;
        let resetting = Upstream::start(|_, _| Reply::reset()).await?;
        let well = Upstream::named("well").await?;
        for (cluster, status, details) in [
            (
                Cluster::new("c").host(refusing.addr()),
                503,
                "remote_connection_failure",
            ),
            (
                Cluster::new("c").host(resetting.addr()),
                503,
                "connection_termination",
            ),
            (Cluster::new("c"), 503, "no_healthy_upstream"),
            (
                Cluster::new("c")
                    .host(well.addr())
                    .max_pending_requests(0)
                    .max_connections(0),
                503,
                "overflow",
            ),
            (Cluster::new("c").host(well.addr()), 200, "via_upstream"),
        ] {
            let details_in_header =
                json!({"header": {"key": "x-details", "value": "%RESPONSE_CODE_DETAILS%"}});
            let envoy = Envoy::builder()
                .concurrency(1)
                .cluster_with(cluster)
                .without_filter("c")
                .merge_manager(
                    json!({"route_config": {"response_headers_to_add": [details_in_header]}}),
                )
                .start()
                .await?;
            let answer = get(envoy.addr(), "/").await?;
            let found = answer.header("x-details").unwrap_or_default();
            assert_eq!(answer.status, status, "{details}: {answer:?}");
            assert!(found.contains(details), "{details}: {found}");
        }
        Ok::<_, HarnessError>(())
    })
    .unwrap();
}

#[test]
fn a_refused_configuration_is_an_error_with_the_log() {
    run(async {
        let error = Envoy::builder()
            .without_filter("a")
            .merge_bootstrap(json!({"nonsense": 1}))
            .start()
            .await;
        match error {
            Err(HarnessError::EnvoyExited { log, .. }) => {
                assert!(log.contains("nonsense"), "{log}");
            }
            other => panic!("{other:?}"),
        }
        let missing = Envoy::builder()
            .wasm("/no/such.wasm")
            .config("{}")
            .start()
            .await;
        assert!(
            matches!(missing, Err(HarnessError::FilterMissing { .. })),
            "{missing:?}"
        );
    });
}

#[test]
fn a_users_file_runs_with_its_ports_replaced() {
    run(async {
        let upstream = Upstream::start(|_, _| Reply::ok().delay(Duration::from_millis(5))).await?;
        let file =
            std::env::temp_dir().join(format!("steerage-harness-{}.yaml", std::process::id()));
        std::fs::write(&file, USERS_FILE).unwrap();
        let port = format!("port_value: {}", upstream.addr().port());
        let replacements = [
            ("port_value: 10000", "port_value: 0"),
            ("port_value: 8001", port.as_str()),
        ];
        let envoy = Envoy::from_yaml_file(&file, &replacements).await?;
        assert_eq!(get(envoy.addr(), "/").await?.status, 200);
        assert_eq!(envoy.addr_of("users"), Some(envoy.addr()));
        assert_eq!(upstream.count(), 1);

        let stale = Envoy::from_yaml_file(&file, &[("port_value: 4711", "")]).await;
        assert!(
            matches!(stale, Err(HarnessError::NothingToReplace { .. })),
            "{stale:?}"
        );
        std::fs::remove_file(&file).unwrap();
        Ok::<_, HarnessError>(())
    })
    .unwrap();
}

const USERS_FILE: &str = "
admin:
  address: {socket_address: {address: 127.0.0.1, port_value: 0}}
static_resources:
  listeners:
  - name: users
    address: {socket_address: {address: 0.0.0.0, port_value: 10000}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          '@type': type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: users
          route_config:
            virtual_hosts: [{name: all, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: a}}]}]
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - name: a
    load_assignment:
      cluster_name: a
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 8001}}}}]}]
";
