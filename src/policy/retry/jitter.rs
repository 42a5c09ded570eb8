//! Spreads retries in time, so that clients that failed together do not return together.
//!
//! With `d` the delay of the backoff, before retry n:
//!
//! | mode | delay | note |
//! |---|---|---|
//! | none | d | |
//! | range r | uniform in d·(1−r) ..= d·(1+r) | the seed's `jitter: true` |
//! | full | uniform in 0 ..= d | spreads best; the default |
//! | equal | d/2 + uniform in 0 ..= d/2 | never less than half |
//! | decorrelated | uniform in base ..= 3 · the previous delay | ignores d |
//!
//! The last three are those of "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015). The
//! result is capped at `max_delay` again, because +10 % of a capped delay would exceed the cap.
//!
//! Example: d = 0.4 s. Range 0.1 gives 0.36..=0.44 s, full 0..=0.4 s, equal 0.2..=0.4 s;
//! decorrelated with base 0.1 s after a delay of 0.25 s gives 0.1..=0.75 s.

use core::time::Duration;

use rand::{Rng, RngExt as _};

use crate::time::from_seconds;

/// How a delay is spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Jitter {
    /// Not at all.
    None,
    /// Up to this share of the delay in both directions, 0.0..=1.0.
    Range(f64),
    /// Anywhere between nothing and the delay.
    Full,
    /// Anywhere between half the delay and the delay.
    Equal,
    /// Anywhere between the base and three times the previous delay.
    Decorrelated,
}

/// The limits of every spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// `base_delay`: where delays start.
    pub base: Duration,
    /// `max_delay`: what no delay exceeds.
    pub max: Duration,
}

impl Jitter {
    /// The delay to wait. `delay` is that of the backoff, `previous` the one waited before the
    /// previous retry of this exchange (the base before the first).
    pub fn apply(
        self,
        delay: Duration,
        previous: Duration,
        bounds: Bounds,
        rng: &mut dyn Rng,
    ) -> Duration {
        let spread = match self {
            Self::None => delay,
            Self::Range(share) => {
                let reach = delay.as_secs_f64() * share;
                between(
                    delay.as_secs_f64() - reach,
                    delay.as_secs_f64() + reach,
                    rng,
                )
            }
            Self::Full => between(0.0, delay.as_secs_f64(), rng),
            Self::Equal => between(delay.as_secs_f64() / 2.0, delay.as_secs_f64(), rng),
            Self::Decorrelated => {
                let most = previous.max(bounds.base).saturating_mul(3);
                between(bounds.base.as_secs_f64(), most.as_secs_f64(), rng)
            }
        };
        spread.min(bounds.max)
    }
}

/// Uniform between two numbers of seconds.
fn between(low: f64, high: f64, rng: &mut dyn Rng) -> Duration {
    from_seconds(low + (high - low) * rng.random::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng as _, rngs::SmallRng};

    const BOUNDS: Bounds = Bounds {
        base: Duration::from_millis(100),
        max: Duration::from_secs(10),
    };

    /// The smallest, the largest and the mean of 10,000 delays, in milliseconds.
    fn spread(jitter: Jitter, delay: Duration, previous: Duration) -> [u128; 3] {
        let mut rng = SmallRng::seed_from_u64(7);
        let (mut low, mut high, mut sum) = (Duration::MAX, Duration::ZERO, Duration::ZERO);
        for _ in 0..10_000 {
            let waited = jitter.apply(delay, previous, BOUNDS, &mut rng);
            low = low.min(waited);
            high = high.max(waited);
            sum += waited;
        }
        [low, high, sum / 10_000].map(|duration| duration.as_millis())
    }

    #[track_caller]
    fn check(jitter: Jitter, [low, high, mean]: [u128; 3]) {
        let [seen_low, seen_high, seen_mean] = spread(
            jitter,
            Duration::from_millis(400),
            Duration::from_millis(250),
        );
        assert!(seen_low >= low && seen_low <= low + 3, "lowest {seen_low}");
        assert!(
            seen_high <= high && seen_high + 3 >= high,
            "highest {seen_high}"
        );
        assert!(seen_mean.abs_diff(mean) <= 8, "mean {seen_mean}");
    }

    #[test]
    fn each_mode_fills_its_range_evenly() {
        check(Jitter::None, [400, 400, 400]);
        check(Jitter::Range(0.1), [360, 440, 400]);
        check(Jitter::Full, [0, 400, 200]);
        check(Jitter::Equal, [200, 400, 300]);
        check(Jitter::Decorrelated, [100, 750, 425]);
    }

    #[test]
    fn the_cap_holds_after_jitter_too() {
        for jitter in [Jitter::Range(1.0), Jitter::Full, Jitter::Decorrelated] {
            let [_, high, _] = spread(jitter, BOUNDS.max, Duration::MAX);
            assert!(high <= BOUNDS.max.as_millis(), "{jitter:?}: {high}");
        }
    }

    #[test]
    fn decorrelated_starts_from_the_base() {
        let [low, high, _] = spread(Jitter::Decorrelated, Duration::ZERO, Duration::ZERO);
        assert!(low >= 100 && high <= 300, "{low}..{high}");
    }
}
