//! How long a cool-down each kind of header requests, and that junk requests none.

use super::*;
use std::borrow::ToOwned as _;
use std::format;
use std::string::String;
use std::vec::Vec;

/// Sun, 06 Nov 1994 08:49:37 GMT, the date of RFC 9110's examples.
const THEN: u64 = 784_111_777;

/// Today's clock, for Unix times: those before 2001 are too small to be distinguished from seconds.
const TODAY: u64 = 1_760_000_000;

/// Headers, one a line, and the milliseconds they ask for.
#[track_caller]
fn check(now: u64, headers: &str, expected: Option<u64>) {
    let pairs = headers.lines().map(|line| {
        let (name, value) = line.trim_start().split_once(':').expect("a name");
        (name.as_bytes(), value.as_bytes())
    });
    assert_eq!(
        requested(&pairs.collect::<Vec<_>>(), Duration::from_secs(now)),
        expected.map(Duration::from_millis),
        "{headers:.200}"
    );
}

#[test]
fn nothing_is_asked_for() {
    check(TODAY, "", None);
    check(TODAY, ":status: 503\nx-retry-after: 5", None);
}

#[test]
fn milliseconds_have_decimals() {
    for name in ["retry-after-ms", "x-ms-retry-after-ms"] {
        check(TODAY, &format!("{name}: 1500"), Some(1500));
        check(TODAY, &format!("{name}:250.000"), Some(250));
        check(TODAY, &format!("{name}: 0"), Some(0));
        check(
            TODAY,
            &format!("{name}: Sun, 06 Nov 1994 08:49:37 GMT"),
            None,
        );
    }
    let headers = [(&b"retry-after-ms"[..], &b"0.25"[..])];
    assert_eq!(
        requested(&headers, Duration::ZERO),
        Some(Duration::from_micros(250))
    );
}

#[test]
fn retry_after_is_seconds_a_duration_or_a_date() {
    for (value, expected) in [
        ("120", 120_000),
        (" \t7 ", 7000),
        ("0.5", 500),
        (".5", 500),
        ("5.", 5000),
        ("0", 0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 10_000),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 10_000),
        ("Sun Nov  6 08:49:37 1994", 10_000),
        ("Sun, 06 Nov 1994 08:49:27 GMT", 0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Sun, 06 Nov 1994 08:49:37 UTC", 10_000),
        ("Sun, 06 Nov 1994 08:49:37 +0000", 10_000),
        ("Sun, 06 Nov 1994 09:49:37 +0100", 10_000),
        ("1994-11-06T08:49:37Z", 10_000),
        ("1994-11-06T08:49:37.250Z", 10_000),
        ("1994-11-06T10:49:37+02:00", 10_000),
        ("1994-11-06T08:49:20Z", 0),
        ("30s", 30_000),
        ("1m30s", 90_000),
        ("1.5s", 1500),
        ("250ms", 250),
        ("2h", 7_200_000),
        ("1d", 86_400_000),
        ("0s", 0),
    ] {
        check(THEN - 10, &format!("retry-after: {value}"), Some(expected));
    }
}

#[test]
fn large_numbers_are_unix_times() {
    for (value, expected) in [
        ("retry-after: 1760000012", 12_000),
        ("retry-after: 1760000012.5", 12_500),
        ("retry-after: 1759999000", 0),
        ("retry-after: 1760000012345", 12_345),
        ("retry-after-ms: 1760000012345", 12_345),
        ("retry-after-ms: 1759999999999", 0),
        ("x-ratelimit-reset-ms: 1760000012345", 12_345),
        ("retry-after: 999999", 999_999_000),
    ] {
        check(TODAY, value, Some(expected));
    }
}

#[test]
fn a_name_may_say_its_unit() {
    for (header, expected) in [
        ("x-ratelimit-reset-ms: 1500", 1500),
        ("ratelimit-reset-ms: 1500", 1500),
        ("x-ratelimit-reset-after: 1.5", 1500),
        ("x-ratelimit-reset-after: 64.57", 64_570),
        ("x-ratelimit-reset-requests-ms: 250", 250),
        ("x-ratelimit-reset-requests-after: 7", 7000),
        ("x-ratelimit-requests-reset-ms: 250", 250),
        ("x-rate-limit-reset: 1760000012", 12_000),
        ("anthropic-ratelimit-tokens-reset-ms: 40", 40),
        ("anthropic-ratelimit-unified-reset: 1760000012", 12_000),
        (
            "anthropic-ratelimit-requests-reset: 2025-10-09T08:53:50Z",
            30_000,
        ),
    ] {
        check(TODAY, header, Some(expected));
    }
    for header in [
        "x-ratelimit-resets: 5",
        "x-ratelimit-preset: 5",
        "x-ratelimit-limit: 5",
        "x-ratelimit-reset-ms: 5s",
        "x-ratelimit: 5",
        "anthropic-ratelimit-: 5",
        "some-ratelimit-reset: 5",
    ] {
        check(TODAY, header, None);
    }
}

