//! Reads dates: those of HTTP, in the three formats of RFC 9110 §5.6.7, and of RFC 3339.
//!
//! `Retry-After` and its kin are the only headers that are read as dates, and the package has no
//! `std`, so this is written here and not taken from a crate. Reading is strict: a date that does
//! not exist, a day of the week that is not that of the date, and a zone that is neither `GMT`, nor
//! `UTC`, nor a distance such as `+0200` are refused.
//!
//! Limits: dates before 1970 are refused. A year of two digits is one of 1970 to 2069. A leap
//! second (`:60`) is refused, as by most readers. Fractions of a second count for nothing.
//!
//! Example: `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT`,
//! `Sun Nov  6 08:49:37 1994` and `1994-11-06T09:49:37.5+01:00` are all 784,111,777 s after the
//! epoch.

use alloc::vec::Vec;
use core::time::Duration;

/// The time from the Unix epoch to the date `text`.
pub(super) fn since_epoch(text: &str) -> Option<Duration> {
    let text = text.trim();
    if text.as_bytes().first()?.is_ascii_digit() {
        return rfc3339(text);
    }
    let parts: Vec<_> = text.splitn(7, ' ').collect();
    let (weekday, year, month, day, time, zone) = match *parts.as_slice() {
        // IMF-fixdate: `Sun, 06 Nov 1994 08:49:37 GMT`.
        [weekday, day, month, year, time, zone] if weekday.ends_with(',') => {
            let weekday = position(&WEEKDAYS, weekday.strip_suffix(',')?)?;
            let day = number(day, 2)?;
            (weekday, number(year, 4)?, month, day, time, zone)
        }
        // RFC 850: `Sunday, 06-Nov-94 08:49:37 GMT`.
        [weekday, date, time, zone] => {
            let weekday = position(&LONG_WEEKDAYS, weekday.strip_suffix(',')?)?;
            let (day, rest) = date.split_once('-')?;
            let (month, year) = rest.split_once('-')?;
            let year = number(year, 2)?;
            let century = if year < 70 { 2000 } else { 1900 };
            (weekday, century + year, month, number(day, 2)?, time, zone)
        }
        // asctime: `Sun Nov  6 08:49:37 1994`.
        [weekday, month, "", day, time, year] => {
            let weekday = position(&WEEKDAYS, weekday)?;
            (weekday, number(year, 4)?, month, number(day, 1)?, time, GMT)
        }
        [weekday, month, day, time, year] => {
            let weekday = position(&WEEKDAYS, weekday)?;
            (weekday, number(year, 4)?, month, number(day, 2)?, time, GMT)
        }
        _ => return None,
    };
    let days = days_since_epoch(year, position(&MONTHS, month)? + 1, day)?;
    // The epoch was a Thursday.
    if (days + 3) % 7 != weekday {
        return None;
    }
    at(days, time, zone)
}

/// `1994-11-06T08:49:37Z`, with any fraction of a second and any distance from UTC.
fn rfc3339(text: &str) -> Option<Duration> {
    let (date, time) = text.split_at_checked(10)?;
    let (between, time) = time.split_at_checked(1)?;
    if !matches!(between, "T" | "t" | " ") {
        return None;
    }
    let (year, rest) = date.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    let days = days_since_epoch(number(year, 4)?, number(month, 2)?, number(day, 2)?)?;
    let (time, zone) = time.split_at_checked(
        time.bytes()
            .position(|it| !matches!(it, b'0'..=b'9' | b':' | b'.'))?,
    )?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let is_fraction = !fraction.is_empty() && fraction.bytes().all(|it| it.is_ascii_digit());
    let is_utc = zone.eq_ignore_ascii_case("z");
    let zone = if is_utc { GMT } else { zone };
    at(days, time, zone).filter(|_| is_fraction)
}

