//! The end of an answer: one that breaks off is its endpoint's failure, whatever its status was; one
//! that the client does not wait for is not; the status of gRPC comes last.

use std::net::SocketAddr;
use std::time::Duration;

use steerage_harness::serde_json::{self, Value, json};
use steerage_harness::tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use steerage_harness::tokio::net::{TcpListener, TcpStream};
use steerage_harness::tokio::task::JoinHandle;
use steerage_harness::{Client, Cluster, Envoy, Load, Reply, Upstream, eventually, run, tokio};

use crate::support::{assert_unharmed, envoy_of, request_of};

/// A server that reads the head of each request and then sends these bytes, whatever HTTP has to say
/// of them.
struct Scripted {
    addr: SocketAddr,
    task: JoinHandle<()>,
}

impl Scripted {
    /// Sends `bytes` and closes the connection, with a reset if `resets`.
    async fn start(bytes: &'static str, resets: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(perform(stream, bytes, resets));
            }
        });
        Self { addr, task }
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn perform(mut stream: TcpStream, bytes: &str, resets: bool) {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if !matches!(stream.read_buf(&mut head).await, Ok(1..)) {
            return;
        }
    }
    let _ = stream.write_all(bytes.as_bytes()).await;
    // What was sent arrives before the connection ends.
    tokio::time::sleep(Duration::from_millis(20)).await;
    if resets {
        let _ = stream.set_zero_linger();
    }
}

/// What the filter has counted for the endpoint `odd`.
async fn odd(envoy: &Envoy) -> Value {
    let admin = envoy.addr_of("admin").unwrap();
    let answer = Client::new()
        .get(admin, "/steerage/endpoints")
        .await
        .unwrap();
    let list: Value = serde_json::from_str(&answer.text()).unwrap();
    let mut endpoints = list.as_array().unwrap().iter();
    endpoints.find(|it| it["url"] == "odd").unwrap().clone()
}

async fn before(addr: SocketAddr, config: &str) -> Envoy {
    before_with(addr, &[], config).await
}

/// The same beside other clusters.
async fn before_with(addr: SocketAddr, others: &[(&str, SocketAddr)], config: &str) -> Envoy {
    let odd = Cluster::new("odd").host(addr).merge(json!({
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http_protocol_options": {"enable_trailers": true}}
            }
        }
    }));
    envoy_of(others, config)
        .cluster_with(odd)
        .admin_listener("admin", r#"{"admin": {"path": "/steerage"}}"#)
        .start()
        .await
        .unwrap()
}

const HALF: &str = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nabc";
const NO_LAST_CHUNK: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n";
const BAD_CHUNK: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n";

#[test]
fn an_answer_that_breaks_off_is_a_failure_of_its_endpoint() {
    run(async {
        for (bytes, resets) in [
            (HALF, false),
            (HALF, true),
            (NO_LAST_CHUNK, false),
            (NO_LAST_CHUNK, true),
            (BAD_CHUNK, false),
        ] {
            let server = Scripted::start(bytes, resets).await;
            let config = r#"{"endpoints": ["odd"], "circuit_breaker": {"failure_threshold": 4}}"#;
            let envoy = before(server.addr, config).await;
            for _ in 0..3 {
                // What has begun cannot be taken back: the client sees it break off.
                let broken = Client::one_shot().get(envoy.addr(), "/").await;
                assert!(broken.is_err(), "{broken:?}");
            }
            let counted = eventually("it is counted", Duration::from_secs(5), async || {
                let odd = odd(&envoy).await;
                (odd["failed_requests"] == 3).then_some(odd)
            });
            let odd = counted.await.unwrap();
            assert_eq!(odd["successful_requests"], 0, "{bytes:?} {odd}");
            assert_eq!(odd["consecutive_failures"], 3, "{bytes:?} {odd}");
            assert_eq!(odd["active_connections"], 0, "{bytes:?} {odd}");
            assert_unharmed(&envoy).await;
        }
    });
}

