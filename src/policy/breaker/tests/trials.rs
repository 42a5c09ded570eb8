//! From open to half-open to closed: when trials are admitted, how many, and what they come to.

use super::*;

#[test]
fn an_open_one_refuses_until_its_time_is_over_and_admits_a_trial_exactly_then() {
    check(
        &by_row(),
        "3*f | +999ms | +1ms | >a |",
        "open open due full",
    );
    check(&by_row(), "3*f +1000s | s |", "due closed");
}

#[test]
fn no_more_trials_than_permitted_are_under_way_at_a_time() {
    for permits in 1..=3 {
        let policy = BreakerPolicy {
            half_open_requests: permits,
            success_threshold: 9,
            ..by_row()
        };
        let (script, expected) = match permits {
            1 => ("3*f +1s >a | a:s | >b |", "full half-open full"),
            2 => (
                "3*f +1s >a | >b | a:s | >c |",
                "half-open full half-open full",
            ),
            _ => (
                "3*f +1s >a >b | >c | b:n | >d |",
                "half-open full half-open full",
            ),
        };
        check(&policy, script, expected);
    }
}

#[test]
fn a_permit_is_freed_by_any_end_of_its_trial() {
    let policy = BreakerPolicy {
        success_threshold: 2,
        ..by_row()
    };
    check(&policy, "3*f +1s >a | a:s |", "full half-open");
    check(&policy, "3*f +1s >a | a:n |", "full half-open");
    check(&policy, "3*f +1s >a | a:f | +2s |", "full open due");
    check(&policy, "3*f +1s >a | a:r | +2s |", "full open due");
}

#[test]
fn a_permit_expires_when_nobody_frees_it() {
    check(
        &by_row(),
        "3*f +1s >a | +9999ms | +1ms | >b |",
        "full full half-open full",
    );
}

#[test]
fn a_trial_that_ends_after_its_permit_has_expired_takes_nobody_elses() {
    let policy = BreakerPolicy {
        success_threshold: 2,
        ..by_row()
    };
    // It is still an answer of this state, so it counts.
    check(
        &policy,
        "3*f +1s >a +10s >b | a:s | b:s |",
        "full full closed",
    );
    check(
        &policy,
        "3*f +1s >a +10s >b | a:n | b:n |",
        "full full half-open",
    );
    check(&policy, "3*f +1s >a +10s >b | a:f |", "full open");
}

#[test]
fn as_many_good_trials_as_the_threshold_close_it() {
    check(&by_row(), "3*f +1s s |", "closed");
    let policy = BreakerPolicy {
        success_threshold: 3,
        ..by_row()
    };
    check(&policy, "3*f +1s s s | s |", "half-open closed");
    check(&policy, "3*f +1s s n s n | s |", "half-open closed");
    check(
        &policy,
        "3*f +1s s s f | +2s s s | s |",
        "open half-open closed",
    );
}

#[test]
fn a_closed_one_begins_with_an_empty_row() {
    check(&by_row(), "3*f +1s s f f | f |", "closed open");
}
