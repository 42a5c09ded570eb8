//! Limits, by themselves and at an endpoint that queues what it cannot serve.

mod world;

use super::*;
use crate::breaker::{Breaker, BreakerPolicy};
use crate::endpoint::operator::Circuit;
use crate::endpoint::{Agreed, EndpointState, Exclusion, Others, Pace};
use crate::health::Health;
use crate::outcome::Outcome;
use crate::stats::window::DEFAULT_LENGTH;
use alloc::vec::Vec;
use proptest::prelude::{ProptestConfig, prop, prop_assert};
use proptest::proptest;
use world::{Scene, TEN_AT_A_TIME, World, at};

const PACE: Pace = Pace {
    usual: None,
    decay: Duration::from_secs(10),
};
const DYNAMIC: Limit = Limit::Dynamic {
    start: DEFAULT_START,
    most: 100,
};

/// Numbers of workers to try.
const WORKERS: [usize; 4] = [1, 2, 4, 8];

#[test]
fn by_littles_law() {
    assert_eq!(size(50.0, 0.3), 18);
    assert_eq!(size(10.0, 0.25), 3, "exactly 3");
    assert_eq!(size(0.001, 0.001), 1);
    assert_eq!(size(f64::INFINITY, 1.0), u32::MAX);
    assert_eq!((keepalive_size(1), keepalive_size(18)), (1, 9));
    assert_eq!(keepalive_size(1_000), 50);
}

#[test]
fn each_worker_has_its_part_of_a_fixed_limit_and_what_others_leave() {
    // Own, all, workers.
    assert!(is_reached(10, 7, 10, 2));
    assert!(!is_reached(10, 7, 9, 2));
    assert!(!is_reached(10, 4, 13, 2), "its part is 5");
    assert!(is_reached(10, 5, 13, 2));
    // With less than one each, no worker has a part.
    assert!(is_reached(1, 0, 1, 4));
}

#[test]
fn health_is_told_before_a_limit() {
    let policy = BreakerPolicy::default();
    let mut state = EndpointState::new(DEFAULT_LENGTH).limited(Limit::Fixed(1), 0);
    assert_eq!(state.exclusion(&policy, at(0.0)), None);
    state.attempt_started();
    assert_eq!(state.exclusion(&policy, at(0.0)), Some(Exclusion::AtLimit));
    let mut agreed = Agreed::default();
    agreed.health.fail_immediately();
    state.agree(agreed.clone());
    assert_eq!(
        state.exclusion(&policy, at(0.0)),
        Some(Exclusion::Unhealthy)
    );
    // An operator who says that traffic may flow does not say that it takes more.
    agreed.operator.health = Some(Health::Healthy);
    agreed.operator.set_circuit(Circuit::Closed, None, at(0.0));
    state.agree(agreed);
    assert_eq!(state.exclusion(&policy, at(0.0)), Some(Exclusion::AtLimit));
    state.attempt_ended();
    assert_eq!(state.exclusion(&policy, at(0.0)), None);
}

#[test]
fn workers_that_are_all_busy_share_a_fixed_limit() {
    for (workers, most) in [(1, 10), (2, 18), (4, 30)] {
        let mut world = World::new(TEN_AT_A_TIME, workers, Limit::Fixed(10), 1);
        world.pass(1.0);
        let seen = world.pass(10.0);
        assert!(seen.peak <= most, "{workers} workers: {}", seen.peak);
        let served = seen.served();
        assert!(served >= 4_200, "{workers} workers: {served} of 5,000");
    }
}

#[test]
fn an_overloaded_endpoint_answers_in_less_than_three_times_its_time() {
    for workers in WORKERS {
        let mut world = World::new(TEN_AT_A_TIME, workers, DYNAMIC, 2);
        world.pass(15.0);
        let seen = world.pass(60.0);
        let p99 = seen.percentile(99);
        assert!(p99 < 0.06, "{workers} workers: {p99}");
        let served = seen.served();
        assert!(served >= 29_000, "{workers} workers: {served} of 30,000");
        assert!(seen.refused >= 28_000, "{workers}: {}", seen.refused);
    }
}

#[test]
fn nobody_is_refused_without_need() {
    for (workers, varied) in WORKERS.into_iter().flat_map(|n| [(n, false), (n, true)]) {
        let scene = Scene {
            varied,
            rate: 250.0,
            ..TEN_AT_A_TIME
        };
        let mut world = World::new(scene, workers, DYNAMIC, 3);
        world.pass(5.0);
        let refused = world.pass(120.0).refused;
        assert!(refused <= 300, "{workers} workers: {refused} of 30,000");
    }
}

#[test]
fn it_falls_within_seconds_when_an_endpoint_slows_down_and_recovers() {
    for workers in [1, 4] {
        let mut world = World::new(TEN_AT_A_TIME, workers, DYNAMIC, 4);
        world.pass(30.0);
        world.set(|scene| scene.servers = 2);
        world.pass(2.0);
        let seen = world.pass(3.0);
        assert!(world.limit() <= 8, "{workers} workers: {}", world.limit());
        assert!(seen.percentile(99) <= 0.1, "{}", seen.percentile(99));

        world.set(|scene| scene.servers = 40);
        world.pass(5.0);
        let seen = world.pass(5.0);
        assert!(seen.served() > 4_800, "{workers}: {}", seen.served());

        // Every request takes longer, but none waits.
        world.set(|scene| {
            (scene.service, scene.rate) = (0.2, 100.0);
        });
        world.pass(20.0);
        let seen = world.pass(10.0);
        assert!(seen.served() > 950, "{workers}: {}", seen.served());
    }
}

