//! Nothing is known: of all endpoints, because the proxies have just started, or of one that joins
//! a busy pool and has to warm up.
//!
//! A user sees no failures, and slow answers only from the attempts that explore. An endpoint gets
//! no more than its share, even while all others are cold, and gets it soon.

use core::time::Duration;

use steerage_policy::balance::Strategy;
use steerage_policy::health::CheckPolicy;

use super::{PROXIES, WORKERS, of, pool, world};
use crate::upstream::Upstream;
use crate::view::{View, largest_share};
use crate::{at, few_seeds};

#[test]
fn when_all_are_cold_nobody_is_flooded() {
    // Their first answers take between 150 and 450 ms, and in which order they come is chance.
    let upstreams = [(); 3].map(|()| Upstream::sound(300).taking(10, 1.0));
    for proxies in PROXIES {
        few_seeds(|seed| {
            let world = world(&upstreams, proxies, 600.0, seed);
            world.run_until(6.0);
            let log = world.log.borrow();
            for endpoint in 0..3 {
                let largest = largest_share(&log, endpoint, 1.0, 6.0) * 3.0;
                assert!(largest < 1.5, "{endpoint}: {largest} times its share");
            }
            assert_eq!(log.failed, 0);
        });
    }
}

#[test]
fn one_that_comes_back_is_neither_flooded_nor_starved() {
    // Unhealthy until second 3, and cold until second 6.
    let back = Upstream::sound(500)
        .failing(1.0, 0.0)
        .failing(0.0, 3.0)
        .taking(10, 6.0);
    let upstreams = [back, Upstream::sound(10), Upstream::sound(10)];
    for proxies in PROXIES {
        few_seeds(|seed| {
            let mut pool = pool(Strategy::LeastResponseTime, &upstreams);
            pool.checks = Some(CheckPolicy {
                interval: Duration::from_secs(1),
                unhealthy_interval: Duration::from_secs(1),
                ..CheckPolicy::default()
            });
            // Its health alone keeps traffic away.
            pool.breaker.failure_threshold = 1_000_000;
            pool.breaker.minimum_requests = 1_000_000;
            let world = of(pool, &upstreams, proxies, 300.0, seed);
            world.run_until(30.0);
            let log = world.log.borrow();
            let most = (300..600).map(|n| log.under_way(0, at(f64::from(n) / 100.0)));
            let most = most.max().unwrap();
            assert!(most <= WORKERS, "{most} under way while it is cold");
            let slow = View::of(&world, 0.0, 30.0).percentile(99);
            assert!(slow < 20.0, "{slow}");
            assert!(log.share(0, at(26.0), at(30.0)) > 0.25);
        });
    }
}
