//! How long an endpoint takes to begin its answer: a moving average that resists outliers.
//!
//! The weight of a sample depends on the time since the last one, and not on the number of samples.
//! The average therefore means the same at 1 and at 10,000 requests per second; `decay` is its time
//! constant. Only the first samples count alike, until there is something to forget.
//!
//! Two kinds of samples that differ from the average by more than `FAR`, 4 times, have a rule of
//! their own:
//! - **Slower.** A single slow sample counts as `FAR` times the average and no more: a garbage
//!   collection must not cost an endpoint its traffic. `CONSECUTIVE`, 3, of them are no accident:
//!   the smallest of them replaces the average at once. Finagle's peak EWMA, which this follows
//!   otherwise, takes in every peak. At high rates it would be the average of an endpoint's worst
//!   answers, and at low rates a single outlier would exclude the endpoint for several `decay`s.
//! - **Faster, among the first or after a pause of half of `decay`.** Such a sample replaces the
//!   average. The first answer often waits for connections and caches that later ones find ready,
//!   and what was true before the pause may be over.
//!
//! [`drifted`] is the value of an average some time after its last sample: it drifts towards a
//! value that the caller gives, the mean of the pool. If it drifted to zero, an endpoint without
//! traffic would look like the fastest of all.
//!
//! Example, `decay` 10 s, average 10 ms: a sample of 200 ms, a tenth of a second after the last
//! one, counts as 40 ms with a weight of 1 − e^(−0.01): the average is 10.3 ms. So does the next
//! one. The third, of 190 ms, makes it 190 ms.

use core::time::Duration;

use crate::time::{Instant, from_seconds};

/// A sample that differs by this factor is unusual.
const FAR: f64 = 4.0;

/// So many consecutive unusual samples replace the average.
const CONSECUTIVE: u8 = 3;

/// A time-weighted moving average of response times, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Average {
    seconds: f64,
    /// The number of samples, up to where their weight depends on time alone.
    samples: u16,
    /// The newest samples, if they were all far slower: how many, and the smallest.
    slower: u8,
    least: f64,
    /// When the last sample arrived; `None` before the first.
    updated: Option<Instant>,
}

impl Average {
    /// Adds one response time. `decay` is the time constant of forgetting.
    pub fn observe(&mut self, sample: Duration, now: Instant, decay: Duration) {
        let sample = sample.as_secs_f64();
        let silence = self.updated.map(|updated| now.since(updated));
        // A sample that is older than the last one must not turn the clock back.
        self.updated = Some(self.updated.map_or(now, |updated| updated.max(now)));
        let Some(silence) = silence else {
            return self.restart(sample, 1);
        };
        if (self.is_new() || silence > decay / 2) && sample * FAR < self.seconds {
            return self.restart(sample, 1);
        }
        let is_far = sample > self.seconds * FAR;
        self.slower = if is_far { self.slower + 1 } else { 0 };
        if is_far {
            self.least = if self.slower > 1 {
                self.least.min(sample)
            } else {
                sample
            };
            if self.slower == CONSECUTIVE {
                return self.restart(self.least, CONSECUTIVE.into());
            }
        }
        self.samples = self.samples.saturating_add(1);
        let share = (1.0 - kept_share(silence, decay)).max(1.0 / f64::from(self.samples));
        self.seconds += (sample.min(self.seconds * FAR) - self.seconds) * share;
    }

