//! Panic: where breakers and health would leave nothing available, they are ignored.

use std::time::Duration;

use crate::fake_host::Host;
use crate::scene::{OK, UNAVAILABLE, assert_refused, cluster_of, get, start, values};

const ROUND: Duration = Duration::from_millis(100);

/// Two endpoints whose first failure opens their breakers, and no retries.
fn touchy(threshold: &str) -> Host {
    start(&format!(
        r#"{{"endpoints": ["a", "b"], "load_balancer": {{"panic_threshold": {threshold}}},
            "circuit_breaker": {{"failure_threshold": 1}}, "retry_policy": {{"max_attempts": 1}}}}"#
    ))
}

/// Requests that are all answered so, and where they went.
fn answered(host: &Host, answer: &[(&str, &str)], count: usize) -> String {
    let gone = (0..count).map(|_| {
        let stream = get(host);
        let cluster = cluster_of(stream);
        stream.response(answer, true);
        stream.finish();
        cluster
    });
    let mut gone: Vec<_> = gone.collect();
    gone.sort_unstable();
    gone.concat()
}

fn panic_of(host: &Host) -> Option<u64> {
    host.advance(ROUND);
    host.metric("steerage_pool_panic;pool=default")
}

#[test]
fn with_all_breakers_open_everybody_is_served_as_without_them() {
    let host = touchy("0");
    assert_eq!(panic_of(&host), Some(0));
    assert_eq!(answered(&host, UNAVAILABLE, 2), "ab");
    assert_eq!(panic_of(&host), Some(1));
    // It goes on while they fail, and ends with their good answers.
    assert_eq!(answered(&host, UNAVAILABLE, 6), "aaabbb");
    assert_eq!(panic_of(&host), Some(1));
    assert_eq!(answered(&host, OK, 2), "ab");
    assert_eq!(panic_of(&host), Some(0));
    assert_eq!(answered(&host, OK, 6), "aaabbb");
}

#[test]
fn one_that_is_left_has_all() {
    let host = touchy("0");
    assert_eq!(answered(&host, UNAVAILABLE, 2), "ab");
    let stream = get(&host);
    let back = cluster_of(stream);
    stream.response(OK, true);
    stream.finish();
    // The other is tried once, and fails.
    let stream = get(&host);
    assert_ne!(cluster_of(stream), back);
    stream.response(UNAVAILABLE, true);
    stream.finish();
    assert_eq!(answered(&host, OK, 6), back.repeat(6));
    assert_eq!(panic_of(&host), Some(0));
}

#[test]
fn without_panic_everybody_learns_when_the_soonest_trial_is() {
    let host = touchy("false");
    assert_eq!(answered(&host, UNAVAILABLE, 1).len(), 1);
    host.advance(Duration::from_secs(10));
    assert_eq!(answered(&host, UNAVAILABLE, 1).len(), 1);
    host.advance(Duration::from_secs(10));
    let refused = get(&host);
    assert_refused(refused, 503, "no_endpoint_available");
    assert_eq!(
        values(&refused.sent().unwrap().headers, "retry-after"),
        ["40"]
    );
    assert_eq!(panic_of(&host), Some(0));
    // While the trial of the first is under way, it may decide at any moment.
    host.advance(Duration::from_secs(40));
    let trial = get(&host);
    cluster_of(trial);
    let refused = get(&host);
    assert_refused(refused, 503, "no_endpoint_available");
    assert_eq!(
        values(&refused.sent().unwrap().headers, "retry-after"),
        ["1"]
    );
    trial.response(OK, true);
}

#[test]
fn a_disabled_endpoint_is_not_used_even_then() {
    let host = start(
        r#"{"endpoints": ["a", {"cluster": "b", "enabled": false}],
            "circuit_breaker": {"failure_threshold": 1}, "retry_policy": {"max_attempts": 2}}"#,
    );
    let stream = get(&host);
    assert_eq!(cluster_of(stream), "a");
    stream.response(UNAVAILABLE, true);
    host.advance(Duration::from_secs(1));
    assert_eq!(host.pending_call().cluster, "a");
}
