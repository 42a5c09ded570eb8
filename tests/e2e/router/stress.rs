//! Random faults, clients that leave, deadlines, retries denied by a budget and new configurations,
//! all at once, for `STEERAGE_SOAK` seconds: Envoy lives, no VM traps, nothing is left under way,
//! and every answer is one that the pool may give.
//!
//! `make soak` runs it for an hour on each of two versions of Envoy.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use steerage_harness::tokio;
use steerage_harness::tokio::task::JoinSet;
use steerage_harness::{
    Client, Cluster, ConfigUpdate, Envoy, HarnessError, Opened, Received, Reply, RouterRetries,
    SentBody, Upstream, eventually, grpc,
};

use super::stage::by_router;
use crate::support::{assert_unharmed, request_of};

/// How long it runs where the environment does not say, in seconds: short enough for CI.
const SHORT: u64 = 60;

/// The upstream that speaks HTTP/1 and answers early. If a client leaves in the middle of an upload
/// of 300 kB, Envoy closes the connection and counts neither it nor a request any more. But the
/// bytes that nobody reads fill the socket, so the end behind them never arrives, and an upstream
/// that sends nothing either has the request open for ever. With an upload of 1 kB, or in HTTP/2,
/// it does not.
const EARLY_HTTP1: usize = 2;

/// Clients at a time.
const CLIENTS: usize = 12;

#[test]
fn nothing_crashes_and_nothing_is_left_whatever_goes_wrong() {
    let seconds = std::env::var("STEERAGE_SOAK").ok();
    let seconds = seconds.and_then(|text| text.parse().ok()).unwrap_or(SHORT);
    // Not `run`, which ends a test after two minutes.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(soak(Duration::from_secs(seconds)));
}

