//! All endpoints get 120 % of their capacity for 5 s, then 80 %: an overload that may sustain
//! itself.
//!
//! A client that has no answer within 400 ms has no use for it, but the upstream serves the queued
//! request all the same. Once queues are longer than that, every answer is useless and every
//! request is tried again. Three attempts for each of 80 % are more than the capacity: a user sees
//! an outage without end although there is capacity to spare. With the default budget there are at
//! most 1.2 attempts for each request, and 10 a second: 98 % of the capacity, and the queues drain.
//!
//! What the breakers do then depends on the pool's panic threshold. Timeouts open all of them.
//! Without a threshold that is another outage, of their open time of 60 s and more.
//! (`max_open_fraction` does not help: when one of three is open, the other two are above their
//! capacity.) With `panic_threshold` 0.5 the pool goes on, and the budget does the rest.

use core::time::Duration;

use steerage_policy::balance::Strategy;
use steerage_policy::pool::Timeouts;

use super::{WORKERS, of, pool};
use crate::few_seeds;
use crate::log::count;
use crate::upstream::Upstream;
use crate::view::View;

/// Requests a second that all endpoints together can serve.
const CAPACITY: f64 = 600.0;

/// Which breakers open.
#[derive(Clone, Copy, Debug)]
enum Breakers {
    NoneOpen,
    /// All, in a pool that panics then.
    AllOpen,
}

/// Share of the requests with a good answer, from 5 s after the overload on.
fn goodput_afterwards(strategy: Strategy, breakers: Breakers, is_naive: bool, seed: u64) -> f64 {
    // Queues are limited, a little too late.
    let queue = Duration::from_millis(500);
    let upstreams = [(); 3].map(|()| Upstream::sound(20).with_servers(4, queue));
    let mut pool = pool(strategy, &upstreams);
    let [connect, read, total] = [100, 400, 1_000].map(Duration::from_millis);
    pool.timeouts = Timeouts::new(connect, read, total, total).unwrap();
    match breakers {
        Breakers::NoneOpen => {
            pool.breaker.failure_threshold = 1_000_000;
            pool.breaker.minimum_requests = 1_000_000;
        }
        Breakers::AllOpen => pool.panic_threshold = Some(0.5),
    }
    if is_naive {
        pool.retry.budget = None;
    }
    let world = of(pool, &upstreams, 2, 0.8 * CAPACITY, seed);
    world.run_until(5.0);
    world.set_rate(1.2 * CAPACITY / count(WORKERS));
    world.run_until(10.0);
    world.set_rate(0.8 * CAPACITY / count(WORKERS));
    world.run_until(20.0);
    let before = View::of(&world, 1.0, 5.0).success();
    assert!(before > 0.999, "{before}");
    let worst = View::of(&world, 7.0, 9.0).success();
    assert!(worst < 0.5, "no overload: {worst}");
    View::of(&world, 15.0, 18.0).success()
}

const CASES: [(Strategy, Breakers); 3] = [
    (Strategy::LeastResponseTime, Breakers::NoneOpen),
    (Strategy::RoundRobin, Breakers::NoneOpen),
    (Strategy::RoundRobin, Breakers::AllOpen),
];

#[test]
fn with_the_default_budget_an_overload_ends() {
    for (strategy, breakers) in CASES {
        few_seeds(|seed| {
            let goodput = goodput_afterwards(strategy.clone(), breakers, false, seed);
            assert!(goodput > 0.98, "{strategy:?}, {breakers:?}: {goodput}");
        });
    }
}

#[test]
fn with_naive_retries_it_goes_on_for_ever() {
    for (strategy, breakers) in CASES {
        few_seeds(|seed| {
            let goodput = goodput_afterwards(strategy.clone(), breakers, true, seed);
            assert!(goodput < 0.1, "{strategy:?}, {breakers:?}: {goodput}");
        });
    }
}
