//! An operator's override over real HTTP, from a separate listener:
//! - all workers apply it within two rounds, under load, until it is lifted or its time is over;
//! - it outlives a change of the configuration, and the metrics show it;
//! - its body is read completely in any pieces, and an upstream sees only that there was a request.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use steerage_harness::serde_json::{self, Value, json};
use steerage_harness::tokio;
use steerage_harness::tokio::io::AsyncWriteExt as _;
use steerage_harness::tokio::net::TcpStream;
use steerage_harness::tokio::time::sleep;
use steerage_harness::{
    Answer, Client, ConfigUpdate, Envoy, EnvoyBuilder, Load, Method, Received, Upstream,
    eventually, get, run,
};

use crate::support::{assert_unharmed, envoy_of, request_of, tally};

/// The configuration of a listener that only answers operators.
pub(crate) const ADMIN: &str = r#"{"admin": {"path": "/steerage", "token": "a-t0ken"}}"#;

/// The header with an operator's token.
pub(crate) const TOKEN: (&str, &str) = ("authorization", "Bearer a-t0ken");

/// A round of the default `sync_interval`.
const ROUND: Duration = Duration::from_millis(100);

/// Within which workers apply an override, with an allowance for a busy machine.
const APPLIED: Duration = Duration::from_millis(2 * 100 + 300);

/// Reads a document of the admin surface at this address.
pub(crate) async fn read(addr: SocketAddr, name: &str) -> (u16, Value) {
    let request = request_of("GET", &format!("/steerage/{name}"), &[TOKEN], "");
    let answer = Client::one_shot().request(addr, request).await.unwrap();
    (answer.status.as_u16(), document(&answer))
}

/// Posts an override of an endpoint: `post(addr, "b/circuit", json!({"state": "open"}))`.
pub(crate) async fn post(addr: SocketAddr, what: &str, body: Value) -> Answer {
    let path = format!("/steerage/endpoints/{what}");
    let request = request_of("POST", &path, &[TOKEN], body.to_string());
    Client::one_shot().request(addr, request).await.unwrap()
}