#[test]
fn a_reset_counts_only_where_nothing_is_left() {
    for (headers, expected) in [
        ("x-ratelimit-remaining: 3\nx-ratelimit-reset-ms: 1500", None),
        (
            "x-ratelimit-remaining: 0\nx-ratelimit-reset-ms: 1500",
            Some(1500),
        ),
        ("x-ratelimit-reset-ms: 1500", Some(1500)),
        ("ratelimit-remaining: 4;w=60\nratelimit-reset: 9", None),
        (
            "ratelimit-remaining: 0;w=60\nratelimit-reset: 9",
            Some(9000),
        ),
        (
            "ratelimit-remaining: 0;w=60\nratelimit-reset: 9;w=60",
            Some(9000),
        ),
        (
            "ratelimit-remaining: 4;w=60, 0;w=1\nratelimit-reset: 9",
            Some(9000),
        ),
        (
            "ratelimit-remaining: 4\nratelimit-remaining: 0\nratelimit-reset: 9",
            Some(9000),
        ),
        ("x-ratelimit-remaining: 3\nx-ratelimit-reset-after: 5", None),
        (
            "x-ratelimit-remaining-a: 3\nx-ratelimit-reset-a-ms: 5",
            None,
        ),
        ("x-ratelimit-a-remaining: 3\nx-ratelimit-reset-a: 5", None),
        // The quota of another limit, or of another family, says nothing.
        (
            "x-ratelimit-remaining-b: 3\nx-ratelimit-reset-a: 5",
            Some(5000),
        ),
        ("x-ratelimit-remaining: 3\nratelimit-reset: 5", Some(5000)),
        (
            "anthropic-ratelimit-requests-remaining: 49
          anthropic-ratelimit-requests-reset: 2025-10-09T09:53:20Z
          anthropic-ratelimit-input-tokens-remaining: 0
          anthropic-ratelimit-input-tokens-reset: 2025-10-09T08:54:20Z",
            Some(60_000),
        ),
        (
            "anthropic-ratelimit-tokens-remaining: 1
          anthropic-ratelimit-tokens-reset: 2025-10-09T08:54:20Z",
            None,
        ),
    ] {
        check(TODAY, headers, expected);
    }
}

#[test]
fn of_several_values_the_longest_counts() {
    check(
        TODAY,
        "retry-after: 3\nretry-after: 9\nretry-after: 5",
        Some(9000),
    );
    check(TODAY, "retry-after: 3, 9,5", Some(9000));
    check(TODAY, "retry-after: x\nretry-after: 2", Some(2000));
    check(
        THEN - 60,
        "retry-after: 30\nretry-after: Sun, 06 Nov 1994 08:49:37 GMT",
        Some(60_000),
    );
    check(TODAY, "x-ratelimit-reset: 1s, 1m, 3", Some(60_000));
}

