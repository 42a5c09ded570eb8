//! The documents of the admin surface over real HTTP agree with the upstreams' counts and a
//! client's measurements, over all workers, and say how much of a pool is available.

use std::net::SocketAddr;
use std::time::Duration;

use steerage_harness::serde_json::{Value, json};
use steerage_harness::tokio::task::JoinSet;
use steerage_harness::{Client, Received, Reply, Upstream, eventually, run};

use crate::operating::{ADMIN, read};
use crate::support::{assert_unharmed, envoy_of};

pub(crate) const LONG: Duration = Duration::from_secs(10);

/// Waits until the document of this name is as wanted, and returns it.
pub(crate) async fn when(
    addr: SocketAddr,
    name: &str,
    wanted: impl Fn(u16, &Value) -> bool,
) -> Value {
    let mut last = Value::Null;
    let found = eventually("the wanted document", LONG, async || {
        let (status, document) = read(addr, name).await;
        last = document.clone();
        wanted(status, &document).then_some(document)
    });
    let found = found.await;
    found.unwrap_or_else(|error| panic!("{error}: {last:#}"))
}

/// The upstreams' answers by path, and their times. `c` fails flaky requests.
fn behaviour(name: &str, path: &str) -> (u16, u64) {
    match path {
        "/bad" => (500, 120),
        "/slow" => (200, 240),
        "/missing" => (404, 120),
        "/flaky" if name == "c" => (503, 60),
        _ => (200, 120),
    }
}

const CLIENTS: usize = 12;

/// The requests of each client.
const REQUESTS: usize = 25;

#[test]
fn documents_say_what_upstreams_have_counted_and_the_client_has_measured() {
    run(async {
        let start = |name: &'static str| {
            Upstream::start(move |received: &Received, _| {
                let (status, millis) = behaviour(name, &received.path);
                Reply::status(status).delay(Duration::from_millis(millis))
            })
        };
        let names = ["a", "b", "c"];
        let mut upstreams = Vec::new();
        for name in names {
            upstreams.push((name, start(name).await.unwrap()));
        }
        let clusters: Vec<_> = upstreams
            .iter()
            .map(|(name, it)| (*name, it.addr()))
            .collect();
        let config = r#"{"endpoints": ["a", "b", "c"], "retry_policy": {"max_attempts": 2,
            "strategy": "fixed", "base_delay": 0.001, "jitter": false}}"#;
        let envoy = envoy_of(&clusters, config)
            .listener("admin", ADMIN)
            .concurrency(4)
            .start()
            .await
            .unwrap();
        let measured = measure(envoy.addr()).await;
        let admin = envoy.addr_of("admin").unwrap();
        let all = CLIENTS * REQUESTS;
        let metrics = when(admin, "metrics", |_, document| {
            let ended = ["successful_requests", "failed_requests"].map(|it| document[it].as_u64());
            ended.into_iter().flatten().sum::<u64>() == u64::try_from(all).unwrap()
        })
        .await;

        // Counts are exact.
        let failed = measured.iter().filter(|it| it.status >= 500).count();
        assert!(failed > 0);
        assert_eq!(metrics["total_requests"], all);
        assert_eq!(metrics["successful_requests"], all - failed);
        assert_eq!(metrics["failed_requests"], failed);
        let seen: usize = upstreams.iter().map(|(_, it)| it.count()).sum();
        assert_eq!(metrics["retry_attempts"], seen - all);
        assert_eq!(metrics["circuit_breaker_activations"], 0);
        assert_eq!(metrics["retries_denied"], json!({"exhausted": failed}));
        let (_, list) = read(admin, "endpoints").await;
        let plain = measured.iter().filter(|it| it.path == "/");
        let plain: Vec<_> = plain.map(|it| it.took.as_secs_f64()).collect();
        let added = plain.iter().sum::<f64>() / as_f64(plain.len()) - 0.12;
        let (mut selections, mut failures, mut statuses) = (json!({}), json!({}), json!({}));
        for (position, (name, upstream)) in upstreams.iter().enumerate() {
            let received = upstream.received();
            let answers = received.iter().map(|it| behaviour(name, &it.path));
            let answers: Vec<_> = answers.collect();
            let failed = answers.iter().filter(|(status, _)| *status >= 500).count();
            selections[name] = json!(answers.len());
            failures[name] = json!(failed);
            for (status, _) in &answers {
                let count = &mut statuses[status.to_string()];
                *count = json!(count.as_u64().unwrap_or(0) + 1);
            }
            let it = &list[position];
            assert_eq!(it["url"], *name);
            assert_eq!(it["total_requests"], answers.len());
            assert_eq!(it["successful_requests"], answers.len() - failed);
            assert_eq!(it["failed_requests"], failed);
            assert_eq!(it["active_connections"], 0);
            let delays = answers
                .iter()
                .map(|(_, millis)| Duration::from_millis(*millis));
            let mean = delays.sum::<Duration>().as_secs_f64() / as_f64(answers.len());
            // The client's times include what a busy machine adds.
            let average = it["average_response_time"].as_f64().unwrap();
            assert!(
                (mean..(mean + added) * 1.05).contains(&average),
                "{average}: not {mean} and up to {added}"
            );
            assert_near(
                &it["success_rate"],
                1.0 - as_f64(failed) / as_f64(answers.len()),
                1e-9,
            );
        }
        assert_eq!(metrics["load_balancer_selections"], selections);
        assert_eq!(metrics["endpoint_failures"], failures);
        assert_eq!(metrics["status_code_distribution"], statuses);

        // Times are what the client has measured, to its first byte.
        let mut times: Vec<f64> = measured.iter().map(|it| it.took.as_secs_f64()).collect();
        times.sort_by(f64::total_cmp);
        let mean = times.iter().sum::<f64>() / as_f64(times.len());
        let p95 = times[times.len() * 95 / 100 - 1];
        assert_near(&metrics["average_response_time"], mean, 0.05);
        // Plus a bucket, which at a quarter of a second is 3 % wide.
        assert_near(&metrics["p95_response_time"], p95 * 1.015, 0.05);
        assert_near(
            &metrics["success_rate"],
            1.0 - as_f64(failed) / as_f64(all),
            1e-9,
        );
        let (_, health) = read(admin, "health").await;
        assert_eq!(health["response_time"], metrics["average_response_time"]);
        assert_unharmed(&envoy).await;
    });
}

