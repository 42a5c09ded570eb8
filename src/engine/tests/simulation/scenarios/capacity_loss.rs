//! Three endpoints of eight servers each at 60 % load; one loses six of its eight.
//!
//! A user sees slow answers while its queue fills, fewer and shorter than with `round_robin`, which
//! goes on filling it, and no failures. The others take over its traffic and are not flooded. When
//! its servers are back, so is its traffic, within some time constants.

use core::time::Duration;

use steerage_policy::balance::Strategy;

use super::{PROXIES, of, pool, world};
use crate::upstream::Upstream;
use crate::view::View;
use crate::{at, few_seeds};

const LOST: f64 = 3.0;
const BACK: f64 = 12.0;
/// Requests a second, of 1,200 that all can serve, and 900 while servers are lost.
const RATE: f64 = 720.0;

#[test]
fn the_others_do_what_it_cannot_do_any_more() {
    let sound = || Upstream::sound(20).with_servers(8, Duration::from_secs(1));
    let upstreams = [sound().serving(2, LOST).serving(8, BACK), sound(), sound()];
    for proxies in PROXIES {
        few_seeds(|seed| {
            let world = world(&upstreams, proxies, RATE, seed);
            world.run_until(BACK + 12.0);
            let turns = of(
                pool(Strategy::RoundRobin, &upstreams),
                &upstreams,
                proxies,
                RATE,
                seed,
            );
            turns.run_until(LOST + 2.0);
            let slowest = |world| View::of(world, LOST, LOST + 2.0).percentile(99);
            let (drawn, taken) = (slowest(&world), slowest(&turns));
            assert!(drawn < 0.5 * taken, "{drawn} and {taken} ms");
            let during = View::of(&world, LOST + 2.0, BACK);
            assert!(during.percentile(50) < 40.0, "{}", during.percentile(50));
            assert!(during.percentile(99) < 250.0, "{}", during.percentile(99));
            let log = world.log.borrow();
            assert_eq!(log.failed, 0);
            // It can do 100 of the 720 requests a second.
            let share = log.share(0, at(LOST + 2.0), at(BACK));
            let again = log.share(0, at(BACK + 10.0), at(BACK + 12.0));
            assert!((0.0..=0.16).contains(&share), "{share}");
            assert!(again > 0.2, "{again}");
        });
    }
}
