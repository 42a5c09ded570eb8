//! The resources in `envoy/istio` at work: what control planes make of them, on
//! a real Envoy with the real filter.
//!
//! In each file the pool is changed to take `/api` only, so that there are requests that no pool
//! takes.

use std::time::Duration;

use serde_json::{Value, json};
use steerage_harness::tokio;
use steerage_harness::{
    Answer, Bytes, Client, Envoy, HarnessError, Reply, Request, Upstream, eventually, run,
};

use crate::control_plane::{Discovery, OTHER, Proxy, Resources};

const EAST: &str = "api-east.default.svc.cluster.local";
const WEST: &str = "api-west.default.svc.cluster.local";
const SERVICE: &str = "api.default.svc.cluster.local";

/// GET with a routing header of the client, which must have no effect.
pub(crate) async fn ask(envoy: &Envoy, host: &str, path: &str) -> Result<Answer, HarnessError> {
    let request = Request::builder()
        .uri(path)
        .header("host", host)
        .header("x-steerage-cluster", format!("outbound|80||{WEST}"))
        .body(Bytes::new())
        .expect("a request");
    Client::one_shot().request(envoy.addr(), request).await
}

pub(crate) fn seen(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.text())
}

/// The file's pool, for `/api` only and with `response_headers`.
pub(crate) fn for_api_only(file: &str) -> Resources {
    let mut resources = Resources::read(file);
    let pool = &mut resources.policy()["pools"][0];
    pool["response_headers"] = json!(true);
    let matching = pool.as_object_mut().expect("a pool").entry("match");
    matching.or_insert(json!({}))["prefix"] = json!("/api");
    resources
}

/// East fails, west is well: the filter fails over, and Istio's own retries stay off.
async fn moves_on(file: &str) -> Result<(), HarnessError> {
    let proxy = match file.rsplit_once('/') {
        Some((_, "gateway.yaml")) => Proxy::Gateway,
        Some((_, "sidecar.yaml")) => Proxy::Sidecar,
        Some((_, "waypoint.yaml")) => Proxy::Waypoint,
        _ => panic!("{file}"),
    };
    let (cluster, host) = match proxy {
        Proxy::Gateway => ("outbound|80||", "api.example.com"),
        Proxy::Sidecar => ("outbound|80||", "api.default"),
        Proxy::Waypoint => ("inbound-vip|80|http|", "10.96.0.1"),
    };
    let east = Upstream::start(|_, _| Reply::status(503).body("east")).await?;
    let west = Upstream::named("west").await?;
    let service = Upstream::start(|_, _| Reply::status(503).body("service")).await?;
    let other = Upstream::start(|_, _| Reply::status(503).body("other")).await?;
    let discovery = Discovery::new(&file.replace('/', "-"));
    let envoy = discovery
        .proxy(proxy, &[&for_api_only(file)])
        .cluster(format!("{cluster}{EAST}"), east.addr())
        .cluster(format!("{cluster}{WEST}"), west.addr())
        .cluster(format!("{cluster}{SERVICE}"), service.addr())
        .cluster(format!("outbound|80||{OTHER}"), other.addr())
        .start()
        .await?;

    let mut moved = 0;
    for _ in 0..6 {
        let answer = ask(&envoy, host, "/api/x").await?;
        assert_eq!(
            seen(&answer),
            (200, "west".to_owned()),
            "{file}: {answer:?}"
        );
        moved += usize::from(answer.header("x-steerage-attempts").as_deref() == Some("2"));
    }
    assert!(moved > 0, "{file}");
    assert_eq!((east.count(), west.count()), (moved, 6), "{file}");
    let retries = envoy.stats(r"upstream_rq_retry$").await?;
    let by_router: u64 = retries.values().sum();
    let expected = if file.contains("router") { moved } else { 0 };
    assert_eq!(
        usize::try_from(by_router),
        Ok(expected),
        "{file}: {retries:?}"
    );

    // A request of no pool goes by the last route, once, and the client's header has no effect.
    let answer = ask(&envoy, host, "/other").await?;
    let (at, there) = match proxy {
        Proxy::Gateway => (&east, "east"),
        Proxy::Sidecar | Proxy::Waypoint => (&service, "service"),
    };
    assert_eq!(seen(&answer), (503, there.to_owned()), "{file}: {answer:?}");
    let received = at.received();
    let untaken = received.iter().filter(|request| request.path == "/other");
    let untaken: Vec<_> = untaken.collect();
    assert_eq!(untaken.len(), 1, "{file}");
    assert_eq!(untaken[0].header("x-steerage-cluster"), None, "{file}");

    if proxy == Proxy::Sidecar {
        let answer = ask(&envoy, OTHER, "/api/x").await?;
        assert_eq!(
            seen(&answer),
            (503, "other".to_owned()),
            "{file}: {answer:?}"
        );
        assert_eq!(other.count(), 1, "{file}");
    }
    Ok(())
}