/// So many days after the epoch, at this `time` of day of a `zone`.
fn at(days: u64, time: &str, zone: &str) -> Option<Duration> {
    let local = days * 86_400 + seconds_of_day(time)?;
    let seconds = match zone.split_at_checked(1)? {
        ("+", distance) => local.checked_sub(seconds_of_zone(distance)?)?,
        ("-", distance) => local + seconds_of_zone(distance)?,
        _ if zone == GMT || zone == "UTC" => local,
        _ => return None,
    };
    Some(Duration::from_secs(seconds))
}

/// The seconds of a distance from UTC, e.g. `0200` or `02:00`.
fn seconds_of_zone(distance: &str) -> Option<u64> {
    let (hours, minutes) = match distance.split_once(':') {
        Some(parts) => parts,
        None => distance.split_at_checked(2)?,
    };
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    (hours < 24 && minutes < 60).then_some(hours * 3600 + minutes * 60)
}

/// The seconds from midnight to `text`, e.g. `08:49:37`.
fn seconds_of_day(text: &str) -> Option<u64> {
    let (hour, rest) = text.split_once(':')?;
    let (minute, second) = rest.split_once(':')?;
    let (hour, minute, second) = (number(hour, 2)?, number(minute, 2)?, number(second, 2)?);
    (hour < 24 && minute < 60 && second < 60).then_some(hour * 3600 + minute * 60 + second)
}

/// The days from the Unix epoch to a date. Months and days count from 1.
///
/// The year begins in March here, so that a leap day is its last day.
/// <https://howardhinnant.github.io/date_algorithms.html#days_from_civil>
fn days_since_epoch(year: u64, month: u64, day: u64) -> Option<u64> {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days_in_month = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if year < 1970 || !(1..=12).contains(&month) || !(1..=days_in_month).contains(&day) {
        return None;
    }
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let leap_days = year / 4 - year / 100 + year / 400;
    Some(year * 365 + leap_days + day_of_year - DAYS_TO_EPOCH)
}

/// The number that `text` is, of exactly so many digits.
fn number(text: &str, digits: usize) -> Option<u64> {
    if text.len() != digits {
        return None;
    }
    text.chars().try_fold(0, |sum, digit| {
        Some(sum * 10 + u64::from(digit.to_digit(10)?))
    })
}

/// The position of `name`, which is compared exactly.
fn position(names: &[&str], name: &str) -> Option<u64> {
    (0..)
        .zip(names)
        .find_map(|(at, it)| (*it == name).then_some(at))
}

/// The zone of HTTP's dates.
const GMT: &str = "GMT";

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

