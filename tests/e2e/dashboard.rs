//! The dashboard in a real browser, beside a real Envoy under load:
//! - the page runs under its own policy, asks for the token, and shows what the documents say;
//! - a click or a key moves the traffic, and gives it back;
//! - it fits a narrow window, and a dark room.
//!
//! There are two pools and six endpoints, of which one comes to an open circuit and one asks for quiet. The
//! same scene is the picture in the documentation, which `make screenshot` renews.

use std::f64::consts::TAU;
use std::time::{Duration, Instant};

use steerage_harness::serde_json::{self, Value, json};
use steerage_harness::tokio::{self, time::sleep};
use steerage_harness::{Browser, Client, Envoy, Load, Reply, Upstream, repository, run};

use crate::support::{assert_unharmed, envoy_of, request_of};

const TOKEN: &str = "s3cret-t0ken";

/// How often workers tell each other what they know, by default.
const SYNC: Duration = Duration::from_millis(100);

/// What a busy machine may add.
const NOISE: Duration = Duration::from_millis(300);

/// Columns of what does not change with every attempt.
const STANDING: [&str; 8] = [
    "health",
    "available",
    "exclusion",
    "weight",
    "limit",
    "circuit_breaker_state",
    "circuit_breaker_open_until",
    "cooling_until",
];

/// Columns of what only grows.
const COUNTERS: [&str; 2] = ["total_requests", "failed_requests"];

/// Columns of what an attempt may change to anything.
const MOVING: [&str; 5] = [
    "success_rate",
    "average_response_time",
    "last_response_time",
    "active_connections",
    "consecutive_failures",
];

