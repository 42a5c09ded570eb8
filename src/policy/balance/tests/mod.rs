//! Tests of the strategies, one file a family; here what they share, and the rules of who is a
//! candidate, which hold for every strategy.
//!
//! A pool is written in one line, e.g. `a:5 b:0 c@1 !d e+3`: a has weight 5, b is drained, c is in
//! tier 1, d is unavailable, e has 3 attempts under way. What is chosen reads the same way:
//! `a a e -`, where `-` stands for no choice.

mod at_random;
mod by_key;
mod by_load;
mod candidates;
mod fleet;
mod in_turn;
mod last_resort;
mod least_connections;
mod properties;
mod quick_answers;

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use rand::{RngExt as _, SeedableRng as _, rngs::Xoshiro256PlusPlus};

use super::*;
use crate::breaker::{BreakerPolicy, TrialId};
use crate::endpoint::{Agreed, Endpoint, EndpointState, Pace, Weight};
use crate::exchange::Tried;
use crate::health::{CheckPolicy, Finding, Health};
use crate::outcome::Outcome;
use crate::pool::Pool;
use crate::stats::window::DEFAULT_LENGTH;

const DECAY: Duration = Duration::from_secs(10);

/// Every strategy of the configuration.
fn all_strategies() -> [Strategy; StrategyName::ALL.len()] {
    StrategyName::ALL.map(|name| name.strategy(Some(HashOn::Path)).unwrap())
}

/// A pool, what is known of it, and a balancer that chooses from it.
#[derive(Debug)]
struct Scene {
    pool: Pool,
    states: Vec<EndpointState>,
    tried: Tried,
    balancer: Box<dyn Balancer>,
    key: Option<HashKey>,
    now: Instant,
    /// Not `SmallRng`, which is another generator on 32-bit machines: a test must see the same
    /// draws natively and as WebAssembly.
    rng: Xoshiro256PlusPlus,
}

impl Scene {
    fn new(strategy: &Strategy, text: &str) -> Self {
        let (endpoints, states) = text.split_whitespace().map(parsed).unzip();
        Self {
            pool: Pool::new("p", endpoints),
            states,
            tried: Tried::default(),
            balancer: strategy.balancer(DECAY),
            key: None,
            now: Instant::ORIGIN + Duration::from_secs(1_000),
            rng: Xoshiro256PlusPlus::seed_from_u64(1),
        }
    }

    fn pick(&mut self) -> Option<EndpointIndex> {
        let draw = if Candidates::needs_draw(&self.pool) {
            self.rng.random()
        } else {
            0
        };
        let candidates = Candidates::new(&self.pool, &self.states, &self.tried, draw, self.now);
        self.balancer
            .pick(&candidates, self.key, self.now, &mut self.rng)
    }

    /// The name of the choice, `-` for none.
    fn pick_name(&mut self) -> String {
        self.pick().map_or_else(
            || "-".to_string(),
            |index| self.pool.endpoints[index.position()].name.to_string(),
        )
    }

    fn picks(&mut self, count: usize) -> String {
        let names: Vec<_> = (0..count).map(|_| self.pick_name()).collect();
        names.join(" ")
    }

    /// As [`Scene::picks`], each choice being tried and failed within one exchange.
    fn picks_of_one_exchange(&mut self, count: usize) -> String {
        let names: Vec<_> = (0..count)
            .map(|_| {
                let name = self.pick_name();
                if name != "-" {
                    self.tried.add(self.index(&name));
                }
                name
            })
            .collect();
        names.join(" ")
    }

    /// How often each endpoint is chosen, in the order of the configuration.
    fn counts(&mut self, picks: u32) -> Vec<u32> {
        let mut counts: Vec<_> = self.pool.endpoints.iter().map(|_| 0).collect();
        for _ in 0..picks {
            if let Some(index) = self.pick() {
                counts[index.position()] += 1;
            }
        }
        counts
    }

    fn index(&self, name: &str) -> EndpointIndex {
        let position = self
            .pool
            .endpoints
            .iter()
            .position(|each| &*each.name == name);
        position.and_then(EndpointIndex::new).unwrap()
    }

    fn state(&mut self, name: &str) -> &mut EndpointState {
        let position = self.index(name).position();
        &mut self.states[position]
    }