#[test]
fn istio_follows_the_filter_by_a_route_for_each_cluster() {
    run(async {
        for kind in ["wasm-plugin", "traffic-extension"] {
            for proxy in ["gateway", "sidecar", "waypoint"] {
                moves_on(&format!("istio/{kind}/{proxy}.yaml")).await?;
            }
        }
        Ok::<_, HarnessError>(())
    })
    .expect("an Envoy");
}

#[test]
fn istio_follows_the_filter_by_an_envoy_filter() {
    run(async {
        moves_on("istio/cluster-header/gateway.yaml").await?;
        moves_on("istio/cluster-header/sidecar.yaml").await
    })
    .expect("an Envoy");
}

#[test]
fn istio_has_its_router_retry_by_an_envoy_filter() {
    run(async {
        moves_on("istio/router-retries/gateway.yaml").await?;
        moves_on("istio/router-retries/sidecar.yaml").await
    })
    .expect("an Envoy");
}

/// No route matches until the filter has written the header. It sees the request all the same.
#[test]
fn a_request_without_a_route_reaches_the_filter_and_is_steered() {
    run(async {
        let west = Upstream::named("west").await?;
        let resources = Resources::read("istio/wasm-plugin/gateway.yaml");
        let mut host = resources.virtual_host(Proxy::Gateway);
        let last = host["routes"]
            .as_array_mut()
            .and_then(Vec::pop)
            .expect("a route");
        assert!(last["match"].get("headers").is_none());
        let envoy = Discovery::new("without-a-route")
            .proxy(Proxy::Gateway, &[&resources])
            .merge_manager(json!({"route_config": {"virtual_hosts": [host]}}))
            .cluster(format!("outbound|80||{EAST}"), west.addr())
            .cluster(format!("outbound|80||{WEST}"), west.addr())
            .start()
            .await?;
        let answer = ask(&envoy, "api.example.com", "/").await?;
        assert_eq!(seen(&answer), (200, "west".to_owned()));
        Ok::<_, HarnessError>(())
    })
    .expect("an Envoy");
}

/// An operator's changes of a WasmPlugin: a good one and a bad one, with its metrics meanwhile.
#[test]
fn a_changed_plugin_is_taken_over_and_a_bad_one_refused() {
    run(async {
        let (east, west) = (
            Upstream::named("east").await?,
            Upstream::named("west").await?,
        );
        let discovery = Discovery::new("changes");
        let mut resources = Resources::read("istio/wasm-plugin/gateway.yaml");
        let only = |cluster: &str| json!([format!("outbound|80||{cluster}")]);
        resources.policy()["pools"][0]["endpoints"] = only(EAST);
        // Istio lets only some statistics be; this is what the README says to add.
        let kept =
            json!([{"prefix": "wasmcustom.steerage"}, {"prefix": "extension_config_discovery"}]);
        let envoy = discovery
            .proxy(Proxy::Gateway, &[&resources])
            .cluster(format!("outbound|80||{EAST}"), east.addr())
            .cluster(format!("outbound|80||{WEST}"), west.addr())
            .merge_bootstrap(json!({"stats_config": {
                "stats_tags": [],
                "stats_matcher": {"inclusion_list": {"patterns": kept}},
            }}))
            .start()
            .await?;
        let body =
            async || Ok::<_, HarnessError>(ask(&envoy, "api.example.com", "/").await?.text());
        assert_eq!(body().await?, "east");

        resources.policy()["pools"][0]["endpoints"] = only(WEST);
        discovery.deliver(&resources);
        eventually("the new endpoint", Duration::from_secs(10), async || {
            (body().await.ok()? == "west").then_some(())
        })
        .await?;

        resources.policy()["pools"][0]["endpoints"] = json!([]);
        discovery.deliver(&resources);
        let name = resources.filter_name();
        let refused = format!("extension_config_discovery.http_filter.{name}.update_rejected");
        envoy.wait_for_stat(&refused, |count| count == 1).await?;
        assert!(envoy.log().contains("endpoints"), "the log says why");
        for _ in 0..4 {
            assert_eq!(body().await?, "west");
        }

        let counted = |text: &str| text.contains("steerage_requests_total");
        eventually("metrics", Duration::from_secs(10), async || {
            counted(&envoy.admin_get("/stats/prometheus").await.ok()?).then_some(())
        })
        .await
    })
    .expect("an Envoy");
}

