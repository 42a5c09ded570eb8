//! `round_robin` and `weighted_round_robin`: one after the other.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::{ProptestConfig, prop_assert_eq, proptest};
use proptest::{bool, collection};

use super::fleet::Fleet;
use super::properties::config;
use super::*;
use crate::pool::PoolState;

#[test]
fn round_robin_takes_turns_in_the_order_of_the_configuration() {
    check(&Strategy::RoundRobin, "e1 e2 e3", "e1 e2 e3 e1 e2 e3 e1");
}

#[test]
fn round_robin_does_not_look_at_weights() {
    check(&Strategy::RoundRobin, "a:9 b:1 c:0.1", "a b c a b c");
}

#[test]
fn round_robin_skips_unavailable_endpoints() {
    check(&Strategy::RoundRobin, "a !b c !d", "a c a c a");
    check(&Strategy::RoundRobin, "!a b c", "b c b c");
}

#[test]
fn an_endpoint_that_leaves_or_returns_shifts_nobodys_turn() {
    let mut scene = Scene::new(&Strategy::RoundRobin, "a b c d");
    assert_eq!(scene.picks(2), "a b");
    scene.state("c").agree(found(Health::Unhealthy));
    assert_eq!(scene.picks(1), "d", "c's turn goes to the next one");
    scene.state("c").agree(found(Health::Healthy));
    assert_eq!(scene.picks(4), "a b c d");
    scene.state("d").agree(found(Health::Unhealthy));
    assert_eq!(scene.picks(2), "a b", "the last one chosen may be gone");
}

#[test]
fn a_retry_takes_the_next_untried_one_and_leaves_the_turn_alone() {
    for strategy in [Strategy::RoundRobin, Strategy::WeightedRoundRobin] {
        let mut scene = Scene::new(&strategy, "a b c");
        for expected in ["a b c a", "b c a b", "c a b c", "a b c a"] {
            let visited = scene.picks_of_one_exchange(4);
            // Once all are tried, the next is any.
            assert_eq!(visited[..5], expected[..5], "{strategy:?}");
            scene.tried = Tried::default();
        }
    }
}

#[test]
fn retries_do_not_send_first_attempts_to_a_bad_endpoint() {
    for strategy in [Strategy::RoundRobin, Strategy::WeightedRoundRobin] {
        for workers in [1, 4] {
            let mut fleet = Fleet::new(strategy.clone(), "bad good", &alloc::vec![1; workers], 1);
            // However bad it is, its breaker stays closed.
            fleet.pool.breaker.failure_threshold = 1_000_000;
            fleet.pool.breaker.minimum_requests = 1_000_000;
            fleet.pool.retry.budget = None;
            let pause = Duration::from_millis(20);
            let seen = fleet.run(20.0, pause, |_, endpoint| match endpoint {
                0 => (2, Outcome::Answered(503)),
                _ => (5, Outcome::Answered(200)),
            });
            assert!((seen.share(0) - 0.5).abs() < 0.03, "{strategy:?}: {seen:?}");
            assert!(seen.retries[1] > 100 && seen.retries[0] == 0, "{seen:?}");
        }
    }
}

#[test]
fn a_canary_of_weight_0_gets_no_retries() {
    for strategy in all_strategies() {
        let mut fleet = Fleet::new(strategy.clone(), "stable canary:0", &[2], 1);
        fleet.pool.breaker.failure_threshold = 1_000_000;
        fleet.pool.breaker.minimum_requests = 1_000_000;
        let pause = Duration::from_millis(20);
        let seen = fleet.run(5.0, pause, |_, _| (2, Outcome::Answered(503)));
        assert_eq!((seen.first[1], seen.retries[1]), (0, 0), "{strategy:?}");
        assert!(seen.retries[0] > 10, "{strategy:?}: {seen:?}");
    }
}

/// Which endpoint each of many workers chooses first.
fn beginnings(strategy: &Strategy, pool: &str) -> Vec<u32> {
    let mut counts = vec![0; pool.split_whitespace().count()];
    for seed in 0..2_000 {
        let mut scene = Scene::new(strategy, pool);
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        scene.balancer.resume(Turn::Begin(rng.random()));
        counts[scene.pick().unwrap().position()] += 1;
    }
    counts
}

#[test]
fn a_turn_begins_at_a_random_place() {
    for (strategy, pool, shares) in [
        (Strategy::RoundRobin, "a b c d", &[0.25; 4][..]),
        (Strategy::WeightedRoundRobin, "a b c d", &[0.25; 4]),
        (Strategy::WeightedRoundRobin, "a:95 b:5", &[0.95, 0.05]),
        (
            Strategy::WeightedRoundRobin,
            "a:0.5 b:0.25 c:0.25",
            &[0.5, 0.25, 0.25],
        ),
        (Strategy::LeastConnections, "a:80 b:20", &[0.8, 0.2]),
    ] {
        let counts = beginnings(&strategy, pool);
        for (count, share) in counts.iter().zip(shares) {
            let error = f64::from(*count) / 2_000.0 - share;
            assert!(error.abs() < 0.04, "{strategy:?} {pool}: {counts:?}");
        }
    }
}

