//! Medians and their spread: a machine that others use as well has bad moments, and a mean believes them.
//!
//! Ratios are made within a round, of contenders that were measured side by side within seconds, and the median
//! is taken of those. The ratio of two medians would compare one contender's good round with another's bad one.
//!
//! Of CPU times 30, 31 and 90 µs beside a floor of 20, 20 and 60 the ratios are 1.50, 1.55 and 1.50: the third
//! round was slow for both, and the median ratio of 1.50 does not see it.

use std::fmt;

/// The median, and the least and greatest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    /// Of an even number the mean of the two in the middle.
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// `None` when there are no values.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let upper = *sorted.get(middle)?;
        let lower = match sorted.len() % 2 {
            0 => sorted.get(middle.checked_sub(1)?).copied()?,
            _ => upper,
        };
        Some(Self {
            median: f64::midpoint(lower, upper),
            least: *sorted.first()?,
            most: *sorted.last()?,
        })
    }

    /// Of each round's value over the same round's `base`. Rounds that lack one of the two are left out.
    pub(crate) fn of_ratios(values: &[f64], base: &[f64]) -> Option<Self> {
        let ratios: Vec<f64> = values.iter().zip(base).map(|(a, b)| a / b).collect();
        Self::of(&ratios)
    }
}

impl fmt::Display for Spread {
    /// `31.2 (30.1–34.0)`, with the formatter's precision.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(1);
        write!(
            f,
            "{:.digits$} ({:.digits$}–{:.digits$})",
            self.median, self.least, self.most
        )
    }
}

/// The value that `percent` of the sorted values do not exceed (nearest rank); 0 when there are none.
pub(crate) fn percentile(sorted: &[u64], percent: f64) -> u64 {
    let count = sorted.len();
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank lies between 0 and the number of values"
    )]
    let rank = (percent * count as f64 / 100.0).ceil() as usize;
    sorted
        .get(rank.clamp(1, count.max(1)) - 1)
        .copied()
        .unwrap_or_default()
}

/// A number to reckon with.
#[expect(
    clippy::cast_precision_loss,
    reason = "nothing here is counted up to 2^53"
)]
pub(crate) fn count(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle_and_a_spread_the_ends() {
        let spread = Spread::of(&[3.0, 1.0, 2.0]).unwrap();
        assert_eq!((spread.median, spread.least, spread.most), (2.0, 1.0, 3.0));
        assert_eq!(Spread::of(&[4.0, 1.0]).unwrap().median, 2.5);
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(format!("{spread:.2}"), "2.00 (1.00–3.00)");
    }

    #[test]
    fn a_ratio_does_not_see_a_round_that_was_slow_for_both() {
        let ratio = Spread::of_ratios(&[30.0, 31.0, 90.0], &[20.0, 20.0, 60.0]).unwrap();
        assert_eq!(ratio.median, 1.5);
    }

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let values: Vec<u64> = (1..=1000).collect();
        assert_eq!(percentile(&values, 50.0), 500);
        assert_eq!(percentile(&values, 99.0), 990);
        assert_eq!(percentile(&values, 99.9), 999);
        assert_eq!(percentile(&values, 100.0), 1000);
        assert_eq!(percentile(&[], 50.0), 0);
    }
}
