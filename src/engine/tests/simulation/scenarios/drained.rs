//! Both endpoints with traffic fail everything, the third is drained (weight 0) and well.
//!
//! A user of a pool whose breakers do not open sees failures, and the drained endpoint nothing: it
//! is no place for retries. Where breakers open, it serves everybody: nothing else is left.

use steerage_policy::balance::Strategy;
use steerage_policy::endpoint::Weight;

use super::{UP_TO_EIGHT, in_one_proxy, pool, refused};
use crate::upstream::Upstream;
use crate::view::View;
use crate::{at, few_seeds};

const BEGINS: f64 = 3.0;

#[test]
fn it_serves_when_nothing_else_is_available_and_never_just_a_retry() {
    let strategies = [
        Strategy::RoundRobin,
        Strategy::WeightedRoundRobin,
        Strategy::LeastConnections,
        Strategy::Random,
    ];
    for (workers, strategy) in UP_TO_EIGHT
        .into_iter()
        .flat_map(|workers| strategies.clone().map(|strategy| (workers, strategy)))
    {
        for breakers_open in [false, true] {
            few_seeds(|seed| {
                let sick = || Upstream::sound(10).failing(1.0, BEGINS);
                let upstreams = [Upstream::sound(10), sick(), sick()];
                let mut pool = pool(strategy.clone(), &upstreams);
                pool.endpoints[0].weight = Weight::new(0.0).unwrap();
                if !breakers_open {
                    pool.breaker.failure_threshold = 1_000_000;
                    pool.breaker.minimum_requests = 1_000_000;
                }
                let world = in_one_proxy(pool, &upstreams, workers, 40.0, seed);
                world.run_until(20.0);
                let served = View::of(&world, BEGINS + 2.0, 19.0).success();
                let log = world.log.borrow();
                let drained = log.sent_to(0, at(0.0), at(20.0));
                if breakers_open {
                    assert!(served > 0.97, "{workers} workers, {strategy:?}: {served}");
                } else {
                    assert_eq!(drained, 0, "{workers} workers, {strategy:?}");
                    assert!(served < 0.01, "{workers} workers, {strategy:?}: {served}");
                }
                drop(log);
                assert_eq!(refused(&world), 0, "{workers} workers, {strategy:?}");
            });
        }
    }
}
