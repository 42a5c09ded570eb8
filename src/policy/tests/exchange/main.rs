//! What holds of every exchange, whatever the policy and whatever becomes of its attempts.
//!
//! Each case is a stretch of one worker's life: a random pool, some requests that overlap, and for
//! each attempt a random end. They are driven through the public interface as the filter does it,
//! in virtual time, and everything decided on the way is written down. Each test then looks through
//! these records for one promise. The rules are stated anew here, from the contract.

mod cases;

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq};
use proptest::proptest;
use proptest::test_runner::RngSeed;
use rand::{SeedableRng as _, rngs::Xoshiro256PlusPlus};
use steerage_policy::balance::HashKey;
use steerage_policy::endpoint::EndpointIndex;
use steerage_policy::exchange::{Attempt, Exchange};
use steerage_policy::idempotency::Repeatability;
use steerage_policy::jitter::Jitter;
use steerage_policy::outcome::{Outcome, Transport};
use steerage_policy::pool::PoolState;
use steerage_policy::retry::{Decision, Stop};
use steerage_policy::time::Instant;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use cases::{Case, Fate, Request, case};

/// The same cases in every run, so that a failure seen once is seen again; natively the variable
/// `PROPTEST_RNG_SEED` asks for others, `PROPTEST_CASES` for more.
fn config() -> ProptestConfig {
    let given = ProptestConfig::default();
    ProptestConfig {
        cases: if cfg!(target_arch = "wasm32") {
            64
        } else {
            given.cases
        },
        rng_seed: match given.rng_seed {
            RngSeed::Random => RngSeed::Fixed(4),
            fixed => fixed,
        },
        failure_persistence: None,
        ..given
    }
}

/// One attempt, from beginning to end, and what was decided then.
#[derive(Clone, Debug, PartialEq)]
struct Record {
    request: usize,
    number: u8,
    endpoint: EndpointIndex,
    deadline: Instant,
    begun: Instant,
    ended: Instant,
    outcome: Outcome,
    repeatability: Repeatability,
    /// How many endpoints this exchange had not tried yet.
    untried: usize,
    decision: Decision,
}

/// Everything that one case came to.
#[derive(Clone, Debug, PartialEq)]
struct Records {
    attempts: Vec<Record>,
    /// After each event: attempts under way, and the sum of what the endpoints count as active.
    active: Vec<(usize, u32)>,
}

/// Plays a case through.
#[expect(
    clippy::unwrap_used,
    reason = "every endpoint of these pools is available"
)]
fn play(case: &Case) -> Records {
    let pool = &case.pool;
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(case.seed);
    let mut state = PoolState::new(pool);
    let mut exchanges: BTreeMap<usize, (Exchange, Vec<EndpointIndex>)> = BTreeMap::new();
    let mut under_way: BTreeMap<(Instant, usize), (Attempt, Fate, Instant)> = BTreeMap::new();
    let mut due: BTreeMap<(Instant, usize), &Request> = BTreeMap::new();
    for (id, request) in case.requests.iter().enumerate() {
        due.insert((Instant::ORIGIN + request.arrives, id), request);
    }
    let mut records = Records {
        attempts: Vec::new(),
        active: Vec::new(),
    };
    loop {
        let next_due = due.keys().next().copied();
        let next_end = under_way.keys().next().copied();
        let begins = match (next_due, next_end) {
            (None, None) => return records,
            (due, end) => due.is_some_and(|due| end.is_none_or(|end| due < end)),
        };
        if begins {
            let ((now, id), request) = due.pop_first().unwrap();
            let (exchange, tried) = exchanges.entry(id).or_insert_with(|| {
                let key = request.key.map(|key| HashKey::of(&key.to_le_bytes()));
                let repeatability = Repeatability {
                    allowed: true,
                    obstacle: None,
                };
                (Exchange::begin(pool, repeatability, key, now), Vec::new())
            });
            let attempt = exchange.attempt(pool, &mut state, now, &mut rng).unwrap();
            let fate = request
                .fates
                .get(tried.len())
                .or_else(|| request.fates.last());
            let mut fate = *fate.unwrap();
            tried.push(attempt.endpoint());
            if fate.took >= attempt.timeout() {
                fate.took = attempt.timeout();
                fate.outcome = Outcome::Timeout;
            }
            under_way.insert((now + fate.took, id), (attempt, fate, now));
        } else {
            let ((now, id), (attempt, fate, begun)) = under_way.pop_first().unwrap();
            let (exchange, tried) = exchanges.get_mut(&id).unwrap();
            exchange.repeatability = fate.repeatability;
            state.record(pool, &attempt, fate.outcome, now);
            let decision = exchange.ended(pool, &state, &attempt, fate.outcome, now, &mut rng);
            if let Decision::Again(delay) = decision {
                due.insert((now + delay, id), case.requests.get(id).unwrap());
            }
            let untried = |index: &usize| !tried.iter().any(|tried| tried.position() == *index);
            records.attempts.push(Record {
                request: id,
                number: attempt.number(),
                endpoint: attempt.endpoint(),
                deadline: exchange.deadline(),
                begun,
                ended: now,
                outcome: fate.outcome,
                repeatability: fate.repeatability,
                untried: (0..pool.endpoints.len()).filter(untried).count(),
                decision,
            });
            state.end(attempt);
        }
        let active = (0..pool.endpoints.len())
            .filter_map(|position| state.endpoint(EndpointIndex::new(position)?))
            .map(|endpoint| endpoint.active());
        records.active.push((under_way.len(), active.sum()));
    }
}

