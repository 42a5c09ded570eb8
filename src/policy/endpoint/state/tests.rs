//! What outcomes, other workers and agreements make of what is known.

use rand::{RngExt as _, SeedableRng as _, rngs::Xoshiro256PlusPlus};

use super::*;
use crate::breaker::{TrialId, Verdict};
use crate::health::{CheckPolicy, Finding};
use crate::judge::Facts;
use crate::outcome::{Neutral, Outcome};
use crate::stats::window::DEFAULT_LENGTH;

const DECAY: Duration = Duration::from_secs(10);
const NOW: Instant = Instant::from_nanos(1);
const TOOK: Duration = Duration::from_millis(1);
/// A failure counts as a second.
const PACE: Pace = Pace {
    usual: Some(Duration::from_millis(100)),
    decay: Duration::from_secs(10),
};

fn state() -> EndpointState {
    EndpointState::new(DEFAULT_LENGTH)
}

/// An attempt from the breaker's first state has ended.
fn record(state: &mut EndpointState, outcome: Outcome) {
    let pass = Breaker::default().free_pass();
    state.record(pass, outcome, TOOK, PACE, NOW);
}

/// One failure opens the breaker.
fn strict() -> BreakerPolicy {
    BreakerPolicy {
        failure_threshold: 1,
        ..BreakerPolicy::default()
    }
}

/// It has failed.
fn open_breaker(agreed: &mut Agreed, now: Instant) {
    let pass = agreed.breaker.free_pass();
    let failure = Verdict::Failure { consecutive: true };
    agreed.breaker.judge(&strict(), pass, failure, false, now);
}

#[test]
fn active_never_goes_below_zero_and_counts_all_workers() {
    let mut state = state();
    state.attempt_ended();
    assert_eq!(state.active(), 0);
    state.attempt_started();
    state.set_others(Others {
        active: 2,
        ..Others::default()
    });
    assert_eq!(state.active(), 3);
    assert_eq!(state.report(NOW).active, 1);
}

#[test]
fn a_fast_failure_is_remembered_as_its_penalty() {
    let mut state = state();
    record(&mut state, Outcome::Answered(503));
    assert_eq!(state.seconds(NOW), Some(1.0));
    assert_eq!(state.success_rate(NOW), 0.0);
    assert_eq!(state.totals().failures(), 1);
}

#[test]
fn who_is_overtaken_was_slow_and_did_not_fail() {
    let mut state = state().with_quantiles();
    record(&mut state, Outcome::Answered(200));
    state.overtaken(Duration::from_millis(100), NOW, DECAY);
    let slow = state.seconds(NOW);
    assert!(slow > Some(0.001), "{slow:?}");
    assert_eq!(state.totals().failures(), 0);
    // It might have been as fast as ever, had it been waited for.
    state.overtaken(Duration::from_millis(1), NOW, DECAY);
    assert_eq!(state.seconds(NOW), slow);
}

#[test]
fn neutral_outcomes_leave_no_mark() {
    let mut state = state();
    record(&mut state, Outcome::Neutral(Neutral::Unknown));
    assert_eq!(state.seconds(NOW), None);
    assert_eq!(state.success_rate(NOW), 1.0);
}

#[test]
fn averages_of_workers_are_weighted_by_their_attempts() {
    let mut state = state();
    record(&mut state, Outcome::Answered(200));
    let mut others = Others::default();
    for (seconds, successes) in [(0.004, 1), (0.007, 2)] {
        others.merge(&Others {
            active: 1,
            counts: Counts {
                successes,
                ..Counts::default()
            },
            seconds: Some(seconds),
            updated: Some(NOW + DECAY),
            last: Some((NOW, DECAY)),
            consecutive_successes: 3,
            share: Share::default(),
        });
    }
    assert_eq!((others.active, others.consecutive_successes), (2, 6));
    state.set_others(others);
    let seconds = state.seconds(NOW).unwrap();
    assert!(
        (seconds - (0.001 + 0.004 + 2.0 * 0.007) / 4.0).abs() < 1e-12,
        "{seconds}"
    );
    assert_eq!(state.silence(NOW + 2 * DECAY), Some(DECAY));
    assert_eq!(state.counts(NOW).successes, 4);
}

