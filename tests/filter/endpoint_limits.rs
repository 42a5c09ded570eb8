//! An endpoint at its limit is not chosen. When all are at their limits, the client gets 503 at
//! once.

use crate::fake_host::{Host, Stream};
use crate::scene::{
    DELAY, OK, assert_idle, assert_refused, cluster_of, fail_first, get, start, waiting,
};

/// Three endpoints in turn, each of which takes two attempts at a time.
const TWO_EACH: &str = r#"{
    "endpoints": ["a", "b", "c"],
    "retry_policy": {"strategy": "fixed", "base_delay": 0.1, "jitter": false},
    "connection_pool": {"max_connections": 2},
    "sync_interval": 10
}"#;

fn gets(host: &Host, number: usize) -> Vec<Stream> {
    (0..number).map(|_| get(host)).collect()
}

fn answer(stream: Stream) {
    stream.response(OK, true);
    stream.finish();
}

#[test]
fn a_request_over_the_limit_is_refused_at_once_and_freed_room_is_used() {
    let host = start(TWO_EACH);
    let streams = gets(&host, 6);
    let refused = get(&host);
    assert_refused(refused, 503, "overloaded");
    assert_eq!(host.calls().len(), 0);
    // The place of an answer is free once it has ended.
    let freed = streams[4];
    freed.response(OK, false);
    assert_refused(get(&host), 503, "overloaded");
    freed.response_body(b"done", true);
    freed.finish();
    assert_eq!(cluster_of(get(&host)), "b");
    // A client that leaves makes room too.
    streams[0].client_gone();
    assert_eq!(cluster_of(get(&host)), "a");
}

#[test]
fn the_keys_of_an_endpoint_that_is_full_go_elsewhere_meanwhile() {
    let by_path = r#""load_balancer": {"strategy": "consistent_hash", "hash_on": "path"},
        "sync_interval""#;
    let host = start(&TWO_EACH.replace(r#""sync_interval""#, by_path));
    let streams = gets(&host, 5);
    let chosen: Vec<_> = streams.iter().map(|stream| cluster_of(*stream)).collect();
    assert_eq!(chosen[0], chosen[1]);
    assert_eq!(chosen[2], chosen[3]);
    assert!(chosen[2] != chosen[0] && ![&chosen[0], &chosen[2]].contains(&&chosen[4]));
    answer(streams[0]);
    assert_eq!(cluster_of(get(&host)), chosen[0]);
}

#[test]
fn a_retry_that_finds_all_endpoints_full_ends_with_the_last_answer() {
    let host = start(&TWO_EACH.replace(r#"["a", "b", "c"]"#, r#"["a", "b"]"#));
    let stream = waiting(&host);
    // Others take all the room while it waits.
    let others = gets(&host, 4);
    host.advance(DELAY);
    assert!(host.pending_calls().is_empty());
    assert!(!stream.is_paused());
    stream.finish();
    host.advance(crate::scene::ROUND);
    let denied = "steerage_retries_denied_total;pool=default;reason=overloaded";
    assert_eq!(host.metric(denied), Some(1));
    others.into_iter().for_each(answer);
    // With room it is made.
    let stream = get(&host);
    fail_first(stream);
    host.advance(DELAY);
    host.answer(host.pending_call().token, OK, b"");
    assert_eq!(stream.sent().unwrap().status, 200);
}

#[test]
fn a_call_takes_its_place_until_it_is_answered() {
    let host = start(&TWO_EACH.replace(r#"["a", "b", "c"]"#, r#"["a"]"#));
    let stream = waiting(&host);
    host.advance(DELAY);
    let call = host.pending_call();
    stream.client_gone();
    let other = get(&host);
    assert_refused(get(&host), 503, "overloaded");
    host.answer(call.token, OK, b"");
    assert_eq!(cluster_of(get(&host)), "a");
    answer(other);
}

#[test]
fn a_cool_down_gives_no_retry_after_while_others_are_full() {
    let host = start(TWO_EACH);
    let throttled = get(&host);
    throttled.response(&[(":status", "429"), ("retry-after", "60")], true);
    throttled.client_gone();
    gets(&host, 4);
    let refused = get(&host);
    assert_refused(refused, 503, "overloaded");
    // There may be room long before the cool-down ends.
    let headers = refused.sent().unwrap().headers;
    assert!(headers.iter().all(|(name, _)| name != "retry-after"));
}

#[test]
fn the_gauge_shows_the_limit() {
    let limit = |fields: &str| {
        let configuration = TWO_EACH.replace(r#""max_connections": 2"#, fields);
        let host = start(&configuration);
        host.metric("steerage_endpoint_limit;pool=default;endpoint=a")
    };
    assert_eq!(limit(r#""max_connections": 7"#), Some(7));
    assert_eq!(limit(""), Some(100));
    let by_load = r#""expected_rps": 50, "avg_response_time": 0.3"#;
    assert_eq!(limit(by_load), Some(18));
    assert_eq!(limit(r#""dynamic": true"#), Some(20));
    assert_eq!(limit(&format!(r#""dynamic": true, {by_load}"#)), Some(18));
}

#[test]
fn a_dynamic_limit_leaves_nothing_behind() {
    let dynamic = r#""connection_pool": {"dynamic": true}, "sync_interval""#;
    let configuration = crate::scene::BY_LOAD.replace(r#""sync_interval""#, dynamic);
    let host = start(&configuration);
    for _ in 0..100 {
        gets(&host, 10).into_iter().for_each(answer);
        host.advance(DELAY);
    }
    assert_idle(&host);
}
