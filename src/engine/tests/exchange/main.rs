//! What holds of every exchange, whatever the policy and whatever becomes of its attempts.
//!
//! Each case is a stretch of a proxy's life: a random pool, some requests that overlap, and for
//! each attempt a random end. They are played by workers of the engine in virtual time, and
//! everything decided on the way is written down. Each test then looks through these records for
//! one promise. The rules are stated anew here, from the contract.
//!
//! The promises here hold with and without breakers that open; those about breakers are in
//! `breakers.rs`, those about the budget in `budgets.rs`. Where the router makes the retries, more
//! may happen in more orders: that is `by_router.rs`, with a player of its own.

mod breakers;
mod budgets;
mod by_router;
mod cases;
mod playing;
mod records;
mod routing;

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq};
use proptest::proptest;
use proptest::test_runner::RngSeed;
use steerage_policy::endpoint::EndpointIndex;
use steerage_policy::outcome::{Kind, Outcome};
use steerage_policy::retry::Decision;
use steerage_policy::retry::backoff::Backoff as _;
use steerage_policy::retry::jitter::Jitter;
use steerage_policy::retry::reason::Denial;

use cases::Case;
use playing::play;
use records::Record;

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

/// Whether the contract lets an attempt that ended like this be repeated at all.
fn may_be_repeated(case: &Case, ended: &Record) -> bool {
    let listed = match ended.outcome {
        Outcome::Answered(status) => case.statuses.contains(&status),
        Outcome::ConnectFailure => case.pool.retry.transports.contains(&Kind::ConnectFailure),
        Outcome::Reset => case.pool.retry.transports.contains(&Kind::Reset),
        Outcome::Timeout => case.pool.retry.transports.contains(&Kind::Timeout),
        Outcome::Event => true,
        Outcome::Grpc(_) | Outcome::Neutral(_) => false,
    };
    let nothing_was_sent = ended.outcome == Outcome::ConnectFailure;
    listed
        && ended.repeatability.obstacle.is_none()
        && (ended.repeatability.allowed || nothing_was_sent)
}

/// The promises, as tests of a module of their own.
macro_rules! promises {
    ($module:ident, $case:path) => {
        mod $module {
            use super::*;

            proptest! {
                #![proptest_config(config())]

                #[test]
                fn attempts_never_exceed_their_maximum(case in $case()) {
                    for record in play(&case).attempts {
                        prop_assert!(record.number <= case.pool.retry.max_attempts, "{:?}", record);
                    }
                }

                #[test]
                fn no_attempt_begins_at_the_deadline_or_after(case in $case()) {
                    for record in play(&case).attempts {
                        prop_assert!(record.begun.at < record.deadline, "{:?}", record);
                    }
                }

                #[test]
                fn no_attempt_is_given_time_beyond_the_deadline_or_its_read_timeout(case in $case()) {
                    for record in play(&case).attempts {
                        prop_assert!(record.ended <= record.deadline, "{:?}", record);
                        let took = record.ended.since(record.begun.at);
                        prop_assert!(took <= case.pool.timeouts.read(), "{:?}", record);
                    }
                }

                #[test]
                fn delays_never_exceed_their_maximum(case in $case()) {
                    for record in play(&case).attempts {
                        if let Decision::Again(delay) = record.decision {
                            prop_assert!(delay <= case.pool.retry.bounds.max, "{:?}", record);
                        }
                    }
                }

                #[test]
                fn nothing_is_repeated_that_may_not_be(case in $case()) {
                    for record in play(&case).attempts {
                        if let Decision::Again(_) = record.decision {
                            prop_assert!(may_be_repeated(&case, &record), "{:?}", record);
                        }
                    }
                }

                #[test]
                fn what_may_be_repeated_stops_only_for_want_of_attempts_time_or_budget(case in $case()) {
                    for record in play(&case).attempts {
                        let stopped_for_want = match record.decision {
                            Decision::Again(_) => continue,
                            Decision::Stop(Some(Denial::Exhausted)) => {
                                record.number == case.pool.retry.max_attempts
                            }
                            Decision::Stop(Some(Denial::Deadline)) => {
                                record.ended + case.pool.retry.bounds.max >= record.deadline
                            }
                            Decision::Stop(Some(Denial::Budget)) => case.pool.retry.budget.is_some(),
                            Decision::Stop(_) => false,
                        };
                        prop_assert!(stopped_for_want || !may_be_repeated(&case, &record), "{:?}", record);
                    }
                }

                #[test]
                fn a_refused_connection_moves_on_at_once_where_it_can(case in $case()) {
                    for record in play(&case).attempts {
                        let refused = record.outcome == Outcome::ConnectFailure;
                        let at_once = refused && record.untried > 0 && case.pool.retry.immediate_failover;
                        if let (true, Decision::Again(delay)) = (at_once, record.decision) {
                            prop_assert_eq!(delay, Duration::ZERO, "{:?}", record);
                        }
                    }
                }

                #[test]
                fn without_jitter_the_delay_is_that_of_the_backoff(case in $case()) {
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
                fn every_endpoint_is_tried_before_any_is_tried_again(case in $case()) {
                    let mut records = play(&case).attempts;
                    records.sort_by_key(|record| (record.request, record.number));
                    let mut tried: BTreeMap<usize, Vec<EndpointIndex>> = BTreeMap::new();
                    for record in records {
                        let tried = tried.entry(record.request).or_default();
                        let again = tried.contains(&record.endpoint);
                        prop_assert_eq!(again, record.begun.untried == 0, "{:?} after {:?}", record, tried);
                        tried.push(record.endpoint);
                    }
                }

                #[test]
                fn attempts_are_numbered_from_one_without_a_gap(case in $case()) {
                    let mut numbers: BTreeMap<usize, u8> = BTreeMap::new();
                    for record in play(&case).attempts {
                        let last = numbers.entry(record.request).or_default();
                        *last += 1;
                        prop_assert_eq!(record.number, *last, "{:?}", record);
                    }
                }

                #[test]
                fn what_counts_as_active_is_what_is_under_way(case in $case()) {
                    let records = play(&case);
                    for (under_way, active) in &records.active {
                        prop_assert_eq!(u32::try_from(*under_way), Ok(*active));
                    }
                    prop_assert_eq!(records.active.last(), Some(&(0, 0)));
                    prop_assert!(records.left.iter().all(|left| *left == 0), "{:?}", records.left);
                }

                #[test]
                fn the_same_seed_gives_the_same_decisions(case in $case()) {
                    prop_assert_eq!(play(&case), play(&case));
                }
            }
        }
    };
}

promises!(while_all_are_available, cases::steady);
promises!(while_breakers_open_and_close, cases::guarded);
