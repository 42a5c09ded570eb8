//! Answers that stall now and then: a hedge finds a better one, at a price that is limited.

use core::time::Duration;

use steerage_policy::retry::hedge::{HedgeDelay, HedgePolicy};

use crate::log::count;
use crate::upstream::Upstream;
use crate::view::View;
use crate::world::World;
use crate::{few_seeds, pool};

const RATIO: f64 = 0.1;

fn world(delay: Option<HedgeDelay>, ratio: f64, upstreams: &[Upstream], seed: u64) -> World {
    let mut pool = pool(upstreams.len());
    pool.retry.hedge = delay.map(|delay| HedgePolicy {
        delay,
        max: 1,
        ratio,
    });
    World::new(pool, upstreams.to_vec(), 4, 50.0, seed)
}

/// Milliseconds of the slowest percent in a run of 30 s, and hedges for each request.
fn tail(delay: Option<HedgeDelay>, ratio: f64, upstreams: &[Upstream], seed: u64) -> (f64, f64) {
    let world = world(delay, ratio, upstreams, seed);
    world.run_until(30.0);
    let tail = View::of(&world, 5.0, 28.0).percentile(99);
    world.set_rate(0.0);
    world.run_until(40.0);
    let idle = |worker: &crate::worker::Worker| {
        worker.waiting() == 0 && (0..upstreams.len()).all(|n| worker.active(n) == 0)
    };
    assert!(world.all_workers(idle), "nothing of a hedge stays behind");
    let log = world.log.borrow();
    assert_eq!(log.failed, 0);
    let hedges = log.sent.iter().filter(|sent| sent.hedge).count();
    (tail, count(hedges) / count(log.answers.len()))
}

#[test]
fn hedges_after_the_95th_percentile_shorten_the_tail_of_stalling_endpoints() {
    // 3 % of the answers take 20 times as long.
    let upstreams = [(); 3].map(|()| Upstream::sound(10).stalling(0.03, 0.0));
    few_seeds(|seed| {
        let (alone, _) = tail(None, RATIO, &upstreams, seed);
        let (hedged, hedges) = tail(Some(HedgeDelay::P95), RATIO, &upstreams, seed);
        assert!(alone > 150.0, "{alone}");
        assert!(hedged < 0.25 * alone, "{hedged} instead of {alone} ms");
        assert!((0.02..=RATIO).contains(&hedges), "{hedges}");
    });
}

#[test]
fn hedges_after_a_fixed_time_take_the_slow_answers_of_one_endpoint_away() {
    let stalling = Upstream::sound(10).stalling(0.2, 0.0);
    let upstreams = [stalling, Upstream::sound(10), Upstream::sound(10)];
    let delay = HedgeDelay::Fixed(Duration::from_millis(20));
    few_seeds(|seed| {
        let (alone, _) = tail(None, RATIO, &upstreams, seed);
        let (hedged, hedges) = tail(Some(delay), RATIO, &upstreams, seed);
        assert!(alone > 150.0, "{alone}");
        assert!(hedged < 40.0, "{hedged} instead of {alone} ms");
        assert!((0.03..=RATIO).contains(&hedges), "{hedges}");
    });
}

#[test]
fn when_everything_is_slow_hedges_stay_within_their_ratio() {
    let upstreams = [(); 3].map(|()| Upstream::sound(10).taking(200, 2.0));
    let delay = HedgeDelay::Fixed(Duration::from_millis(20));
    few_seeds(|seed| {
        for ratio in [0.02, 0.1] {
            let (_, hedges) = tail(Some(delay), ratio, &upstreams, seed);
            // A worker reads once a round what the others have spent.
            assert!(hedges > 0.5 * ratio && hedges <= 1.2 * ratio, "{hedges}");
        }
    });
}
