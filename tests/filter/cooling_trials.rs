//! Where every endpoint that is available otherwise cools down, one request a second and endpoint
//! tries whether it still has to.

use std::time::Duration;

use crate::fake_host::{Host, Root, Stream};
use crate::scene::{OK, UNAVAILABLE, assert_refused, cluster_of, head, start, values};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

const THROTTLED: &[(&str, &str)] = &[(":status", "429"), ("retry-after", "30")];

/// So many endpoints in turn, with a breaker that the first failure opens.
fn of(endpoints: &str) -> String {
    format!(
        r#"{{"endpoints": {endpoints}, "sync_interval": 10, "retry_policy": {{"max_attempts": 1}},
            "circuit_breaker": {{"failure_threshold": 1}}}}"#
    )
}

fn ask(root: Root) -> Stream {
    root.request(&head("GET", &[]), true)
}

/// Each of so many endpoints answers a request that it is to be left alone for 30 s.
fn throttled(host: &Host, root: Root, endpoints: usize) {
    for _ in 0..endpoints {
        answer(ask(root), THROTTLED);
    }
    host.advance(MILLISECOND);
}

fn answer(stream: Stream, answer: &[(&str, &str)]) {
    stream.response(answer, true);
    stream.finish();
}

/// Where the next requests of this worker go that are routed, and how many are refused; they stay
/// under way.
fn next(root: Root, count: usize) -> (String, Vec<Stream>) {
    let mut routed: Vec<_> = (0..count).map(|_| ask(root)).collect();
    routed.retain(|stream| match stream.sent() {
        Some(_) => {
            assert_refused(*stream, 503, "no_endpoint_available");
            let wait = values(&stream.sent().unwrap().headers, "retry-after");
            let seconds: u64 = wait[0].parse().unwrap();
            assert!((1..=60).contains(&seconds), "{wait:?}");
            false
        }
        None => true,
    });
    let mut clusters: Vec<_> = routed.iter().map(|stream| cluster_of(*stream)).collect();
    clusters.sort_unstable();
    (clusters.concat(), routed)
}

#[test]
fn one_request_a_second_and_endpoint_goes_through() {
    let host = start(&of(r#"["a", "b", "c"]"#));
    let root = host.root();
    throttled(&host, root, 3);
    host.advance(SECOND - 3 * MILLISECOND);
    assert_eq!(next(root, 9).0, "", "they have just been asked");
    for _ in 0..4 {
        host.advance(SECOND);
        assert_eq!(next(root, 9).0, "abc");
        host.advance(SECOND - 2 * MILLISECOND);
        assert_eq!(next(root, 9).0, "");
    }
}

#[test]
fn a_good_answer_ends_that_cool_down_and_another_wish_prolongs_it() {
    let host = start(&of(r#"["a", "b", "c"]"#));
    let root = host.root();
    throttled(&host, root, 3);
    host.advance(2 * SECOND);
    let (clusters, trials) = next(root, 3);
    assert_eq!(clusters, "abc");
    for trial in trials {
        let is_good = cluster_of(trial) == "b";
        answer(trial, if is_good { OK } else { THROTTLED });
    }
    assert_eq!(
        next(root, 6).0,
        "bbbbbb",
        "there is one, so no other is tried"
    );
    host.advance(29 * SECOND);
    assert_eq!(
        next(root, 6).0,
        "bbbbbb",
        "the wishes count from the trials on"
    );
    host.advance(SECOND);
    assert_eq!(next(root, 6).0, "aabbcc");
}

#[test]
fn what_is_no_good_answer_ends_no_cool_down() {
    for (status, opens) in [("404", false), ("401", false), ("500", true), ("503", true)] {
        let host = start(&of(r#"["a"]"#));
        let root = host.root();
        throttled(&host, root, 1);
        host.advance(SECOND);
        let (clusters, trials) = next(root, 2);
        assert_eq!(clusters, "a");
        answer(trials[0], &[(":status", status)]);
        assert_eq!(next(root, 2).0, "", "{status}");
        host.advance(SECOND);
        // A breaker is a reason of its own; and a cool-down holds in panic.
        let tried = if opens { "" } else { "a" };
        assert_eq!(next(root, 2).0, tried, "{status}");
    }
    let host = start(&of(r#"["a"]"#));
    throttled(&host, host.root(), 1);
    host.advance(SECOND);
    next(host.root(), 1).1[0].client_gone();
    assert_eq!(next(host.root(), 2).0, "", "nobody knows what it came to");
}

#[test]
fn workers_share_the_trials_and_what_they_come_to() {
    let configuration = of(r#"["a", "b"]"#);
    let host = start(&configuration);
    let [one, other] = [host.root(), host.add_root(Some(configuration.as_bytes()))];
    throttled(&host, one, 2);
    // Both take over the cool-downs in their rounds.
    host.advance(11 * SECOND);
    let (first, trials) = next(one, 1);
    let (second, more) = next(other, 4);
    assert_eq!(
        first.clone() + &second,
        if first == "a" { "ab" } else { "ba" }
    );
    assert_eq!(next(one, 4).0, "", "the other worker has asked");
    answer(more[0], OK);
    answer(trials[0], THROTTLED);
    host.advance(10 * SECOND);
    assert_eq!(next(one, 3).0, second.repeat(3));
    assert_eq!(next(other, 3).0, second.repeat(3));
}

#[test]
fn a_cool_down_is_tried_before_breakers_are_ignored() {
    let host = start(&of(r#"["a", "b"]"#));
    let root = host.root();
    for _ in 0..2 {
        let stream = ask(root);
        let is_a = cluster_of(stream) == "a";
        answer(stream, if is_a { UNAVAILABLE } else { THROTTLED });
    }
    // `b` cools down, so `a` is all there is.
    assert_eq!(next(root, 3).0, "aaa");
    host.advance(SECOND);
    let (clusters, streams) = next(root, 3);
    assert_eq!(clusters, "aab");
    for stream in streams {
        let is_a = cluster_of(stream) == "a";
        answer(stream, if is_a { UNAVAILABLE } else { OK });
    }
    assert_eq!(next(root, 3).0, "bbb");
}

#[test]
fn while_one_is_available_no_cool_down_is_tried() {
    let host = start(&of(
        r#"["a", {"cluster": "b", "priority": 1}, {"cluster": "c", "weight": 0}]"#,
    ));
    let root = host.root();
    throttled(&host, root, 1);
    host.advance(5 * SECOND);
    assert_eq!(next(root, 3).0, "bbb");
    throttled(&host, root, 1);
    host.advance(5 * SECOND);
    assert_eq!(next(root, 3).0, "ccc", "drained, and available");
    throttled(&host, root, 1);
    host.advance(SECOND);
    assert_eq!(next(root, 1).0, "a", "the best tier first");
    assert_eq!(next(root, 1).0, "b");
    assert_eq!(next(root, 2).0, "c");
}
