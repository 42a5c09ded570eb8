//! A new configuration reads what was agreed on before it through its own settings: nothing that
//! they would not have brought about stays.

use std::time::Duration;

use crate::fake_host::{Host, Root};
use crate::scene::{OK, UNAVAILABLE, get, head, start, text};

const SECOND: Duration = Duration::from_secs(1);

/// One endpoint, without a last resort and with one attempt, and these fields.
fn config(fields: &str) -> String {
    let fields = if fields.contains("\"load_balancer\"") {
        fields.to_owned()
    } else {
        format!(r#""load_balancer": {{"panic_threshold": false}}, {fields}"#)
    };
    let retry = if fields.contains("\"retry_policy\"") {
        ""
    } else {
        r#""retry_policy": {"max_attempts": 1},"#
    };
    format!(
        r#"{{"endpoints": ["a"], {retry} {fields}, "sync_interval": 0.1,
            "admin": {{"path": "/s", "token": "not-a-token-for-real"}}}}"#
    )
}

/// What a request to this root comes to: whether it is sent on.
fn is_served(root: Root) -> bool {
    let stream = root.request(&head("GET", &[]), true);
    let served = stream.sent().is_none();
    if served {
        stream.response(OK, true);
        stream.finish();
    }
    served
}

/// A new configuration, after its first round.
fn follow(host: &Host, fields: &str) -> Root {
    let root = host.add_root(Some(config(fields).as_bytes()));
    assert!(root.accepted(), "{:?}", host.logs());
    host.advance(Duration::from_millis(1));
    root
}

/// A field of the endpoint, as an operator is told.
fn told(root: Root, field: &str) -> String {
    let token = ("authorization", "Bearer not-a-token-for-real");
    let mut head = head("GET", &[token]);
    head[2] = (":path", "/s/endpoints");
    let stream = root.request(&head, true);
    let list: serde_json::Value = serde_json::from_slice(&stream.sent().unwrap().body).unwrap();
    list[0][field].to_string()
}

/// Checks that ask for a wrong path once a day, and have found so.
const WRONG: &str = r#""health_check": {"path": "/wrong", "interval": "24h", "jitter": 0}"#;

