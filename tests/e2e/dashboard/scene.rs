//! The scene of the dashboard's tests and of the documentation's picture: two pools and six
//! endpoints, of which one comes to an open circuit and one cools down.

use std::f64::consts::TAU;
use std::time::{Duration, Instant};

use steerage_harness::serde_json::{self, Value, json};
use steerage_harness::tokio;
use steerage_harness::{Browser, Client, Envoy, Load, Reply, Upstream};

use crate::support::{envoy_of, request_of};

const TOKEN: &str = "s3cret-t0ken";

/// An Envoy of four workers, and its upstreams.
pub(crate) struct Scene {
    pub(crate) envoy: Envoy,
    upstreams: Vec<(&'static str, Upstream)>,
}

impl Scene {
    /// Begins with traffic; two of the endpoints fall ill after that time.
    pub(crate) async fn begin(ill_after: Duration) -> Self {
        let failing = Reply::status(503).delay(Duration::from_millis(90));
        let throttling = Reply::status(429).header("retry-after", "300");
        let mut upstreams = Vec::new();
        for (name, millis, illness) in [
            ("api_east", 14.0, None),
            ("api_west", 32.0, None),
            ("api_north", 24.0, Some(failing)),
            ("search_east", 55.0, None),
            ("search_west", 70.0, None),
            ("search_north", 40.0, Some(throttling)),
        ] {
            let upstream = upstream(millis, illness, ill_after).await;
            upstreams.push((name, upstream));
        }
        let config = json!({"pools": [
            {
                "name": "api",
                "match": {"prefix": "/api"},
                "endpoints": [
                    {"cluster": "api_east", "weight": 3.0},
                    {"cluster": "api_west", "weight": 2.0},
                    "api_north",
                ],
                "load_balancer": {"strategy": "weighted_round_robin"},
                "health_check": {"interval": 2.0},
                "circuit_breaker": {"failure_threshold": 5, "timeout": 300.0},
                "retry_policy": {"base_delay": 0.01},
            },
            {
                "name": "search",
                "endpoints": ["search_east", "search_west", "search_north"],
                "load_balancer": {"strategy": "least_connections"},
                "health_check": {"interval": 5.0},
                "retry_policy": {"base_delay": 0.01},
            },
        ]});
        let admin = json!({"admin": {"path": "/steerage", "token": TOKEN}});
        let clusters: Vec<_> = upstreams
            .iter()
            .map(|(name, upstream)| (*name, upstream.addr()))
            .collect();
        let envoy = envoy_of(&clusters, &config.to_string())
            .admin_listener("admin", admin.to_string())
            .concurrency(4)
            .start()
            .await
            .unwrap();
        let addr = envoy.addr();
        // In waves, until the runtime of the test ends.
        tokio::spawn(async move {
            let rates = [
                80.0, 90.0, 105.0, 120.0, 130.0, 135.0, 130.0, 120.0, 105.0, 90.0,
            ];
            for rate in rates.into_iter().cycle() {
                let load = Load::new(addr).requests(|number| {
                    let path = if number % 3 == 0 { "/search" } else { "/api" };
                    request_of("GET", path, &[], "")
                });
                let load = load.during(Duration::from_secs(8)).concurrency(16);
                load.rate(rate).run().await;
            }
        });
        Self { envoy, upstreams }
    }

    /// The dashboard's address.
    fn url(&self) -> String {
        format!("http://{}/steerage/", self.envoy.addr_of("admin").unwrap())
    }

    /// How many attempts an endpoint was sent, its health checks not counted.
    pub(crate) fn attempts(&self, name: &str) -> usize {
        let (_, upstream) = self.upstreams.iter().find(|(it, _)| *it == name).unwrap();
        let received = upstream.received();
        received.iter().filter(|got| got.path != "/health").count()
    }

    /// One of the page's documents.
    pub(crate) async fn document(&self, name: &str) -> Value {
        let bearer = format!("Bearer {TOKEN}");
        let path = format!("/steerage/{name}");
        let request = request_of("GET", &path, &[("authorization", &bearer)], "");
        let admin = self.envoy.addr_of("admin").unwrap();
        let answer = Client::one_shot().request(admin, request).await.unwrap();
        serde_json::from_str(&answer.text()).unwrap()
    }
}

/// A server whose answers take about so long, in waves, and fail now and then, until it falls ill.
async fn upstream(millis: f64, illness: Option<Reply>, ill_after: Duration) -> Upstream {
    let begun = Instant::now();
    Upstream::start(move |request, number| {
        let elapsed = begun.elapsed();
        match &illness {
            Some(illness) if elapsed >= ill_after && request.path != "/health" => illness.clone(),
            _ => {
                let wave = (elapsed.as_secs_f64() / (30.0 + millis) * TAU + millis).sin();
                let seconds = millis / 1e3 * (1.0 + 0.25 * wave);
                let status = if number % 400 == 60 { 503 } else { 200 };
                Reply::status(status).delay(Duration::try_from_secs_f64(seconds).unwrap())
            }
        }
    })
    .await
    .unwrap()
}

/// A browser that shows the dashboard, the token entered.
pub(crate) async fn signed_in(scene: &Scene) -> Browser {
    let browser = Browser::start().await.unwrap();
    browser.open(&scene.url()).await.unwrap();
    let focused = "document.activeElement.id === 'token'";
    browser.wait_for(focused).await.unwrap();
    let rows = browser.evaluate("document.querySelectorAll('tr').length");
    assert_eq!(rows.await.unwrap(), 0, "nothing is shown without the token");
    let refused = "document.getElementById('sign-in-why').textContent.includes('not accepted')";
    let accepted = "document.querySelectorAll('tr[data-endpoint]').length === 6";
    for (token, consequence) in [("wrong", refused), (TOKEN, accepted)] {
        let keys = format!("{token}{}", Browser::ENTER);
        browser.type_keys(&keys).await.unwrap();
        browser.wait_for(consequence).await.unwrap();
    }
    browser
}
