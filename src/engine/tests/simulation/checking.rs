//! Health checks: made once for all workers, and soon known to all of them.

use core::time::Duration;

use steerage_policy::endpoint::EndpointIndex;
use steerage_policy::health::{CheckPolicy, Health};
use steerage_policy::time::Instant;

use crate::log::count;
use crate::upstream::Upstream;
use crate::world::{SYNC, World};
use crate::{at, each_seed, pool, span};

const INTERVAL: Duration = Duration::from_secs(1);

fn checks() -> CheckPolicy {
    CheckPolicy {
        interval: INTERVAL,
        unhealthy_interval: INTERVAL,
        ..CheckPolicy::default()
    }
}

fn world(workers: usize, checks: CheckPolicy, upstreams: Vec<Upstream>, seed: u64) -> World {
    let mut pool = pool(upstreams.len());
    pool.checks = Some(checks);
    World::new(pool, upstreams, workers, 5.0, seed)
}

/// The times between checks.
fn pauses(checks: &[Instant]) -> Vec<Duration> {
    let pairs = checks.iter().zip(checks.iter().skip(1));
    pairs.map(|(one, next)| next.since(*one)).collect()
}

fn health_is(world: &World, endpoint: usize, health: Health) -> bool {
    let index = EndpointIndex::new(endpoint).unwrap();
    let now = world.now();
    world.all_workers(|worker| worker.state().endpoint(index).unwrap().health(now) == health)
}

#[test]
fn there_is_one_check_an_interval_whatever_the_number_of_workers() {
    for workers in [1, 2, 9] {
        each_seed(|seed| {
            let upstreams = vec![Upstream::sound(5); 3];
            let world = world(workers, checks(), upstreams, seed);
            world.run_until(60.0);
            for endpoint in 0..3 {
                let checks = world.log.borrow().checks_of(endpoint);
                let expected = 60.0;
                let off = (count(checks.len()) - expected).abs();
                assert!(off <= 3.0, "{} checks by {workers} workers", checks.len());
                // A tenth early, or a tenth late and found only in the next round.
                for pause in pauses(&checks) {
                    let (least, most) = (span(0.9), span(1.1));
                    assert!(pause + SYNC >= least && pause <= most + SYNC, "{pause:?}");
                }
            }
            assert!(health_is(&world, 0, Health::Healthy));
        });
    }
}

#[test]
fn a_worker_that_dies_with_a_check_in_hand_costs_that_one_only() {
    each_seed(|seed| {
        let world = world(4, checks(), vec![Upstream::sound(50); 2], seed);
        // Just after a check was sent, the worker that sent it dies; three times.
        for round in 1..=3_u32 {
            world.run_until(f64::from(round) * 10.0);
            let before = world.log.borrow().checks.len();
            let sent = world.run_until_or(99.0, |world| world.log.borrow().checks.len() > before);
            let worker = world.log.borrow().checks[before].worker;
            assert!(sent < f64::from(round) * 10.0 + 1.3);
            world.kill(worker);
        }
        world.run_until(50.0);
        for endpoint in 0..2 {
            let checks = world.log.borrow().checks_of(endpoint);
            let longest = pauses(&checks).into_iter().max().unwrap();
            assert!(longest <= 2 * INTERVAL, "{longest:?} without a check");
        }
    });
}

#[test]
fn a_sick_endpoint_is_unhealthy_in_all_workers_after_two_checks() {
    each_seed(|seed| {
        let policy = CheckPolicy {
            jitter: 0.0,
            ..checks()
        };
        // From any time between two checks; by traffic alone the breaker would not open.
        let sick_from = 10.0 + count(usize::try_from(seed).unwrap()) / 8.0;
        let sick = Upstream::sound(5)
            .failing(1.0, sick_from)
            .failing(0.0, 30.0);
        let upstreams = [sick, Upstream::sound(5)].to_vec();
        let mut pool = pool(2);
        pool.checks = Some(policy);
        pool.breaker.failure_threshold = 1_000;
        pool.breaker.minimum_requests = 1_000_000;
        let world = World::new(pool, upstreams, 4, 5.0, seed);
        world.run_until(sick_from);
        assert!(health_is(&world, 0, Health::Healthy));
        let unhealthy = |world: &World| health_is(world, 0, Health::Unhealthy);
        let known = world.run_until_or(30.0, unhealthy) - sick_from;
        let most = (2 * INTERVAL + SYNC).as_secs_f64();
        assert!(known <= most, "took {known} s");
        world.run_until(sick_from + 5.0);
        let log = world.log.borrow();
        let from = at(sick_from + known) + span(0.001);
        assert_eq!(log.sent_to(0, from, at(30.0)), 0, "it is left alone");
        drop(log);
        // And back again by one good check.
        let healthy = |world: &World| health_is(world, 0, Health::Healthy);
        world.run_until(30.0);
        let known = world.run_until_or(40.0, healthy) - 30.0;
        assert!(
            known <= (INTERVAL + SYNC + SYNC).as_secs_f64(),
            "took {known} s"
        );
    });
}

#[test]
fn a_good_check_brings_back_an_endpoint_whose_breaker_is_open() {
    each_seed(|seed| {
        let mut pool = pool(2);
        pool.checks = Some(checks());
        pool.breaker.timeout = Duration::from_secs(3);
        let sick = Upstream::sound(5).failing(1.0, 5.0).failing(0.0, 8.0);
        let world = World::new(pool, [sick, Upstream::sound(5)].to_vec(), 4, 30.0, seed);
        world.run_until(8.0);
        assert!(!world.log.borrow().openings(0).is_empty());
        world.run_until(30.0);
        let log = world.log.borrow();
        let closed = log.closed(0).unwrap();
        // Open until second 8, perhaps open again from then for twice as long; never more.
        assert!(closed <= at(17.0), "{closed:?}");
        assert!(log.share(0, closed + span(2.0), at(30.0)) > 0.4);
        assert_eq!(log.failed, 0);
    });
}
