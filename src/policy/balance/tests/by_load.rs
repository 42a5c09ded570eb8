//! `power_of_two`, `least_connections` and `least_response_time`: by what is under way.
//!
//! Single choices are compared with the formula; what it leads to is seen under load, in virtual
//! time: a number of clients that each send the next request when the last one is answered.

use alloc::collections::BTreeMap;

use super::*;
use crate::exchange::{Attempt, Exchange};
use crate::pool::{Pool, PoolState};
use crate::retry::idempotency::Repeatability;

#[test]
fn power_of_two_takes_the_less_busy_of_two() {
    check(&Strategy::PowerOfTwo, "a+3 b+1", "b b b b");
    // (3 + 1) / 4 = 1 against (1 + 1) / 1 = 2.
    check(&Strategy::PowerOfTwo, "a:4+3 b+1", "a a a a");
    check(&Strategy::PowerOfTwo, "a+9", "a a");
    check(&Strategy::PowerOfTwo, "a+9 !b", "a a");
}

#[test]
fn power_of_two_draws_by_weight_where_all_are_equally_busy() {
    // (1 + 1) / 1 = (5 + 1) / 3: the first of the two drawn is chosen.
    let mut scene = Scene::new(&Strategy::PowerOfTwo, "a+1 b:3+5");
    check_shares(&mut scene, &[1.0, 3.0]);
}

#[test]
fn power_of_two_never_takes_the_busiest_and_looks_at_no_more_than_two() {
    // d is in no pair the better one. a is, wherever it is drawn: with chance 1 - 3/4 * 2/3 = 1/2.
    let mut scene = Scene::new(&Strategy::PowerOfTwo, "a b+1 c+2 d+3");
    check_shares(&mut scene, &[3.0, 2.0, 1.0, 0.0]);
}

#[test]
fn least_response_time_draws_by_weight_over_time_and_load() {
    for (pool, expected) in [
        ("a b c", [4.0, 2.0, 1.0]),
        ("a+3 b c", [1.0, 2.0, 1.0]),
        ("a+3 b+1 c", [1.0, 1.0, 1.0]),
        // Weights are relative: these are 1/2, 1 and 3/2.
        ("a:10 b:20 c:30", [2.0, 2.0, 1.5]),
        // 2 / (1 + 6/2) = 1/2 for each weight, as good as 1 / (1 + 1).
        ("a:4+6 b:1 c:1", [1.0, 0.5, 0.25]),
    ] {
        let mut scene = Scene::new(&Strategy::LeastResponseTime, pool);
        for (name, milliseconds) in [("a", 10), ("b", 20), ("c", 40)] {
            scene.answered(name, milliseconds, 3);
        }
        check_shares(&mut scene, &expected);
    }
}

#[test]
fn least_response_time_sees_load_even_where_the_clock_stands_still() {
    let mut scene = Scene::new(&Strategy::LeastResponseTime, "a+3 b+1 c+3");
    for name in ["a", "b", "c"] {
        scene.answered(name, 0, 3);
    }
    check_shares(&mut scene, &[1.0, 2.0, 1.0]);
}

#[test]
fn a_cold_endpoint_is_explored_before_its_turn_but_once_at_a_time() {
    let mut scene = Scene::new(&Strategy::LeastResponseTime, "a b c");
    scene.answered("a", 10, 3);
    scene.answered("b", 20, 3);
    assert_eq!(scene.picks(3), "c c c", "it is explored");
    scene.state("c").attempt_started();
    check_shares(&mut scene, &[2.0, 1.0, 0.0]);
    scene.state("c").attempt_ended();
    assert_eq!(scene.picks(1), "c", "it said nothing, so it is asked again");
    scene.answered("c", 20, 1);
    check_shares(&mut scene, &[2.0, 1.0, 1.0]);
}

#[test]
fn one_that_is_far_slower_than_the_best_is_not_drawn() {
    let mut scene = Scene::new(&Strategy::LeastResponseTime, "a b c");
    for (name, milliseconds) in [("a", 10), ("b", 80), ("c", 81)] {
        scene.answered(name, milliseconds, 3);
    }
    check_shares(&mut scene, &[8.0, 1.0, 0.0]);
    // But for want of a better one.
    let a = scene.index("a");
    scene.tried.add(a);
    check_shares(&mut scene, &[0.0, 81.0, 80.0]);
}

#[test]
fn one_whose_first_answer_is_slow_is_explored_until_it_has_said_more() {
    let mut scene = Scene::new(&Strategy::LeastResponseTime, "a b");
    scene.answered("a", 10, 3);
    scene.answered("b", 1_000, 1);
    assert_eq!(scene.picks(2), "b b");
    scene.answered("b", 10, 1);
    check_shares(&mut scene, &[1.0, 1.0]);
    let mut scene = Scene::new(&Strategy::LeastResponseTime, "a b");
    scene.answered("a", 10, 3);
    scene.answered("b", 1_000, 3);
    assert_eq!(scene.picks(3), "a a a");
}

