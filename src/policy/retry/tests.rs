//! What is decided on each kind of failure, and why.

use super::*;
use crate::outcome::Neutral;
use rand::{SeedableRng as _, rngs::SmallRng};

const NOW: Instant = Instant::from_nanos(1_000);

fn policy() -> RetryPolicy {
    RetryPolicy {
        jitter: Jitter::None,
        ..RetryPolicy::default()
    }
}

fn ended(outcome: Outcome) -> Ended {
    Ended {
        attempt: 1,
        ending: outcome.into(),
        waited: Duration::ZERO,
        repeatability: Repeatability {
            allowed: true,
            obstacle: None,
        },
        untried_left: true,
        cooled: None,
        deadline: NOW + Duration::from_secs(60),
    }
}

/// An answer that requests a cool-down of this length.
fn asking(status: u16, cool_down: Duration) -> Ended {
    let outcome = Outcome::Answered(status);
    Ended {
        ending: Ending {
            requested: Some(cool_down),
            ..outcome.into()
        },
        ..ended(outcome)
    }
}

#[track_caller]
fn check(policy: &RetryPolicy, ended: &Ended, expected: Decision) {
    let mut rng = SmallRng::seed_from_u64(1);
    assert_eq!(decide(policy, ended, NOW, &mut rng), expected);
}

#[test]
fn each_objection_has_its_reason() {
    let policy = policy();
    let failed = ended(Outcome::Answered(503));
    check(&policy, &failed, Decision::Again(Duration::from_millis(25)));
    check(
        &policy,
        &ended(Outcome::Answered(404)),
        Decision::Stop(None),
    );
    check(
        &policy,
        &ended(Outcome::Neutral(Neutral::Unknown)),
        Decision::Stop(None),
    );
    let unwanted = Ending {
        conditions_hold: false,
        ..failed.ending
    };
    check(
        &policy,
        &Ended {
            ending: unwanted,
            ..failed
        },
        Decision::Stop(Some(Denial::Condition)),
    );
    check(
        &policy,
        &Ended {
            attempt: 3,
            ..failed
        },
        Decision::Stop(Some(Denial::Exhausted)),
    );
    check(
        &policy,
        &Ended {
            repeatability: Repeatability {
                allowed: false,
                obstacle: None,
            },
            ..failed
        },
        Decision::Stop(Some(Denial::Method)),
    );
    check(
        &policy,
        &Ended {
            repeatability: Repeatability {
                allowed: true,
                obstacle: Some(Denial::Grpc),
            },
            ..failed
        },
        Decision::Stop(Some(Denial::Grpc)),
    );
    check(
        &policy,
        &Ended {
            deadline: NOW + Duration::from_millis(25),
            ..failed
        },
        Decision::Stop(Some(Denial::Deadline)),
    );
}

#[test]
fn a_refused_connection_moves_on_at_once_if_there_is_somewhere_to_go() {
    let refused = ended(Outcome::ConnectFailure);
    check(&policy(), &refused, Decision::Again(Duration::ZERO));
    let delayed = Decision::Again(Duration::from_millis(25));
    check(
        &policy(),
        &Ended {
            untried_left: false,
            ..refused
        },
        delayed,
    );
    check(
        &RetryPolicy {
            immediate_failover: false,
            ..policy()
        },
        &refused,
        delayed,
    );
}

#[test]
fn an_endpoint_that_requests_a_cool_down_is_left_for_another() {
    let policy = policy();
    let throttled = asking(429, Duration::from_secs(2));
    check(&policy, &throttled, Decision::Again(Duration::ZERO));
    let nowhere = Ended {
        untried_left: false,
        cooled: Some(NOW + Duration::from_secs(2)),
        ..throttled
    };
    check(
        &policy,
        &nowhere,
        Decision::Again(Duration::from_millis(2_025)),
    );
    check(
        &policy,
        &Ended {
            deadline: NOW + Duration::from_secs(2),
            ..nowhere
        },
        Decision::Stop(Some(Denial::Deadline)),
    );
    // A request that is past, or is ignored, is no reason to hurry.
    let usual = Decision::Again(Duration::from_millis(25));
    check(&policy, &asking(429, Duration::ZERO), usual);
    let deaf = RetryPolicy {
        max_cool_down: None,
        ..policy
    };
    check(&deaf, &throttled, usual);
}

#[test]
fn a_cool_down_is_given_where_it_may_be_requested_and_up_to_a_limit() {
    let policy = policy();
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    for (status, requested, cool_down) in [
        (429, seconds(2), seconds(2)),
        (503, seconds(1_000_000), seconds(300)),
        (503, seconds(0), None),
        (429, None, None),
        (529, seconds(7), seconds(7)),
        (529, None, None),
        (500, seconds(2), None),
        (403, seconds(2), None),
        (200, seconds(2), None),
    ] {
        let outcome = Outcome::Answered(status);
        assert_eq!(
            policy.cool_down(outcome, requested),
            cool_down,
            "{status} {requested:?}"
        );
    }
}

