//! Which failures are retried is what `retry_policy` says: statuses, methods, kinds of failure, and how
//! often.

use steerage_harness::{Answer, Bytes, Client, Envoy, Reply, Upstream, run};

use crate::support::{assert_unharmed, envoy_of, request_of, steady};

#[test]
fn retries_keep_to_the_policy() {
    run(async {
        let bad = Upstream::start(|received, _| match &*received.path {
            "/reset" => Reply::reset(),
            path => Reply::status(path.rsplit('/').next().unwrap().parse().unwrap()),
        })
        .await
        .unwrap();
        let refusing = Upstream::refusing().unwrap();
        let well = Upstream::named("well").await.unwrap();
        let listener = |endpoint: &str, policy: &str| {
            format!(
                r#"{{"endpoints": ["{endpoint}", {{"cluster": "well", "priority": 1}}], "retry_policy": {{"base_delay": 0.005{policy}}}}}"#
            )
        };
        let envoy = envoy_of(
            &[
                ("bad", bad.addr()),
                ("refusing", refusing.addr()),
                ("well", well.addr()),
            ],
            &listener("bad", ""),
        )
        .listener(
            "statuses",
            steady(&listener(
                "bad",
                r#", "retry_on_status_codes": [404, "520-529", "3xx"]"#,
            )),
        )
        .listener(
            "methods",
            steady(&listener("bad", r#", "retry_methods": ["POST"]"#)),
        )
        .listener(
            "only_reset",
            steady(&listener(
                "bad",
                r#", "retry_on": ["reset"], "retry_on_status_codes": []"#,
            )),
        )
        .listener(
            "no_reset",
            steady(&listener("bad", r#", "retry_on": ["connect_failure"]"#)),
        )
        .listener(
            "only_reset_refused",
            steady(&listener("refusing", r#", "retry_on": ["reset"]"#)),
        )
        .listener("once", steady(&listener("bad", r#", "max_attempts": 1"#)))
        .listener(
            "once_refused",
            steady(&listener("refusing", r#", "max_attempts": 1"#)),
        )
        .start()
        .await
        .unwrap();
        for (listener, method, path, status) in [
            // By default 429, 500, 502, 503 and 504 are, and nothing else is.
            ("main", "GET", "/429", 200),
            ("main", "GET", "/500", 200),
            ("main", "GET", "/502", 200),
            ("main", "GET", "/503", 200),
            ("main", "GET", "/504", 200),
            ("main", "GET", "/404", 404),
            ("main", "GET", "/501", 501),
            ("main", "GET", "/505", 505),
            ("main", "GET", "/301", 301),
            ("main", "PUT", "/503", 200),
            ("main", "DELETE", "/503", 200),
            ("main", "OPTIONS", "/503", 200),
            ("main", "PATCH", "/503", 503),
            ("main", "GET", "/reset", 200),
            ("statuses", "GET", "/404", 200),
            ("statuses", "GET", "/525", 200),
            ("statuses", "GET", "/307", 200),
            ("statuses", "GET", "/503", 503),
            ("methods", "POST", "/503", 200),
            ("methods", "GET", "/503", 503),
            ("only_reset", "GET", "/reset", 200),
            ("only_reset", "GET", "/503", 503),
            ("no_reset", "GET", "/reset", 503),
            ("no_reset", "GET", "/503", 200),
            ("only_reset_refused", "GET", "/", 503),
            ("once", "GET", "/502", 502),
            ("once", "GET", "/reset", 503),
            ("once_refused", "GET", "/", 503),
        ] {
            well.clear();
            let answer = ask_at(&envoy, listener, method, path).await;
            let case = format!("{method} {path} at {listener}: {answer:?}");
            assert_eq!(answer.status, status, "{case}");
            assert_eq!(well.count(), usize::from(status == 200), "{case}");
        }
        assert_unharmed(&envoy).await;
    });
}

/// Sends a request without a body to one of several listeners.
async fn ask_at(envoy: &Envoy, listener: &str, method: &str, path: &str) -> Answer {
    Client::one_shot()
        .request(
            envoy.addr_of(listener).unwrap(),
            request_of(method, path, &[], Bytes::new()),
        )
        .await
        .unwrap()
}
