//! One of three answers slowly: suddenly and for ever, or just now and then.
//!
//! A user sees slow answers at first and then no more. If only one answer in a hundred stalls, as
//! with a garbage collection, the endpoint's traffic does not change.

use super::{PROXIES, WORKERS, pool, world};
use crate::log::count;
use crate::upstream::Upstream;
use crate::view::View;
use crate::world::World;
use crate::{at, few_seeds};
use steerage_policy::balance::Strategy;

#[test]
fn an_endpoint_that_becomes_20_times_slower_is_noticed_within_2_s() {
    let slow = Upstream::sound(10).taking(200, 3.0);
    let upstreams = [slow, Upstream::sound(10), Upstream::sound(10)];
    for proxies in PROXIES {
        few_seeds(|seed| {
            let world = world(&upstreams, proxies, 300.0, seed);
            world.run_until(18.0);
            let healthy = View::of(&world, 1.0, 3.0).percentile(99);
            let then = View::of(&world, 5.0, 18.0).percentile(99);
            assert!(then <= 1.2 * healthy, "{then} after {healthy} ms");
            // It is explored: a few times every 10 to 20 s.
            let log = world.log.borrow();
            let share = log.share(0, at(5.0), at(18.0));
            assert!((0.0..0.01).contains(&share), "{share}");
        });
    }
}

/// Also where a single answer is a good part of what is known: with few requests.
#[test]
fn one_slow_answer_does_not_banish() {
    let stalling = Upstream::sound(10).stalling(0.01, 0.0);
    let upstreams = [stalling, Upstream::sound(10), Upstream::sound(10)];
    for (proxies, rate, stretch) in [(1, 300.0, 1), (4, 300.0, 1), (2, 10.0, 15)] {
        few_seeds(|seed| {
            let world = world(&upstreams, proxies, rate, seed);
            world.run_until(30.0);
            let log = world.log.borrow();
            for second in (0..30).step_by(stretch).map(f64::from) {
                let share = log.share(0, at(second), at(second + count(stretch)));
                assert!(share > 0.15, "{share} from second {second}");
            }
            let share = log.share(0, at(0.0), at(30.0));
            assert!(share > 0.24, "{share}");
        });
    }
}

/// The first answer of an endpoint may be a slow one, too.
#[test]
fn a_slow_first_answer_does_not_banish() {
    let cold = Upstream::sound(1_000).taking(10, 0.5);
    let upstreams = [cold, Upstream::sound(10), Upstream::sound(10)];
    few_seeds(|seed| {
        let pool = pool(Strategy::LeastResponseTime, &upstreams);
        let world = World::new(pool, upstreams.to_vec(), WORKERS, 40.0, seed);
        world.run_until(10.0);
        let share = world.log.borrow().share(0, at(4.0), at(10.0));
        assert!(share > 0.25, "{share}");
    });
}
