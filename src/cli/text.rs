//! Numbers, durations, JSON and colours, as the commands print them.

use std::fmt::Display;
use std::time::Duration;

use serde_json::Value;

/// `value` on several lines, with a line break at the end.
pub(crate) fn json(value: &Value) -> String {
    format!("{value:#}\n")
}

/// A duration with the unit that suits it: `25 ms`, `1.5 s`.
pub(crate) fn span(span: Duration) -> String {
    let seconds = span.as_secs_f64();
    if seconds >= 1.0 {
        format!("{} s", decimal(seconds, 2))
    } else {
        format!("{} ms", decimal(seconds * 1_000.0, 1))
    }
}

/// A number with at most so many decimals, without zeros at the end.
pub(crate) fn decimal(number: f64, decimals: usize) -> String {
    let text = format!("{number:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').into()
    } else {
        text
    }
}

/// `1 error`, `2 errors`.
pub(crate) fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// What is to stand out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Colour {
    Red,
    Yellow,
    Green,
}

/// `text` in a colour, or as it is.
pub(crate) fn paint(colour: Colour, text: impl Display, coloured: bool) -> String {
    let code = match colour {
        Colour::Red => 31,
        Colour::Yellow => 33,
        Colour::Green => 32,
    };
    if coloured {
        format!("\u{1b}[1;{code}m{text}\u{1b}[0m")
    } else {
        text.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_the_unit_that_suits_them() {
        for (milliseconds, expected) in [
            (0, "0 ms"),
            (25, "25 ms"),
            (999, "999 ms"),
            (1_000, "1 s"),
            (1_500, "1.5 s"),
            (60_000, "60 s"),
        ] {
            assert_eq!(span(Duration::from_millis(milliseconds)), expected);
        }
        assert_eq!(span(Duration::from_micros(12_340)), "12.3 ms");
        assert_eq!(decimal(100.0, 0), "100");
    }
}
