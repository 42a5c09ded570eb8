//! Tests of the circuit breaker: the language of its scripts, and what opens a closed one. Trials,
//! what outlives a state, properties and a naive model have files of their own.
//!
//! A script is a line of words that happen one after the other to a pool with one endpoint, driven
//! as the filter does it:
//!
//! | word | what happens |
//! |---|---|
//! | `s` `f` `r` `n` | an attempt is sent and ends at once: success, failure, 429, neutral |
//! | `w` `u` `k` | the same with 429, 503, 401, and the answer starts a cool-down |
//! | `>x` | an attempt named x is sent |
//! | `x:f` | attempt x ends, here with a failure |
//! | `ok` `bad` | a health check ends |
//! | `3*f` | the same as `f f f` |
//! | `+2s` `+5ms` | time passes |
//! | `\|` | the breaker is looked at, as after the last word |
//!
//! What is seen is one word a look: `closed`; `open`; `due` is open, but its time is over and a
//! trial would be admitted; `half-open` would admit another trial; `full` has no permit left.

mod model;
mod properties;
mod transitions;
mod trials;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use rand::{SeedableRng as _, rngs::Xoshiro256PlusPlus};

use super::*;
use crate::endpoint::{Agreed, Endpoint, EndpointIndex, EndpointState};
use crate::exchange::{Attempt, Exchange};
use crate::judge::Facts;
use crate::outcome::{Neutral, Outcome};
use crate::pool::{Pool, PoolState};
use crate::retry::idempotency::Repeatability;

/// The endpoint opens by its row only: 1 s, 2 s, 4 s, 5 s.
fn by_row() -> BreakerPolicy {
    BreakerPolicy {
        failure_threshold: 3,
        minimum_requests: u32::MAX,
        timeout: Duration::from_secs(1),
        max_timeout: Duration::from_secs(5),
        ..BreakerPolicy::default()
    }
}

/// It opens by the share of failures only: half of four or more.
fn by_rate() -> BreakerPolicy {
    BreakerPolicy {
        failure_threshold: u32::MAX,
        failure_rate: 0.5,
        minimum_requests: 4,
        ..by_row()
    }
}

/// It opens by the share of calls slower than a second only: half of four or more.
fn by_slowness() -> BreakerPolicy {
    BreakerPolicy {
        failure_rate: 2.0,
        slow_calls: Some(SlowCalls {
            duration: Duration::from_secs(1),
            rate: 0.5,
        }),
        ..by_rate()
    }
}

/// How long the permit of a script's trial is good.
const PERMIT: Duration = Duration::from_secs(10);

/// A pool of one endpoint, whose breaker no other worker uses.
struct Scene {
    pool: Pool,
    state: PoolState,
    agreed: Agreed,
    now: Instant,
    under_way: BTreeMap<String, Attempt>,
    trials: u64,
}

impl Scene {
    fn new(breaker: &BreakerPolicy) -> Self {
        let mut pool = Pool::new("pool", [Endpoint::new("a")].to_vec());
        pool.breaker = breaker.clone();
        Self {
            state: PoolState::new(&pool),
            pool,
            agreed: Agreed::default(),
            now: Instant::ORIGIN + Duration::from_secs(1_000),
            under_way: BTreeMap::new(),
            trials: 0,
        }
    }

    fn play(&mut self, script: &str) -> String {
        let mut looks = Vec::new();
        for word in script.split_whitespace() {
            if word == "|" {
                looks.push(self.look());
                continue;
            }
            let (times, word) = word.split_once('*').unwrap_or(("1", word));
            for _ in 0..times.parse().unwrap() {
                self.happen(word);
            }
        }
        if !script.ends_with('|') {
            looks.push(self.look());
        }
        looks.join(" ")
    }

    fn happen(&mut self, word: &str) {
        if let Some(span) = word.strip_prefix('+') {
            self.now = self.now + time(span);
        } else if let Some(name) = word.strip_prefix('>') {
            self.send(name);
        } else if let Some((name, outcome)) = word.split_once(':') {
            self.end(name, outcome);
        } else if let "ok" | "bad" = word {
            let breaker = &mut self.agreed.breaker;
            breaker.checked(&self.pool.breaker, word == "ok", self.now);
            self.agree();
        } else {
            self.send("");
            self.end("", word);
        }
    }

