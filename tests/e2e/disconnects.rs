//! Clients that hang up leave nothing behind, at any moment: while the first attempt hangs, during
//! the delay before a retry, while a retry is under way.
//! - No attempt begins for a client that has left.
//! - Nothing stays counted as under way: `least_connections`, which would avoid an endpoint with a
//!   forgotten attempt for ever, spreads requests evenly afterwards.
//! - A thousand of them leave Envoy's memory as it was.

use std::net::SocketAddr;
use std::time::Duration;

use steerage_harness::tokio;
use steerage_harness::{Envoy, Reply, Upstream, eventually, get, run};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use crate::support::{assert_unharmed, envoy_of, tally};

#[test]
fn nothing_is_left_of_first_attempts_whose_clients_have_gone() {
    let config = r#"{"endpoints": ["a", "b"], "load_balancer": {"strategy": "least_connections"}}"#;
    check(config, &Reply::hang());
}

#[test]
fn nothing_is_left_of_delays_whose_clients_have_gone() {
    let config = r#"{
        "endpoints": ["a", "b"],
        "load_balancer": {"strategy": "least_connections"},
        "retry_policy": {"strategy": "fixed", "base_delay": 30, "jitter": "none"}
    }"#;
    check(config, &Reply::status(503));
}

#[test]
fn nothing_is_left_of_retries_whose_clients_have_gone() {
    // The host cannot cancel a call, so it lasts to the end of its time, here at most a second.
    let config = r#"{
        "endpoints": ["sick", {"cluster": "a", "priority": 1}, {"cluster": "b", "priority": 1}],
        "load_balancer": {"strategy": "least_connections"},
        "retry_policy": {"base_delay": 0.001, "max_attempts": 2},
        "timeout": {"connect": 0.1, "read": 0.9, "total": 1}
    }"#;
    check(config, &Reply::hang());
}

/// Clients leave `a`, which answers with `reply`, and then `a` gets its half of the requests again.
fn check(config: &str, reply: &Reply) {
    run(async {
        for workers in [1, 4] {
            let sick = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
            let reply = reply.clone();
            let a = Upstream::start(move |_, _| reply.clone()).await.unwrap();
            let b = Upstream::named("b").await.unwrap();
            let clusters = [("sick", sick.addr()), ("a", a.addr()), ("b", b.addr())];
            let envoy = envoy_of(&clusters, config)
                .concurrency(workers)
                .start()
                .await
                .unwrap();

            // `b` answers, so clients come until one waits for `a`. One is enough: if it stayed
            // counted, all workers would merge it.
            let mut clients = Vec::new();
            while a.count() == 0 {
                clients.push(spawn_get(envoy.addr()));
                let arrived = async || {
                    let arrived = a.count() + b.count();
                    (arrived >= clients.len()).then_some(())
                };
                eventually("the next attempt", TEN_SECONDS, arrived)
                    .await
                    .unwrap();
            }
            // The answer of `a` has reached Envoy, too.
            envoy
                .wait_for_stat("http.main.downstream_rq_active", |n| n >= 1)
                .await
                .unwrap();
            for client in clients {
                client.abort();
            }
            for stat in [
                "http.main.downstream_rq_active",
                "cluster.a.upstream_rq_active",
            ] {
                envoy.wait_for_stat(stat, |n| n == 0).await.unwrap();
            }

            a.set(|_, _| Reply::ok().body("a"));
            assert_shares_evenly(&envoy, workers).await;
            assert_unharmed(&envoy).await;
        }
    });
}

/// Asserts that `a` gets about half of the requests that come one by one. An attempt at `a` that
/// stayed counted in any worker would soon keep all workers away from it for good. An attempt that
/// was under way while the workers published may do so for a round or two; hence the second and
/// third try.
async fn assert_shares_evenly(envoy: &Envoy, workers: u32) {
    let mut served = Vec::new();
    for _ in 0..3 {
        let mut answers = Vec::new();
        for _ in 0..100 {
            answers.push(get(envoy.addr(), "/").await.unwrap().text());
            // Between two requests nothing is under way, and most rounds publish that.
            sleep(Duration::from_millis(5)).await;
        }
        served.push(tally(answers).get("a").copied().unwrap_or_default());
        // 50 ± 5 drawn evenly.
        if served
            .last()
            .is_some_and(|served| (30..=70).contains(served))
        {
            return;
        }
    }
    panic!("{workers} workers: of 100 each time, a served {served:?}");
}

