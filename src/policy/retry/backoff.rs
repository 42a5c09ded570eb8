//! How long to wait before a retry, before jitter.
//!
//! A [`Backoff`] is a function of n, the number of the retry; n = 1 after the first attempt. An
//! exchange has at most [`MAX_ATTEMPTS`] attempts, so n is at most 9. The policy keeps a table of
//! nine [`Delays`], computed once when the configuration is read. A custom expression, or a backoff
//! written in Rust, can therefore not fail or hang while requests are served, and costs them
//! nothing.
//!
//! | strategy | delay before retry n | base 0.1 s, factor 2 |
//! |---|---|---|
//! | exponential | base · factor^(n−1) | 0.1, 0.2, 0.4, 0.8 … |
//! | linear | base · n | 0.1, 0.2, 0.3, 0.4 … |
//! | fibonacci | base · F(n) | 0.1, 0.1, 0.2, 0.3, 0.5 … |
//! | fixed | base | 0.1, 0.1, 0.1 … |
//! | custom | f(n), or a list whose last delay repeats | |
//!
//! All delays are capped at `max_delay`. Arithmetic saturates, so no base and factor overflow.

use core::fmt::Debug;
use core::time::Duration;

use crate::time::from_seconds;

/// Most attempts that an exchange may have, the first included.
pub const MAX_ATTEMPTS: u8 = 10;

/// Most retries that an exchange may have.
pub const MAX_RETRIES: usize = MAX_ATTEMPTS as usize - 1;

/// A strategy: how long to wait before each retry.
///
/// ```
/// use core::time::Duration;
/// use steerage_policy::retry::backoff::{Backoff, Delays};
///
/// /// One second, three, six, ten …
/// #[derive(Debug)]
/// struct Triangular;
///
/// impl Backoff for Triangular {
///     fn delay(&self, n: u8) -> Duration {
///         let n = u64::from(n);
///         Duration::from_secs(n * (n + 1) / 2)
///     }
/// }
///
/// let delays = Delays::of(&Triangular, Duration::from_secs(5));
/// assert_eq!([1, 2, 3, 4].map(|n| delays.delay(n).as_secs()), [1, 3, 5, 5]);
/// ```
pub trait Backoff: Debug {
    /// The delay before retry `n`, before jitter: n = 1 after the first attempt, at most
    /// [`MAX_RETRIES`].
    ///
    /// It is called once for each `n`, when the configuration is read. More than `max_delay` counts
    /// as `max_delay`.
    fn delay(&self, n: u8) -> Duration;
}

/// The delays before the retries of an exchange, before jitter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delays([Duration; MAX_RETRIES]);

impl Delays {
    /// The delays of `backoff`, each capped at `max`.
    #[must_use]
    pub fn of(backoff: &dyn Backoff, max: Duration) -> Self {
        Self::table(max, |n| backoff.delay(n))
    }

    /// base · factor^(n−1), capped at `max`. A factor below 1 is valid and shrinks the delay.
    #[must_use]
    pub fn exponential(base: Duration, factor: f64, max: Duration) -> Self {
        Self::table(max, |n| {
            from_seconds(base.as_secs_f64() * libm::pow(factor, f64::from(n - 1)))
        })
    }

    /// base · n, capped at `max`.
    #[must_use]
    pub fn linear(base: Duration, max: Duration) -> Self {
        Self::table(max, |n| base.saturating_mul(u32::from(n)))
    }

    /// base · F(n) with F = 1, 1, 2, 3, 5, 8, 13, 21, 34, capped at `max`.
    #[must_use]
    pub fn fibonacci(base: Duration, max: Duration) -> Self {
        let (mut current, mut next) = (1_u32, 1_u32);
        Self::table(max, |_| {
            let delay = base.saturating_mul(current);
            (current, next) = (next, current + next);
            delay
        })
    }

    /// The same delay before each retry, capped at `max`.
    #[must_use]
    pub fn fixed(base: Duration, max: Duration) -> Self {
        Self::table(max, |_| base)
    }

    /// `list[n−1]`, capped at `max`; the last one repeats. No delay if the list is empty.
    #[must_use]
    pub fn list(list: &[Duration], max: Duration) -> Self {
        let mut remaining = list.iter();
        let mut delay = Duration::ZERO;
        Self::table(max, |_| {
            delay = *remaining.next().unwrap_or(&delay);
            delay
        })
    }