#[test]
fn one_worker_rotates_from_wherever_it_begins() {
    for strategy in [Strategy::RoundRobin, Strategy::WeightedRoundRobin] {
        for seed in 0..10_u8 {
            let mut scene = Scene::new(&strategy, "a b c");
            scene.balancer.resume(Turn::Begin(f64::from(seed) / 10.0));
            let picks = scene.picks(6);
            assert!("a b c a b c a b".contains(&picks), "{strategy:?}: {picks}");
        }
    }
}

/// A pool state under another configuration, as a reload makes it.
fn reloaded(
    strategy: &Strategy,
    pool: &str,
    before: &Pool,
    state: &PoolState,
) -> (Pool, PoolState) {
    let endpoints = pool.split_whitespace().map(|text| parsed(text).0);
    let mut pool = Pool::new("p", endpoints.collect());
    pool.strategy = strategy.clone();
    let mut next = PoolState::new(&pool);
    next.begin_at(0.7);
    next.resume(&pool, before, state);
    (pool, next)
}

fn first_attempts(pool: &Pool, state: &mut PoolState, count: usize, seed: u64) -> String {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let tried = Tried::default();
    let names: Vec<_> = (0..count)
        .map(|_| {
            let candidates = Candidates::new(pool, &state.endpoints, &tried, 0, Instant::ORIGIN);
            let chosen = state
                .balancer
                .pick(&candidates, None, Instant::ORIGIN, &mut rng);
            pool.endpoints[chosen.unwrap().position()].name.to_string()
        })
        .collect();
    names.join(" ")
}

#[test]
fn turns_survive_reloads_for_endpoints_that_stay() {
    for strategy in [Strategy::RoundRobin, Strategy::WeightedRoundRobin] {
        for seed in 0..8_u8 {
            let empty = Pool::new("p", Vec::new());
            let (pool, mut state) = reloaded(&strategy, "a b c d", &empty, &PoolState::new(&empty));
            state.begin_at(f64::from(seed) / 8.0);
            let before = first_attempts(&pool, &mut state, 6, 1);
            let (same, mut kept) = reloaded(&strategy, "a b c d", &pool, &state);
            let after = first_attempts(&same, &mut kept, 6, 99);
            let rotation = format!("{before} {after}");
            assert!(
                "a b c d a b c d a b c d a b c".contains(&rotation),
                "{strategy:?}: {rotation}"
            );
        }
    }
    // In another order, and without the last one chosen.
    let strategy = Strategy::RoundRobin;
    for (pool, expected) in [("d e a", "d e a"), ("e a", "e a e"), ("c x d", "x d c")] {
        let old = Pool::new("p", ["a", "b", "c", "d"].map(Endpoint::new).to_vec());
        let mut state = PoolState::new(&old);
        state
            .balancer
            .resume(Turn::After(EndpointIndex::new(2).unwrap()));
        let (new, mut state) = reloaded(&strategy, pool, &old, &state);
        assert_eq!(first_attempts(&new, &mut state, 3, 1), expected, "{pool}");
    }
}

#[test]
fn a_small_weight_gets_its_share_across_many_reloads() {
    let strategy = Strategy::WeightedRoundRobin;
    let mut pool = Pool::new("p", Vec::new());
    let mut state = PoolState::new(&pool);
    let mut canary = 0;
    for seed in 0..30 {
        let (next, mut kept) = reloaded(&strategy, "stable:95 canary:5", &pool, &state);
        let picks = first_attempts(&next, &mut kept, 8, seed);
        canary += picks.matches("canary").count();
        (pool, state) = (next, kept);
    }
    assert_eq!(canary, 12, "of 240");
    // A weight that changes is in force at once, and nothing is made up for.
    let (next, mut kept) = reloaded(&strategy, "stable:1 canary:1", &pool, &state);
    let picks = first_attempts(&next, &mut kept, 8, 1);
    assert_eq!(picks.matches("canary").count(), 4, "{picks}");
}

#[test]
fn round_robin_starts_again_in_a_tier_that_comes_back() {
    let mut scene = Scene::new(&Strategy::RoundRobin, "a@1 b c@1 d");
    assert_eq!(scene.picks(3), "b d b");
    scene.state("b").agree(found(Health::Unhealthy));
    scene.state("d").agree(found(Health::Unhealthy));
    assert_eq!(scene.picks(3), "c a c");
}

#[test]
fn weighted_round_robin_interleaves_as_nginx_does() {
    check(
        &Strategy::WeightedRoundRobin,
        "a:5 b:1 c:1",
        "a a b a c a a a a b a c a a",
    );
    check(&Strategy::WeightedRoundRobin, "a:2 b:1", "a b a a b a");
    check(&Strategy::WeightedRoundRobin, "a b c", "a b c a b c");
}

#[test]
fn any_window_as_long_as_the_sum_of_weights_holds_each_weight() {
    let mut scene = Scene::new(&Strategy::WeightedRoundRobin, "a:7 b:1 c:4 d:3");
    let picks: Vec<_> = (0..150).map(|_| scene.pick().unwrap().position()).collect();
    for window in picks.windows(15) {
        let count = |position| window.iter().filter(|&&each| each == position).count();
        assert_eq!([0, 1, 2, 3].map(count), [7, 1, 4, 3], "{window:?}");
    }
}

