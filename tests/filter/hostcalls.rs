//! The hostcalls of a request.
//!
//! A hostcall leaves the VM and every request pays for it, so the healthy path has a budget of
//! hostcalls and of reads of the clock. Hostcalls are functions of the ABI. The clock is WASI's in
//! a VM, and a function of the ABI only here.

use std::time::Duration;

use crate::fake_host::{Host, HostCalls, Stream};
use crate::scene::{OK, PLAIN, UNAVAILABLE, get, head, start};

/// A healthy request without a body: hostcalls, and reads of the clock.
const BARE: (u64, u64) = (5, 3);
/// A healthy request whose body comes in one part.
const WITH_BODY: (u64, u64) = (6, 4);
/// A request that is answered by its second attempt. The failure is shared, which takes a read and
/// a write, and noted for the access log. The headers of the 503 are searched for `Retry-After`, which may be a date.
const RETRIED: (u64, u64) = (21, 6);

#[track_caller]
fn check(calls: &HostCalls, (budget, clock): (u64, u64)) {
    let clocks = calls.of("proxy_get_current_time_nanoseconds");
    assert!(clocks <= clock, "{calls:?}");
    assert!(calls.total() - clocks <= budget, "{calls:?}");
    assert_eq!(calls.logs(), 0, "{calls:?}");
    assert_eq!(
        calls.of("proxy_define_metric")
            + calls.of("proxy_increment_metric")
            + calls.of("proxy_record_metric"),
        0
    );
}

/// The healthy path makes no call for shared data.
#[track_caller]
fn check_healthy(calls: &HostCalls, budget: (u64, u64)) {
    check(calls, budget);
    assert!(
        !calls.by_name.keys().any(|name| name.contains("shared")),
        "{calls:?}"
    );
}

fn answered(stream: Stream) {
    stream.response(OK, false);
    stream.response_body(b"hello", true);
    stream.finish();
}

/// One request of a steady flow: others came before, and the timer runs.
fn in_flow(host: &Host, request: impl Fn() -> Stream) -> HostCalls {
    for _ in 0..3 {
        answered(request());
        host.advance(Duration::from_millis(10));
    }
    host.count_hostcalls(|| answered(request()))
}

#[test]
fn a_healthy_get_stays_within_its_budget() {
    let host = start(PLAIN);
    let calls = in_flow(&host, || get(&host));
    check_healthy(&calls, BARE);
    assert_eq!(calls.of("proxy_set_tick_period_milliseconds"), 0);
}

#[test]
fn a_healthy_request_with_a_body_stays_within_its_budget() {
    let host = start(PLAIN);
    for method in ["PUT", "POST"] {
        let calls = in_flow(&host, || {
            let stream = host.request(&head(method, &[("content-length", "5")]), false);
            stream.request_body(b"hello", true);
            stream
        });
        check_healthy(&calls, WITH_BODY);
        assert_eq!(calls.of("proxy_set_tick_period_milliseconds"), 0);
    }
}

#[test]
fn only_the_parts_of_a_body_that_a_retry_could_use_are_read() {
    let host = start(PLAIN);
    let parts = |part: &[u8]| {
        let calls = host.count_hostcalls(|| {
            let stream = host.request(&head("PUT", &[]), false);
            for _ in 0..10 {
                stream.request_body(part, false);
            }
            stream.request_body(b"", true);
            answered(stream);
        });
        calls.of("proxy_get_buffer_bytes")
    };
    assert_eq!(parts(&[0; 6_000]), 10);
    // The eleventh kilobyte of six is beyond `max_request_bytes`: the rest only streams by.
    assert_eq!(parts(&[0; 11_000]), 5);
}

