//! Reads the dates of HTTP, in the three formats of RFC 9110 §5.6.7.
//!
//! `Retry-After` is the only header that is read as a date, and the package has no `std`, so this
//! is written here and not taken from a crate. Reading is strict: a date that does not exist, a day
//! of the week that is not that of the date, and a zone other than `GMT` are refused.
//!
//! Limits: dates before 1970 are refused. A year of two digits is one of 1970 to 2069. A leap
//! second (`:60`) is refused, as by most readers.
//!
//! Example: `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` and
//! `Sun Nov  6 08:49:37 1994` are all 784,111,777 s after the epoch.

use alloc::vec::Vec;
use core::time::Duration;

/// The time from the Unix epoch to the date `text`.
pub(super) fn since_epoch(text: &str) -> Option<Duration> {
    let parts: Vec<_> = text.trim().splitn(7, ' ').collect();
    let (weekday, year, month, day, time) = match *parts.as_slice() {
        // IMF-fixdate: `Sun, 06 Nov 1994 08:49:37 GMT`.
        [weekday, day, month, year, time, "GMT"] => {
            let weekday = position(&WEEKDAYS, weekday.strip_suffix(',')?)?;
            (weekday, number(year, 4)?, month, number(day, 2)?, time)
        }
        // RFC 850: `Sunday, 06-Nov-94 08:49:37 GMT`.
        [weekday, date, time, "GMT"] => {
            let weekday = position(&LONG_WEEKDAYS, weekday.strip_suffix(',')?)?;
            let (day, rest) = date.split_once('-')?;
            let (month, year) = rest.split_once('-')?;
            let year = number(year, 2)?;
            let century = if year < 70 { 2000 } else { 1900 };
            (weekday, century + year, month, number(day, 2)?, time)
        }
        // asctime: `Sun Nov  6 08:49:37 1994`.
        [weekday, month, "", day, time, year] => {
            let weekday = position(&WEEKDAYS, weekday)?;
            (weekday, number(year, 4)?, month, number(day, 1)?, time)
        }
        [weekday, month, day, time, year] => {
            let weekday = position(&WEEKDAYS, weekday)?;
            (weekday, number(year, 4)?, month, number(day, 2)?, time)
        }
        _ => return None,
    };
    let days = days_since_epoch(year, position(&MONTHS, month)? + 1, day)?;
    // The epoch was a Thursday.
    if (days + 3) % 7 != weekday {
        return None;
    }
    Some(Duration::from_secs(days * 86_400 + seconds_of_day(time)?))
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
    if year < 1970 || !(1..=days_in_month).contains(&day) {
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
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

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
        ] {
            check(text, Some(784_111_777));
        }
        check("Wed Nov 16 00:00:00 1994", Some(784_944_000));
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
