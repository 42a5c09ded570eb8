//! When an answer is the client's: `commit_on` and what goes with it.

use steerage_policy::retry::first_message::{CommitOn, EventRule, FirstMessage};

use super::*;

/// The moment under a policy with these fields, where the router makes the retries.
#[track_caller]
fn by_router(fields: &str) -> CommitOn {
    pool(&format!(
        r#""retries": "router", "retry_policy": {{{fields}}}"#
    ))
    .retry
    .commit_on
}

#[track_caller]
fn check_by_router(fields: &str, expected: &[&str]) {
    check_retry_beside(r#""retries": "router","#, fields, expected);
}

#[test]
fn an_answer_is_the_clients_with_its_head_or_its_first_message() {
    assert_eq!(retry("").commit_on, CommitOn::Headers);
    assert_eq!(
        retry(r#""commit_on": "headers""#).commit_on,
        CommitOn::Headers
    );
    assert_eq!(by_router(""), CommitOn::Headers);
    assert_eq!(by_router(r#""commit_on": "headers""#), CommitOn::Headers);
    assert_eq!(
        by_router(r#""commit_on": "first_message""#),
        CommitOn::FirstMessage(FirstMessage::default())
    );
    assert_eq!(
        by_router(
            r#""commit_on": "first_message", "commit_timeout": "1m",
               "retry_on_first_event": [{"event": "error"}, {"data": "\"type\": \"overloaded\""}]"#
        ),
        CommitOn::FirstMessage(FirstMessage {
            timeout: Some(Duration::from_secs(60)),
            rules: vec![
                EventRule::Event("error".into()),
                EventRule::Data("\"type\": \"overloaded\"".into()),
            ],
        })
    );
    check_retry(
        r#""commit_on": "body""#,
        &["commit_on: must be one of headers, first_message, got \"body\""],
    );
}

#[test]
fn calls_hold_the_whole_answer_anyway() {
    check_retry(
        r#""commit_on": "first_message", "commit_timeout": 61"#,
        &[
            "commit_on: may be given only when retries is router, got \"first_message\"",
            "commit_timeout: must be at most timeout.total = 60 s, got 61",
        ],
    );
    // One mistake is one error.
    check(
        r#"{"endpoints": ["a"], "retries": "envoy", "retry_policy": {"commit_on": "first_message"}}"#,
        &["retries: must be one of calls, router, got \"envoy\""],
    );
}

#[test]
fn what_is_about_the_first_message_is_given_only_where_it_counts() {
    let only = "may be given only when commit_on is first_message, got";
    for headers in ["", r#""commit_on": "headers", "#] {
        check_by_router(
            &format!(
                r#"{headers}"commit_timeout": 1, "retry_on_first_event": [{{"event": "error"}}]"#
            ),
            &[
                &format!("commit_timeout: {only} 1"),
                &format!("retry_on_first_event: {only} a list of 1"),
            ],
        );
    }
    check_retry(
        r#""retry_on_first_event": []"#,
        &[&format!("retry_on_first_event: {only} []")],
    );
}

#[test]
fn an_answer_is_not_held_beyond_the_time_in_which_it_must_begin() {
    let timeout = |timeout: &str| {
        format!(
            r#"{{"endpoints": ["a"], "retries": "router",
                "timeout": {{"connect": 1, "read": 2, "total": 4}},
                "retry_policy": {{"commit_on": "first_message", "commit_timeout": {timeout}}}}}"#
        )
    };
    check(&timeout("4"), &[]);
    check(
        &timeout("\"4001ms\""),
        &["retry_policy.commit_timeout: must be at most timeout.total = 4 s, got \"4001ms\""],
    );
    check(
        &timeout("0"),
        &[
            "retry_policy.commit_timeout: must be a duration above 0 and at most 24 h: seconds \
             (0.25) or text (\"250ms\", \"30s\", \"5m\", \"1h\"), got 0",
        ],
    );
}

#[test]
fn a_first_event_is_known_by_its_name_or_by_a_text() {
    let words = "must be text of 1 to 256 characters without control characters";
    let one = "must have exactly one of event, data";
    let long = "x".repeat(257);
    check_by_router(
        &format!(
            r#""commit_on": "first_message", "retry_on_first_event": [
                {{}}, {{"event": "a", "data": "b"}}, {{"event": ""}}, {{"data": "a\nb"}},
                {{"data": "{long}"}}, {{"name": "error"}}, "error", {{"data": "{}"}}]"#,
            "ü".repeat(256)
        ),
        &[
            &format!("retry_on_first_event[0]: {one}"),
            &format!("retry_on_first_event[1]: {one}"),
            &format!("retry_on_first_event[2].event: {words}, got \"\""),
            &format!("retry_on_first_event[3].data: {words}, got \"a\\nb\""),
            &format!(
                "retry_on_first_event[4].data: {words}, got \"{}…\"",
                "x".repeat(60)
            ),
            "retry_on_first_event[5].name: unknown field",
            &format!("retry_on_first_event[5]: {one}"),
            "retry_on_first_event[6]: must be an object, got \"error\"",
        ],
    );
    let rules = |count| {
        let rules = vec![r#"{"event": "e"}"#; count].join(", ");
        format!(r#""commit_on": "first_message", "retry_on_first_event": [{rules}]"#)
    };
    check_by_router(&rules(16), &[]);
    check_by_router(
        &rules(17),
        &["retry_on_first_event: must have 0 to 16 entries, got a list of 17"],
    );
}
