//! The same seed, events and times give the same actions.

use steerage_policy::balance::Strategy;
use steerage_policy::outcome::Outcome;
use steerage_policy::retry::jitter::Jitter;

use crate::driver::{Driver, hedged};

/// Every action of some exchanges in which endpoints and delays are drawn.
fn play(seed: u64) -> Vec<String> {
    let mut pool = hedged(1);
    pool.strategy = Strategy::Random;
    pool.retry.jitter = Jitter::Full;
    let mut driver = Driver::new(pool, seed);
    let mut lines = Vec::new();
    for stream in 0..50 {
        let from = 10 + 10_000 * stream;
        let (key, routed) = driver.get(from, stream);
        lines.extend(routed);
        let status = if stream % 3 == 0 { 200 } else { 503 };
        lines.extend(driver.response(from + 5, key, Outcome::Answered(status)).1);
        lines.extend(driver.tick(from + 200));
        if !driver.calls.is_empty() {
            lines.extend(driver.called(from + 210, Outcome::Answered(200)));
        }
        driver.close(key);
    }
    driver.assert_idle(600_000);
    lines
}

#[test]
fn the_same_seed_gives_the_same_actions() {
    for seed in 0..10 {
        assert_eq!(play(seed), play(seed), "seed {seed}");
    }
    assert_ne!(play(1), play(2));
}