#[test]
fn a_client_that_does_not_wait_for_the_end_breaks_nothing_off() {
    run(async {
        let endless = Upstream::start(|_, _| Reply::ok().large(1 << 40))
            .await
            .unwrap();
        let envoy = before(endless.addr(), r#"{"endpoints": ["odd"]}"#).await;
        for _ in 0..3 {
            let mut client = TcpStream::connect(envoy.addr()).await.unwrap();
            let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
            client.write_all(request).await.unwrap();
            let mut some = vec![0; 100_000];
            client.read_exact(&mut some).await.unwrap();
        }
        let counted = eventually("it is counted", Duration::from_secs(5), async || {
            let odd = odd(&envoy).await;
            (odd["active_connections"] == 0 && odd["successful_requests"] == 3).then_some(odd)
        });
        let odd = counted.await.unwrap();
        assert_eq!(odd["failed_requests"], 0, "{odd}");
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn a_retry_whose_answer_never_ends_condemns_nobody() {
    run(async {
        let endless = |_: &_, _| Reply::ok().stream(vec!["x"; 1_000], Duration::from_millis(50));
        let endless = Upstream::start(endless).await.unwrap();
        let dead = Upstream::refusing().unwrap();
        // Every first attempt is refused, and the retry's answer begins at once. A retry that was
        // sent just `read` before the deadline could not be told from one without an answer: on a
        // machine that is busy for half a second, still none is.
        let config = r#"{"endpoints": [{"cluster": "dead"}, {"cluster": "odd", "priority": 1}],
            "circuit_breaker": {"failure_threshold": 1000, "minimum_requests": 1000},
            "retry_policy": {"budget": false},
            "timeout": {"connect": 0.2, "read": 0.5, "total": 2}}"#;
        let envoy = before_with(endless.addr(), &[("dead", dead.addr())], config).await;
        let late = Load::new(envoy.addr()).total(6).concurrency(6).run().await;
        assert_eq!(late.status(504), 6, "{late}");
        let counted = eventually("they have ended", Duration::from_secs(5), async || {
            let odd = odd(&envoy).await;
            (odd["total_requests"] == 6 && odd["active_connections"] == 0).then_some(odd)
        });
        let odd = counted.await.unwrap();
        assert_eq!(odd["failed_requests"], 0, "{odd}");
        assert_eq!(odd["consecutive_failures"], 0, "{odd}");
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn the_status_of_grpc_counts_wherever_it_comes() {
    const ONLY_HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\nconnection: close\r\n\
        grpc-status: 14\r\ncontent-length: 0\r\n\r\n";
    const IN_TRAILERS: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\nconnection: close\r\n\
        transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\ngrpc-status: 13\r\n\r\n";
    const CALLERS: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\nconnection: close\r\n\
        transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\ngrpc-status: 5\r\n\r\n";
    const FINE: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\nconnection: close\r\n\
        transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\ngrpc-status: 0\r\n\r\n";
    run(async {
        for (bytes, failed) in [(ONLY_HEAD, 3), (IN_TRAILERS, 3), (CALLERS, 0), (FINE, 0)] {
            let server = Scripted::start(bytes, false).await;
            let envoy = before(server.addr, r#"{"endpoints": ["odd"]}"#).await;
            for _ in 0..3 {
                let headers = [("content-type", "application/grpc")];
                let call = request_of("POST", "/a.B/C", &headers, "hello");
                let answer = Client::one_shot()
                    .request(envoy.addr(), call)
                    .await
                    .unwrap();
                assert_eq!(answer.status, 200);
            }
            let counted = eventually("it is counted", Duration::from_secs(5), async || {
                let odd = odd(&envoy).await;
                (odd["total_requests"] == 3 && odd["active_connections"] == 0).then_some(odd)
            });
            let odd = counted.await.unwrap();
            assert_eq!(odd["failed_requests"], failed, "{bytes:?} {odd}");
            assert_eq!(odd["successful_requests"], 3 - failed, "{bytes:?} {odd}");
            // And so do the clients' answers.
            let failures = "steerage_answers_total.*failure$";
            let failures = envoy.stats(failures).await.unwrap();
            let failures: u64 = failures.values().sum();
            assert_eq!(i64::try_from(failures).unwrap(), failed, "{bytes:?}");
            assert_unharmed(&envoy).await;
        }
    });
}
