//! `random`, `weighted_random` and `health_based`: by draw.

use super::*;

#[test]
fn random_is_uniform_whatever_the_weights() {
    let mut scene = Scene::new(&Strategy::Random, "a:9 b:1 !c d:0.1");
    check_shares(&mut scene, &[1.0, 1.0, 0.0, 1.0]);
}

#[test]
fn random_does_not_take_turns() {
    // In turn no endpoint follows itself; at random one of four does every fourth time.
    let mut scene = Scene::new(&Strategy::Random, "a b c d");
    let picks: Vec<_> = (0..10_000).map(|_| scene.pick()).collect();
    let repeats = picks.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert!((2_300..=2_700).contains(&repeats), "{repeats}");
}

#[test]
fn weighted_random_follows_the_weights() {
    for (pool, parts) in [
        ("a:5 b:3 c:2", [5.0, 3.0, 2.0]),
        ("a:0.5 b:1.25 c:0.1", [0.5, 1.25, 0.1]),
        ("a:8 !b:8 c:2", [8.0, 0.0, 2.0]),
        ("a:8 b:0 c:2", [8.0, 0.0, 2.0]),
        ("a:8 b:8@1 c:2", [8.0, 0.0, 2.0]),
        ("a:1000000 b:1000000 c:0.000001", [1.0, 1.0, 0.0]),
    ] {
        check_shares(&mut Scene::new(&Strategy::WeightedRandom, pool), &parts);
    }
}

#[test]
fn weights_too_small_to_add_up_to_anything_count_alike() {
    let mut scene = Scene::new(&Strategy::HealthBased, "a:5e-324 b:5e-324");
    check_shares(&mut scene, &[1.0, 1.0]);
}

#[test]
fn health_based_counts_each_state_of_health_as_documented() {
    let mut scene = Scene::new(&Strategy::HealthBased, "a b c !d");
    scene.state("a").agree(found(Health::Healthy));
    scene.state("c").agree(found(Health::Degraded));
    check_shares(&mut scene, &[1.0, 0.5, 0.25, 0.0]);
}

#[test]
fn health_based_counts_the_weight() {
    check_shares(
        &mut Scene::new(&Strategy::HealthBased, "a:6 b:3 c:1"),
        &[6.0, 3.0, 1.0],
    );
}

#[test]
fn health_based_counts_the_success_rate() {
    let mut scene = Scene::new(&Strategy::HealthBased, "a b c");
    scene.answered("a", 10, 10);
    scene.answered("b", 10, 6);
    scene.failed("b", 10, 4);
    scene.answered("c", 10, 1);
    scene.failed("c", 10, 9);
    check_shares(&mut scene, &[1.0, 0.6, 0.1]);
}

#[test]
fn health_based_counts_the_speed_relative_to_the_fastest() {
    let mut scene = Scene::new(&Strategy::HealthBased, "a b c");
    scene.answered("a", 10, 1);
    scene.answered("b", 20, 1);
    scene.answered("c", 100, 1);
    check_shares(&mut scene, &[1.0, 0.5, 0.1]);
}

#[test]
fn health_based_takes_an_endpoint_without_history_for_an_average_one() {
    let mut scene = Scene::new(&Strategy::HealthBased, "a b c");
    scene.answered("a", 10, 1);
    scene.answered("b", 30, 1);
    check_shares(&mut scene, &[1.0, 10.0 / 30.0, 10.0 / 20.0]);
}

#[test]
fn health_based_multiplies_all_that_it_counts() {
    let mut scene = Scene::new(&Strategy::HealthBased, "a:1 b:2");
    scene.state("a").agree(found(Health::Healthy));
    scene.answered("a", 10, 9);
    scene.failed("a", 10, 1);
    scene.answered("b", 20, 4);
    // 1 × 1 × 0.9 × 1 against 2 × 0.5 × 1 × 0.5.
    check_shares(&mut scene, &[0.9, 0.5]);
}

#[test]
fn when_nothing_speaks_for_anybody_all_count_alike() {
    let mut scene = Scene::new(&Strategy::HealthBased, "a:5 b:1 c:1");
    for name in ["a", "b", "c"] {
        scene.failed(name, 10, 5);
    }
    check_shares(&mut scene, &[1.0, 1.0, 1.0]);
}

#[test]
fn health_based_forgets_failures_with_the_window() {
    let mut scene = Scene::new(&Strategy::HealthBased, "a b");
    scene.answered("a", 10, 5);
    scene.failed("b", 10, 5);
    check_shares(&mut scene, &[1.0, 0.0]);
    scene.now = scene.now + Duration::from_secs(11);
    check_shares(&mut scene, &[1.0, 1.0]);
}
