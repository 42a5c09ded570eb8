//! Numbers in messages, as JSON writes them.
//!
//! The standard library's formatting of floats would add 17 KB to the module. The JSON writer is
//! part of it anyway.
//!
//! Example: `Decimal(60.0)` is `60`, `Decimal(0.25)` is `0.25`.

use core::fmt;

use serde_json::Number;

/// A number to be shown.
pub(crate) struct Decimal(pub(crate) f64);

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.0;
        // Up to here every whole number has a float of its own.
        if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "whole and within the range of i64"
            )]
            return write!(f, "{}", value as i64);
        }
        match Number::from_f64(value) {
            Some(number) => number.fmt(f),
            None if value.is_nan() => f.write_str("NaN"),
            None => f.write_str(if value > 0.0 { "inf" } else { "-inf" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_as_they_are_written() {
        for (value, shown) in [
            (0.0, "0"),
            (-1.0, "-1"),
            (60.0, "60"),
            (0.25, "0.25"),
            (1e300, "1e+300"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(Decimal(value).to_string(), shown);
        }
    }
}