#[test]
fn the_draft_lists_limits() {
    for (value, expected) in [
        (r#""default";r=0;t=30"#, Some(30_000)),
        (r#""default"; r=0; t=30"#, Some(30_000)),
        (r#""default";t=30"#, Some(30_000)),
        (r#""default";r=1;t=30"#, None),
        (r#""default";r=0"#, None),
        (r#""a";r=0;t=5, "b";r=0;t=7, "c";r=9;t=99"#, Some(7000)),
        (r#""a,b;t=99";r=0;t=5"#, Some(5000)),
        (r#""a\",;t=99,";r=0;t=5"#, Some(5000)),
        (r#""a\\";r=0;t=5"#, Some(5000)),
        (r#""never closed;r=0;t=5"#, None),
        ("limit=10, remaining=0, reset=30", Some(30_000)),
        ("limit=10,reset=30", Some(30_000)),
        ("limit=10, remaining=3, reset=30", None),
        ("limit=10, remaining=0", None),
        (r#""default";r=0;t=-30"#, None),
    ] {
        check(TODAY, &format!("ratelimit: {value}"), expected);
    }
}

#[test]
fn a_reset_is_a_moment() {
    for name in [
        "ratelimit-reset",
        "x-ratelimit-reset",
        "x-ratelimit-reset-tokens",
    ] {
        for (value, expected) in [
            ("30", 30_000),
            ("1.5", 1500),
            ("999999999", 31_536_000_000),
            ("1760000012", 12_000),
            ("1760000012.5", 12_500),
            ("1759999999", 0),
            ("1760000012345", 12_345),
            ("1759999999999", 0),
            ("6m0s", 360_000),
            ("1.5s", 1500),
            ("120ms", 120),
            ("1h2m3s", 3_723_000),
            ("2m59.56s", 179_560),
            ("5000us", 5),
            ("5000\u{b5}s", 5),
            ("3000000ns", 3),
            ("Thu, 09 Oct 2025 08:53:50 GMT", 30_000),
            ("2025-10-09T08:53:50Z", 30_000),
            ("2025-10-09T10:53:50.5+02:00", 30_000),
        ] {
            check(TODAY, &format!("{name}: {value}"), Some(expected));
        }
        for junk in [
            "6m0",
            "m",
            "5x",
            "1m-5s",
            "1.2.3s",
            "2025-10-09T08:53:50",
            "5 s",
        ] {
            check(TODAY, &format!("{name}: {junk}"), None);
        }
    }
}

#[test]
fn what_is_left_need_not_be_waited_for() {
    for (prefix, ending) in [("", ""), ("x-", ""), ("x-", "-tokens")] {
        for (left, expected) in [
            ("0", Some(9000)),
            ("x", Some(9000)),
            ("-1", Some(9000)),
            ("1", None),
            ("0.5", None),
        ] {
            check(
                TODAY,
                &format!(
                    "{prefix}ratelimit-remaining{ending}: {left}\n{prefix}ratelimit-reset{ending}: 9"
                ),
                expected,
            );
        }
    }
}

#[test]
fn each_limit_has_its_own_remainder() {
    check(
        TODAY,
        "x-ratelimit-remaining-requests: 59
             x-ratelimit-reset-requests: 1h
             x-ratelimit-remaining-tokens: 0
             x-ratelimit-reset-tokens: 1m30.5s
             x-ratelimit-reset-images: 1m",
        Some(90_500),
    );
}

#[test]
fn only_so_many_limits_are_looked_at() {
    let many: String = (1..1000)
        .map(|at| format!("x-ratelimit-reset-{at}: {at}\n"))
        .collect();
    check(TODAY, &many, Some(16_000));
}

#[test]
fn the_first_that_can_be_read_wins() {
    let all = [
        ("retry-after-ms: 1", 1),
        ("x-ms-retry-after-ms: 2", 2),
        ("retry-after: 3", 3000),
        ("ratelimit: \"a\";r=0;t=4", 4000),
        ("ratelimit-reset: 5", 5000),
        ("x-ratelimit-reset: 6", 6000),
        ("x-rate-limit-reset: 7", 7000),
        ("anthropic-ratelimit-tokens-reset: 8", 8000),
    ];
    for first in 0..all.len() {
        let names = |from: usize| all[from..].iter().rev().map(|(line, _)| *line);
        let lines: Vec<_> = names(first).collect();
        check(TODAY, &lines.join("\n"), Some(all[first].1));
        let junk = all[..first].iter().map(|(line, _)| {
            let (name, _) = line.split_once(':').expect("a name");
            format!("{name}: soon\n")
        });
        let lines = junk.collect::<String>() + &lines.join("\n");
        check(TODAY, &lines, Some(all[first].1));
    }
    let longest = "x-ratelimit-reset-a: 7\nanthropic-ratelimit-a-reset: 8\nx-ratelimit-reset-b: 6";
    check(TODAY, longest, Some(8000));
    check(
        TODAY,
        "ratelimit-remaining: 1\nratelimit-reset: 5\nx-ratelimit-reset: 6",
        Some(6000),
    );
}

#[test]
fn junk_asks_for_nothing() {
    for junk in [
        "",
        " ",
        ",",
        ".",
        "..",
        "1.2.3",
        "-1",
        "+1",
        "1e3",
        "inf",
        "NaN",
        "infinity",
        "0x10",
        "1_000",
        "\u{661}",
        "5 6",
        "\"",
        "=",
        ";;,,",
        "t=",
        "Sun, 99 Nov 1994 08:49:37 GMT",
        "Mon, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "\u{1f600}, s",
    ] {
        for name in FIXED.iter().map(|way| way.0).chain([
            "ratelimit-reset",
            "x-ratelimit-reset",
            "x-ratelimit-reset-a",
            "x-ratelimit-reset-ms",
            "anthropic-ratelimit-a-reset",
        ]) {
            check(TODAY, &format!("{name}: {junk}"), None);
            check(TODAY, &format!("{name}:{junk}"), None);
        }
    }
    let headers = [(&b"retry-after"[..], &b"5\xff"[..])];
    assert_eq!(requested(&headers, Duration::ZERO), None);
}

#[test]
fn the_absurd_is_a_year() {
    let most = Some(365 * 24 * 60 * 60 * 1000);
    let digits = "9".repeat(100_000);
    for (name, value) in [
        ("retry-after", digits.clone()),
        ("retry-after", format!("{digits}.{digits}")),
        ("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT".to_owned()),
        ("retry-after-ms", digits.clone()),
        ("ratelimit", format!("\"a\";r=0;t={digits}")),
        ("ratelimit-reset", digits.clone()),
        ("x-ratelimit-reset", digits.clone()),
        ("x-ratelimit-reset", format!("{digits}h{digits}h{digits}m")),
    ] {
        check(TODAY, &format!("{name}: {value}"), most);
    }
    let zeros = "0".repeat(100_000);
    check(TODAY, &format!("retry-after: {zeros}.5{zeros}"), Some(500));
}
