//! Times, spans and fractions as the numbers that records hold.

use core::time::Duration;

use steerage_policy::time::Instant;

use super::Unreadable;

/// A span in nanoseconds; one of more than 584 years becomes the longest.
pub(crate) fn nanos(span: Duration) -> u64 {
    // Not by `as_nanos`, which multiplies 128 bits.
    if span.as_secs() < MOST_SECONDS {
        span.as_secs() * NANOS + u64::from(span.subsec_nanos())
    } else {
        u64::MAX
    }
}

/// A time, if there is one, in nanoseconds.
pub(crate) fn time(at: Option<Instant>) -> Option<u64> {
    at.map(Instant::as_nanos)
}

/// The time in so many nanoseconds, if there is one.
pub(crate) fn instant(nanos: Option<u64>) -> Option<Instant> {
    nanos.map(Instant::from_nanos)
}

/// A number of seconds, or of anything else that is finite and not negative.
pub(crate) fn positive(number: f64) -> Result<f64, Unreadable> {
    let is_valid = number.is_finite() && number >= 0.0;
    is_valid.then_some(number).ok_or(Unreadable)
}

const NANOS: u64 = 1_000_000_000;
const MOST_SECONDS: u64 = u64::MAX / NANOS;
