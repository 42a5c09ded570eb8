//! Nothing happens: three endpoints that take 10, 20 and 40 ms, and have room for all that comes.
//!
//! A user sees most requests answered by the fast ones, so that the median is below that of taking turns,
//! and no endpoint's operators see bursts, although workers see each other's numbers 100 ms late and
//! proxies not at all.

use steerage_policy::balance::Strategy;

use super::{PROXIES, of, pool, world};
use crate::upstream::Upstream;
use crate::view::{View, largest_share};
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
    let unequal = [10, 20, 40].map(Upstream::sound);
    let equal = [20, 20, 20].map(Upstream::sound);
    for (upstreams, fair) in [(unequal, FAIR), (equal, [1.0 / 3.0; 3])] {
        for proxies in PROXIES {
            few_seeds(|seed| {
                let world = world(&upstreams, proxies, RATE, seed);
                world.run_until(8.0);
                let log = world.log.borrow();
                // From the first second on, in which nothing is known.
                for (endpoint, fair) in fair.into_iter().enumerate() {
                    let largest = largest_share(&log, endpoint, 0, 8) / fair;
                    assert!(largest <= 1.5, "{endpoint}: {largest} times its share");
                }
            });
        }
    }
}