#[test]
fn what_was_learnt_in_a_slow_time_is_forgotten() {
    for workers in [1, 4] {
        let mut world = World::new(TEN_AT_A_TIME, workers, DYNAMIC, 5);
        world.set(|scene| scene.service = 0.2);
        world.pass(60.0);
        world.set(|scene| scene.service = 0.02);
        world.pass(20.0);
        let seen = world.pass(10.0);
        let p99 = seen.percentile(99);
        assert!(p99 < 0.06, "{workers} workers: {p99}");
        assert!(seen.served() > 4_800, "{workers}: {}", seen.served());
    }
}

#[test]
fn it_never_rises_while_an_endpoint_fails() {
    for workers in [1, 4] {
        let mut world = World::new(TEN_AT_A_TIME, workers, DYNAMIC, 6);
        world.pass(5.0);
        world.set(|scene| (scene.servers, scene.failing) = (1_000, 0.5));
        world.pass(0.5);
        let before = world.limit();
        for _ in 0..100 {
            world.pass(0.2);
            // The workers' limits are published as whole numbers and added up.
            assert!(world.limit() <= before, "{} > {before}", world.limit());
        }
        let before = world.limit();
        world.set(|scene| (scene.failing, scene.rate) = (0.0, 3_000.0));
        world.pass(2.0);
        assert!(world.limit() > before, "{}", world.limit());
    }
}

#[test]
fn workers_have_equal_parts_in_the_end() {
    let mut world = World::new(TEN_AT_A_TIME, 4, DYNAMIC, 7);
    world.pass(60.0);
    let shares = world
        .workers
        .iter()
        .map(|state| state.report(at(world.now)));
    let limits: Vec<_> = shares.map(|report| report.share.limit).collect();
    assert!(
        limits.iter().all(|limit| (3..=7).contains(limit)),
        "{limits:?}"
    );
}

#[test]
fn a_new_worker_begins_where_the_others_are() {
    let scene = Scene {
        servers: 40,
        rate: 3_000.0,
        ..TEN_AT_A_TIME
    };
    let mut world = World::new(scene, 3, DYNAMIC, 8);
    world.pass(60.0);
    let mut others = Others::default();
    for state in &world.workers {
        others.merge(&state.report(at(world.now)));
    }
    let mut state = EndpointState::new(DEFAULT_LENGTH).limited(DYNAMIC, 8);
    assert_eq!(state.limit(), DEFAULT_START);
    state.set_others(others);
    state.attempt_started();
    let mean = others.share.limit / 3;
    let own = state.limit() - others.share.limit;
    assert!(own >= mean && own >= 15, "{own} beside {mean} each");
}

#[test]
fn a_time_out_brings_it_down() {
    let mut state = EndpointState::new(DEFAULT_LENGTH).limited(DYNAMIC, 0);
    for millis in (0_u32..100).map(|n| 100 * n) {
        let under_way = state.limit();
        (0..under_way).for_each(|_| state.attempt_started());
        let took = Duration::from_millis(20);
        let outcome = if millis > 5_000 {
            Outcome::Timeout
        } else {
            Outcome::Answered(200)
        };
        let now = at(f64::from(millis) / 1e3);
        for _ in 0..under_way {
            let pass = Breaker::default().free_pass();
            state.record(pass, outcome, took, PACE, now);
            state.attempt_ended();
        }
        if millis == 5_000 {
            assert_eq!(state.limit(), 100);
        }
    }
    assert_eq!(state.limit(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(target_arch = "wasm32") { 16 } else { 64 }))]

    /// In every case one attempt is admitted when none is under way, and never more than the
    /// maximum.
    #[test]
    fn it_stays_within_its_bounds(
        start in 1_u32..200,
        most in 1_u32..200,
        events in prop::collection::vec((0_u64..2_000, 0_u64..3_000, 0_u8..6), 1..400),
    ) {
        let limit = Limit::Dynamic { start: start.min(most), most };
        let mut state = EndpointState::new(DEFAULT_LENGTH).limited(limit, 11);
        let mut now = at(0.0);
        let mut under_way = 0_u32;
        for (passes, took, what) in events {
            now = now + Duration::from_millis(passes);
            let is_free = state.exclusion(&BreakerPolicy::default(), now).is_none();
            prop_assert!(is_free || under_way > 0);
            prop_assert!(!is_free || under_way < most);
            prop_assert!((1..=most).contains(&state.limit()));
            if what < 3 {
                while state.exclusion(&BreakerPolicy::default(), now).is_none() {
                    state.attempt_started();
                    under_way += 1;
                }
            }
            let outcome = match what {
                3 => Outcome::Timeout,
                4 => Outcome::Answered(503),
                _ => Outcome::Answered(200),
            };
            for _ in 0..under_way {
                let took = Duration::from_millis(took);
                let pass = Breaker::default().free_pass();
                state.record(pass, outcome, took, PACE, now);
                state.attempt_ended();
            }
            under_way = 0;
        }
    }
}
