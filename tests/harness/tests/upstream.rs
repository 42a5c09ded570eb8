//! What upstreams promise to tests, seen through the client that tests use.

use std::time::Duration;

use steerage_harness::{
    Bytes, Client, HarnessError, Load, Received, Reply, Request, Upstream, body_hash, eventually,
    get, raw, request, run,
};

#[test]
fn a_request_is_recorded_as_it_was_sent() {
    run(async {
        let upstream = Upstream::named("a").await?;
        let sent = Request::post("/p/%2e?q=1&q=2")
            .header("x-twice", "1")
            .header("x-twice", "2")
            .body(Bytes::from_static(b"hello"))
            .unwrap();
        let answer = request(upstream.addr(), sent).await?;
        assert_eq!(
            (
                answer.status.as_u16(),
                answer.text(),
                answer.header("x-upstream")
            ),
            (200, "a".to_owned(), Some("a".to_owned()))
        );

        let received = upstream.received();
        let [
            Received {
                method,
                path,
                headers,
                body,
                complete: true,
                connection: 0,
                ..
            },
        ] = &received[..]
        else {
            panic!("{received:?}")
        };
        assert_eq!(
            (method.as_str(), path.as_str(), &body[..]),
            ("POST", "/p/%2e?q=1&q=2", &b"hello"[..])
        );
        assert_eq!(headers.get_all("x-twice").iter().count(), 2);
        upstream.clear();
        assert_eq!(upstream.count(), 0);
        Ok::<_, HarnessError>(())
    })
    .unwrap();
}

#[test]
fn behaviour_follows_the_number_and_may_change() {
    run(async {
        let upstream = Upstream::start(|_, n| {
            if n < 2 {
                Reply::status(503)
            } else {
                Reply::ok()
            }
        })
        .await?;
        let client = Client::new();
        for expected in [503, 503, 200, 200] {
            assert_eq!(client.get(upstream.addr(), "/").await?.status, expected);
        }
        assert_eq!(upstream.connections(), 1, "a client keeps its connection");
        upstream.set(|received, _| Reply::ok().body(received.path.clone()));
        assert_eq!(client.get(upstream.addr(), "/now").await?.text(), "/now");
        upstream.clear();
        upstream.set(|_, n| Reply::status(if n == 0 { 500 } else { 200 }));
        assert_eq!(
            client.get(upstream.addr(), "/").await?.status,
            500,
            "the number starts again after clear"
        );
        Ok::<_, HarnessError>(())
    })
    .unwrap();
}

#[test]
fn duplicate_headers_and_raw_bytes_survive() {
    run(async {
        let upstream = Upstream::start(|_, _| {
            Reply::ok()
                .header("set-cookie", "a=1")
                .header("set-cookie", "b=2")
                .header("x-raw", b"\xff\xfe")
        })
        .await?;
        let answer = get(upstream.addr(), "/").await?;
        let cookies: Vec<_> = answer
            .headers
            .get_all("set-cookie")
            .iter()
            .map(|value| value.as_bytes())
            .collect();
        assert_eq!(cookies, [b"a=1", b"b=2"]);
        assert_eq!(answer.headers["x-raw"].as_bytes(), b"\xff\xfe");

        let junk = raw(
            upstream.addr(),
            b"GET /raw HTTP/1.1\r\nhost: x\r\nx-junk: \xff\xfe\r\n\r\n",
        )
        .await?;
        assert!(
            junk.starts_with(b"HTTP/1.1 200 OK\r\n"),
            "{}",
            String::from_utf8_lossy(&junk)
        );
        assert_eq!(
            upstream.received()[1].headers["x-junk"].as_bytes(),
            b"\xff\xfe"
        );
        Ok::<_, HarnessError>(())
    })
    .unwrap();
}

#[test]
fn delays_come_before_headers_and_streams_after() {
    run(async {
        let upstream =
            Upstream::start(|_, _| Reply::status(429).delay(Duration::from_millis(60))).await?;
        let slow = get(upstream.addr(), "/").await?;
        assert!(
            slow.status == 429 && slow.begun >= Duration::from_millis(60),
            "{slow:?}"
        );

        upstream.set(|_, _| Reply::ok().stream(["a", "b", "c"], Duration::from_millis(40)));
        let streamed = get(upstream.addr(), "/").await?;
        assert_eq!(streamed.text(), "abc");
        assert!(
            streamed.elapsed - streamed.begun >= Duration::from_millis(60),
            "{streamed:?}"
        );
        assert!(
            streamed.headers.contains_key("transfer-encoding"),
            "{streamed:?}"
        );

        upstream.set(|_, _| Reply::ok().large(3_000_001));
        let large = get(upstream.addr(), "/").await?;
        assert_eq!(
            (large.body.len(), large.header("content-length")),
            (3_000_001, Some("3000001".to_owned()))
        );
        Ok::<_, HarnessError>(())
    })
    .unwrap();
}

