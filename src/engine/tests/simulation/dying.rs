//! Workers that die at once, as in a trap, with everything they had under way.

use core::time::Duration;

use steerage_policy::breaker::BreakerPolicy;
use steerage_shared::slot::DEAD_AFTER;

use crate::upstream::Upstream;
use crate::worker::Worker;
use crate::world::{SYNC, World};
use crate::{at, each_seed, pool, span};

#[test]
fn what_a_dead_worker_had_under_way_is_forgotten() {
    each_seed(|seed| {
        let world = World::new(pool(2), vec![Upstream::sound(1_000); 2], 4, 10.0, seed);
        world.run_until(5.0);
        let mut own = [0; 4];
        world.each_worker(|worker| {
            let reports = worker
                .state()
                .endpoints()
                .map(|(_, state)| state.report(world.now()));
            own[worker.place.number] = reports.map(|report| report.active).sum();
        });
        assert!(own[3] > 0, "{own:?}");
        world.kill(3);
        world.set_rate(0.0);
        // The others' attempts end well before the dead worker's are given up.
        world.run_until(5.0 + 2.0);
        let active = |worker: &Worker| worker.active(0) + worker.active(1);
        world.each_worker(|worker| assert!(active(worker) >= own[3].min(1)));
        world.run_until(5.0 + (DEAD_AFTER + 2 * SYNC).as_secs_f64());
        world.each_worker(|worker| assert_eq!(active(worker), 0));
    });
}

#[test]
fn a_trial_whose_worker_is_dead_is_made_by_another_when_its_permit_expires() {
    each_seed(|seed| {
        let mut pool = pool(2);
        pool.breaker = BreakerPolicy {
            timeout: Duration::from_secs(2),
            ..BreakerPolicy::default()
        };
        let sick = Upstream::sound(100).failing(1.0, 5.0).failing(0.0, 6.0);
        let world = World::new(pool, [sick, Upstream::sound(10)].to_vec(), 4, 50.0, seed);
        let trials = |world: &World| {
            let log = world.log.borrow();
            let trials = log.sent.iter().filter(|sent| sent.trial);
            trials
                .map(|sent| (sent.worker, sent.at))
                .collect::<Vec<_>>()
        };
        world.run_until_or(20.0, |world| !trials(world).is_empty());
        let (worker, sent) = trials(&world)[0];
        world.kill(worker);
        // No other worker may try while the permit holds: the exchange's 5 s and a second.
        let expires = sent + span(6.0);
        world.run_until(30.0);
        let (heir, tried) = trials(&world)[1];
        assert_ne!(heir, worker);
        assert!(tried >= expires && tried < expires + span(0.5), "{tried:?}");
        let log = world.log.borrow();
        let closed = log.closed(0).unwrap();
        assert!(log.share(0, closed + span(2.0), at(30.0)) > 0.4);
    });
}

#[test]
fn a_worker_that_starts_anew_knows_at_once_what_is_agreed() {
    each_seed(|seed| {
        let mut pool = pool(2);
        pool.breaker.timeout = Duration::from_secs(30);
        let sick = Upstream::sound(2).failing(1.0, 2.0);
        let world = World::new(pool, [sick, Upstream::sound(10)].to_vec(), 4, 50.0, seed);
        world.run_until(5.0);
        let (_, until) = world.log.borrow().openings(0)[0];
        for worker in 0..4 {
            world.kill(worker);
        }
        world.run_until(6.0);
        for worker in 0..4 {
            world.replace(worker);
        }
        world.run_until(25.0);
        let log = world.log.borrow();
        assert_eq!(log.openings(0).len(), 1, "it has stayed open");
        // Only what came before the first round of a worker that knew nothing yet.
        let first_round = at(6.0) + SYNC;
        assert_eq!(log.sent_to(0, first_round, until.min(at(25.0))), 0);
        assert_eq!(log.failed, 0);
    });
}
