//! All three endpoints fail for a second: they answer 503, do not listen, or do not answer at all.
//!
//! A user sees failures for that second, and at most two more: what the breakers have concluded
//! from it does not outlast it. Nobody is refused, before, then or after.

use steerage_policy::balance::Strategy;

use super::{UP_TO_EIGHT, in_one_proxy, pool, refused};
use crate::few_seeds;
use crate::upstream::Upstream;
use crate::view::View;

const BEGINS: f64 = 3.0;
const ENDS: f64 = 4.0;

/// An endpoint and its way to fail.
type Failing = fn(Upstream) -> Upstream;

fn answers_503(sound: Upstream) -> Upstream {
    sound.failing(1.0, BEGINS).failing(0.0, ENDS)
}

fn is_down(sound: Upstream) -> Upstream {
    sound.down(true, BEGINS).down(false, ENDS)
}

fn hangs(sound: Upstream) -> Upstream {
    sound.taking(60_000, BEGINS).taking(10, ENDS)
}

#[test]
fn everybody_is_served_again_within_two_seconds() {
    let strategies = [
        Strategy::RoundRobin,
        Strategy::LeastConnections,
        Strategy::LeastResponseTime,
    ];
    // Who meets one that hangs is served late, and not denied.
    let failing: [(Failing, f64); 3] = [(answers_503, 0.9), (is_down, 0.9), (hangs, 1.1)];
    for (workers, strategy) in UP_TO_EIGHT
        .into_iter()
        .flat_map(|workers| strategies.clone().map(|strategy| (workers, strategy)))
    {
        for (fail, served) in failing {
            few_seeds(|seed| {
                let upstreams = [(); 3].map(|()| fail(Upstream::sound(10)));
                let pool = pool(strategy.clone(), &upstreams);
                let world = in_one_proxy(pool, &upstreams, workers, 20.0, seed);
                world.run_until(75.0);
                let before = View::of(&world, 0.0, BEGINS - 0.1).success();
                assert!(before > 0.999, "{before}");
                let during = View::of(&world, BEGINS, ENDS).success();
                assert!(during < served, "{workers} workers, {strategy:?}: {during}");
                let after = View::of(&world, ENDS + 2.0, 70.0).success();
                assert!(after > 0.999, "{workers} workers, {strategy:?}: {after}");
                assert_eq!(refused(&world), 0, "{workers} workers, {strategy:?}");
            });
        }
    }
}