    fn send(&mut self, name: &str) {
        let repeatability = Repeatability {
            allowed: true,
            obstacle: None,
        };
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut exchange = Exchange::begin(
            &self.pool,
            &mut self.state,
            repeatability,
            None,
            None,
            self.now,
        );
        let choice = exchange
            .choose(&self.pool, &mut self.state, self.now, &mut rng)
            .unwrap();
        let pass = choice.free_pass.unwrap_or_else(|| {
            self.trials += 1;
            self.agreed
                .breaker
                .begin_trial(
                    &self.pool.breaker,
                    TrialId(self.trials),
                    self.now + PERMIT,
                    self.now,
                )
                .unwrap()
        });
        self.agree();
        let attempt =
            exchange.attempt(&self.pool, &mut self.state, choice.endpoint, pass, self.now);
        let before = self.under_way.insert(name.into(), attempt);
        assert!(before.is_none(), "{name} is under way");
    }

    fn end(&mut self, name: &str, outcome: &str) {
        let attempt = self.under_way.remove(name).unwrap();
        let cools = matches!(outcome, "w" | "u" | "k");
        let outcome = match outcome {
            "s" => Outcome::Answered(200),
            "f" | "u" => Outcome::Answered(503),
            "r" | "w" => Outcome::Answered(429),
            "k" => Outcome::Answered(401),
            "n" => Outcome::Neutral(Neutral::Unknown),
            other => panic!("{other} is no outcome"),
        };
        let facts = Facts {
            cools,
            ..outcome.into()
        };
        let judgement = self.state.record(&self.pool, &attempt, facts, self.now);
        if let Some(judgement) = judgement {
            judgement.apply(&self.pool, &mut self.agreed, self.now);
            self.agree();
        }
        self.state.end(attempt);
    }

    fn agree(&mut self) {
        let first = EndpointIndex::new(0).unwrap();
        let state = self.state.endpoint_mut(first).unwrap();
        state.agree(self.agreed.clone());
    }

    fn endpoint(&self) -> &EndpointState {
        self.state.endpoint(EndpointIndex::new(0).unwrap()).unwrap()
    }

    fn look(&self) -> &'static str {
        let breaker = &self.agreed.breaker;
        match (
            breaker.name(),
            breaker.admission(&self.pool.breaker, self.now),
        ) {
            (StateName::Closed, Admission::Free) => "closed",
            (StateName::Open, Admission::Refused) => "open",
            (StateName::Open, Admission::Trial) => "due",
            (StateName::HalfOpen, Admission::Trial) => "half-open",
            (StateName::HalfOpen, Admission::Refused) => "full",
            impossible => panic!("{impossible:?}"),
        }
    }
}

fn time(text: &str) -> Duration {
    match text.strip_suffix("ms") {
        Some(milliseconds) => Duration::from_millis(milliseconds.parse().unwrap()),
        None => Duration::from_secs(text.strip_suffix('s').unwrap().parse().unwrap()),
    }
}

/// A script shows these states.
#[track_caller]
fn check(policy: &BreakerPolicy, script: &str, expected: &str) {
    assert_eq!(Scene::new(policy).play(script), expected, "{script}");
}

#[test]
fn the_example_of_the_documentation() {
    let script = "+100ms f +100ms f +100ms | f +999ms | +1ms | +100ms f +1999ms | +1ms | +100ms s |
        +500ms 3*f +3999ms | +1ms | +1s s | +4s 3*f +999ms | +1ms |";
    let expected = "closed open due open due closed open due closed open due";
    check(&by_row(), script, expected);
}

#[test]
fn as_many_failures_in_a_row_as_the_threshold_open_it() {
    check(&by_row(), "f f | f |", "closed open");
    check(&BreakerPolicy::default(), "4*f | f |", "closed open");
    let at_once = BreakerPolicy {
        failure_threshold: 1,
        ..by_row()
    };
    check(&at_once, "| f |", "closed open");
}

#[test]
fn a_row_is_one_however_long_it_takes() {
    check(&by_row(), "f +1000s f +1000s | f |", "closed open");
}

#[test]
fn a_success_ends_the_row() {
    check(&by_row(), "f f s f f | f |", "closed open");
    check(&by_row(), "f s f s f s f f | f |", "closed open");
}

