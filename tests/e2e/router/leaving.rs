//! A client that leaves ends what is under way for it, at any moment, and nothing stays counted.

use std::time::Duration;

use steerage_harness::{Envoy, Reply, Upstream, eventually, get, run};

use super::stage::{Http1, Http2, envoy};
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
        // What the second attempt does when the client leaves, its delay, and whether it has begun.
        let seconds = [
            ("hangs", 0.001, true),
            ("streams", 0.001, true),
            ("waits", 5.0, false),
        ];
        let pools = seconds.map(|(name, delay, _)| {
            format!(
                r#"{{"name": "{name}", "match": {{"path": "/{name}"}},
                    "endpoints": ["sick", {{"cluster": "well", "priority": 1}}],
                    "retry_policy": {{"strategy": "fixed", "base_delay": {delay}, "jitter": false}}}}"#
            )
        });
        let config = format!(r#"{{"pools": [{}]}}"#, pools.join(","));
        for protocol in [Http1, Http2] {
            let sick = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
            let well = Upstream::start(|received, _| match &*received.path {
                "/hangs" => Reply::hang(),
                _ => Reply::ok().send("one").silence(),
            });
            let well = well.await.unwrap();
            let clusters = [("sick", sick.addr()), ("well", well.addr())];
            let envoy = envoy(protocol, &clusters, &config).await;
            let impatient = protocol.client().patience(Duration::from_millis(300));
            for (name, _, begins) in seconds {
                sick.clear();
                well.clear();
                for _ in 0..3 {
                    let request = request_of("GET", &format!("/{name}"), &[], "");
                    let answer = impatient.request(envoy.addr(), request).await;
                    assert!(answer.is_err(), "{name}: {answer:?}");
                }
                nothing_is_left(&envoy, &[&sick, &well]).await;
                let asked = (sick.count(), well.count());
                assert_eq!(asked, (3, if begins { 3 } else { 0 }), "{name}");
            }
            sick.set(|_, _| Reply::ok().body("better"));
            for (name, ..) in seconds {
                let answer = get(envoy.addr(), &format!("/{name}")).await.unwrap();
                assert_eq!(answer.text(), "better", "{name}");
            }
            assert_unharmed(&envoy).await;
        }
    });
}