    /// `seconds(n)` for n = 1, 2, …, 9 in this order, capped at `max`.
    #[must_use]
    pub fn custom(mut seconds: impl FnMut(u8) -> f64, max: Duration) -> Self {
        Self::table(max, |n| from_seconds(seconds(n)))
    }

    fn table(max: Duration, mut delay: impl FnMut(u8) -> Duration) -> Self {
        let mut n = 0;
        Self(core::array::from_fn(|_| {
            n += 1;
            delay(n).min(max)
        }))
    }
}

impl Backoff for Delays {
    /// After the ninth, the delay of the ninth.
    fn delay(&self, n: u8) -> Duration {
        let position = usize::from(n.saturating_sub(1)).min(MAX_RETRIES - 1);
        self.0.get(position).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::RefCell;
    use std::vec::Vec;

    const MAX: Duration = Duration::from_secs(60);

    fn check(backoff: &Delays, milliseconds: &[u64]) {
        let delays: Vec<_> = (1..)
            .take(milliseconds.len())
            .map(|n| backoff.delay(n))
            .collect();
        let expected: Vec<_> = milliseconds
            .iter()
            .copied()
            .map(Duration::from_millis)
            .collect();
        assert_eq!(delays, expected);
    }

    #[test]
    fn each_strategy_follows_its_formula() {
        let base = Duration::from_secs(1);
        check(
            &Delays::exponential(base, 2.0, MAX),
            &[1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000],
        );
        check(
            &Delays::linear(2 * base, MAX),
            &[2_000, 4_000, 6_000, 8_000, 10_000],
        );
        check(
            &Delays::fibonacci(base, MAX),
            &[
                1_000, 1_000, 2_000, 3_000, 5_000, 8_000, 13_000, 21_000, 34_000,
            ],
        );
        check(&Delays::fixed(3 * base, MAX), &[3_000, 3_000, 3_000]);
        let half = Duration::from_millis(500);
        check(
            &Delays::list(&[half, 2 * base], MAX),
            &[500, 2_000, 2_000, 2_000],
        );
        check(&Delays::list(&[], MAX), &[0, 0]);
    }

    #[test]
    fn a_custom_function_is_asked_once_for_each_retry() {
        let mut asked = Vec::new();
        let backoff = Delays::custom(
            |n| {
                asked.push(n);
                libm::pow(f64::from(n), 1.5).min(2.0)
            },
            MAX,
        );
        assert_eq!(asked, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        check(&backoff, &[1_000]);
        assert_eq!(backoff.delay(9), Duration::from_secs(2));
    }

    /// n seconds, and a note of what was asked.
    #[derive(Debug, Default)]
    struct Noted(RefCell<Vec<u8>>);

    impl Backoff for Noted {
        fn delay(&self, n: u8) -> Duration {
            self.0.borrow_mut().push(n);
            Duration::from_secs(n.into())
        }
    }

    #[test]
    fn a_backoff_of_ones_own_is_asked_once_for_each_retry_and_capped() {
        let noted = Noted::default();
        let delays = Delays::of(&noted, Duration::from_millis(2_500));
        assert_eq!(*noted.0.borrow(), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        check(&delays, &[1_000, 2_000, 2_500, 2_500]);
        assert_eq!(noted.0.borrow().len(), MAX_RETRIES);
        assert_eq!(Delays::of(&delays, MAX), delays);
    }

    #[test]
    fn nothing_overflows() {
        let backoffs = [
            Delays::exponential(Duration::MAX, 1e300, Duration::MAX),
            Delays::linear(Duration::MAX, Duration::MAX),
            Delays::fibonacci(Duration::MAX, Duration::MAX),
            Delays::custom(|_| f64::INFINITY, Duration::MAX),
        ];
        for backoff in backoffs {
            assert_eq!(backoff.delay(9), Duration::MAX);
        }
        assert_eq!(Delays::custom(|_| f64::NAN, MAX).delay(1), Duration::ZERO);
    }

    #[test]
    fn numbers_outside_the_table_read_its_ends() {
        let backoff = Delays::linear(Duration::from_secs(1), MAX);
        assert_eq!(backoff.delay(0), backoff.delay(1));
        assert_eq!(backoff.delay(255), backoff.delay(9));
    }
}