    /// The endpoint has answered in a time that says nothing of its speed. Where there is no sample
    /// yet, it counts as fast as is `usual`; otherwise it is not silent, and no slower or faster.
    pub fn seen(&mut self, usual: Duration, now: Instant) {
        match self.updated {
            Some(updated) => self.updated = Some(updated.max(now)),
            None => {
                self.updated = Some(now);
                self.restart(usual.as_secs_f64(), 1);
            }
        }
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

    /// Whether it has so few samples that the next one may change it completely.
    #[must_use]
    pub fn is_new(&self) -> bool {
        (1..CONSECUTIVE.into()).contains(&self.samples)
    }

    fn restart(&mut self, seconds: f64, samples: u16) {
        *self = Self {
            seconds,
            samples,
            slower: 0,
            least: 0.0,
            updated: self.updated,
        };
    }
}

/// An average of `seconds` after a time of `silence` without a sample: it drifts towards `mean`.
#[must_use]
pub fn drifted(seconds: f64, mean: f64, silence: Duration, decay: Duration) -> f64 {
    mean + (seconds - mean) * kept_share(silence, decay)
}

/// A plain time-weighted moving average of response times, in seconds, which rises as slowly as it
/// falls.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mean {
    seconds: f64,
    /// When the last sample arrived; `None` before the first.
    updated: Option<Instant>,
}

impl Mean {
    /// Adds one response time. `decay` is the time constant of forgetting.
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
    // A shorter time constant would forget within one request, and divide by zero.
    let decay = decay.max(Duration::from_millis(1));
    libm::exp(-(span.as_secs_f64() / decay.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECAY: Duration = Duration::from_secs(10);

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn at(seconds: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(seconds)
    }

    /// The average in milliseconds after samples of so many, each a tenth of a second after the
    /// last.
    fn after(samples: &[u64]) -> f64 {
        let mut average = Average::default();
        for (n, sample) in (0..).zip(samples) {
            average.observe(ms(*sample), Instant::ORIGIN + n * ms(100), DECAY);
        }
        average.seconds().unwrap() * 1_000.0
    }

    #[track_caller]
    fn check(samples: &[u64], expected: f64) {
        let seen = after(samples);
        assert!((seen - expected).abs() < 0.1, "{samples:?}: {seen}");
    }

    #[test]
    fn the_first_samples_count_alike_and_later_ones_by_time() {
        assert_eq!(Average::default().seconds(), None);
        check(&[10, 20], 15.0);
        check(&[10, 20, 30], 20.0);
        let mut average = Average::default();
        for n in 0..1_000 {
            average.observe(ms(10), at(0) + n * ms(1), DECAY);
        }
        average.observe(ms(20), at(11), DECAY);
        let seen = average.seconds().unwrap();
        assert!((seen - 0.0163).abs() < 1e-3, "{seen}");
    }

    #[test]
    fn a_slow_sample_counts_for_little_alone_and_fully_in_a_row() {
        let usual = [10; 200];
        let then = |more: &[u64]| [&usual, more].concat();
        check(&usual, 10.0);
        check(&then(&[200]), 10.3);
        check(&then(&[200, 10, 200, 10]), 10.6);
        check(&then(&[200, 210]), 10.6);
        check(&then(&[200, 210, 190]), 190.0);
        assert!(after(&then(&[30; 10])) < 13.0, "three times is in order");
    }

    #[test]
    fn the_first_samples_may_be_slower_than_the_rest() {
        check(&[1_000, 10], 10.0);
        check(&[1_000, 900, 10, 10], 10.0);
        let mut average = Average::default();
        for is_new in [false, true, true, false] {
            assert_eq!(average.is_new(), is_new);
            average.observe(ms(10), at(0), DECAY);
        }
    }

    #[test]
    fn after_a_silence_a_fast_sample_counts_alone_and_a_slow_one_does_not() {
        let after = |first, then, silence| {
            let mut average = Average::default();
            for n in 0..3 {
                average.observe(ms(first), at(n), DECAY);
            }
            average.observe(ms(then), at(2) + silence, DECAY);
            (average.seconds().unwrap() * 1_000.0).round()
        };
        assert_eq!(after(200, 10, DECAY / 2 + ms(1)), 10.0);
        assert_eq!(after(200, 10, DECAY / 2), 125.0);
        assert_eq!(after(10, 200, DECAY + ms(1)), 29.0);
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
