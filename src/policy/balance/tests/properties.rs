//! What holds for every strategy, whatever the pool, its traffic and the draws.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use proptest::prelude::{Just, ProptestConfig, any, prop_assert, prop_assert_eq, prop_oneof};
use proptest::strategy::Strategy as Generator;
use proptest::test_runner::{RngSeed, TestCaseError};
use proptest::{collection, option, proptest, sample};
use rand::RngExt as _;

use super::*;

/// The same cases in every run, so that a failure seen once is seen again; natively the variable
/// `PROPTEST_RNG_SEED` asks for others, `PROPTEST_CASES` for more.
pub(super) fn config() -> ProptestConfig {
    let given = ProptestConfig::default();
    ProptestConfig {
        cases: if cfg!(target_arch = "wasm32") {
            64
        } else {
            given.cases
        },
        rng_seed: match given.rng_seed {
            RngSeed::Random => RngSeed::Fixed(20),
            fixed => fixed,
        },
        failure_persistence: None,
        ..given
    }
}

/// An endpoint in any state: weight, tier, health, attempts under way, past answers.
fn endpoint() -> impl Generator<Value = (f64, u32, Health, u32, Vec<(bool, u16)>)> {
    (
        prop_oneof![
            Just(0.0),
            Just(1.0),
            Just(0.1),
            Just(5e-324),
            Just(Weight::MAX),
            0.0..10.0,
        ],
        0_u32..3,
        sample::select(&[
            Health::Healthy,
            Health::Degraded,
            Health::Unknown,
            Health::Unhealthy,
        ]),
        0_u32..4,
        collection::vec((any::<bool>(), any::<u16>()), 0..3),
    )
}

/// One choice: which endpoint's health changes first, how much time passes, the request's key, and
/// whether the chosen one then fails and the same exchange goes on.
type Step = (usize, bool, u16, Option<u64>, bool);

fn steps() -> impl Generator<Value = Vec<Step>> {
    let step = (
        any::<usize>(),
        any::<bool>(),
        any::<u16>(),
        option::of(any::<u64>()),
        any::<bool>(),
    );
    collection::vec(step, 1..20)
}

type Endpoints = Vec<(f64, u32, Health, u32, Vec<(bool, u16)>)>;

fn scene(strategy: &Strategy, endpoints: &Endpoints, seed: u64) -> Scene {
    let mut scene = Scene::new(strategy, "");
    scene.rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    for (position, (weight, priority, health, active, answers)) in endpoints.iter().enumerate() {
        let name = position.to_string();
        let mut endpoint = Endpoint::new(&name);
        endpoint.weight = Weight::new(*weight).unwrap();
        endpoint.priority = *priority;
        scene.pool.endpoints.push(endpoint);
        scene.states.push(EndpointState::new(DEFAULT_LENGTH));
        scene.state(&name).agree(found(*health));
        for _ in 0..*active {
            scene.state(&name).attempt_started();
        }
        for (good, milliseconds) in answers {
            if *good {
                scene.answered(&name, u64::from(*milliseconds), 1);
            } else {
                scene.failed(&name, u64::from(*milliseconds), 1);
            }
        }
    }
    scene
}

/// Walks through the steps; at each, `inspect` sees the scene before the choice, and the choice.
fn walk(
    scene: &mut Scene,
    steps: &[Step],
    mut inspect: impl FnMut(&Scene, Option<usize>) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    for (changed, available, milliseconds, key, fails) in steps {
        let changed = changed % scene.states.len();
        scene.states[changed].agree(found(if *available {
            Health::Healthy
        } else {
            Health::Unhealthy
        }));
        scene.now = scene.now + Duration::from_millis(u64::from(*milliseconds));
        scene.key = key.map(|key| HashKey::of(&key.to_le_bytes()));
        let chosen = scene.pick();
        inspect(scene, chosen.map(EndpointIndex::position))?;
        match chosen {
            Some(index) if *fails => scene.tried.add(index),
            _ => scene.tried = Tried::default(),
        }
    }
    Ok(())
}

/// A choice is right: it is available, and no better one is, as the contract ranks them.
fn is_right(scene: &Scene, chosen: Option<usize>) -> Result<(), TestCaseError> {
    let healthy = |position: &usize| scene.states[*position].health(scene.now) != Health::Unhealthy;
    let panics = !(0..scene.states.len()).any(|position| healthy(&position));
    let mut left: Vec<_> = (0..scene.states.len())
        .filter(|position| panics || healthy(position))
        .collect();
    let Some(chosen) = chosen else {
        prop_assert!(left.is_empty(), "no choice although {:?} are there", left);
        return Ok(());
    };
    prop_assert!(left.contains(&chosen), "chosen although excluded");
    let drained = |position: usize| scene.pool.endpoints[position].weight.value() == 0.0;
    if left.iter().any(|&position| !drained(position)) {
        left.retain(|&position| !drained(position));
    }
    prop_assert!(
        left.contains(&chosen),
        "drained although {:?} are not",
        left
    );
    let tried = |position| scene.tried.contains(EndpointIndex::new(position).unwrap());
    if left.iter().any(|&position| !tried(position)) {
        left.retain(|&position| !tried(position));
    }
    prop_assert!(
        left.contains(&chosen),
        "tried again although {:?} are not",
        left
    );
    let tier = |position: usize| scene.pool.endpoints[position].priority;
    let best = left.iter().map(|&position| tier(position)).min();
    if Some(tier(chosen)) != best {
        // The lower tiers together must be too weak to carry all.
        let weight = |position: &usize| scene.pool.endpoints[*position].weight.value();
        let healthy = |position: &usize| panics || healthy(position);
        let lower: BTreeSet<u32> = (0..scene.states.len())
            .map(tier)
            .filter(|lower| *lower < tier(chosen))
            .collect();
        let carried = lower.into_iter().map(|lower| {
            let of_it = || (0..scene.states.len()).filter(move |&position| tier(position) == lower);
            let all: f64 = of_it().map(|position| weight(&position)).sum();
            let usable: f64 = of_it()
                .filter(healthy)
                .map(|position| weight(&position))
                .sum();
            if all > 0.0 {
                (1.4 * usable / all).min(1.0)
            } else {
                0.0
            }
        });
        prop_assert!(carried.sum::<f64>() < 1.0, "of a higher tier than need be");
    }
    Ok(())
}

