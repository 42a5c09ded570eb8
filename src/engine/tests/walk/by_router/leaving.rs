//! The client leaves: in each phase nothing stays under way, and nothing stays due. And the same
//! seed gives the same actions.

use steerage_engine::{Destination, StreamKey};
use steerage_policy::balance::Strategy;
use steerage_policy::outcome::Outcome;
use steerage_policy::retry::jitter::Jitter;

use super::router::{EVENTS, OK, UNAVAILABLE, by_router, driver, opening, seeded};
use crate::driver::{Driver, NOTHING, get};

/// What happened before the client leaves.
type Before = fn(&mut Driver, StreamKey);

const PHASES: [(&str, Before); 9] = [
    ("under way", |_, _| {}),
    ("to be begun", |driver, key| {
        driver.answered(5, key, 1, UNAVAILABLE);
    }),
    ("held", |driver, key| {
        driver.answered(5, key, 1, UNAVAILABLE);
        driver.begins(6, key, 2);
    }),
    ("released", |driver, key| {
        driver.answered(5, key, 1, UNAVAILABLE);
        driver.begins(6, key, 2);
        driver.ticks(105);
    }),
    ("to become a call", |driver, key| {
        driver.answered(5, key, 1, UNAVAILABLE);
        driver.begins_at(6, key, 2, Destination::Elsewhere);
    }),
    ("not to be made", |driver, key| {
        for attempt in 1..=3 {
            driver.broke(5, key, attempt, false);
            driver.begins(5, key, attempt + 1);
        }
    }),
    ("answered", |driver, key| {
        driver.answered(5, key, 1, OK);
    }),
    ("held for its first message", |driver, key| {
        driver.opened(5, key, 1, OK, EVENTS);
    }),
    ("streaming", |driver, key| {
        driver.answered(5, key, 1, OK);
        driver.arrives(6, key);
    }),
];

#[test]
fn whatever_stands_between() {
    for (phase, before) in PHASES {
        for late in [110, 5_000] {
            let mut driver = driver(opening());
            let key = driver.begun(0, 7, get());
            before(&mut driver, key);
            assert_eq!(driver.leave(late, key), NOTHING, "{phase}");
            // As a shell may still report it.
            assert_eq!(driver.broke(late, key, 1, true), NOTHING, "{phase}");
            assert_eq!(driver.broke(late, key, 2, false), NOTHING, "{phase}");
            println!("{phase}");
            driver.assert_idle(late + 1);
        }
    }
}

/// Every action of some exchanges in which endpoints and delays are drawn.
fn play(seed: u64) -> Vec<String> {
    let mut pool = by_router();
    pool.strategy = Strategy::Random;
    pool.retry.jitter = Jitter::Full;
    let mut driver = seeded(pool, seed);
    let mut lines = Vec::new();
    for stream in 0..50 {
        let from = 10 + 10_000 * stream;
        let (key, routed) = driver.get(from, stream);
        lines.extend(routed);
        driver.begins(from, key, 1);
        let status = if stream % 3 == 0 { 200 } else { 503 };
        let outcome = Outcome::Answered(status);
        lines.extend(driver.answered(from + 5, key, 1, outcome).1);
        lines.extend(driver.begins(from + 6, key, 2).1);
        lines.extend(driver.tick(from + 200));
        driver.answered(from + 210, key, 2, OK);
        lines.extend(driver.arrives(from + 210, key).1);
        driver.close(key);
    }
    driver.assert_idle(600_000);
    lines
}

#[test]
fn the_same_seed_gives_the_same_retries() {
    for seed in 0..10 {
        assert_eq!(play(seed), play(seed), "seed {seed}");
    }
    assert_ne!(play(1), play(2));
}