#[test]
fn what_headers_say_of_health_is_looked_at_now_and_then() {
    let host = start(
        r#"{"endpoints": ["a"], "load_balancer": {"strategy": "health_based"}, "sync_interval": 10}"#,
    );
    let looks = |headers: &[(&str, &str)]| {
        let stream = get(&host);
        let calls = host.count_hostcalls(|| {
            stream.response(headers, true);
        });
        stream.finish();
        calls.of("proxy_get_header_map_pairs")
    };
    assert_eq!(looks(OK), 1, "the first");
    host.advance(Duration::from_millis(99));
    assert_eq!(looks(OK), 0);
    host.advance(Duration::from_millis(1));
    assert_eq!(looks(OK), 1, "after a while");
    let degraded = [OK[0], ("x-envoy-degraded", "1")];
    assert_eq!(looks(&degraded), 1, "one header more");
    assert_eq!(looks(&degraded), 0);
    assert_eq!(looks(OK), 1, "one header less");
}

#[test]
fn an_unmatched_request_costs_one_look_at_its_headers() {
    let host = start(r#"{"pools": [{"endpoints": ["a"], "match": {"prefix": "/api"}}]}"#);
    let calls = host.count_hostcalls(|| answered(get(&host)));
    assert_eq!(calls.total(), 1, "{calls:?}");
}

#[test]
fn a_retried_request_stays_within_its_budget() {
    let host = start(PLAIN);
    answered(get(&host));
    let calls = host.count_hostcalls(|| {
        let stream = get(&host);
        stream.response(UNAVAILABLE, true);
        host.advance(Duration::from_millis(100));
        host.answer(host.pending_call().token, OK, b"hello");
        assert!(stream.has_ended());
    });
    check(&calls, RETRIED);
}

#[test]
fn two_hundred_endpoints_cost_as_many_hostcalls_as_two() {
    let with = |endpoints: usize, strategy: &str| {
        let names: Vec<_> = (0..endpoints).map(|n| format!("\"e{n}\"")).collect();
        let host = start(&format!(
            r#"{{"endpoints": [{}], "load_balancer": {{"strategy": "{strategy}"}}}}"#,
            names.join(",")
        ));
        in_flow(&host, || get(&host))
    };
    for strategy in ["round_robin", "least_response_time", "weighted_random"] {
        let calls = with(200, strategy);
        check_healthy(&calls, BARE);
        assert_eq!(calls, with(2, strategy), "{strategy}");
    }
}

#[test]
fn the_timer_is_set_once_a_round_and_not_once_a_request() {
    let host = start(PLAIN);
    let calls = host.count_hostcalls(|| {
        for _ in 0..1_000 {
            answered(get(&host));
            host.advance(Duration::from_millis(10));
        }
    });
    // Ten seconds, with a round every ten.
    assert_eq!(calls.of("proxy_set_tick_period_milliseconds"), 1);
}

#[test]
fn a_round_without_traffic_publishes_nothing_but_a_heartbeat() {
    let host = start(r#"{"endpoints": ["a"], "sync_interval": 0.1}"#);
    let rounds = |host: &Host| {
        let calls =
            (0..10).map(|_| host.count_hostcalls(|| host.advance(Duration::from_millis(100))));
        calls.collect::<Vec<_>>()
    };
    answered(get(&host));
    rounds(&host);
    let quiet = rounds(&host);
    let writes = |calls: &HostCalls| calls.of("proxy_set_shared_data");
    assert_eq!(quiet.iter().map(writes).sum::<u64>(), 1, "{quiet:?}");
    // What a request changes is there after one round.
    answered(get(&host));
    assert_eq!(rounds(&host).first().map(writes), Some(1));
}

#[test]
fn a_client_cannot_multiply_hostcalls_by_sending_headers_that_are_removed() {
    let host = start(PLAIN);
    let names: Vec<_> = (0..90).map(|n| format!("x-steerage-{n}")).collect();
    let different: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
    for headers in [different, vec![("x-envoy-retry-on", "5xx"); 90]] {
        let request = head("GET", &headers);
        let calls = in_flow(&host, || host.request(&request, true));
        assert!(calls.total() <= 2 * BARE.0, "{calls:?}");
    }
}