#[test]
fn fractional_weights_are_exact_in_the_long_run() {
    let mut scene = Scene::new(&Strategy::WeightedRoundRobin, "a:0.5 b:1.25 c:0.1");
    let counts = scene.counts(100_000);
    for (count, weight) in counts.iter().zip([0.5, 1.25, 0.1]) {
        let share = 100_000.0 * weight / 1.85;
        assert!((f64::from(*count) - share).abs() <= 1.0, "{counts:?}");
    }
}

#[test]
fn weights_of_very_different_size_are_exact_too() {
    let mut scene = Scene::new(&Strategy::WeightedRoundRobin, "a:1000000 b:10");
    assert_eq!(scene.counts(100_001), [100_000, 1]);
}

#[test]
fn an_unavailable_endpoint_takes_no_weight_and_gets_none_back() {
    let mut scene = Scene::new(&Strategy::WeightedRoundRobin, "a:2 b:1 c:5");
    scene.state("c").agree(found(Health::Unhealthy));
    assert_eq!(scene.counts(300), [200, 100, 0]);
    scene.state("c").agree(found(Health::Healthy));
    // Nothing is made up for: c would else get the next 375 choices all alone.
    assert_eq!(scene.counts(8), [2, 1, 5]);
}

/// Smooth weighted round robin by its definition and without any shortcut: the highest credit wins,
/// where a credit is everything that an endpoint was ever given less everything it has paid,
/// summed anew from the whole history for each choice, in whole numbers.
struct Reference {
    weights: Vec<i64>,
    /// Of each choice so far: who was available, and who was chosen.
    history: Vec<(Vec<bool>, usize)>,
}

impl Reference {
    fn pick(&mut self, available: Vec<bool>) -> Option<usize> {
        let given = |who: usize, there: &[bool]| if there[who] { self.weights[who] } else { 0 };
        let all = 0..self.weights.len();
        let credit = |who: usize| {
            let past = self.history.iter().map(|(there, chosen)| {
                let price: i64 = all.clone().map(|each| given(each, there)).sum();
                given(who, there) - if *chosen == who { price } else { 0 }
            });
            past.sum::<i64>() + given(who, &available)
        };
        let mut standing: Vec<_> = all
            .clone()
            .filter(|&who| available[who])
            .map(|who| (-credit(who), who))
            .collect();
        standing.sort_unstable();
        let (_, chosen) = *standing.first()?;
        self.history.push((available, chosen));
        Some(chosen)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: config().cases / 2, ..config() })]

    #[test]
    fn weighted_round_robin_equals_its_definition(
        weights in collection::vec(1_u32..=20, 1..=6),
        availability in collection::vec(collection::vec(bool::weighted(0.8), 6), 1..=60),
    ) {
        let mut scene = Scene::new(&Strategy::WeightedRoundRobin, "");
        scene.pool.panic_threshold = None;
        for weight in &weights {
            let mut endpoint = Endpoint::new("any");
            endpoint.weight = Weight::new(f64::from(*weight)).unwrap();
            scene.pool.endpoints.push(endpoint);
            scene.states.push(EndpointState::new(DEFAULT_LENGTH));
        }
        let mut reference = Reference {
            weights: weights.iter().copied().map(i64::from).collect(),
            history: vec![],
        };
        for available in availability {
            for (state, there) in scene.states.iter_mut().zip(&available) {
                state.agree(found(if *there { Health::Healthy } else { Health::Unhealthy }));
            }
            let expected = reference.pick(available[..weights.len()].to_vec());
            prop_assert_eq!(scene.pick().map(EndpointIndex::position), expected);
        }
    }

    #[test]
    fn weighted_round_robin_is_never_a_whole_turn_off(
        weights in collection::vec(0.01_f64..10.0, 2..=6),
    ) {
        let mut scene = Scene::new(&Strategy::WeightedRoundRobin, "");
        for weight in &weights {
            let mut endpoint = Endpoint::new("any");
            endpoint.weight = Weight::new(*weight).unwrap();
            scene.pool.endpoints.push(endpoint);
            scene.states.push(EndpointState::new(DEFAULT_LENGTH));
        }
        let total: f64 = weights.iter().sum();
        let mut counts = vec![0.0; weights.len()];
        for n in 1..=500 {
            counts[scene.pick().unwrap().position()] += 1.0;
            for (count, weight) in counts.iter().zip(&weights) {
                let fair = f64::from(n) * weight / total;
                // At most one turn early for each other endpoint that waits at the same time.
                let slack = weights.len() as f64 - 1.0;
                proptest::prop_assert!((count - fair).abs() <= slack, "{} for {}", count, fair);
            }
        }
    }
}

#[test]
fn equal_fractional_weights_take_strict_turns() {
    check(
        &Strategy::WeightedRoundRobin,
        "a:0.1 b:0.1 c:0.1",
        "a b c a b c a b c a",
    );
}
