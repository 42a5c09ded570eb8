//! How the filter classifies the host's signs of a failure.
//!
//! The class shows in what is repeated. A GET is retried after every failure. A POST may have
//! bought something, so it is retried only where nothing was sent.

use crate::fake_host::{Host, Stream, headers};
use crate::scene::{DELAY, PLAIN, cluster_of, get, head, start};

/// The class of an answer.
#[derive(Debug, PartialEq, Eq)]
enum Taken {
    /// Nothing was sent: any method is retried.
    ConnectFailure,
    /// The request may have had an effect: only repeatable methods are retried.
    Failure,
    /// Not a failure to retry.
    Final,
}

fn taken(get_retried: bool, post_retried: bool) -> Taken {
    match (get_retried, post_retried) {
        (true, true) => Taken::ConnectFailure,
        (true, false) => Taken::Failure,
        (false, false) => Taken::Final,
        (false, true) => panic!("a POST was retried where a GET was not"),
    }
}

/// The class of the router's answer to the first attempt.
fn routed(answer: impl Fn(Stream)) -> Taken {
    let retried = |method| {
        let host = start(PLAIN);
        let stream = host.request(&head(method, &[]), true);
        answer(stream);
        stream.is_paused()
    };
    taken(retried("GET"), retried("POST"))
}

/// The class of the host's answer to a call.
fn called(answer: impl Fn(&Host, u32)) -> Taken {
    let retried = |method| {
        let host = start(PLAIN);
        let stream = host.request(&head(method, &[]), true);
        // The first attempt fails in a way that allows a second one for every method.
        stream.router_failed(503, "no_healthy_upstream", b"no healthy upstream");
        host.advance(DELAY);
        answer(&host, host.pending_call().token);
        stream.is_paused()
    };
    taken(retried("GET"), retried("POST"))
}

#[test]
fn response_code_details_say_what_the_router_met() {
    for (status, details, expected) in [
        (503, "no_healthy_upstream", Taken::ConnectFailure),
        (503, "cluster_not_found", Taken::ConnectFailure),
        (504, "response_timeout", Taken::Failure),
        (504, "upstream_response_timeout", Taken::Failure),
        (504, "upstream_per_try_timeout", Taken::Failure),
        // Another filter's or the route's own answer; the request reached no endpoint.
        (503, "", Taken::Final),
        (503, "direct_response", Taken::Final),
        (503, "ext_authz_error", Taken::Final),
        (429, "request_rate_limited", Taken::Final),
        (504, "stream_idle_timeout", Taken::Failure),
    ] {
        let found = routed(|stream| {
            stream.router_failed(status, details, b"x");
        });
        assert_eq!(found, expected, "{status} {details}");
    }
}

#[test]
fn response_flags_say_it_first() {
    for (flags, details, expected) in [
        (0x2, "", Taken::ConnectFailure),
        (0x20, "some_word_of_a_later_host", Taken::ConnectFailure),
        (0x100_0000, "", Taken::ConnectFailure),
        (
            0x400_0000,
            "dns_resolution_failure{x}",
            Taken::ConnectFailure,
        ),
        (0x80, "maintenance_mode", Taken::ConnectFailure),
        (0x800_0000, "drop_overload", Taken::ConnectFailure),
        (
            0x2000_0000,
            "unconditional_drop_overload",
            Taken::ConnectFailure,
        ),
        (0x4, "", Taken::Failure),
        (
            0x8_0000,
            "upstream_max_stream_duration_reached",
            Taken::Failure,
        ),
        (0x1_0000, "stream_idle_timeout", Taken::Failure),
        // Where a reset is all that they say, the details say more.
        (
            0x40,
            "upstream_reset_before_response_started{connection_termination}",
            Taken::Failure,
        ),
        (
            0x10,
            "upstream_reset_before_response_started{remote_refused_stream_reset}",
            Taken::ConnectFailure,
        ),
        // After an interim answer.
        (
            0x40,
            "upstream_reset_after_response_started{connection_termination}",
            Taken::Failure,
        ),
        // Another filter's answer, and an upstream's that was delayed by one.
        (0x1000, "ext_authz_denied", Taken::Final),
        (0x800, "request_rate_limited", Taken::Final),
        (0x200, "via_upstream", Taken::Failure),
    ] {
        let found = routed(|stream| {
            stream.set_property(&["response", "flags"], &u64::to_le_bytes(flags));
            stream.router_failed(503, details, b"x");
        });
        assert_eq!(found, expected, "{flags:#x} {details}");
    }
}

/// Reasons of a reset as the host writes them in a body; in details the blanks are underscores.
const RESETS: [(&str, Taken); 11] = [
    ("remote connection failure", Taken::ConnectFailure),
    ("local connection failure", Taken::ConnectFailure),
    ("connection timeout", Taken::ConnectFailure),
    ("overflow", Taken::ConnectFailure),
    ("remote refused stream reset", Taken::ConnectFailure),
    ("local refused stream reset", Taken::ConnectFailure),
    ("connection termination", Taken::Failure),
    ("remote reset", Taken::Failure),
    ("local reset", Taken::Failure),
    ("protocol error", Taken::Failure),
    ("", Taken::Failure),
];

