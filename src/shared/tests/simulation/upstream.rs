//! How an endpoint behaves, by a script.

use core::time::Duration;

use rand::{Rng, RngExt as _};
use steerage_policy::time::Instant;

use crate::at;

/// An endpoint's script: from when on it behaves how.
#[derive(Clone, Debug)]
pub(crate) struct Upstream(Vec<(Instant, Behaviour)>);

#[derive(Clone, Copy, Debug)]
struct Behaviour {
    /// Share of answers that are 503.
    failing: f64,
    /// Mean time to answer; each takes between half and one and a half of it.
    takes: Duration,
}

impl Upstream {
    /// Answers well, within so many milliseconds on average.
    pub(crate) fn sound(milliseconds: u64) -> Self {
        let takes = Duration::from_millis(milliseconds);
        Self(
            [(
                Instant::ORIGIN,
                Behaviour {
                    failing: 0.0,
                    takes,
                },
            )]
            .to_vec(),
        )
    }

    /// From `seconds` on this share of the answers is a failure.
    pub(crate) fn failing(mut self, failing: f64, seconds: f64) -> Self {
        let newest = self.0.last().map(|(_, behaviour)| behaviour.takes);
        let takes = newest.unwrap_or_default();
        self.0.push((at(seconds), Behaviour { failing, takes }));
        self
    }

    /// The status of a request that arrives `now`, and how long it takes.
    pub(crate) fn answer(&self, now: Instant, rng: &mut dyn Rng) -> (u16, Duration) {
        let begun = self.0.iter().rev().find(|(from, _)| *from <= now);
        let (_, Behaviour { failing, takes }) = begun.unwrap();
        let status = if rng.random::<f64>() < *failing {
            503
        } else {
            200
        };
        let factor = 0.5 + rng.random::<f64>();
        let takes = Duration::try_from_secs_f64(takes.as_secs_f64() * factor);
        (status, takes.unwrap())
    }
}