#[test]
fn no_attempt_begins_for_a_client_that_left_during_the_delay() {
    run(async {
        for workers in [1, 2, 4] {
            let (sick, well, envoy) = slow_to_retry(workers, "0.5").await;
            let impatient = spawn_get(envoy.addr());
            // The failure has reached Envoy, so the delay has begun.
            let failed = envoy.wait_for_stat("cluster.sick.upstream_rq_503", |n| n == 1);
            failed.await.unwrap();
            assert_eq!(well.count(), 0);
            impatient.abort();
            all_left(&envoy).await;

            // The retry of a later client is due later. Once it is made, the other would be
            // overdue.
            let patient = get(envoy.addr(), "/patient").await.unwrap();
            assert_eq!(patient.text(), "well");
            assert!(patient.begun >= Duration::from_millis(500), "{patient:?}");
            let paths: Vec<_> = well.received().into_iter().map(|got| got.path).collect();
            assert_eq!(paths, ["/patient"]);
            assert_eq!(sick.count(), 2);
            assert_unharmed(&envoy).await;
        }
    });
}

#[test]
fn a_thousand_clients_that_hang_up_leave_the_memory_as_it_was() {
    run(async {
        let (sick, well, envoy) = slow_to_retry(2, "30").await;
        // Some leave at once, the others during the delay, while their body is kept for the retry.
        hang_up(&envoy, &sick, 200).await;
        let before = envoy.rss_kib().unwrap();
        hang_up(&envoy, &sick, 1000).await;
        let after = envoy.rss_kib().unwrap();
        // The bodies alone, if kept, would be 40 MiB.
        let grown = after.saturating_sub(before);
        assert!(grown < 10 * 1024, "{before} KiB before, {after} KiB after");
        assert_eq!(well.count(), 0);

        sick.set(|_, _| Reply::ok().body("better"));
        assert_eq!(get(envoy.addr(), "/").await.unwrap().text(), "better");
        assert_unharmed(&envoy).await;
    });
}

/// So many clients, 50 at a time, send a body of 40 KiB and leave.
async fn hang_up(envoy: &Envoy, sick: &Upstream, clients: usize) {
    let put = "PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 40960\r\n\r\n".to_owned();
    let put = put + &"x".repeat(40 * 1024);
    for number in 0..clients / 50 {
        sick.clear();
        let mut connections = JoinSet::new();
        for _ in 0..50 {
            let (addr, put) = (envoy.addr(), put.clone());
            connections.spawn(async move {
                let mut stream = TcpStream::connect(addr).await.unwrap();
                stream.write_all(put.as_bytes()).await.unwrap();
                stream
            });
        }
        let connections = connections.join_all().await;
        if number % 5 > 0 {
            let arrived = async || (sick.count() >= 50).then_some(());
            eventually("all attempts", TEN_SECONDS, arrived)
                .await
                .unwrap();
        }
        drop(connections);
        all_left(envoy).await;
    }
}

/// Waits until Envoy has noticed that no client is left.
async fn all_left(envoy: &Envoy) {
    envoy
        .wait_for_stat("http.main.downstream_rq_active", |n| n == 0)
        .await
        .unwrap();
}

/// `sick`, which answers 503, `well`, and an Envoy that tries the second after this delay.
async fn slow_to_retry(workers: u32, delay: &str) -> (Upstream, Upstream, Envoy) {
    let sick = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
    let well = Upstream::named("well").await.unwrap();
    let config = format!(
        r#"{{"endpoints": ["sick", {{"cluster": "well", "priority": 1}}],
             "retry_policy": {{"strategy": "fixed", "base_delay": {delay}, "jitter": "none"}}}}"#
    );
    let envoy = envoy_of(&[("sick", sick.addr()), ("well", well.addr())], &config)
        .concurrency(workers)
        .start()
        .await
        .unwrap();
    (sick, well, envoy)
}

/// A client that waits for its answer until it is aborted.
fn spawn_get(addr: SocketAddr) -> JoinHandle<()> {
    tokio::spawn(async move { drop(get(addr, "/impatient").await) })
}

const TEN_SECONDS: Duration = Duration::from_secs(10);
