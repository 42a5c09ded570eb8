//! Every field of `interceptors` arrives, and every rule about it holds.

use core::time::Duration;

use steerage_policy::matching::HeaderRule;
use steerage_policy::retry::Statuses;

use super::*;
use crate::testing::check;

/// The interceptors of `{"endpoints": ["a"], <more>}`.
#[track_caller]
fn resolved(more: &str) -> Interceptors {
    let json = format!(r#"{{"endpoints": ["a"], {more}}}"#);
    let mut config = crate::parse(json.as_bytes()).unwrap_or_else(|errors| panic!("{errors}"));
    config.pools.remove(0).interceptors
}

fn template(text: &str) -> Template {
    Template::new(text).unwrap()
}

#[test]
fn each_change_and_each_condition_arrives() {
    let interceptors = resolved(
        r#""interceptors": {
            "request": [
                {"set_header": {"X-Try": "{attempt}", "x-b": ""}},
                {"remove_header": "Cookie", "when": {"attempt": 2, "header": {"X-C": "d"}}}
            ],
            "response": [
                {"add_header": {"x-time": "{response_time}"},
                 "when": {"status": [429, "5xx"], "attempt": [2, 3], "slower_than": "1.5s"}}
            ]
        }"#,
    );
    let set = vec![
        ("x-try".into(), template("{attempt}")),
        ("x-b".into(), template("")),
    ];
    let request = vec![
        HeaderAction {
            change: Change::Set(set),
            when: When::default(),
        },
        HeaderAction {
            change: Change::Remove("cookie".into()),
            when: When {
                headers: vec![("x-c".into(), HeaderRule::Exact("d".into()))],
                attempt: Some(vec![2]),
                ..When::default()
            },
        },
    ];
    let response = vec![HeaderAction {
        change: Change::Add(vec![("x-time".into(), template("{response_time}"))]),
        when: When {
            status: Some(Statuses::new(vec![429..=429, 500..=599])),
            attempt: Some(vec![2, 3]),
            slower_than: Some(Duration::from_millis(1500)),
            ..When::default()
        },
    }];
    assert_eq!(interceptors.request, request);
    assert_eq!(interceptors.response, response);
    assert_eq!(interceptors.logging, None);
}

#[test]
fn logging_has_two_spellings_and_defaults() {
    let default = Some(Logging::default());
    let warnings = Some(Logging {
        level: Level::Warn,
        slower_than: Duration::from_secs(1),
    });
    for (json, expected) in [
        (r#""interceptors": {"logging": true}"#, &default),
        (r#""interceptors": {"logging": {}}"#, &default),
        (r#""interceptors": {"logging": false}"#, &None),
        (r#""enable_logging_interceptor": true"#, &default),
        (r#""enable_logging_interceptor": false"#, &None),
        (
            r#""interceptors": {"logging": {"level": "warn", "slower_than": 1.0}}"#,
            &warnings,
        ),
    ] {
        assert_eq!(resolved(json).logging, *expected, "{json}");
    }
    check(
        r#"{"endpoints": ["a"], "enable_logging_interceptor": true,
            "interceptors": {"logging": {"level": "warn"}}}"#,
        &[
            "enable_logging_interceptor: must be given in one spelling only, is also \
             interceptors.logging, got true",
        ],
    );
    check(
        r#"{"endpoints": ["a"], "interceptors": {"logging": 1}}"#,
        &["interceptors.logging: must be true or false, or an object, got 1"],
    );
}

#[test]
fn metrics_can_be_switched_off() {
    let json = br#"{"endpoints": ["a"], "enable_metrics_interceptor": false}"#;
    assert!(!crate::parse(json).unwrap().pools[0].metrics);
}

#[test]
fn an_attempt_knows_nothing_of_its_answer() {
    let rule =
        "may use only in interceptors.response what an answer tells: its status and its time";
    check(
        r#"{"endpoints": ["a"], "interceptors": {"request": [
            {"remove_header": "x-a", "when": {"status": ["5xx"], "slower_than": 1}},
            {"set_header": {"x-a": "{response_time}"}}
        ]}}"#,
        &[
            &format!("interceptors.request[0].when.status: {rule}, got a list of 1"),
            &format!("interceptors.request[0].when.slower_than: {rule}, got 1"),
            &format!("interceptors.request[1].set_header.x-a: {rule}, got \"{{response_time}}\""),
        ],
    );
}

#[test]
fn what_is_not_the_operators_to_change_is_refused() {
    let rule = "must be the name of a header that is free to change: neither a pseudo-header, nor \
                `host`, nor of the connection or the body's length, nor the routing header, nor \
                another that steers the filter or the router";
    check(
        r#"{"endpoints": ["a"], "cluster_header": "X-Route", "interceptors": {
            "request": [
                {"remove_header": "Host"},
                {"set_header": {"x-route": "b", "x-fine": "", "X-Envoy-Attempt-Count": "1"}},
                {"remove_header": "x-ROUTE"}
            ],
            "response": [{"add_header": {"Content-Length": "0", "x-steerage-endpoint": "z"}}]
        }}"#,
        &[
            &format!("interceptors.request[0].remove_header: {rule}, got \"Host\""),
            &format!("interceptors.request[1].set_header.x-route: {rule}, got \"x-route\""),
            &format!(
                "interceptors.request[1].set_header.X-Envoy-Attempt-Count: {rule}, got \
                 \"X-Envoy-Attempt-Count\""
            ),
            &format!("interceptors.request[2].remove_header: {rule}, got \"x-ROUTE\""),
            &format!(
                "interceptors.response[0].add_header.Content-Length: {rule}, got \"Content-Length\""
            ),
            &format!(
                "interceptors.response[0].add_header.x-steerage-endpoint: {rule}, got \
                 \"x-steerage-endpoint\""
            ),
        ],
    );
}

#[test]
fn each_value_has_its_rule() {
    check(
        r#"{"endpoints": ["a"], "interceptors": {"response": [
            {"set_header": {}},
            {"set_header": {"x-a": "{tries}"}},
            {"add_header": {"x-a": "{"}},
            {"add_header": {":status": "200"}},
            {"set_header": {"x-a": "a\nb"}},
            {"remove_header": "x-a", "when": {"attempt": 11}},
            {"remove_header": "x-a", "when": {"status": []}},
            {"set_header": {"x-a": "b"}, "remove_header": "x-a"},
            {"when": {}},
            7
        ], "logging": {"level": "loud"}}}"#,
        &[
            "interceptors.response[1].set_header.x-a: must name only {attempt}, {endpoint}, {pool} \
             and {response_time} in braces, got \"{tries}\"",
            "interceptors.response[2].add_header.x-a: must have braces in pairs; `{{` and `}}` stand \
             for a brace itself, got \"{\"",
            "interceptors.response[3].add_header[\":status\"]: must be the name of a header, got \
             \":status\"",
            "interceptors.response[4].set_header.x-a: must be text without control characters, got \
             \"a\\nb\"",
            "interceptors.response[5].when.attempt: must be a whole number from 1 to 10, or a list, \
             got 11",
            "interceptors.response[6].when.status: must have 1 to 1000 entries, got []",
            "interceptors.response[7]: must have exactly one of set_header, add_header, \
             remove_header",
            "interceptors.response[8]: must have exactly one of set_header, add_header, \
             remove_header",
            "interceptors.response[9]: must be an object, got 7",
            "interceptors.logging.level: must be one of trace, debug, info, warn, error, \
             critical, got \"loud\"",
            "interceptors.response[0].set_header: must have 1 to 1000 entries, got {}",
        ],
    );
}
