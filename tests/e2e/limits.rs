//! An endpoint gets no more at a time than its limit: the rest goes elsewhere, or gets 503 at once
//! if all are full.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use steerage_harness::serde_json::{self, Value};
use steerage_harness::tokio::task::JoinSet;
use steerage_harness::{Answer, Envoy, Load, Reply, Upstream, get, run};

use crate::support::{ask, assert_unharmed, envoy_of, pool_of_one_worker};

/// An upstream that serves so many requests at a time, each for so long, and lets the others wait.
struct Queue {
    /// When each of its places is free again.
    places: Vec<Instant>,
    /// When each request that is here will be answered.
    answers: Vec<Instant>,
    most: usize,
    /// How long each has been made to take.
    times: Vec<Duration>,
}

impl Queue {
    async fn start(places: usize, takes: Duration) -> (Upstream, Arc<Mutex<Self>>) {
        let queue = Arc::new(Mutex::new(Self {
            places: vec![Instant::now(); places],
            answers: Vec::new(),
            most: 0,
            times: Vec::new(),
        }));
        let shared = Arc::clone(&queue);
        let upstream = Upstream::start(move |_, _| {
            let delay = shared.lock().unwrap().admit(takes);
            Reply::ok().delay(delay)
        });
        (upstream.await.unwrap(), queue)
    }

    /// How long a request that arrives now takes.
    fn admit(&mut self, takes: Duration) -> Duration {
        let now = Instant::now();
        self.answers.retain(|answer| *answer > now);
        let place = self.places.iter_mut().min().unwrap();
        *place = now.max(*place) + takes;
        self.answers.push(*place);
        self.most = self.most.max(self.answers.len());
        let time = place.duration_since(now);
        self.times.push(time);
        time
    }
}

/// The most requests that were there at a time since the last call.
fn take_most(queue: &Mutex<Queue>) -> usize {
    std::mem::take(&mut queue.lock().unwrap().most)
}

/// So many requests at the same time, each on its own connection.
async fn at_once(envoy: &Envoy, requests: usize) -> Vec<Answer> {
    let mut clients = JoinSet::new();
    for _ in 0..requests {
        let addr = envoy.addr();
        clients.spawn(async move { get(addr, "/").await.unwrap() });
    }
    clients.join_all().await
}

fn served(answers: &[Answer]) -> usize {
    let good = answers.iter().filter(|answer| answer.status == 200);
    good.count()
}

const MS: Duration = Duration::from_millis(1);

#[test]
fn a_request_that_finds_all_endpoints_full_is_refused_at_once() {
    run(async {
        let (one, queue) = Queue::start(100, 500 * MS).await;
        let (other, _) = Queue::start(100, 500 * MS).await;
        let clusters = [("one", one.addr()), ("other", other.addr())];
        let config = r#"{"endpoints": ["one", "other"], "max_connections": 3}"#;
        let envoy = pool_of_one_worker(&clusters, config).await;
        // Requests beyond one's limit go elsewhere.
        assert_eq!(served(&at_once(&envoy, 6).await), 6);
        let answers = at_once(&envoy, 20).await;
        assert_eq!(served(&answers), 6);
        assert_eq!(take_most(&queue), 3);
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            assert_eq!(answer.status, 503);
            let reason = answer.header("x-steerage-reason");
            assert_eq!(reason.as_deref(), Some("overloaded"));
            assert!(answer.elapsed < 250 * MS, "{answer:?}");
        }
        // There is room again.
        assert_eq!(served(&at_once(&envoy, 6).await), 6);
        let limit = "wasmcustom.steerage_endpoint_limit;pool=default;endpoint=one";
        envoy
            .wait_for_stat(limit, |limit| limit == 3)
            .await
            .unwrap();
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn a_limit_is_that_of_all_workers() {
    run(async {
        let (upstream, queue) = Queue::start(1_000, 100 * MS).await;
        let config = r#"{"endpoints": ["a"], "max_connections": 16}"#;
        let envoy = envoy_of(&[("a", upstream.addr())], config).concurrency(4);
        let envoy = envoy.start().await.unwrap();
        let load = Load::new(envoy.addr()).concurrency(64).rate(400.0);
        // The workers merge each other's attempts.
        load.clone().during(1_000 * MS).run().await;
        take_most(&queue);
        let report = load.during(4_000 * MS).run().await;
        let most = take_most(&queue);
        // Each may admit too many before it has merged the others', within two rounds of 100 ms.
        assert!((12..=3 * 16).contains(&most), "{most} at a time: {report}");
        assert!(report.status(200) >= 450, "640 could be served: {report}");
        assert_eq!(report.status(200) + report.status(503), report.total());
        assert_unharmed(&envoy).await;
    });
}

/// The upstream's 99th percentile, which leaves out what a busy machine adds on the way.
fn take_p99(queue: &Mutex<Queue>) -> Duration {
    let mut times = std::mem::take(&mut queue.lock().unwrap().times);
    times.sort_unstable();
    times[times.len() * 99 / 100]
}

#[test]
fn a_dynamic_limit_keeps_an_overloaded_endpoint_quick() {
    run(async {
        let (upstream, queue) = Queue::start(10, 100 * MS).await;
        let config = r#"{"endpoints": ["a"], "connection_pool": {"dynamic": true},
            "admin": {}}"#;
        let envoy = envoy_of(&[("a", upstream.addr())], config).concurrency(2);
        let envoy = envoy.start().await.unwrap();
        let load = Load::new(envoy.addr()).concurrency(100);
        let light = load.clone().rate(20.0).during(3_000 * MS).run().await;
        assert_eq!(light.status(200), light.total(), "{light}");
        let unloaded = take_p99(&queue);

        // It takes 100 a second.
        let busy = load.clone().rate(200.0);
        busy.clone().during(2_000 * MS).run().await;
        take_p99(&queue);
        let report = busy.during(10_000 * MS).run().await;
        let p99 = take_p99(&queue);
        assert!(p99 < 3 * unloaded, "{p99:?} at {unloaded:?}: {report}");
        assert!(report.status(200) >= 600, "1,000 could be served: {report}");
        assert_eq!(report.status(200) + report.status(503), report.total());

        let endpoints = ask(&envoy, "GET", "/steerage/endpoints", &[]).await;
        let endpoints: Value = serde_json::from_slice(&endpoints.body).unwrap();
        let limit = endpoints[0]["limit"].as_u64().unwrap();
        assert!((8..=40).contains(&limit), "{endpoints}");
        let sizing = ask(&envoy, "GET", "/steerage/sizing", &[]).await;
        let sizing: Value = serde_json::from_slice(&sizing.body).unwrap();
        let size = sizing[0]["max_connections"].as_u64().unwrap();
        assert!((8..=40).contains(&size), "{sizing}");
        assert_unharmed(&envoy).await;
    });
}
