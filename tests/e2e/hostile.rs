//! What no client and no upstream should send but may: none of it traps the VM.
//! - Clients: every request is served, or refused by Envoy itself; those that are served are
//!   retried like any other where that is possible, because `sick` answers 503 first.
//! - Upstreams: after any answer to a first attempt or a retry, the client gets an answer, and the
//!   next client, too.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use steerage_harness::serde_json::json;
use steerage_harness::tokio;
use steerage_harness::{Cluster, Envoy, HarnessError, Reply, Upstream, get, raw, run};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::support::{assert_unharmed, envoy_of, steady};

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

#[test]
fn hostile_answers_to_the_first_attempt_and_to_a_retry_do_no_harm() {
    run(async {
        let hostile = Scripted::start().await.unwrap();
        let sick = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
        let well = Upstream::named("well").await.unwrap();
        let policy = |endpoints: &str| {
            format!(
                r#"{{"endpoints": [{endpoints}, {{"cluster": "well", "priority": 9}}],
                     "retry_policy": {{"base_delay": 0.001}},
                     "timeout": {{"connect": 1, "read": 5, "total": 20}}}}"#
            )
        };
        let clusters = [("sick", sick.addr()), ("well", well.addr())];
        let envoy = envoy_of(&clusters, &policy(r#""hostile""#))
            .cluster_with(Cluster::new("hostile").host(hostile.addr()).merge(json!({
                "typed_extension_protocol_options": {
                    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                        "explicit_http_config": {"http_protocol_options": {}},
                        "common_http_protocol_options": {"max_headers_count": 1000},
                    },
                },
            })))
            .listener(
                "retry", steady(&policy(r#""sick", {"cluster": "hostile", "priority": 1}"#)))
            .start()
            .await
            .unwrap();
        for (what, script, first, retry) in hostile_answers() {
            hostile.set(script);
            for (listener, expected) in [("main", first), ("retry", retry)] {
                let addr = envoy.addr_of(listener).unwrap();
                let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
                let answer = to_the_end(addr, request).await;
                let got = match status_of(&answer) {
                    Some(200) if answer.ends_with(b"well") => Expected::Well,
                    Some(200) => Expected::Own,
                    _ => Expected::Any,
                };
                let text = answer.escape_ascii().to_string();
                let is_expected = expected == got || expected == Expected::Any;
                assert!(
                    is_expected,
                    "{what} at {listener}: {expected:?}, got {text:.500}"
                );
            }
        }
        hostile.set(Script::of(OK, b"content-length: 2\r\n\r\nok"));
        for listener in ["main", "retry"] {
            let answer = get(envoy.addr_of(listener).unwrap(), "/").await.unwrap();
            assert_eq!(answer.text(), "ok", "{listener} serves on");
        }
        assert_unharmed(&envoy).await;
    });
}

/// What the client gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// The answer of `well`: the hostile one was found out.
    Well,
    /// The hostile answer, as far as it came.
    Own,
    /// Any answer of Envoy, even a closed connection.
    Any,
}

/// Answers, and what the client gets for them in the first attempt and in a retry.
fn hostile_answers() -> Vec<(&'static str, Script, Expected, Expected)> {
    use Expected::{Any, Own, Well};
    let of = Script::of;
    let ok = |headers: &[u8]| of(OK, &[headers, NO_BODY].concat());
    let huge = format!("x-huge: {}\r\n", "h".repeat(200 * 1024));
    let endless = Script {
        on: Some([b"10000\r\n", &[b'x'; 0x10000][..], b"\r\n"].concat()),
        ..of(BUSY, CHUNKED)
    };
    let found_out = [
        ("nothing", of(b"", b"")),
        ("junk", of(b"\x00\x01\xff\xfe{}", b"\r\n\r\n")),
        ("a TLS alert", of(b"\x15\x03\x01\x00\x02\x02\x46", b"")),
        ("HTTP/2", of(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00", b"")),
        ("half a head", of(OK, b"x-a: ")),
        ("no status", of(b"HTTP/1.1 OK\r\n", b"\r\n")),
        ("NUL in a value", ok(b"x-a: \0\r\n")),
        ("a huge header", ok(huge.as_bytes())),
        ("two lengths", ok(b"content-length: 7\r\n")),
        (
            "a 503 not UTF-8",
            of(BUSY, &[b"x-a: \xff\r\n", NO_BODY].concat()),
        ),
        ("an endless 503", endless),
    ];
    let many: String = (0..200).map(|n| format!("x-{n}: {n}\r\n")).collect();
    let ours = b"x-steerage-reason: x\r\nx-steerage-cluster: \xff\r\nx-envoy-degraded:\r\n\
        grpc-status: x\r\nx-envoy-upstream-service-time: \xff\r\n";
    let passed_on = [
        ("not UTF-8", ok(b"x-a: \xff\xfe\r\nset-cookie: \x80\r\n")),
        ("200 headers", ok(many.as_bytes())),
        (
            "empty values",
            ok(b"x-a:\r\ncontent-type:\r\nretry-after:\r\n"),
        ),
        ("our own headers", ok(ours)),
        ("too long a body", of(OK, b"content-length: 1\r\n\r\nlong")),
    ];
    let left_to_envoy = [
        ("status 999", of(b"HTTP/1.1 999 Odd\r\n", NO_BODY)),
        (
            "an unasked upgrade",
            of(b"HTTP/1.1 101 Sure\r\n", b"upgrade: x\r\n\r\n"),
        ),
        (
            "a strange coding",
            of(OK, b"transfer-encoding: gzip\r\n\r\nx"),
        ),
        (
            "a 204 with a body",
            of(b"HTTP/1.1 204 No\r\n", b"content-length: 1\r\n\r\nx"),
        ),
    ];
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(500);
    let short = of(OK, b"content-length: 9\r\n\r\nshort");
    let hint = of(b"HTTP/1.1 103 Early Hints\r\n\r\n", b"");
    let cut_off = of(BUSY, b"content-length: 9\r\n\r\nshort");
    let bad_chunk = of(OK, &[CHUNKED, b"zz\r\n"].concat());
    let mut all = vec![
        // After an interim answer Envoy reports a failure to the client past all filters.
        ("continue, and no more", of(&interim, b""), Any, Well),
        ("a hint, and no more", hint, Any, Well),
        // The same when a failure breaks off while it is held back for the retry.
        ("a 503 that is cut off", cut_off, Any, Well),
        // When a routed answer breaks off its head is with the client; a call's is not.
        ("too short a body", short, Own, Well),
        ("a bad chunk", bad_chunk, Any, Well),
    ];
    all.extend(found_out.map(|(what, script)| (what, script, Well, Well)));
    all.extend(passed_on.map(|(what, script)| (what, script, Own, Own)));
    all.extend(left_to_envoy.map(|(what, script)| (what, script, Any, Any)));
    all
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

/// The status of an answer as it came over the wire.
pub(crate) fn status_of(answer: &[u8]) -> Option<u16> {
    let rest = answer.strip_prefix(b"HTTP/1.1 ")?;
    std::str::from_utf8(rest.get(..3)?).ok()?.parse().ok()
}

/// Sends `bytes` and reads to the end of the connection. A reset is an end, too, and what came
/// before it counts.
async fn to_the_end(addr: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    let exchange = async {
        let mut stream = TcpStream::connect(addr).await?;
        stream.write_all(bytes).await?;
        while stream.read_buf(&mut answer).await? > 0 {}
        Ok::<_, std::io::Error>(())
    };
    let outcome = tokio::time::timeout(Duration::from_secs(10), exchange).await;
    assert!(outcome.is_ok(), "{} is still open", bytes.escape_ascii());
    answer
}

/// A server that answers every request with bytes, HTTP or not, and then closes the connection.
#[derive(Debug)]
struct Scripted {
    addr: SocketAddr,
    script: Arc<Mutex<Script>>,
    task: JoinHandle<()>,
}

/// What a [`Scripted`] sends.
#[derive(Clone, Debug)]
struct Script {
    bytes: Vec<u8>,
    /// What it then repeats until it is cut off.
    on: Option<Vec<u8>>,
}

impl Script {
    /// A first line and what follows it.
    fn of(first: &[u8], rest: &[u8]) -> Self {
        Self {
            bytes: [first, rest].concat(),
            on: None,
        }
    }

    async fn perform(self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut head).await? == 0 {
                return Ok(());
            }
        }
        stream.write_all(&self.bytes).await?;
        while let Some(bytes) = &self.on {
            stream.write_all(bytes).await?;
        }
        stream.shutdown().await
    }
}

impl Scripted {
    async fn start() -> Result<Self, HarnessError> {
        let io = |source| HarnessError::Io {
            doing: "listen".to_owned(),
            source,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(io)?;
        let addr = listener.local_addr().map_err(io)?;
        let script = Arc::new(Mutex::new(Script::of(b"", b"")));
        let shared = Arc::clone(&script);
        let task = tokio::spawn(async move {
            let mut conversations = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let script = shared.lock().unwrap().clone();
                conversations.spawn(script.perform(stream));
            }
        });
        Ok(Self { addr, script, task })
    }

    fn addr(&self) -> SocketAddr {
        self.addr
    }

    fn set(&self, script: Script) {
        *self.script.lock().unwrap() = script;
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\n";
const BUSY: &[u8] = b"HTTP/1.1 503 Busy\r\n";
const NO_BODY: &[u8] = b"content-length: 0\r\n\r\n";
const CHUNKED: &[u8] = b"transfer-encoding: chunked\r\n\r\n";
