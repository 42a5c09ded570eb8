//! What holds of exchanges whose retries the router makes, whatever a host does and when.

use std::time::Duration;

use proptest::prelude::{prop_assert, prop_assert_eq};
use proptest::proptest;
use steerage_policy::time::Instant;

use super::cases::routed;
use super::config;
use super::routing::{Fared, play};

/// The host's timer counts in milliseconds.
const TIMER: Duration = Duration::from_millis(2);

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_client_is_answered_exactly_once_and_in_time(case in routed()) {
        let outcomes = play(&case);
        for (request, fared) in case.requests.iter().zip(&outcomes.requests) {
            let Some(answered) = &fared.answered else { continue };
            prop_assert_eq!(answered.len(), 1, "{:#?}", outcomes.log);
            if fared.is_repeated_unasked {
                continue; // It was answered in time as far as the filter knows.
            }
            let deadline = Instant::ORIGIN + request.arrives + case.pool.timeouts.total();
            prop_assert!(answered[0] <= deadline + TIMER, "{:#?}", outcomes.log);
        }
    }

    #[test]
    fn no_more_is_sent_than_allowed_and_nothing_after_the_deadline(case in routed()) {
        let outcomes = play(&case);
        for (request, Fared { sent, .. }) in case.requests.iter().zip(&outcomes.requests) {
            let most = usize::from(case.pool.retry.max_attempts);
            prop_assert!(sent.len() <= most, "{:#?}", outcomes.log);
            let deadline = Instant::ORIGIN + request.arrives + case.pool.timeouts.total();
            prop_assert!(sent.iter().all(|at| *at < deadline), "{:#?}", outcomes.log);
        }
    }

    #[test]
    fn nothing_is_sent_early_or_released_twice_and_everything_ends(case in routed()) {
        let outcomes = play(&case);
        prop_assert!(outcomes.faults.is_empty(), "{:?}: {:#?}", outcomes.faults, outcomes.log);
    }

    #[test]
    fn nothing_is_left_behind(case in routed()) {
        let outcomes = play(&case);
        prop_assert_eq!(outcomes.active, 0, "{:#?}", outcomes.log);
    }

    #[test]
    fn the_same_seed_gives_the_same_actions_of_the_router(case in routed()) {
        prop_assert_eq!(play(&case), play(&case));
    }
}
