//! What an operator's override does once the workers apply it.

use std::time::Duration;

use serde_json::Value;

use crate::admin::{GUARDED, TOKEN, ask, assert_error, head_of};
use crate::fake_host::Stream;
use crate::operating::{OPEN, ROUND, change, endpoint_document, next};
use crate::scene::{cluster_of, get, head, start};

#[test]
fn overrides_of_the_circuit_apply_in_all_workers_within_a_round() {
    let host = start(GUARDED);
    let other = host.add_root(Some(GUARDED.as_bytes()));
    let others = || {
        let streams = [(); 6].map(|()| other.request(&head("GET", &[]), true));
        let mut served = streams.map(cluster_of);
        streams.into_iter().for_each(Stream::client_gone);
        served.sort_unstable();
        served.concat()
    };
    let document = change(&host, "b/circuit", OPEN);
    assert_eq!(document[0]["circuit_breaker_state"], "open");
    assert_eq!(document[0]["circuit_breaker_open"], true);
    assert_eq!(document[0]["circuit_breaker_open_until"], Value::Null);
    assert_eq!(document[0]["available"], false);
    assert_eq!(document[0]["exclusion"], "operator");
    assert_eq!((&*next(&host), &*others()), ("aaaccc", "aaaccc"));
    host.advance(Duration::from_mins(10));
    assert_eq!(next(&host), "aaaccc", "until it is taken back");
    let document = change(&host, "b/circuit", r#"{"state": "auto"}"#);
    assert_eq!(document[0]["available"], true);
    assert_eq!((&*next(&host), &*others()), ("aabbcc", "aabbcc"));

    let document = change(&host, "b/circuit", r#"{"state": "open", "timeout": 60.0}"#);
    // Ticks are at the round milliseconds after the first, and so was this.
    let until = document[0]["circuit_breaker_open_until"].as_str().unwrap();
    assert!(
        until.starts_with("2025-06-15T12:11:0") && until.ends_with('Z'),
        "{until}"
    );
    assert_eq!(next(&host), "aaaccc");
    host.advance(Duration::from_secs(60) - 3 * ROUND);
    assert_eq!(next(&host), "aaaccc");
    assert_eq!(
        (&*next(&host), &*others()),
        ("aabbcc", "aabbcc"),
        "its time is over"
    );
    assert_eq!(
        endpoint_document(&host, "b")["circuit_breaker_state"],
        "closed"
    );
}

#[test]
fn overrides_of_the_health_apply() {
    let host = start(GUARDED);
    for (value, health, available, served) in [
        ("unhealthy", "unhealthy", false, "aaaccc"),
        ("healthy", "healthy", true, "aabbcc"),
        ("degraded", "degraded", true, "aabbcc"),
        ("unhealthy", "unhealthy", false, "aaaccc"),
        ("auto", "unknown", true, "aabbcc"),
    ] {
        let document = change(&host, "b/health", &format!(r#"{{"health": "{value}"}}"#));
        assert_eq!(document[0]["health"], health);
        assert_eq!(document[0]["available"], available);
        assert_eq!(document[0], endpoint_document(&host, "b"));
        assert_eq!(next(&host), served, "{value}");
    }
    // Both overrides hold at once, one of the health and one of the circuit.
    change(&host, "b/health", r#"{"health": "healthy"}"#);
    change(&host, "b/circuit", OPEN);
    assert_eq!(next(&host), "aaaccc");
    change(&host, "b/health", r#"{"health": "auto"}"#);
    assert_eq!(next(&host), "aaaccc");
}

#[test]
fn closed_admits_traffic_in_spite_of_breaker_and_cool_down() {
    let config = GUARDED.replace(
        "\"admin\"",
        r#""circuit_breaker": {"failure_threshold": 1}, "retry_policy": {"max_attempts": 1}, "admin""#,
    );
    let host = start(&config);
    let broken = get(&host);
    assert_eq!(cluster_of(broken), "a");
    broken.response(&[(":status", "500")], true);
    broken.finish();
    let cooling = get(&host);
    assert_eq!(cluster_of(cooling), "b");
    cooling.response(&[(":status", "429"), ("retry-after", "30")], true);
    cooling.finish();
    assert_eq!(next(&host), "cccccc");
    assert_eq!(endpoint_document(&host, "a")["exclusion"], "breaker_open");
    assert_eq!(endpoint_document(&host, "b")["exclusion"], "cooling_down");
    assert!(endpoint_document(&host, "b")["cooling_until"].is_string());
    for cluster in ["a", "b"] {
        let body = r#"{"state": "closed", "timeout": 10}"#;
        let document = change(&host, &format!("{cluster}/circuit"), body);
        assert_eq!(document[0]["available"], true, "{document}");
        assert_eq!(document[0]["circuit_breaker_open_until"], Value::Null);
        assert_eq!(document[0]["cooling_until"], Value::Null);
    }
    assert_eq!(next(&host), "aabbcc");
    host.advance(Duration::from_secs(10));
    assert_eq!(next(&host), "cccccc", "what was so before is so again");
}

#[test]
fn an_override_applies_in_every_pool_that_has_the_cluster() {
    let host = start(
        r#"{"pools": [
            {"name": "one", "match": {"path": "/one"}, "endpoints": ["a", "b"]},
            {"name": "two", "match": {"path": "/two"}, "endpoints": ["c"]},
            {"name": "three", "endpoints": ["b", "a"]}],
            "admin": {"path": "/steerage", "token": "s3cret-t0ken"}}"#,
    );
    let document = change(&host, "b/health", r#"{"health": "unhealthy"}"#);
    let changed: Vec<_> = document
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["pool"])
        .collect();
    assert_eq!(changed, ["one", "three"]);
    host.advance(ROUND);
    for path in ["/one", "/three"] {
        let streams = [(); 4].map(|()| host.request(&head_of("GET", path, &[]), true));
        assert_eq!(streams.map(cluster_of), ["a"; 4]);
    }
}

#[test]
fn an_override_that_cannot_be_written_is_refused() {
    let host = start(GUARDED);
    let path = "/steerage/endpoints/b/circuit?state=open";
    assert_eq!(ask(&host, "POST", path, &[TOKEN]).status, 200);
    let before = endpoint_document(&host, "b");
    let mut keys = host.shared_keys().into_iter();
    let key = keys.find(|key| key.ends_with("/pool/default")).unwrap();
    let (value, _) = host.shared(&key).unwrap();
    for _ in 0..100 {
        host.race_shared(&key, &value);
    }
    let path = path.replace("open", "auto");
    assert_error(&ask(&host, "POST", &path, &[TOKEN]), 503);
    assert_eq!(endpoint_document(&host, "b"), before);
}

#[test]
fn an_override_outlives_its_configuration() {
    let host = start(GUARDED);
    change(&host, "b/circuit", OPEN);
    let new = host.add_root(Some(GUARDED.replace("\"c\"]", "\"d\"]").as_bytes()));
    host.advance(ROUND);
    host.root().remove();
    host.advance(100 * ROUND);
    let mut served = [(); 4].map(|()| cluster_of(new.request(&head("GET", &[]), true)));
    served.sort_unstable();
    assert_eq!(served, ["a", "a", "d", "d"]);
}
