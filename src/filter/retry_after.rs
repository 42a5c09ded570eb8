//! How long an answer asks its endpoint to be left alone.
//!
//! An endpoint that is out of capacity often says when it will have some again. There is one standard
//! for that and many habits. They are tried in this order, the most precise first, and the first one
//! that can be read counts:
//!
//! | header | value | from |
//! |---|---|---|
//! | `retry-after-ms` | milliseconds | Azure OpenAI, OpenAI |
//! | `x-ms-retry-after-ms` | milliseconds | Azure Cosmos DB |
//! | `retry-after` | seconds, or an HTTP date | RFC 9110 §10.2.3 |
//! | `ratelimit` | `"default";r=0;t=30`, or `limit=10, remaining=0, reset=30` | draft-ietf-httpapi-ratelimit-headers, the newest and -07 |
//! | `ratelimit-reset` | a moment | the same draft up to -06, in seconds; GitLab, as a Unix time |
//! | `x-ratelimit-reset` | a moment | GitHub, OpenRouter, many others |
//! | `x-ratelimit-reset-*` | a moment | OpenAI, one for each limit (`-requests`, `-tokens`) |
//!
//! A moment is a number of seconds from now, a Unix time, a Go duration such as `6m0s`, or an HTTP
//! date. No limit is set in decades: a number from 10⁹ on is a Unix time, from 10¹² on one in
//! milliseconds.
//!
//! The rate limit headers come with every answer, also while there is plenty left. Where the
//! remaining quota is stated and is not zero, its reset asks for nothing.
//!
//! Limits: numbers have digits and at most one dot, no sign and no exponent; what cannot be read is
//! as if it were not there. Of several values the longest counts. A list holds numbers only, a date
//! stands alone: it has a comma itself. Nothing asks for more than [`MOST`], and of the
//! `x-ratelimit-reset-*` headers the first [`MOST_LIMITS`] count: each is a search for its
//! counterpart, and the endpoint decides how many there are.
//!
//! Example: an answer has `x-ratelimit-remaining-requests: 59`, `x-ratelimit-reset-requests: 1h`,
//! `x-ratelimit-remaining-tokens: 0` and `x-ratelimit-reset-tokens: 1m30.5s`. Requests are left, so
//! only the tokens count: 90.5 s. With `retry-after: 20` as well, it is 20 s.

use core::time::Duration;
use std::time::SystemTime;

/// The longest that an answer can ask for: a year stands for all that is absurd.
const MOST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How many `x-ratelimit-reset-*` headers are looked at.
const MOST_LIMITS: usize = 16;

/// From here on a number is a Unix time, no longer seconds from now: 2001 as the one, 31 years as
/// the other.
const UNIX_SECONDS: Duration = Duration::from_secs(1_000_000_000);

/// From here on a Unix time is in milliseconds, no longer seconds: 2001 as the one, the year 33658
/// as the other.
const UNIX_MILLISECONDS: Duration = Duration::from_secs(1_000_000_000_000);

/// What a value asks for, at a wall time.
type Read = fn(&str, Duration) -> Option<Duration>;

/// One way to ask: a header; the one that says how much is left, as while there is some, the answer
/// asks for nothing; and how to read a value.
type Way = (&'static str, Option<&'static str>, Read);

/// All ways that have a fixed name, in the order in which they count.
const WAYS: [Way; 6] = [
    ("retry-after-ms", None, milliseconds),
    ("x-ms-retry-after-ms", None, milliseconds),
    ("retry-after", None, seconds_or_date),
    ("ratelimit", None, limits),
    ("ratelimit-reset", Some("ratelimit-remaining"), moment),
    ("x-ratelimit-reset", Some("x-ratelimit-remaining"), moment),
];

/// The way that has a name for each limit: the same ending on both headers.
const EACH_LIMIT: Way = ("x-ratelimit-reset-", Some("x-ratelimit-remaining-"), moment);

/// How long the answer with these `headers` asks its endpoint to be left alone, at `now`: names are
/// in lower case, `now` is the wall time since the Unix epoch. `None`: it asks for nothing.
/// `Some(ZERO)`: it asks, but for a time that has passed.
pub(super) fn asked<'a>(
    headers: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone,
    now: Duration,
) -> Option<Duration> {
    let endings = headers
        .clone()
        .filter_map(|(name, _)| name.strip_prefix(EACH_LIMIT.0.as_bytes()))
        .take(MOST_LIMITS);
    let longest = move |name: &str, ending: &[u8], read: Read| {
        headers
            .clone()
            .filter(|(given, _)| given.strip_prefix(name.as_bytes()) == Some(ending))
            .filter_map(|(_, value)| read(core::str::from_utf8(value).ok()?.trim(), now))
            .max()
    };
    let by = |(header, remaining, read): Way, ending: &[u8]| {
        let left = remaining.and_then(|name| longest(name, ending, seconds));
        if left > Some(Duration::ZERO) {
            None
        } else {
            longest(header, ending, read)
        }
    };
    WAYS.iter()
        .find_map(|way| by(*way, b""))
        .or_else(|| endings.filter_map(|ending| by(EACH_LIMIT, ending)).max())
        .map(|asked| asked.min(MOST))
}

fn seconds(text: &str, _now: Duration) -> Option<Duration> {
    text.split(',').filter_map(number).max()
}

fn milliseconds(text: &str, now: Duration) -> Option<Duration> {
    Some(seconds(text, now)? / 1000)
}

