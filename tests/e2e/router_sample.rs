//! `envoy/router-retries.yaml` as it ships: the router makes the retries, and no request fails for a
//! part that is taken out.

use steerage_harness::{Client, Envoy, Reply, Upstream, run};

use crate::support::assert_unharmed;

/// Of three requests one goes to the server that fails.
const REQUESTS: usize = 12;

/// The file with these texts replaced, between two servers of which the first one fails. The result:
/// retries, those that the router made, and whether a part was found missing.
async fn retries(replaced: &[(&str, &str)]) -> (usize, usize, bool) {
    let east = Upstream::start(|_, _| Reply::status(503)).await.unwrap();
    let west = Upstream::named("west").await.unwrap();
    let port = |number: u16| format!("port_value: {number}");
    let wasm = "target/steerage.wasm";
    let module = std::env::var("STEERAGE_WASM").unwrap_or_else(|_| wasm.to_owned());
    let adapted = [
        (port(9901), port(0)),
        (port(10000), port(0)),
        (port(8081), port(east.addr().port())),
        (port(8082), port(west.addr().port())),
        (wasm.to_owned(), module),
    ];
    let adapted = adapted.iter().map(|(from, to)| (&**from, &**to));
    let replaced: Vec<_> = adapted.chain(replaced.iter().copied()).collect();
    let envoy = Envoy::from_yaml_file("envoy/router-retries.yaml", &replaced)
        .await
        .unwrap();
    let client = Client::new();
    let mut retries = 0;
    for _ in 0..REQUESTS {
        let answer = client.get(envoy.addr(), "/").await.unwrap();
        assert_eq!((answer.status.as_u16(), &*answer.text()), (200, "west"));
        retries += usize::from(answer.header("x-steerage-attempts").as_deref() == Some("2"));
    }
    assert_eq!((east.count(), west.count()), (retries, REQUESTS));
    for request in west.received() {
        assert_eq!(request.header("x-steerage-cluster"), None);
    }
    let by_router = envoy
        .stats("cluster.west.upstream_rq_retry$")
        .await
        .unwrap();
    let by_router = usize::try_from(by_router.values().sum::<u64>()).unwrap();
    let missing = envoy
        .log()
        .contains("\"retries\": \"router\" is not possible");
    assert_unharmed(&envoy).await;
    (retries, by_router, missing)
}

#[test]
fn the_router_makes_the_retries() {
    run(async {
        let (retries, by_router, missing) = retries(&[]).await;
        assert!(retries > 1 && !missing, "{retries} {missing}");
        assert_eq!(retries, by_router);
    });
}

#[test]
fn calls_make_the_retries_where_a_part_is_missing() {
    run(async {
        let elsewhere = "vm_id: steerage\n                      ";
        for (part, without) in [
            (
                "refresh_cluster_on_retry: true",
                "refresh_cluster_on_retry: false",
            ),
            (elsewhere, "vm_id: elsewhere\n                      "),
        ] {
            let (retries, by_router, missing) = retries(&[(part, without)]).await;
            assert!(retries > 1, "{part}");
            assert_eq!((by_router, missing), (0, true), "{part}");
        }
    });
}
