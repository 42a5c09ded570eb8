//! Endpoints ask to be left alone: all of them for a moment, or to one client only.
//!
//! What they ask for is no sickness, so no breaker opens. And it takes nobody else's pool away: one
//! request a second finds out whether an endpoint still means it, and with a scope the others are
//! not concerned at all.

use steerage_policy::balance::Strategy;

use super::{UP_TO_EIGHT, in_one_proxy, pool};
use crate::few_seeds;
use crate::minority::Minority;
use crate::upstream::Upstream;
use crate::view::View;
use crate::world::World;

fn assert_no_breaker_opened(world: &World) {
    let log = world.log.borrow();
    for endpoint in 0..3 {
        assert_eq!(log.openings(endpoint), [], "of {endpoint}");
    }
}

#[test]
fn a_burst_of_throttling_is_over_with_it() {
    for workers in UP_TO_EIGHT {
        few_seeds(|seed| {
            let throttling = Upstream::sound(5)
                .throttling(Some(1), 2.0)
                .throttling(None, 3.0);
            let upstreams = [(); 3].map(|()| throttling.clone());
            let pool = pool(Strategy::RoundRobin, &upstreams);
            let world = in_one_proxy(pool, &upstreams, workers, 40.0, seed);
            world.run_until(30.0);
            let served = View::of(&world, 5.0, 25.0).success();
            assert!(served > 0.999, "{workers} workers: {served}");
            assert_no_breaker_opened(&world);
        });
    }
}

#[test]
fn a_client_that_is_throttled_everywhere_takes_the_pool_from_nobody() {
    let upstreams = [(); 3].map(|()| Upstream::sound(5));
    for workers in UP_TO_EIGHT {
        few_seeds(|seed| {
            let pool = pool(Strategy::RoundRobin, &upstreams);
            let greedy = Minority::throttled(("x-api-key", "greedy"), 30, 1.0);
            let world = in_one_proxy(pool, &upstreams, workers, 40.0, seed)
                .with_minority(greedy.within(2.0, 2.1));
            world.run_until(40.0);
            let served = View::of(&world, 4.5, 35.0).success();
            assert!(served > 0.999, "{workers} workers: {served}");
            assert_no_breaker_opened(&world);
        });
    }
}

#[test]
fn with_a_scope_the_others_are_not_concerned() {
    let upstreams = [(); 2].map(|()| Upstream::sound(5));
    for workers in UP_TO_EIGHT {
        few_seeds(|seed| {
            let mut pool = pool(Strategy::RoundRobin, &upstreams);
            pool.retry.retry_after_scope = Some("x-api-key".into());
            let greedy = Minority::throttled(("x-api-key", "greedy"), 30, 0.3);
            let world = in_one_proxy(pool, &upstreams, workers, 40.0, seed)
                .with_minority(greedy.within(2.0, 50.0));
            world.run_until(60.0);
            let served = View::of(&world, 0.0, 55.0).success();
            assert!(served > 0.999, "{workers} workers: {served}");
        });
    }
}
