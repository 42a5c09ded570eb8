//! Exact counts of successes and failures over the last ten seconds.
//!
//! A ring of ten one-second buckets. Counts and not an average: a share over exact counts does not
//! depend on the rate of traffic, and ten buckets are so few that summing them again for every
//! question is cheaper than keeping a running total right.
//!
//! Example: 30 successes and 10 failures in second 3, nothing after. Until second 13 the success
//! rate reads 0.75; from then on nothing is known and it reads `None`.

use crate::time::Instant;

/// Counts of the attempts that ended within the last [`Window::SECONDS`].
#[derive(Clone, Debug, Default)]
pub struct Window {
    buckets: [Bucket; BUCKETS],
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// The second since the clock's origin that these counts belong to, plus one; 0 = never used.
    epoch: u64,
    successes: u32,
    failures: u32,
}

impl Window {
    /// Length of the window in seconds.
    pub const SECONDS: u64 = 10;

    /// Counts one attempt that ended `now`.
    pub fn record(&mut self, success: bool, now: Instant) {
        let epoch = epoch(now);
        let slot = usize::try_from(epoch % Self::SECONDS).unwrap_or(0);
        let Some(bucket) = self.buckets.get_mut(slot) else {
            return; // OK because a remainder by SECONDS is below BUCKETS.
        };
        if bucket.epoch != epoch {
            *bucket = Bucket {
                epoch,
                ..Bucket::default()
            };
        }
        let count = if success {
            &mut bucket.successes
        } else {
            &mut bucket.failures
        };
        *count = count.saturating_add(1);
    }

    /// Share of successes among the attempts of the window, 0.0..=1.0; `None` when there were none.
    #[must_use]
    pub fn success_rate(&self, now: Instant) -> Option<f64> {
        let epoch = epoch(now);
        let (mut successes, mut total) = (0_u64, 0_u64);
        for bucket in &self.buckets {
            if bucket.epoch + Self::SECONDS > epoch && bucket.epoch <= epoch {
                successes += u64::from(bucket.successes);
                total += u64::from(bucket.successes) + u64::from(bucket.failures);
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
        (total > 0).then(|| successes as f64 / total as f64)
    }
}

/// The bucket's epoch that `now` falls into; never 0.
fn epoch(now: Instant) -> u64 {
    now.as_nanos() / NANOS_PER_SECOND + 1
}

const BUCKETS: usize = 10;
const NANOS_PER_SECOND: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn second(n: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(n)
    }

    #[test]
    fn the_rate_is_exact_and_is_forgotten_after_ten_seconds() {
        let mut window = Window::default();
        assert_eq!(window.success_rate(second(3)), None);
        for n in 0..40 {
            window.record(n % 4 != 0, second(3));
        }
        assert_eq!(window.success_rate(second(3)), Some(0.75));
        assert_eq!(window.success_rate(second(12)), Some(0.75));
        assert_eq!(window.success_rate(second(13)), None);
    }

    #[test]
    fn a_bucket_is_reused_only_after_a_whole_round() {
        let mut window = Window::default();
        window.record(false, second(0));
        window.record(true, second(10));
        assert_eq!(window.success_rate(second(10)), Some(1.0));
    }

    #[test]
    fn a_clock_that_steps_back_loses_nothing_but_precision() {
        let mut window = Window::default();
        window.record(true, second(20));
        assert_eq!(window.success_rate(second(5)), None);
        window.record(false, second(5));
        assert_eq!(window.success_rate(second(20)), Some(1.0));
    }
}
