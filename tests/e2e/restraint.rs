//! Retries that are not made: a client in a hurry, conditions that do not hold, retries that somebody
//! else makes already; and the longer delay after an answer that throttles.

use std::time::Duration;

use steerage_harness::serde_json::json;
use steerage_harness::{Reply, Upstream, request, run};

use crate::support::{assert_unharmed, envoy_of, request_of};

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn a_client_in_a_hurry_is_answered_in_its_own_time() {
    run(async {
        let a = Upstream::start(|_, _| Reply::hang()).await.unwrap();
        let config = r#"{"endpoints": ["a"],
            "timeout": {"connect": 0.1, "read": 0.4, "total": 1.2}}"#;
        // From strangers Envoy takes the header away by itself.
        let trusted = json!({
            "use_remote_address": true,
            "internal_address_config": {
                "cidr_ranges": [{"address_prefix": "127.0.0.0", "prefix_len": 8}],
            },
        });
        let envoy = envoy_of(&[("a", a.addr())], config).merge_manager(trusted);
        let envoy = envoy.start().await.unwrap();
        for (name, value, least, most) in [
            ("x-envoy-expected-rq-timeout-ms", "200", 200, 800),
            ("grpc-timeout", "300m", 300, 900),
            ("x-envoy-expected-rq-timeout-ms", "60000", 1_200, 2_500),
        ] {
            a.clear();
            let hurried = request_of("GET", "/", &[(name, value)], "");
            let answer = request(envoy.addr(), hurried).await.unwrap();
            assert_eq!(answer.status.as_u16(), 504);
            let reason = answer.header("x-steerage-reason");
            assert_eq!(reason.as_deref(), Some("deadline_exceeded"));
            // Envoy's own timers may come a little early.
            assert!(answer.begun >= millis(least - 10), "{value}: {answer:?}");
            assert!(answer.begun < millis(most), "{value}: {answer:?}");
            // Each attempt is told what is left to it.
            for got in a.received() {
                let told = got.header("x-envoy-expected-rq-timeout-ms").unwrap();
                let told: u64 = told.parse().unwrap();
                assert!(told <= least.min(400), "{value}: {told}");
            }
        }
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn only_what_meets_all_conditions_is_retried() {
    run(async {
        let sick = Upstream::start(|got, _| {
            let marked = got.path == "/marked";
            let reply = Reply::status(503);
            if marked {
                reply.header("x-should-retry", "true")
            } else {
                reply
            }
        });
        let sick = sick.await.unwrap();
        let well = Upstream::named("well").await.unwrap();
        let config = r#"{"endpoints": ["sick", {"cluster": "well", "priority": 1}],
            "retry_policy": {"base_delay": 0.001, "retry_when": [
                {"response_header": {"x-should-retry": "true"}}, {"method": ["GET"]}]}}"#;
        let clusters = [("sick", sick.addr()), ("well", well.addr())];
        let envoy = envoy_of(&clusters, config).start().await.unwrap();
        for (method, path, status) in [
            ("GET", "/marked", 200),
            ("GET", "/", 503),
            ("PUT", "/marked", 503),
        ] {
            let answer = request(envoy.addr(), request_of(method, path, &[], "")).await;
            assert_eq!(answer.unwrap().status.as_u16(), status, "{method} {path}");
        }
        let denied = "wasmcustom.steerage_retries_denied_total;pool=default;reason=condition";
        envoy.wait_for_stat(denied, |n| n == 2).await.unwrap();
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn what_is_a_retry_already_is_left_to_who_makes_it_if_so_configured() {
    run(async {
        for (stop, status) in [(true, 503), (false, 200)] {
            let sick = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
            let well = Upstream::named("well").await.unwrap();
            let config = format!(
                r#"{{"endpoints": ["sick", {{"cluster": "well", "priority": 1}}],
                    "retry_policy": {{"base_delay": 0.001, "stop_nested": {stop}}}}}"#
            );
            let clusters = [("sick", sick.addr()), ("well", well.addr())];
            let envoy = envoy_of(&clusters, &config).start().await.unwrap();
            let second = request_of("GET", "/", &[("x-envoy-attempt-count", "2")], "");
            let answer = request(envoy.addr(), second).await.unwrap();
            assert_eq!(answer.status.as_u16(), status, "{stop}");
            let number = sick.received()[0].header("x-envoy-attempt-count");
            assert_eq!(number.as_deref(), Some("1"), "attempts are counted anew");
            assert_unharmed(&envoy).await;
        }
    });
}

#[test]
fn after_an_answer_that_throttles_the_delay_has_its_own_base() {
    run(async {
        for (status, least) in [(429, 600), (503, 1)] {
            let sick = Upstream::start(move |_, _| Reply::status(status));
            let sick = sick.await.unwrap();
            let well = Upstream::named("well").await.unwrap();
            let config = r#"{"endpoints": ["sick", {"cluster": "well", "priority": 1}],
                "retry_policy": {"strategy": "fixed", "base_delay": 0.001, "jitter": "none",
                    "throttling_base_delay": 0.6}}"#;
            let clusters = [("sick", sick.addr()), ("well", well.addr())];
            let envoy = envoy_of(&clusters, config).start().await.unwrap();
            let answer = request(envoy.addr(), request_of("GET", "/", &[], ""));
            let answer = answer.await.unwrap();
            assert_eq!(answer.text(), "well");
            assert!(answer.begun >= millis(least), "{status}: {answer:?}");
            assert!(answer.begun < millis(least + 500), "{status}: {answer:?}");
            assert_unharmed(&envoy).await;
        }
    });
}
