//! `Retry-After` is honoured by all workers, and clients do not notice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use steerage_harness::tokio::task::JoinSet;
use steerage_harness::tokio::time::sleep;
use steerage_harness::{Client, Envoy, Load, Received, Reply, Upstream, get, run};

use crate::support::{ask, assert_unharmed, envoy_of, pool, request_of};

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn an_endpoint_that_throttles_is_left_alone_by_all_workers_until_its_time() {
    run(async {
        // Requests come for a second before it throttles, so that all workers use it.
        let begun = Instant::now();
        let throttled = Arc::new(AtomicBool::new(false));
        let has_throttled = Arc::clone(&throttled);
        let busy = Upstream::start(move |_, _| {
            let now =
                begun.elapsed() > millis(1_500) && !has_throttled.swap(true, Ordering::SeqCst);
            if now {
                Reply::status(429).header("retry-after", "2")
            } else {
                Reply::ok()
            }
        })
        .await
        .unwrap();
        let well = Upstream::named("well").await.unwrap();
        let envoy = envoy_of(
            &[("busy", busy.addr()), ("well", well.addr())],
            r#"{"endpoints": ["busy", "well"]}"#,
        )
        .concurrency(4)
        .start()
        .await
        .unwrap();
        let report = Load::new(envoy.addr())
            .during(Duration::from_secs(6))
            .concurrency(32)
            .rate(300.0)
            .run()
            .await;
        assert_eq!(report.status(200), report.total(), "{report}");
        assert!(throttled.load(Ordering::SeqCst));

        let times: Vec<Instant> = busy.received().iter().map(|got| got.at).collect();
        let (last, next) = times
            .windows(2)
            .map(|pair| (pair[0], pair[1]))
            .max_by_key(|(before, after)| *after - *before)
            .unwrap();
        // From the last request that was under way when it throttled, or was sent before a worker
        // merged the cool-down, to its end.
        let pause = next - last;
        assert!(pause > millis(1_500), "left alone for {pause:?} only");
        assert!(pause < millis(3_000), "left alone for {pause:?}");
        let after = times.iter().filter(|at| **at >= next).count();
        assert!(after > 30, "traffic has not returned: {after}");
        assert_unharmed(&envoy).await;
    });
}

/// Two endpoints that each answer their first request with 429 and this `Retry-After`.
async fn both(retry_after: &str) -> (Upstream, Upstream) {
    let throttling = || {
        let retry_after = retry_after.to_owned();
        Upstream::start(move |_, number| {
            if number == 0 {
                Reply::status(429).header("retry-after", &retry_after)
            } else {
                Reply::ok().body("later")
            }
        })
    };
    (throttling().await.unwrap(), throttling().await.unwrap())
}

/// For how many seconds new requests are refused, by all workers, once all have merged the
/// cool-downs.
async fn refused_for(envoy: &Envoy) -> u64 {
    sleep(millis(500)).await;
    let refused = get(envoy.addr(), "/").await.unwrap();
    assert_eq!(refused.status.as_u16(), 503);
    let reason = refused.header("x-steerage-reason");
    assert_eq!(reason.as_deref(), Some("no_endpoint_available"));
    refused.header("retry-after").unwrap().parse().unwrap()
}

#[test]
fn if_all_are_cooling_down_the_retry_waits_for_the_first_or_the_client_gets_retry_after() {
    run(async {
        for workers in [1, 2, 4] {
            let (a, b) = both("1").await;
            let config = r#"{"endpoints": ["a", "b"]}"#;
            let envoy = envoy_of(&[("a", a.addr()), ("b", b.addr())], config)
                .concurrency(workers)
                .start()
                .await
                .unwrap();
            let answer = get(envoy.addr(), "/").await.unwrap();
            assert_eq!(answer.text(), "later");
            assert!(answer.begun >= millis(1_000), "{answer:?}");

            let (a, b) = both("100").await;
            let envoy = envoy_of(&[("a", a.addr()), ("b", b.addr())], config)
                .concurrency(workers)
                .start()
                .await
                .unwrap();
            let answer = get(envoy.addr(), "/").await.unwrap();
            assert_eq!(answer.status.as_u16(), 429);
            assert_eq!(answer.header("retry-after").as_deref(), Some("100"));
            assert!(answer.begun < Duration::from_secs(5), "at once: {answer:?}");

            let wait = refused_for(&envoy).await;
            assert!((90..=100).contains(&wait), "{wait}");
            assert_eq!(a.count() + b.count(), 2);
            assert_unharmed(&envoy).await;
        }
    });
}

