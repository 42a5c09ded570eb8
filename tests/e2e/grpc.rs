//! What a client that speaks gRPC is told by the filter and by the router: in its own time, and as
//! `grpc-status`.

use std::time::Duration;

use steerage_harness::{Answer, Reply, Upstream, request, run, tokio};

use crate::support::{assert_unharmed, median, pool, request_of};

/// The status of HTTP, which says that the rest is in gRPC, and that of gRPC.
fn statuses(answer: &Answer) -> (u16, String) {
    let of_grpc = answer.headers.get_all("grpc-status");
    let of_grpc: Vec<_> = of_grpc.iter().map(|it| it.to_str().unwrap()).collect();
    (answer.status.as_u16(), of_grpc.join(", "))
}

#[test]
fn what_is_late_is_no_unavailability() {
    run(async {
        let hanging = Upstream::start(|_, _| Reply::hang()).await.unwrap();
        let refusing = Upstream::refusing().unwrap();
        let timeouts = r#""timeout": {"connect": 0.2, "read": 0.5, "write": 1, "total": 0.9}"#;
        let config = format!(
            r#"{{"pools": [
                {{"name": "read", "match": {{"prefix": "/read"}}, "endpoints": ["hanging"], {timeouts}}},
                {{"name": "full", "match": {{"prefix": "/full"}}, "endpoints": ["hanging"],
                  "max_connections": 1}},
                {{"name": "down", "match": {{"prefix": "/down"}}, "endpoints": ["down"], {timeouts}}},
                {{"name": "total", "endpoints": ["hanging"],
                  "timeout": {{"connect": 0.1, "read": 0.8, "total": 0.9}}}}
            ]}}"#
        );
        let clusters = [("hanging", hanging.addr()), ("down", refusing.addr())];
        let envoy = pool(&clusters, &config).await;
        let call = |path, timeout: &'static str| {
            let mut headers = vec![("content-type", "application/grpc")];
            headers.extend(Some(("grpc-timeout", timeout)).filter(|_| !timeout.is_empty()));
            request(envoy.addr(), request_of("POST", path, &headers, "hello"))
        };
        // The client's own deadline, and ahead of it.
        for (timeout, millis) in [("700m", 700), ("300m", 300), ("400000u", 400)] {
            let deadline = Duration::from_millis(millis);
            let mut begun = Vec::new();
            for _ in 0..7 {
                let answer = call("/total/M", timeout).await.unwrap();
                assert_eq!(statuses(&answer), (200, "4".to_owned()), "{answer:?}");
                assert!(answer.begun > deadline * 8 / 10, "{timeout}: {answer:?}");
                begun.push(answer.begun);
            }
            // A busy machine may be late once.
            assert!(median(begun.clone()) < deadline, "{timeout}: {begun:?}");
        }
        // The pool's: for an attempt, which the router watches, and for all of them.
        for path in ["/read/M", "/total/M"] {
            let answer = call(path, "").await.unwrap();
            assert_eq!(
                statuses(&answer),
                (200, "4".to_owned()),
                "{path}: {answer:?}"
            );
        }
        // What is not there is unavailable, and so is what is full.
        let answer = call("/down/M", "").await.unwrap();
        assert_eq!(statuses(&answer), (200, "14".to_owned()), "{answer:?}");
        let (_late, full) = tokio::join!(call("/full/M", "1S"), async {
            tokio::time::sleep(Duration::from_millis(400)).await;
            call("/full/M", "1S").await
        });
        let full = full.unwrap();
        assert_eq!(statuses(&full), (200, "14".to_owned()), "{full:?}");
        let reason = full.header("x-steerage-reason");
        assert_eq!(reason.as_deref(), Some("overloaded"));
        let message = full.header("grpc-message");
        assert_eq!(message.as_deref(), Some("every endpoint is at its limit"));
        assert_unharmed(&envoy).await;
    });
}
