//! The gateway to language models that ships as `envoy/llm-gateway.yaml`, between clients and fake
//! providers: each provider gets its share under its own name, path and key; one that is rate
//! limited is left alone for as long as its `Retry-After` says; a streamed answer passes as it
//! comes, moves to another provider before its first event, and to none after it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use steerage_harness::tokio::io::{AsyncReadExt, AsyncWriteExt};
use steerage_harness::tokio::net::TcpStream;
use steerage_harness::tokio::time::{sleep, timeout};
use steerage_harness::{Answer, Client, Envoy, Received, Reply, Upstream, body_hash, run};

use crate::support::{assert_unharmed, request_of};

/// The filter as the file names it.
const WASM: &str = "target/steerage.wasm";

/// A client's request, and what it adds for a streamed answer.
const CHAT: &str = "/v1/chat/completions";
const PROMPT: &str = r#"{"model": "m", "messages": [], "stream": true}"#;

/// The providers of the file: name, port, authority, path prefix, weight.
const PROVIDERS: [(&str, u16, &str, &str, usize); 3] = [
    ("provider_a", 8081, "api.provider-a.example", "", 3),
    ("provider_b", 8082, "api.provider-b.example", "/openai", 2),
    ("provider_c", 8083, "llm.provider-c.example", "/api", 1),
];

