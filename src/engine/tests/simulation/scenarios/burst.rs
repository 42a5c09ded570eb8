//! For a second there is more to do than the proxy's clusters take, whose limits are those of the
//! filter: each worker keeps to them by its own count, and learns late of the others'.
//!
//! A user sees answers that say `overloaded` during the burst, and none a moment later. What the
//! proxy itself has refused opens no breaker, and nobody is told that no endpoint is available.

use steerage_engine::action::Reason;
use steerage_policy::balance::Strategy;
use steerage_policy::limit::Limit;

use super::{UP_TO_EIGHT, in_one_proxy, pool, refused};
use crate::few_seeds;
use crate::log::count;
use crate::upstream::Upstream;
use crate::view::View;

const LIMIT: u32 = 20;

#[test]
fn what_the_proxy_refuses_is_nobodys_fault() {
    for workers in UP_TO_EIGHT {
        few_seeds(|seed| {
            let upstreams = [Upstream::sound(300), Upstream::sound(300)];
            let mut pool = pool(Strategy::RoundRobin, &upstreams);
            pool.limit = Limit::Fixed(LIMIT);
            let rate = |all: f64| all / count(workers);
            let world = in_one_proxy(pool, &upstreams, workers, 40.0, seed)
                .with_cluster_limit(usize::try_from(LIMIT).unwrap());
            world.run_until(2.0);
            world.set_rate(rate(600.0));
            world.run_until(3.0);
            world.set_rate(rate(40.0));
            world.run_until(12.0);

            let served = View::of(&world, 2.0, 3.0).success();
            assert!((0.05..0.5).contains(&served), "{workers} workers: {served}");
            let after = View::of(&world, 4.0, 10.0).success();
            assert!(after > 0.999, "{workers} workers: {after}");
            assert_eq!(refused(&world), 0, "{workers} workers");
            let log = world.log.borrow();
            let overflowed = log.overflowed;
            assert!(
                overflowed > 0 || workers == 1,
                "{workers} workers: {overflowed}"
            );
            for endpoint in 0..2 {
                let openings = log.openings(endpoint);
                assert!(openings.is_empty(), "{workers} workers: {openings:?}");
            }
            let mut bad = log.answers.iter().filter(|answer| !answer.good);
            let odd = bad.find(|answer| answer.reason != Some(Reason::Overloaded));
            assert!(odd.is_none(), "{workers} workers: {odd:?}");
        });
    }
}
