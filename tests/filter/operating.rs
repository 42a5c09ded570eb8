//! Writes to the admin surface: how an override arrives.

use std::time::Duration;

use serde_json::Value;

use crate::admin::{GUARDED, TOKEN, ask, assert_error, head_of};
use crate::fake_host::{Host, NO_HEADERS, Stream};
use crate::scene::{OK, cluster_of, get, start, text};

const MILLISECOND: Duration = Duration::from_millis(1);

/// From one round to the next.
pub(crate) const ROUND: Duration = Duration::from_millis(100);

/// The interval between two looks for a body that is awaited.
const LOOK: Duration = Duration::from_millis(2);

/// How long a body is awaited.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) const OPEN: &str = r#"{"state": "open"}"#;

/// Begins to post this many bytes.
fn begin(host: &Host, path: &str, length: &str) -> Stream {
    let more = [
        TOKEN,
        ("content-length", length),
        ("cookie", "k=1"),
        ("x-own", "1"),
        ("x-forwarded-proto", "http"),
    ];
    host.request(&head_of("POST", path, &more), false)
}

/// Posts an override as a client does, and returns the answer's status and document.
#[track_caller]
fn post(host: &Host, path: &str, body: &str) -> (u32, Value) {
    let stream = begin(host, path, &body.len().to_string());
    stream.request_body(body.as_bytes(), true);
    host.advance(LOOK);
    let sent = stream.sent().unwrap();
    assert!(stream.has_ended());
    (sent.status, serde_json::from_slice(&sent.body).unwrap())
}

/// Posts an override that must be accepted.
#[track_caller]
pub(crate) fn change(host: &Host, path: &str, body: &str) -> Value {
    let (status, document) = post(host, &format!("/steerage/endpoints/{path}"), body);
    assert_eq!(status, 200, "{document}");
    document
}

/// Where the next six requests go, after a round.
#[track_caller]
pub(crate) fn next(host: &Host) -> String {
    host.advance(ROUND);
    let served = (0..6).map(|_| {
        let stream = get(host);
        let cluster = cluster_of(stream);
        stream.response(OK, true);
        stream.finish();
        cluster
    });
    let mut served: Vec<_> = served.collect();
    served.sort_unstable();
    served.concat()
}

/// The document of an endpoint.
#[track_caller]
pub(crate) fn endpoint_document(host: &Host, cluster: &str) -> Value {
    let sent = ask(host, "GET", "/steerage/endpoints", &[TOKEN]);
    let list: Vec<Value> = serde_json::from_slice(&sent.body).unwrap();
    list.into_iter().find(|it| it["url"] == cluster).unwrap()
}

#[test]
fn a_body_is_awaited_and_only_its_presence_reaches_the_router() {
    let host = start(GUARDED);
    let stream = begin(&host, "/steerage/endpoints/b/circuit", "17");
    stream.request_body(&OPEN.as_bytes()[..5], false);
    host.advance(50 * LOOK);
    assert!(stream.sent().is_none(), "not all has come");
    stream.request_body(&OPEN.as_bytes()[5..], true);
    assert!(stream.sent().is_none(), "there is no answer yet");
    host.advance(LOOK);
    let sent = stream.sent().unwrap();
    assert_eq!(sent.status, 200, "{}", text(&sent.body));
    assert_eq!(next(&host), "aaaccc");
    // The headers that the router has seen, and so an upstream may see.
    let names = ["authorization", "cookie", "x-own", "content-length"];
    assert!(
        names
            .iter()
            .all(|name| stream.request_header(name).is_none())
    );
    assert_eq!(stream.request_header(":method").unwrap(), b"OPTIONS");
    assert_eq!(stream.request_header("x-steerage-cluster").unwrap(), b"a");
    // Without it Envoy finds no route.
    assert_eq!(stream.request_header("x-forwarded-proto").unwrap(), b"http");
    assert_eq!(stream.request_headers().len(), 6);
    assert_eq!(stream.request_passed(), b"");
    assert!(host.calls().is_empty());
}

