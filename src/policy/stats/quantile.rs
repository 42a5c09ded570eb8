//! High quantiles of recent response times, at little cost.
//!
//! A histogram whose buckets grow by a fixed factor, as in HdrHistogram and DDSketch. Adding a
//! sample adds one to a bucket, and an answer is right to within the width of a bucket, which is a
//! fixed share of the answer. Exact quantiles would need all samples.
//!
//! Old samples must go, or an endpoint that has become slow would be judged by its fast days. There
//! are two histograms: one fills for `SPAN`, 30 s, the other was filled before it. Both are read
//! together, so samples count for one to two spans.
//!
//! Limits: buckets are a sixteenth of a doubling wide, so an answer is up to 6 % too high, and
//! never too low. With fewer than `LEAST`, 20, samples there is no answer: five samples say nothing
//! of the 95th percentile.
//!
//! Example: 95 samples of 10 ms and 5 of 2 s. The 95th percentile is the end of the bucket of 10
//! ms: 10.2 ms.

use alloc::boxed::Box;
use core::time::Duration;

use crate::time::Instant;

/// The samples of the last one or two spans.
#[derive(Clone, Debug)]
pub struct Quantiles {
    current: Box<[u32; BUCKETS]>,
    previous: Box<[u32; BUCKETS]>,
    /// When the current histogram began to fill.
    since: Instant,
}

impl Quantiles {
    /// No sample yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            current: Box::new([0; BUCKETS]),
            previous: Box::new([0; BUCKETS]),
            since: Instant::ORIGIN,
        }
    }

    /// Adds a response time.
    pub fn add(&mut self, time: Duration, now: Instant) {
        let filled = now.since(self.since);
        if filled >= SPAN {
            core::mem::swap(&mut self.current, &mut self.previous);
            self.current.fill(0);
            if filled >= 2 * SPAN {
                self.previous.fill(0);
            }
            self.since = now;
        }
        if let Some(count) = self.current.get_mut(bucket(time)) {
            *count = count.saturating_add(1);
        }
    }

    /// The time that this share of the samples, 0.0..=1.0, took at most; `None` with too few
    /// samples.
    #[must_use]
    pub fn quantile(&self, share: f64, now: Instant) -> Option<Duration> {
        if now.since(self.since) >= 2 * SPAN {
            return None;
        }
        let total: u64 = self.counts().map(|(_, count)| u64::from(count)).sum();
        if total < LEAST {
            return None;
        }
        quantile(self.counts(), share)
    }

    /// The buckets that are not empty, in order, with their counts, however old these are. The
    /// counts of several workers can be added up bucket by bucket; [`quantile`] reads the result.
    pub fn counts(&self) -> impl Iterator<Item = (u16, u32)> + Clone {
        let counts = self.current.iter().zip(&*self.previous);
        let counts = counts.map(|(current, previous)| current.saturating_add(*previous));
        (0..).zip(counts).filter(|(_, count)| *count > 0)
    }
}

/// The time that this share, 0.0..=1.0, of the samples in these buckets took at most. The buckets
/// must be in order. `None` without samples.
#[must_use]
pub fn quantile(counts: impl Iterator<Item = (u16, u32)> + Clone, share: f64) -> Option<Duration> {
    let total: u64 = counts.clone().map(|(_, count)| u64::from(count)).sum();
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    let wanted = share * total as f64;
    let mut below = 0;
    for (bucket, count) in counts {
        below += u64::from(count);
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
        if below as f64 >= wanted {
            return Some(end(bucket));
        }
    }
    None
}

impl Default for Quantiles {
    fn default() -> Self {
        Self::new()
    }
}

/// The bucket of a time: sixteen for each doubling of its microseconds.
fn bucket(time: Duration) -> usize {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
    let doublings = micros.ilog2();
    // The four bits below the highest one: each is a sixteenth of the way to the next doubling.
    let part = ((micros << (63 - doublings)) >> 59) & 15;
    let bucket = u64::from(doublings) * 16 + part;
    usize::try_from(bucket).map_or(BUCKETS - 1, |bucket| bucket.min(BUCKETS - 1))
}

/// The longest time in a bucket, to the microsecond.
fn end(bucket: u16) -> Duration {
    let (doublings, part) = (u64::from(bucket / 16).min(31), u64::from(bucket % 16));
    Duration::from_micros(((17 + part) << doublings).div_ceil(16))
}

/// How long a histogram fills.
const SPAN: Duration = Duration::from_secs(30);

/// Fewer samples say nothing of a high quantile.
const LEAST: u64 = 20;

/// Up to 2³² µs, more than an hour.
const BUCKETS: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(seconds)
    }

    #[test]
    fn every_time_is_at_most_the_end_of_its_bucket_and_not_much_less() {
        let mut micros = 1;
        while micros < 1 << 32 {
            let time = Duration::from_micros(micros);
            let end = end(u16::try_from(bucket(time)).unwrap());
            assert!(time <= end, "{time:?} {end:?}");
            assert!(
                end.as_micros() <= (micros * 17 / 16 + 1).into(),
                "{time:?} {end:?}"
            );
            micros += micros / 7 + 1;
        }
        assert_eq!(bucket(Duration::ZERO), 0);
        assert_eq!(bucket(Duration::MAX), BUCKETS - 1);
    }

    #[test]
    fn the_ninety_fifth_percentile_of_a_hundred() {
        let mut quantiles = Quantiles::new();
        for number in 0..100 {
            let slow = number % 20 == 0;
            let millis = if slow { 2_000 } else { 10 };
            quantiles.add(Duration::from_millis(millis), at(1));
        }
        let p95 = quantiles.quantile(0.95, at(1)).unwrap();
        let millis = p95.as_millis();
        assert!((10..=12).contains(&millis), "{p95:?}");
        assert!(quantiles.quantile(0.96, at(1)).unwrap() >= Duration::from_secs(2));
    }

    #[test]
    fn a_few_samples_say_nothing() {
        let mut quantiles = Quantiles::new();
        for _ in 0..19 {
            quantiles.add(Duration::from_millis(1), at(1));
        }
        assert_eq!(quantiles.quantile(0.95, at(1)), None);
        quantiles.add(Duration::from_millis(1), at(1));
        assert!(quantiles.quantile(0.95, at(1)).is_some());
    }

    #[test]
    fn old_samples_go() {
        let mut quantiles = Quantiles::new();
        let fill = |quantiles: &mut Quantiles, millis, second| {
            for _ in 0..100 {
                quantiles.add(Duration::from_millis(millis), at(second));
            }
        };
        fill(&mut quantiles, 10, 1_000);
        fill(&mut quantiles, 100, 1_030);
        let p95 = |quantiles: &Quantiles, second| quantiles.quantile(0.25, at(second));
        assert!(p95(&quantiles, 1_030).unwrap() < Duration::from_millis(20));
        fill(&mut quantiles, 100, 1_060);
        assert!(p95(&quantiles, 1_060).unwrap() > Duration::from_millis(90));
        assert_eq!(p95(&quantiles, 1_120), None, "all of it is old");
    }
}