/// The same, and it must be accepted.
async fn change(addr: SocketAddr, what: &str, body: Value) -> Value {
    let answer = post(addr, what, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    document(&answer)
}

fn document(answer: &Answer) -> Value {
    let parsed = serde_json::from_slice(&answer.body);
    parsed.unwrap_or_else(|_| panic!("no JSON: {answer:?}"))
}

/// Upstreams `a`, `b` and `c`, and the builder of an Envoy with four workers that balances over
/// them and has a listener `admin` for operators.
async fn three() -> ([Upstream; 3], EnvoyBuilder) {
    let a = Upstream::named("a").await.unwrap();
    let b = Upstream::named("b").await.unwrap();
    let c = Upstream::named("c").await.unwrap();
    let clusters = [("a", a.addr()), ("b", b.addr()), ("c", c.addr())];
    let builder = envoy_of(&clusters, r#"{"endpoints": ["a", "b", "c"]}"#)
        .listener("admin", ADMIN)
        .concurrency(4);
    ([a, b, c], builder)
}

fn admin_of(envoy: &Envoy) -> SocketAddr {
    envoy.addr_of("admin").unwrap()
}

/// Waits until the workers have published their pools.
async fn pools_are_published(envoy: &Envoy) {
    let admin = admin_of(envoy);
    eventually("the pools are known", Duration::from_secs(10), async || {
        let (_, list) = read(admin, "endpoints").await;
        list.as_array()
            .is_some_and(|list| !list.is_empty())
            .then_some(())
    })
    .await
    .unwrap();
}

/// How often each endpoint has answered, of 32 requests on as many connections, and so over all
/// workers.
async fn spread(envoy: &Envoy) -> std::collections::BTreeMap<String, usize> {
    let mut bodies = Vec::new();
    for _ in 0..32 {
        let answer = get(envoy.addr(), "/").await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        bodies.push(answer.text());
    }
    tally(bodies)
}

/// When each of these requests came, without those for an override.
fn arrivals(received: &[Received]) -> Vec<Instant> {
    let plain = received
        .iter()
        .filter(|it| !it.path.starts_with("/steerage"));
    plain.map(|it| it.at).collect()
}

#[test]
fn four_workers_under_load_apply_and_lift_overrides_within_two_rounds() {
    run(async {
        for (what, excluding, releasing) in [
            (
                "b/circuit",
                json!({"state": "open"}),
                json!({"state": "auto"}),
            ),
            (
                "b/health",
                json!({"health": "unhealthy"}),
                json!({"health": "auto"}),
            ),
        ] {
            let ([_a, b, _c], builder) = three().await;
            let envoy = builder.start().await.unwrap();
            pools_are_published(&envoy).await;
            let admin = admin_of(&envoy);
            let load = Load::new(envoy.addr())
                .during(Duration::from_secs(4))
                .concurrency(16)
                .rate(400.0)
                .run();
            let changes = async {
                sleep(Duration::from_secs(1)).await;
                let list = change(admin, what, excluding).await;
                let changed_at = Instant::now();
                assert_eq!(list[0]["exclusion"], "operator", "{list}");
                sleep(Duration::from_millis(1_500)).await;
                let taken_back = Instant::now();
                change(admin, what, releasing).await;
                (changed_at, taken_back)
            };
            let (report, (changed_at, taken_back)) = tokio::join!(load, changes);
            assert_eq!(report.failed(), 0, "{report}");
            let arrivals = arrivals(&b.received());
            let of = |from: Instant, to: Instant| {
                let within = arrivals.iter().filter(|at| **at >= from && **at < to);
                within.count()
            };
            let second = Duration::from_secs(1);
            assert!(
                of(changed_at - second, changed_at) > 80,
                "a third of the load before"
            );
            assert_eq!(of(changed_at + APPLIED, taken_back), 0, "{what}");
            let back = taken_back + APPLIED;
            assert!(
                of(back, back + second / 2) > 40,
                "a third of the load afterwards"
            );
            assert_unharmed(&envoy).await;
        }
    });
}

#[test]
fn an_override_with_a_timeout_ends_with_it() {
    run(async {
        let ([_a, b, _c], builder) = three().await;
        let envoy = builder.start().await.unwrap();
        pools_are_published(&envoy).await;
        let body = json!({"state": "open", "timeout": 1.5});
        let list = change(admin_of(&envoy), "b/circuit", body).await;
        let changed_at = Instant::now();
        assert!(list[0]["circuit_breaker_open_until"].is_string(), "{list}");
        sleep(APPLIED).await;
        b.clear();
        let load = Load::new(envoy.addr())
            .during(Duration::from_secs(2))
            .concurrency(8)
            .rate(200.0);
        assert_eq!(load.run().await.failed(), 0);
        let first = arrivals(&b.received())[0] - changed_at;
        // The override was applied before its answer came.
        let wanted = Duration::from_millis(1_500);
        assert!(
            (wanted - 2 * ROUND..wanted + APPLIED).contains(&first),
            "{first:?}"
        );
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn an_override_outlives_a_change_of_the_configuration() {
    run(async {
        let ([_a, _b, _c], builder) = three().await;
        let envoy = builder.by_ecds().start().await.unwrap();
        pools_are_published(&envoy).await;
        let admin = admin_of(&envoy);
        change(admin, "b/circuit", json!({"state": "open"})).await;
        change(admin, "c/health", json!({"health": "unhealthy"})).await;
        sleep(APPLIED).await;
        assert_eq!(spread(&envoy).await.into_keys().collect::<Vec<_>>(), ["a"]);
        for weight in [2, 3] {
            let new =
                format!(r#"{{"endpoints": [{{"cluster": "a", "weight": {weight}}}, "b", "c"]}}"#);
            let verdict = envoy.update_filter_config(new).await.unwrap();
            assert_eq!(verdict, ConfigUpdate::Accepted);
            eventually("it is in force", Duration::from_secs(10), async || {
                let (_, list) = read(admin, "endpoints").await;
                (list[0]["weight"] == json!(f64::from(weight))).then_some(())
            })
            .await
            .unwrap();
            assert_eq!(spread(&envoy).await.into_keys().collect::<Vec<_>>(), ["a"]);
        }
        change(admin, "b/circuit", json!({"state": "auto"})).await;
        change(admin, "c/health", json!({"health": "auto"})).await;
        sleep(APPLIED).await;
        assert_eq!(spread(&envoy).await.len(), 3);
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn the_metrics_show_overrides() {
    run(async {
        let ([_a, _b, _c], builder) = three().await;
        let envoy = builder.start().await.unwrap();
        pools_are_published(&envoy).await;
        let admin = admin_of(&envoy);
        let level =
            |metric: &str| format!("wasmcustom.steerage_endpoint_{metric};pool=default;endpoint=b");
        let (breaker, health) = (level("breaker"), level("health"));
        for (what, body, gauge, value) in [
            ("b/circuit", json!({"state": "open"}), &breaker, 2),
            ("b/circuit", json!({"state": "closed"}), &breaker, 0),
            ("b/circuit", json!({"state": "open"}), &breaker, 2),
            ("b/circuit", json!({"state": "auto"}), &breaker, 0),
            ("b/health", json!({"health": "unhealthy"}), &health, 1),
            ("b/health", json!({"health": "degraded"}), &health, 2),
            ("b/health", json!({"health": "healthy"}), &health, 3),
            ("b/health", json!({"health": "auto"}), &health, 0),
        ] {
            change(admin, what, body).await;
            envoy
                .wait_for_stat(gauge, |found| found == value)
                .await
                .unwrap();
        }
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn a_body_is_read_completely_in_any_pieces() {
    run(async {
        let ([_a, _b, _c], builder) = three().await;
        let envoy = builder
            .merge_plugin_of("admin", json!({"allow_on_headers_stop_iteration": true}))
            .listener("held", ADMIN)
            .start()
            .await
            .unwrap();
        pools_are_published(&envoy).await;
        for listener in ["admin", "held"] {
            let addr = envoy.addr_of(listener).unwrap();
            let body = br#"{"state": "open", "timeout": 0.001}"#;
            for pieces in [1, 2, 5, body.len()] {
                let answer = in_pieces(addr, body, pieces).await;
                assert!(
                    answer.starts_with("HTTP/1.1 200 "),
                    "{listener}, {pieces}: {answer}"
                );
            }
            let longest = format!("{:4096}", json!({"state": "auto"}).to_string());
            let answer = in_pieces(addr, longest.as_bytes(), 3).await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{listener}: {answer}");
            let too_long = [longest.as_bytes(), b" "].concat();
            let answer = in_pieces(addr, &too_long, 1).await;
            assert!(answer.starts_with("HTTP/1.1 413 "), "{listener}: {answer}");
            let chunked = request_of("POST", "/steerage/endpoints/b/circuit", &[TOKEN], "");
            let (head, _) = chunked.into_parts();
            let head = steerage_harness::Request::from_parts(head, ());
            let chunks = ["{", "}"].map(|chunk| chunk.into());
            let client = Client::one_shot();
            let answer = client
                .request_streaming(addr, head, chunks, ROUND)
                .await
                .unwrap();
            assert_eq!(answer.status, 411, "{listener}");
            // The beginning of a body, and no more.
            let late = in_pieces(addr, b"", 0).await;
            assert!(late.starts_with("HTTP/1.1 408 "), "{listener}: {late}");
        }
        assert_unharmed(&envoy).await;
    });
}

/// Posts a body in so many pieces, 20 ms apart; with 0 pieces, only the request's head.
async fn in_pieces(addr: SocketAddr, body: &[u8], pieces: usize) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let length = if pieces == 0 { 9 } else { body.len() };
    let head = format!(
        "POST /steerage/endpoints/b/circuit HTTP/1.1\r\nhost: x\r\n{}: {}\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n",
        TOKEN.0, TOKEN.1
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    if pieces == 0 {
        stream.write_all(b"{\"st").await.unwrap();
    }
    for piece in body.chunks(body.len().div_ceil(pieces.max(1)).max(1)) {
        sleep(Duration::from_millis(20)).await;
        // It may have been answered and closed already.
        let _cut_short = stream.write_all(piece).await;
    }
    let mut answer = Vec::new();
    let to_the_end = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer);
    let _reset = tokio::time::timeout(Duration::from_secs(10), to_the_end)
        .await
        .unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn an_upstream_sees_of_an_override_at_most_its_existence() {
    run(async {
        let (upstreams, builder) = three().await;
        let envoy = builder
            .merge_plugin_of("admin", json!({"allow_on_headers_stop_iteration": true}))
            .listener("held", ADMIN)
            .start()
            .await
            .unwrap();
        pools_are_published(&envoy).await;
        let [by_itself, held] = ["admin", "held"].map(|name| envoy.addr_of(name).unwrap());
        let seen = || {
            let received = upstreams.iter().flat_map(Upstream::received);
            received
                .filter(|it| it.path.starts_with("/steerage"))
                .collect::<Vec<_>>()
        };
        for addr in [by_itself, held] {
            // Once without idle connections to upstreams, then with those that traffic has left.
            for _ in 0..2 {
                for _ in 0..10 {
                    change(addr, "c/health", json!({"health": "degraded"})).await;
                    let query = request_of(
                        "POST",
                        "/steerage/endpoints/c/health?health=auto",
                        &[TOKEN],
                        "",
                    );
                    let answer = Client::one_shot().request(addr, query).await.unwrap();
                    assert_eq!(answer.status, 200);
                    assert_eq!(
                        post(addr, "d/health", json!({"health": "auto"}))
                            .await
                            .status,
                        404
                    );
                    assert_eq!(post(addr, "c/health", json!({})).await.status, 400);
                }
                spread(&envoy).await;
            }
            sleep(ROUND).await;
            if addr == by_itself {
                assert!(seen().is_empty(), "{:#?}", seen());
            }
        }
        for request in seen() {
            assert_eq!(request.method, Method::OPTIONS, "{request:?}");
            assert_eq!(request.body_length, 0, "{request:?}");
            assert_eq!(request.header("authorization"), None, "{request:?}");
            assert_eq!(request.header("content-length"), None, "{request:?}");
        }
        assert_unharmed(&envoy).await;
    });
}
