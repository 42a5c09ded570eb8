//! `least_connections`: single choices, and clients in front of several workers.

use alloc::vec::Vec;

use super::fleet::Fleet;
use super::*;
use crate::endpoint::Others;

const GOOD: Outcome = Outcome::Answered(200);

#[test]
fn least_connections_takes_the_fewest_under_way() {
    check(&Strategy::LeastConnections, "a+3 b+1 c+2", "b b b");
    check(&Strategy::LeastConnections, "a+3 !b+1 c+2", "c c c");
}

#[test]
fn least_connections_divides_by_the_weight() {
    // 3 / 2 = 1.5 against 2 / 1 = 2, although more is under way.
    check(&Strategy::LeastConnections, "a+2 b:2+3", "b b b");
    // 4 / 80 against 0 / 20: with one more b would have as much as a.
    check(&Strategy::LeastConnections, "a:80+4 b:20", "b b b");
    check(&Strategy::LeastConnections, "a:80+3 b:20+1", "a a a");
}

#[test]
fn least_connections_takes_turns_by_weight_where_one_more_decides() {
    check(
        &Strategy::LeastConnections,
        "a:2 b:3",
        "b a b a b b a b a b",
    );
    check(&Strategy::LeastConnections, "a+2 b+2 c+3", "a b a b");
    // 1 / 80 and 0 / 20: with one more b would have the most, without it has the least.
    let mut scene = Scene::new(&Strategy::LeastConnections, "a:80+1 b:20");
    check_shares(&mut scene, &[80.0, 20.0]);
}

#[test]
fn least_connections_divides_by_the_success_rate() {
    let mut scene = Scene::new(&Strategy::LeastConnections, "a b");
    scene.answered("a", 10, 50);
    scene.failed("a", 10, 50);
    scene.answered("b", 10, 100);
    check_shares(&mut scene, &[1.0, 2.0]);
    // At least 0.05 of the weight is left.
    let mut scene = Scene::new(&Strategy::LeastConnections, "a b");
    scene.failed("a", 10, 100);
    scene.answered("b", 10, 100);
    check_shares(&mut scene, &[1.0, 20.0]);
}

#[test]
fn least_connections_counts_what_other_workers_have() {
    let of = |own: &str, others: [u32; 2], workers| {
        let mut scene = Scene::new(&Strategy::LeastConnections, own);
        for (state, active) in scene.states.iter_mut().zip(others) {
            let mut others = Others {
                active,
                ..Others::default()
            };
            others.share.workers = workers;
            state.set_others(others);
        }
        scene.picks(4)
    };
    assert_eq!(of("a b", [1, 0], 0), "b b b b");
    assert_eq!(of("a b", [2, 0], 1), "b b b b", "its part of it is 1");
    assert_eq!(of("a+1 b", [0, 4], 1), "a a a a", "2");
    assert_eq!(of("a+1 b+1", [0, 8], 3), "a a a a", "2");
    assert_eq!(of("a+3 b+1", [0, 4], 3), "b b b b", "1");
}

#[test]
fn least_connections_gives_ties_in_proportion_to_the_weights() {
    let mut scene = Scene::new(&Strategy::LeastConnections, "a+1 b:2+3 c:0.5 d+2 e:1.5+2");
    check_shares(&mut scene, &[1.0, 2.0, 0.5, 0.0, 1.5]);
}

#[test]
fn least_connections_fills_endpoints_in_proportion_to_their_weights() {
    let mut scene = Scene::new(&Strategy::LeastConnections, "a:1 b:2 c:4");
    for _ in 0..700 {
        let chosen = scene.pick().unwrap();
        scene.states[chosen.position()].attempt_started();
    }
    let active = [0, 1, 2].map(|position: usize| scene.states[position].active());
    assert_eq!(active, [100, 200, 400]);
}

/// So many clients, one after the other to each worker.
fn spread(clients: usize, workers: usize) -> Vec<usize> {
    let of = |worker| (clients + worker) / workers;
    (0..workers).map(of).collect()
}

#[test]
fn workers_do_not_herd_by_least_connections() {
    for (workers, most) in [(1, 1.0), (2, 4.0), (4, 4.0), (8, 9.0)] {
        for seed in 1..4 {
            let clients = spread(24, workers);
            let mut fleet = Fleet::new(Strategy::LeastConnections, "a b", &clients, seed);
            let answer = |_, endpoint| ([30, 300][endpoint], GOOD);
            fleet.run(3.0, Duration::ZERO, answer);
            let seen = fleet.run(20.0, Duration::ZERO, answer);
            assert!(seen.gap <= most, "{workers} workers: {}", seen.gap);
        }
    }
    // Clients need not be spread evenly.
    let mut fleet = Fleet::new(Strategy::LeastConnections, "a b", &[11, 7, 5, 1], 1);
    let answer = |_, endpoint| ([30, 300][endpoint], GOOD);
    fleet.run(3.0, Duration::ZERO, answer);
    let seen = fleet.run(20.0, Duration::ZERO, answer);
    assert!(seen.gap <= 4.0, "{}", seen.gap);
}

#[test]
fn equally_fast_endpoints_get_their_weights_share_at_any_load() {
    for strategy in [Strategy::LeastConnections, Strategy::WeightedRoundRobin] {
        for clients in [1, 2, 4, 32] {
            for workers in [1, 2, 4] {
                let clients = spread(clients, workers);
                let mut fleet = Fleet::new(strategy.clone(), "a:80 b:20", &clients, 1);
                let seen = fleet.run(20.0, Duration::ZERO, |_, _| (10, GOOD));
                let share = seen.share(0);
                assert!(
                    (share - 0.8).abs() < 0.02,
                    "{strategy:?} {clients:?}: {share}"
                );
            }
        }
    }
}
