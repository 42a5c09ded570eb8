//! The requests of one client fail wherever they go, because of what they are, or are given up
//! before any endpoint could answer them.
//!
//! The other clients notice nothing of it, whether there are a few such requests or as many as of
//! all others together.

use core::time::Duration;

use steerage_policy::balance::Strategy;
use steerage_policy::pool::Pool;

use super::{UP_TO_EIGHT, in_one_proxy, pool, refused};
use crate::few_seeds;
use crate::minority::Minority;
use crate::upstream::Upstream;
use crate::view::View;
use crate::world::World;

/// Breakers that are tried soon and often, so that a trial may well be the client's.
fn soon_tried(upstreams: &[Upstream]) -> Pool {
    let mut pool = pool(Strategy::RoundRobin, upstreams);
    pool.breaker.timeout = Duration::from_secs(2);
    pool.breaker.max_timeout = Duration::from_secs(10);
    pool
}

/// The same without the last resort, which would hide it if they opened.
fn without_last_resort(upstreams: &[Upstream]) -> Pool {
    let mut pool = soon_tried(upstreams);
    pool.panic_threshold = None;
    pool
}

/// Plays a minute of it: the share of the others that were served.
fn others(world: &World) -> f64 {
    world.run_until(60.0);
    assert_eq!(refused(world), 0);
    View::of(world, 0.0, 55.0).success()
}

/// No endpoint is to blame.
fn assert_no_breaker_opened(world: &World) {
    let log = world.log.borrow();
    let openings = (0..3).map(|endpoint| log.openings(endpoint));
    let openings: Vec<_> = openings.collect();
    assert!(openings.iter().all(Vec::is_empty), "{openings:?}");
}

fn three() -> [Upstream; 3] {
    [(); 3].map(|()| Upstream::sound(5))
}

#[test]
fn a_few_requests_that_fail_everywhere_harm_nobody_else() {
    let upstreams = three();
    for workers in UP_TO_EIGHT {
        few_seeds(|seed| {
            let pool = without_last_resort(&upstreams);
            let world = in_one_proxy(pool, &upstreams, workers, 20.0, seed)
                .with_minority(Minority::answered(500, 1.0).within(2.0, 2.25));
            let served = others(&world);
            assert!(served > 0.999, "{workers} workers: {served}");
            assert_no_breaker_opened(&world);
        });
    }
}

#[test]
fn requests_that_go_on_failing_everywhere_harm_nobody_else() {
    let upstreams = three();
    for status in [500, 503] {
        for workers in UP_TO_EIGHT {
            few_seeds(|seed| {
                let pool = soon_tried(&upstreams);
                let world = in_one_proxy(pool, &upstreams, workers, 40.0, seed)
                    .with_minority(Minority::answered(status, 0.5).within(2.0, 50.0));
                let served = others(&world);
                assert!(served > 0.999, "{status}, {workers} workers: {served}");
            });
        }
    }
}

#[test]
fn requests_that_no_server_supports_are_no_endpoints_fault() {
    let upstreams = three();
    for status in [501, 505, 511, 404] {
        for workers in UP_TO_EIGHT {
            few_seeds(|seed| {
                let pool = without_last_resort(&upstreams);
                let world = in_one_proxy(pool, &upstreams, workers, 40.0, seed)
                    .with_minority(Minority::answered(status, 0.9).within(2.0, 50.0));
                let served = others(&world);
                assert!(served > 0.999, "{status}, {workers} workers: {served}");
                assert_no_breaker_opened(&world);
            });
        }
    }
}

#[test]
fn requests_in_a_great_hurry_harm_nobody_else() {
    let upstreams = three();
    let hurries: [&[(&str, &str)]; 2] = [
        &[("x-envoy-expected-rq-timeout-ms", "2")],
        &[("content-type", "application/grpc"), ("grpc-timeout", "2m")],
    ];
    for hurry in hurries {
        for workers in UP_TO_EIGHT {
            few_seeds(|seed| {
                let pool = without_last_resort(&upstreams);
                let world = in_one_proxy(pool, &upstreams, workers, 40.0, seed)
                    .with_minority(Minority::sending(hurry, 0.5).within(2.0, 50.0));
                let served = others(&world);
                assert!(served > 0.999, "{hurry:?}, {workers} workers: {served}");
                assert_no_breaker_opened(&world);
            });
        }
    }
}