/// The module of this test traps on request.
#[test]
fn a_crashed_filter_is_replaced_as_the_plugin_says() {
    run(async {
        let west = Upstream::named("west").await?;
        let envoy = Discovery::new("crash")
            .of("steerage-sabotage.wasm")
            .proxy(
                Proxy::Gateway,
                &[&Resources::read("istio/wasm-plugin/gateway.yaml")],
            )
            .cluster(format!("outbound|80||{EAST}"), west.addr())
            .cluster(format!("outbound|80||{WEST}"), west.addr())
            .concurrency(1)
            .start()
            .await?;
        let trap = Request::builder()
            .uri("/")
            .header("host", "api.example.com")
            .header("x-sabotage", "trap")
            .body(Bytes::new())
            .expect("a request");
        let answer = Client::one_shot().request(envoy.addr(), trap).await?;
        assert_eq!(answer.status.as_u16(), 503);
        eventually("a fresh filter", Duration::from_secs(10), async || {
            let answer = ask(&envoy, "api.example.com", "/").await.ok()?;
            (seen(&answer) == (200, "west".to_owned())).then_some(())
        })
        .await
    })
    .expect("an Envoy");
}

/// Without a `vm_id`, as Istio has it, all filters of a proxy write into one store. Pools of
/// different names stay separate. Each plugin has its own header: it removes what others have
/// written into it.
#[test]
fn two_plugins_of_a_proxy_keep_their_pools_apart() {
    run(async {
        let east = Upstream::start(|request, _| match request.header("host").as_deref() {
            Some("b.example.com") => Reply::status(503),
            _ => Reply::ok().body("east"),
        })
        .await?;
        let west = Upstream::named("west").await?;
        let plugin = |name: &'static str| {
            let mut resources = Resources::read("istio/wasm-plugin/gateway.yaml").called(name);
            *resources.policy() = json!({
                "cluster_header": format!("x-to-{name}"),
                "pools": [{
                    "name": name,
                    "match": {"hosts": [format!("{name}.example.com")]},
                    "endpoints": [
                        format!("outbound|80||{EAST}"),
                        {"cluster": format!("outbound|80||{WEST}"), "priority": 1},
                    ],
                    "circuit_breaker": {"failure_threshold": 2, "timeout": 60},
                    "response_headers": true,
                }],
            });
            resources
        };
        let (a, b) = (plugin("a"), plugin("b"));
        let host = |resources: &Resources, name: &str| {
            let host = resources.virtual_host(Proxy::Gateway).to_string();
            let host = host.replace("x-steerage-cluster", &format!("x-to-{name}"));
            let host = host.replace("api.example.com", &format!("{name}.example.com"));
            serde_json::from_str::<Value>(&host).expect("JSON")
        };
        let hosts = [host(&a, "a"), host(&b, "b")];
        let envoy = Discovery::new("two-plugins")
            .proxy(Proxy::Gateway, &[&a, &b])
            .merge_manager(json!({"route_config": {"virtual_hosts": hosts}}))
            .cluster(format!("outbound|80||{EAST}"), east.addr())
            .cluster(format!("outbound|80||{WEST}"), west.addr())
            .start()
            .await?;
        // b's breaker opens for the endpoint that fails, in all workers.
        eventually("b's breaker", Duration::from_secs(10), async || {
            let mut first = 0;
            for _ in 0..6 {
                let answer = ask(&envoy, "b.example.com", "/").await.ok()?;
                let attempts = answer.header("x-steerage-attempts");
                first += usize::from(attempts.as_deref() == Some("1") && answer.text() == "west");
            }
            (first == 6).then_some(())
        })
        .await?;
        // a has the same endpoint, and uses it, even after the workers have published.
        tokio::time::sleep(Duration::from_millis(500)).await;
        for _ in 0..8 {
            let answer = ask(&envoy, "a.example.com", "/").await?;
            assert_eq!(seen(&answer), (200, "east".to_owned()), "{answer:?}");
            let endpoint = answer.header("x-steerage-endpoint").unwrap_or_default();
            assert!(endpoint.ends_with(EAST), "{answer:?}");
        }
        Ok::<_, HarnessError>(())
    })
    .expect("an Envoy");
}

/// What the tests above would not see if the value were never merged.
#[test]
fn the_patched_route_takes_its_cluster_from_the_header_and_no_other() {
    let resources = Resources::read("istio/cluster-header/sidecar.yaml");
    let host = resources.virtual_host(Proxy::Sidecar);
    let routes = host["routes"].as_array().expect("routes");
    let actions: Vec<&Value> = routes.iter().map(|route| &route["route"]).collect();
    assert_eq!(actions.len(), 2);
    assert_eq!(
        *actions[0],
        json!({"cluster_header": "x-steerage-cluster", "timeout": "0s"})
    );
    assert_eq!(actions[1]["cluster"], format!("outbound|80||{SERVICE}"));
}
