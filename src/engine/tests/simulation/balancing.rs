//! Load that is level although each worker sees what the others do only every now and then.

use steerage_policy::balance::Strategy;

use crate::upstream::Upstream;
use crate::world::World;
use crate::{at, each_seed, pool};

const ENDPOINTS: usize = 3;

/// Not more load than this: the less of its time an attempt spends within one round, the less the
/// others' counts of it are worth. With 600 requests a second, 20 ms and 200 ms, the slow endpoint
/// has four more under way than the others. Nor can they be quite level: each of the four workers
/// corrects a quarter of the difference that it reads, or all of them would correct the whole of
/// it.
#[test]
fn least_connections_keeps_fast_and_slow_endpoints_equally_busy() {
    for (rate, fast, slow) in [(50.0, 20, 200), (100.0, 50, 500), (150.0, 50, 500)] {
        each_seed(|seed| {
            let mut pool = pool(ENDPOINTS);
            pool.strategy = Strategy::LeastConnections;
            let upstreams = [slow, fast, fast].map(Upstream::sound);
            let world = World::new(pool, upstreams.to_vec(), 4, rate, seed);
            world.run_until(30.0);
            let log = world.log.borrow();
            let busy = |endpoint| log.mean_under_way(endpoint, at(5.0), at(30.0));
            let means: Vec<f64> = (0..ENDPOINTS).map(busy).collect();
            let level = means.iter().sum::<f64>() / 3.0;
            let off = |mean: &f64| (mean - level).abs();
            assert!(means.iter().all(|mean| off(mean) <= 4.0), "{means:?}");
            assert_eq!(log.failed, 0);
        });
    }
}

#[test]
fn least_response_time_sends_the_slow_endpoint_less() {
    each_seed(|seed| {
        let mut pool = pool(ENDPOINTS);
        pool.strategy = Strategy::LeastResponseTime;
        let slow = Upstream::sound(200);
        let upstreams = [slow, Upstream::sound(20), Upstream::sound(20)].to_vec();
        let world = World::new(pool, upstreams, 4, 100.0, seed);
        world.run_until(30.0);
        let log = world.log.borrow();
        // So slow that it is only looked at now and then.
        let looks = log.sent_to(0, at(5.0), at(30.0));
        assert!((1..=20).contains(&looks), "{looks}");
    });
}

#[test]
fn when_nobody_asks_nothing_is_under_way() {
    each_seed(|seed| {
        let upstreams = [
            Upstream::sound(50).failing(0.5, 5.0),
            Upstream::sound(200),
            Upstream::sound(20),
        ];
        let world = World::new(pool(ENDPOINTS), upstreams.to_vec(), 4, 50.0, seed);
        for second in 1..=100_u32 {
            world.run_until(f64::from(second) / 10.0);
            let sent = world.log.borrow().sent.len();
            world.each_worker(|worker| {
                for endpoint in 0..ENDPOINTS {
                    // A count that went below 0 would be far above this.
                    let active = usize::try_from(worker.active(endpoint)).unwrap();
                    assert!(active <= sent, "{active} of {sent}");
                }
            });
        }
        world.set_rate(0.0);
        // The last attempts and retries, and two rounds.
        world.run_until(12.0);
        let idle = |worker: &crate::worker::Worker| (0..ENDPOINTS).all(|n| worker.active(n) == 0);
        assert!(world.all_workers(idle));
        let log = world.log.borrow();
        assert!((0..ENDPOINTS).all(|n| log.under_way(n, world.now()) == 0));
    });
}
