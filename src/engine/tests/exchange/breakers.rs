//! What holds of breakers and exchanges together, over all workers.

use std::collections::BTreeMap;

use proptest::prelude::{prop_assert, prop_assert_eq};
use proptest::proptest;
use steerage_policy::breaker::{Admission, StateName};
use steerage_policy::endpoint::EndpointIndex;
use steerage_policy::retry::reason::Denial;

use crate::cases::{Case, guarded, steady};
use crate::config;
use crate::playing::{SYNC_INTERVAL, play};

proptest! {
    #![proptest_config(config())]

    #[test]
    fn breakers_that_never_open_take_no_endpoint_away(case in steady()) {
        let mut records = play(&case);
        prop_assert_eq!(&records.refusals, &[]);
        records.attempts.sort_by_key(|record| (record.request, record.number));
        let mut tried: BTreeMap<usize, Vec<EndpointIndex>> = BTreeMap::new();
        let endpoints = &case.pool.endpoints;
        let drained = endpoints.iter().filter(|it| it.weight.is_drained()).count();
        // Drained ones are in use only where there is nothing else.
        let in_use = match endpoints.len() - drained {
            0 => drained,
            others => others,
        };
        for record in records.attempts {
            let tried = tried.entry(record.request).or_default();
            let left = in_use.saturating_sub(tried.len());
            prop_assert_eq!(record.begun.untried, left, "{:?} after {:?}", record, tried);
            tried.push(record.endpoint);
        }
    }

    #[test]
    fn no_attempt_goes_to_an_endpoint_whose_breaker_refuses(case in guarded()) {
        for record in play(&case).attempts {
            let begun = record.begun;
            prop_assert!(begun.known != Admission::Refused, "{:?}", record);
            if begun.agreed == Admission::Refused {
                // Its worker has not read of it yet, for one interval at most.
                prop_assert!(case.workers > 1 && begun.known == Admission::Free, "{:?}", record);
                prop_assert!(begun.at.since(begun.synced) < SYNC_INTERVAL, "{:?}", record);
            }
        }
    }

    #[test]
    fn a_worker_alone_is_never_behind(case in guarded()) {
        let alone = Case { workers: 1, ..case };
        for record in play(&alone).attempts {
            prop_assert_eq!(record.begun.known, record.begun.agreed, "{:?}", record);
        }
    }

    #[test]
    fn an_attempt_is_a_trial_exactly_where_the_breaker_asks_for_one(case in guarded()) {
        for record in play(&case).attempts {
            let begun = record.begun;
            let asked = begun.known == Admission::Trial && begun.agreed == Admission::Trial;
            prop_assert_eq!(begun.is_trial, asked, "{:?}", record);
        }
    }

    #[test]
    fn never_are_more_trials_under_way_than_permitted_over_all_workers(case in guarded()) {
        let permits = usize::try_from(case.pool.breaker.half_open_requests).unwrap();
        for look in play(&case).looks {
            prop_assert!(look.trials <= permits, "{:?}", look);
        }
    }

    #[test]
    fn every_permit_is_free_again_as_soon_as_its_trial_has_ended(case in guarded()) {
        let permits = usize::try_from(case.pool.breaker.half_open_requests).unwrap();
        for look in play(&case).looks {
            if look.state == StateName::HalfOpen {
                let free = look.admission == Admission::Trial;
                prop_assert_eq!(free, look.trials < permits, "{:?}", look);
            }
        }
    }

    #[test]
    fn traffic_returns_by_itself(case in guarded()) {
        let records = play(&case);
        for agreed in records.agreed {
            let later = agreed.breaker.open_until().unwrap_or(records.end);
            let admission = agreed.breaker.admission(&case.pool.breaker, later);
            prop_assert!(admission != Admission::Refused, "{:?}", agreed);
        }
    }

    #[test]
    fn an_exchange_is_refused_only_when_every_breaker_refuses_or_its_time_is_up(
        case in guarded(),
    ) {
        for refusal in play(&case).refusals {
            match refusal.reason {
                Denial::NoEndpointAvailable => prop_assert_eq!(refusal.available, 0, "{:?}", refusal),
                                Denial::Deadline => prop_assert!(refusal.at >= refusal.deadline, "{:?}", refusal),
                other => prop_assert!(false, "nothing else refuses: {:?}", other),
            }
        }
    }
}
