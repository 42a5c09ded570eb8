//! One of three is bad every other three seconds: ten times slower, and half of its requests fail.
//!
//! A user sees next to no failures, and one request in thirty is slow: an endpoint that has been
//! good for three seconds does not get its full share at once.

use super::{PROXIES, world};
use crate::upstream::Upstream;
use crate::view::View;
use crate::{at, few_seeds};

const BEGINS: f64 = 3.0;
const ENDS: f64 = 27.0;

#[test]
fn an_endpoint_that_comes_and_goes_is_used_with_care() {
    let mut flapping = Upstream::sound(10);
    for turn in 0..8_u32 {
        let from = BEGINS + 3.0 * f64::from(turn);
        let (takes, fails) = if turn % 2 == 0 { (100, 0.5) } else { (10, 0.0) };
        flapping = flapping.taking(takes, from).failing(fails, from);
    }
    let upstreams = [flapping, Upstream::sound(10), Upstream::sound(10)];
    for proxies in PROXIES {
        few_seeds(|seed| {
            let world = world(&upstreams, proxies, 300.0, seed);
            world.run_until(ENDS);
            let view = View::of(&world, BEGINS, ENDS);
            assert!(view.success() >= 0.999, "{}", view.success());
            assert!(view.percentile(50) < 12.0, "{view:?}");
            assert!(view.percentile(96) < 20.0, "{}", view.percentile(96));
            let share = world.log.borrow().share(0, at(BEGINS), at(ENDS));
            assert!(share < 0.15, "{share}");
        });
    }
}
