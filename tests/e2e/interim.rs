//! An interim answer (1xx) is no answer: what follows it, or does not, decides.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use steerage_harness::tokio;
use steerage_harness::{Bytes, Client, Envoy, Upstream, eventually, run};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{assert_unharmed, envoy_of, request_of};

/// What follows the interim answer.
#[derive(Clone, Copy, Debug)]
enum Then {
    Silence,
    /// The connection is closed.
    Close,
    /// The connection is reset.
    Reset,
    /// A 200, so many milliseconds later.
    Answer(u64),
}

/// A server that answers each request with these bytes first.
async fn interim(interim: &'static [u8], then: Then) -> SocketAddr {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = server.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = server.accept().await {
            tokio::spawn(serve(stream, interim, then));
        }
    });
    addr
}

async fn serve(mut stream: TcpStream, interim: &'static [u8], then: Then) {
    loop {
        let mut request = Vec::new();
        while !request.windows(4).any(|four| four == b"\r\n\r\n") {
            if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
                return;
            }
        }
        stream.write_all(interim).await.unwrap();
        match then {
            Then::Silence => tokio::time::sleep(Duration::from_secs(60)).await,
            Then::Close => return,
            Then::Reset => {
                stream.set_zero_linger().unwrap();
                return;
            }
            Then::Answer(millis) => {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhints";
                stream.write_all(answer).await.unwrap();
            }
        }
    }
}

/// `hints`, which sends an interim answer first, and `well`.
async fn stage(hints: SocketAddr) -> (Upstream, Envoy) {
    let well = Upstream::named("well").await.unwrap();
    let policy = r#"{
        "endpoints": ["hints", {"cluster": "well", "priority": 1}],
        "timeout": {"connect": 0.25, "read": 1, "total": 20},
        "retry_policy": {"strategy": "fixed", "base_delay": 0.01, "jitter": "none"}
    }"#;
    let envoy = envoy_of(&[("hints", hints), ("well", well.addr())], policy);
    (well, envoy.concurrency(1).start().await.unwrap())
}

const INTERIM: [&[u8]; 3] = [
    b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n",
    b"HTTP/1.1 102 Processing\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
];

#[test]
fn silence_after_an_interim_answer_ends_an_attempt_when_read_is_over() {
    run(async {
        for bytes in INTERIM {
            let (well, envoy) = stage(interim(bytes, Then::Silence).await).await;
            let ask = async |method: &str| {
                let begun = Instant::now();
                let request = request_of(method, "/", &[], Bytes::new());
                let answer = Client::one_shot().request(envoy.addr(), request).await;
                (answer.unwrap(), begun.elapsed())
            };
            let what = String::from_utf8_lossy(bytes);
            let (answer, took) = ask("GET").await;
            assert_eq!(
                (answer.status.as_u16(), &*answer.text()),
                (200, "well"),
                "{what}"
            );
            assert!(took >= Duration::from_secs(1), "{what} {took:?}");
            // What must not be repeated gets its answer then, and not at the end of `total`.
            let (answer, took) = ask("POST").await;
            assert_eq!(answer.status, 504, "{what}");
            assert!(took < Duration::from_secs(15), "{what} {took:?}");
            assert_eq!(well.count(), 1, "{what}");
            let failed = "steerage_attempts_total.*hints.*timeout";
            eventually("both are counted", Duration::from_secs(5), async || {
                let counts = envoy.stats(failed).await.ok()?;
                (counts.values().sum::<u64>() == 2).then_some(())
            })
            .await
            .unwrap();
            assert_unharmed(&envoy).await;
        }
    });
}

#[test]
fn an_answer_that_follows_an_interim_one_in_time_is_the_clients() {
    run(async {
        for bytes in INTERIM {
            let (well, envoy) = stage(interim(bytes, Then::Answer(300)).await).await;
            for method in ["GET", "POST"] {
                let request = request_of(method, "/", &[], Bytes::new());
                let answer = Client::one_shot().request(envoy.addr(), request).await;
                let answer = answer.unwrap();
                assert_eq!((answer.status.as_u16(), &*answer.text()), (200, "hints"));
            }
            assert_eq!(well.count(), 0);
            assert_unharmed(&envoy).await;
        }
    });
}

#[test]
fn a_connection_that_breaks_after_an_interim_answer_is_a_failure_and_the_request_is_retried() {
    run(async {
        for (number, bytes) in INTERIM.into_iter().enumerate() {
            for then in [Then::Close, Then::Reset] {
                let (well, envoy) = stage(interim(bytes, then).await).await;
                let what = format!("{number} {then:?}");
                let request = request_of("GET", "/", &[], Bytes::new());
                let answer = Client::one_shot().request(envoy.addr(), request).await;
                let answer = answer.unwrap();
                assert_eq!(
                    (answer.status.as_u16(), &*answer.text()),
                    (200, "well"),
                    "{what}"
                );
                // It may have been done: it is not repeated.
                let request = request_of("POST", "/", &[], Bytes::new());
                let answer = Client::one_shot().request(envoy.addr(), request).await;
                assert_eq!(answer.unwrap().status, 503, "{what}");
                assert_eq!(well.count(), 1, "{what}");
                let failed = "steerage_attempts_total.*hints.*reset";
                eventually("both are counted", Duration::from_secs(5), async || {
                    let counts = envoy.stats(failed).await.ok()?;
                    (counts.values().sum::<u64>() == 2).then_some(())
                })
                .await
                .unwrap();
                assert_unharmed(&envoy).await;
            }
        }
    });
}
