//! After the last attempt the client gets the last answer of an upstream as it came, to a HEAD as to a
//! GET.

use steerage_harness::{Answer, Reply, Upstream, run};

use crate::support::{ask, assert_unharmed, pool};

#[test]
fn when_retries_are_used_up_the_last_upstream_answer_goes_out_as_it_came() {
    run(async {
        let a = failing("a").await;
        let b = failing("b").await;
        let hanging = Upstream::start(|_, _| Reply::hang()).await.unwrap();
        let resetting = Upstream::start(|_, _| Reply::reset()).await.unwrap();
        let refusing = Upstream::refusing().unwrap();
        // Name of the pool, its endpoints in the order of their use, the one that answers.
        let cases = [
            ("two_answers", &["a", "b"][..], "b"),
            ("then_refused", &["a", "refusing"], "a"),
            ("then_reset", &["a", "resetting"], "a"),
            ("then_hanging", &["a", "hanging"], "a"),
            ("then_unknown", &["a", "unknown"], "a"),
            ("two_then_refused", &["a", "b", "refusing"], "b"),
            ("between", &["refusing", "a", "resetting"], "a"),
            ("after_failures", &["resetting", "refusing", "b"], "b"),
        ];
        let pools = cases.map(|(name, endpoints, _)| {
            let endpoints: Vec<_> = endpoints
                .iter()
                .enumerate()
                .map(|(priority, cluster)| {
                    format!(r#"{{"cluster": "{cluster}", "priority": {priority}}}"#)
                })
                .collect();
            format!(
                r#"{{"name": "{name}", "match": {{"path": "/{name}"}}, "endpoints": [{}],
                    "retry_policy": {{"max_attempts": {}, "base_delay": 0.005}},
                    "timeout": {{"connect": 1, "read": 0.3, "total": 10}}}}"#,
                endpoints.join(","),
                endpoints.len()
            )
        });
        let envoy = pool(
            &[
                ("a", a.addr()),
                ("b", b.addr()),
                ("hanging", hanging.addr()),
                ("resetting", resetting.addr()),
                ("refusing", refusing.addr()),
            ],
            &format!(
                r#"{{"pools": [{}, {{"name": "none", "endpoints": ["refusing", "unknown"]}}]}}"#,
                pools.join(",")
            ),
        )
        .await;
        for (name, _, answered_by) in cases {
            let answer = ask(&envoy, "GET", &format!("/{name}"), &[]).await;
            let status = if answered_by == "a" { 503 } else { 502 };
            assert_is_the_answer_of(&answer, answered_by, status);
        }
        // No upstream ever answered, so the client gets Envoy's own answer.
        assert_eq!(ask(&envoy, "GET", "/none", &[]).await.status, 503);
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn a_head_is_retried_and_answered_like_a_get() {
    run(async {
        // An answer to HEAD has no body, so Envoy's own cannot be recognized by its text.
        let a = failing("a").await;
        let b = failing("b").await;
        let well = Upstream::named("well").await.unwrap();
        let refusing = Upstream::refusing().unwrap();
        let hanging = Upstream::start(|_, _| Reply::hang()).await.unwrap();
        let resetting = Upstream::start(|_, _| Reply::reset()).await.unwrap();
        let mut pools = Vec::new();
        for failure in ["refusing", "hanging", "resetting"] {
            let timeout = r#""timeout": {"connect": 1, "read": 0.3, "total": 10}"#;
            // b's 502 is retried; then a failure that is retried, too, although an upstream's 503
            // or 504 is not.
            pools.push(format!(
                r#"{{"name": "on_{failure}", "match": {{"path": "/on/{failure}"}}, {timeout},
                    "endpoints": ["b", {{"cluster": "{failure}", "priority": 1}}, {{"cluster": "well", "priority": 2}}],
                    "retry_policy": {{"base_delay": 0.005, "retry_on_status_codes": [502]}}}}"#
            ));
            pools.push(format!(
                r#"{{"name": "last_{failure}", "match": {{"path": "/last/{failure}"}}, {timeout},
                    "endpoints": ["a", {{"cluster": "{failure}", "priority": 1}}],
                    "retry_policy": {{"base_delay": 0.005, "max_attempts": 2}}}}"#
            ));
        }
        let envoy = pool(
            &[
                ("a", a.addr()),
                ("b", b.addr()),
                ("well", well.addr()),
                ("refusing", refusing.addr()),
                ("hanging", hanging.addr()),
                ("resetting", resetting.addr()),
            ],
            &format!(r#"{{"pools": [{}]}}"#, pools.join(",")),
        )
        .await;
        let mut surprises = Vec::new();
        for failure in ["refusing", "hanging", "resetting"] {
            for method in ["GET", "HEAD"] {
                let on = ask(&envoy, method, &format!("/on/{failure}"), &[]).await;
                if on.status != 200 {
                    surprises.push(format!(
                        "{method} after {failure}: {} instead of 200",
                        on.status
                    ));
                }
                let last = ask(&envoy, method, &format!("/last/{failure}"), &[]).await;
                if last.status != 503 || last.header("x-from").as_deref() != Some("a") {
                    surprises.push(format!(
                        "{method} ending {failure}: not a's answer: {last:?}"
                    ));
                }
            }
        }
        assert!(surprises.is_empty(), "{surprises:#?}");
        assert_unharmed(&envoy).await;
    });
}

/// An upstream whose failure is recognizable: 503 if it is `sick` or `a`, else 502.
pub(crate) async fn failing(name: &'static str) -> Upstream {
    Upstream::start(move |_, _| {
        Reply::status(if name == "b" { 502 } else { 503 })
            .header("x-from", name)
            .header("content-type", "application/problem+json")
            .header("set-cookie", "first=1; Path=/")
            .header("set-cookie", "second=2")
            .header("set-cookie", format!("third={name}"))
            .body(format!(r#"{{"failed": "{name}"}}"#))
    })
    .await
    .unwrap()
}

/// Asserts that an answer is one of [`failing`]'s, complete.
#[track_caller]
pub(crate) fn assert_is_the_answer_of(answer: &Answer, name: &str, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.text(), format!(r#"{{"failed": "{name}"}}"#));
    assert_eq!(answer.header("x-from").as_deref(), Some(name));
    let kind = answer.header("content-type");
    assert_eq!(kind.as_deref(), Some("application/problem+json"));
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
    assert_eq!(
        cookies,
        ["first=1; Path=/", "second=2", &*format!("third={name}")]
    );
    assert_eq!(answer.headers.get_all("content-length").iter().count(), 1);
    assert_eq!(answer.header("x-steerage-reason"), None);
}
