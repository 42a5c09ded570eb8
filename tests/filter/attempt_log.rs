//! The log lines of attempts: when they are written, what they say, and what they never say.

use std::time::Duration;

use crate::fake_host::{Host, Stream};
use crate::interceptors::{HEDGE, retried, with, with_more, with_status};
use crate::scene::{DELAY, OK, TOTAL, UNAVAILABLE, fail_first, get, head, start, text};

/// The log lines about attempts.
fn lines(host: &Host) -> Vec<String> {
    let logs = host.logs().into_iter();
    logs.map(|(_, line)| line)
        .filter(|line| line.starts_with("event="))
        .collect()
}

#[test]
fn each_attempt_is_logged_when_it_is_sent_and_when_it_has_ended() {
    let host = with(r#""logging": true"#);
    let stream = get(&host);
    host.advance(Duration::from_millis(7));
    let call = retried(&host, stream);
    host.advance(Duration::from_millis(1_500));
    host.answer_timeout(call.token);
    host.advance(DELAY);
    host.answer(host.pending_call().token, OK, b"");
    assert_eq!(
        lines(&host),
        [
            "event=attempt_sent pool=shop attempt=1 endpoint=a method=GET path=/cart",
            "event=attempt_ended pool=shop attempt=1 endpoint=a method=GET path=/cart status=503 \
             response_time=0.007",
            "event=attempt_sent pool=shop attempt=2 endpoint=beta method=GET path=/cart",
            "event=attempt_ended pool=shop attempt=2 endpoint=beta method=GET path=/cart \
             outcome=timeout response_time=1.500",
            "event=attempt_sent pool=shop attempt=3 endpoint=c method=GET path=/cart",
            "event=attempt_ended pool=shop attempt=3 endpoint=c method=GET path=/cart status=200 \
             response_time=0.000",
        ]
    );
}

/// How the attempts ended, by number.
fn endings(host: &Host) -> Vec<String> {
    let lines = lines(host).into_iter();
    lines
        .filter(|line| line.starts_with("event=attempt_ended"))
        .map(|line| {
            let mut words = line.split(' ');
            let number = words.find(|word| word.starts_with("attempt="));
            let mut end = words.filter(|word| {
                ["status=", "outcome="]
                    .iter()
                    .any(|key| word.starts_with(key))
            });
            format!("{} {}", number.unwrap(), end.next().unwrap())
        })
        .collect()
}

#[test]
fn every_way_in_which_an_attempt_ends_is_logged_once() {
    let check = |retry_policy: &str, play: fn(&Host, Stream), expected: &[&str]| {
        let host = with_more(r#""logging": {}"#, retry_policy);
        play(&host, get(&host));
        assert_eq!(endings(&host), expected);
    };
    check(
        "",
        |_, stream| stream.client_gone(),
        &["attempt=1 outcome=client_gone"],
    );
    check(
        r#", "max_attempts": 1"#,
        |host, _| host.advance(TOTAL),
        &["attempt=1 outcome=timeout"],
    );
    let hedge = r#", "hedge": {"delay": 0.05, "ratio": 1}"#;
    check(
        hedge,
        |host, _| {
            host.advance(HEDGE);
            host.answer(host.pending_call().token, OK, b"");
        },
        &["attempt=2 status=200", "attempt=1 outcome=overtaken"],
    );
    check(
        hedge,
        |host, stream| {
            host.advance(HEDGE);
            stream.response(OK, true);
            stream.finish();
            host.answer(host.pending_call().token, UNAVAILABLE, b"");
            let last = lines(host).pop().unwrap();
            assert!(!last.contains("path="), "there is no request: {last}");
        },
        &["attempt=1 status=200", "attempt=2 status=503"],
    );
}

#[test]
fn an_attempt_whose_client_was_too_slow_is_logged_as_ended() {
    let host = with(r#""logging": {}"#);
    host.request(&head("PUT", &[]), false);
    host.advance(Duration::from_secs(30));
    assert_eq!(endings(&host), ["attempt=1 outcome=write_timeout"]);
}

#[test]
fn an_attempt_at_a_cluster_that_refuses_the_call_is_logged_as_ended() {
    let host = start(
        r#"{"endpoints": ["a", "nowhere"], "retry_policy": {"max_attempts": 2},
            "interceptors": {"logging": true}}"#,
    );
    let stream = get(&host);
    fail_first(stream);
    host.advance(Duration::from_secs(1));
    assert_eq!(
        endings(&host),
        ["attempt=1 status=503", "attempt=2 outcome=connect_failure"]
    );
}

#[test]
fn with_a_limit_only_slower_attempts_are_logged_and_only_their_ends() {
    let host = with(r#""logging": {"level": "warn", "slower_than": "1s"}"#);
    for millis in [1_000, 1_001] {
        let stream = get(&host);
        host.advance(Duration::from_millis(millis));
        stream.response(OK, true);
        stream.finish();
    }
    let lines = lines(&host);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].ends_with("status=200 response_time=1.001"),
        "{lines:?}"
    );
}

#[test]
fn lines_have_the_level_that_is_configured() {
    for (number, level) in ["trace", "debug", "info", "warn", "error", "critical"]
        .into_iter()
        .enumerate()
    {
        let host = with(&format!(r#""logging": {{"level": "{level}"}}"#));
        get(&host).client_gone();
        let logs = host.logs();
        assert_eq!(logs.len(), 2);
        for (logged, line) in logs {
            assert_eq!(logged as usize, number, "{line}");
        }
    }
}

#[test]
fn no_header_and_no_query_is_ever_logged() {
    let interceptors = r#""logging": {"level": "trace"},
        "request": [{"set_header": {"x-api-key": "s3cret", "authorization": "s3cret"}}],
        "response": [{"set_header": {"set-cookie": "s3cret"}}]"#;
    let host = with(interceptors);
    let mut request = head(
        "GET",
        &[("authorization", "Bearer s3cret"), ("cookie", "s=s3cret")],
    );
    request[2].1 = "/cart?token=s3cret#s3cret";
    let stream = host.request(&request, true);
    let call = retried(&host, stream);
    host.answer(
        call.token,
        &with_status("200", &[("set-cookie", "s=s3cret")]),
        b"s3cret",
    );
    assert_eq!(lines(&host).len(), 4);
    for (_, line) in host.logs() {
        assert!(!line.contains("s3cret"), "{line}");
    }
}

#[test]
fn a_client_can_neither_forge_a_line_nor_flood_the_log_with_one() {
    let host = with(r#""logging": true"#);
    let long = format!("/{}", "a".repeat(100_000));
    for (path, logged) in [
        ("/a\nevent=attempt_sent", r#""/a\nevent=attempt_sent""#),
        ("/a status=200", r#""/a status=200""#),
        ("/a\"b\\", r#""/a\"b\\""#),
        ("/a=b", r#""/a=b""#),
        ("/\u{e4}", r#""/\xc3\xa4""#),
        ("", r#""""#),
        (&long, &format!("/{}...", "a".repeat(255))),
    ] {
        let before = host.logs().len();
        let mut request = head("GET", &[]);
        request[2].1 = path;
        let stream = host.request(&request, true);
        stream.response(OK, true);
        stream.finish();
        let logs = host.logs();
        let [(_, sent), (_, ended)] = &logs[before..] else {
            panic!("{logs:?}")
        };
        let expected = format!(
            "event=attempt_sent pool=shop attempt=1 endpoint={} method=GET path={logged}",
            text(&stream.request_header("x-steerage-cluster").unwrap()).replace('b', "beta")
        );
        assert_eq!(*sent, expected);
        assert!(
            ended.contains(&format!("path={logged} status=200")),
            "{ended}"
        );
    }
}
