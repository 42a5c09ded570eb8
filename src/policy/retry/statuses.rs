//! A set of HTTP statuses.

use alloc::vec::Vec;
use core::ops::RangeInclusive;

/// A set of HTTP statuses: a bit for each, because every answer is looked up in several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statuses([u64; WORDS]);

impl Statuses {
    /// The statuses in these ranges. There are none from 640 on.
    #[must_use]
    pub fn new(ranges: Vec<RangeInclusive<u16>>) -> Self {
        let mut words = [0; WORDS];
        for status in ranges.into_iter().flatten() {
            if let Some(word) = words.get_mut(usize::from(status / 64)) {
                *word |= 1 << (status % 64);
            }
        }
        Self(words)
    }

    /// Whether `status` is in the set.
    #[must_use]
    pub fn contains(&self, status: u16) -> bool {
        let word = self.0.get(usize::from(status / 64));
        word.is_some_and(|word| word & (1 << (status % 64)) != 0)
    }
}

impl Default for Statuses {
    /// 429, 500, 502, 503, 504: no capacity, or a failure that another endpoint may not have.
    fn default() -> Self {
        Self::new([429..=429, 500..=500, 502..=504].to_vec())
    }
}

/// For 0 to 639.
const WORDS: usize = 10;
