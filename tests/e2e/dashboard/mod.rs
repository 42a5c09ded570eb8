//! The dashboard in a real browser, beside a real Envoy under load:
//! - the page runs under its own policy, asks for the token, and shows the values of the documents;
//! - a click or a key moves the traffic, and gives it back;
//! - it fits a narrow window, and has a dark scheme.
//!
//! The [`scene`] is also that of the documentation's picture, which `make screenshot` renews.

mod scene;

use std::time::Duration;

use steerage_harness::serde_json::{self, Value};
use steerage_harness::tokio::time::sleep;
use steerage_harness::{Browser, run};

use scene::{Scene, signed_in};

use crate::support::assert_unharmed;

/// How often workers publish and merge their state, by default.
const SYNC: Duration = Duration::from_millis(100);

/// What a busy machine may add.
const NOISE: Duration = Duration::from_millis(300);

/// Columns whose values do not change with every attempt.
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

/// Columns whose values only grow.
const COUNTERS: [&str; 2] = ["total_requests", "failed_requests"];

/// Columns whose values an attempt may change to anything.
const MOVING: [&str; 5] = [
    "success_rate",
    "average_response_time",
    "last_response_time",
    "active_connections",
    "consecutive_failures",
];

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

/// The values of the rows, one object each.
const ROWS: &str = "[...document.querySelectorAll('tr[data-endpoint]')].map(row => ({
    pool: row.dataset.pool,
    url: row.dataset.endpoint,
    ...Object.fromEntries([...row.querySelectorAll('[data-field]')].map(node => [node.dataset.field, node.dataset.value])),
}))";

/// The values of the header and the totals.
const TOTALS: &str =
    "Object.fromEntries([...document.querySelectorAll('header [data-field], #totals [data-field]')]
    .map(node => [node.dataset.field, node.dataset.value]))";

/// The page's value of a field. Text is there unchanged, everything else as JSON.
fn value_of(values: &Value, field: &str) -> Value {
    let text = values[field].as_str().unwrap();
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

/// Whether two values are the same; a number is the same whether it is written as 1 or as 1.0.
fn same(one: &Value, other: &Value) -> bool {
    one == other
        || one
            .as_f64()
            .is_some_and(|number| Some(number) == other.as_f64())
}

/// Asserts that the page shows a field as in the document before or after, or a number between.
#[track_caller]
fn assert_shown(page: &Value, field: &str, before: &Value, after: &Value) {
    let (shown, before, after) = (value_of(page, field), &before[field], &after[field]);
    let is_between = || Some((before.as_u64()?..=after.as_u64()?).contains(&shown.as_u64()?));
    assert!(
        same(&shown, before) || same(&shown, after) || is_between() == Some(true),
        "{field} is {shown} and not from {before} to {after}: {page}"
    );
}

/// Asserts that the page shows the values of the documents.
async fn assert_faithful(scene: &Scene, browser: &Browser) {
    let [before, totals_before] = [
        scene.document("endpoints").await,
        scene.document("metrics").await,
    ];
    // The next poll begins after this one is shown, so all of its values are newer.
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

        let button = |value: &str| in_row("api_west", &format!("data-action=circuit-{value}"));
        browser.click(&button("open")).await.unwrap();
        let message = browser.wait_for("document.getElementById('said').textContent");
        let message = message.await.unwrap();
        assert_eq!(message, "api_west: circuit open, in pool api.");
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

        // With the keyboard alone, from the top of the page.
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

        // The browser's complaints: the token that was missing, then wrong.
        let mut complaints = browser.console().await.unwrap();
        complaints.retain(|complaint| {
            let message = complaint["message"].as_str().unwrap();
            complaint["source"] != "network" || !message.contains("status of 401")
        });
        assert!(complaints.is_empty(), "{complaints:#?}");
        assert_unharmed(&scene.envoy).await;
    });
}
