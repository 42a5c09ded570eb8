//! Everything that begins also ends: every pause by one timer or one call, every exchange by its
//! deadline, every attempt with its stream.

use std::time::Duration;

use crate::fake_host::{Host, Stream};
use crate::scene::{
    BY_LOAD, DELAY, OK, ROUND, TOTAL, UNAVAILABLE, assert_idle, assert_refused, calling,
    cluster_of, fail, fail_first, get, head, start, values, waiting,
};

type Begin = fn(&Host) -> Stream;

/// Each phase in which the client has no answer yet, and how a stream gets there.
const PHASES: [(&str, Begin); 4] = [
    ("routed", get),
    ("waiting", waiting),
    ("calling", |host| calling(host).0),
    ("waiting again", |host| {
        let (stream, call) = calling(host);
        fail(host, &call);
        assert!(stream.is_paused());
        stream
    }),
];

#[test]
fn a_pause_has_exactly_one_thing_that_will_end_it() {
    let host = start(BY_LOAD);
    let stream = waiting(&host);
    assert_eq!(host.tick_in(), Some(DELAY));
    assert!(host.pending_calls().is_empty());

    host.advance(DELAY);
    assert_eq!(host.pending_calls().len(), 1);
    // The timer is now armed for the deadline, in case the host never reports the call.
    assert!(host.tick_in() <= Some(TOTAL - DELAY));

    fail(&host, &host.pending_call());
    assert_eq!(host.tick_in(), Some(DELAY));
    assert!(host.pending_calls().is_empty() && stream.is_paused());

    host.advance(DELAY);
    host.answer(host.pending_call().token, OK, b"");
    assert!(stream.has_ended());
    assert_idle(&host);
}

#[test]
fn the_deadline_ends_an_exchange_in_every_phase() {
    for (phase, begin) in PHASES {
        let host = start(BY_LOAD);
        let arrived = host.now();
        let stream = begin(&host);
        let calls = host.calls().len();
        // The host is busy elsewhere until the deadline has passed, so that everything is due at
        // once. The filter must notice first that it is too late.
        host.stall(arrived + TOTAL - host.now());
        assert_eq!(stream.sent(), None, "{phase}");
        host.advance(Duration::ZERO);
        assert_eq!(
            host.calls().len(),
            calls,
            "{phase}: an attempt after the deadline"
        );
        assert_refused(stream, 504, "deadline_exceeded");
        assert!(stream.has_ended(), "{phase}");
        for call in host.pending_calls() {
            host.answer_timeout(call.token);
        }
        assert_idle(&host);
    }
}

#[test]
fn the_deadline_strikes_on_time_and_not_before() {
    for (phase, begin) in [PHASES[0], PHASES[2]] {
        let host = start(BY_LOAD);
        let arrived = host.now();
        let stream = begin(&host);
        host.advance(arrived + TOTAL - host.now() - Duration::from_nanos(1));
        assert_eq!(stream.sent(), None, "{phase}");
        host.advance(Duration::from_nanos(1));
        assert_refused(stream, 504, "deadline_exceeded");
    }
}

#[test]
fn an_attempt_that_times_out_with_the_deadline_is_the_deadlines_504() {
    let host = start(
        r#"{"endpoints": ["a", "b"], "timeout": {"connect": 1, "read": 9, "total": 10},
            "retry_policy": {"strategy": "fixed", "base_delay": 2, "jitter": false}}"#,
    );
    let stream = get(&host);
    fail_first(stream);
    host.advance(Duration::from_secs(2));
    let call = host.pending_call();
    // 8 of the 9 seconds are left. The host's timeout is a moment earlier than our tick.
    host.stall(Duration::from_millis(7_999));
    host.answer_timeout(call.token);
    assert_refused(stream, 504, "deadline_exceeded");
    host.advance(TOTAL);

    // The router's own 504 goes on as it is, and says why as well: the client took 3 of the 10
    // seconds to send its request, so the 9 that the upstream may take end with the deadline.
    let stream = host.request(&head("PUT", &[]), false);
    host.advance(Duration::from_secs(3));
    stream.request_body(b"hello", true);
    host.advance(Duration::from_millis(6_900));
    stream.router_failed(504, "upstream_per_try_timeout", b"upstream request timeout");
    let reasons = values(&stream.response_headers(), "x-steerage-reason");
    assert_eq!(reasons, ["deadline_exceeded"]);
    assert_eq!(stream.sent(), None);
    stream.finish();
}

#[test]
fn a_client_that_does_not_finish_its_request_gets_408() {
    let host = start(BY_LOAD);
    let stream = host.request(&head("POST", &[]), false);
    stream.request_body(b"he", false);
    host.advance(Duration::from_secs(30) - Duration::from_nanos(1));
    assert_eq!(stream.sent(), None);
    host.advance(Duration::from_nanos(1));
    assert_refused(stream, 408, "write_timeout");
    assert!(stream.has_ended());
    assert_idle(&host);
}

#[test]
fn a_client_that_finishes_in_time_has_the_rest_of_the_deadline() {
    let host = start(BY_LOAD);
    let by_body: fn(Stream) = |stream| {
        stream.request_body(b"llo", true);
    };
    let by_trailers: fn(Stream) = |stream| {
        stream.request_trailers(&[("t", "1")]);
    };
    for finish in [by_body, by_trailers] {
        let stream = host.request(&head("POST", &[]), false);
        host.advance(Duration::from_secs(29));
        finish(stream);
        host.advance(Duration::from_secs(30));
        assert_eq!(stream.sent(), None);
        host.advance(Duration::from_secs(1));
        assert_refused(stream, 504, "deadline_exceeded");
    }
    assert_idle(&host);
}