fn choices(scene: &mut Scene, steps: &[Step]) -> Vec<Option<usize>> {
    let mut choices = Vec::new();
    let walked = walk(scene, steps, |_, chosen| {
        choices.push(chosen);
        Ok(())
    });
    assert!(walked.is_ok(), "{walked:?}");
    choices
}

/// For each strategy its two properties, as tests of their own.
macro_rules! properties {
    ($($strategy:expr, $right:ident, $deterministic:ident;)*) => {
        proptest! {
            #![proptest_config(config())]
            $(
                #[test]
                fn $right(
                    endpoints in collection::vec(endpoint(), 1..7),
                    steps in steps(),
                    seed in any::<u64>(),
                ) {
                    walk(&mut scene(&$strategy, &endpoints, seed), &steps, is_right)?;
                }

                #[test]
                fn $deterministic(
                    endpoints in collection::vec(endpoint(), 1..7),
                    steps in steps(),
                    seed in any::<u64>(),
                ) {
                    let [first, second] = [(); 2]
                        .map(|()| choices(&mut scene(&$strategy, &endpoints, seed), &steps));
                    prop_assert_eq!(first, second);
                }
            )*
        }
    };
}

properties! {
    Strategy::RoundRobin, round_robin_chooses_a_best_one, round_robin_is_deterministic;
    Strategy::WeightedRoundRobin,
        weighted_round_robin_chooses_a_best_one, weighted_round_robin_is_deterministic;
    Strategy::LeastConnections,
        least_connections_chooses_a_best_one, least_connections_is_deterministic;
    Strategy::LeastResponseTime,
        least_response_time_chooses_a_best_one, least_response_time_is_deterministic;
    Strategy::Random, random_chooses_a_best_one, random_is_deterministic;
    Strategy::WeightedRandom,
        weighted_random_chooses_a_best_one, weighted_random_is_deterministic;
    Strategy::HealthBased, health_based_chooses_a_best_one, health_based_is_deterministic;
    Strategy::ConsistentHash(HashOn::Path),
        consistent_hash_chooses_a_best_one, consistent_hash_is_deterministic;
    Strategy::PowerOfTwo, power_of_two_chooses_a_best_one, power_of_two_is_deterministic;
}

/// Answers with anything: an endpoint tried before, excluded or beyond the last one, or none.
#[derive(Debug)]
struct Careless;

impl Balancer for Careless {
    fn pick(
        &mut self,
        _candidates: &Candidates<'_>,
        _key: Option<HashKey>,
        _now: Instant,
        rng: &mut dyn Rng,
    ) -> Option<EndpointIndex> {
        let position = rng.random_range(0..10);
        EndpointIndex::new(position).filter(|_| position > 0)
    }
}

/// A balancer whose choices are checked, as those of every exchange are.
#[derive(Debug)]
struct Checked<T>(T);

impl<T: Balancer> Balancer for Checked<T> {
    fn pick(
        &mut self,
        candidates: &Candidates<'_>,
        key: Option<HashKey>,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Option<EndpointIndex> {
        choose(&mut self.0, candidates, key, now, rng)
    }
}

proptest! {
    #![proptest_config(config())]
    #[test]
    fn a_careless_balancer_chooses_a_best_one_all_the_same(
        endpoints in collection::vec(endpoint(), 1..7),
        steps in steps(),
        seed in any::<u64>(),
    ) {
        let mut scene = scene(&Strategy::Random, &endpoints, seed);
        scene.balancer = Box::new(Checked(Careless));
        walk(&mut scene, &steps, is_right)?;
    }

    #[test]
    fn the_choice_of_a_good_balancer_is_left_alone(
        endpoints in collection::vec(endpoint(), 1..7),
        steps in steps(),
        seed in any::<u64>(),
    ) {
        let expected = choices(&mut scene(&Strategy::LeastConnections, &endpoints, seed), &steps);
        let mut checked = scene(&Strategy::LeastConnections, &endpoints, seed);
        checked.balancer = Box::new(Checked(LeastConnections::default()));
        prop_assert_eq!(choices(&mut checked, &steps), expected);
    }
}

#[test]
fn the_same_seed_gives_these_choices_natively_and_as_webassembly() {
    let expected = [
        "a b c a b c a b c a b c",
        "a c a a b a c a a c a a",
        "a a b a a a b a a a b a",
        "c c b a a a a a a b c a",
        "a b b a c a b c a a b b",
        "c b a b a a c a a a c a",
        "c c a c a c c c a a c a",
        "c b a b a a c a a a c a",
        "a a a a a a a a a a a a",
    ];
    let seen = all_strategies().map(|strategy| {
        let mut scene = Scene::new(&strategy, "a:5 b:1 c:2+1 !d");
        scene.answered("a", 30, 1);
        scene.answered("b", 20, 1);
        scene.answered("c", 10, 1);
        scene.picks(12)
    });
    assert_eq!(seen, expected);
}