#[test]
fn failures_make_an_endpoint_slow_and_its_good_answers_dear() {
    let mut scene = Scene::new(&Strategy::LeastResponseTime, "a b");
    scene.answered("a", 10, 4);
    scene.answered("b", 10, 3);
    scene.failed("b", 50, 1);
    // A failure alone counts as four good answers at most: 17.5 ms; and 4/3 of it for each success.
    check_shares(&mut scene, &[7.0, 3.0]);
    scene.failed("b", 100, 3);
    assert_eq!(scene.picks(3), "a a a");
}

#[test]
fn an_endpoint_without_news_is_explored_after_one_to_two_time_constants() {
    let mut scene = Scene::new(&Strategy::LeastResponseTime, "a b");
    scene.answered("b", 2_000, 3);
    scene.now = scene.now + DECAY;
    scene.answered("a", 10, 3);
    assert_eq!(scene.counts(1_000)[1], 0, "not before the first");
    scene.now = scene.now + DECAY / 4;
    check_shares(&mut scene, &[3.0, 1.0]);
    scene.now = scene.now + DECAY * 3 / 4;
    assert_eq!(scene.counts(1_000)[1], 1_000, "from the second on at once");
}

/// Clients that each send the next request as soon as the last one has ended.
pub(super) struct Load {
    pub(super) pool: Pool,
    state: PoolState,
    now: Instant,
    rng: Xoshiro256PlusPlus,
}

/// What an endpoint has borne in a while.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Borne {
    pub(super) attempts: u32,
    most_active: u32,
    /// Attempts under way, on average over the while.
    mean_active: f64,
}

impl Load {
    pub(super) fn new(strategy: Strategy, endpoints: &str) -> Self {
        let endpoints = endpoints.split_whitespace().map(|text| parsed(text).0);
        let mut pool = Pool::new("pool", endpoints.collect());
        pool.strategy = strategy;
        Self {
            state: PoolState::new(&pool),
            pool,
            now: Instant::ORIGIN,
            rng: Xoshiro256PlusPlus::seed_from_u64(1),
        }
    }

    /// Keeps `clients` busy for `seconds`. `answer` says what an endpoint does with an attempt that
    /// it gets: how many milliseconds it takes, and what comes of it.
    pub(super) fn run(
        &mut self,
        clients: usize,
        seconds: u64,
        answer: impl Fn(usize) -> (u64, Outcome),
    ) -> Vec<Borne> {
        let begin = self.now;
        let end = begin + Duration::from_secs(seconds);
        let mut borne: Vec<_> = self
            .pool
            .endpoints
            .iter()
            .map(|_| Borne::default())
            .collect();
        let mut under_way: BTreeMap<(Instant, u32), (Attempt, Outcome)> = BTreeMap::new();
        let mut sent = 0;
        while self.now < end {
            while under_way.len() < clients {
                let attempt = self.send();
                let position = attempt.endpoint().position();
                let (milliseconds, outcome) = answer(position);
                let took = Duration::from_millis(milliseconds);
                let tally = &mut borne[position];
                tally.attempts += 1;
                tally.most_active = tally
                    .most_active
                    .max(self.state.endpoints[position].active());
                tally.mean_active += took.as_secs_f64() / end.since(begin).as_secs_f64();
                under_way.insert((self.now + took, sent), (attempt, outcome));
                sent += 1;
            }
            let ((answered, _), (attempt, outcome)) = under_way.pop_first().unwrap();
            self.now = answered;
            // The breakers learn nothing: the strategy alone must cope with what happens.
            let _unheard = self
                .state
                .record(&self.pool, &attempt, outcome.into(), answered);
            self.state.end(attempt);
        }
        for (attempt, _) in under_way.into_values() {
            self.state.end(attempt);
        }
        borne
    }

    fn send(&mut self) -> Attempt {
        let repeatability = Repeatability {
            allowed: true,
            obstacle: None,
        };
        let mut exchange = Exchange::begin(
            &self.pool,
            &mut self.state,
            repeatability,
            None,
            None,
            self.now,
        );
        let choice = exchange
            .choose(&self.pool, &mut self.state, self.now, &mut self.rng)
            .unwrap();
        let pass = choice.free_pass.unwrap();
        exchange.attempt(&self.pool, &mut self.state, choice.endpoint, pass, self.now)
    }
}

pub(super) const GOOD: Outcome = Outcome::Answered(200);

#[test]
fn under_load_each_endpoint_gets_requests_in_proportion_to_weight_and_speed() {
    let mut load = Load::new(Strategy::LeastResponseTime, "a b:2 c");
    let borne = load.run(70, 20, |position| ([10, 20, 40][position], GOOD));
    let all: u32 = borne.iter().map(|each| each.attempts).sum();
    for (seen, expected) in borne.iter().zip([4.0, 4.0, 1.0]) {
        let error = f64::from(seen.attempts) / f64::from(all) / (expected / 9.0) - 1.0;
        assert!(error.abs() < 0.1, "{borne:?}");
    }
}

