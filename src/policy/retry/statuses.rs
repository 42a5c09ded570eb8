//! A set of HTTP statuses.

use alloc::vec::Vec;
use core::ops::RangeInclusive;

/// A set of HTTP statuses, as ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statuses(Vec<RangeInclusive<u16>>);

impl Statuses {
    /// The statuses in these ranges.
    #[must_use]
    pub const fn new(ranges: Vec<RangeInclusive<u16>>) -> Self {
        Self(ranges)
    }

    /// Whether `status` is in the set.
    #[must_use]
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

impl Default for Statuses {
    /// 429, 500, 502, 503, 504: no capacity, or a failure that another endpoint may not have.
    fn default() -> Self {
        Self::new([429..=429, 500..=500, 502..=504].to_vec())
    }
}
