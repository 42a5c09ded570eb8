//! Exact counts over a trailing window: of how attempts ended, or of anything else that adds up.
//!
//! A ring of ten buckets, each a tenth of the window long. Counts and not an average, because a
//! share of exact counts does not depend on the rate of traffic. Their sum is kept while the newest
//! bucket lasts: every choice reads it for every candidate, and buckets end far less often.
//!
//! Example, a window of 10 s: 30 successes and 10 failures in second 3, nothing after. Until second
//! 13 the success rate is 0.75; from then on nothing is known.

use core::ops::{AddAssign, Range};
use core::time::Duration;

use crate::time::Instant;

/// How the attempts of a window ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Attempts whose endpoint did its work.
    pub successes: u64,
    /// Attempts whose endpoint was at fault.
    pub failures: u64,
    /// Attempts that were of no use, for no fault of the endpoint.
    pub unwanted: u64,
    /// Attempts of all kinds that were slow.
    pub slow: u64,
    /// Their response times, in microseconds.
    pub micros: u64,
}

impl Counts {
    /// All attempts that were judged.
    #[must_use]
    pub const fn total(&self) -> u64 {
        let useless = self.failures.saturating_add(self.unwanted);
        self.successes.saturating_add(useless)
    }

    /// Share of successes, 0.0..=1.0; `None` without attempts.
    #[must_use]
    pub fn success_rate(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
        (self.total() > 0).then(|| self.successes as f64 / self.total() as f64)
    }

    /// Mean response time in seconds; `None` without attempts.
    #[must_use]
    pub fn mean_seconds(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "sums stay far below 2^53 µs")]
        (self.total() > 0).then(|| self.micros as f64 / 1e6 / self.total() as f64)
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.successes = self.successes.saturating_add(other.successes);
        self.failures = self.failures.saturating_add(other.failures);
        self.unwanted = self.unwanted.saturating_add(other.unwanted);
        self.slow = self.slow.saturating_add(other.slow);
        self.micros = self.micros.saturating_add(other.micros);
    }
}

/// How an attempt counts in the window of its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// As a success.
    Success,
    /// As a failure, for the breaker's rate and for the balance.
    Failure,
    /// As no success for the balance, and as no failure for the breaker.
    Unwanted,
    /// Not at all.
    Not,
}

/// Sums of what was added within a trailing window.
#[derive(Clone, Debug)]
pub struct Window<C = Counts> {
    buckets: [Bucket<C>; BUCKETS],
    /// Length of one bucket in nanoseconds, at least 1.
    bucket_nanos: u64,
    /// The sum of all buckets, at the times of `summed`.
    sum: C,
    /// The time of the bucket that was added to last.
    summed: Range<Instant>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket<C> {
    /// The number of the bucket since the clock's origin, plus one; 0: never used.
    epoch: u64,
    counts: C,
}

impl<C: AddAssign + Copy + Default> Window<C> {
    /// A window over the trailing `length`, to a tenth of it.
    #[must_use]
    pub fn new(length: Duration) -> Self {
        let nanos = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        Self {
            buckets: [Bucket::default(); BUCKETS],
            bucket_nanos: (nanos / BUCKETS as u64).max(1),
            sum: C::default(),
            summed: NEVER,
        }
    }

    /// Adds `counts` at `now`.
    pub fn add(&mut self, counts: C, now: Instant) {
        let epoch = self.epoch(now);
        let slot = usize::try_from(epoch % BUCKETS as u64).unwrap_or(0);
        let Some(bucket) = self.buckets.get_mut(slot) else {
            return; // OK because a remainder by BUCKETS is below it.
        };
        if bucket.epoch != epoch {
            *bucket = Bucket {
                epoch,
                ..Bucket::default()
            };
        }
        bucket.counts += counts;
        if self.summed.contains(&now) {
            self.sum += counts;
        } else {
            self.sum = self.added_up(epoch);
            self.summed = self.unchanged(now);
        }
    }

