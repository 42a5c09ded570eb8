//! Nothing happens: three endpoints take 10, 20 and 40 ms, and have room for all requests.
//!
//! A user sees most requests answered by the fast endpoints, so that the median is below that of
//! `round_robin`. No endpoint gets bursts, although workers see each other's numbers 100 ms late
//! and proxies do not see them at all.

use steerage_policy::balance::Strategy;

use super::{PROXIES, of, pool, world};
use crate::upstream::Upstream;
use crate::view::{View, largest_share};
use crate::world::World;
use crate::{at, few_seeds};

const RATE: f64 = 600.0;

/// Fair shares: 4 : 2 : 1.
const FAIR: [f64; 3] = [4.0 / 7.0, 2.0 / 7.0, 1.0 / 7.0];

#[test]
fn traffic_is_in_proportion_to_speed_and_faster_than_in_turn() {
    let upstreams = [10, 20, 40].map(Upstream::sound);
    for proxies in PROXIES {
        few_seeds(|seed| {
            let world = world(&upstreams, proxies, RATE, seed);
            world.run_until(10.0);
            let log = world.log.borrow();
            for (endpoint, fair) in FAIR.into_iter().enumerate() {
                let share = log.share(endpoint, at(1.0), at(10.0)) / fair;
                assert!((0.85..=1.15).contains(&share), "{endpoint}: {share}");
            }
            assert_eq!(log.failed, 0);
            let turns = of(
                pool(Strategy::RoundRobin, &upstreams),
                &upstreams,
                proxies,
                RATE,
                seed,
            );
            turns.run_until(10.0);
            let median = |world| View::of(world, 1.0, 10.0).percentile(50);
            let (drawn, taken) = (median(&world), median(&turns));
            assert!(drawn < 0.75 * taken, "{drawn} and {taken} ms");
        });
    }
}

#[test]
fn nobody_gets_half_more_than_its_share_in_any_second() {
    let upstreams = [10, 20, 40].map(Upstream::sound);
    for proxies in PROXIES {
        few_seeds(|seed| {
            let world = world(&upstreams, proxies, RATE, seed);
            world.run_until(8.0);
            let log = world.log.borrow();
            // From the first second on, in which nothing is known.
            for (endpoint, fair) in FAIR.into_iter().enumerate() {
                let largest = largest_share(&log, endpoint, 1.0, 8.0) / fair;
                assert!(largest <= 1.5, "{endpoint}: {largest} times its share");
            }
        });
    }
}

/// The largest share of one of three equal endpoints in any 100 ms, which is how old the reports of
/// the others are. Workers that each take the best endpoint they know of send up to 80 % to one of
/// them.
#[test]
fn workers_that_know_the_same_do_not_choose_the_same() {
    let upstreams = [(); 3].map(|()| Upstream::sound(20));
    few_seeds(|seed| {
        let pool = pool(Strategy::LeastResponseTime, &upstreams);
        let world = World::new(pool, upstreams.to_vec(), 32, 100.0, seed);
        world.run_until(2.0);
        let log = world.log.borrow();
        for endpoint in 0..3 {
            let largest = largest_share(&log, endpoint, 0.1, 2.0);
            assert!(largest <= 0.6, "{endpoint}: {largest}");
        }
    });
}