async fn soak(time: Duration) {
    let luck = Luck::default();
    let mut upstreams = Vec::new();
    let mut builder = Envoy::builder()
        .by_ecds()
        .config(policy(0))
        .router_retries(RouterRetries::by_state());
    for number in 0..6 {
        let (faults, early) = (luck.clone(), number % 3 == 2);
        let reply = move |received: &Received, _| fault(&faults, received);
        let upstream = Upstream::start(reply.clone()).await.unwrap();
        if early {
            upstream.set_early(reply);
        }
        // The first three speak HTTP/1, the others HTTP/2.
        let cluster = Cluster::new(format!("u{number}")).host(upstream.addr());
        builder = builder.cluster_with(if number < 3 { cluster } else { cluster.http2() });
        upstreams.push(upstream);
    }
    let refusing = Upstream::refusing().unwrap();
    let envoy = builder
        .cluster("refusing", refusing.addr())
        .cluster_with(Cluster::new("empty"));
    let envoy = Arc::new(envoy.start().await.unwrap());

    let end = Instant::now() + time;
    let asked = Arc::new(AtomicU64::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (luck, asked, addr) = (luck.clone(), Arc::clone(&asked), envoy.addr());
        clients.spawn(async move {
            while Instant::now() < end {
                one(&luck, addr).await;
                asked.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let mut version = 0;
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_secs(2)).await;
        version += 1;
        let verdict = envoy.update_filter_config(policy(version)).await.unwrap();
        assert_eq!(verdict, ConfigUpdate::Accepted);
    }
    clients.join_all().await;
    let asked = asked.load(Ordering::Relaxed);
    assert!(asked > time.as_secs() * 10, "{asked} requests");
    for upstream in &upstreams {
        upstream.set(|_, _| Reply::ok().body("well"));
    }
    nothing_is_left(&envoy, &upstreams).await;
    assert_unharmed(&envoy).await;
    eprintln!("{asked} requests, {version} configurations");
}

/// Everything that was under way has ended: for Envoy, for the filter, and for the upstreams but
/// [`EARLY_HTTP1`], of which Envoy's count tells.
async fn nothing_is_left(envoy: &Envoy, upstreams: &[Upstream]) {
    let mut left = String::new();
    let ended = eventually("the end of all that is under way", Duration::from_secs(15), async || {
        let active = "^cluster\\..*\\.upstream_rq_active$|steerage_endpoint_active|main.downstream_rq_active";
        let active = envoy.stats(active).await.ok()?;
        let seeing = upstreams.iter().enumerate().filter(|(number, _)| *number != EARLY_HTTP1);
        let open: usize = seeing.map(|(_, upstream)| upstream.open()).sum();
        left = format!("{open} open; {:?}", active.iter().filter(|(_, n)| **n > 0).collect::<Vec<_>>());
        (open == 0 && active.values().all(|&n| n == 0)).then_some(())
    })
    .await;
    assert!(ended.is_ok(), "{left}");
}

/// A policy that changes from version to version: delays, budgets, deadlines.
fn policy(version: usize) -> String {
    let budget = ["false", r#"{"ratio": 0.1, "min_per_second": 1}"#][version % 2];
    let strategy = ["fixed", "exponential", "fibonacci"][version % 3];
    let total = [0.6, 1.2][version / 2 % 2];
    by_router(&format!(
        r#"{{"endpoints": ["u0", "u1", "u2", "u3", "u4", "u5", "refusing", "empty"],
            "retry_policy": {{"strategy": "{strategy}", "base_delay": 0.01, "max_attempts": 4,
                "budget": {budget}, "retry_methods": ["GET", "HEAD", "PUT", "POST"]}},
            "timeout": {{"connect": 0.1, "read": 0.25, "total": {total}}}}}"#
    ))
}

/// What an upstream does, well or badly.
fn fault(luck: &Luck, received: &Received) -> Reply {
    let of_grpc = received.header("content-type").as_deref() == Some("application/grpc");
    let slow = Duration::from_millis(luck.below(40));
    match luck.below(20) {
        0 => Reply::status(503).body("no").delay(slow),
        1 => Reply::status(429).header("retry-after-ms", "50"),
        2 => Reply::status(500).large(300_000),
        3 => Reply::reset().delay(slow),
        4 => Reply::ok().reset_after_headers(),
        5 => Reply::ok().send("some").pause(slow).break_off(),
        6 => Reply::hang(),
        7 => Reply::status(503).send("some").silence(),
        8 if of_grpc => grpc::failure(14).delay(slow),
        9 if of_grpc => grpc::end(grpc::stream().send(grpc::message("one")).pause(slow), 14),
        _ if of_grpc => grpc::reply("one").delay(slow),
        10..14 => Reply::ok().stream(["a", "b", "c"], slow),
        14 => Reply::ok().large(2_000_000),
        _ => Reply::ok().body("well").delay(slow),
    }
}

/// One request of a client that may leave, and its answer, which must be one of a sane kind.
async fn one(luck: &Luck, addr: SocketAddr) {
    let patience = match luck.below(4) {
        0 => Duration::from_millis(luck.below(300)),
        _ => Duration::from_secs(8),
    };
    let client = match luck.below(2) {
        0 => Client::one_shot(),
        _ => Client::one_shot().http2(),
    };
    let leaves = patience < Duration::from_secs(8);
    let client = client.patience(patience);
    let kind = luck.below(6);
    let answer = match kind {
        0 => {
            let put = request_of("PUT", "/put", &[], vec![b'x'; 300_000]);
            whole(client.open(addr, put).await).await
        }
        1 => {
            let client = Client::one_shot().http2().patience(patience);
            whole(client.open(addr, grpc::call("/M", "hello")).await).await
        }
        2 => {
            let head = request_of("HEAD", "/head", &[], "");
            whole(client.open(addr, head).await).await
        }
        3 => in_pieces(luck, &client, addr).await,
        _ => {
            let get = request_of("GET", "/get", &[], "");
            whole(client.open(addr, get).await).await
        }
    };
    match answer {
        Ok(status) => {
            let sane = [200, 408, 429, 500, 503, 504].contains(&status);
            assert!(sane, "{kind}: {status}");
        }
        // Every deadline is over long before: a head comes to whom waits for it.
        Err(HarnessError::Timeout { .. }) => assert!(leaves, "{kind}: no answer"),
        // A connection may break.
        Err(_) => {}
    }
}

/// The status of an answer, of which as much is read as comes within two seconds: it may hang or
/// break off once its head is there.
async fn whole(opened: Result<Opened, HarnessError>) -> Result<u16, HarnessError> {
    let opened = opened?;
    let status = opened.status.as_u16();
    let _ = tokio::time::timeout(Duration::from_secs(2), opened.rest()).await;
    Ok(status)
}

/// A request whose body comes in pieces, and may break off.
async fn in_pieces(luck: &Luck, client: &Client, addr: SocketAddr) -> Result<u16, HarnessError> {
    let (outgoing, body) = SentBody::piecewise();
    let pause = Duration::from_millis(luck.below(60));
    let breaks = luck.below(4) == 0;
    tokio::spawn(async move {
        for _ in 0..4 {
            outgoing.send("piece of a body".repeat(100));
            tokio::time::sleep(pause).await;
        }
        if breaks {
            outgoing.break_off();
        }
    });
    let request = request_of("PUT", "/pieces", &[], "").map(|_| body);
    whole(client.open(addr, request).await).await
}

/// Numbers that are the same in every run, but for who draws which.
#[derive(Clone, Debug, Default)]
struct Luck(Arc<AtomicU64>);

impl Luck {
    /// A number below `limit`.
    fn below(&self, limit: u64) -> u64 {
        // The finalizer of SplitMix64, over a counter.
        let mut z = self.0.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        z = z.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}
