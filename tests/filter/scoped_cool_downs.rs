//! Cool-downs that hold only for requests with the same value of a header.

use std::time::Duration;

use crate::fake_host::{Host, Root, Stream};
use crate::scene::{OK, assert_refused, cluster_of, get, head, start};

const SECOND: Duration = Duration::from_secs(1);

const THROTTLED: &[(&str, &str)] = &[(":status", "429"), ("retry-after", "30")];

/// Two endpoints in turn, which each cool down for a tenant.
const SCOPED: &str = r#"{
    "endpoints": ["a", "b"], "sync_interval": 10,
    "retry_policy": {"max_attempts": 1, "retry_after_scope": {"header": "X-Tenant"}}
}"#;

fn ask(root: Root, tenants: &[&str]) -> Stream {
    let tenants: Vec<_> = tenants.iter().map(|tenant| ("x-tenant", *tenant)).collect();
    root.request(&head("GET", &tenants), true)
}

fn answer(stream: Stream, answer: &[(&str, &str)]) {
    stream.response(answer, true);
    stream.finish();
}

/// Where the next two requests of these tenants go; `-`: refused.
fn next(root: Root, tenants: &[&str]) -> String {
    let mut gone: Vec<_> = (0..2)
        .map(|_| {
            let stream = ask(root, tenants);
            if stream.sent().is_some() {
                assert_refused(stream, 503, "no_endpoint_available");
                return "-".to_owned();
            }
            let cluster = cluster_of(stream);
            answer(stream, OK);
            cluster
        })
        .collect();
    gone.sort_unstable();
    gone.concat()
}

/// Both endpoints throttle a tenant.
fn throttle(root: Root, tenants: &[&str]) {
    let streams = [ask(root, tenants), ask(root, tenants)];
    for stream in streams {
        answer(stream, THROTTLED);
    }
}

#[test]
fn others_are_served_while_one_tenant_is_not() {
    let host = start(SCOPED);
    let root = host.root();
    throttle(root, &["greedy"]);
    host.advance(Duration::from_millis(900));
    for (tenants, expected) in [
        (&["greedy"][..], "--"),
        (&["honest"], "ab"),
        (&["Greedy"], "ab"),
        (&["greedy", "honest"], "ab"),
        (&["honest", "greedy"], "ab"),
        (&[""], "ab"),
        (&[], "ab"),
        (&["greedy"], "--"),
    ] {
        assert_eq!(next(root, tenants), expected, "{tenants:?}");
    }
    // Those that name no tenant are like one.
    throttle(root, &[]);
    assert_eq!(next(root, &[]), "--");
    assert_eq!(next(root, &["honest"]), "ab");
    host.advance(30 * SECOND);
    assert_eq!(next(root, &["greedy"]), "ab", "its time is over");
}

#[test]
fn one_endpoint_that_throttles_a_tenant_leaves_it_the_other() {
    let host = start(SCOPED);
    let root = host.root();
    let stream = ask(root, &["greedy"]);
    let first = cluster_of(stream);
    answer(stream, THROTTLED);
    let other = if first == "a" { "bb" } else { "aa" };
    for _ in 0..3 {
        host.advance(2 * SECOND);
        assert_eq!(next(root, &["greedy"]), other, "no trial while one is left");
        assert_eq!(next(root, &["honest"]), "ab");
    }
}

#[test]
fn a_trial_is_for_its_tenant() {
    let host = start(SCOPED);
    let root = host.root();
    throttle(root, &["one"]);
    throttle(root, &["two"]);
    host.advance(SECOND);
    // Both endpoints are asked once for each of them.
    let trials = [ask(root, &["one"]), ask(root, &["one"])];
    assert_eq!(next(root, &["one"]), "--");
    for trial in trials {
        answer(trial, OK);
    }
    assert_eq!(next(root, &["one"]), "ab");
    let trials = [ask(root, &["two"]), ask(root, &["two"])];
    for trial in trials {
        answer(trial, THROTTLED);
    }
    host.advance(29 * SECOND);
    assert_eq!(next(root, &["one"]), "ab");
    let stream = ask(root, &["two"]);
    assert!(stream.sent().is_none(), "a trial again");
    answer(stream, THROTTLED);
}

#[test]
fn workers_share_them() {
    let host = start(SCOPED);
    let [one, other] = [host.root(), host.add_root(Some(SCOPED.as_bytes()))];
    host.advance(SECOND);
    throttle(one, &["greedy"]);
    host.advance(10 * SECOND);
    for root in [one, other] {
        assert_eq!(next(root, &["honest"]), "ab");
    }
    // The second has them from its round, and the first takes the trials of both endpoints.
    let trials = [ask(one, &["greedy"]), ask(one, &["greedy"])];
    assert!(trials.iter().all(|trial| trial.sent().is_none()));
    assert_eq!(next(other, &["greedy"]), "--");
    answer(trials[0], OK);
    let back = cluster_of(trials[0]);
    host.advance(10 * SECOND);
    assert_eq!(next(other, &["greedy"]), back.repeat(2));
}

/// An operator's word stands above all of them, and panic does not touch them.
#[test]
fn they_hold_in_panic() {
    let host = start(&SCOPED.replace(
        "\"sync_interval\"",
        "\"circuit_breaker\": {\"failure_threshold\": 1}, \"sync_interval\"",
    ));
    let root = host.root();
    throttle(root, &["greedy"]);
    for _ in 0..2 {
        answer(ask(root, &["honest"]), &[(":status", "500")]);
    }
    assert_eq!(next(root, &["greedy"]), "--");
    host.advance(SECOND);
    assert_eq!(
        next(root, &["greedy"]),
        "--",
        "it has a breaker that is open as well"
    );
    assert_eq!(next(root, &["honest"]), "ab");
}

#[test]
fn a_thousand_tenants_are_bounded() {
    let host = start(SCOPED);
    let root = host.root();
    for tenant in 0..1_100 {
        let tenant = format!("tenant-{tenant}");
        throttle(root, &[&tenant]);
        host.advance(Duration::from_millis(1));
    }
    assert_eq!(next(root, &["tenant-1099"]), "--");
    assert_eq!(next(root, &["honest"]), "ab");
    assert_eq!(
        next(root, &["tenant-0"]),
        "ab",
        "the soonest to end made room"
    );
}

#[test]
fn without_a_scope_nothing_is_written_for_one() {
    let host = start(r#"{"endpoints": ["a"], "retry_policy": {"max_attempts": 1}}"#);
    answer(get(&host), THROTTLED);
    host.advance(SECOND / 2);
    assert!(scopes(&host).is_none());
    drop(host);
    let host = start(SCOPED);
    throttle(host.root(), &["greedy"]);
    assert!(scopes(&host).is_some());
}

/// The record of cool-downs that hold for a scope.
fn scopes(host: &Host) -> Option<String> {
    let mut keys = host.shared_keys().into_iter();
    keys.find(|key| key.contains("/scopes/"))
}
