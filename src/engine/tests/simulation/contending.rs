//! Many workers that write at once: hardly anything is lost, and nothing is damaged.

use core::time::Duration;

use steerage_policy::health::CheckPolicy;

use crate::log::count;
use crate::upstream::Upstream;
use crate::world::World;
use crate::{at, each_seed, pool};

#[test]
fn with_every_second_write_overtaken_less_than_one_change_in_a_hundred_is_lost() {
    each_seed(|seed| {
        let mut pool = pool(3);
        // Every failure and every success after it is a change.
        pool.breaker.failure_threshold = 1_000;
        pool.breaker.minimum_requests = 1_000_000;
        pool.checks = Some(CheckPolicy {
            interval: Duration::from_secs(1),
            unhealthy_interval: Duration::from_secs(1),
            ..CheckPolicy::default()
        });
        let upstreams = vec![Upstream::sound(5).failing(0.2, 1.0); 3];
        let world = World::new(pool, upstreams, 8, 50.0, seed).with_conflicts(0.5);
        world.run_until(20.0);
        let log = world.log.borrow();
        assert!(log.changes > 2_000, "{}", log.changes);
        assert!(
            log.lost * 100 < log.changes,
            "{} of {}",
            log.lost,
            log.changes
        );
        assert_eq!(log.unreadable, 0);
    });
}

/// By chance alone, without any help: the runs of this simulation are no runs of one worker after
/// the other.
#[test]
fn workers_do_get_into_each_others_way() {
    each_seed(|seed| {
        let mut pool = pool(3);
        pool.breaker.failure_threshold = 1_000;
        pool.breaker.minimum_requests = 1_000_000;
        let upstreams = vec![Upstream::sound(5).failing(0.2, 1.0); 3];
        let world = World::new(pool, upstreams, 8, 50.0, seed);
        world.run_until(20.0);
        let log = world.log.borrow();
        let share = f64::from(log.conflicts) / f64::from(log.changes);
        assert!(share > 0.03, "{share}");
        assert_eq!((log.lost, log.unreadable), (0, 0));
    });
}

#[test]
fn breakers_and_checks_keep_their_promises_under_contention() {
    each_seed(|seed| {
        let mut pool = pool(3);
        pool.breaker.timeout = Duration::from_secs(2);
        pool.checks = Some(CheckPolicy {
            interval: Duration::from_secs(1),
            unhealthy_interval: Duration::from_secs(1),
            ..CheckPolicy::default()
        });
        let sick = Upstream::sound(5).failing(1.0, 5.0).failing(0.0, 15.0);
        let upstreams = [sick, Upstream::sound(5), Upstream::sound(5)].to_vec();
        let world = World::new(pool, upstreams, 8, 30.0, seed).with_conflicts(0.5);
        world.run_until(40.0);
        let log = world.log.borrow();
        let (opened, until) = log.openings(0)[0];
        let sent = log.sent_to(0, at(5.0), until.min(at(15.0)));
        assert!(sent <= 5 + 8 + log.under_way(0, opened), "{sent}");
        assert!(log.most_trials(0) <= 1);
        assert!(log.share(0, at(30.0), at(40.0)) > 0.3);
        for endpoint in 0..3 {
            let checks = count(log.checks_of(endpoint).len());
            assert!((36.0..=44.0).contains(&checks), "{checks} checks in 40 s");
        }
        assert_eq!((log.failed, log.unreadable), (0, 0));
        drop(log);
        world.set_rate(0.0);
        world.run_until(42.0);
        assert!(world.all_workers(|worker| (0..3).all(|n| worker.active(n) == 0)));
    });
}
