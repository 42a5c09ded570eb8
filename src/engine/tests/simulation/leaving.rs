//! Clients that leave, deadlines, and calls that the host does not send: nothing stays behind.

use core::time::Duration;

use steerage_engine::action::Reason;
use steerage_policy::retry::hedge::{HedgeDelay, HedgePolicy};

use crate::upstream::Upstream;
use crate::worker::Worker;
use crate::world::World;
use crate::{each_seed, pool, span};

const ENDPOINTS: usize = 3;

/// No more requests arrive: soon no worker has anything under way.
fn all_ends(world: &World, seconds: f64) {
    world.set_rate(0.0);
    world.run_until(seconds);
    let idle =
        |worker: &Worker| worker.waiting() == 0 && (0..ENDPOINTS).all(|n| worker.active(n) == 0);
    assert!(world.all_workers(idle));
}

#[test]
fn no_client_waits_longer_than_the_exchange_may_take() {
    each_seed(|seed| {
        // Longer than the 3 s of an attempt and the 5 s of an exchange, now and then.
        let slow = || Upstream::sound(2_000).failing(0.3, 0.0).stalling(0.1, 0.0);
        let upstreams = vec![slow(), slow(), Upstream::sound(4_000)];
        let mut pool = pool(ENDPOINTS);
        pool.breaker.failure_threshold = 1_000_000;
        pool.breaker.minimum_requests = 1_000_000;
        pool.retry.budget = None;
        pool.retry.hedge = Some(HedgePolicy {
            delay: HedgeDelay::Fixed(Duration::from_secs(1)),
            max: 1,
            ratio: 0.2,
        });
        let world = World::new(pool, upstreams, 4, 20.0, seed);
        world.run_until(30.0);
        all_ends(&world, 40.0);
        let log = world.log.borrow();
        let longest = log.answers.iter().map(|answer| answer.took).max().unwrap();
        // The host's timer counts in milliseconds.
        assert!(
            longest >= span(5.0) && longest <= span(5.001),
            "{longest:?}"
        );
        let expired = |reason| reason == Some(Reason::DeadlineExceeded);
        assert!(log.answers.iter().any(|answer| expired(answer.reason)));
        assert!(log.served > 1_000, "{}", log.served);
    });
}

#[test]
fn clients_that_leave_leave_nothing_under_way() {
    each_seed(|seed| {
        let mut pool = pool(ENDPOINTS);
        pool.retry.hedge = Some(HedgePolicy {
            delay: HedgeDelay::Fixed(Duration::from_millis(30)),
            max: 1,
            ratio: 0.2,
        });
        pool.breaker.timeout = Duration::from_secs(1);
        pool.breaker.max_timeout = Duration::from_secs(1);
        // They leave before the first answer, before a retry, while a hedge is under way and while
        // a trial is.
        let sick = Upstream::sound(50).failing(1.0, 3.0).failing(0.1, 6.0);
        let other = Upstream::sound(50).failing(0.2, 0.0);
        let upstreams = vec![sick, other.clone(), other];
        let patience = Duration::from_millis(60);
        let world = World::new(pool, upstreams, 4, 40.0, seed).with_leaving(0.4, patience);
        world.run_until(10.0);
        all_ends(&world, 17.0);
        let log = world.log.borrow();
        assert!(log.left > 100, "{}", log.left);
        assert!(log.sent.iter().any(|sent| sent.trial));
        assert!(log.closed(0).is_some(), "permits are given back");
        assert!(log.answers.iter().all(|answer| answer.took < span(5.0)));
    });
}

#[test]
fn a_call_that_the_host_refuses_moves_on_at_once() {
    each_seed(|seed| {
        let mut pool = pool(ENDPOINTS);
        pool.retry.budget = None;
        // Its breaker must not hide it.
        pool.breaker.failure_threshold = 1_000_000;
        pool.breaker.minimum_requests = 1_000_000;
        let down = Upstream::sound(5).down(true, 1.0);
        let failing = Upstream::sound(5).failing(0.5, 1.0);
        let upstreams = vec![failing, down, Upstream::sound(5)];
        let world = World::new(pool, upstreams, 4, 20.0, seed);
        world.run_until(20.0);
        all_ends(&world, 26.0);
        let log = world.log.borrow();
        assert!(log.refused_calls > 100, "{}", log.refused_calls);
        assert_eq!(log.failed, 0);
    });
}