#[test]
fn resets_are_resets() {
    run(async {
        let upstream = Upstream::start(|_, _| Reply::reset()).await?;
        let error = get(upstream.addr(), "/").await.unwrap_err();
        assert!(
            error.to_string().to_lowercase().contains("reset"),
            "{error}"
        );

        upstream.set(|_, _| Reply::ok().header("x-mark", "1").reset_after_headers());
        let error = get(upstream.addr(), "/").await.unwrap_err();
        assert!(
            error.to_string().to_lowercase().contains("reset"),
            "{error}"
        );
        let seen = raw(upstream.addr(), b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await?;
        let seen = String::from_utf8_lossy(&seen);
        assert!(
            seen.contains("x-mark: 1\r\n") && seen.contains("content-length: 1000\r\n"),
            "{seen}"
        );
        assert!(seen.ends_with("\r\n\r\n"), "{seen}");
        Ok::<_, HarnessError>(())
    })
    .unwrap();
}

#[test]
fn a_refusing_address_refuses_and_a_stopped_server_comes_back() {
    run(async {
        let refusing = Upstream::refusing()?;
        for _ in 0..3 {
            let error = get(refusing.addr(), "/").await.unwrap_err();
            assert!(error.to_string().contains("refused"), "{error}");
        }

        let upstream = Upstream::named("a").await?;
        let client = Client::new();
        for _ in 0..3 {
            client.get(upstream.addr(), "/").await?;
            upstream.stop().await?;
            upstream.stop().await?;
            let error = get(upstream.addr(), "/").await.unwrap_err();
            assert!(error.to_string().contains("refused"), "{error}");
            upstream.restart().await?;
        }
        client.get(upstream.addr(), "/").await?;
        assert_eq!(upstream.count(), 4);
        Ok::<_, HarnessError>(())
    })
    .unwrap();
}

#[test]
fn a_hanging_server_leaves_when_the_client_does() {
    run(async {
        let upstream = Upstream::start(|_, _| Reply::hang()).await?;
        let client = Client::new().patience(Duration::from_millis(50));
        let error = client.get(upstream.addr(), "/").await.unwrap_err();
        assert!(matches!(error, HarnessError::Timeout { .. }), "{error}");
        assert_eq!(upstream.count(), 1);
        Ok::<_, HarnessError>(())
    })
    .unwrap();
}

#[test]
fn long_bodies_are_hashed_and_broken_ones_marked() {
    run(async {
        let upstream = Upstream::named("a").await?;
        let long = Bytes::from(vec![b'y'; 2_000_000]);
        request(
            upstream.addr(),
            Request::put("/").body(long.clone()).unwrap(),
        )
        .await?;
        let received = upstream.received().remove(0);
        assert_eq!((received.body.len(), received.body_length), (0, 2_000_000));
        assert_eq!(received.body_hash, body_hash(&long));

        let chunks = (0..100).map(|_| Bytes::from_static(b"z"));
        let dawdler = Client::one_shot().patience(Duration::from_millis(50));
        let head = Request::post("/").body(()).unwrap();
        dawdler
            .request_streaming(upstream.addr(), head, chunks, Duration::from_millis(10))
            .await
            .unwrap_err();
        eventually("the broken request", Duration::from_secs(5), async || {
            upstream.received().into_iter().nth(1)
        })
        .await
        .map(|broken| assert!(!broken.complete && broken.body_length < 100, "{broken:?}"))
    })
    .unwrap();
}

#[test]
fn an_early_answer_does_not_wait_for_the_body() {
    run(async {
        let upstream = Upstream::named("a").await?;
        upstream.set_early(|received, _| {
            assert!(!received.complete);
            Reply::status(413)
        });
        let head = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n";
        let answer = raw(upstream.addr(), head.as_bytes()).await?;
        assert!(
            answer.starts_with(b"HTTP/1.1 413 "),
            "{}",
            String::from_utf8_lossy(&answer)
        );
        Ok::<_, HarnessError>(())
    })
    .unwrap();
}

#[test]
fn a_load_counts_every_request_once() {
    run(async {
        let upstream = Upstream::start(|_, n| {
            if n % 4 == 0 {
                Reply::status(503)
            } else {
                Reply::ok()
            }
        })
        .await?;
        let report = Load::new(upstream.addr())
            .path("/x")
            .total(200)
            .concurrency(4)
            .run()
            .await;
        assert_eq!(
            (
                report.total(),
                report.status(503),
                report.status(200),
                report.errors
            ),
            (200, 50, 150, 0)
        );
        assert_eq!(
            (
                report.latencies.len(),
                upstream.count(),
                upstream.connections()
            ),
            (200, 200, 4)
        );
        assert!((report.success_rate() - 0.75).abs() < 1e-9, "{report}");

        upstream.clear();
        upstream.set(|_, _| Reply::reset());
        let time = Duration::from_millis(200);
        let report = Load::new(upstream.addr())
            .during(time)
            .rate(100.0)
            .concurrency(4)
            .run()
            .await;
        assert_eq!(
            (report.total(), report.errors, upstream.count()),
            (20, 20, 20),
            "{report}"
        );
        assert!(report.elapsed >= Duration::from_millis(190), "{report}");
        Ok::<_, HarnessError>(())
    })
    .unwrap();
}
