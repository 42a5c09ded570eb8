//! Takes the picture of the dashboard for the documentation, from a real Envoy in a real browser. It takes as
//! long as the charts reach back, so it runs when it is asked for: `make screenshot`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    dead_code,
    reason = "the tests' own means, of which a picture needs a few"
)]

#[path = "e2e/dashboard/scene.rs"]
mod scene;
#[path = "e2e/support.rs"]
mod support;

use std::time::{Duration, Instant};

use scene::{Scene, signed_in};
use steerage_harness::repository;
use steerage_harness::tokio::{self, time::sleep};

/// Where it goes.
const PICTURE: &str = "docs/dashboard.png";

#[test]
fn the_picture_of_the_documentation_is_taken_from_a_real_envoy() {
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
        std::fs::write(repository().join(PICTURE), picture).unwrap();
    });
}
