//! A point in monotonic time, as the host gives it.
//!
//! The core reads no clock. Every decision takes `now` as an argument, so a test or a simulation
//! can be at any time. Durations are [`core::time::Duration`].
//!
//! Arithmetic saturates. If a clock steps back, no time has passed. A deadline beyond the range is
//! the last instant.
//!
//! ```
//! use core::time::Duration;
//! use steerage_policy::time::Instant;
//!
//! let sent = Instant::from_nanos(5_000_000);
//! let answered = sent + Duration::from_millis(20);
//! assert_eq!(answered.since(sent), Duration::from_millis(20));
//! assert_eq!(sent.since(answered), Duration::ZERO);
//! ```

use core::ops::Add;
use core::time::Duration;

/// Nanoseconds since an origin that only the host knows. Comparable between the workers of one
/// process, because they share one monotonic clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The origin of the host's clock, before all events.
    pub const ORIGIN: Self = Self(0);

    /// The instant `nanos` nanoseconds after the origin.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time passed since `earlier`; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The instant this long before.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(span)))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(nanos(span)))
    }
}

/// `span` in nanoseconds; the largest number where it does not fit, which is from 584 years on.
///
/// Not [`Duration::as_nanos`], which multiplies in 128 bits: on WebAssembly that is a function
/// call, and there are a dozen for each request.
#[must_use]
pub const fn nanos(span: Duration) -> u64 {
    const SECOND: u64 = 1_000_000_000;
    if span.as_secs() >= u64::MAX / SECOND {
        return u64::MAX;
    }
    span.as_secs() * SECOND + span.subsec_nanos() as u64
}

/// `seconds` as a duration. Negative numbers and NaN become zero; what is too large becomes the
/// longest duration.
#[must_use]
pub fn from_seconds(seconds: f64) -> Duration {
    if seconds > 0.0 {
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    } else {
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_steps_back_reads_as_no_time_passed() {
        let early = Instant::from_nanos(1);
        let late = Instant::from_nanos(9);
        assert_eq!(early.since(late), Duration::ZERO);
    }

    #[test]
    fn adding_saturates() {
        assert_eq!(
            Instant::from_nanos(1) + Duration::MAX,
            Instant::from_nanos(u64::MAX)
        );
    }

    #[test]
    fn nanoseconds_saturate() {
        for span in [
            Duration::ZERO,
            Duration::new(7, 9),
            Duration::from_secs(18_446_744_072),
        ] {
            assert_eq!(u128::from(nanos(span)), span.as_nanos());
        }
        assert_eq!(nanos(Duration::from_secs(18_446_744_074)), u64::MAX);
        assert_eq!(nanos(Duration::MAX), u64::MAX);
    }

    #[test]
    fn seconds_that_are_no_duration_become_the_nearest_one() {
        assert_eq!(from_seconds(f64::NAN), Duration::ZERO);
        assert_eq!(from_seconds(-1.0), Duration::ZERO);
        assert_eq!(from_seconds(f64::INFINITY), Duration::MAX);
        assert_eq!(from_seconds(0.25), Duration::from_millis(250));
    }
}
