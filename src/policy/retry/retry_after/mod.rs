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
//! | `retry-after` | a moment | RFC 9110 §10.2.3: seconds, or an HTTP date |
//! | `ratelimit` | `"default";r=0;t=30`, or `limit=10, remaining=0, reset=30` | draft-ietf-httpapi-ratelimit-headers, the newest and -07 |
//! | `ratelimit-reset` | a moment | the same draft up to -06, in seconds; GitLab, as a Unix time |
//! | `x-ratelimit-reset` | a moment | GitHub, OpenRouter, many others; `x-rate-limit-reset`: X |
//! | `x-ratelimit-reset-*` | a moment | OpenAI, one for each limit (`-requests`, `-tokens`) |
//! | `anthropic-ratelimit-*-reset` | a moment | Anthropic, one for each limit, as RFC 3339 |
//!
//! A moment is a number of seconds from now, a Unix time, a duration such as `6m0s`, an HTTP date
//! or one of RFC 3339. No limit lasts for decades, so a number from 10⁹ on is a Unix time, and from
//! 10¹² on one in milliseconds. The name of a reset may say its unit: `-ms` makes numbers
//! milliseconds, and `-after` (Discord) changes nothing.
//!
//! The rate limit headers come with every answer, also while quota is left. Where the remaining
//! quota of the same limit is stated and is not zero, its reset requests nothing.
//!
//! Limits: numbers have digits and at most one dot, no sign and no exponent. What cannot be read
//! counts as absent. Of several times the longest counts, of several remaining quotas the smallest.
//! A list holds no HTTP date, which contains a comma. Nothing requests more than `MOST`, a year. Of
//! the resets the first `MOST_LIMITS`, 16, count: each needs a search for its counterpart, and the
//! endpoint decides how many there are.
//!
//! Example: an answer has `x-ratelimit-remaining-requests: 59`, `x-ratelimit-reset-requests: 1h`,
//! `x-ratelimit-remaining-tokens: 0` and `x-ratelimit-reset-tokens: 1m30.5s`. Requests are left, so
//! only the tokens count: 90.5 s. With `retry-after: 20` as well, it is 20 s.

use core::time::Duration;

use super::http_date;

/// The longest that an answer can request. A year stands for everything absurd.
const MOST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How many resets of rate limits are read.
const MOST_LIMITS: usize = 16;

/// From here on a number is a Unix time (2001) and not seconds from now (31 years).
const UNIX_SECONDS: Duration = Duration::from_secs(1_000_000_000);

/// From here on a Unix time is in milliseconds (2001) and not in seconds (the year 33658).
const UNIX_MILLISECONDS: Duration = Duration::from_secs(1_000_000_000_000);

/// Reads what a value requests, at a wall time since the epoch.
type Read = fn(&str, Duration) -> Option<Duration>;

/// The headers with a fixed name, in the order in which they count.
const FIXED: [(&str, Read); 4] = [
    ("retry-after-ms", milliseconds),
    ("x-ms-retry-after-ms", milliseconds),
    ("retry-after", moment),
    ("ratelimit", limits),
];

/// How the names of rate limit headers begin, in the order in which they count.
const FAMILIES: [&str; 4] = [
    "ratelimit-",
    "x-ratelimit-",
    "x-rate-limit-",
    "anthropic-ratelimit-",
];

/// The limit that a rate limit header is about.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Limit<'a> {
    /// Its position in [`FAMILIES`].
    family: usize,
    /// What is limited; empty where the header does not say.
    name: &'a [u8],
}

/// A header: its name in lower case, and its value.
type Header<'a> = (&'a [u8], &'a [u8]);