    /// The sum of the window.
    #[must_use]
    pub fn counts(&self, now: Instant) -> C {
        if self.summed.contains(&now) {
            return self.sum;
        }
        self.added_up(self.epoch(now))
    }

    fn added_up(&self, epoch: u64) -> C {
        let mut counts = C::default();
        for bucket in &self.buckets {
            if bucket.epoch <= epoch && bucket.epoch + BUCKETS as u64 > epoch {
                counts += bucket.counts;
            }
        }
        counts
    }

    /// While the counts are those of `now` if nothing is added: the time of its bucket.
    #[must_use]
    pub const fn unchanged(&self, now: Instant) -> Range<Instant> {
        let begin = (self.epoch(now) - 1).saturating_mul(self.bucket_nanos);
        let end = begin.saturating_add(self.bucket_nanos);
        Instant::from_nanos(begin)..Instant::from_nanos(end)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.buckets = [Bucket::default(); BUCKETS];
        self.summed = NEVER;
    }

    /// The epoch of the bucket of `now`; never 0.
    const fn epoch(&self, now: Instant) -> u64 {
        now.as_nanos() / self.bucket_nanos + 1
    }
}

impl Window {
    /// Counts one attempt that ended `now`.
    pub fn record(&mut self, counted: Counted, slow: bool, took: Duration, now: Instant) {
        let counts = Counts {
            successes: u64::from(counted == Counted::Success),
            failures: u64::from(counted == Counted::Failure),
            unwanted: u64::from(counted == Counted::Unwanted),
            slow: u64::from(slow),
            micros: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        };
        self.add(counts, now);
    }
}

impl Default for Window {
    fn default() -> Self {
        Self::new(DEFAULT_LENGTH)
    }
}

/// The length of a window by default.
pub const DEFAULT_LENGTH: Duration = Duration::from_secs(10);

const BUCKETS: usize = 10;

const NEVER: Range<Instant> = Instant::ORIGIN..Instant::ORIGIN;

#[cfg(test)]
mod tests {
    use super::*;

    const TOOK: Duration = Duration::from_millis(2);

    fn success(is_one: bool) -> Counted {
        if is_one {
            Counted::Success
        } else {
            Counted::Failure
        }
    }

    fn second(n: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(n)
    }

    #[test]
    fn counts_are_exact_and_are_forgotten_after_the_window() {
        let mut window = Window::default();
        assert_eq!(window.counts(second(3)).success_rate(), None);
        for n in 0..40 {
            window.record(success(n % 4 != 0), n == 0, TOOK, second(3));
        }
        let counts = Counts {
            successes: 30,
            failures: 10,
            unwanted: 0,
            slow: 1,
            micros: 80_000,
        };
        assert_eq!(window.counts(second(3)), counts);
        assert_eq!(window.counts(second(12)).success_rate(), Some(0.75));
        assert_eq!(window.counts(second(13)), Counts::default());
    }

    #[test]
    fn a_bucket_is_reused_only_after_a_whole_round() {
        let mut window = Window::default();
        window.record(Counted::Failure, false, TOOK, second(0));
        window.record(Counted::Success, false, TOOK, second(10));
        assert_eq!(window.counts(second(10)).success_rate(), Some(1.0));
    }

    #[test]
    fn a_clock_that_steps_back_loses_nothing_but_precision() {
        let mut window = Window::default();
        window.record(Counted::Success, false, TOOK, second(20));
        assert_eq!(window.counts(second(5)).total(), 0);
        window.record(Counted::Failure, false, TOOK, second(5));
        assert_eq!(window.counts(second(20)).success_rate(), Some(1.0));
    }

    #[test]
    fn any_length_is_a_window() {
        for length in [Duration::ZERO, Duration::from_nanos(3), Duration::MAX] {
            let mut window = Window::new(length);
            window.record(Counted::Success, false, TOOK, second(1));
            assert_eq!(window.counts(second(1)).total(), 1, "{length:?}");
            window.clear();
            assert_eq!(window.counts(second(1)).total(), 0);
        }
    }
}