#[test]
fn each_provider_gets_its_share_under_its_own_name_path_and_key() {
    run(async {
        let (envoy, providers) = gateway(|_, _| Reply::ok().body("{}")).await;
        // One connection is one worker, whose shares are exact.
        let client = Client::new();
        for _ in 0..60 {
            let answer = chat(&client, &envoy, PROMPT).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(
                answer.header("x-steerage-attempts").as_deref(),
                Some("1"),
                "{answer:?}"
            );
        }
        for (provider, (name, .., weight)) in providers.iter().zip(PROVIDERS) {
            assert_eq!(provider.count(), 10 * weight, "{name}");
            assert_at_home(provider);
        }
        let elsewhere = client.get(envoy.addr(), "/elsewhere").await.unwrap();
        assert_eq!(elsewhere.status, 503, "no pool, no cluster: {elsewhere:?}");
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn a_rate_limited_provider_is_left_alone_for_as_long_as_it_asks() {
    run(async {
        let (envoy, providers) = gateway(|_, _| Reply::ok().body("well")).await;
        let limited = &providers[0];
        let begun = Instant::now();
        let first = Arc::new(OnceLock::new());
        let at = Arc::clone(&first);
        limited.set(move |received, _| {
            if received.at - *at.get_or_init(|| received.at) < Duration::from_secs(1) {
                Reply::status(429).header("retry-after", "1")
            } else {
                Reply::ok().body("again")
            }
        });
        // A connection for each, so that both workers get some.
        let client = Client::one_shot();
        let mut again = 0;
        while again < 5 {
            let answer = chat(&client, &envoy, PROMPT).await;
            assert_eq!(answer.status, 200, "clients do not notice: {answer:?}");
            again += usize::from(answer.text() == "again");
            assert!(begun.elapsed() < Duration::from_secs(20), "it stayed away");
            sleep(Duration::from_millis(5)).await;
        }
        let first = *first.get().unwrap();
        let after: Vec<_> = limited
            .received()
            .iter()
            .map(|received| received.at - first)
            .collect();
        // The other worker merges it within 0.1 s; the rest is for a busy machine.
        let gap = Duration::from_millis(500)..Duration::from_secs(1);
        assert!(!after.iter().any(|at| gap.contains(at)), "{after:?}");
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn a_streamed_answer_passes_unchanged_and_event_by_event() {
    run(async {
        let (envoy, providers) = gateway(|_, _| events()).await;
        let mut stream = open(envoy.addr()).await;
        let mut seen = String::new();
        read_until(&mut stream, &mut seen, |seen| seen.contains(&event(0))).await;
        let first_seen = Instant::now();
        read_until(&mut stream, &mut seen, |seen| seen.ends_with("0\r\n\r\n")).await;
        assert!(seen.starts_with("HTTP/1.1 200"), "{seen}");
        assert!(seen.contains("content-type: text/event-stream\r\n"));
        assert_eq!(unchunked(&seen), all_events());
        let requests: Vec<_> = providers.iter().flat_map(Upstream::received).collect();
        assert_eq!(requests.len(), 1);
        // The pauses between them are never shorter, so the last one left no sooner than that.
        let last_sent = requests[0].at + PACE * (EVENTS - 1);
        assert!(first_seen < last_sent, "it came before the last was sent");
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn a_stream_moves_to_another_provider_before_its_first_byte() {
    run(async {
        let fails = Arc::new(AtomicBool::new(false));
        let failing = Arc::clone(&fails);
        // The first provider fails, in the way that the client names.
        let (envoy, providers) = gateway(move |received, _| {
            if !failing.swap(false, Ordering::Relaxed) {
                return events();
            }
            match received.header("x-failure").as_deref() {
                Some("reset") => Reply::reset(),
                Some("429") => Reply::status(429),
                Some("529") => Reply::status(529).body("overloaded"),
                _ => Reply::status(503).body("no"),
            }
        })
        .await;
        let client = Client::new();
        // Longer than any buffer of Envoy, and as long as a prompt may be.
        let long = "x".repeat(4 * 1024 * 1024);
        for (failure, prompt) in [
            ("503", PROMPT),
            ("529", PROMPT),
            ("429", PROMPT),
            ("reset", PROMPT),
            ("503", &*long),
        ] {
            fails.store(true, Ordering::Relaxed);
            let request = request_of("POST", CHAT, &[("x-failure", failure)], prompt.to_owned());
            let answer = client.request(envoy.addr(), request).await.unwrap();
            assert_eq!(answer.status, 200, "{failure}: {answer:?}");
            assert_eq!(
                answer.header("content-type").as_deref(),
                Some("text/event-stream")
            );
            assert_eq!(answer.text(), all_events(), "{failure}");
            assert_eq!(answer.header("x-steerage-attempts").as_deref(), Some("2"));
            // As the file says: it comes as the provider writes it.
            assert!(answer.begun < PACE * (EVENTS - 1), "{answer:?}");
            assert!(answer.elapsed >= PACE * (EVENTS - 1), "{answer:?}");

            let mut requests = Vec::new();
            for (provider, (name, ..)) in providers.iter().zip(PROVIDERS) {
                assert_at_home(provider);
                requests.extend(provider.received().into_iter().map(|one| (one, name)));
                provider.clear();
            }
            requests.sort_by_key(|(received, _)| received.at);
            let [(_, failed), (_, answered)] = &requests[..] else {
                panic!("{failure}: {} requests", requests.len());
            };
            assert_ne!(failed, answered, "{failure}");
            assert_eq!(
                answer.header("x-steerage-endpoint").as_deref(),
                Some(*answered)
            );
            for (received, _) in &requests {
                assert_eq!(received.body_hash, body_hash(prompt.as_bytes()));
            }
        }
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn a_stream_that_begins_with_an_error_moves_to_another_provider() {
    run(async {
        let fails = Arc::new(AtomicBool::new(false));
        let failing = Arc::clone(&fails);
        // The first provider says 200, and what is wrong in its first event, in one of two ways.
        let (envoy, providers) = gateway(move |received, _| {
            if !failing.swap(false, Ordering::Relaxed) {
                return events();
            }
            let error = match received.header("x-failure").as_deref() {
                Some("event") => "event: error\ndata: {}\n\n",
                _ => "data: {\"error\": {\"type\": \"overloaded_error\"}}\n\n",
            };
            Reply::ok()
                .header("content-type", "text/event-stream")
                .stream([": wait\n\n", error].map(str::to_owned), PACE / 3)
        })
        .await;
        let client = Client::new();
        for failure in ["event", "data"] {
            fails.store(true, Ordering::Relaxed);
            let headers = [("x-failure", failure)];
            let request = request_of("POST", CHAT, &headers, PROMPT.to_owned());
            let answer = client.request(envoy.addr(), request).await.unwrap();
            assert_eq!(answer.status, 200, "{failure}: {answer:?}");
            assert_eq!(answer.text(), all_events(), "{failure}");
            assert_eq!(answer.header("x-steerage-attempts").as_deref(), Some("2"));
            let requests: usize = providers.iter().map(Upstream::count).sum();
            assert_eq!(requests, 2, "{failure}");
            providers.iter().for_each(Upstream::clear);
        }
        assert_unharmed(&envoy).await;
    });
}

#[test]
fn a_stream_that_breaks_off_after_its_first_byte_is_not_repeated() {
    run(async {
        let (envoy, providers) = gateway(|_, _| events()).await;
        let mut stream = open(envoy.addr()).await;
        let mut seen = String::new();
        read_until(&mut stream, &mut seen, |seen| seen.contains(&event(0))).await;
        for provider in &providers {
            if provider.count() > 0 {
                provider.stop().await.unwrap();
            }
        }
        // How Envoy ends the connection does not matter, only that it does, and what came before.
        let mut rest = Vec::new();
        let _cut_short = timeout(PATIENCE, stream.read_to_end(&mut rest))
            .await
            .expect("the client sees the stream end");
        seen += &String::from_utf8_lossy(&rest);
        assert!(!seen.contains("\r\n0\r\n"), "it looks complete: {seen}");
        assert!(!seen.contains(&event(EVENTS - 1)), "{seen}");
        assert_eq!(seen.matches("HTTP/1.1").count(), 1, "{seen}");
        // A retry would come within 0.1 s, the longest first delay.
        sleep(Duration::from_millis(400)).await;
        let requests: usize = providers.iter().map(Upstream::count).sum();
        assert_eq!(requests, 1, "no other provider was asked");
        assert_unharmed(&envoy).await;
    });
}

/// The shipped gateway, in front of providers that all behave like this.
async fn gateway(
    behaviour: impl Fn(&Received, usize) -> Reply + Clone + Send + Sync + 'static,
) -> (Envoy, Vec<Upstream>) {
    let port = |number: u16| format!("port_value: {number}");
    let wasm = std::env::var("STEERAGE_WASM").unwrap_or_else(|_| WASM.to_owned());
    let mut replaced = vec![
        (port(9901), port(0)),
        (port(10000), port(0)),
        (WASM.to_owned(), wasm),
    ];
    let mut providers = Vec::new();
    for (name, number, ..) in PROVIDERS {
        let provider = Upstream::start(behaviour.clone()).await.unwrap();
        replaced.push((port(number), port(provider.addr().port())));
        replaced.push((format!("%ENVIRONMENT({})%", variable(name)), key(name)));
        providers.push(provider);
    }
    let replaced: Vec<_> = replaced.iter().map(|(a, b)| (&**a, &**b)).collect();
    let envoy = Envoy::from_yaml_file("envoy/llm-gateway.yaml", &replaced)
        .await
        .unwrap();
    (envoy, providers)
}

/// The environment variable with a provider's key.
fn variable(provider: &str) -> String {
    format!("{}_KEY", provider.to_uppercase())
}

/// The key that a provider wants to see.
fn key(provider: &str) -> String {
    format!("key-of-{provider}")
}

/// Asserts that all requests that this provider of [`PROVIDERS`] got were meant for it.
fn assert_at_home(provider: &Upstream) {
    for received in provider.received() {
        let authority = received.header("host").unwrap_or_default();
        let found = PROVIDERS.iter().find(|one| one.2 == authority);
        let (name, _, _, prefix, _) = found.unwrap_or_else(|| panic!("{received:?}"));
        assert_eq!(received.path, format!("{prefix}{CHAT}"), "{name}");
        assert_eq!(
            received.header("authorization"),
            Some(format!("Bearer {}", key(name))),
            "{name}"
        );
    }
}

async fn chat(client: &Client, envoy: &Envoy, prompt: &str) -> Answer {
    let headers = [
        ("content-type", "application/json"),
        ("authorization", "Bearer key-of-a-client"),
    ];
    let request = request_of("POST", CHAT, &headers, prompt.to_owned());
    client.request(envoy.addr(), request).await.unwrap()
}

/// How many events a streamed answer has, and how long a provider takes to the next.
const EVENTS: u32 = 5;
const PACE: Duration = Duration::from_millis(150);

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(10);

fn event(number: u32) -> String {
    format!("data: {{\"choices\": [{{\"delta\": {{\"content\": \"tök{number}\"}}}}]}}\n\n")
}

fn all_events() -> String {
    (0..EVENTS).map(event).collect()
}

/// A streamed answer, as providers give it.
fn events() -> Reply {
    Reply::ok()
        .header("content-type", "text/event-stream")
        .stream((0..EVENTS).map(event), PACE)
}

/// Asks for a streamed answer over its own connection, which ends with it.
async fn open(addr: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let length = PROMPT.len();
    let request = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{PROMPT}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Reads on until the text so far is `enough`.
async fn read_until(stream: &mut TcpStream, seen: &mut String, enough: impl Fn(&str) -> bool) {
    let mut bytes = seen.clone().into_bytes();
    while !enough(seen) {
        let read = timeout(PATIENCE, stream.read_buf(&mut bytes)).await;
        assert!(read.unwrap().unwrap() > 0, "it ends too early: {seen}");
        *seen = String::from_utf8(bytes.clone()).unwrap();
    }
}

/// The body of a chunked answer.
fn unchunked(answer: &str) -> String {
    let (_, mut rest) = answer.split_once("\r\n\r\n").unwrap();
    let mut body = String::new();
    while let Some((size, data)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        body += &data[..size];
        rest = &data[size + 2..];
    }
    body
}
