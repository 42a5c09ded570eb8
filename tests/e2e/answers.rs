//! What the client gets: a retried answer is the upstream's own, header by header and byte by byte,
//! in every form; and an answer that has begun streams on, of any size and duration.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use steerage_harness::tokio::io::{AsyncReadExt, AsyncWriteExt};
use steerage_harness::tokio::net::TcpStream;
use steerage_harness::{Answer, Bytes, Client, Envoy, Received, Reply, Upstream, get, run};

use crate::support::{ask, assert_unharmed, pool, pool_of_one_worker, request_of};

#[test]
fn a_retried_answer_keeps_its_headers_but_for_those_of_the_connection() {
    run(async {
        let well = Upstream::start(|_, _| {
            Reply::status(201)
                .header("set-cookie", "first=1; Path=/; HttpOnly")
                .header("set-cookie", "second=2")
                .header("set-cookie", "first=3")
                .header("x-bytes", b"caf\xe9 \xff\xfe")
                .header("x-empty", "")
                .header("link", "</a>")
                .header("link", "</b>")
                .header("content-type", "text/html; charset=latin1")
                .header("etag", "\"x\"")
                .header("location", "/new")
                .header("connection", "keep-alive")
                .header("keep-alive", "timeout=5")
                .header("proxy-connection", "keep-alive")
                .header("te", "trailers")
                .header("upgrade", "h2c")
                .body("caf\u{e9}")
        })
        .await
        .unwrap();
        let (_sick, envoy) = behind_a_failure(&well).await;
        let retried = ask(&envoy, "GET", "/", &[]).await;
        assert_eq!(
            (retried.status.as_u16(), &*retried.text()),
            (201, "caf\u{e9}")
        );
        for (name, values) in [
            (
                "set-cookie",
                &[&b"first=1; Path=/; HttpOnly"[..], b"second=2", b"first=3"][..],
            ),
            ("x-bytes", &[b"caf\xe9 \xff\xfe"]),
            ("x-empty", &[b""]),
            ("link", &[b"</a>", b"</b>"]),
            ("content-type", &[b"text/html; charset=latin1"]),
            ("etag", &[b"\"x\""]),
            ("location", &[b"/new"]),
            ("content-length", &[b"5"]),
            ("connection", &[]),
            ("keep-alive", &[]),
            ("proxy-connection", &[]),
            ("te", &[]),
            ("upgrade", &[]),
            ("transfer-encoding", &[]),
        ] {
            assert_eq!(all(&retried, name), values, "{name}");
        }
        for name in ["date", "server", "x-envoy-upstream-service-time"] {
            assert_eq!(all(&retried, name).len(), 1, "{name}: {retried:?}");
        }
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn a_client_cannot_distinguish_a_retried_answer_from_a_first_one() {
    run(async {
        let well = Upstream::start(shapes).await.unwrap();
        let (_sick, envoy) = behind_a_failure(&well).await;
        for path in [
            "/no-content",
            "/not-modified",
            "/empty",
            "/typed",
            "/missing",
            "/chunked",
            "/odd",
            "/moved",
        ] {
            for method in ["GET", "HEAD"] {
                let retried = ask(&envoy, method, path, &[]).await;
                let first = ask(&envoy, method, path, &[("x-first", "1")]).await;
                assert_eq!(comparable(&retried), comparable(&first), "{method} {path}");
            }
        }
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn only_the_content_type_of_some_retried_answers_is_envoys() {
    run(async {
        // A retried answer goes out as one of Envoy's own, and those have a content-type if and
        // only if they have a body. The filter can set it, but cannot change whether it is there.
        let well = Upstream::start(shapes).await.unwrap();
        let (_sick, envoy) = behind_a_failure(&well).await;
        for (path, first, retried) in [
            ("/untyped", None, Some("text/plain")),
            ("/empty-typed", Some("application/json"), None),
        ] {
            for (headers, expected) in [(&[("x-first", "1")][..], first), (&[], retried)] {
                let answer = ask(&envoy, "GET", path, headers).await;
                assert_eq!(answer.status, 200);
                let kind = answer.header("content-type");
                assert_eq!(kind.as_deref(), expected, "{path} {headers:?}");
            }
            // For HEAD the held answer gets the new head, so that nothing is lost.
            let answer = ask(&envoy, "HEAD", path, &[]).await;
            assert_eq!(
                answer.header("content-type").as_deref(),
                first,
                "HEAD {path}"
            );
        }
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn head_keeps_its_length_and_its_connection() {
    run(async {
        let well = Upstream::start(|_, _| {
            Reply::ok()
                .header("set-cookie", "a=1")
                .header("set-cookie", "b=2")
                .body("0123456789")
        })
        .await
        .unwrap();
        let sick = Upstream::start(|_, _| Reply::status(503).body("sick"))
            .await
            .unwrap();
        let envoy = pool_of_one_worker(
            &[("sick", sick.addr()), ("well", well.addr())],
            r#"{"endpoints": ["sick", {"cluster": "well", "priority": 1}], "retry_policy": {"base_delay": 0.002}}"#,
        )
        .await;
        let client = Client::new();
        for round in 0..30 {
            let head = request_of("HEAD", "/", &[], Bytes::new());
            let answer = client.request(envoy.addr(), head).await.unwrap();
            assert_eq!(answer.status, 200, "{round}: {answer:?}");
            assert_eq!(all(&answer, "content-length"), [b"10"], "{round}");
            assert_eq!(all(&answer, "set-cookie"), [b"a=1", b"b=2"], "{round}");
            assert_eq!(answer.body.len(), 0, "{round}");
        }
        // A stray body would be taken for the beginning of the next answer.
        assert_eq!(
            client.get(envoy.addr(), "/").await.unwrap().text(),
            "0123456789"
        );
        let connections = envoy
            .wait_for_stat("http.main.downstream_rq_2xx", |count| count == 31)
            .await
            .and(Ok(envoy
                .stat("http.main.downstream_cx_total")
                .await
                .unwrap()));
        assert_eq!(connections.unwrap(), Some(1));
        assert_eq!((sick.count(), well.count()), (31, 31));
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn a_retried_body_of_five_mebibytes_arrives_byte_for_byte() {
    run(async {
        // Without a period, so that a mix-up of buffers shows.
        let mut state = 1_u64;
        let body: Bytes = (0..5 << 20)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                state.to_be_bytes()[0]
            })
            .collect();
        let sent = body.clone();
        let well = Upstream::start(move |_, _| Reply::ok().body(sent.clone()))
            .await
            .unwrap();
        let (sick, envoy) = behind_a_failure(&well).await;
        for _ in 0..2 {
            let answer = ask(&envoy, "GET", "/", &[]).await;
            assert_eq!(answer.status, 200);
            assert_eq!(all(&answer, "content-length"), [b"5242880"]);
            assert!(
                answer.body == body,
                "{} bytes came, and others",
                answer.body.len()
            );
        }
        // As large, and held back: it is released when no retry succeeds.
        let sent = body.clone();
        sick.set(move |_, _| Reply::status(500).body(sent.clone()));
        well.stop().await.unwrap();
        let answer = ask(&envoy, "GET", "/", &[]).await;
        assert_eq!(answer.status, 500);
        assert!(
            answer.body == body,
            "{} bytes came, and others",
            answer.body.len()
        );
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn a_large_answer_streams_through_flat_memory() {
    run(async {
        const LENGTH: usize = 50 << 20;
        let well = Upstream::start(|received, _| match &*received.path {
            "/large" => Reply::ok().large(LENGTH as u64),
            _ => Reply::ok(),
        })
        .await
        .unwrap();
        let envoy = pool(&[("well", well.addr())], r#"{"endpoints": ["well"]}"#).await;
        for _ in 0..20 {
            get(envoy.addr(), "/small").await.unwrap();
        }
        let before = envoy.rss_kib().unwrap();
        let mut most = before;
        let mut answer = open(envoy.addr(), "/large").await;
        let mut chunk = vec![0; 64 * 1024];
        let mut read = 0;
        loop {
            match answer.read(&mut chunk).await.unwrap() {
                0 => break,
                size => read += size,
            }
            // Reading the memory is slow, and so is this client: the rest waits upstream.
            most = most.max(envoy.rss_kib().unwrap());
        }
        assert!(read > LENGTH, "{read} bytes with the head");
        assert!(most - before < 20 * 1024, "{before} KiB grew to {most} KiB");
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn an_event_stream_passes_event_by_event_and_outlasts_every_timeout() {
    run(async {
        let events = |_: &_, _| {
            let events = (0..9).map(|number| format!("data: {number}\n\n"));
            Reply::ok()
                .header("content-type", "text/event-stream")
                .stream(events, Duration::from_millis(500))
        };
        let well = Upstream::start(events).await.unwrap();
        let envoy = pool(
            &[("well", well.addr())],
            r#"{"endpoints": ["well"], "timeout": {"connect": 1, "read": 1, "write": 1, "total": 2}}"#,
        )
        .await;
        let mut answer = open(envoy.addr(), "/events").await;
        let mut seen = String::new();
        let mut arrivals = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            let size = answer.read(&mut chunk).await.unwrap();
            if size == 0 {
                break;
            }
            seen += std::str::from_utf8(&chunk[..size]).unwrap();
            while seen.contains(&format!("data: {}\n", arrivals.len())) {
                arrivals.push(Instant::now());
            }
        }
        assert_eq!(arrivals.len(), 9, "{seen}");
        assert!(seen.ends_with("0\r\n\r\n"), "it ends as it should: {seen}");
        // Sent over 4 s. Events that were held back would come together.
        let lasted = arrivals[8] - arrivals[0];
        assert!(lasted > Duration::from_secs(3), "{lasted:?}");
        let apart = arrivals
            .windows(2)
            .filter(|pair| pair[1] - pair[0] > Duration::from_millis(250))
            .count();
        assert!(apart >= 6, "most came one by one: {apart}");
        assert_unharmed(&envoy).await;
    });
}

/// An answer of every shape, by path.
fn shapes(received: &Received, _: usize) -> Reply {
    let json = |reply: Reply| reply.header("content-type", "application/json");
    match &*received.path {
        "/no-content" => Reply::status(204).header("x-kind", "204"),
        "/not-modified" => Reply::status(304).header("etag", "\"x\""),
        "/empty" => Reply::ok().header("x-kind", "empty"),
        "/empty-typed" => json(Reply::ok()),
        "/untyped" => Reply::ok().body("who knows what"),
        "/typed" => json(Reply::ok()).body("{}"),
        "/missing" => json(Reply::status(404)).body("null"),
        "/chunked" => json(Reply::ok()).stream(["[1,", "2]"], Duration::from_millis(5)),
        "/odd" => json(Reply::status(299)).body("299"),
        _ => Reply::status(302).header("location", "http://elsewhere.example/"),
    }
}

/// An Envoy whose filter meets a failure first and then `well`. A request with the header
/// `x-first` goes to `well` at once.
async fn behind_a_failure(well: &Upstream) -> (Upstream, Envoy) {
    let sick = Upstream::start(|_, _| {
        Reply::status(503)
            .header("set-cookie", "sick=1")
            .header("x-sick", "1")
            .header("content-type", "application/sick")
            .body("sick")
    })
    .await
    .unwrap();
    let envoy = pool(
        &[("sick", sick.addr()), ("well", well.addr())],
        r#"{"pools": [
            {"name": "first", "match": {"headers": {"x-first": {"present": true}}}, "endpoints": ["well"]},
            {"name": "retried", "endpoints": ["sick", {"cluster": "well", "priority": 1}],
             "retry_policy": {"base_delay": 0.002}}
        ]}"#,
    )
    .await;
    (sick, envoy)
}

/// Sends a GET over its own connection, which ends with the answer.
async fn open(addr: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// All values of a header.
fn all<'a>(answer: &'a Answer, name: &str) -> Vec<&'a [u8]> {
    let values = answer.headers.get_all(name).iter();
    values.map(|value| value.as_bytes()).collect()
}

/// An answer without what may differ between two of the same, or depends on how its body is framed.
fn comparable(answer: &Answer) -> (u16, Vec<String>, String) {
    const FREE: [&str; 4] = [
        "date",
        "x-envoy-upstream-service-time",
        "transfer-encoding",
        "content-length",
    ];
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| !FREE.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    headers.sort_unstable();
    (answer.status.as_u16(), headers, answer.text())
}
