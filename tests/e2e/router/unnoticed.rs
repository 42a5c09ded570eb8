//! Attempts of three upstreams fail three times in ten, in every way, and no client notices:
//! whole answers, uploads, gRPC of every kind, events and downloads.

use std::time::Duration;

use std::net::SocketAddr;
use std::sync::Arc;
use steerage_harness::tokio::sync::Semaphore;
use steerage_harness::tokio::task::JoinSet;
use steerage_harness::{
    Bytes, Client, Envoy, Received, Reply, Request, SentBody, Upstream, body_hash, grpc, run,
};

use super::stage::{Http1, Http2, Protocol, assert_all_by_router, envoy};
use crate::support::request_of;

/// With three failures in ten, ten attempts are as good as never in vain.
const POLICY: &str = r#"{"endpoints": ["a", "b", "c"],
    "retry_policy": {"max_attempts": 10, "strategy": "fixed", "base_delay": 0.002,
        "retry_methods": ["GET", "PUT", "POST"]}}"#;

/// What a failing attempt does: each third in another way.
fn failing(received: &Received, number: usize) -> Option<Reply> {
    let of_grpc = received.header("content-type").as_deref() == Some("application/grpc");
    match number % 10 {
        1 => Some(Reply::status(503).body("no")),
        4 => Some(Reply::reset()),
        7 if of_grpc => Some(grpc::failure(14)),
        7 => Some(Reply::status(502)),
        _ => None,
    }
}

/// Three upstreams of which each behaves like this when it does not fail, and their Envoy.
async fn stage(
    protocol: Protocol,
    early: bool,
    good: fn(&Received) -> Reply,
) -> (Vec<Upstream>, Envoy) {
    let mut upstreams = Vec::new();
    for _ in 0..3 {
        let reply = move |received: &Received, number| {
            failing(received, number).unwrap_or_else(|| good(received))
        };
        let upstream = Upstream::start(reply).await.unwrap();
        if early {
            upstream.set_early(reply);
        }
        upstreams.push(upstream);
    }
    let clusters: Vec<_> = ["a", "b", "c"]
        .into_iter()
        .zip(upstreams.iter().map(Upstream::addr))
        .collect();
    let envoy = envoy(protocol, &clusters, POLICY).await;
    (upstreams, envoy)
}

/// How many requests: `short`, unless the environment wants more.
fn requests(short: usize) -> usize {
    let wanted = std::env::var("STEERAGE_ROUTER_REQUESTS").ok();
    wanted.and_then(|text| text.parse().ok()).unwrap_or(short)
}

/// Asks so many times, eight at a time, and panics with the first that goes wrong.
async fn all_well<F>(envoy: &Envoy, requests: usize, one: impl Fn(SocketAddr) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(8));
    let mut under_way = JoinSet::new();
    for _ in 0..requests {
        let place = Arc::clone(&places).acquire_owned().await.unwrap();
        let one = one(envoy.addr());
        under_way.spawn(async move {
            one.await;
            drop(place);
        });
    }
    under_way.join_all().await;
    assert_all_by_router(envoy).await;
}

/// Sends a request and asserts that its answer is 200 with this text.
async fn expect(client: Client, addr: SocketAddr, request: Request<Bytes>, text: &str) {
    let answer = client.request(addr, request).await.unwrap();
    assert_eq!((answer.status.as_u16(), &*answer.text()), (200, text));
}

#[test]
fn gets_of_which_three_in_ten_attempts_fail() {
    run(async {
        for protocol in [Http1, Http2] {
            let (_upstreams, envoy) = stage(protocol, false, |_| Reply::ok().body("well")).await;
            all_well(&envoy, requests(100), move |addr| {
                expect(
                    protocol.client(),
                    addr,
                    request_of("GET", "/", &[], ""),
                    "well",
                )
            })
            .await;
        }
    });
}

#[test]
fn uploads_of_900_kib_are_sent_again_whole() {
    run(async {
        let hash = |received: &Received| Reply::ok().body(received.body_hash.to_string());
        for protocol in [Http1, Http2] {
            let (_upstreams, envoy) = stage(protocol, false, hash).await;
            let body = Bytes::from("0123456789abcdef".repeat(900 * 64));
            let hash = body_hash(&body).to_string();
            all_well(&envoy, requests(20), move |addr| {
                let (body, hash) = (body.clone(), hash.clone());
                async move {
                    let request = request_of("PUT", "/", &[], body);
                    expect(protocol.client(), addr, request, &hash).await;
                }
            })
            .await;
        }
    });
}

#[test]
fn calls_of_grpc_and_their_streams() {
    run(async {
        let good = |received: &Received| match &*received.path {
            "/unary" => grpc::reply("one"),
            _ => grpc::end(
                grpc::stream().stream(
                    ["one", "two", "three"].map(grpc::message),
                    Duration::from_millis(3),
                ),
                0,
            ),
        };
        let (_upstreams, envoy) = stage(Http2, false, good).await;
        for (path, expected) in [
            ("/unary", &["one"][..]),
            ("/stream", &["one", "two", "three"]),
        ] {
            all_well(&envoy, requests(50), move |addr| async move {
                let call = grpc::call(path, "hello");
                let answer = Http2.client().request(addr, call).await.unwrap();
                assert_eq!(grpc::status(&answer), Some(0), "{answer:?}");
                assert_eq!(grpc::messages(&answer.body), expected);
            })
            .await;
        }
    });
}

#[test]
fn conversations_of_grpc_that_fail_before_their_first_message() {
    run(async {
        let (_upstreams, envoy) = stage(Http2, true, |_| grpc::end(grpc::stream().echo(), 0)).await;
        all_well(&envoy, requests(50), |addr| async move {
            let (outgoing, body) = SentBody::piecewise();
            outgoing.send(grpc::message("one"));
            let call = grpc::head("/talk").map(|()| body);
            let mut opened = Http2.client().open(addr, call).await.unwrap();
            for said in ["one", "two", "three"] {
                let heard = opened.chunk().await.unwrap();
                let heard = heard.unwrap_or_else(|| panic!("it ended: {opened:?}"));
                assert_eq!(grpc::messages(&heard), [said]);
                match said {
                    "one" => outgoing.send(grpc::message("two")),
                    "two" => outgoing.send(grpc::message("three")),
                    _ => {}
                }
            }
            drop(outgoing);
            let rest = opened.rest().await.unwrap();
            assert_eq!(grpc::status(&rest), Some(0), "{rest:?}");
        })
        .await;
    });
}

#[test]
fn events_and_downloads() {
    run(async {
        let good = |received: &Received| match &*received.path {
            "/events" => Reply::ok()
                .header("content-type", "text/event-stream")
                .stream(["data: 1\n\n", "data: 2\n\n"], Duration::from_millis(5)),
            _ => Reply::ok().large(40 << 20),
        };
        for protocol in [Http1, Http2] {
            let (_upstreams, envoy) = stage(protocol, false, good).await;
            all_well(&envoy, requests(40), move |addr| {
                let events = request_of("GET", "/events", &[], "");
                expect(protocol.client(), addr, events, "data: 1\n\ndata: 2\n\n")
            })
            .await;
            all_well(&envoy, requests(4), move |addr| async move {
                let download = request_of("GET", "/download", &[], "");
                let mut opened = protocol.client().open(addr, download).await.unwrap();
                assert_eq!(opened.status, 200);
                let mut length = 0;
                while let Some(chunk) = opened.chunk().await.unwrap() {
                    length += chunk.len();
                }
                assert_eq!(length, 40 << 20);
            })
            .await;
        }
    });
}
