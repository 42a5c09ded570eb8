//! What holds for every breaker, whatever its policy and whatever happens to it.

use alloc::vec::Vec;

use proptest::prelude::{Just, ProptestConfig, any, prop_assert, prop_assert_eq, prop_oneof};
use proptest::strategy::Strategy as Generator;
use proptest::test_runner::RngSeed;
use proptest::{bool, collection, proptest, sample};

use super::model::Model;
use super::*;
use crate::stats::window::Counts;

/// The same cases in every run, so that a failure seen once is seen again; natively the variable
/// `PROPTEST_RNG_SEED` asks for others, `PROPTEST_CASES` for more.
fn config() -> ProptestConfig {
    let given = ProptestConfig::default();
    ProptestConfig {
        cases: if cfg!(target_arch = "wasm32") {
            128
        } else {
            given.cases.saturating_mul(2)
        },
        rng_seed: match given.rng_seed {
            RngSeed::Random => RngSeed::Fixed(3),
            fixed => fixed,
        },
        failure_persistence: None,
        ..given
    }
}

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
enum Step {
    Wait(Duration),
    /// Until a moment before the open time is over, to its end exactly, or a moment past it.
    WaitForTheEnd(u64),
    /// An attempt is sent, if the breaker admits it. The permit of a trial is good for so long.
    Send(Duration),
    /// One of the attempts under way ends.
    End(sample::Index, Verdict, bool),
    Check(bool),
}

fn verdict() -> impl Generator<Value = Verdict> {
    prop_oneof![
        4 => Just(Verdict::Success),
        6 => Just(Verdict::Failure { consecutive: true }),
        1 => Just(Verdict::Failure { consecutive: false }),
        1 => Just(Verdict::Neutral),
    ]
}

/// Times that meet each other often, so that what happens at the same moment is met too.
fn span() -> impl Generator<Value = Duration> {
    sample::select(&[0, 1, 250, 500, 1_000, 1_000, 2_000, 4_000, 20_000])
        .prop_map(Duration::from_millis)
}

fn step() -> impl Generator<Value = Step> {
    prop_oneof![
        2 => span().prop_map(Step::Wait),
        2 => (0_u64..3).prop_map(Step::WaitForTheEnd),
        6 => span().prop_map(Step::Send),
        6 => (any::<sample::Index>(), verdict(), bool::weighted(0.05))
            .prop_map(|(which, verdict, exceeded)| Step::End(which, verdict, exceeded)),
        1 => any::<bool>().prop_map(Step::Check),
    ]
}

fn policy() -> impl Generator<Value = BreakerPolicy> {
    let thresholds = (0_u32..5, 0_u32..4, 0_u32..4);
    let times = (
        sample::select(&[0, 500, 1_000, 1_500]),
        sample::select(&[0, 1_000, 3_000, 8_000, 100_000]),
    );
    (thresholds, times).prop_map(
        |((failures, trials, successes), (timeout, most))| BreakerPolicy {
            failure_threshold: failures,
            half_open_requests: trials,
            success_threshold: successes,
            max_open_fraction: 1.0,
            timeout: Duration::from_millis(timeout),
            max_timeout: Duration::from_millis(most),
            ..BreakerPolicy::default()
        },
    )
}

fn steps() -> impl Generator<Value = Vec<Step>> {
    collection::vec(step(), 1..80)
}

/// What no configuration lets through.
fn absurd_policy() -> impl Generator<Value = BreakerPolicy> {
    let number = || sample::select(&[0, 1, 2, u32::MAX]);
    let rate = || sample::select(&[f64::NAN, f64::NEG_INFINITY, -0.0, 0.5, 1.0, f64::INFINITY]);
    let time = || {
        let second = Duration::from_secs(1);
        sample::select(
            [
                Duration::ZERO,
                Duration::from_nanos(1),
                second,
                Duration::MAX,
            ]
            .to_vec(),
        )
    };
    let slow_calls = (time(), rate(), any::<bool>())
        .prop_map(|(duration, rate, on)| on.then_some(SlowCalls { duration, rate }));
    let numbers = (number(), number(), number(), number());
    (numbers, rate(), (time(), time(), time()), slow_calls).prop_map(
        |(numbers, failure_rate, times, slow_calls)| BreakerPolicy {
            failure_statuses: BreakerPolicy::default().failure_statuses,
            failure_threshold: numbers.0,
            minimum_requests: numbers.1,
            half_open_requests: numbers.2,
            success_threshold: numbers.3,
            failure_rate,
            window: times.0,
            timeout: times.1,
            max_timeout: times.2,
            slow_calls,
            max_open_fraction: 1.0,
        },
    )
}

