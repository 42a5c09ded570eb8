//! A host that is not prepared: the first request is served all the same, by a call, and one warning
//! names what is missing.

use steerage_harness::{Client, Reply, RouterRetries, Upstream, run};

use super::stage::{Http1, envoy_of};
use crate::support::assert_unharmed;

/// The warnings of the filter.
fn warnings(log: &str) -> Vec<&str> {
    log.lines()
        .filter(|line| line.contains("[warning][wasm]"))
        .collect()
}

#[test]
fn what_is_missing_is_named_once_and_no_request_fails_for_it() {
    run(async {
        // What Envoy lacks, and what the warning must name.
        let crippled = [
            (
                RouterRetries::by_state().without_attempts_filter(),
                "attempts",
            ),
            (RouterRetries::by_state().in_another_vm(), "attempts"),
            (
                RouterRetries::by_state().without_refresh(),
                "refresh_cluster_on_retry",
            ),
        ];
        for (retries, named) in crippled {
            let sick = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
            let well = Upstream::named("well").await.unwrap();
            let clusters = [("sick", sick.addr()), ("well", well.addr())];
            let config = r#"{"endpoints": ["sick", {"cluster": "well", "priority": 1}],
                "retry_policy": {"base_delay": 0.001}}"#;
            let builder = envoy_of(Http1, &clusters, config).concurrency(1);
            let envoy = builder.router_retries(retries).start().await.unwrap();
            let client = Client::new();
            for _ in 0..5 {
                let answer = client.get(envoy.addr(), "/").await.unwrap();
                assert_eq!(answer.text(), "well", "{named}: {answer:?}");
            }
            let log = envoy.log();
            let warnings = warnings(&log);
            let named: Vec<_> = warnings.iter().filter(|it| it.contains(named)).collect();
            assert_eq!(named.len(), 1, "{warnings:#?}");
            let counted = "wasmcustom.steerage_internal_errors_total;kind=no_attempts_filter";
            envoy.wait_for_stat(counted, |n| n > 0).await.unwrap();
            assert_unharmed(&envoy).await;
        }
    });
}

#[test]
fn without_permission_to_hold_and_by_a_header_retries_are_made_all_the_same() {
    run(async {
        for retries in [
            RouterRetries::by_state().without_holding(),
            RouterRetries::by_header(),
        ] {
            let failing = |_: &_, n| match n % 3 {
                0 => Reply::status(503),
                1 => Reply::reset(),
                _ => Reply::ok().body("sick"),
            };
            let sick = Upstream::start(failing).await.unwrap();
            let well = Upstream::named("well").await.unwrap();
            let clusters = [("sick", sick.addr()), ("well", well.addr())];
            let config =
                r#"{"endpoints": ["sick", "well"], "retry_policy": {"base_delay": 0.005}}"#;
            let builder = envoy_of(Http1, &clusters, config);
            let envoy = builder.router_retries(retries).start().await.unwrap();
            for _ in 0..20 {
                let answer = Client::new().get(envoy.addr(), "/").await.unwrap();
                assert_eq!(answer.status, 200, "{answer:?}");
            }
            assert_unharmed(&envoy).await;
        }
    });
}