#[test]
fn under_load_least_connections_holds_requests_in_proportion_to_the_weight_alone() {
    let mut load = Load::new(Strategy::LeastConnections, "a b:2 c");
    let borne = load.run(80, 20, |position| ([10, 20, 40][position], GOOD));
    for (seen, expected) in borne.iter().zip([20.0, 40.0, 20.0]) {
        let error = (seen.mean_active - expected) / expected;
        assert!(error.abs() < 0.1, "{borne:?}");
    }
}

#[test]
fn an_endpoint_that_fails_fast_does_not_attract() {
    let mut load = Load::new(Strategy::LeastResponseTime, "a b c");
    load.run(4, 1, |_| (10, GOOD));
    let borne = load.run(4, 60, |position| match position {
        1 => (1, Outcome::Answered(503)),
        _ => (10, GOOD),
    });
    // Found out at once, explored whenever a time constant has passed, and no more.
    assert!(borne[1].attempts <= 8, "{borne:?}");
    assert!(
        borne[0].attempts > 5_000 && borne[2].attempts > 5_000,
        "{borne:?}"
    );
}

#[test]
fn a_pool_without_any_history_is_spread_over_evenly() {
    let mut load = Load::new(Strategy::LeastResponseTime, "a b c d");
    let borne = load.run(40, 1, |_| (1_000, GOOD));
    let most: Vec<_> = borne.iter().map(|each| each.most_active).collect();
    assert_eq!(most, [10, 10, 10, 10]);
}

#[test]
fn a_cold_endpoint_is_not_flooded_before_its_first_answer() {
    let mut load = Load::new(Strategy::LeastResponseTime, "a b c");
    load.state.endpoints[2].agree(found(Health::Unhealthy));
    load.run(30, 5, |_| (10, GOOD));
    load.state.endpoints[2].agree(found(Health::Healthy));
    // It takes a second for the first answer, a hundred times as long as the others: until then
    // it may not hold more than its part of the 30 requests.
    let borne = load.run(30, 1, |position| ([10, 10, 1_000][position], GOOD));
    assert!((1..=11).contains(&borne[2].most_active), "{borne:?}");
    assert!(borne[2].attempts <= 11, "{borne:?}");
}

#[test]
fn a_cold_endpoint_that_is_good_soon_gets_its_part() {
    let mut load = Load::new(Strategy::LeastResponseTime, "a b c");
    load.state.endpoints[2].agree(found(Health::Unhealthy));
    load.run(30, 5, |_| (10, GOOD));
    load.state.endpoints[2].agree(found(Health::Healthy));
    let borne = load.run(30, 5, |_| (10, GOOD));
    for each in &borne {
        assert!((each.mean_active - 10.0).abs() < 1.0, "{borne:?}");
    }
}

#[test]
fn a_slow_endpoint_is_explored_anew_each_time_constant_and_not_more() {
    let mut load = Load::new(Strategy::LeastResponseTime, "a b");
    load.run(4, 10, |position| ([10, 2_000][position], GOOD));
    let borne = load.run(4, 100, |position| ([10, 2_000][position], GOOD));
    assert!((5..=12).contains(&borne[1].attempts), "{borne:?}");
    assert_eq!(borne[1].most_active, 1, "{borne:?}");
}

#[test]
fn a_slow_endpoint_that_recovers_gets_its_part_again() {
    let mut load = Load::new(Strategy::LeastResponseTime, "a b");
    load.run(20, 30, |position| ([10, 2_000][position], GOOD));
    // From 2 s to 10 ms it takes a few explorations, each of which forgets two thirds.
    load.run(20, 90, |_| (10, GOOD));
    let borne = load.run(20, 10, |_| (10, GOOD));
    for each in &borne {
        assert!((each.mean_active - 10.0).abs() < 1.0, "{borne:?}");
    }
}

#[test]
fn an_endpoint_that_fails_fast_does_not_attract_under_high_load() {
    let mut load = Load::new(Strategy::LeastResponseTime, "a b c");
    let answer = |position| match position {
        1 => (1, Outcome::Answered(503)),
        _ => (10, GOOD),
    };
    // Long enough for every window to forget that b was good.
    load.run(64, 1, |_| (10, GOOD));
    load.run(64, 15, answer);
    let borne = load.run(64, 60, answer);
    let all: u32 = borne.iter().map(|each| each.attempts).sum();
    assert!(borne[1].attempts * 100 < all, "{borne:?}");
}

#[test]
fn an_endpoint_that_fails_fast_does_not_attract_before_the_others_have_answered() {
    let mut load = Load::new(Strategy::LeastResponseTime, "a b c");
    let borne = load.run(8, 5, |position| match position {
        1 => (1, Outcome::Answered(503)),
        _ => (2_000, GOOD),
    });
    assert!(borne[1].attempts <= 20, "{borne:?}");
}
