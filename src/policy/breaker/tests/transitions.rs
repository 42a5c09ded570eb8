//! What outlives a state: the growing open time, answers that come late, and checks, which come
//! unasked.

use alloc::format;

use super::*;

/// As [`by_row`], with trials enough that one of them can be late.
fn two_trials() -> BreakerPolicy {
    BreakerPolicy {
        half_open_requests: 2,
        success_threshold: 2,
        ..by_row()
    }
}

#[test]
fn a_failed_trial_reopens_it_for_double_the_time_up_to_the_maximum() {
    let script = "3*f +999ms | +1ms | f +1999ms | +1ms | f +3999ms | +1ms |
        f +4999ms | +1ms | f +4999ms | +1ms |";
    let expected = "open due open due open due open due open due";
    check(&by_row(), script, expected);
}

#[test]
fn a_maximum_below_the_first_open_time_does_not_shorten_it() {
    let policy = BreakerPolicy {
        max_timeout: Duration::ZERO,
        ..by_row()
    };
    check(
        &policy,
        "3*f +999ms | +1ms | f +999ms | +1ms |",
        "open due open due",
    );
}

#[test]
fn growth_goes_on_without_real_recovery() {
    // Closed for a moment less than it was open.
    let script = "3*f +1s s +999ms 3*f +1999ms | +1ms s +1999ms 3*f +3999ms | +1ms |";
    check(&by_row(), script, "open open due");
}

#[test]
fn growth_starts_over_once_it_was_closed_as_long_as_it_was_open_last() {
    check(&by_row(), "3*f +1s s +1s 3*f +999ms | +1ms |", "open due");
    check(
        &by_row(),
        "3*f +1s f +2s s +2s 3*f +999ms | +1ms |",
        "open due",
    );
    check(
        &by_row(),
        "3*f +1s f +2s s +1999ms 3*f +3999ms | +1ms |",
        "open due",
    );
}

#[test]
fn only_time_spent_closed_is_recovery() {
    // It waits for its trial for a long time, or is half-open for as long.
    check(&by_row(), "3*f +1000s f +1999ms | +1ms |", "open due");
    check(
        &two_trials(),
        "3*f +1s s +1000s f +1999ms | +1ms |",
        "open due",
    );
}

#[test]
fn answers_from_before_the_last_transition_are_not_judged() {
    // While it is open, half-open, and closed again.
    check(&by_row(), ">a >b 3*f a:f b:s +999ms | +1ms |", "open due");
    check(
        &two_trials(),
        ">a >b 3*f +1s s a:f | b:s | s |",
        "half-open half-open closed",
    );
    check(
        &by_row(),
        ">a >b >c >d 3*f +1s s a:f b:f c:f | f f d:s | f |",
        "closed closed open",
    );
}

#[test]
fn answers_from_before_the_last_transition_are_counted_and_no_more() {
    let mut scene = Scene::new(&by_row());
    scene.play(">a >b >c 3*f +1s s a:f b:s c:n");
    let totals = scene.endpoint().totals();
    assert_eq!(
        (totals.attempts, totals.successes(), totals.failures()),
        (7, 2, 4)
    );
    assert_eq!(scene.endpoint().counts(scene.now).total(), 0);
    assert_eq!(scene.endpoint().active(), 0);
}

#[test]
fn answers_from_before_the_last_transition_raise_no_share() {
    let failures = ">a >b >c >d 4*f +1s s a:f b:f c:f d:f f | 2*f | f |";
    check(&by_rate(), failures, "closed closed open");
    let slow = ">a >b >c >d >w >x >y >z +2s a:s b:s c:s d:s +1s s w:s x:s y:s z:s f |";
    check(&by_slowness(), slow, "closed");
}

#[test]
fn late_answers_of_trials_are_not_judged_either() {
    let begin = "3*f +1s >a >b a:f |";
    for late in ["b:s", "b:f", "b:n"] {
        // While it is open again.
        check(
            &two_trials(),
            &format!("{begin} {late} +1999ms | +1ms |"),
            "open open due",
        );
        // While it is half-open again, with a permit free and without.
        let script = format!("{begin} +2s >c | {late} | c:s | s |");
        check(
            &two_trials(),
            &script,
            "open half-open half-open half-open closed",
        );
        let script = format!("{begin} +2s >c >d | {late} | c:s d:s |");
        check(&two_trials(), &script, "open full full closed");
        // While it is closed.
        let script = format!("{begin} +2s s s | f f | {late} | f |");
        let expected = "open closed closed closed open";
        check(&two_trials(), &script, expected);
    }
}

#[test]
fn a_bad_check_counts_in_the_row_as_an_attempt_does() {
    check(&by_row(), "bad bad | bad |", "closed open");
    check(&by_row(), "f bad | f |", "closed open");
    check(&by_row(), "f f r bad |", "open");
}

#[test]
fn a_good_check_ends_the_row_as_an_attempt_does() {
    check(&by_row(), "f f ok f f | f |", "closed open");
}

#[test]
fn a_good_check_serves_as_a_trial_when_the_open_time_is_over() {
    check(&by_row(), "3*f +1s ok |", "closed");
    check(&two_trials(), "3*f +1s ok | ok |", "half-open closed");
    check(&two_trials(), "3*f +1s ok | s |", "half-open closed");
    check(&two_trials(), "3*f +1s s ok |", "closed");
}

#[test]
fn a_bad_check_fails_it_when_the_open_time_is_over() {
    check(&by_row(), "3*f +1s bad +1999ms | +1ms |", "open due");
    check(&by_row(), "3*f +1s >a bad +1999ms | +1ms |", "open due");
    check(&two_trials(), "3*f +1s ok | bad |", "half-open open");
}

#[test]
fn checks_neither_shorten_nor_prolong_the_open_time() {
    check(&by_row(), "3*f ok +999ms ok | +1ms |", "open due");
    check(&by_row(), "3*f bad +999ms bad | +1ms |", "open due");
}

#[test]
fn a_check_needs_no_permit_and_takes_none_away() {
    check(&by_row(), "3*f +1s >a | ok |", "full closed");
    let one_at_a_time = BreakerPolicy {
        half_open_requests: 1,
        ..two_trials()
    };
    check(
        &one_at_a_time,
        "3*f +1s >a | ok | a:s |",
        "full full closed",
    );
    check(&one_at_a_time, "3*f +1s ok | >a |", "half-open full");
}
