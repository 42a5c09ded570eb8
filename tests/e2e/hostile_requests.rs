//! What no client should send but may: none of it traps the VM. Every request is served, or refused by
//! Envoy itself; those that are served are retried like any other where that is possible, because
//! `sick` answers 503 first.

use std::time::Duration;

use steerage_harness::serde_json::json;
use steerage_harness::tokio;
use steerage_harness::{Envoy, Reply, Upstream, get, raw, run};
use tokio::task::JoinSet;

use crate::support::{assert_unharmed, envoy_of, status_of, to_the_end};

#[test]
fn hostile_requests_are_served_or_refused_by_envoy() {
    run(async {
        let (sick, well, envoy) = stage().await;
        for (what, bytes, expected) in hostile_requests() {
            let answer = raw(envoy.addr(), &bytes).await.unwrap();
            // Envoy may close the connection on what is no HTTP at all.
            let status = status_of(&answer).unwrap_or(0);
            assert!(expected.contains(&status), "{what}: {status}");
            let served = usize::from(status == 200);
            assert_eq!(well.count(), served, "{what}");
            assert!(sick.count() >= served, "{what}");
            sick.clear();
            well.clear();
        }
        assert_unharmed(&envoy).await;
    });
}

/// Requests and the statuses that they may get; 0 is a closed connection.
fn hostile_requests() -> Vec<(&'static str, Vec<u8>, &'static [u16])> {
    let get = |path: &str, more: &[u8]| {
        let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\n");
        [head.as_bytes(), more, b"\r\n"].concat()
    };
    let many: String = (0..200).map(|n| format!("x-{n}: {n}\r\n")).collect();
    let repeated = "x-same: 1\r\n".repeat(200);
    let long = format!("x-long: {}\r\n", "l".repeat(60 * 1024));
    let control = "x-steerage-cluster: nowhere\r\nx-steerage-cluster: well\r\n\
        x-envoy-attempt-count: 9\r\nx-envoy-attempt-count: -1\r\n\
        x-envoy-upstream-rq-timeout-ms: 1\r\nx-envoy-upstream-rq-timeout-ms: 1\r\n\
        x-envoy-upstream-rq-per-try-timeout-ms: 0\r\nx-envoy-retry-on: 5xx\r\n\
        x-envoy-max-retries: 99\r\nx-envoy-hedge-on-per-try-timeout: true\r\n";
    let empty = "x-empty:\r\nx-steerage-cluster:\r\nx-envoy-attempt-count:\r\n\
        x-envoy-upstream-rq-timeout-ms:\r\nidempotency-key:\r\ncontent-type:\r\naccept:\r\n";
    let longest = format!("/{}", "p".repeat(60 * 1024));
    let served = [
        ("200 headers", get("/", many.as_bytes())),
        ("one header 200 times", get("/", repeated.as_bytes())),
        ("a header of 60 KiB", get("/", long.as_bytes())),
        ("empty values", get("/", empty.as_bytes())),
        ("control headers", get("/", control.as_bytes())),
        ("a path of 60 KiB", get(&longest, b"")),
        ("encoded NUL", get("/%00%ff%fe?%=&&==%zz", b"")),
        ("dots", get("/../..//./;/..;/?", b"")),
        ("a query alone", get("/?", b"")),
        ("an absolute target", get("http://other:1/p", b"")),
        ("a value not UTF-8", get("/", b"x-a: \xff\xfe\r\n")),
        ("a key not UTF-8", get("/", b"idempotency-key: \x80\r\n")),
        ("a type not UTF-8", get("/", b"content-type: \xc3\x28\r\n")),
    ];
    let lengths = b"content-length: 1\r\ncontent-length: 2\r\n";
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let refused = [
        ("NUL in a value", get("/", b"x-a: \0\r\n")),
        ("a name not ASCII", get("/", b"x-\xe9: 1\r\n")),
        ("no name", get("/", b": 1\r\n")),
        ("two lengths", get("/", lengths)),
        ("negative length", get("/", b"content-length: -1\r\n")),
        (
            "a bad chunk",
            get("/", b"transfer-encoding: chunked\r\n\r\nzz\r\n"),
        ),
        ("no host", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("HTTP/0.9", b"GET /\r\n\r\n".to_vec()),
        ("HTTP/1.0", b"GET / HTTP/1.0\r\n\r\n".to_vec()),
        ("HTTP/7", b"GET / HTTP/7.0\r\nhost: x\r\n\r\n".to_vec()),
        (
            "TLS",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n".to_vec(),
        ),
        ("HTTP/2, then junk", [&preface[..], &[0xff; 64]].concat()),
        ("zeros", vec![0; 4096]),
        ("line breaks, then junk", b"\r\n\r\n\r\n{}\r\n\r\n".to_vec()),
    ];
    let asterisk = b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n".to_vec();
    let bytes = b"GET /\xff\x80 HTTP/1.1\r\nhost: x\r\n\r\n".to_vec();
    // Not retried: the method's effect is unknown.
    let unknown = b"BREW / HTTP/1.1\r\nhost: x\r\n\r\n".to_vec();
    let connect = b"CONNECT x:1 HTTP/1.1\r\nhost: x:1\r\n\r\n".to_vec();
    let mut all: Vec<(_, _, &[u16])> = vec![
        ("an asterisk", asterisk, &[200, 404]),
        ("no slash", get("path", b""), &[200, 400, 404]),
        ("bytes in a path", bytes, &[200, 400]),
        ("an unknown method", unknown, &[400, 503]),
        ("CONNECT", connect, &[403, 404, 503]),
    ];
    all.extend(served.map(|(what, bytes)| (what, bytes, &[200][..])));
    all.extend(refused.map(|(what, bytes)| (what, bytes, &[0, 400, 426, 431][..])));
    all
}

#[test]
fn a_clients_request_reaches_the_retry_unchanged() {
    run(async {
        let (_sick, well, envoy) = stage().await;
        let long = "l".repeat(60 * 1024);
        let mut head = format!("GET /a%00?q HTTP/1.1\r\nhost: x\r\nx-long: {long}\r\nx-empty:\r\n");
        for number in 0..200 {
            head += &format!("x-{number}: {number}\r\nx-same: {number}\r\n");
        }
        head += "x-steerage-cluster: nowhere\r\nx-envoy-attempt-count: 9\r\n\
            x-envoy-attempt-count: 9\r\nx-envoy-max-retries: 3\r\n\r\n";
        let answer = raw(envoy.addr(), head.as_bytes()).await.unwrap();
        assert_eq!(status_of(&answer), Some(200));
        let received = well.received().remove(0);
        assert_eq!(received.path, "/a%00?q");
        assert_eq!(received.header("x-long").unwrap(), long);
        assert_eq!(received.header("x-empty").unwrap(), "");
        for number in 0..200 {
            assert_eq!(received.headers[format!("x-{number}")], number.to_string());
        }
        let same: Vec<_> = received.headers.get_all("x-same").iter().collect();
        assert_eq!(same.len(), 200);
        assert!((0..200).all(|number| *same[number] == *number.to_string()));
        let counts: Vec<_> = received
            .headers
            .get_all("x-envoy-attempt-count")
            .iter()
            .collect();
        assert_eq!(counts, ["2"]);
        assert_eq!(received.header("x-envoy-max-retries"), None);
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn pipelined_requests_are_served_in_turn_and_junk_behind_them_is_refused() {
    run(async {
        let (sick, well, envoy) = stage().await;
        let one = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
        let put = "PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello";
        let last = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        for (sent, served) in [
            ([one, put, last].concat(), 3),
            ([one, one, one, one, "\x01junk\r\n\r\n"].concat(), 4),
            ([put, "junk"].concat() + "\r\n\r\n", 1),
        ] {
            let answer = to_the_end(envoy.addr(), sent.as_bytes()).await;
            let text = String::from_utf8_lossy(&answer);
            assert_eq!(text.matches("200 OK").count(), served, "{sent:?}: {text}");
            assert_eq!((sick.count(), well.count()), (served, served), "{sent:?}");
            sick.clear();
            well.clear();
        }
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn randomly_damaged_requests_do_no_harm() {
    run(async {
        let (_sick, _well, envoy) = stage().await;
        let template = b"PUT /a/b?c=d HTTP/1.1\r\nhost: x\r\nx-steerage-cluster: y\r\n\
            x-envoy-attempt-count: 1\r\nidempotency-key: k\r\ntransfer-encoding: chunked\r\n\r\n\
            5\r\nhello\r\n0\r\n\r\n";
        // A small generator (xorshift) from a constant seed: the same damage on every run.
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
        };
        for _ in 0..8 {
            let mut clients = JoinSet::new();
            for _ in 0..50 {
                let mut bytes = template.to_vec();
                for _ in 0..=random(4) {
                    let at = random(bytes.len());
                    match random(3) {
                        0 => bytes[at] = u8::try_from(random(256)).unwrap(),
                        1 => drop(bytes.drain(at..(at + random(8)).min(bytes.len()))),
                        _ => bytes
                            .splice(at..at, template[at.min(template.len()) / 2..].to_vec())
                            .for_each(drop),
                    }
                }
                let addr = envoy.addr();
                // Envoy rightly waits for the rest of some of these; the client does not.
                let patience = Duration::from_millis(200);
                clients.spawn(async move {
                    tokio::time::timeout(patience, to_the_end(addr, &bytes))
                        .await
                        .map(drop)
                });
            }
            clients.join_all().await;
        }
        assert_eq!(get(envoy.addr(), "/").await.unwrap().text(), "well");
        assert_unharmed(&envoy).await;
    });
}

/// `sick`, which answers 503, `well`, and an Envoy that tries them in this order and lets large
/// headers through.
async fn stage() -> (Upstream, Upstream, Envoy) {
    let sick = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
    let well = Upstream::named("well").await.unwrap();
    let envoy = envoy_of(
        &[("sick", sick.addr()), ("well", well.addr())],
        r#"{"endpoints": ["sick", {"cluster": "well", "priority": 1}],
            "retry_policy": {"base_delay": 0.001}}"#,
    )
    .merge_manager(json!({
        "max_request_headers_kb": 256,
        "common_http_protocol_options": {"max_headers_count": 1000},
    }))
    .start()
    .await
    .unwrap();
    (sick, well, envoy)
}
