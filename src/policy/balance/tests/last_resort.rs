//! Breakers and health never leave a pool dark: common failures, and what follows them.

use super::fleet::Fleet;
use super::*;
use crate::breaker::StateName;

const GOOD: Outcome = Outcome::Answered(200);
const BAD: Outcome = Outcome::Answered(503);
const PAUSE: Duration = Duration::from_millis(50);

fn at(seconds: f64) -> Instant {
    Instant::ORIGIN + crate::time::from_seconds(seconds)
}

/// Every breaker of a fleet has opened by a common failure that lasts from 2 to 3 s.
fn after_a_common_failure(strategy: Strategy, workers: usize, threshold: Option<f64>) -> Fleet {
    let mut fleet = Fleet::new(strategy, "a b c", &alloc::vec![4; workers], 1);
    fleet.pool.panic_threshold = threshold;
    let seen = fleet.run(3.0, PAUSE, |now, _| match now {
        now if now < at(2.0) => (5, GOOD),
        _ => (5, BAD),
    });
    assert!(!seen.failed.is_empty());
    for agreed in &fleet.agreed {
        assert_eq!(agreed.breaker.name(), StateName::Open, "{agreed:?}");
    }
    fleet
}

#[test]
fn a_second_of_common_failure_is_no_longer_an_outage_than_that() {
    for strategy in all_strategies() {
        for workers in [1, 2, 4] {
            let mut fleet = after_a_common_failure(strategy.clone(), workers, Some(0.0));
            let seen = fleet.run(2.0, PAUSE, |_, _| (5, GOOD));
            // What was under way, and waited for its retry, has the answers of before.
            assert!(
                seen.failed.iter().all(|failed| *failed < at(3.1)),
                "{strategy:?}, {workers}: {seen:?}"
            );
            // A strategy may avoid for a window what has failed last.
            fleet.run(10.0, 4 * PAUSE, |_, _| (5, GOOD));
            for agreed in &fleet.agreed {
                assert_eq!(agreed.breaker.name(), StateName::Closed, "{strategy:?}");
            }
        }
    }
}

#[test]
fn all_endpoints_are_in_use_again_and_not_the_first_that_came_back_alone() {
    for workers in [1, 4] {
        let mut fleet = after_a_common_failure(Strategy::RoundRobin, workers, Some(0.0));
        fleet.run(1.0, PAUSE, |_, _| (5, GOOD));
        let seen = fleet.run(5.0, PAUSE, |_, _| (5, GOOD));
        for endpoint in 0..3 {
            assert!((seen.share(endpoint) - 1.0 / 3.0).abs() < 0.03, "{seen:?}");
        }
    }
}

#[test]
fn one_that_stays_dead_is_left_to_the_others_that_come_back() {
    for workers in [1, 2, 4] {
        let mut fleet = after_a_common_failure(Strategy::RoundRobin, workers, Some(0.0));
        let answer = |_, endpoint| (5, if endpoint == 0 { BAD } else { GOOD });
        fleet.run(1.0, PAUSE, answer);
        assert_eq!(fleet.agreed[0].breaker.name(), StateName::Open);
        let seen = fleet.run(20.0, PAUSE, answer);
        assert!(seen.failed.is_empty(), "{:?}", seen.failed);
        assert_eq!(seen.first[0], 0, "{seen:?}");
    }
}

#[test]
fn without_panic_the_pool_waits_for_its_breakers() {
    let mut fleet = after_a_common_failure(Strategy::RoundRobin, 2, None);
    let seen = fleet.run(50.0, PAUSE, |_, _| (5, GOOD));
    assert_eq!(seen.served, 0);
}

#[test]
fn a_good_answer_from_before_the_breaker_opened_is_no_recovery() {
    let policy = BreakerPolicy {
        failure_threshold: 1,
        ..BreakerPolicy::default()
    };
    let mut agreed = Agreed::default();
    let before = agreed.breaker.free_pass();
    agreed.breaker.checked(&policy, false, at(1.0));
    assert!(!agreed.breaker.was_passed_over(before));
    assert!(agreed.breaker.was_passed_over(agreed.breaker.free_pass()));
}

#[test]
fn good_answers_of_the_last_resort_count_as_trials() {
    let policy = BreakerPolicy {
        failure_threshold: 1,
        success_threshold: 3,
        ..BreakerPolicy::default()
    };
    let mut breaker = Agreed::default().breaker;
    breaker.checked(&policy, false, at(1.0));
    assert_eq!(breaker.consecutive_failures(), 1);
    breaker.answered_all_the_same(&policy, at(2.0));
    assert_eq!(breaker.name(), StateName::HalfOpen);
    assert_eq!(breaker.consecutive_failures(), 0);
    let trial = breaker.begin_trial(&policy, TrialId(1), at(9.0), at(2.0));
    assert!(trial.is_some(), "a trial may begin");
    breaker.answered_all_the_same(&policy, at(3.0));
    let generation = trial.map(|trial| trial.generation());
    assert_eq!(
        generation,
        Some(breaker.generation()),
        "and is still judged"
    );
    breaker.answered_all_the_same(&policy, at(4.0));
    assert_eq!(breaker.name(), StateName::Closed);
    breaker.answered_all_the_same(&policy, at(5.0));
    assert_eq!(
        breaker.closed_since(),
        Some(at(4.0)),
        "nothing to recover from"
    );
}
