//! How long a cool-down of its endpoint an answer requests.
//!
//! An endpoint without capacity often says when it will have some again. There is one standard for
//! that, and many habits. They are read in this order, the most precise first, and the first one
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
//! date. No limit lasts for decades, so a number from 10⁹ on is a Unix time, and from 10¹² on one
//! in milliseconds.
//!
//! The rate limit headers come with every answer, also while quota is left. Where the remaining
//! quota is stated and is not zero, its reset requests nothing.
//!
//! Limits: numbers have digits and at most one dot, no sign and no exponent. What cannot be read
//! counts as absent. Of several values the longest counts. A list holds numbers only; a date stands
//! alone, because it contains a comma. Nothing requests more than `MOST`, a year. Of the
//! `x-ratelimit-reset-*` headers the first `MOST_LIMITS`, 16, count: each needs a search for its
//! counterpart, and the endpoint decides how many there are.
//!
//! Example: an answer has `x-ratelimit-remaining-requests: 59`, `x-ratelimit-reset-requests: 1h`,
//! `x-ratelimit-remaining-tokens: 0` and `x-ratelimit-reset-tokens: 1m30.5s`. Requests are left, so
//! only the tokens count: 90.5 s. With `retry-after: 20` as well, it is 20 s.

use core::time::Duration;

use super::http_date;

/// The longest that an answer can request. A year stands for everything absurd.
const MOST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How many `x-ratelimit-reset-*` headers are read.
const MOST_LIMITS: usize = 16;

/// From here on a number is a Unix time (2001) and not seconds from now (31 years).
const UNIX_SECONDS: Duration = Duration::from_secs(1_000_000_000);

/// From here on a Unix time is in milliseconds (2001) and not in seconds (the year 33658).
const UNIX_MILLISECONDS: Duration = Duration::from_secs(1_000_000_000_000);

/// Reads what a value requests, at a wall time since the epoch.
type Read = fn(&str, Duration) -> Option<Duration>;

/// One way to request: the header; the header with the remaining quota, which must not be above
/// zero; and how to read a value.
type Way = (&'static str, Option<&'static str>, Read);

/// All ways with a fixed name, in the order in which they count.
const WAYS: [Way; 6] = [
    ("retry-after-ms", None, milliseconds),
    ("x-ms-retry-after-ms", None, milliseconds),
    ("retry-after", None, seconds_or_date),
    ("ratelimit", None, limits),
    ("ratelimit-reset", Some("ratelimit-remaining"), moment),
    ("x-ratelimit-reset", Some("x-ratelimit-remaining"), moment),
];

/// The way with a name for each limit: both headers have the same ending.
const EACH_LIMIT: Way = ("x-ratelimit-reset-", Some("x-ratelimit-remaining-"), moment);

/// How long a cool-down the answer with these `headers` requests. Names are in lower case; `now` is
/// the wall time since the Unix epoch. `None`: it requests nothing. `Some(ZERO)`: it requests a
/// time that has passed.
#[must_use]
pub fn requested<'a>(
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
        .map(|requested| requested.min(MOST))
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

/// The `ratelimit` header. Its drafts have no key in common, so the value is read as both: as one
/// limit spread over a list, and as a list of limits with parameters.
fn limits(text: &str, _now: Duration) -> Option<Duration> {
    let older = limit(text, ',', "remaining=", "reset=");
    unquoted(text, ',')
        .filter_map(|item| limit(item, ';', "r=", "t="))
        .chain(older)
        .max()
}

/// What one limit requests, whose parts are separated by `by`: its reset, unless quota is left.
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

/// The parts of a structured field, separated by `by` outside quotes. The name of a limit is a
/// string, which may contain anything (RFC 9651 §3.3.3).
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
    Some(http_date::since_epoch(text)?.saturating_sub(now))
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

/// A decimal number, as seconds. A `Duration` is exact to nine places, and saturates. Not `f64`:
/// its parser accepts `inf`, `nan` and exponents, and is large.
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
    // Digits after the ninth place are worth nothing.
    let (nanos, _) = fraction
        .chars()
        .try_fold((0, 100_000_000), |(sum, place), c| {
            Some((sum + c.to_digit(10)? * place, place / 10))
        })?;
    Some(Duration::new(seconds, nanos))
}

#[cfg(test)]
mod tests;
