//! All endpoints at 120 % of what they can do for 5 s, then at 80 %: the trap of an overload that feeds on itself.
//!
//! A client is given its answer within 400 ms or has no use for it; what waits in a queue is served all the
//! same. So once queues are longer than that, every answer is worthless, every request is tried again, and three
//! attempts for each of 80 % are more than there is room for: a user sees an outage without an end although
//! there is capacity to spare. With the default budget attempts are no more than 1.2 for each request and 10 a
//! second: 98 % of the capacity, and the queues drain.
//!
//! The breakers are kept out of it. They would open, all of them, which ends the overload as well and
//! is another outage.

use core::time::Duration;

use steerage_policy::balance::Strategy;
use steerage_policy::pool::Timeouts;

use super::{of, pool};
use crate::few_seeds;
use crate::upstream::Upstream;
use crate::view::View;
use crate::world::World;

/// What all endpoints together can do in a second.
const CAPACITY: f64 = 600.0;

/// Good answers for each request from 5 s after the overload on.
fn goodput_afterwards(strategy: Strategy, is_naive: bool, seed: u64) -> f64 {
    // Queues are limited, a little too late.
    let queue = Duration::from_millis(500);
    let upstreams = [(); 3].map(|()| Upstream::sound(20).with_servers(4, queue));
    let mut pool = pool(strategy, &upstreams);
    let [connect, read, total] = [100, 400, 1_000].map(Duration::from_millis);
    pool.timeouts = Timeouts::new(connect, read, total, total).unwrap();
    pool.breaker.failure_threshold = 1_000_000;
    pool.breaker.minimum_requests = 1_000_000;
    if is_naive {
        pool.retry.budget = None;
    }
    let world = of(pool, &upstreams, 2, 0.8 * CAPACITY, seed);
    let at_share = |world: &World, share: f64| world.set_rate(share * CAPACITY / 8.0);
    world.run_until(5.0);
    at_share(&world, 1.2);
    world.run_until(10.0);
    at_share(&world, 0.8);
    world.run_until(21.0);
    let before = View::of(&world, 1.0, 5.0);
    assert!(before.success() > 0.999, "{before:?}");
    let worst = View::of(&world, 8.0, 10.0);
    assert!(worst.success() < 0.5, "no overload");
    View::of(&world, 15.0, 20.0).success()
}

#[test]
fn with_the_default_budget_an_overload_ends() {
    for strategy in [Strategy::LeastResponseTime, Strategy::RoundRobin] {
        few_seeds(|seed| {
            let goodput = goodput_afterwards(strategy.clone(), false, seed);
            assert!(goodput > 0.98, "{strategy:?}: {goodput}");
        });
    }
}

#[test]
fn with_naive_retries_it_goes_on_for_ever() {
    for strategy in [Strategy::LeastResponseTime, Strategy::RoundRobin] {
        few_seeds(|seed| {
            let goodput = goodput_afterwards(strategy.clone(), true, seed);
            assert!(goodput < 0.1, "{strategy:?}: {goodput}");
        });
    }
}