/// Whether the contract lets an attempt that ended like this be repeated at all.
fn may_be_repeated(case: &Case, ended: &Record) -> bool {
    let listed = match ended.outcome {
        Outcome::Answered(status) => case.statuses.contains(&status),
        Outcome::ConnectFailure => case
            .pool
            .retry
            .transports
            .contains(&Transport::ConnectFailure),
        Outcome::Reset => case.pool.retry.transports.contains(&Transport::Reset),
        Outcome::Timeout => case.pool.retry.transports.contains(&Transport::Timeout),
        Outcome::Neutral => false,
    };
    let nothing_was_sent = ended.outcome == Outcome::ConnectFailure;
    listed
        && ended.repeatability.obstacle.is_none()
        && (ended.repeatability.allowed || nothing_was_sent)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn attempts_never_exceed_their_maximum(case in case()) {
        for record in play(&case).attempts {
            prop_assert!(record.number <= case.pool.retry.max_attempts, "{:?}", record);
        }
    }

    #[test]
    fn no_attempt_begins_at_the_deadline_or_after(case in case()) {
        for record in play(&case).attempts {
            prop_assert!(record.begun < record.deadline, "{:?}", record);
        }
    }

    #[test]
    fn no_attempt_is_given_time_beyond_the_deadline_or_its_read_timeout(case in case()) {
        for record in play(&case).attempts {
            prop_assert!(record.ended <= record.deadline, "{:?}", record);
            let took = record.ended.since(record.begun);
            prop_assert!(took <= case.pool.timeouts.read(), "{:?}", record);
        }
    }

    #[test]
    fn delays_never_exceed_their_maximum(case in case()) {
        for record in play(&case).attempts {
            if let Decision::Again(delay) = record.decision {
                prop_assert!(delay <= case.pool.retry.bounds.max, "{:?}", record);
            }
        }
    }

    #[test]
    fn nothing_is_repeated_that_may_not_be(case in case()) {
        for record in play(&case).attempts {
            if let Decision::Again(_) = record.decision {
                prop_assert!(may_be_repeated(&case, &record), "{:?}", record);
            }
        }
    }

    #[test]
    fn what_may_be_repeated_stops_only_for_want_of_attempts_or_time(case in case()) {
        for record in play(&case).attempts {
            let stopped_for_want = match record.decision {
                Decision::Again(_) => continue,
                Decision::Stop(Stop::Exhausted) => {
                    record.number == case.pool.retry.max_attempts
                }
                Decision::Stop(Stop::Deadline) => {
                    record.ended + case.pool.retry.bounds.max >= record.deadline
                }
                Decision::Stop(_) => false,
            };
            prop_assert!(stopped_for_want || !may_be_repeated(&case, &record), "{:?}", record);
        }
    }

    #[test]
    fn a_refused_connection_moves_on_at_once_where_it_can(case in case()) {
        for record in play(&case).attempts {
            let refused = record.outcome == Outcome::ConnectFailure;
            let at_once = refused && record.untried > 0 && case.pool.retry.immediate_failover;
            if let (true, Decision::Again(delay)) = (at_once, record.decision) {
                prop_assert_eq!(delay, Duration::ZERO, "{:?}", record);
            }
        }
    }

    #[test]
    fn without_jitter_the_delay_is_that_of_the_backoff(case in case()) {
        let policy = &case.pool.retry;
        for record in play(&case).attempts {
            let refused = record.outcome == Outcome::ConnectFailure;
            let at_once = refused && record.untried > 0 && policy.immediate_failover;
            if let (Jitter::None, false, Decision::Again(delay)) =
                (policy.jitter, at_once, record.decision)
            {
                prop_assert_eq!(delay, policy.backoff.delay(record.number), "{:?}", record);
            }
        }
    }

    #[test]
    fn every_endpoint_is_tried_before_any_is_tried_again(case in case()) {
        let all = case.pool.endpoints.len();
        let mut tried: BTreeMap<usize, Vec<EndpointIndex>> = BTreeMap::new();
        for record in play(&case).attempts {
            let tried = tried.entry(record.request).or_default();
            let again = tried.contains(&record.endpoint);
            prop_assert_eq!(again, tried.len() >= all, "{:?} after {:?}", record, tried);
            tried.push(record.endpoint);
        }
    }

    #[test]
    fn attempts_are_numbered_from_one_without_a_gap(case in case()) {
        let mut numbers: BTreeMap<usize, u8> = BTreeMap::new();
        for record in play(&case).attempts {
            let last = numbers.entry(record.request).or_default();
            *last += 1;
            prop_assert_eq!(record.number, *last, "{:?}", record);
        }
    }

    #[test]
    fn what_counts_as_active_is_what_is_under_way(case in case()) {
        let records = play(&case);
        for (under_way, active) in &records.active {
            prop_assert_eq!(u32::try_from(*under_way), Ok(*active));
        }
        prop_assert_eq!(records.active.last(), Some(&(0, 0)));
    }

    #[test]
    fn the_same_seed_gives_the_same_decisions(case in case()) {
        prop_assert_eq!(play(&case), play(&case));
    }
}
