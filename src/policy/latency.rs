//! How long an endpoint takes to begin its answer: a peak-sensitive moving average.
//!
//! A sample above the average replaces it at once; a lower one pulls it down with the time constant
//! `decay`. The asymmetry is the point: an endpoint that turns slow is felt with its first slow
//! answer, while it must prove itself again before it is believed to be fast. The weight of a
//! sample depends on the time since the last one and not on their number, so the average means the
//! same at 1 and at 10,000 requests per second. After Finagle's peak EWMA
//! (<https://twitter.github.io/finagle/guide/Clients.html>).
//!
//! [`drifted`] tells what an average is worth some time after the last sample: it drifts towards a
//! value that the caller gives, the mean of the pool. Drifting to zero instead would make an endpoint
//! that nobody asks look like the fastest of all.
//!
//! Example, `decay` 10 s: 10 ms, then 200 ms → 200 ms at once; 10 s later a sample of 10 ms →
//! 200·e⁻¹ + 10·(1 − e⁻¹) ≈ 79.9 ms.

use core::time::Duration;

use crate::time::{Instant, from_seconds};

/// A peak-sensitive, time-weighted moving average of response times, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Average {
    seconds: f64,
    /// When the last sample arrived; `None` before the first.
    updated: Option<Instant>,
}

impl Average {
    /// Takes in one response time. `decay` is the time constant of forgetting.
    pub fn observe(&mut self, sample: Duration, now: Instant, decay: Duration) {
        let sample = sample.as_secs_f64();
        self.seconds = match self.updated {
            Some(updated) if sample < self.seconds => {
                let keep = kept_share(now.since(updated), decay);
                self.seconds * keep + sample * (1.0 - keep)
            }
            _ => sample,
        };
        // A sample that is older than the last one must not turn the clock back.
        self.updated = Some(self.updated.map_or(now, |updated| updated.max(now)));
    }

    /// The average in seconds as of the last sample; `None` before the first.
    #[must_use]
    pub fn seconds(&self) -> Option<f64> {
        self.updated.map(|_| self.seconds)
    }

    /// When the last sample arrived; `None` before the first.
    #[must_use]
    pub const fn updated(&self) -> Option<Instant> {
        self.updated
    }
}

/// An average of `seconds` after `silence` without a sample: it drifts towards `mean`.
#[must_use]
pub fn drifted(seconds: f64, mean: f64, silence: Duration, decay: Duration) -> f64 {
    mean + (seconds - mean) * kept_share(silence, decay)
}

/// A plain time-weighted moving average of response times, in seconds: up as slowly as down.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mean {
    seconds: f64,
    /// When the last sample arrived; `None` before the first.
    updated: Option<Instant>,
}

impl Mean {
    /// Takes in one response time. `decay` is the time constant of forgetting.
    pub fn observe(&mut self, sample: Duration, now: Instant, decay: Duration) {
        let sample = sample.as_secs_f64();
        self.seconds = match self.updated {
            Some(updated) => {
                let keep = kept_share(now.since(updated), decay);
                self.seconds * keep + sample * (1.0 - keep)
            }
            None => sample,
        };
        self.updated = Some(self.updated.map_or(now, |updated| updated.max(now)));
    }

    /// The average; `None` before the first sample.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        self.updated.map(|_| from_seconds(self.seconds))
    }
}

/// e^(−span/decay): the share of an old value that is left after `span`, 0.0..=1.0.
fn kept_share(span: Duration, decay: Duration) -> f64 {
    // A time constant under a millisecond would forget within one request and divide by nothing.
    let decay = decay.max(Duration::from_millis(1));
    libm::exp(-(span.as_secs_f64() / decay.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const DECAY: Duration = Duration::from_secs(10);

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn at(seconds: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(seconds)
    }

    #[test]
    fn peaks_count_at_once_and_fade_with_the_time_constant() {
        let mut average = Average::default();
        assert_eq!(average.seconds(), None);
        average.observe(ms(10), at(0), DECAY);
        average.observe(ms(200), at(0), DECAY);
        assert_eq!(average.seconds(), Some(0.2));
        average.observe(ms(10), at(10), DECAY);
        let faded = average.seconds().unwrap();
        assert!((faded - 0.0799).abs() < 1e-4, "{faded}");
    }

    #[test]
    fn an_idle_average_drifts_to_the_mean_and_not_to_zero() {
        assert_eq!(drifted(2.0, 0.05, Duration::ZERO, DECAY), 2.0);
        let after_a_minute = drifted(2.0, 0.05, Duration::from_secs(60), DECAY);
        assert!((after_a_minute - 0.0548).abs() < 1e-3, "{after_a_minute}");
    }

    #[test]
    fn no_time_and_no_decay_leave_a_number() {
        let mut average = Average::default();
        for sample in [ms(30), ms(0), ms(10)] {
            average.observe(sample, at(1), Duration::ZERO);
            assert!(average.seconds().is_some_and(f64::is_finite));
        }
        average.observe(ms(5), at(0), DECAY);
        assert_eq!(average.updated(), Some(at(1)));
    }
}
