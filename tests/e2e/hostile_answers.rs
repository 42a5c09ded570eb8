//! What no upstream should send but may: none of it traps the VM. After any answer to a first attempt or
//! a retry, the client gets an answer, and the next client, too.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use steerage_harness::serde_json::json;
use steerage_harness::tokio;
use steerage_harness::{Cluster, HarnessError, Reply, Upstream, get, run};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::support::{assert_unharmed, envoy_of, status_of, steady, to_the_end};

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