    /// The endpoint has answered `count` times within `milliseconds` each, just now.
    fn answered(&mut self, name: &str, milliseconds: u64, count: u32) {
        let time = Duration::from_millis(milliseconds);
        self.record(name, Outcome::Answered(200), time, time, count);
    }

    /// The endpoint has failed `count` times a moment ago; each counts as `milliseconds`.
    fn failed(&mut self, name: &str, milliseconds: u64, count: u32) {
        let penalty = Duration::from_millis(milliseconds);
        self.record(name, Outcome::Answered(500), Duration::ZERO, penalty, count);
        self.now = self.now + penalty / 10; // Nothing lingers any more.
    }

    fn record(
        &mut self,
        name: &str,
        outcome: Outcome,
        time: Duration,
        penalty: Duration,
        count: u32,
    ) {
        let now = self.now;
        let pace = Pace {
            usual: Some(penalty / 10),
            decay: DECAY,
        };
        for _ in 0..count {
            let state = self.state(name);
            let pass = state.breaker().free_pass();
            state.record(pass, outcome, time, pace, now);
        }
    }
}

/// What all workers agree on once the first check of an endpoint has found it so.
fn found(health: Health) -> Agreed {
    let mut agreed = Agreed::default();
    let finding = match health {
        Health::Healthy => Finding::Healthy,
        Health::Degraded => Finding::Degraded,
        Health::Unhealthy => Finding::Unhealthy,
        Health::Unknown => return agreed,
    };
    let checks = CheckPolicy::default();
    agreed
        .health
        .take_finding(&checks, finding, Instant::ORIGIN);
    assert_eq!(agreed.health.health(Instant::ORIGIN), health);
    agreed
}

/// `!name:weight@priority+active`; all but the name may be left out.
fn parsed(text: &str) -> (Endpoint, EndpointState) {
    let rest = text.trim_start_matches('!');
    let (rest, active) = rest.split_once('+').unwrap_or((rest, "0"));
    let (rest, priority) = rest.split_once('@').unwrap_or((rest, "0"));
    let (name, weight) = rest.split_once(':').unwrap_or((rest, "1"));
    let mut endpoint = Endpoint::new(name);
    endpoint.weight = Weight::new(weight.parse().unwrap()).unwrap();
    endpoint.priority = priority.parse().unwrap();
    let mut state = EndpointState::new(DEFAULT_LENGTH);
    if text.starts_with('!') {
        state.agree(found(Health::Unhealthy));
    }
    for _ in 0..active.parse().unwrap() {
        state.attempt_started();
    }
    (endpoint, state)
}

/// The first choices from a pool are the expected ones.
#[track_caller]
fn check(strategy: &Strategy, pool: &str, expected: &str) {
    let count = expected.split_whitespace().count();
    assert_eq!(Scene::new(strategy, pool).picks(count), expected, "{pool}");
}

/// Of 10,000 choices each endpoint gets its part of the whole, give or take 2 % of the whole.
#[track_caller]
fn check_shares(scene: &mut Scene, parts: &[f64]) {
    let whole: f64 = parts.iter().sum();
    let counts = scene.counts(10_000);
    for (count, part) in counts.iter().zip(parts) {
        let (seen, expected) = (f64::from(*count) / 10_000.0, part / whole);
        assert!((seen - expected).abs() <= 0.02, "{counts:?} for {parts:?}");
    }
}

#[test]
fn without_an_available_endpoint_there_is_no_choice() {
    for strategy in all_strategies() {
        check(&strategy, "", "- -");
        let mut scene = Scene::new(&strategy, "!a !b:5");
        scene.pool.panic_threshold = None;
        assert_eq!(scene.picks(2), "- -", "{strategy:?}");
    }
}

