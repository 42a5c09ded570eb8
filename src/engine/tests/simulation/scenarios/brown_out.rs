//! One of three takes 20 times as long and fails 30 % of its requests for 15 s: bad, but not so bad
//! that its breaker must open (five consecutive failures may come by chance).
//!
//! A user sees slow answers for the first 2 s and none after, and hardly any failures. Afterwards
//! the endpoint soon gets its traffic back.

use super::{PROXIES, world};
use crate::upstream::Upstream;
use crate::view::View;
use crate::{at, few_seeds};

const BEGINS: f64 = 4.0;
const ENDS: f64 = 18.0;

#[test]
fn after_2_s_neither_slowness_nor_failures_are_seen() {
    let sick = Upstream::sound(10)
        .taking(200, BEGINS)
        .failing(0.3, BEGINS)
        .taking(10, ENDS)
        .failing(0.0, ENDS);
    let upstreams = [sick, Upstream::sound(10), Upstream::sound(10)];
    for proxies in PROXIES {
        few_seeds(|seed| {
            let world = world(&upstreams, proxies, 300.0, seed);
            world.run_until(ENDS + 25.0);
            let all = View::of(&world, 0.0, ENDS + 25.0);
            assert!(all.success() >= 0.999, "{}", all.success());
            let healthy = View::of(&world, 1.0, BEGINS).percentile(99);
            for (from, until) in [(BEGINS + 2.0, ENDS), (ENDS, ENDS + 25.0)] {
                let then = View::of(&world, from, until).percentile(99);
                assert!(then <= 2.0 * healthy, "{then} after {healthy} ms");
            }
            let log = world.log.borrow();
            let during = log.share(0, at(BEGINS + 2.0), at(ENDS));
            assert!(during < 0.01, "{during}");
            // It is explored after two time constants at the latest.
            let after = log.share(0, at(ENDS + 22.0), at(ENDS + 25.0));
            let opened = !log.openings(0).is_empty();
            assert!(after > 0.2 || opened, "{after}");
        });
    }
}