/// Any time, forwards or backwards.
fn absurd_time() -> impl Generator<Value = Instant> {
    prop_oneof![
        Just(0),
        Just(u64::MAX),
        0_u64..3,
        0_u64..10_000_000_000,
        any::<u64>(),
    ]
    .prop_map(Instant::from_nanos)
}

/// An attempt that was admitted.
#[derive(Clone, Copy, Debug)]
struct Sent {
    pass: Pass,
    expires: Instant,
    /// Its number in the model.
    number: usize,
}

/// A breaker, the model beside it, and what is under way; both get the same steps.
struct Pair {
    policy: BreakerPolicy,
    breaker: Breaker,
    model: Model,
    now: Instant,
    under_way: Vec<Sent>,
    /// Attempts that have ended; their passes are of no more use but to test with.
    passes: Vec<Pass>,
    trials: u64,
}

impl Pair {
    fn new(policy: &BreakerPolicy) -> Self {
        Self {
            policy: policy.clone(),
            breaker: Breaker::default(),
            model: Model::new(policy),
            now: Instant::ORIGIN + Duration::from_secs(1_000),
            under_way: Vec::new(),
            passes: Vec::new(),
            trials: 0,
        }
    }

    /// Takes one step; whether both admit an attempt alike, if it is one.
    fn take(&mut self, step: Step) -> bool {
        let (policy, now) = (&self.policy, self.now);
        match step {
            Step::Wait(span) => self.now = now + span,
            Step::WaitForTheEnd(offset) => {
                if let Some(until) = self.breaker.open_until() {
                    let moment = Instant::from_nanos((until.as_nanos() + offset) - 1);
                    self.now = now.max(moment);
                }
            }
            Step::Send(span) => {
                let expires = now + span;
                self.trials += 1;
                let trial = TrialId(self.trials);
                let pass = self.breaker.begin_trial(policy, trial, expires, now);
                let number = self.model.send(expires, now);
                match (pass, number) {
                    (Some(pass), Some(number)) => self.under_way.push(Sent {
                        pass,
                        expires,
                        number,
                    }),
                    (None, None) => {}
                    _ => return false,
                }
            }
            Step::End(which, verdict, exceeded) if !self.under_way.is_empty() => {
                let which = which.index(self.under_way.len());
                let Sent { pass, number, .. } = self.under_way.swap_remove(which);
                self.breaker.judge(policy, pass, verdict, exceeded, now);
                self.model.end(number, verdict, exceeded, now);
                self.passes.push(pass);
            }
            Step::End(..) => {}
            Step::Check(good) => {
                self.breaker.checked(policy, good, now);
                self.model.check(good, now);
            }
        }
        true
    }

