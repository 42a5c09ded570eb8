//! Which requests are sent again, and that they are sent again unchanged:
//! - a body is replayed byte for byte, however it was framed, up to `max_request_bytes`;
//! - a larger one streams through and is not retried;
//! - requests that cannot be replayed are not retried: one still arriving, trailers, gRPC,
//!   upgrades. All of these are steered like any other request;
//! - header values are bytes, and need not be UTF-8.
//!
//! In every test the first attempt goes to `sick` and fails, and `well` would serve a retry.

use std::net::SocketAddr;
use std::time::Duration;

use steerage_harness::serde_json::json;
use steerage_harness::tokio;
use steerage_harness::{
    Bytes, Client, Envoy, EnvoyBuilder, Reply, Request, Upstream, body_hash, raw, request, run,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::support::{assert_unharmed, envoy_of, request_of, status_of, steady};

#[test]
fn a_body_of_60_kib_is_replayed_byte_for_byte() {
    run(async {
        for workers in [1, 2, 4] {
            let (sick, well, envoy) = stage(|envoy| envoy.concurrency(workers)).await;
            // Many at a time, each with its own body, so that a mix-up would show.
            let mut requests = JoinSet::new();
            for number in 0..16 {
                requests.spawn(replayed(envoy.addr(), number));
            }
            requests.join_all().await;
            for number in 0..16 {
                let path = format!("/{number}");
                let sent = payload(number, 60 * 1024);
                for (upstream, attempt) in [(&sick, "1"), (&well, "2")] {
                    let received = upstream.received();
                    let mut same = received.iter().filter(|request| request.path == path);
                    let (Some(request), None) = (same.next(), same.next()) else {
                        panic!("attempt {attempt} of {path} was not made once");
                    };
                    assert_eq!(request.header("x-envoy-attempt-count").unwrap(), attempt);
                    assert_eq!(request.body_length, 60 * 1024, "{path}");
                    assert_eq!(request.body_hash, body_hash(&sent), "{path}");
                }
            }
            assert_unharmed(&envoy).await;
        }
    });
}

/// Sends a request whose method and framing depend on its number.
async fn replayed(addr: SocketAddr, number: usize) {
    let body = payload(number, 60 * 1024);
    let head = Request::builder().uri(format!("/{number}"));
    let head = match number % 2 {
        0 => head.method("PUT"),
        _ => head.method("POST").header("idempotency-key", "once"),
    };
    let answer = if number % 4 < 2 {
        request(addr, head.body(body).unwrap()).await
    } else {
        // Chunks that do not fit any buffer's size.
        let chunks: Vec<Bytes> = body.chunks(7001).map(Bytes::copy_from_slice).collect();
        Client::one_shot()
            .request_streaming(addr, head.body(()).unwrap(), chunks, Duration::ZERO)
            .await
    }
    .unwrap();
    assert_eq!(answer.text(), "well", "{number}: {answer:?}");
}

#[test]
fn the_limit_on_bodies_that_are_replayed_is_exact() {
    run(async {
        let policy = |limit: usize| {
            format!(
                r#"{{"endpoints": ["sick", {{"cluster": "well", "priority": 1}}],
                     "retry_policy": {{"max_request_bytes": {limit}, "base_delay": 0.001}}}}"#
            )
        };
        let (sick, well, envoy) = stage(|envoy| {
            envoy
                .concurrency(1)
                .listener("1000", steady(&policy(1000)))
                .listener("0", steady(&policy(0)))
        })
        .await;
        for (listener, size, retried) in [
            ("main", 65_536, true),
            ("main", 65_537, false),
            ("1000", 1000, true),
            ("1000", 1001, false),
            ("0", 0, true),
            ("0", 1, false),
        ] {
            for chunked in [false, true] {
                let what = format!("{size} bytes at {listener}, chunked: {chunked}");
                let addr = envoy.addr_of(listener).unwrap();
                let body = payload(size, size);
                let answer = if chunked {
                    let head = Request::put("/").body(()).unwrap();
                    let chunks: Vec<Bytes> = body.chunks(400).map(Bytes::copy_from_slice).collect();
                    Client::one_shot()
                        .request_streaming(addr, head, chunks, Duration::ZERO)
                        .await
                } else {
                    request(addr, request_of("PUT", "/", &[], body.clone())).await
                }
                .unwrap();
                let arrived = if retried { &well } else { &sick };
                assert_eq!(answer.status, if retried { 200 } else { 503 }, "{what}");
                assert_eq!(sick.count(), 1, "{what}");
                assert_eq!(well.count(), usize::from(retried), "{what}");
                assert_eq!(
                    arrived.received()[0].body_hash,
                    body_hash(&body),
                    "{what}: the body arrived as it was sent"
                );
                sick.clear();
                well.clear();
            }
        }
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn a_body_of_1_mib_streams_through_and_is_not_retried() {
    run(async {
        let (sick, well, envoy) = stage(|envoy| envoy).await;
        let body = payload(1, 2 * HALF);
        let put = || Request::put("/");
        let answer = request(envoy.addr(), put().body(body.clone()).unwrap()).await;
        assert_eq!(answer.unwrap().status, 503);
        let chunks: Vec<Bytes> = body.chunks(70_001).map(Bytes::copy_from_slice).collect();
        let answer = Client::one_shot()
            .request_streaming(
                envoy.addr(),
                put().body(()).unwrap(),
                chunks,
                Duration::ZERO,
            )
            .await;
        assert_eq!(answer.unwrap().status, 503);
        assert_eq!((sick.count(), well.count()), (2, 0));
        for request in sick.received() {
            assert_eq!(request.body_length, 1024 * 1024);
            assert_eq!(request.body_hash, body_hash(&body));
        }
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn a_large_body_reaches_the_upstream_while_it_is_being_sent() {
    run(async {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let clusters = [("sick", server.local_addr().unwrap())];
        let envoy = envoy_of(&clusters, r#"{"endpoints": ["sick"]}"#)
            .start()
            .await
            .unwrap();
        let body = payload(2, 2 * HALF);
        let mut client = TcpStream::connect(envoy.addr()).await.unwrap();
        let head = b"PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 1048576\r\n\r\n";
        client.write_all(head).await.unwrap();
        client.write_all(&body[..HALF]).await.unwrap();
        // The client sends the second half only after the first has arrived.
        let (mut upstream, _) = server.accept().await.unwrap();
        let mut arrived = Vec::new();
        read_on(&mut upstream, &mut arrived, |bytes| bytes.len() > HALF).await;
        client.write_all(&body[HALF..]).await.unwrap();
        let whole = |bytes: &[u8]| bytes.len() >= end_of(bytes) + 2 * HALF;
        read_on(&mut upstream, &mut arrived, whole).await;
        assert_eq!(body_hash(&arrived[end_of(&arrived)..]), body_hash(&body));
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn a_request_whose_body_is_still_arriving_is_not_retried() {
    run(async {
        let (sick, well, envoy) = stage(|envoy| envoy).await;
        sick.set_early(|_, _| Reply::status(503).body("sick"));
        // The client never sends the rest, so the answer certainly comes before the request's end.
        for head in [
            "content-length: 100\r\n\r\nhello",
            "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        ] {
            let head = format!("PUT / HTTP/1.1\r\nhost: x\r\n{head}");
            let answer = raw(envoy.addr(), head.as_bytes()).await.unwrap();
            assert_eq!(status_of(&answer), Some(503), "{head}");
        }
        assert_eq!((sick.count(), well.count()), (2, 0));
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn a_request_with_trailers_is_not_retried() {
    run(async {
        let (sick, well, envoy) = stage(|envoy| {
            envoy.merge_manager(json!({"http_protocol_options": {"enable_trailers": true}}))
        })
        .await;
        let head = "PUT / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n";
        let with_trailer = format!("{head}0\r\nx-checksum: 1\r\n\r\n");
        let answer = raw(envoy.addr(), with_trailer.as_bytes()).await.unwrap();
        assert_eq!(status_of(&answer), Some(503));
        assert_eq!((sick.count(), well.count()), (1, 0));
        assert_eq!(sick.received()[0].body, "hello");
        // It is the trailer that makes the difference.
        let without = format!("{head}0\r\n\r\n");
        let answer = raw(envoy.addr(), without.as_bytes()).await.unwrap();
        assert_eq!(status_of(&answer), Some(200));
        assert_eq!((sick.count(), well.count()), (2, 1));
        assert_eq!(well.received()[0].body, "hello");
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn grpc_is_steered_and_not_retried() {
    run(async {
        let (sick, well, envoy) = stage(|envoy| envoy).await;
        let call = |kind| {
            // The key would allow a repeat of anything else.
            let headers = [("content-type", kind), ("idempotency-key", "once")];
            request(envoy.addr(), request_of("POST", "/s/M", &headers, "hello"))
        };
        for (number, kind) in ["application/grpc", "application/grpc+proto"]
            .into_iter()
            .enumerate()
        {
            let answer = call(kind).await.unwrap();
            assert_eq!(answer.status, 503, "{kind}: {answer:?}");
            assert_eq!((sick.count(), well.count()), (number + 1, 0), "{kind}");
        }
        assert_eq!(sick.received()[0].body, "hello");
        // Not even when nothing was sent; Envoy gives its own failure in the form of gRPC.
        sick.stop().await.unwrap();
        let answer = call("application/grpc").await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("grpc-status").unwrap(), "14", "{answer:?}");
        assert_eq!(well.count(), 0);
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn an_upgrade_is_steered_and_not_retried() {
    run(async {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let echo = server.local_addr().unwrap();
        let (sick, well, envoy) = stage(|envoy| {
            envoy
                .cluster("echo", echo)
                .listener(
                    "echo",
                    steady(
                        r#"{"endpoints": ["echo"],
                        "timeout": {"connect": 0.1, "read": 0.2, "write": 0.2, "total": 0.3}}"#,
                    ),
                )
                .merge_manager(json!({"upgrade_configs": [{"upgrade_type": "websocket"}]}))
        })
        .await;
        let hello = b"GET /chat HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\n\
            upgrade: websocket\r\nsec-websocket-key: x\r\nsec-websocket-version: 13\r\n\r\n";
        let answer = raw(envoy.addr(), hello).await.unwrap();
        assert_eq!(status_of(&answer), Some(503));
        assert_eq!((sick.count(), well.count()), (1, 0));
        assert_eq!(sick.received()[0].header("upgrade").unwrap(), "websocket");

        let mut client = TcpStream::connect(envoy.addr_of("echo").unwrap())
            .await
            .unwrap();
        client.write_all(hello).await.unwrap();
        let (mut upstream, _) = server.accept().await.unwrap();
        read_until(&mut upstream, |bytes| bytes.ends_with(b"\r\n\r\n")).await;
        let welcome = b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\n\
            upgrade: websocket\r\n\r\n";
        upstream.write_all(welcome).await.unwrap();
        let answer = read_until(&mut client, |bytes| bytes.ends_with(b"\r\n\r\n")).await;
        assert_eq!(status_of(&answer), Some(101));
        for word in [b"ping", b"pong"] {
            client.write_all(word).await.unwrap();
            assert_eq!(read_until(&mut upstream, |bytes| bytes == word).await, word);
            upstream.write_all(word).await.unwrap();
            assert_eq!(read_until(&mut client, |bytes| bytes == word).await, word);
            // The upgraded connection outlives the timeouts of its beginning.
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn a_request_with_header_values_that_are_not_utf_8_is_retried_with_the_same_bytes() {
    run(async {
        let (sick, well, envoy) = stage(|envoy| envoy).await;
        let request = b"GET / HTTP/1.1\r\nhost: x\r\nx-name: caf\xe9 \xff\xfe\r\n\r\n";
        let answer = raw(envoy.addr(), request).await.unwrap();
        assert_eq!(status_of(&answer), Some(200));
        assert_eq!((sick.count(), well.count()), (1, 1));
        for upstream in [&sick, &well] {
            let received = &upstream.received()[0];
            assert_eq!(received.headers["x-name"], b"caf\xe9 \xff\xfe"[..]);
        }
        assert_unharmed(&envoy).await;
    });
}

/// `sick`, which answers 503, `well`, and an Envoy that tries them in this order.
async fn stage(more: impl FnOnce(EnvoyBuilder) -> EnvoyBuilder) -> (Upstream, Upstream, Envoy) {
    let sick = Upstream::start(|_, _| Reply::status(503).body("sick"))
        .await
        .unwrap();
    let well = Upstream::named("well").await.unwrap();
    let envoy = envoy_of(&[("sick", sick.addr()), ("well", well.addr())], REPLAY);
    let envoy = more(envoy).start().await.unwrap();
    (sick, well, envoy)
}

/// Reads until the bytes so far are `complete`.
async fn read_until(stream: &mut TcpStream, complete: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    read_on(stream, &mut bytes, complete).await;
    bytes
}

/// Reads on until the bytes so far, `bytes` included, are `complete`.
async fn read_on(stream: &mut TcpStream, bytes: &mut Vec<u8>, complete: impl Fn(&[u8]) -> bool) {
    while !complete(bytes) {
        let read = stream.read_buf(bytes).await.unwrap();
        assert!(read > 0, "closed after {} bytes", bytes.len());
    }
}

/// Where the head of a message ends.
fn end_of(message: &[u8]) -> usize {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n");
    end.unwrap() + 4
}

/// `length` bytes that differ with `seed`, and do not repeat in step with any buffer's size.
fn payload(seed: usize, length: usize) -> Bytes {
    let byte = |at: usize| u8::try_from((seed * 89 + at * 7 + at / 251) % 256).unwrap();
    (0..length).map(byte).collect()
}

const HALF: usize = 512 * 1024;

const REPLAY: &str = r#"{
    "endpoints": ["sick", {"cluster": "well", "priority": 1}],
    "retry_policy": {"strategy": "fixed", "base_delay": 0.005, "jitter": "none"}
}"#;