fn wrongly_checked() -> Host {
    let host = start(&config(WRONG));
    host.answer(host.pending_call().token, UNAVAILABLE, b"");
    host.advance(SECOND);
    assert!(!is_served(host.root()));
    assert_eq!(told(host.root(), "health"), r#""unhealthy""#);
    host
}

#[test]
fn without_checks_their_verdict_is_none() {
    for fields in [
        r#""enable_health_checks": false"#.to_owned(),
        format!(r#"{WRONG}, "enable_health_checks": false"#),
        r#""enable_metrics_interceptor": true"#.to_owned(),
    ] {
        let host = wrongly_checked();
        let new = follow(&host, &fields);
        assert!(is_served(new), "{fields}");
        assert_eq!(told(new, "health"), r#""unknown""#, "{fields}");
        assert_eq!(told(new, "exclusion"), "null", "{fields}");
        // The old one still drains, and goes by what it has found.
        assert!(!is_served(host.root()), "{fields}");
        host.root().remove();
        host.advance(SECOND);
        let health = "steerage_endpoint_health;pool=default;endpoint=a";
        assert_eq!(host.metric(health), Some(0), "{fields}");
        assert!(is_served(new), "{fields}");
    }
}

#[test]
fn an_operators_verdict_holds_without_checks() {
    let host = start(&config(r#""enable_metrics_interceptor": true"#));
    let token = ("authorization", "Bearer not-a-token-for-real");
    let body = br#"{"health": "unhealthy"}"#;
    let length = body.len().to_string();
    let mut head = head("POST", &[token, ("content-length", &length)]);
    head[2] = (":path", "/s/endpoints/a/health");
    host.pass_bodies_by_paused_headers(true);
    let stream = host.request(&head, false);
    stream.request_body(body, true);
    assert_eq!(stream.sent().unwrap().status, 200);
    let new = follow(&host, r#""enable_health_checks": false"#);
    assert!(!is_served(new));
    assert_eq!(told(new, "health"), r#""unhealthy""#);
}

#[test]
fn checks_that_ask_otherwise_are_made_at_once_and_others_when_they_are_due() {
    for (health_check, is_made) in [
        (r#""path": "/right", "interval": "24h", "jitter": 0"#, true),
        (
            r#""path": "/wrong", "interval": "24h", "jitter": 0, "unhealthy_threshold": 3"#,
            true,
        ),
        (r#""path": "/wrong", "interval": "24h", "jitter": 0"#, false),
    ] {
        let host = wrongly_checked();
        let new = follow(&host, &format!(r#""health_check": {{{health_check}}}"#));
        let calls = host.pending_calls();
        assert_eq!(calls.len(), usize::from(is_made), "{health_check}");
        if let [check] = &*calls {
            assert_eq!(check.root, new.id());
            let path = text(check.header(":path").unwrap());
            assert!(health_check.contains(&path), "{path}");
            host.answer(check.token, OK, b"");
            host.advance(SECOND);
            assert!(is_served(new), "{health_check}");
        }
        host.advance(SECOND * 100);
        assert_eq!(host.pending_calls().len(), 0, "{health_check}: only once");
    }
}

#[test]
fn a_shorter_interval_is_in_force_at_once() {
    let host = wrongly_checked();
    follow(
        &host,
        r#""health_check": {"path": "/wrong", "interval": 2, "jitter": 0}"#,
    );
    // One because it is another check, and one each two seconds.
    for _ in 0..4 {
        host.answer(host.pending_call().token, UNAVAILABLE, b"");
        assert!(host.pending_calls().is_empty());
        host.advance(SECOND * 2 + SECOND / 5);
    }
}

/// Fails until the breaker of the only endpoint is open.
fn opened(timeout: &str) -> Host {
    let breaker =
        format!(r#""circuit_breaker": {{"failure_threshold": 2, "timeout": "{timeout}"}}"#);
    let host = start(&config(&breaker));
    for _ in 0..2 {
        let stream = get(&host);
        stream.response(UNAVAILABLE, true);
        stream.finish();
    }
    assert!(!is_served(host.root()));
    host
}

#[test]
fn a_breaker_is_open_for_no_longer_than_is_allowed_now() {
    for (timeout, waits) in [("1s", 0), ("20s", 20), ("2h", 3_600)] {
        let host = opened("1h");
        let fields =
            format!(r#""circuit_breaker": {{"failure_threshold": 2, "timeout": "{timeout}"}}"#);
        host.advance(SECOND);
        let new = follow(&host, &fields);
        assert_eq!(is_served(new), waits == 0, "{timeout}");
        if waits > 0 {
            host.advance(SECOND * (waits - 2));
            assert!(!is_served(new), "{timeout}");
            host.advance(SECOND * 2);
            assert!(is_served(new), "{timeout}");
        }
    }
}

#[test]
fn a_breaker_that_may_not_open_any_more_is_closed() {
    let host = opened("1h");
    let new = follow(&host, r#""circuit_breaker": {"max_open_fraction": 0}"#);
    assert!(is_served(new));
    assert_eq!(told(new, "circuit_breaker_state"), r#""closed""#);
}

#[test]
fn a_cool_down_is_no_longer_than_is_allowed_now() {
    for (fields, over) in [
        (r#""respect_retry_after": false"#, [true, true, true]),
        (r#""max_retry_after": 2"#, [false, true, true]),
        (r#""max_retry_after": 200"#, [false, false, true]),
        (r#""max_attempts": 1"#, [false, false, true]),
    ] {
        let host = start(&config(r#""enable_metrics_interceptor": true"#));
        let stream = get(&host);
        stream.response(&[(":status", "503"), ("retry-after", "100")], true);
        stream.finish();
        assert!(!is_served(host.root()));
        let new = follow(&host, &format!(r#""retry_policy": {{{fields}}}"#));
        for (wait, over) in [0, 3, 100].into_iter().zip(over) {
            host.advance(SECOND * wait);
            // A request would be a trial of the cool-down.
            let is_over = told(new, "cooling_until") == "null";
            assert_eq!(is_over, over, "{fields}, {wait} s later");
        }
    }
}

#[test]
fn of_several_configurations_the_newest_that_checks_makes_the_checks() {
    let host = start(&config(r#""enable_metrics_interceptor": true"#));
    let checking = |path: &str| {
        let fields = format!(r#""health_check": {{"path": "{path}", "interval": 1, "jitter": 0}}"#);
        follow(&host, &fields)
    };
    let paths = || {
        host.advance(SECOND * 5);
        let calls = host.pending_calls();
        let paths: Vec<_> = calls
            .iter()
            .map(|call| text(call.header(":path").unwrap()))
            .collect();
        for call in calls {
            host.answer(call.token, OK, b"");
        }
        paths
    };
    let one = checking("/1");
    assert!(paths().iter().all(|path| path == "/1"));
    let two = checking("/2");
    let three = checking("/3");
    paths();
    let made = paths();
    assert!((4..=6).contains(&made.len()), "{made:?}");
    assert!(made.iter().all(|path| path == "/3"), "{made:?}");
    // The oldest ends, and that leaves the checks where they are.
    one.remove();
    let made = paths();
    assert!(
        made.len() >= 4 && made.iter().all(|path| path == "/3"),
        "{made:?}"
    );
    // One that does not check leaves them alone, too.
    follow(&host, r#""enable_health_checks": false"#);
    assert!(paths().iter().all(|path| path == "/3"));
    three.remove();
    let made = paths();
    assert!(
        made.len() >= 4 && made.iter().all(|path| path == "/2"),
        "{made:?}"
    );
    two.remove();
    assert_eq!(paths(), Vec::<String>::new());
}