#[test]
fn a_date_is_honoured_like_seconds() {
    run(async {
        let date = SystemTime::now() + Duration::from_secs(100);
        let (a, b) = both(&httpdate::fmt_http_date(date)).await;
        let clusters = [("a", a.addr()), ("b", b.addr())];
        let envoy = pool(&clusters, r#"{"endpoints": ["a", "b"]}"#).await;
        let answer = get(envoy.addr(), "/").await.unwrap();
        assert_eq!(answer.status.as_u16(), 429);
        let wait = refused_for(&envoy).await;
        assert!((80..=100).contains(&wait), "{wait}");
        assert_unharmed(&envoy).await;
    });
}

/// An endpoint that throttles some requests for 30 s, and serves all others.
async fn throttling(throttles: impl Fn(&Received) -> bool + Send + Sync + 'static) -> Upstream {
    let serve = move |received: &Received, _| {
        if throttles(received) {
            Reply::status(429).header("retry-after", "30")
        } else {
            Reply::ok()
        }
    };
    Upstream::start(serve).await.unwrap()
}

#[test]
fn one_throttled_request_takes_the_pool_from_nobody_for_long() {
    run(async {
        for workers in [1, 2, 4] {
            let limited = |received: &Received| received.path == "/limited";
            let (a, b, c) = (
                throttling(limited).await,
                throttling(limited).await,
                throttling(limited).await,
            );
            let clusters = [("a", a.addr()), ("b", b.addr()), ("c", c.addr())];
            let envoy = envoy_of(&clusters, r#"{"endpoints": ["a", "b", "c"]}"#)
                .concurrency(workers)
                .start()
                .await
                .unwrap();
            let answer = get(envoy.addr(), "/limited").await.unwrap();
            assert_eq!(answer.status.as_u16(), 429);
            let begun = Instant::now();
            let mut statuses = Vec::new();
            while begun.elapsed() < millis(6_000) {
                let answer = get(envoy.addr(), "/").await.unwrap();
                statuses.push((begun.elapsed(), answer.status.as_u16()));
                sleep(millis(20)).await;
            }
            let of = |from: u64, to: u64| {
                let span = millis(from)..millis(to);
                let all = statuses.iter().filter(move |(at, _)| span.contains(at));
                let good = all.clone().filter(|(_, status)| *status == 200);
                (good.count(), all.count())
            };
            // The wish is kept at first; after a second each endpoint is asked again.
            let (good, all) = of(300, 800);
            assert_eq!(good, 0, "{workers} workers: of {all}");
            let (good, all) = of(2_500, 6_000);
            assert!(
                all > 20 && good * 100 >= all * 98,
                "{workers}: {good} of {all}"
            );
            let back = statuses.iter().filter(|(_, status)| *status == 200).count();
            assert!(back * 2 > statuses.len(), "{workers}: {back}");
            assert_unharmed(&envoy).await;
        }
    });
}

#[test]
fn one_throttled_tenant_takes_nothing_from_others() {
    run(async {
        let scope = r#", "retry_after_scope": {"header": "x-api-key"}"#;
        for (workers, scope) in [(1, scope), (2, scope), (4, scope), (2, "")] {
            let greedy =
                |received: &Received| received.header("x-api-key").as_deref() == Some("greedy");
            let (a, b) = (throttling(greedy).await, throttling(greedy).await);
            let config = format!(
                r#"{{"endpoints": ["a", "b"], "retry_policy": {{"max_attempts": 2{scope}}}}}"#
            );
            let envoy = envoy_of(&[("a", a.addr()), ("b", b.addr())], &config)
                .concurrency(workers)
                .start()
                .await
                .unwrap();
            let of = async |key: &str| ask(&envoy, "GET", "/", &[("x-api-key", key)]).await.status;
            assert_eq!(of("greedy").await, 429);
            let mut good = 0;
            for n in 0..20 {
                good += usize::from(of(["honest", "fair"][n % 2]).await == 200);
            }
            // All workers know of the cool-downs by then.
            sleep(millis(400)).await;
            let mut late = 0;
            for _ in 0..5 {
                late += usize::from(of("honest").await == 200);
            }
            if scope.is_empty() {
                assert_eq!(late, 0, "it holds for all");
            } else {
                assert_eq!((good, late), (20, 5), "{workers} workers");
                let asked = a.count() + b.count();
                for _ in 0..5 {
                    let status = of("greedy").await.as_u16();
                    assert!(matches!(status, 429 | 503), "{status}");
                }
                let more = a.count() + b.count() - asked;
                assert!(more <= 2, "{workers} workers: {more} more of its requests");
            }
            assert_unharmed(&envoy).await;
        }
    });
}

#[test]
fn an_endpoint_that_goes_on_throttling_is_asked_once_a_second_by_all_workers_together() {
    run(async {
        for workers in [1, 2, 4] {
            let (a, b) = (throttling(|_| true).await, throttling(|_| true).await);
            let config = r#"{"endpoints": ["a", "b"], "retry_policy": {"max_attempts": 1}}"#;
            let envoy = envoy_of(&[("a", a.addr()), ("b", b.addr())], config)
                .concurrency(workers)
                .start()
                .await
                .unwrap();
            let report = Load::new(envoy.addr())
                .during(Duration::from_secs(5))
                .concurrency(16)
                .rate(200.0)
                .run()
                .await;
            assert_eq!(report.status(200), 0, "{report}");
            for upstream in [&a, &b] {
                let times: Vec<_> = upstream.received().iter().map(|got| got.at).collect();
                // What workers send before they have heard of the first wish comes at once.
                let first = times[0];
                let late = times.iter().filter(|at| **at - first > millis(700));
                let count = late.count();
                assert!((2..=6).contains(&count), "{workers}: {times:?}");
            }
            let refused = report.status(503) * 10;
            assert!(refused >= report.total() * 8, "{workers}: {report}");
            assert_unharmed(&envoy).await;
        }
    });
}

/// The policy of the shipped gateway to language models, as far as it matters here.
const GATEWAY: &str = r#"{
    "endpoints": ["a", "b", "c"],
    "load_balancer": {"strategy": "weighted_round_robin"},
    "retry_policy": {
        "max_attempts": 3, "base_delay": "100ms", "max_delay": "5s", "retry_methods": ["GET", "POST"],
        "retry_on_status_codes": [408, 429, "5xx"], "max_retry_after": "10m",
        "budget": {"ratio": 0.2, "min_per_second": 5, "ttl": "10s"}
    },
    "circuit_breaker": {"failure_threshold": 3, "timeout": "30s", "max_timeout": "5m"}
}"#;

/// An endpoint that allows five requests a second and answers others with this status and
/// `retry-after: 1`.
async fn five_a_second(status: u16) -> Upstream {
    let served = Arc::new(Mutex::new(Vec::<Instant>::new()));
    let serve = move |_: &Received, _| {
        let (mut served, now) = (served.lock().unwrap(), Instant::now());
        served.retain(|at| now - *at < millis(1_000));
        if served.len() < 5 {
            served.push(now);
            Reply::ok()
        } else {
            Reply::status(status).header("retry-after", "1")
        }
    };
    Upstream::start(serve).await.unwrap()
}

#[test]
fn a_burst_over_the_rate_limit_opens_no_breaker() {
    run(async {
        for (workers, status) in [(1, 429), (2, 503), (4, 429)] {
            let limited = [
                five_a_second(status).await,
                five_a_second(status).await,
                five_a_second(status).await,
            ];
            let [a, b, c] = limited.each_ref().map(Upstream::addr);
            let envoy = envoy_of(&[("a", a), ("b", b), ("c", c)], GATEWAY)
                .concurrency(workers)
                .start()
                .await
                .unwrap();
            let addr = envoy.addr();
            let post = move || async move {
                let request = request_of("POST", "/", &[], "{}");
                Client::one_shot().request(addr, request).await
            };
            let mut burst = JoinSet::new();
            for _ in 0..90 {
                burst.spawn(post());
            }
            // Those that wait for the end of a cool-down go on meanwhile.
            sleep(millis(500)).await;
            // The breakers would be open for 30 s.
            let mut statuses = Vec::new();
            for _ in 0..32 {
                statuses.push(post().await.unwrap().status.as_u16());
                sleep(millis(250)).await;
            }
            let late = &statuses[statuses.len() / 2..];
            let good = late.iter().filter(|status| **status == 200).count();
            assert!(good * 10 >= late.len() * 9, "{workers}: {statuses:?}");
            assert_unharmed(&envoy).await;
        }
    });
}