#[test]
fn a_cool_down_is_kept_whatever_breaker_and_health_say() {
    let policy = strict();
    let mut agreed = Agreed::default();
    open_breaker(&mut agreed, NOW);
    agreed.cool_down(NOW + DECAY, NOW);
    agreed.cool_down(NOW + Duration::from_secs(1), NOW);
    let mut state = state();
    state.agree(agreed);
    assert_eq!(state.exclusion(&policy, NOW), Some(Exclusion::CoolingDown));
    let later = NOW + DECAY;
    assert_eq!(
        state.exclusion(&policy, later),
        Some(Exclusion::BreakerOpen)
    );
}

#[test]
fn the_breaker_is_asked_before_health() {
    let policy = strict();
    let mut state = state();
    assert_eq!(state.exclusion(&policy, NOW), None);
    let mut agreed = Agreed::default();
    let checks = CheckPolicy::default();
    agreed.health.take_finding(&checks, Finding::Unhealthy, NOW);
    state.agree(agreed.clone());
    assert_eq!(state.exclusion(&policy, NOW), Some(Exclusion::Unhealthy));
    open_breaker(&mut agreed, NOW);
    state.agree(agreed.clone());
    assert_eq!(state.exclusion(&policy, NOW), Some(Exclusion::BreakerOpen));
    let later = NOW + policy.timeout;
    assert_eq!(state.exclusion(&policy, later), Some(Exclusion::Unhealthy));
    let trial = agreed
        .breaker
        .begin_trial(&policy, TrialId(1), later + DECAY, later);
    assert!(trial.is_some());
    state.agree(agreed);
    assert_eq!(
        state.exclusion(&policy, later),
        Some(Exclusion::BreakerOpen)
    );
}

#[test]
fn statistics_end_with_the_breakers_state() {
    let mut state = state();
    record(&mut state, Outcome::Answered(503));
    state.agree(Agreed::default());
    assert_eq!(state.counts(NOW).failures, 1, "nothing has changed");
    let mut agreed = Agreed::default();
    open_breaker(&mut agreed, NOW);
    state.agree(agreed);
    assert_eq!(state.counts(NOW).failures, 0);
}

#[test]
fn what_is_kept_between_choices_is_what_would_be_found_anew() {
    for seed in 0..200 {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let (mut state, mut agreed) = (state(), Agreed::default());
        let mut now = Instant::from_nanos(1_000_000_000_000);
        for _ in 0..40 {
            let time = Duration::from_millis(rng.random_range(1..2_000));
            match rng.random_range(0..7) {
                0 => now = now + 2 * time,
                // A clock may step back.
                1 => now = now.before(time),
                2 => state.overtaken(time, now, DECAY),
                3 => state.set_others(Others {
                    counts: Counts {
                        successes: rng.random_range(0..3),
                        failures: rng.random_range(0..3),
                        ..Counts::default()
                    },
                    seconds: rng.random_bool(0.5).then_some(time.as_secs_f64()),
                    ..Others::default()
                }),
                4 if rng.random_bool(0.2) => {
                    open_breaker(&mut agreed, now);
                    state.agree(agreed.clone());
                }
                _ => {
                    let status = if rng.random() { 200 } else { 503 };
                    let pass = agreed.breaker.free_pass();
                    state.record(pass, Outcome::Answered(status), time, PACE, now);
                }
            }
            let kept = (state.success_rate(now), state.seconds(now));
            let anew = state.clone();
            anew.recent.set(Recent::FORGOTTEN);
            let anew = (anew.success_rate(now), anew.seconds(now));
            assert_eq!(kept, anew, "seed {seed}");
        }
    }
}

#[test]
fn an_answer_that_starts_a_cool_down_is_no_good_one_and_no_matter_of_the_breaker() {
    for status in [401, 429, 503] {
        let mut state = state();
        record(&mut state, Outcome::Answered(200));
        let before = state.seconds(NOW).unwrap();
        let facts = Facts {
            cools: true,
            ..Outcome::Answered(status).into()
        };
        state.judged(Breaker::default().free_pass(), facts, TOOK / 10, PACE, NOW);
        let counts = state.counts(NOW);
        assert_eq!((counts.successes, counts.unwanted), (1, 1), "{status}");
        assert_eq!((counts.failures, counts.slow), (0, 0), "{status}");
        assert!(state.seconds(NOW).unwrap() >= before, "{status}: not fast");
        assert!(state.success_rate(NOW) < 1.0, "{status}");
        let policy = BreakerPolicy {
            minimum_requests: 2,
            ..BreakerPolicy::default()
        };
        assert!(!policy.is_exceeded(counts), "{status}");
        record(&mut state, Outcome::Answered(503));
        assert!(policy.is_exceeded(state.counts(NOW)), "{status}");
    }
}