    /// Trials of the current state that are under way with a permit that is still good.
    fn trials_under_way(&self) -> usize {
        let current = |sent: &&Sent| {
            let generation = self.breaker.generation();
            sent.pass.generation == generation && sent.pass.trial().is_some()
        };
        let trials = self.under_way.iter().filter(current);
        trials.filter(|sent| self.now < sent.expires).count()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_breaker_is_what_the_contract_says(policy in policy(), steps in steps()) {
        let mut pair = Pair::new(&policy);
        for step in steps {
            prop_assert!(pair.take(step), "not admitted alike at {:?}: {:?}", step, pair.model);
            let Pair { breaker, model, now, .. } = &pair;
            prop_assert_eq!(breaker.name(), model.name(), "after {:?}: {:?}", step, model);
            prop_assert_eq!(breaker.open_until(), model.open_until(), "{:?}", model);
            prop_assert_eq!(breaker.failures_while_closed(), model.failures_while_closed(), "{:?}", model);
            let admission = breaker.admission(&policy, *now);
            prop_assert_eq!(admission, model.admission(*now), "{:?}", model);
        }
    }

    #[test]
    fn never_are_more_trials_under_way_than_permitted(policy in policy(), steps in steps()) {
        let mut pair = Pair::new(&policy);
        for step in steps {
            pair.take(step);
            let (trials, permits) = (pair.trials_under_way(), policy.half_open_requests.max(1));
            prop_assert!(trials <= usize::try_from(permits).unwrap(), "{}", trials);
            // And none is lost: as long as there are fewer, there is room for one more.
            if pair.breaker.name() == StateName::HalfOpen {
                let admitted = pair.breaker.admission(&policy, pair.now) == Admission::Trial;
                prop_assert_eq!(admitted, trials < usize::try_from(permits).unwrap());
            }
        }
    }

    #[test]
    fn permits_that_have_expired_do_not_pile_up(policy in policy(), steps in steps()) {
        let mut pair = Pair::new(&policy);
        for step in steps {
            pair.take(step);
            if let State::HalfOpen { permits, .. } = &pair.breaker.state {
                let most = usize::try_from(policy.half_open_requests.max(1)).unwrap();
                prop_assert!(permits.len() <= most, "{:?}", permits);
            }
        }
    }

    #[test]
    fn whatever_would_change_it_concerns_it(
        policy in policy(),
        steps in steps(),
        verdict in verdict(),
        exceeded in any::<bool>(),
    ) {
        let mut pair = Pair::new(&policy);
        for step in steps {
            pair.take(step);
            let under_way = pair.under_way.iter().map(|sent| sent.pass);
            let passes = under_way.chain(pair.passes.iter().copied());
            for pass in passes.chain([pair.breaker.free_pass()]) {
                let mut judged = pair.breaker.clone();
                judged.judge(&policy, pass, verdict, exceeded, pair.now);
                let concerned = pair.breaker.would_change(pass, verdict, exceeded);
                prop_assert!(concerned || judged == pair.breaker, "{:?} by {:?}", judged, pass);
            }
        }
    }

    #[test]
    fn a_healthy_endpoint_concerns_nobody(policy in policy(), successes in 0_usize..20) {
        let breaker = Breaker::default();
        for _ in 0..successes {
            let pass = breaker.free_pass();
            prop_assert!(!breaker.would_change(pass, Verdict::Success, false));
        }
        prop_assert_eq!(breaker.admission(&policy, Instant::ORIGIN), Admission::Free);
    }

    #[test]
    fn every_change_of_state_begins_a_generation(policy in policy(), steps in steps()) {
        let mut pair = Pair::new(&policy);
        for step in steps {
            let before = (pair.breaker.generation(), pair.breaker.name());
            let open_until = pair.breaker.open_until();
            pair.take(step);
            let same = pair.breaker.name() == before.1 && pair.breaker.open_until() == open_until;
            prop_assert!(same || pair.breaker.generation() != before.0);
        }
    }

    #[test]
    fn a_closed_one_never_waits_for_another_failure_to_open(
        policy in policy(),
        steps in steps(),
    ) {
        let mut pair = Pair::new(&policy);
        for step in steps {
            pair.take(step);
            prop_assert!(pair.breaker.failures_while_closed() < policy.failure_threshold.max(1));
        }
    }

    #[test]
    fn nothing_overflows(
        policy in absurd_policy(),
        steps in collection::vec((absurd_time(), step(), absurd_time()), 1..60),
        counts in (any::<u64>(), any::<u64>(), any::<u64>()),
    ) {
        let counts = Counts { successes: counts.0, failures: counts.1, unwanted: 0, slow: counts.2, micros: 0 };
        let exceeded = policy.is_exceeded(counts);
        let mut breaker = Breaker::default();
        let mut passes = Vec::new();
        for (now, step, expires) in steps {
            match step {
                Step::Check(good) => breaker.checked(&policy, good, now),
                Step::End(which, verdict, _) if !passes.is_empty() => {
                    let pass = passes.swap_remove(which.index(passes.len()));
                    breaker.judge(&policy, pass, verdict, exceeded, now);
                }
                _ => {
                    let trial = TrialId(expires.as_nanos());
                    passes.extend(breaker.begin_trial(&policy, trial, expires, now));
                }
            }
            let free = breaker.admission(&policy, now) == Admission::Free;
            prop_assert_eq!(free, breaker.name() == StateName::Closed);
            prop_assert!(breaker.failures_while_closed() < policy.failure_threshold.max(1));
        }
    }
}
