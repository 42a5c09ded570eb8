//! Durations as patterns: a schema can compare numbers, but not the numbers in texts.
//!
//! `"90s"` is right and `"90000s"` is not. A pattern compares digit by digit. A number is at most
//! `24.5` if its whole part is less than 24. It also is if the whole part is 24 and the fraction
//! begins with less than 5, or is 5 followed by zeros only. Leading zeros are ignored. Each unit
//! has such a pattern.
//!
//! Example: at most a minute is `(…)ms` up to 60000, `(…)s` up to 60, `(…)m` up to 1, `(…)h` up to
//! 0.01666666666.

use std::time::Duration;

use serde_json::{Value, json};

use super::part::number;

/// A text that means some time.
const NOT_ZERO: &str = "[1-9]";

/// The units with their length in nanoseconds.
const UNITS: [(&str, u128); 4] = [
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// How many digits of a fraction are compared: less than a nanosecond of an hour.
const DIGITS: usize = 13;

/// From 0, or from above it, to the longest of a configuration.
pub(super) fn up_to_a_day(zero: bool) -> Value {
    let max = steerage_config::duration::MAX;
    let mut text = json!({"type": "string", "pattern": at_most(max)});
    if !zero {
        text =
            json!({"type": "string", "allOf": [{"pattern": at_most(max)}, {"pattern": NOT_ZERO}]});
    }
    json!({"anyOf": [number(zero, max.as_secs_f64()), text]})
}

/// From `min` to `max`.
pub(super) fn within(min: Duration, max: Duration) -> Value {
    json!({"anyOf": [
        {"type": "number", "minimum": min.as_secs_f64(), "maximum": max.as_secs_f64()},
        {"type": "string", "allOf": [{"pattern": at_most(max)}, {"pattern": at_least(min)}]},
    ]})
}

/// Texts that mean at most this.
fn at_most(limit: Duration) -> String {
    in_each_unit(limit, |whole, fraction| {
        let zeros = format!("{}0*", digits(fraction));
        let mut fractions = vec![zeros];
        for (position, digit) in fraction.iter().enumerate() {
            let before = digits(fraction.get(..position).unwrap_or_default());
            // A prefix of the fraction is less, too; an empty one is no number.
            if position > 0 {
                fractions.push(before.clone());
            }
            if *digit > 0 {
                fractions.push(format!("{before}[0-{}][0-9]*", digit - 1));
            }
        }
        let fractions = match fraction {
            [] => "0+".to_owned(),
            _ => fractions.join("|"),
        };
        let mut choices: Vec<_> = less(whole)
            .into_iter()
            .map(|less| format!("{less}(?:\\.[0-9]+)?"))
            .collect();
        choices.push(format!("{whole}(?:\\.(?:{fractions}))?"));
        choices.join("|")
    })
}

/// Texts that mean at least this.
fn at_least(limit: Duration) -> String {
    in_each_unit(limit, |whole, fraction| {
        let mut fractions = vec![format!("{}[0-9]*", digits(fraction))];
        for (position, digit) in fraction.iter().enumerate() {
            let before = digits(fraction.get(..position).unwrap_or_default());
            if *digit < 9 {
                fractions.push(format!("{before}[{}-9][0-9]*", digit + 1));
            }
        }
        let mut choices: Vec<_> = more(whole)
            .into_iter()
            .map(|more| format!("{more}(?:\\.[0-9]+)?"))
            .collect();
        choices.push(if fraction.is_empty() {
            format!("{whole}(?:\\.[0-9]+)?")
        } else {
            format!("{whole}\\.(?:{})", fractions.join("|"))
        });
        choices.join("|")
    })
}

/// The pattern that `choices` gives for the whole part of the limit in a unit, and its fraction.
fn in_each_unit(limit: Duration, choices: impl Fn(u128, &[u8]) -> String) -> String {
    let units = UNITS.map(|(unit, length)| {
        let limit = limit.as_nanos();
        let mut fraction = Vec::new();
        let mut rest = limit % length;
        while rest > 0 && fraction.len() < DIGITS {
            rest *= 10;
            fraction.push(u8::try_from(rest / length).unwrap_or_default());
            rest %= length;
        }
        format!("0*(?:{}){unit}", choices(limit / length, &fraction))
    });
    format!("^(?:{})$", units.join("|"))
}

fn digits(digits: &[u8]) -> String {
    digits.iter().map(ToString::to_string).collect()
}

/// Patterns of the whole numbers below `number`, without leading zeros, which the whole pattern
/// allows in front. 0 has a pattern too, because there must be at least one digit.
fn less(number: u128) -> Vec<String> {
    let text = number.to_string();
    let mut patterns = Vec::new();
    if number > 0 {
        patterns.push("0".to_owned());
    }
    for length in 1..text.len() {
        patterns.push(format!("[1-9]{}", any(length - 1)));
    }
    for (position, digit) in text.bytes().enumerate() {
        let digit = digit - b'0';
        let lowest = u8::from(position == 0);
        if digit > lowest {
            let before = text.get(..position).unwrap_or_default();
            let after = any(text.len() - position - 1);
            patterns.push(format!("{before}[{lowest}-{}]{after}", digit - 1));
        }
    }
    patterns
}

/// Patterns of the whole numbers above `number`, without leading zeros.
fn more(number: u128) -> Vec<String> {
    let text = number.to_string();
    let mut patterns = vec![format!("[1-9]{}[0-9]*", any(text.len()))];
    for (position, digit) in text.bytes().enumerate() {
        let digit = digit - b'0';
        if digit < 9 {
            let before = text.get(..position).unwrap_or_default();
            let after = any(text.len() - position - 1);
            patterns.push(format!("{before}[{}-9]{after}", digit + 1));
        }
    }
    patterns
}

/// So many digits.
fn any(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => "[0-9]".into(),
        _ => format!("[0-9]{{{count}}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::LazyLock;

    use jsonschema::Validator;
    use proptest::prelude::*;
    use steerage_config::duration::{MAX, from_text};

    fn takes(schema: &Value, text: &str) -> bool {
        jsonschema::is_valid(schema, &json!(text))
    }

    /// The schemas of the test below. Compiling them takes longer than using them.
    struct Schemas {
        span_or_zero: Validator,
        span: Validator,
        within: Validator,
    }

    const MIN: Duration = Duration::from_millis(10);
    const TEN: Duration = Duration::from_secs(10);

    static SCHEMAS: LazyLock<Schemas> = LazyLock::new(|| {
        let read = |schema| jsonschema::validator_for(&schema).unwrap();
        Schemas {
            span_or_zero: read(up_to_a_day(true)),
            span: read(up_to_a_day(false)),
            within: read(within(MIN, TEN)),
        }
    });

    /// Numbers near the limits, and any others, with zeros where they do not matter.
    fn text() -> impl Strategy<Value = String> {
        let numbers = [
            "0", "1", "9", "10", "24", "86400", "86399", "86401", "1440", "86400000", "10000",
            "0.01", "0.009", "24.0", "24.1", "0.166", "0.17",
        ];
        let number = prop_oneof![
            3 => prop::sample::select(numbers.to_vec()).prop_map(str::to_owned),
            2 => "[0-9]{1,9}",
            2 => "[0-9]{1,6}\\.[0-9]{1,6}",
            1 => "[0-9.]{0,4}",
        ];
        ("0{0,2}", number, "(\\.0{1,3})?", "ms|s|m|h|d|")
            .prop_map(|(zeros, number, end, unit)| format!("{zeros}{number}{end}{unit}"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn patterns_say_what_the_parser_says(text in text()) {
            // `from_text` takes a number without a unit too.
            let span = from_text(&text).filter(|_| text.ends_with(['s', 'm', 'h']));
            let takes = |schema: &Validator| schema.is_valid(&json!(text));
            prop_assert_eq!(takes(&SCHEMAS.span_or_zero), span.is_some());
            let some = span.is_some_and(|span| !span.is_zero());
            prop_assert_eq!(takes(&SCHEMAS.span), some);
            let inside = span.is_some_and(|span| (MIN..=TEN).contains(&span));
            prop_assert_eq!(takes(&SCHEMAS.within), inside);
        }
    }

    #[test]
    fn limits_belong_to_what_they_limit() {
        for text in [
            "86400s",
            "86400.0s",
            "1440m",
            "24h",
            "86400000ms",
            "0000024.000h",
        ] {
            assert!(takes(&up_to_a_day(false), text), "{text}");
            assert_eq!(from_text(text), Some(MAX));
        }
        for text in ["86400.001s", "24.0001h", "86401s", "100000s"] {
            assert!(!takes(&up_to_a_day(true), text), "{text}");
        }
    }
}
