//! The ways in which durations are written elsewhere.
//!
//! Example: `1m30s`, `PT1M30S` and `90 seconds` are all 90 seconds.

use std::time::Duration;

/// A duration as the configuration has it.
pub(crate) fn written(span: Duration) -> String {
    let milliseconds = span.as_millis();
    if milliseconds.is_multiple_of(1_000) {
        format!("\"{}s\"", milliseconds / 1_000)
    } else {
        format!("\"{milliseconds}ms\"")
    }
}

/// The duration that a text means, whoever writes it.
pub(crate) fn meant(text: &str) -> Option<Duration> {
    let text = text.trim().to_ascii_lowercase();
    let (text, is_iso) = match text.strip_prefix("pt") {
        Some(rest) => (rest, true),
        None => (&*text, false),
    };
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        let end = rest.find(|c| !is_number(c)).unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        let number: f64 = number.parse().ok()?;
        let after = after.trim_start();
        let is_word = |c: char| c.is_alphabetic();
        let end = after.find(|c| !is_word(c)).unwrap_or(after.len());
        let (word, after) = after.split_at(end);
        seconds += number * unit(word, is_iso)?;
        rest = after.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
    }
    (seconds > 0.0).then(|| Duration::try_from_secs_f64(seconds).ok())?
}

fn unit(word: &str, is_iso: bool) -> Option<f64> {
    Some(match word {
        "ns" => 1e-9,
        "us" | "µs" | "μs" => 1e-6,
        "ms" | "msec" | "msecs" | "millis" | "millisecond" | "milliseconds" => 1e-3,
        "" if !is_iso => 1.0,
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600.0,
        "d" | "day" | "days" => 86_400.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_others_are_understood() {
        for (text, expected) in [
            ("1m30s", "\"90s\""),
            ("PT30S", "\"30s\""),
            ("pt1m0.5s", "\"60500ms\""),
            ("2 minutes", "\"120s\""),
            ("500 ms", "\"500ms\""),
            ("30", "\"30s\""),
            ("1500us", "\"1ms\""),
            ("1d", "\"86400s\""),
        ] {
            assert_eq!(
                meant(text).map(written).as_deref(),
                Some(expected),
                "{text}"
            );
        }
        for text in ["", "soon", "PT30", "5 parsecs", "-1s", "0s"] {
            assert_eq!(meant(text), None, "{text}");
        }
    }
}
