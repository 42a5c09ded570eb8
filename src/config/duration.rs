//! Durations as a configuration writes them: a number of seconds, or text with a unit.
//!
//! A text has one unit. Compounds such as `"1h30m"` would need rules on order, and `"90m"` means
//! the same.
//!
//! Example: `0.25`, `"250ms"` and `"0.25s"` are the same.

use core::time::Duration;

use crate::json::Json;

/// The longest duration of a configuration: a day.
pub const MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The duration that `json` means, 0 to [`MAX`]; `None` if it means none.
pub(crate) fn read(json: &Json) -> Option<Duration> {
    let seconds = match json {
        Json::Number(number) => number.as_f64()?,
        Json::Text(text) => seconds(text)?,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| *duration <= MAX)
}

/// The duration in a text outside JSON, such as an argument of a command line: with a unit, or in
/// seconds (`0.25`).
///
/// ```
/// assert_eq!(
///     steerage_config::duration::from_text("250ms"),
///     steerage_config::duration::from_text("0.25")
/// );
/// ```
#[must_use]
pub fn from_text(text: &str) -> Option<Duration> {
    let is_number = text.ends_with(|last: char| last.is_ascii_digit());
    let unit = if is_number { "s" } else { "" };
    read(&Json::Text(format!("{text}{unit}").into()))
}

fn seconds(text: &str) -> Option<f64> {
    let unit_at = text.find(|char: char| char.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at_checked(unit_at)?;
    // Rust would also take "+1", "1." and ".5".
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let well_formed = match number.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(number),
    };
    let number: f64 = number.parse().ok().filter(|_| well_formed)?;
    match unit {
        "ms" => Some(number / 1_000.0),
        "s" => Some(number),
        "m" => Some(number * 60.0),
        "h" => Some(number * 3_600.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: Option<u64>) {
        let json = serde_json::from_str(json).unwrap();
        assert_eq!(read(&json), expected.map(Duration::from_micros));
    }

    #[test]
    fn numbers_are_seconds() {
        check("0", Some(0));
        check("-0.0", Some(0));
        check("0.25", Some(250_000));
        check("30", Some(30_000_000));
        check("86400", Some(86_400_000_000));
        check("86400.001", None);
        check("-1", None);
        check("1e300", None);
    }

    #[test]
    fn text_has_one_unit() {
        check(r#""250ms""#, Some(250_000));
        check(r#""1.5s""#, Some(1_500_000));
        check(r#""5m""#, Some(300_000_000));
        check(r#""1h""#, Some(3_600_000_000));
        check(r#""24h""#, Some(86_400_000_000));
        for bad in [
            "24.1h", "", "s", "5", "5 s", "5S", "5d", "-5s", "+5s", "5.s", ".5s", "1e3s", "1h30m",
            "NaNs", "infs", "٣s",
        ] {
            check(&format!("{bad:?}"), None);
        }
    }

    #[test]
    fn a_command_line_may_leave_the_seconds_out() {
        let seconds = |text| from_text(text).map(|span| span.as_secs_f64());
        assert_eq!(seconds("0.25"), Some(0.25));
        assert_eq!(seconds("250ms"), Some(0.25));
        for bad in ["", "s", "1500m", "x1", "-1", "86401"] {
            assert_eq!(from_text(bad), None, "{bad}");
        }
    }

    #[test]
    fn other_types_are_not_durations() {
        for bad in ["null", "true", "[1]", "{}"] {
            check(bad, None);
        }
    }
}