const LONG_WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Days from 1 March of the year 0 to the Unix epoch.
const DAYS_TO_EPOCH: u64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[track_caller]
    fn check(text: &str, expected: Option<u64>) {
        let read = since_epoch(text).map(|time| time.as_secs());
        assert_eq!(read, expected, "{text:?}");
    }

    #[test]
    fn all_three_formats_are_read() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            " Sun, 06 Nov 1994 08:49:37 GMT\t",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun Nov 06 08:49:37 1994",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "Sun, 06 Nov 1994 08:49:37 -0000",
            "Sun, 06 Nov 1994 08:49:37 +00:00",
            "Sun, 06 Nov 1994 10:19:37 +0130",
            "Sunday, 06-Nov-94 08:49:37 UTC",
        ] {
            check(text, Some(784_111_777));
        }
        check("Wed Nov 16 00:00:00 1994", Some(784_944_000));
    }

    #[test]
    fn rfc_3339_is_read_with_its_distance_from_utc() {
        for text in [
            "1994-11-06T08:49:37Z",
            "1994-11-06t08:49:37z",
            "1994-11-06 08:49:37Z",
            "1994-11-06T08:49:37.999999999Z",
            "1994-11-06T08:49:37.5+00:00",
            "1994-11-06T10:49:37+02:00",
            "1994-11-05T23:19:37-09:30",
            "1994-11-07T08:48:37+23:59",
        ] {
            check(text, Some(784_111_777));
        }
        check("1970-01-01T00:00:00Z", Some(0));
        check("1970-01-01T00:30:00+01:00", None);
        check("2024-02-29T12:00:00Z", Some(1_709_208_000));
        for text in [
            "1994-11-06T08:49:37",
            "1994-11-06",
            "1994-11-06T08:49Z",
            "1994-11-06T08:49:37.Z",
            "1994-11-06T08:49:37.5.5Z",
            "1994-11-06T08:49:37.xZ",
            "1994-11-06T08:49:37ZZ",
            "1994-11-06T08:49:37+1",
            "1994-11-06T08:49:37+24:00",
            "1994-11-06T08:49:37+01:60",
            "1994-13-06T08:49:37Z",
            "1994-00-06T08:49:37Z",
            "2023-02-29T12:00:00Z",
            "94-11-06T08:49:37Z",
            "1994-11-6T08:49:37Z",
            "1994-11-06TT08:49:37Z",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn calendars_have_leap_days_and_ends() {
        check("Thu, 01 Jan 1970 00:00:00 GMT", Some(0));
        check("Wed, 31 Dec 1969 23:59:59 GMT", None);
        check("Tue, 29 Feb 2000 00:00:00 GMT", Some(951_782_400));
        check("Wed, 01 Mar 2000 00:00:00 GMT", Some(951_868_800));
        check("Thu, 29 Feb 2024 12:00:00 GMT", Some(1_709_208_000));
        check("Wed, 29 Feb 2023 12:00:00 GMT", None);
        check("Mon, 29 Feb 2100 00:00:00 GMT", None);
        check("Mon, 01 Mar 2100 00:00:00 GMT", Some(4_107_542_400));
        check("Thu, 31 Dec 2026 23:59:59 GMT", Some(1_798_761_599));
        check("Fri, 31 Dec 9999 23:59:59 GMT", Some(253_402_300_799));
    }

    #[test]
    fn years_of_two_digits_are_near() {
        check("Thursday, 01-Jan-70 00:00:00 GMT", Some(0));
        check("Friday, 31-Dec-99 23:59:59 GMT", Some(946_684_799));
        check("Tuesday, 31-Dec-69 23:59:59 GMT", Some(3_155_759_999));
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut days = 0;
        for year in 1970..2410 {
            for (month, name) in (1..).zip(MONTHS) {
                for day in 1..=31 {
                    let Some(since) = days_since_epoch(year, month, day) else {
                        assert!(day > 28, "{year}-{month}-{day}");
                        continue;
                    };
                    assert_eq!(since, days, "{year}-{month}-{day}");
                    let weekday = WEEKDAYS[usize::try_from((days + 3) % 7).unwrap()];
                    check(
                        &format!("{weekday}, {day:02} {name} {year} 00:00:00 GMT"),
                        Some(days * 86_400),
                    );
                    days += 1;
                }
            }
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            " ",
            "Sun",
            "Sun, 99 Nov 1994 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Mon, 31 Nov 1994 08:49:37 GMT",
            "Mon, 06 Nov 1994 08:49:37 GMT",
            "sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 06 November 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Nov 1994 08:49:37 gmt",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 utc",
            "Sun, 06 Nov 1994 08:49:37 +2",
            "Sun, 06 Nov 1994 08:49:37 +",
            "Sun, 06 Nov 1994 08:49:37 ",
            "Sun, 06 Nov 1994 08:49:37 +00\u{669}",
            "Sun, 06 Nov 1994 08:49:37 GMT GMT",
            "Sun, 06 Nov 1994  08:49:37 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:60:00 GMT",
            "Sun, 06 Nov 1994 08:49:60 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 06 Nov 1994 8:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37:00 GMT",
            "Sun, +6 Nov 1994 08:49:37 GMT",
            "Sun, 06-Nov-94 08:49:37 GMT",
            "Sunday, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-1994 08:49:37 GMT",
            "Sunday, 06-Nov 08:49:37 GMT",
            "Sun Nov 6 08:49:37 1994",
            "Sun Nov  16 08:49:37 1994",
            "Sun Nov  6 08:49:37 1994 GMT",
            "Sun, 06 Nov 19\u{669}4 08:49:37 GMT",
            "\u{1f600}",
        ] {
            check(text, None);
        }
    }
}