#[test]
fn the_statuses_that_may_request_a_cool_down_are_a_matter_of_policy() {
    let policy = RetryPolicy {
        retry_after_statuses: Statuses::new([403..=403, 500..=599].to_vec()),
        ..policy()
    };
    let second = Some(Duration::from_secs(1));
    for (status, may) in [(403, true), (500, true), (503, true), (429, false)] {
        let outcome = Outcome::Answered(status);
        assert_eq!(policy.may_request(outcome), may, "{status}");
        assert_eq!(policy.may_cool_down(outcome), may, "{status}");
        let cool_down = second.filter(|_| may);
        assert_eq!(policy.cool_down(outcome, second), cool_down, "{status}");
    }
    assert!(!policy.may_request(Outcome::Reset));
}

#[test]
fn answers_that_name_no_time_may_be_given_a_cool_down() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let rules = |policy: RetryPolicy| RetryPolicy {
        cool_downs: [
            (Statuses::new([401..=402].to_vec()), Duration::from_secs(60)),
            (Statuses::new([400..=499].to_vec()), Duration::from_secs(9)),
        ]
        .to_vec(),
        ..policy
    };
    let policy = rules(policy());
    let deaf = RetryPolicy {
        max_cool_down: None,
        ..policy.clone()
    };
    for (status, requested, expected, unheard) in [
        (401, None, seconds(60), seconds(60)),
        (402, None, seconds(60), seconds(60)),
        (403, None, seconds(9), seconds(9)),
        // Its time is not read: it is none of `retry_after_statuses`.
        (401, seconds(5), seconds(60), seconds(60)),
        (429, None, seconds(9), seconds(9)),
        (429, seconds(5), seconds(5), seconds(9)),
        (429, seconds(1000), seconds(300), seconds(9)),
        // It names a time, which is over.
        (429, seconds(0), None, seconds(9)),
        (503, None, None, None),
        (200, None, None, None),
    ] {
        let outcome = Outcome::Answered(status);
        assert_eq!(policy.cool_down(outcome, requested), expected, "{status}");
        assert_eq!(deaf.cool_down(outcome, requested), unheard, "{status}");
    }
    assert_eq!(policy.cool_down(Outcome::Timeout, None), None);
    assert!(policy.may_cool_down(Outcome::Answered(401)));
    assert!(!policy.may_request(Outcome::Answered(401)));
    assert!(!policy.may_cool_down(Outcome::Answered(500)));
}

#[test]
fn throttling_has_delays_of_its_own() {
    let second = Duration::from_secs(1);
    let policy = RetryPolicy {
        throttling_backoff: Delays::fixed(second, second),
        ..policy()
    };
    let own = Decision::Again(second);
    check(&policy, &ended(Outcome::Answered(429)), own);
    check(&policy, &asking(503, Duration::ZERO), own);
    let usual = Decision::Again(Duration::from_millis(25));
    check(&policy, &ended(Outcome::Answered(503)), usual);
}

/// 4 n seconds.
#[derive(Debug)]
struct FourSeconds;

impl Backoff for FourSeconds {
    fn delay(&self, n: u8) -> Duration {
        Duration::from_secs(4) * n.into()
    }
}

#[test]
fn a_backoff_of_ones_own_keeps_to_the_rules() {
    let followed = |mut policy: RetryPolicy| {
        policy.follow(&FourSeconds);
        policy
    };
    let seconds = |seconds| Decision::Again(Duration::from_secs(seconds));
    let failed = ended(Outcome::Answered(503));
    let second = Ended {
        attempt: 2,
        ..failed
    };
    let throttled = ended(Outcome::Answered(429));
    let plain = followed(policy());
    check(&plain, &failed, seconds(4));
    check(&plain, &second, seconds(8));
    check(&plain, &throttled, seconds(4));
    let short = Ended {
        deadline: NOW + Duration::from_secs(8),
        ..second
    };
    check(&plain, &short, Decision::Stop(Some(Denial::Deadline)));
    let mut capped = policy();
    capped.bounds.max = Duration::from_secs(5);
    capped.throttling_bounds.base = Duration::from_secs(1);
    capped.throttling_backoff = Delays::fixed(Duration::from_secs(1), capped.bounds.max);
    let capped = followed(capped);
    check(&capped, &second, seconds(5));
    check(&capped, &throttled, seconds(1));
    let spread = followed(RetryPolicy::default());
    let mut rng = SmallRng::seed_from_u64(1);
    let Decision::Again(delay) = decide(&spread, &failed, NOW, &mut rng) else {
        panic!("a retry is due");
    };
    assert!(delay < Duration::from_secs(4), "{delay:?}");
}

#[test]
fn only_listed_transport_failures_are_tried_again() {
    let policy = RetryPolicy {
        transports: [Kind::Reset].to_vec(),
        ..policy()
    };
    assert!(policy.covers(Outcome::Reset));
    assert!(!policy.covers(Outcome::Timeout));
    assert!(!policy.covers(Outcome::ConnectFailure));
}
