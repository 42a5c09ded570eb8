//! `commit_on: first_message`: whatever goes wrong behind a good head and before the first message is
//! retried, the client sees none of it, and a healthy stream flows as it comes.

use std::time::{Duration, Instant};

use steerage_harness::{Envoy, Received, Reply, Upstream, grpc, run};

use super::stage::{Http1, Http2, MakeReply, Protocol, assert_all_by_router, envoy};
use crate::support::{assert_unharmed, median, request_of};

/// An Envoy that tries `sick` and then `well`.
async fn in_order(protocol: Protocol, sick: &Upstream, well: &Upstream) -> Envoy {
    let config = r#"{"endpoints": ["sick", {"cluster": "well", "priority": 1}],
        "retry_policy": {"base_delay": 0.001, "retry_methods": ["GET", "POST"],
            "commit_on": "first_message", "commit_timeout": 0.3,
            "retry_on_first_event": [{"event": "error"}, {"data": "overloaded_error"}]},
        "timeout": {"connect": 0.2, "read": 1, "total": 5}}"#;
    let clusters = [("sick", sick.addr()), ("well", well.addr())];
    envoy(protocol, &clusters, config).await
}

/// An upstream that fails in the way that the path names.
async fn failing_as_asked(failures: &[(&'static str, MakeReply)]) -> Upstream {
    let failures = failures.to_vec();
    let reply = move |received: &Received, _| {
        let named = failures
            .iter()
            .find(|(name, _)| received.path[1..] == **name);
        named.map_or_else(|| panic!("{received:?}"), |(_, reply)| reply())
    };
    Upstream::start(reply).await.unwrap()
}

/// The beginning of a stream of events.
fn events() -> Reply {
    Reply::ok().header("content-type", "text/event-stream")
}

const GOOD: &str = "event: message\ndata: 1\n\n";
const PIECE: Duration = Duration::from_millis(5);

#[test]
fn a_stream_of_events_that_fails_at_its_first_is_retried_elsewhere() {
    let failures: [(&str, MakeReply); 9] = [
        ("event", || {
            events().send("event: error\ndata: {}\n\n").silence()
        }),
        ("data", || {
            events().send("data: {\"type\": \"overloaded_error\"}\n\n")
        }),
        ("line-ends", || {
            events().send("event: error\r\ndata: {}\r\n\r\n")
        }),
        ("pieces", || {
            events().stream(["eve", "nt: er", "ror\ndata: {", "}\n", "\n"], PIECE)
        }),
        ("comments", || {
            events().stream([": hello\n\n", "\n", "event: error\ndata:\n\n"], PIECE)
        }),
        ("break", || events().break_off()),
        ("break-in-an-event", || events().send("data: 1").break_off()),
        ("silence", || events().silence()),
        ("keep-alives", || events().send(": hello\n\n").silence()),
    ];
    run(async move {
        for protocol in [Http1, Http2] {
            let sick = failing_as_asked(&failures).await;
            let well = Upstream::start(|_, _| events().send(GOOD)).await.unwrap();
            let envoy = in_order(protocol, &sick, &well).await;
            for (name, _) in failures {
                sick.clear();
                well.clear();
                let request = request_of("GET", &format!("/{name}"), &[], "");
                let answer = protocol.client().request(envoy.addr(), request).await;
                let answer = answer.unwrap_or_else(|failed| panic!("{name}: {failed}"));
                assert_eq!(answer.text(), GOOD, "{protocol:?}, {name}");
                assert_eq!((sick.count(), well.count()), (1, 1), "{name}");
            }
            assert_all_by_router(&envoy).await;
        }
    });
}

#[test]
fn a_call_of_grpc_that_fails_after_its_head_is_retried_elsewhere() {
    let failures: [(&str, MakeReply); 3] = [
        ("trailers", || grpc::end(grpc::stream().pause(PIECE), 14)),
        ("break", || grpc::stream().break_off()),
        ("break-in-a-message", || {
            grpc::stream().send(&b"\0\0"[..]).break_off()
        }),
    ];
    run(async move {
        let sick = failing_as_asked(&failures).await;
        let well = Upstream::start(|_, _| grpc::reply("one")).await.unwrap();
        let envoy = in_order(Http2, &sick, &well).await;
        for (name, _) in failures {
            let call = grpc::call(&format!("/{name}"), "hello");
            let answer = Http2.client().request(envoy.addr(), call).await;
            let answer = answer.unwrap_or_else(|failed| panic!("{name}: {failed}"));
            assert_eq!(grpc::status(&answer), Some(0), "{name}: {answer:?}");
            assert_eq!(grpc::messages(&answer.body), ["one"], "{name}");
        }
        assert_all_by_router(&envoy).await;
    });
}

#[test]
fn what_follows_a_good_first_message_passes_as_it_comes() {
    run(async {
        for protocol in [Http1, Http2] {
            let pause = Duration::from_millis(80);
            let stream = move |_: &_, _| {
                let late = events().pause(Duration::from_millis(20)).send(GOOD);
                late.pause(pause).send("event: error\n\n")
            };
            let sick = Upstream::start(stream).await.unwrap();
            let well = Upstream::named("well").await.unwrap();
            let envoy = in_order(protocol, &sick, &well).await;
            let client = protocol.client();
            let mut late = Vec::new();
            for number in 0..5 {
                let request = request_of("GET", "/", &[], "");
                let mut opened = client.open(envoy.addr(), request).await.unwrap();
                assert_eq!(opened.chunk().await.unwrap().unwrap(), GOOD);
                let sent = sick.received()[number].at + Duration::from_millis(20);
                late.push(Instant::now().saturating_duration_since(sent));
                assert_eq!(opened.rest().await.unwrap().text(), "event: error\n\n");
            }
            assert!(
                median(late.clone()) <= Duration::from_millis(20),
                "{late:?}"
            );
            assert_eq!((sick.count(), well.count()), (5, 0));
            assert_unharmed(&envoy).await;
        }
    });
}
