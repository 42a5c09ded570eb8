//! Which endpoints may be chosen: tiers that take over by degrees, panic, and slow start.

use super::*;
use crate::endpoint::Exclusion;
use crate::endpoint::operator::Circuit;
use crate::limit::Limit;

/// The shares of 20,000 choices must be these, to a hundredth.
#[track_caller]
fn check_shares_of(scene: &mut Scene, expected: &[f64]) {
    const PICKS: u32 = 20_000;
    let mut counts: Vec<u32> = scene.states.iter().map(|_| 0).collect();
    for _ in 0..PICKS {
        if let Some(index) = scene.pick() {
            counts[index.position()] += 1;
        }
    }
    for (count, expected) in counts.iter().zip(expected) {
        let share = f64::from(*count) / f64::from(PICKS);
        assert!(
            (share - expected).abs() < 0.01,
            "{counts:?} not {expected:?}"
        );
    }
}

/// Changes what is agreed on one endpoint.
fn agree(scene: &mut Scene, name: &str, change: impl FnOnce(&mut Agreed)) {
    let index = scene.index(name);
    let state = &mut scene.states[index.position()];
    let mut agreed = state.agreed().clone();
    change(&mut agreed);
    state.agree(agreed);
}

/// Opens the breaker of one endpoint for a minute.
fn open(scene: &mut Scene, name: &str) {
    let now = scene.now;
    let policy = BreakerPolicy {
        failure_threshold: 1,
        ..BreakerPolicy::default()
    };
    agree(scene, name, |agreed| {
        agreed.breaker.checked(&policy, false, now);
    });
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_tier_takes_over_by_as_much_as_the_ones_before_have_lost() {
    let strategy = Strategy::WeightedRandom;
    for (pool, shares) in [
        // Three of four: 0.75 × 1.4 is more than all of it.
        (
            "a b c !d e@1",
            &[1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 0.0, 0.0][..],
        ),
        ("a !b c@1", &[0.7, 0.0, 0.3]),
        // What the tier before leaves over, as far as this one can carry it.
        ("a !b c@1 !d@1 e@2", &[0.7, 0.0, 0.3, 0.0, 0.0]),
        ("a !b !c d@1 !e@1 f@2", &[0.467, 0.0, 0.0, 0.533, 0.0, 0.0]),
        // None is available: the endpoints share the load in proportion.
        ("a !b !c d@1 !e@1 !f@1", &[0.5, 0.0, 0.0, 0.5, 0.0, 0.0]),
        // It is weights that are lost, and drained endpoints have none.
        ("a:1 !b:3 c@1", &[0.35, 0.0, 0.65]),
        ("a !b:0 c@1", &[1.0, 0.0, 0.0]),
        ("a:0 b@1", &[0.0, 1.0]),
    ] {
        check_shares_of(&mut Scene::new(&strategy, pool), shares);
    }
}

#[test]
fn a_retry_leaves_a_tier_that_has_been_tried() {
    for strategy in all_strategies() {
        let mut scene = Scene::new(&strategy, "a !b c@1");
        let visited = scene.picks_of_one_exchange(2);
        assert!(
            visited == "a c" || visited == "c a",
            "{strategy:?}: {visited}"
        );
    }
}

#[test]
fn a_key_stays_in_its_tier() {
    let mut scene = Scene::new(&Strategy::ConsistentHash(HashOn::Path), "a !b c@1");
    let mut counts = [0, 0, 0];
    for key in 0_u32..2_000 {
        let key = HashKey::of(&key.to_le_bytes());
        let pick = |scene: &Scene| {
            let candidates = Candidates::new(
                &scene.pool,
                &scene.states,
                &scene.tried,
                key.value(),
                scene.now,
            );
            let chosen = candidates.iter().next();
            chosen.map(|candidate| candidate.index.position())
        };
        let chosen = pick(&scene).unwrap();
        assert_eq!(pick(&scene), Some(chosen));
        counts[chosen] += 1;
    }
    assert!((1_340..1_460).contains(&counts[0]), "{counts:?}");
    scene.tried = Tried::default();
}

#[test]
fn with_too_little_available_availability_is_ignored() {
    let strategy = Strategy::WeightedRandom;
    let shares = |pool, threshold: f64, expected: &[f64]| {
        let mut scene = Scene::new(&strategy, pool);
        scene.pool.panic_threshold = Some(threshold);
        check_shares_of(&mut scene, expected);
    };
    shares("a !b !c !d", 0.25, &[1.0, 0.0, 0.0, 0.0]);
    shares("a !b !c !d", 0.26, &[0.25; 4]);
    shares("!a !b", 0.01, &[0.5; 2]);
    // By weight.
    shares("a:3 !b:1 !c:1", 0.59, &[1.0, 0.0, 0.0]);
    shares("a:3 !b:1 !c:1", 0.61, &[0.6, 0.2, 0.2]);
}

#[test]
fn breakers_and_health_never_leave_a_pool_dark() {
    for strategy in all_strategies() {
        let mut scene = Scene::new(&strategy, "!a b !c:0 d@1");
        let now = scene.now;
        open(&mut scene, "b");
        assert_eq!(
            scene.picks(2),
            "d d",
            "{strategy:?}: one that is left has all"
        );
        open(&mut scene, "d");
        let chosen = scene.counts(1_000);
        assert_eq!(
            (chosen[2], chosen[3]),
            (0, 0),
            "{strategy:?}: as without breakers"
        );
        assert_eq!(chosen[0] + chosen[1], 1_000, "{strategy:?}");
        // An operator and a cool-down are believed, and the rest is all that there is.
        agree(&mut scene, "a", |agreed| {
            agreed.operator.set_circuit(Circuit::Open, None, now);
        });
        agree(&mut scene, "b", |agreed| {
            agreed.cool_down(now + MINUTE, now);
        });
        scene.pool.endpoints[3].enabled = false;
        assert_eq!(scene.picks(2), "c c", "{strategy:?}");
        scene.states[2] = scene.states[2].clone().limited(Limit::Fixed(0), 0);
        assert_eq!(scene.picks(2), "- -", "{strategy:?}");
    }
}

#[test]
fn without_panic_a_pool_of_which_nothing_is_available_refuses() {
    for strategy in all_strategies() {
        let mut scene = Scene::new(&strategy, "!a b");
        scene.pool.panic_threshold = None;
        open(&mut scene, "b");
        assert_eq!(scene.picks(2), "- -", "{strategy:?}");
    }
}

#[test]
fn what_is_stated_counts_neither_as_available_nor_as_missing() {
    let strategy = Strategy::WeightedRandom;
    let exclusions: [fn(&mut Scene, Instant); 4] = [
        |scene, _| scene.pool.endpoints[2].enabled = false,
        |scene, now| {
            agree(scene, "c", |agreed| {
                agreed.operator.set_circuit(Circuit::Open, None, now);
            });
        },
        |scene, now| agree(scene, "c", |agreed| agreed.cool_down(now + MINUTE, now)),
        |scene, _| {
            scene.states[2] = scene.states[2].clone().limited(Limit::Fixed(0), 0);
        },
    ];
    for exclude in exclusions {
        // Of a and b one half is available: not below the threshold, whatever c is.
        for (pool, threshold, shares) in [
            ("a !b c:8", 0.5, [1.0, 0.0, 0.0]),
            ("a !b c:8", 0.51, [0.5, 0.5, 0.0]),
            ("a b c:8", 1.0, [0.5, 0.5, 0.0]),
        ] {
            let mut scene = Scene::new(&strategy, pool);
            scene.pool.panic_threshold = Some(threshold);
            let now = scene.now;
            exclude(&mut scene, now);
            check_shares_of(&mut scene, &shares);
        }
    }
}

#[test]
fn a_disabled_endpoint_is_never_chosen() {
    for strategy in all_strategies() {
        let mut scene = Scene::new(&strategy, "a b");
        scene.pool.endpoints[0].enabled = false;
        assert_eq!(scene.picks_of_one_exchange(3), "b b b", "{strategy:?}");
        scene.state("b").agree(found(Health::Unhealthy));
        assert_eq!(scene.picks(2), "b b", "{strategy:?}: as the last resort");
        scene.pool.endpoints[1].enabled = false;
        assert_eq!(scene.picks(2), "- -", "{strategy:?}");
    }
}

#[test]
fn overprovisioning_says_how_soon_the_next_tier_takes_over() {
    let strategy = Strategy::WeightedRandom;
    for (overprovisioning, pool, shares) in [
        (1.0, "a !b c@1", &[0.5, 0.0, 0.5][..]),
        (2.0, "a !b c@1", &[1.0, 0.0, 0.0]),
        (1.0, "a:1 !b:3 c@1", &[0.25, 0.0, 0.75]),
        // A backup gets nothing while one endpoint of the tier before is available.
        (0.0, "a:1 !b:99 c@1", &[1.0, 0.0, 0.0]),
        (0.0, "!a !b c@1 !d@1 e@2", &[0.0, 0.0, 1.0, 0.0, 0.0]),
        (0.0, "!a !b@1 c@2", &[0.0, 0.0, 1.0]),
    ] {
        let mut scene = Scene::new(&strategy, pool);
        scene.pool.overprovisioning = overprovisioning;
        check_shares_of(&mut scene, shares);
    }
    for strategy in all_strategies() {
        let mut scene = Scene::new(&strategy, "a !b c@1");
        scene.pool.overprovisioning = 0.0;
        assert_eq!(scene.picks_of_one_exchange(2), "a c", "{strategy:?}");
    }
}

#[test]
fn panic_ignores_who_judges_and_not_an_operator() {
    let mut scene = Scene::new(&Strategy::WeightedRandom, "!a b c");
    scene.pool.panic_threshold = Some(1.0);
    let now = scene.now;
    agree(&mut scene, "b", |agreed| {
        agreed.cool_down(now + Duration::from_secs(60), now);
    });
    agree(&mut scene, "c", |agreed| {
        agreed.operator.set_circuit(Circuit::Open, None, now);
    });
    check_shares_of(&mut scene, &[1.0, 0.0, 0.0]);
    // Whom an operator has taken out is not counted as missing either.
    agree(&mut scene, "a", |agreed| *agreed = Agreed::default());
    agree(&mut scene, "b", |agreed| *agreed = Agreed::default());
    scene.pool.panic_threshold = Some(0.9);
    agree(&mut scene, "a", |agreed| {
        agreed.operator.set_circuit(Circuit::Open, None, now);
    });
    check_shares_of(&mut scene, &[0.0, 1.0, 0.0]);
}

#[test]
fn who_comes_back_gets_its_share_by_degrees_whatever_the_strategy() {
    for strategy in [
        Strategy::RoundRobin,
        Strategy::Random,
        Strategy::WeightedRandom,
    ] {
        let mut scene = Scene::new(&strategy, "a b c");
        scene.pool.slow_start = Duration::from_secs(30);
        let back = scene.now;
        agree(&mut scene, "c", |agreed| agreed.cool_down(back, back));
        // It takes part in this part of the choices, and gets a third of those; in turn, it takes
        // this part of its turns.
        let in_turn = strategy == Strategy::RoundRobin;
        for (seconds, part) in [(0, 0.1), (15, 0.5), (24, 0.8), (30, 1.0), (60, 1.0)] {
            scene.now = back + Duration::from_secs(seconds);
            let share = part / if in_turn { 2.0 + part } else { 3.0 };
            check_shares_of(
                &mut scene,
                &[(1.0 - share) / 2.0, (1.0 - share) / 2.0, share],
            );
        }
        // Without another endpoint it gets all.
        scene.now = back;
        for name in ["a", "b"] {
            agree(&mut scene, name, |agreed| agreed.health.fail_immediately());
        }
        check_shares_of(&mut scene, &[0.0, 0.0, 1.0]);
    }
}

#[test]
fn breakers_checks_and_cool_downs_all_give_back_slowly() {
    let policy = BreakerPolicy::default();
    let checks = CheckPolicy::default();
    let at = |seconds| Instant::ORIGIN + Duration::from_secs(seconds);
    assert_eq!(Agreed::default().returned(at(9)), None);
    let mut agreed = Agreed::default();
    agreed.health.take_finding(&checks, Finding::Healthy, at(1));
    assert_eq!(agreed.returned(at(9)), None, "it was never away");
    agreed.health.fail_immediately();
    agreed.health.take_finding(&checks, Finding::Healthy, at(2));
    assert_eq!(agreed.returned(at(9)), Some(at(2)));
    agreed.cool_down(at(3), at(0));
    assert_eq!(agreed.returned(at(2)), Some(at(2)));
    assert_eq!(agreed.returned(at(9)), Some(at(3)));
    let failing = BreakerPolicy {
        failure_threshold: 1,
        timeout: Duration::from_secs(1),
        ..policy
    };
    agreed.breaker.checked(&failing, false, at(4));
    agreed.breaker.checked(&failing, true, at(6));
    assert_eq!(agreed.returned(at(9)), Some(at(6)));
}

#[test]
fn who_is_full_takes_no_more_in_panic() {
    let mut scene = Scene::new(&Strategy::WeightedRandom, "!a !b");
    scene.pool.panic_threshold = Some(0.9);
    for state in &mut scene.states {
        *state = state.clone().limited(Limit::Fixed(1), 0);
    }
    let now = scene.now;
    let of = |scene: &Scene| {
        let tried = Tried::default();
        let candidates = Candidates::new(&scene.pool, &scene.states, &tried, 0, now);
        (candidates.iter().count(), candidates.overloaded())
    };
    assert_eq!(of(&scene), (2, false));
    scene.states[0].attempt_started();
    check_shares_of(&mut scene, &[0.0, 1.0]);
    scene.states[1].attempt_started();
    assert_eq!(of(&scene), (0, true));
    // Another exclusion comes first, but would not count in panic.
    let reported = scene.states[1].exclusion(&scene.pool.breaker, now);
    assert_eq!(reported, Some(Exclusion::Unhealthy));
}
