//! Endpoints that take so many requests at a time, over all workers.

use core::time::Duration;

use steerage_engine::action::Reason;
use steerage_policy::limit::Limit;
use steerage_policy::time::Instant;

use crate::log::{Log, count};
use crate::upstream::Upstream;
use crate::world::World;
use crate::{at, few_seeds, pool, span};

const ENDPOINTS: usize = 3;
const LIMIT: usize = 12;

/// Workers do not see at once what the others admit: they may exceed the limit by a little.
const BESIDES: f64 = 1.15;

fn world(workers: usize, rate: f64, upstreams: Vec<Upstream>, seed: u64) -> World {
    let mut pool = pool(upstreams.len());
    pool.limit = Limit::Fixed(u32::try_from(LIMIT).unwrap());
    World::new(pool, upstreams, workers, rate / count(workers), seed)
}

/// Most attempts at a time, each instant at which one begins.
fn most_under_way(log: &Log, endpoint: usize, from: Instant) -> usize {
    let mut ends: Vec<Instant> = Vec::new();
    let mut most = 0;
    for sent in log.sent.iter().filter(|sent| sent.endpoint == endpoint) {
        ends.retain(|end| *end > sent.at);
        ends.push(sent.ends);
        if sent.at >= from {
            most = most.max(ends.len());
        }
    }
    most
}

fn overloaded(log: &Log) -> impl Iterator<Item = Instant> {
    let of = log.answers.iter();
    let refused = of.filter(|answer| answer.reason.is_some());
    refused.map(|answer| {
        assert_eq!(answer.reason, Some(Reason::Overloaded));
        assert!(answer.took.is_zero(), "at once");
        answer.arrived
    })
}

#[test]
fn a_worker_alone_keeps_to_the_limit_and_refuses_only_when_all_are_full() {
    few_seeds(|seed| {
        let world = world(1, 600.0, vec![Upstream::sound(100); ENDPOINTS], seed);
        world.run_until(10.0);
        let log = world.log.borrow();
        for endpoint in 0..ENDPOINTS {
            assert_eq!(most_under_way(&log, endpoint, at(0.0)), LIMIT);
        }
        let refused: Vec<_> = overloaded(&log).collect();
        assert!(refused.len() > 1_000, "{}", refused.len());
        for now in refused.into_iter().step_by(20) {
            let full = (0..ENDPOINTS).all(|n| log.under_way(n, now) >= LIMIT);
            assert!(full, "{now:?}");
        }
    });
}

#[test]
fn all_workers_together_keep_to_the_limit() {
    few_seeds(|seed| {
        let world = world(4, 600.0, vec![Upstream::sound(100); ENDPOINTS], seed);
        world.run_until(10.0);
        let log = world.log.borrow();
        assert!(overloaded(&log).count() > 1_000);
        for endpoint in 0..ENDPOINTS {
            // Once each worker knows of the others: by what they admit within two rounds.
            let mean = log.mean_under_way(endpoint, at(1.0), at(10.0));
            assert!(mean <= BESIDES * count(LIMIT), "{mean} on average");
            assert!(mean > 0.85 * count(LIMIT), "{mean} on average");
            let most = most_under_way(&log, endpoint, at(1.0));
            assert!(most <= 5 * LIMIT / 2, "{most} at a time");
        }
    });
}

#[test]
fn a_full_endpoint_costs_clients_nothing_while_others_have_room() {
    few_seeds(|seed| {
        // In turn, 100 requests a second of 400 ms are far above the limit of the first.
        let upstreams = [400, 10, 10].map(Upstream::sound).to_vec();
        let world = world(4, 300.0, upstreams, seed);
        world.run_until(10.0);
        let log = world.log.borrow();
        let mean = log.mean_under_way(0, at(1.0), at(10.0));
        assert!(mean > 0.85 * count(LIMIT), "it is full: {mean}");
        assert!(mean <= BESIDES * count(LIMIT), "{mean}");
        assert_eq!((overloaded(&log).count(), log.failed), (0, 0));
    });
}

#[test]
fn a_dynamic_limit_keeps_the_queue_of_an_overloaded_pool_short() {
    few_seeds(|seed| {
        let queue = Duration::from_secs(2);
        let upstreams = [(); 2].map(|()| Upstream::sound(20).with_servers(4, queue));
        // 150 % of what they can do.
        let took = |limit| {
            let mut pool = pool(2);
            pool.limit = limit;
            pool.breaker.failure_threshold = 1_000_000;
            pool.breaker.minimum_requests = 1_000_000;
            let world = World::new(pool, upstreams.to_vec(), 4, 150.0, seed);
            world.run_until(20.0);
            let log = world.log.borrow();
            let good = log.answers.iter().filter(|answer| answer.good);
            let mut took: Vec<_> = good
                .filter(|answer| answer.arrived > at(10.0))
                .map(|answer| answer.took)
                .collect();
            took.sort_unstable();
            took[took.len() / 2]
        };
        let fixed = took(Limit::Fixed(1_000));
        let dynamic = took(Limit::Dynamic {
            start: 20,
            most: 1_000,
        });
        assert!(fixed > span(1.0), "{fixed:?}");
        assert!(dynamic < span(0.25), "{dynamic:?}");
    });
}