#[test]
fn a_body_is_read_in_any_pieces() {
    let host = start(GUARDED);
    host.pass_bodies_by_paused_headers(true);
    for pieces in [
        vec![17],
        vec![5, 12],
        vec![1, 1, 15],
        vec![17, 0],
        vec![0, 17],
    ] {
        let stream = begin(&host, "/steerage/endpoints/b/circuit", "17");
        let mut rest = OPEN.as_bytes();
        for (number, length) in pieces.iter().enumerate() {
            let (piece, more) = rest.split_at(*length);
            stream.request_body(piece, number + 1 == pieces.len());
            rest = more;
        }
        let sent = stream.sent().unwrap();
        assert_eq!(sent.status, 200, "{pieces:?}: {}", text(&sent.body));
        assert_eq!(
            stream.request_header(":method").unwrap(),
            b"POST",
            "nothing went on"
        );
        assert_eq!(next(&host), "aaaccc");
        change(&host, "b/circuit", r#"{"state": "auto"}"#);
    }
}

#[test]
fn trailers_end_a_body_too() {
    for by_itself in [true, false] {
        let host = start(GUARDED);
        host.pass_bodies_by_paused_headers(by_itself);
        let stream = begin(&host, "/steerage/endpoints/b/circuit", "17");
        stream.request_body(OPEN.as_bytes(), false);
        if !by_itself {
            // It has been released before they come, or with them.
            host.advance(LOOK);
        }
        stream.request_trailers(&[("t", "1")]);
        assert_eq!(stream.sent().unwrap().status, 200, "{by_itself}");
        assert_eq!(next(&host), "aaaccc");
    }
    let host = start(GUARDED);
    let stream = begin(&host, "/steerage/endpoints/b/circuit", "17");
    stream.request_body(OPEN.as_bytes(), false);
    stream.request_trailers(NO_HEADERS);
    host.advance(LOOK);
    assert_eq!(stream.sent().unwrap().status, 200);
}

#[test]
fn an_override_may_be_in_the_query_and_then_no_body_is_read() {
    let host = start(GUARDED);
    let path = "/steerage/endpoints/b/circuit?state=open&timeout=1m";
    assert_eq!(ask(&host, "POST", path, &[TOKEN]).status, 200);
    assert_eq!(next(&host), "aaaccc");
    let stream = begin(&host, "/steerage/endpoints/b/circuit?state=auto", "99999");
    assert_eq!(stream.sent().unwrap().status, 200, "at once");
    assert_eq!(next(&host), "aabbcc");
    for query in [
        "state=shut",
        "state",
        "=",
        "&",
        "state=open&state=open",
        "timeout=nan&state=open",
        "timeout=inf&state=open",
        "timeout=1e999&state=open",
        "timeout=-1&state=open",
        "x=1&state=open",
        "state=%6Fpen",
        "state=auto&timeout=1",
    ] {
        let path = format!("/steerage/endpoints/b/circuit?{query}");
        assert_error(&ask(&host, "POST", &path, &[TOKEN]), 400);
    }
    assert_eq!(next(&host), "aabbcc");
}

#[test]
fn a_body_that_cannot_be_read_is_refused_with_its_reason() {
    let host = start(GUARDED);
    let path = "/steerage/endpoints/b/circuit";
    assert_error(&ask(&host, "POST", path, &[TOKEN]), 400);
    assert_error(
        &ask(&host, "POST", path, &[TOKEN, ("content-length", "0")]),
        400,
    );
    let chunked = head_of("POST", path, &[TOKEN, ("transfer-encoding", "chunked")]);
    assert_error(&host.request(&chunked, false).sent().unwrap(), 411);
    for (length, status) in [
        ("x", 411),
        ("-1", 411),
        ("", 411),
        ("4097", 413),
        ("99999999999", 413),
    ] {
        assert_error(&begin(&host, path, length).sent().unwrap(), status);
    }
    let longest = format!("{OPEN:4096}");
    let (status, _) = post(&host, path, &longest);
    assert_eq!(status, 200);
    for body in [
        "{}",
        "open",
        "[\"open\"]",
        "{\"state\": 1}",
        "{\"state\": \"open\", \"x\": 1}",
        " ",
        "null",
        "{\"state\": \"open\"} {}",
        "{\"state\": \"open\", \"timeout\": 0}",
        "{\"state\": \"open\", \"timeout\": 1e99}",
    ] {
        let (status, document) = post(&host, path, body);
        assert_eq!(status, 400, "{body}: {document}");
    }
    let stream = begin(&host, path, "4");
    stream.request_body(b"\xff\0{}", true);
    host.advance(LOOK);
    assert_error(&stream.sent().unwrap(), 400);
}

#[test]
fn a_body_that_does_not_come_is_given_up_and_leaves_nothing_behind() {
    let host = start(GUARDED);
    for sent in [0, 16] {
        let stream = begin(&host, "/steerage/endpoints/b/circuit", "17");
        stream.request_body(&OPEN.as_bytes()[..sent], false);
        host.advance(PATIENCE - 2 * MILLISECOND);
        assert!(stream.sent().is_none());
        host.advance(4 * MILLISECOND);
        assert_error(&stream.sent().unwrap(), 408);
        assert!(stream.has_ended());
    }
    assert_nothing_pending(&host);
}

/// No body is awaited any more: only rounds remain.
#[track_caller]
fn assert_nothing_pending(host: &Host) {
    host.advance(ROUND);
    let calls = host.count_hostcalls(|| host.advance(10 * ROUND));
    assert_eq!(
        calls.of("proxy_set_effective_context"),
        0,
        "a body is still awaited"
    );
    assert_eq!(next(host), "aabbcc");
}

#[test]
fn a_client_that_leaves_leaves_nothing_behind() {
    let host = start(GUARDED);
    let early = begin(&host, "/steerage/endpoints/b/circuit", "17");
    early.client_gone();
    let amid = begin(&host, "/steerage/endpoints/b/circuit", "17");
    amid.request_body(&OPEN.as_bytes()[..9], false);
    host.advance(20 * LOOK);
    amid.client_gone();
    let late = begin(&host, "/steerage/endpoints/b/circuit", "17");
    late.request_body(OPEN.as_bytes(), true);
    late.client_gone();
    assert_nothing_pending(&host);
}

#[test]
fn where_no_cluster_is_found_the_answer_says_what_to_do() {
    let host = start(GUARDED);
    let stream = begin(&host, "/steerage/endpoints/b/circuit", "17");
    stream.lead_nowhere();
    stream.request_body(OPEN.as_bytes(), true);
    host.advance(LOOK);
    assert!(stream.sent().is_none() && stream.is_paused());
    host.advance(LOOK);
    let sent = stream.sent().unwrap();
    assert_error(&sent, 501);
    assert!(text(&sent.body).contains("?state=open"));
    assert_nothing_pending(&host);
}

#[test]
fn an_unknown_cluster_is_404_and_nothing_is_written() {
    let host = start(GUARDED);
    let before = host.shared_keys();
    for cluster in ["d", "A", "", "a%20", "default", "%00", "a%2fb"] {
        let path = format!("/steerage/endpoints/{cluster}/circuit?state=open");
        assert_error(&ask(&host, "POST", &path, &[TOKEN]), 404);
    }
    for cluster in ["%", "%a", "%zz", "%ff", "%+1", "a%"] {
        let path = format!("/steerage/endpoints/{cluster}/circuit?state=open");
        assert_error(&ask(&host, "POST", &path, &[TOKEN]), 400);
    }
    assert_eq!(host.shared_keys(), before);
}

#[test]
fn names_of_clusters_may_hold_anything_if_they_are_encoded() {
    let names = [
        (
            "outbound|80||svc.ns.svc.cluster.local",
            "outbound%7C80%7C%7Csvc.ns.svc.cluster.local",
        ),
        (
            "outbound|80||svc.ns.svc.cluster.local",
            "outbound|80||svc.ns.svc.cluster.local",
        ),
        ("a/b?c", "a%2Fb%3fc"),
        ("a/b?c", "a/b%3fc"),
        ("100%", "100%25"),
        ("ä ö", "%C3%A4%20%c3%b6"),
    ];
    let json = r#"{"endpoints": ["outbound|80||svc.ns.svc.cluster.local", "a/b?c", "100%", "ä ö"],
        "admin": {"path": "/steerage", "token": "s3cret-t0ken"}}"#;
    for (name, encoded) in names {
        let host = start(json);
        let document = change(&host, &format!("{encoded}/circuit"), OPEN);
        assert_eq!(document.as_array().unwrap().len(), 1);
        assert_eq!(document[0]["url"], name);
        assert_eq!(endpoint_document(&host, name)["exclusion"], "operator");
    }
}