#[test]
fn what_says_nothing_neither_counts_in_the_row_nor_ends_it() {
    check(&by_row(), "f f 9*n | f |", "closed open");
}

#[test]
fn attempts_count_in_the_row_as_they_end_and_not_as_they_begin() {
    check(&by_row(), ">a f f a:s f f | f |", "closed open");
    check(&by_row(), ">a >b >c a:f b:f | c:f |", "closed open");
}

#[test]
fn too_many_requests_count_in_the_rate_and_not_in_the_row() {
    check(&by_row(), "9*r |", "closed");
    check(&by_row(), "f f r | f |", "closed open");
    check(&by_rate(), "r r r | r |", "closed open");
    check(&by_rate(), "s r f | r |", "closed open");
}

#[test]
fn too_many_requests_fail_a_trial() {
    check(&by_row(), "3*f +1s r |", "open");
}

#[test]
fn an_answer_that_starts_a_cool_down_says_nothing_to_the_breaker() {
    // Neither in the row, which it does not end either, nor in the rate.
    check(&by_row(), "9*w 9*u 9*k |", "closed");
    check(&by_row(), "f f w u k | f |", "closed open");
    check(&by_rate(), "9*w 9*u 9*k |", "closed");
    check(&by_rate(), "f f f 9*w 9*u 9*k | f |", "closed open");
    check(&by_rate(), "s s s 9*w f f | f |", "closed open");
    check(
        &by_slowness(),
        ">a >b >c >d +2s a:w b:u c:k d:w |",
        "closed",
    );
    // The permit of a trial is free again.
    check(&by_row(), "3*f +1s >a | a:w | s |", "full half-open closed");
    check(&by_row(), "3*f +1s >a | a:u | s |", "full half-open closed");
}

#[test]
fn the_failure_rate_counts_only_from_the_minimum_of_requests_on() {
    check(&by_rate(), "f f f | f |", "closed open");
    // 1 of 4, 2 of 5, 3 of 6.
    check(&by_rate(), "s s s f | f | f |", "closed closed open");
    check(
        &BreakerPolicy::default(),
        "8*s 4*f s 4*f s f | f |",
        "closed open",
    );
}

#[test]
fn the_failure_rate_forgets_what_has_left_the_window() {
    check(&by_rate(), "f f f +11s f f f | f |", "closed open");
    check(&by_rate(), "9*s +11s f f f | f |", "closed open");
}

#[test]
fn what_says_nothing_is_no_request_of_the_minimum() {
    check(&by_rate(), "f f f 9*n | f |", "closed open");
}

#[test]
fn what_says_nothing_opens_nothing_however_slow_it_is() {
    let mut scene = Scene::new(&by_slowness());
    scene.play(">a >b >c >x +2s a:s b:s c:s");
    // Other workers have published attempts as bad, so that the share is too high by now.
    let mut others = scene.endpoint().report(scene.now);
    others.active = 0;
    let first = EndpointIndex::new(0).unwrap();
    scene.state.endpoint_mut(first).unwrap().set_others(others);
    assert_eq!(scene.play("x:n |"), "closed");
}

#[test]
fn a_new_state_begins_without_statistics() {
    // Of the four failures that opened it nothing is left when it closes: it takes four again.
    check(&by_rate(), "4*f +1s s f f | f f |", "closed open");
}

#[test]
fn slow_calls_open_it_whether_they_succeed_or_fail() {
    let policy = by_slowness();
    check(
        &policy,
        ">a >b >c >d +1001ms a:s b:s c:s | d:s |",
        "closed open",
    );
    check(&policy, "s s >a >b +1001ms a:f | b:s |", "closed open");
    check(&policy, "s s >a >b +1001ms a:s | b:f |", "closed open");
}

#[test]
fn a_call_that_takes_the_duration_exactly_is_not_slow() {
    check(
        &by_slowness(),
        ">a >b >c >d +1s a:s b:s c:s d:s |",
        "closed",
    );
}

#[test]
fn without_slow_calls_in_the_policy_slowness_does_not_matter() {
    check(&by_rate(), ">a >b >c >d +20s a:s b:s c:s d:s |", "closed");
}