#[test]
fn an_endpoint_whose_breaker_refuses_is_not_chosen_until_it_admits_a_trial() {
    for strategy in all_strategies() {
        let mut scene = Scene::new(&strategy, "a b@1");
        scene.pool.breaker.failure_threshold = 1;
        let mut agreed = Agreed::default();
        agreed
            .breaker
            .checked(&scene.pool.breaker, false, scene.now);
        scene.state("a").agree(agreed.clone());
        assert_eq!(scene.picks(2), "b b", "{strategy:?}: open");
        scene.now = scene.now + scene.pool.breaker.timeout;
        assert_eq!(scene.picks(2), "a a", "{strategy:?}: its time is over");
        let expires = scene.now + DECAY;
        let trial = TrialId(1);
        let pass = agreed
            .breaker
            .begin_trial(&scene.pool.breaker, trial, expires, scene.now);
        assert!(pass.is_some());
        scene.state("a").agree(agreed);
        assert_eq!(scene.picks(2), "b b", "{strategy:?}: its permit is taken");
    }
}

#[test]
fn the_only_available_endpoint_is_always_chosen() {
    for strategy in all_strategies() {
        check(&strategy, "!a b !c", "b b b b");
        check(&strategy, "!a b:0 !c", "b b b b");
        check(&strategy, "!a b@7+9 !c", "b b b b");
    }
}

#[test]
fn each_endpoint_is_tried_once_before_any_is_tried_again() {
    for strategy in all_strategies() {
        let mut scene = Scene::new(&strategy, "a:100 b:2 c:0.01 !d");
        let visited = scene.picks_of_one_exchange(3);
        let mut names: Vec<_> = visited.split(' ').collect();
        names.sort_unstable();
        assert_eq!(names, ["a", "b", "c"], "{strategy:?}");
        assert_ne!(scene.pick(), None, "{strategy:?} must go on");
    }
}

#[test]
fn a_drained_endpoint_is_chosen_only_when_nothing_else_is_left() {
    for strategy in all_strategies() {
        check(&strategy, "a:0 b:0.001 !c", "b b b b b b");
        check(&strategy, "a:0 !b !c", "a a a");
    }
}

#[test]
fn a_drained_endpoint_gets_no_retries() {
    for strategy in all_strategies() {
        let mut scene = Scene::new(&strategy, "a b:0 c@1");
        assert_eq!(scene.picks_of_one_exchange(4), "a c a a", "{strategy:?}");
        let mut scene = Scene::new(&strategy, "stable canary:0");
        let visited = scene.picks_of_one_exchange(3);
        assert_eq!(visited, "stable stable stable", "{strategy:?}");
        scene.state("stable").agree(found(Health::Unhealthy));
        assert_eq!(scene.picks(2), "canary canary", "{strategy:?}");
    }
}

#[test]
fn drained_endpoints_among_themselves_count_alike() {
    let at_random = [
        Strategy::LeastConnections,
        Strategy::Random,
        Strategy::WeightedRandom,
        Strategy::HealthBased,
        Strategy::ConsistentHash(HashOn::Path),
    ];
    for strategy in at_random {
        let mut scene = Scene::new(&strategy, "a:0 b:0 !c:5 d:0");
        check_shares(&mut scene, &[1.0, 1.0, 0.0, 1.0]);
    }
    check(&Strategy::RoundRobin, "a:0 b:0 c:0", "a b c a b c");
    check(&Strategy::WeightedRoundRobin, "a:0 b:0 c:0", "a b c a b c");
}

#[test]
fn a_higher_tier_is_used_only_when_the_lower_ones_have_nobody() {
    for strategy in all_strategies() {
        check(&strategy, "a@2 b@1+50 c:100@3", "b b b b");
        check(&strategy, "a@2 !b@1 c:100@3", "a a a a");
        check(&strategy, "!a@2 !b@1 c:100@3", "c c c c");
    }
}

#[test]
fn tiers_need_not_begin_at_zero_nor_be_in_order() {
    for strategy in all_strategies() {
        let mut scene = Scene::new(&strategy, "a@9 b@4294967295 c@5");
        assert_eq!(scene.picks_of_one_exchange(3), "c a b", "{strategy:?}");
    }
}

#[test]
fn all_tried_tells_whether_the_next_choice_is_a_second_try() {
    let mut scene = Scene::new(&Strategy::RoundRobin, "a b:0 !c");
    let mut seen = Vec::new();
    for _ in 0..3 {
        let candidates = Candidates::new(&scene.pool, &scene.states, &scene.tried, 0, scene.now);
        seen.push(candidates.all_tried());
        scene.picks_of_one_exchange(1);
    }
    assert_eq!(
        seen,
        [false, true, true],
        "a drained endpoint gets no retries"
    );
}
