//! Memory: what clients and upstreams send is kept out of a budget. What finds no room in it is not
//! kept, and no VM runs out of memory.

use std::time::Duration;

use steerage_harness::serde_json::{self, Value, json};
use steerage_harness::tokio::task::JoinSet;
use steerage_harness::{Bytes, Client, Cluster, Envoy, Reply, Upstream, request, run};

use crate::support::{assert_unharmed, envoy_of, request_of};

const MIB: usize = 1 << 20;

/// PUTs of so many MiB each, all at once, to an endpoint that fails when all of a body is there:
/// how many were retried, which succeeds. `budget` is `max_kept_bytes` in MiB.
async fn upload(workers: u32, rounds: usize, (uploads, size): (usize, usize), budget: usize) {
    let sick = Upstream::start(|_, _| Reply::status(503).delay(Duration::from_secs(1)));
    let sick = sick.await.unwrap();
    let well = Upstream::named("well").await.unwrap();
    let config = json!({
        "endpoints": ["sick", {"cluster": "well", "priority": 1}],
        "retry_policy": {"base_delay": 0.5, "jitter": false, "max_request_bytes": size * MIB},
        "connection_pool": {"max_connections": 1_000},
        "max_kept_bytes": budget * MIB,
    });
    // A connection may take long to be made while so much arrives.
    let cluster = |name, addr| {
        let cluster = Cluster::new(name).host(addr);
        cluster.connect_timeout(Duration::from_secs(30))
    };
    let envoy = envoy_of(&[], &config.to_string())
        .cluster_with(cluster("sick", sick.addr()))
        .cluster_with(cluster("well", well.addr()))
        .concurrency(workers);
    let envoy = envoy.start().await.unwrap();
    let mut memory = Vec::new();
    let body = Bytes::from(vec![b'x'; size * MIB]);
    for _ in 0..rounds {
        well.clear();
        let mut requests = JoinSet::new();
        for _ in 0..uploads {
            let put = request_of("PUT", "/", &[], body.clone());
            requests.spawn(request(envoy.addr(), put));
        }
        let answers = requests.join_all().await;
        let with = |status: u16| {
            let answers = answers.iter();
            let with = answers.filter(|answer| answer.as_ref().unwrap().status == status);
            with.count()
        };
        let (retried, streamed) = (with(200), with(503));
        assert_eq!(retried + streamed, uploads, "all are answered");
        assert_eq!(well.count(), retried);
        assert!(retried >= budget / size, "{retried} were kept");
        assert!(streamed > 0, "they were not all at once");
        memory.push(mib_in_use(&envoy).await);
        assert_unharmed(&envoy).await;
    }
    let denied = "retries_denied_total.*body_too_large";
    let denied: u64 = envoy.stats(denied).await.unwrap().values().sum();
    assert!(denied > 0, "it is counted");
    if let [first, .., last] = *memory {
        assert!(last < first + 50, "{memory:?} MiB");
    }
}

/// What Envoy has of the system, VMs included, without what its allocator keeps for later: that
/// depends on how much happened to be under way at a time.
async fn mib_in_use(envoy: &Envoy) -> u64 {
    let rss = envoy.rss_kib().unwrap() * 1_024;
    let memory = envoy.admin_get("/memory").await.unwrap();
    let memory: Value = serde_json::from_str(&memory).unwrap();
    let free = ["pageheap_free", "total_thread_cache"];
    let free = free.map(|of| memory[of].as_str().unwrap().parse::<u64>().unwrap());
    (rss - free.iter().sum::<u64>()) >> 20
}

#[test]
fn three_hundred_large_uploads_at_once_are_answered_out_of_bounded_memory() {
    run(upload(1, 2, (300, 4), 64));
}

#[test]
fn each_of_two_workers_keeps_what_it_has_room_for() {
    run(upload(2, 1, (160, 4), 64));
}

#[test]
fn the_largest_budget_of_the_largest_bodies_fits_into_a_vm() {
    run(upload(1, 1, (60, 16), 256));
}

/// So many GETs at once, all attempts of which are answered with a 503 of 30 MiB.
async fn fail(requests: usize, most: usize) {
    let large = || Upstream::start(|_, _| Reply::status(503).large(30 << 20));
    let (a, b) = (large().await.unwrap(), large().await.unwrap());
    let config = json!({
        "endpoints": ["a", "b"],
        "retry_policy": {"base_delay": 0.1, "jitter": false, "max_attempts": 3, "budget": false},
        "timeout": {"read": 100, "total": 110},
        "max_response_bytes": most * MIB,
    });
    let envoy = envoy_of(&[("a", a.addr()), ("b", b.addr())], &config.to_string());
    let envoy = envoy.concurrency(1).start().await.unwrap();
    let mut answers = JoinSet::new();
    for _ in 0..requests {
        let client = Client::one_shot().patience(Duration::from_secs(110));
        let addr = envoy.addr();
        answers.spawn(async move { client.get(addr, "/").await });
    }
    for answer in answers.join_all().await {
        let answer = answer.unwrap();
        assert_eq!(answer.status, 503);
        assert_eq!(answer.body.len(), 30 * MIB, "as it came");
    }
    assert!(a.count() + b.count() > requests, "they are retried");
    assert_unharmed(&envoy).await;
}

#[test]
fn failed_answers_that_are_longer_than_is_taken_give_way_to_the_one_that_is_held() {
    run(fail(8, 8));
}

#[test]
fn forty_five_failed_answers_of_30_mib_do_no_harm() {
    run(fail(45, 64));
}