fn seconds_or_date(text: &str, now: Duration) -> Option<Duration> {
    date(text, now).or_else(|| seconds(text, now))
}

fn moment(text: &str, now: Duration) -> Option<Duration> {
    let one = |text: &str| match number(text) {
        Some(time) if time >= UNIX_MILLISECONDS => Some((time / 1000).saturating_sub(now)),
        Some(time) if time >= UNIX_SECONDS => Some(time.saturating_sub(now)),
        Some(wait) => Some(wait),
        None => go_duration(text),
    };
    date(text, now).or_else(|| text.split(',').filter_map(one).max())
}

/// The `ratelimit` header. The drafts share no key, so the value is read as both: as one limit spread
/// over a list, and as a list of limits with parameters.
fn limits(text: &str, _now: Duration) -> Option<Duration> {
    let older = limit(text, ',', "remaining=", "reset=");
    unquoted(text, ',')
        .filter_map(|item| limit(item, ';', "r=", "t="))
        .chain(older)
        .max()
}

/// What one limit asks for, whose parts are separated by `by`: its reset, unless something is left.
fn limit(text: &str, by: char, remaining: &str, reset: &str) -> Option<Duration> {
    let value = |key: &str| {
        unquoted(text, by)
            .filter_map(|part| number(part.trim().strip_prefix(key)?))
            .max()
    };
    if value(remaining) > Some(Duration::ZERO) {
        None
    } else {
        value(reset)
    }
}

/// The parts of a structured field. The name of a limit is a string, which may contain anything
/// (RFC 9651 §3.3.3).
fn unquoted(text: &str, by: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c| {
        if c == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = quoted && c == '\\' && !escaped;
        c == by && !quoted
    })
}

/// The time until an HTTP date, in any of its three formats (RFC 9110 §5.6.7).
fn date(text: &str, now: Duration) -> Option<Duration> {
    let date = httpdate::parse_http_date(text).ok()?;
    let since_epoch = date.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(since_epoch.saturating_sub(now))
}

/// What Go prints for a duration: numbers, each with a unit.
/// <https://pkg.go.dev/time#ParseDuration>
fn go_duration(text: &str) -> Option<Duration> {
    let in_number = |c: char| c.is_ascii_digit() || c == '.';
    let mut rest = text.trim();
    let mut sum = None;
    while !rest.is_empty() {
        let (amount, tail) = rest.split_at_checked(rest.find(|c| !in_number(c))?)?;
        let (unit, tail) = tail.split_at_checked(tail.find(in_number).unwrap_or(tail.len()))?;
        let amount = number(amount)?;
        let part = match unit {
            "h" => amount.saturating_mul(3600),
            "m" => amount.saturating_mul(60),
            "s" => amount,
            "ms" => amount / 1000,
            // The micro sign, and the Greek letter that looks like it.
            "us" | "\u{b5}s" | "\u{3bc}s" => amount / 1_000_000,
            "ns" => amount / 1_000_000_000,
            _ => return None,
        };
        sum = Some(part.saturating_add(sum.unwrap_or_default()));
        rest = tail;
    }
    sum
}

/// A decimal number, as seconds: a `Duration` is exact to nine places, and saturates. Not `f64`, whose
/// parser takes `inf`, `nan` and exponents, and is large.
fn number(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let seconds = whole.chars().try_fold(0_u64, |sum, c| {
        Some(
            sum.saturating_mul(10)
                .saturating_add(c.to_digit(10)?.into()),
        )
    })?;
    // From the tenth place on, a digit is worth nothing.
    let (nanos, _) = fraction
        .chars()
        .try_fold((0, 100_000_000), |(sum, place), c| {
            Some((sum + c.to_digit(10)? * place, place / 10))
        })?;
    Some(Duration::new(seconds, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT, the date of RFC 9110's examples.
    const THEN: u64 = 784_111_777;

    /// Today's clock, for Unix times: those before 2001 are too small to be told from seconds.
    const TODAY: u64 = 1_760_000_000;

    /// Headers, one a line, and the milliseconds they ask for.
    #[track_caller]
    fn check(now: u64, headers: &str, expected: Option<u64>) {
        let pairs = headers.lines().map(|line| {
            let (name, value) = line.trim_start().split_once(':').expect("a name");
            (name.as_bytes(), value.as_bytes())
        });
        assert_eq!(
            asked(pairs, Duration::from_secs(now)),
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
            asked(headers.into_iter(), Duration::ZERO),
            Some(Duration::from_micros(250))
        );
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
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
        ] {
            check(THEN - 10, &format!("retry-after: {value}"), Some(expected));
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
            ] {
                check(TODAY, &format!("{name}: {value}"), Some(expected));
            }
            for junk in [
                "6m0",
                "m",
                "5x",
                "1m-5s",
                "1.2.3s",
                "2025-10-09T08:53:50Z",
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
            ("x-ratelimit-reset-tokens: 7", 7000),
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
            for name in WAYS.iter().map(|way| way.0).chain(["x-ratelimit-reset-a"]) {
                check(TODAY, &format!("{name}: {junk}"), None);
                check(TODAY, &format!("{name}:{junk}"), None);
            }
        }
        let headers = [(&b"retry-after"[..], &b"5\xff"[..])];
        assert_eq!(asked(headers.into_iter(), Duration::ZERO), None);
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
}