/// A client's measurement of a request, to the beginning of its answer.
struct Measured {
    path: &'static str,
    status: u16,
    took: Duration,
}

/// Sends requests from several clients, each on its own connection, and so to several workers.
async fn measure(addr: SocketAddr) -> Vec<Measured> {
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(async move {
            let client = Client::new();
            let mut measured = Vec::new();
            for request in 0..REQUESTS {
                let path = match (number + request) % 10 {
                    0 => "/slow",
                    1 => "/flaky",
                    2 => "/missing",
                    3 if request % 2 == 0 => "/bad",
                    _ => "/",
                };
                let answer = client.get(addr, path).await.unwrap();
                measured.push(Measured {
                    path,
                    status: answer.status.as_u16(),
                    took: answer.begun,
                });
            }
            measured
        });
    }
    let mut all = Vec::new();
    while let Some(measured) = clients.join_next().await {
        all.extend(measured.unwrap());
    }
    all
}

fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

#[track_caller]
fn assert_near(found: &Value, wanted: f64, share: f64) {
    let found = found.as_f64().unwrap();
    assert!(
        (found - wanted).abs() <= wanted * share,
        "{found} is not about {wanted}"
    );
}

#[test]
fn health_says_how_much_is_left() {
    run(async {
        let a = Upstream::named("a").await.unwrap();
        let b = Upstream::named("b").await.unwrap();
        let config = r#"{"endpoints": ["a", "b"], "load_balancer": {"panic_threshold": false},
            "health_check": {"interval": 0.2, "timeout": 0.15, "jitter": 0}}"#;
        let envoy = envoy_of(&[("a", a.addr()), ("b", b.addr())], config)
            .listener("admin", ADMIN)
            .start()
            .await
            .unwrap();
        let admin = envoy.addr_of("admin").unwrap();
        let is = |code: u16, name: &'static str, left: usize| {
            move |status: u16, document: &Value| {
                let [state, healthy] = ["status", "healthy_endpoints"].map(|it| &document[it]);
                status == code && *state == name && *healthy == left
            }
        };
        when(admin, "health", is(200, "healthy", 2)).await;
        a.set(|_, _| Reply::status(404));
        when(admin, "health", is(200, "degraded", 2)).await;
        a.set(|_, _| Reply::status(500));
        when(admin, "health", is(200, "degraded", 1)).await;
        b.set(|_, _| Reply::status(500));
        when(admin, "health", is(503, "unhealthy", 0)).await;
        b.set(|_, _| Reply::ok());
        a.set(|_, _| Reply::ok());
        when(admin, "health", is(200, "healthy", 2)).await;
        assert_unharmed(&envoy).await;
    });
}
