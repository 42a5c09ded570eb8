//! A client that leaves ends what is under way for it, at any moment, and nothing stays counted.

use std::time::Duration;

use steerage_harness::{Envoy, Reply, Upstream, eventually, get, run};

use super::stage::{Http1, Http2, MakeReply, envoy};
use crate::support::{assert_unharmed, request_of};

const LONG: Duration = Duration::from_secs(10);

/// Waits until nothing is under way, in Envoy's opinion, the upstream's and the filter's.
async fn nothing_is_left(envoy: &Envoy, upstreams: &[&Upstream]) {
    eventually("the end of all that is under way", LONG, async || {
        let active = "^cluster\\..*\\.upstream_rq_active$|steerage_endpoint_active";
        let active = envoy.stats(active).await.ok()?;
        let ended = upstreams.iter().all(|upstream| upstream.open() == 0);
        (ended && active.values().all(|&n| n == 0)).then_some(())
    })
    .await
    .unwrap();
}

#[test]
fn a_retry_whose_client_leaves_is_cancelled() {
    run(async {
        // The second attempt, when the client leaves: it hangs, streams, or waits to begin.
        let seconds: [(MakeReply, &str); 3] = [
            (Reply::hang, "0.001"),
            (|| Reply::ok().send("one").silence(), "0.001"),
            (Reply::ok, "5"),
        ];
        for protocol in [Http1, Http2] {
            for (second, delay) in seconds {
                let sick = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
                let well = Upstream::start(move |_, _| second()).await.unwrap();
                let config = format!(
                    r#"{{"endpoints": ["sick", {{"cluster": "well", "priority": 1}}],
                        "retry_policy": {{"strategy": "fixed", "base_delay": {delay}, "jitter": false}}}}"#
                );
                let clusters = [("sick", sick.addr()), ("well", well.addr())];
                let envoy = envoy(protocol, &clusters, &config).await;
                let impatient = protocol.client().patience(Duration::from_millis(300));
                let request = || request_of("GET", "/", &[], "");
                for _ in 0..3 {
                    let answer = impatient.request(envoy.addr(), request()).await;
                    assert!(answer.is_err(), "{answer:?}");
                }
                nothing_is_left(&envoy, &[&sick, &well]).await;
                assert_eq!(sick.count(), 3);
                assert_eq!(well.count(), if delay == "5" { 0 } else { 3 });
                sick.set(|_, _| Reply::ok().body("better"));
                assert_eq!(get(envoy.addr(), "/").await.unwrap().text(), "better");
                assert_unharmed(&envoy).await;
            }
        }
    });
}