/// How long a cool-down the answer with these `headers` requests; `now` is the wall time since the
/// Unix epoch. `None`: it requests nothing. `Some(ZERO)`: it requests a time that has passed.
#[must_use]
pub fn requested(headers: &[Header<'_>], now: Duration) -> Option<Duration> {
    let mut requested = None;
    for (name, read) in FIXED {
        for (given, value) in headers {
            if *given == name.as_bytes() {
                requested = requested.max(by(read, value, now));
            }
        }
        if requested.is_some() {
            break;
        }
    }
    let requested = requested.or_else(|| first_reset(headers, now))?;
    Some(requested.min(MOST))
}

/// The reset that counts: of those without a name the first family's, else the longest.
fn first_reset(headers: &[Header<'_>], now: Duration) -> Option<Duration> {
    let mut best = None;
    let mut read_so_far = 0;
    for (name, value) in headers {
        let Some((limit, read)) = reset(name) else {
            continue;
        };
        let Some(time) = by(read, value, now) else {
            continue;
        };
        read_so_far += 1;
        if read_so_far > MOST_LIMITS {
            break;
        }
        if is_used_up(limit, headers, now) {
            let family = limit
                .name
                .is_empty()
                .then_some(FAMILIES.len() - limit.family);
            best = best.max(Some((family, time)));
        }
    }
    best.map(|(_, time)| time)
}

/// Whether nothing is left of this limit, or nothing is said of that.
fn is_used_up(limit: Limit<'_>, headers: &[Header<'_>], now: Duration) -> bool {
    let mut is_silent = true;
    for (name, value) in headers {
        if limit_of(name, b"remaining") == Some(limit)
            && let Some(left) = by(remaining_quota, value, now)
        {
            if left.is_zero() {
                return true;
            }
            is_silent = false;
        }
    }
    is_silent
}

fn by(read: Read, value: &[u8], now: Duration) -> Option<Duration> {
    read(core::str::from_utf8(value).ok()?.trim(), now)
}

/// The limit that the header `name` says the reset of, and how its value is read.
fn reset(name: &[u8]) -> Option<(Limit<'_>, Read)> {
    if let Some(name) = name.strip_suffix(b"-ms") {
        return Some((limit_of(name, b"reset")?, milliseconds));
    }
    let name = name.strip_suffix(b"-after").unwrap_or(name);
    Some((limit_of(name, b"reset")?, moment))
}

/// The limit of a header that says this of it: `x-ratelimit-WHAT`, `x-ratelimit-WHAT-tokens` or
/// `x-ratelimit-tokens-WHAT`.
fn limit_of<'a>(header: &'a [u8], what: &[u8]) -> Option<Limit<'a>> {
    let mut families = FAMILIES.iter().enumerate();
    let (family, rest) = families.find_map(|(family, prefix)| {
        let rest = header.strip_prefix(prefix.as_bytes())?;
        Some((family, rest))
    })?;
    let name = match (rest.strip_prefix(what), rest.strip_suffix(what)) {
        (Some([]), _) => &[],
        (Some([b'-', name @ ..]), _) | (_, Some([name @ .., b'-'])) => name,
        _ => return None,
    };
    Some(Limit { family, name })
}

/// What is left of a limit, as a number of seconds; of several the least. What follows a semicolon
/// is a parameter, such as the window.
fn remaining_quota(text: &str, _now: Duration) -> Option<Duration> {
    text.split(',')
        .filter_map(|item| number(item.split(';').next()?))
        .min()
}

fn milliseconds(text: &str, now: Duration) -> Option<Duration> {
    let one = |text| Some(from_now(number(text)?, UNIX_MILLISECONDS, now * 1000) / 1000);
    text.split(',').filter_map(one).max()
}

/// A number from `unix` on is a time since the epoch, as is `now`; below it is one from now.
fn from_now(number: Duration, unix: Duration, now: Duration) -> Duration {
    if number >= unix {
        number.saturating_sub(now)
    } else {
        number
    }
}

fn moment(text: &str, now: Duration) -> Option<Duration> {
    let one = |text: &str| {
        let item = text.split(';').next()?;
        match number(item) {
            Some(time) if time >= UNIX_MILLISECONDS => milliseconds(item, now),
            Some(time) => Some(from_now(time, UNIX_SECONDS, now)),
            None => go_duration(item).or_else(|| date(item, now)),
        }
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

/// The time until a date of HTTP or of RFC 3339.
fn date(text: &str, now: Duration) -> Option<Duration> {
    Some(http_date::since_epoch(text)?.saturating_sub(now))
}

/// What Go prints for a duration: numbers, each with a unit; days as well.
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
            "d" => amount.saturating_mul(86_400),
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
