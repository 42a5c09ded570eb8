//! An endpoint that fails everything: it is left alone, tried with care, and used again.

use core::time::Duration;

use steerage_policy::balance::Strategy;
use steerage_policy::breaker::BreakerPolicy;

use crate::log::count;
use crate::upstream::Upstream;
use crate::world::World;
use crate::{at, each_seed, pool, span};

const WORKERS: usize = 4;
const THRESHOLD: usize = 5;

fn breaker() -> BreakerPolicy {
    BreakerPolicy {
        timeout: Duration::from_secs(2),
        max_timeout: Duration::from_secs(8),
        ..BreakerPolicy::default()
    }
}

/// Endpoint 0 of three fails everything from second 2 to second 40, at once.
fn world(strategy: Strategy, breaker: BreakerPolicy, seed: u64) -> World {
    let mut pool = pool(3);
    pool.strategy = strategy;
    pool.breaker = breaker;
    let sick = Upstream::sound(2).failing(1.0, 2.0).failing(0.0, 40.0);
    let upstreams = [sick, Upstream::sound(10), Upstream::sound(10)].to_vec();
    World::new(pool, upstreams, WORKERS, 40.0, seed)
}

#[test]
fn while_it_is_open_all_workers_together_leave_it_alone() {
    each_seed(|seed| {
        let world = world(Strategy::RoundRobin, breaker(), seed);
        world.run_until(40.0);
        let log = world.log.borrow();
        let openings = log.openings(0);
        assert!(openings.len() >= 4, "{openings:?}");
        let (opened, until) = openings[0];
        assert!(opened < at(3.0), "{opened:?}");
        // From the first failure on, those included that have opened it.
        let under_way = log.under_way(0, opened);
        let sent = log.sent_to(0, at(2.0), until);
        assert!(sent <= THRESHOLD + WORKERS + under_way, "{sent} attempts");
        // Later openings come from a failed trial: all workers know at once.
        for (opened, until) in &openings[1..] {
            let sent = log.sent_to(0, *opened + span(0.001), *until);
            assert!(sent <= WORKERS, "{sent} attempts from {opened:?}");
        }
        assert_eq!(log.failed, 0, "clients see nothing of it");
    });
}

#[test]
fn the_open_time_doubles_up_to_its_limit() {
    each_seed(|seed| {
        let world = world(Strategy::RoundRobin, breaker(), seed);
        world.run_until(40.0);
        let openings = world.log.borrow().openings(0);
        let times: Vec<_> = openings
            .iter()
            .map(|(opened, until)| until.since(*opened).as_secs())
            .collect();
        assert_eq!(times[..4], [2, 4, 8, 8], "{times:?}");
        // The trial comes as soon as there is a request for it, and not before.
        for (before, after) in openings.iter().zip(&openings[1..]) {
            let late = after.0.since(before.1);
            assert!(after.0 >= before.1 && late < span(0.5), "{late:?} late");
        }
    });
}

#[test]
fn half_open_it_gets_a_limited_number_of_trials_at_a_time_over_all_workers() {
    for half_open_requests in [1, 3] {
        each_seed(|seed| {
            let breaker = BreakerPolicy {
                half_open_requests,
                success_threshold: 20,
                ..breaker()
            };
            let mut pool = pool(2);
            pool.breaker = breaker;
            // It fails, and recovers to slow answers, so that trials would pile up if they could.
            let sick = Upstream::sound(100).failing(1.0, 2.0).failing(0.0, 3.5);
            let upstreams = [sick, Upstream::sound(10)].to_vec();
            let world = World::new(pool, upstreams, WORKERS, 60.0, seed);
            world.run_until(20.0);
            let log = world.log.borrow();
            let trials = log.sent.iter().filter(|sent| sent.trial).count();
            assert!(trials >= 20, "{trials} trials");
            let most = usize::try_from(half_open_requests).unwrap();
            assert_eq!(log.most_trials(0), most);
            assert_eq!(log.failed, 0);
            assert!(log.closed(0).is_some());
        });
    }
}

#[test]
fn after_recovery_its_share_returns_within_two_seconds() {
    for strategy in [
        Strategy::RoundRobin,
        Strategy::WeightedRoundRobin,
        Strategy::LeastConnections,
        Strategy::LeastResponseTime,
        Strategy::HealthBased,
        Strategy::Random,
    ] {
        each_seed(|seed| {
            let mut pool = pool(3);
            pool.strategy = strategy.clone();
            pool.breaker = breaker();
            let sick = Upstream::sound(10).failing(1.0, 5.0).failing(0.0, 6.0);
            let upstreams = [sick, Upstream::sound(10), Upstream::sound(10)].to_vec();
            let world = World::new(pool, upstreams, WORKERS, 40.0, seed);
            world.run_until(20.0);
            let log = world.log.borrow();
            let Some(closed) = log.closed(0) else {
                // Response time alone may keep traffic away before the breaker has to.
                assert_eq!(strategy, Strategy::LeastResponseTime);
                return;
            };
            assert!(closed < at(8.5), "{strategy:?}: {closed:?}");
            let returned = log.share(0, closed + span(2.0), closed + span(6.0));
            let before = log.share(0, at(1.0), at(5.0));
            assert!(
                returned > 0.5 * before,
                "{strategy:?}: {returned} after {before}"
            );
            assert_eq!(log.failed, 0);
        });
    }
}

#[test]
fn an_endpoint_that_fails_too_often_is_opened_by_its_share() {
    each_seed(|seed| {
        let breaker = BreakerPolicy {
            failure_threshold: 1_000,
            minimum_requests: 40,
            failure_rate: 0.3,
            ..breaker()
        };
        let mut pool = pool(3);
        pool.breaker = breaker;
        let sick = |failing| Upstream::sound(10).failing(failing, 2.0);
        let upstreams = [sick(0.5), sick(0.1), Upstream::sound(10)].to_vec();
        let world = World::new(pool, upstreams, WORKERS, 40.0, seed);
        world.run_until(20.0);
        let log = world.log.borrow();
        let (opened, _) = log.openings(0)[0];
        assert!(opened < at(10.0), "{opened:?}");
        assert!(log.openings(1).is_empty(), "one tenth is not too much");
        // About one in 1000 fails three times in a row by chance, and there are 3200.
        assert!(count(log.failed as usize) <= 0.01 * count(log.served as usize));
    });
}
