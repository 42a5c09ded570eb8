//! Configurations, good and bad, as a real Envoy delivers them:
//! - a wrong one is refused as a whole, with all its errors in Envoy's log: Envoy does not start,
//!   or where the filter comes by discovery (ECDS) it keeps the one in force, and serves;
//! - a text that is not JSON gets a specific message for each of the usual mistakes;
//! - several configurations run in one VM, each with its own pools.

use std::time::Duration;

use steerage_harness::serde_json::json;
use steerage_harness::{
    ConfigUpdate, Envoy, EnvoyBuilder, HarnessError, Upstream, eventually, get, run,
};

use crate::support::{assert_unharmed, bodies, envoy_of};

#[test]
fn a_wrong_configuration_keeps_envoy_from_starting_and_all_its_errors_are_logged() {
    run(async {
        let log = refused(Envoy::builder().config(WRONG)).await;
        for error in ERRORS {
            assert!(log.contains(error), "{error:?} is not in the log:\n{log}");
        }
    });
}

#[test]
fn a_struct_and_a_missing_configuration_have_their_own_errors() {
    run(async {
        let configured = json!({
            "@type": "type.googleapis.com/google.protobuf.Struct",
            "value": {"endpoints": ["a"]},
        });
        let log = refused(Envoy::builder().config_any(configured)).await;
        assert!(log.contains("google.protobuf.Struct"), "{log}");
        assert!(log.contains("google.protobuf.StringValue"), "{log}");

        let log = refused(Envoy::builder()).await;
        assert!(log.contains("no configuration arrived"), "{log}");
    });
}

#[test]
fn a_wrong_update_is_refused_and_the_configuration_in_force_serves_on() {
    run(async {
        let a = Upstream::named("a").await.unwrap();
        let b = Upstream::named("b").await.unwrap();
        let envoy = envoy_of(
            &[("a", a.addr()), ("b", b.addr())],
            r#"{"endpoints": ["a"]}"#,
        )
        .by_ecds()
        .start()
        .await
        .unwrap();
        assert_eq!(bodies(&envoy, 4).await, ["a"; 4]);
        for (update, messages) in [
            (WRONG, ERRORS),
            ("", &["no configuration arrived"]),
            ("  \n", &["no configuration arrived"]),
            (
                "endpoints: [b]",
                &["the configuration must be JSON", r#"got "endpoints: [b]""#],
            ),
            (r#"["b"]"#, &["must be a JSON object", "got a list of 1"]),
            (r#"{"endpoints": ["b"],}"#, &["not valid JSON at line 1"]),
            (
                r#"{"endpoints": []}"#,
                &["endpoints: must have 1 to", "got []"],
            ),
        ] {
            let before = envoy.log().len();
            let verdict = envoy.update_filter_config(update).await.unwrap();
            assert_eq!(verdict, ConfigUpdate::Rejected, "{update}");
            let log = envoy.log().split_off(before);
            for message in messages {
                assert!(log.contains(message), "{update}: no {message:?} in\n{log}");
            }
            // Each on its own connection, so that all workers get some.
            for _ in 0..8 {
                assert_eq!(get(envoy.addr(), "/").await.unwrap().text(), "a");
            }
        }
        let verdict = envoy.update_filter_config(r#"{"endpoints": ["b"]}"#).await;
        assert_eq!(verdict.unwrap(), ConfigUpdate::Accepted);
        eventually("b takes over", Duration::from_secs(10), async || {
            let first = get(envoy.addr(), "/").await.ok()?;
            let second = get(envoy.addr(), "/").await.ok()?;
            (first.text() == "b" && second.text() == "b").then_some(())
        })
        .await
        .unwrap();
        let reloads = envoy.stats("^wasm\\..*vm_reload").await.unwrap();
        assert!(reloads.values().all(|&count| count == 0), "{reloads:?}");
    });
}

#[test]
fn without_a_good_configuration_discovery_answers_500_until_one_arrives() {
    run(async {
        let a = Upstream::named("a").await.unwrap();
        let envoy = envoy_of(&[("a", a.addr())], WRONG)
            .by_ecds()
            .start()
            .await
            .unwrap();
        assert_eq!(get(envoy.addr(), "/").await.unwrap().status, 500);
        let verdict = envoy.update_filter_config(r#"{"endpoints": ["a"]}"#).await;
        assert_eq!(verdict.unwrap(), ConfigUpdate::Accepted);
        eventually("a serves", Duration::from_secs(10), async || {
            let answer = get(envoy.addr(), "/").await.ok()?;
            (answer.text() == "a").then_some(())
        })
        .await
        .unwrap();
    });
}

#[test]
fn two_listeners_of_one_vm_keep_pools_of_their_own() {
    run(async {
        let a = Upstream::named("a").await.unwrap();
        let b = Upstream::named("b").await.unwrap();
        let c = Upstream::named("c").await.unwrap();
        let clusters = [("a", a.addr()), ("b", b.addr()), ("c", c.addr())];
        let envoy = envoy_of(
            &clusters,
            r#"{"name": "same", "endpoints": ["a", "b", "c"]}"#,
        )
        .concurrency(1)
        .listener("other", r#"{"name": "same", "endpoints": ["c", "b"]}"#)
        .start()
        .await
        .unwrap();
        // One worker, one VM: shared state would show in the order of their turns.
        let other = envoy.addr_of("other").unwrap();
        let mut turns = (String::new(), String::new());
        for _ in 0..6 {
            turns.0 += &get(envoy.addr(), "/").await.unwrap().text();
            turns.1 += &get(other, "/").await.unwrap().text();
        }
        // They begin anywhere.
        assert!("abcabcab".contains(&turns.0), "{turns:?}");
        assert!("cbcbcbc".contains(&turns.1), "{turns:?}");
        // The worker's VM, the main thread's, and the one that both were cloned from.
        let vms = envoy.stat("wasm.envoy.wasm.runtime.v8.active").await;
        assert_eq!(vms.unwrap(), Some(3));
        assert_unharmed(&envoy).await;
    });
}

/// What a refused Envoy logged.
async fn refused(envoy: EnvoyBuilder) -> String {
    match envoy.start().await {
        Err(HarnessError::EnvoyExited { log, .. }) => log,
        other => panic!("Envoy did not refuse to start: {other:?}"),
    }
}

const WRONG: &str = r#"{
    "endpoints": ["a", "a", {"cluster": "b", "wieght": 2}],
    "load_balancer": {"strategy": "fastest"},
    "retry_policy": {"max_attempts": 0, "base_delay": "soon", "custom_retry_function": "attempt +"},
    "timeout": {"connect": 5, "read": 30, "total": 10},
    "nonsense": true
}"#;

/// The errors of [`WRONG`]: the place, the rule, and the value.
const ERRORS: &[&str] = &[
    "endpoints[1]",
    "endpoints[2].wieght: unknown field, did you mean `weight`?",
    "load_balancer.strategy: must be",
    "got \"fastest\"",
    "retry_policy.max_attempts: must be",
    "retry_policy.base_delay: must be a duration",
    "got \"soon\"",
    "retry_policy.custom_retry_function",
    "timeout.total: must be at least",
    "nonsense: unknown field",
];
