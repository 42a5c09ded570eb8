//! The host does not end an attempt whose time is over: after an interim answer its timer is off.

use std::time::Duration;

use crate::fake_host::Action;
use crate::scene::{
    BY_LOAD, DELAY, OK, assert_idle, assert_refused, cluster_of, get, head, start, text,
};

/// The default of `read`, and how late the host's own timer may be.
const SILENT: Duration = Duration::from_millis(30_250);

#[test]
fn a_retry_answers_a_client_whose_first_attempt_is_silent() {
    let host = start(BY_LOAD);
    let stream = get(&host);
    assert_eq!(cluster_of(stream), "a");
    host.advance(SILENT + DELAY);
    let call = host.pending_call();
    assert_eq!(call.cluster, "b");
    host.answer(call.token, OK, b"hello");
    let sent = stream.sent().unwrap();
    assert_eq!((sent.status, &*text(&sent.body)), (200, "hello"));
    assert!(stream.has_ended());
    assert_idle(&host);
}

#[test]
fn a_client_whose_silent_attempt_is_the_only_one_is_told_so() {
    let host = start(BY_LOAD);
    let stream = host.request(&head("POST", &[]), true);
    host.advance(SILENT - Duration::from_millis(2));
    assert!(stream.sent().is_none());
    host.advance(Duration::from_millis(2));
    assert_refused(stream, 504, "deadline_exceeded");
    assert!(host.calls().is_empty());
    assert_idle(&host);
}

#[test]
fn a_late_answer_of_a_silent_attempt_is_held_or_passes() {
    for (status, is_good) in [("200", true), ("404", true), ("503", false)] {
        let host = start(BY_LOAD);
        let stream = get(&host);
        host.advance(SILENT);
        let action = stream.response(&[(":status", status)], false);
        let expected = if is_good {
            Action::Continue
        } else {
            Action::Pause
        };
        assert_eq!(action, expected, "{status}");
        stream.response_body(b"late", true);
        host.advance(DELAY);
        if is_good {
            stream.finish();
            assert!(host.calls().is_empty(), "{status}");
        } else {
            for _ in 0..2 {
                host.answer_reset(host.pending_call().token);
                host.advance(DELAY);
            }
            assert!(stream.was_resumed(), "it is all that there is");
            assert_eq!(text(&stream.response_passed()), "late");
            stream.finish();
        }
        assert_idle(&host);
    }
}
