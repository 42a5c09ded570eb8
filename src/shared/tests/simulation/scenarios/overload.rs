//! All endpoints at 120 % of what they can do for 5 s, then at 80 %: the trap of an overload that feeds on itself.
//!
//! A client is given its answer within 400 ms or has no use for it; what waits in a queue is served all the
//! same. So once queues are longer than that, every answer is worthless, every request is tried again, and three
//! attempts for each of 80 % are more than there is room for: a user sees an outage without an end although
//! there is capacity to spare. With the default budget attempts are no more than 1.2 for each request and 10 a
//! second: 98 % of the capacity, and the queues drain.
//!
//! What breakers make of it depends on the pool's panic threshold. Timeouts open all of them; without a threshold
//! that is another outage, of their open time of 60 s and more. (`max_open_fraction` does not help: one of
//! three that is open is enough to keep the other two above their capacity.) With `panic_threshold` 0.5 the
//! pool goes on, and the budget does the rest.

use core::time::Duration;

use steerage_policy::balance::Strategy;
use steerage_policy::pool::Timeouts;

use super::{WORKERS, of, pool};
use crate::few_seeds;
use crate::log::count;
use crate::upstream::Upstream;
use crate::view::View;

/// What all endpoints together can do in a second.
const CAPACITY: f64 = 600.0;

/// Whose breakers open.
#[derive(Clone, Copy, Debug)]
enum Breakers {
    Nobodys,
    /// Those of all, in a pool that panics then.
    Everybodys,
}

/// Good answers for each request from 5 s after the overload on.
fn goodput_afterwards(strategy: Strategy, breakers: Breakers, is_naive: bool, seed: u64) -> f64 {
    // Queues are limited, a little too late.
    let queue = Duration::from_millis(500);
    let upstreams = [(); 3].map(|()| Upstream::sound(20).with_servers(4, queue));
    let mut pool = pool(strategy, &upstreams);
    let [connect, read, total] = [100, 400, 1_000].map(Duration::from_millis);
    pool.timeouts = Timeouts::new(connect, read, total, total).unwrap();
    match breakers {
        Breakers::Nobodys => {
            pool.breaker.failure_threshold = 1_000_000;
            pool.breaker.minimum_requests = 1_000_000;
        }
        Breakers::Everybodys => pool.panic_threshold = 0.5,
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
    (Strategy::LeastResponseTime, Breakers::Nobodys),
    (Strategy::RoundRobin, Breakers::Nobodys),
    (Strategy::RoundRobin, Breakers::Everybodys),
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