/// An Envoy of four workers, and what is behind it.
struct Scene {
    envoy: Envoy,
    upstreams: Vec<(&'static str, Upstream)>,
}

impl Scene {
    /// Begins with traffic; two of the endpoints fall ill after that time.
    async fn begin(ill_after: Duration) -> Self {
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
    fn attempts(&self, name: &str) -> usize {
        let (_, upstream) = self.upstreams.iter().find(|(it, _)| *it == name).unwrap();
        let received = upstream.received();
        received.iter().filter(|got| got.path != "/health").count()
    }

    /// One of the documents that the page is made from.
    async fn document(&self, name: &str) -> Value {
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
async fn signed_in(scene: &Scene) -> Browser {
    let browser = Browser::start().await.unwrap();
    browser.open(&scene.url()).await.unwrap();
    let asked = "document.activeElement.id === 'token'";
    browser.wait_for(asked).await.unwrap();
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

/// The selector of something in an endpoint's row.
fn in_row(endpoint: &str, what: &str) -> String {
    format!("tr[data-endpoint={endpoint}] [{what}]")
}

/// Waits until a column of an endpoint's row has this value.
async fn shown(browser: &Browser, endpoint: &str, field: &str, value: &str) {
    let cell = in_row(endpoint, &format!("data-field={field}"));
    let wanted = format!("document.querySelector('{cell}').dataset.value === '{value}'");
    browser.wait_for(&wanted).await.unwrap();
}

/// What the rows say, one object each.
const ROWS: &str = "[...document.querySelectorAll('tr[data-endpoint]')].map(row => ({
    pool: row.dataset.pool,
    url: row.dataset.endpoint,
    ...Object.fromEntries([...row.querySelectorAll('[data-field]')].map(node => [node.dataset.field, node.dataset.value])),
}))";

/// What the header and the totals say.
const TOTALS: &str =
    "Object.fromEntries([...document.querySelectorAll('header [data-field], #totals [data-field]')]
    .map(node => [node.dataset.field, node.dataset.value]))";

/// The value that the page has for a field. It has text as it is, and all else as JSON.
fn value_of(said: &Value, field: &str) -> Value {
    let text = said[field].as_str().unwrap();
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

/// Whether two values are the same; a number is the same whether it is written as 1 or as 1.0.
fn same(one: &Value, other: &Value) -> bool {
    one == other
        || one
            .as_f64()
            .is_some_and(|number| Some(number) == other.as_f64())
}

/// That the page shows a field as it was in the document before or after, or a number between.
#[track_caller]
fn assert_shown(page: &Value, field: &str, before: &Value, after: &Value) {
    let (shown, before, after) = (value_of(page, field), &before[field], &after[field]);
    let is_between = || Some((before.as_u64()?..=after.as_u64()?).contains(&shown.as_u64()?));
    assert!(
        same(&shown, before) || same(&shown, after) || is_between() == Some(true),
        "{field} is {shown} and not from {before} to {after}: {page}"
    );
}

/// That the page shows what the documents say.
async fn assert_faithful(scene: &Scene, browser: &Browser) {
    let [before, totals_before] = [
        scene.document("endpoints").await,
        scene.document("metrics").await,
    ];
    // All of a poll that begins when one has been shown was asked since then.
    let mut requests = totals_before["total_requests"].to_string();
    for _ in 0..2 {
        let shown = "document.querySelector('[data-field=total_requests]').dataset.value";
        let later = format!("{shown} > {requests} && {shown}");
        let later = browser.wait_for(&later).await.unwrap();
        requests = later.as_str().unwrap().to_owned();
    }
    let page = browser.evaluate(ROWS).await.unwrap();
    let totals = browser.evaluate(TOTALS).await.unwrap();
    let [after, totals_after] = [
        scene.document("endpoints").await,
        scene.document("metrics").await,
    ];
    let health = scene.document("health").await;

    let (page, before, after) = (page.as_array(), before.as_array(), after.as_array());
    let (page, before, after) = (page.unwrap(), before.unwrap(), after.unwrap());
    assert_eq!([page.len(), before.len(), after.len()], [6; 3]);
    for ((row, before), after) in page.iter().zip(before).zip(after) {
        assert_eq!(row["pool"], before["pool"]);
        assert_eq!(row["url"], before["url"]);
        for field in STANDING.into_iter().chain(COUNTERS) {
            assert_shown(row, field, before, after);
        }
        let is_idle = before["total_requests"] == after["total_requests"];
        for field in MOVING {
            if is_idle {
                assert_shown(row, field, before, after);
            }
            let number = value_of(row, field).as_f64();
            assert!(number.is_some_and(|number| number >= 0.0), "{field}: {row}");
        }
    }
    for field in [
        "total_requests",
        "retry_attempts",
        "circuit_breaker_activations",
    ] {
        assert_shown(&totals, field, &totals_before, &totals_after);
    }
    for field in [
        "status",
        "healthy_endpoints",
        "total_endpoints",
        "load_balancer_strategy",
    ] {
        assert_shown(&totals, field, &health, &health);
    }
    let statuses = value_of(&totals, "status_code_distribution");
    assert!(statuses["200"].as_u64().unwrap() > 0, "{totals}");
}

#[test]
fn an_operator_sees_and_moves_the_traffic_in_a_browser() {
    run(async {
        let scene = Scene::begin(Duration::ZERO).await;
        let browser = signed_in(&scene).await;
        shown(&browser, "api_north", "exclusion", "breaker_open").await;
        shown(&browser, "search_north", "exclusion", "cooling_down").await;
        assert_faithful(&scene, &browser).await;

        let button = |word: &str| in_row("api_west", &format!("data-action=circuit-{word}"));
        browser.click(&button("open")).await.unwrap();
        let said = browser.wait_for("document.getElementById('said').textContent");
        let said = said.await.unwrap();
        assert_eq!(said, "api_west: circuit open, in pool api.");
        sleep(2 * SYNC + NOISE).await;
        let [east, west] = ["api_east", "api_west"].map(|name| scene.attempts(name));
        sleep(Duration::from_secs(1)).await;
        assert_eq!(scene.attempts("api_west"), west, "its circuit is open");
        assert!(scene.attempts("api_east") > east + 20, "it has them all");
        shown(&browser, "api_west", "exclusion", "operator").await;
        let text = async |selector: &str| {
            let text = format!("document.querySelector('{selector}').textContent");
            browser.evaluate(&text).await.unwrap()
        };
        assert_eq!(
            text(&in_row("api_west", "data-field=exclusion")).await,
            "by an operator"
        );
        let header = text("header").await.to_string();
        assert!(header.contains("3 of 6 endpoints available"), "{header}");
        assert_faithful(&scene, &browser).await;

        // With nothing but keys, from the top of the page.
        browser.click("h1").await.unwrap();
        let reached = format!("document.activeElement.matches('{}')", button("auto"));
        let mut presses = 0;
        while browser.evaluate(&reached).await.unwrap() == false {
            presses += 1;
            assert!(presses < 60, "the button is not reached");
            browser.type_keys(&Browser::TAB.to_string()).await.unwrap();
        }
        let visible = browser.evaluate("document.activeElement.matches(':focus-visible')");
        assert_eq!(visible.await.unwrap(), true);
        browser
            .type_keys(&Browser::ENTER.to_string())
            .await
            .unwrap();
        shown(&browser, "api_west", "available", "true").await;
        sleep(2 * SYNC + NOISE).await;
        let west = scene.attempts("api_west");
        sleep(Duration::from_secs(1)).await;
        assert!(
            scene.attempts("api_west") > west + 10,
            "it has its share again"
        );

        let ground = "getComputedStyle(document.body).backgroundColor";
        let light = browser.evaluate(ground).await.unwrap();
        browser.set_dark(true).await.unwrap();
        assert_ne!(browser.evaluate(ground).await.unwrap(), light);
        for width in [1280, 400] {
            browser.resize(width, 800).await.unwrap();
            let needed = browser.evaluate("document.documentElement.scrollWidth");
            assert!(
                needed.await.unwrap().as_u64().unwrap() <= width.into(),
                "{width}"
            );
        }

        // What the browser had to complain of: the token that was missing, then wrong.
        let mut complaints = browser.console().await.unwrap();
        complaints.retain(|complaint| {
            let message = complaint["message"].as_str().unwrap();
            complaint["source"] != "network" || !message.contains("status of 401")
        });
        assert!(complaints.is_empty(), "{complaints:#?}");
        assert_unharmed(&scene.envoy).await;
    });
}

#[test]
#[ignore = "makes a picture for the documentation: make screenshot"]
fn the_picture_of_the_documentation_is_taken_from_a_real_envoy() {
    let path = std::env::var("STEERAGE_SCREENSHOT").unwrap();
    let begun = Instant::now();
    // As long as its charts reach back, which is longer than a test may take.
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let scene = Scene::begin(Duration::from_secs(200)).await;
        let browser = signed_in(&scene).await;
        sleep(Duration::from_secs(290).saturating_sub(begun.elapsed())).await;
        // All of it, without what is left free below for messages.
        let bare = "document.documentElement.style.scrollbarWidth = 'none'";
        browser.evaluate(bare).await.unwrap();
        let end = "Math.ceil(document.querySelector('main').getBoundingClientRect().bottom)";
        let end = browser.evaluate(end).await.unwrap().as_u64().unwrap();
        let height = u32::try_from(end).unwrap() + 16;
        browser.resize(1280, height).await.unwrap();
        sleep(Duration::from_secs(2)).await;
        let picture = browser.screenshot().await.unwrap();
        std::fs::write(repository().join(path), picture).unwrap();
    });
}