#[test]
fn the_reason_of_a_reset_says_whether_anything_was_sent() {
    for (reason, expected) in &RESETS {
        for more in ["", "|delayed connect error: 111", ",TLS error"] {
            let details = format!("upstream_reset_before_response_started{{{reason}{more}}}");
            let details = details.replace(' ', "_");
            let found = routed(|stream| {
                stream.router_failed(503, &details, b"x");
            });
            assert_eq!(found, *expected, "{details}");
        }
    }
}

#[test]
fn the_body_of_the_hosts_answer_to_a_call_says_the_same() {
    for (reason, expected) in &RESETS {
        for (before, after) in [
            (
                "upstream connect error or disconnect/reset before headers. ",
                "",
            ),
            (
                "upstream connect error or disconnect/reset before headers. \
                 retried and the latest ",
                ", transport failure reason: TLS error",
            ),
        ] {
            let body = format!("{before}reset reason: {reason}{after}");
            let found = called(|host, token| {
                let local = headers(&[(":status", "503"), ("content-type", "text/plain")]);
                host.answer_as_given(token, local, body.as_bytes());
            });
            assert_eq!(found, *expected, "{body}");
        }
    }
}

#[test]
fn calls_have_four_other_ways_to_fail() {
    let local = |status: &'static str, body: &'static [u8]| {
        called(move |host, token| {
            host.answer_as_given(token, headers(&[(":status", status)]), body);
        })
    };
    assert_eq!(local("503", b"no healthy upstream"), Taken::ConnectFailure);
    assert_eq!(local("504", b"upstream request timeout"), Taken::Failure);
    assert_eq!(called(Host::answer_reset), Taken::Failure);
    // No sign of an upstream and none of the host: an answer that began while the request was still
    // being sent has no service time either.
    assert_eq!(local("503", b"busy"), Taken::Failure);
    assert_eq!(local("404", b"nothing here"), Taken::Final);
    // The host's answer to a HEAD has no body to recognize it by.
    for status in ["502", "503", "504"] {
        assert_eq!(local(status, b""), Taken::Failure, "{status}");
    }
}

#[test]
fn an_upstreams_body_is_not_taken_for_the_hosts() {
    // Only the header that the host adds to an upstream's answer distinguishes them.
    for (status, body) in [
        ("503", &b"no healthy upstream"[..]),
        ("504", b"upstream request timeout"),
        (
            "503",
            b"upstream connect error or disconnect/reset before headers. reset reason: overflow",
        ),
    ] {
        let found = called(|host, token| host.answer(token, &[(":status", status)], body));
        assert_eq!(found, Taken::Failure, "{status}");
    }
    // For the router the details distinguish them.
    let found = routed(|stream| {
        stream.response(&[(":status", "503"), ("x", "no_healthy_upstream")], true);
    });
    assert_eq!(found, Taken::Failure);
}

#[test]
fn a_response_without_a_usable_status_goes_on_untouched() {
    for status in [None, Some("garbage"), Some(""), Some("99999"), Some("5 3")] {
        let host = start(PLAIN);
        let stream = get(&host);
        let answer: Vec<_> = status
            .map(|status| (":status", status))
            .into_iter()
            .collect();
        stream.response(&answer, true);
        assert_eq!(stream.response_headers(), headers(&answer));
        assert!(!stream.is_paused());
        stream.finish();
    }
}

#[test]
fn a_request_without_a_route_is_retried_and_blames_no_endpoint() {
    let host = start(
        r#"{"endpoints": [{"cluster": "a", "authority": "a.example"},
                {"cluster": "b", "authority": "b.example", "priority": 1}],
            "circuit_breaker": {"failure_threshold": 1}}"#,
    );
    let count = || {
        let name = "steerage_internal_errors_total;kind=authority_breaks_route";
        host.metric(name).unwrap_or_default()
    };
    for number in 1..=3 {
        // Nothing was sent, so that a POST is repeated, too.
        let stream = host.request(&head("POST", &[]), true);
        assert_eq!(cluster_of(stream), "a", "its breaker is closed");
        stream.router_failed(404, "route_not_found", b"");
        host.advance(DELAY);
        let call = host.pending_call();
        assert_eq!(call.cluster, "b");
        assert_eq!(call.header(":authority"), Some(&b"b.example"[..]));
        host.answer(call.token, crate::scene::OK, b"well");
        assert_eq!(stream.sent().unwrap().status, 200);
        assert_eq!(count(), number);
    }
    let warnings = host.logs();
    let warnings = warnings
        .iter()
        .filter(|line| format!("{line:?}").contains("finds no route"));
    assert_eq!(warnings.count(), 1);
    // An upstream's own 404 is an answer.
    let stream = get(&host);
    stream.response(&[(":status", "404")], true);
    assert!(!stream.is_paused());
    stream.finish();
    assert_eq!(count(), 3);
}

#[test]
fn the_hosts_answer_to_a_grpc_client_is_not_the_upstreams_success() {
    let opens = |details| {
        let host = start(
            r#"{"endpoints": ["a", {"cluster": "b", "priority": 1}],
                "circuit_breaker": {"failure_threshold": 1}}"#,
        );
        let grpc = [("content-type", "application/grpc")];
        let stream = host.request(&head("POST", &grpc), true);
        // A 200 whose `grpc-status` says what it was.
        stream.router_failed(504, details, b"");
        stream.finish();
        cluster_of(get(&host)) == "b"
    };
    assert!(opens("no_healthy_upstream"));
    assert!(!opens("ext_authz_error"), "another filter's word");
}