#[test]
fn an_answer_that_has_begun_streams_on_without_a_limit() {
    let host = start(BY_LOAD);
    for (method, complete) in [("GET", true), ("POST", false)] {
        let stream = host.request(&head(method, &[]), complete);
        stream.response(OK, false);
        host.advance(10 * TOTAL);
        stream.response_body(b"hello", true);
        assert_eq!(stream.sent(), None, "{method}");
        stream.finish();
    }
    // The same for an answer that was paused and released.
    let stream = waiting(&host);
    for name in ["a", "b", "c"] {
        host.drain_cluster(name);
    }
    host.advance(10 * TOTAL);
    assert!(stream.was_resumed());
    stream.finish();
    assert_idle(&host);
}

#[test]
fn a_call_that_is_answered_after_the_deadline_changes_nothing() {
    let late: [fn(&Host, u32); 4] = [
        |host, token| host.answer(token, OK, b"late"),
        |host, token| host.answer(token, UNAVAILABLE, b"late"),
        Host::answer_timeout,
        Host::answer_reset,
    ];
    for answer in late {
        let host = start(BY_LOAD);
        // Envoy sends the reply and keeps the stream for a while; the answer comes in between.
        host.finish_replied(false);
        let (stream, call) = calling(&host);
        host.advance(TOTAL);
        assert_refused(stream, 504, "deadline_exceeded");
        answer(&host, call.token);
        assert_eq!(stream.sent().unwrap().status, 504);
        stream.finish();
        assert_idle(&host);
    }
}

#[test]
fn a_stream_that_closes_leaves_nothing_behind_in_any_phase() {
    let closes: [fn(Stream); 2] = [Stream::client_gone, Stream::timed_out];
    for (phase, begin) in PHASES {
        for close in closes {
            let host = start(BY_LOAD);
            let stream = begin(&host);
            let calls = host.calls().len();
            close(stream);
            host.advance(DELAY);
            assert_eq!(
                host.calls().len(),
                calls,
                "{phase}: a retry without a client"
            );
            // The host cannot cancel a call: its answer comes after the stream is gone.
            for call in host.pending_calls() {
                fail(&host, &call);
            }
            assert_idle(&host);
        }
    }
    let host = start(BY_LOAD);
    for end in [Stream::client_gone, Stream::finish] {
        let stream = get(&host);
        stream.response(OK, false);
        end(stream);
    }
    let unfinished = host.request(&head("POST", &[]), false);
    unfinished.client_gone();
    assert_idle(&host);
}

#[test]
fn an_attempt_counts_as_active_until_its_answer_has_ended() {
    let host = start(BY_LOAD);
    let free = || {
        let stream = get(&host);
        stream.client_gone();
        cluster_of(stream)
    };
    let streaming = get(&host);
    assert_eq!(cluster_of(streaming), "a");
    streaming.response(OK, false);
    assert_eq!(free(), "b", "the body of the answer still streams by");
    streaming.finish();
    assert_eq!(free(), "a");

    // A call counts until it is answered, even when its client has left.
    let (stream, call) = calling(&host);
    assert_eq!(call.cluster, "b");
    stream.client_gone();
    let on_a = get(&host);
    assert_eq!(cluster_of(on_a), "a");
    assert_eq!(free(), "a", "a has one and b has one");
    host.answer(call.token, OK, b"");
    assert_eq!(free(), "b", "b has none");
    on_a.client_gone();
    assert_idle(&host);
}

/// Ticks in twice the deadline if only the rounds cause them.
const ROUNDS_OF_TWO_TOTALS: u64 = 12;

#[test]
fn rounds_come_whether_a_stream_waits_or_not() {
    let host = start(BY_LOAD);
    assert_eq!(host.tick_in(), Some(ROUND), "nothing to do yet");
    let stream = get(&host);
    assert_eq!(host.tick_in(), Some(ROUND), "a deadline is far");
    stream.response(OK, true);
    stream.finish();
    host.advance(TOTAL);
    assert_eq!(host.tick_in(), Some(ROUND));
}

#[test]
fn exchanges_that_no_longer_wait_set_no_timer() {
    let leaves: [fn(Stream); 2] = [Stream::client_gone, |stream| {
        stream.response(OK, false);
    }];
    for leave in leaves {
        let host = start(BY_LOAD);
        for _ in 0..9 {
            leave(get(&host));
            host.advance(Duration::from_secs(1));
        }
        // Only rounds cause ticks.
        let ticks = host.count_hostcalls(|| host.advance(2 * TOTAL));
        assert!(ticks.of("proxy_set_tick_period_milliseconds") <= ROUNDS_OF_TWO_TOTALS);
    }
}

#[test]
fn a_burst_of_streams_is_ended_by_one_tick() {
    let host = start(BY_LOAD);
    let streams: Vec<_> = (0..200).map(|_| get(&host)).collect();
    let ticks = host.count_hostcalls(|| host.advance(TOTAL));
    // Besides rounds: the end of the first attempts, the calls, the deadline.
    assert!(ticks.of("proxy_set_tick_period_milliseconds") <= ROUNDS_OF_TWO_TOTALS / 2 + 3);
    for stream in streams {
        assert_refused(stream, 504, "deadline_exceeded");
    }
    for call in host.pending_calls() {
        host.answer_timeout(call.token);
    }
    assert_idle(&host);
}
