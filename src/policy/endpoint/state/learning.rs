//! How the state of an endpoint learns from attempts: of its speed when an answer begins, of its
//! successes when the answer has ended.

use core::time::Duration;

use super::{EndpointState, Recent};
use crate::breaker::Pass;
use crate::judge::{Judged, Speed};
use crate::limit::Ended;
use crate::outcome::Kind;
use crate::stats::window::Counted;
use crate::time::Instant;

impl EndpointState {
    /// Learns what an attempt that was admitted with `pass` says of the endpoint's speed: when its
    /// answer begins, or when it fails.
    pub fn learn(&mut self, pass: Pass, judged: Judged, took: Duration, pace: Pace, now: Instant) {
        let says_nothing = judged.speed == Speed::Silent;
        if let Some(gradient) = &mut self.gradient
            && !says_nothing
        {
            let ended = Ended {
                sent: now.before(took),
                took,
                failed: judged.speed == Speed::Penalty,
                timed_out: judged.kind == Kind::Timeout,
                active: self.in_flight.active(),
            };
            gradient.ended(ended, &self.others.share, now);
        }
        if pass.generation() != self.agreed.breaker.generation() {
            return;
        }
        match judged.speed {
            Speed::Sample => {
                self.response_time.observe(took, now, pace.decay);
                if let Some(quantiles) = &mut self.quantiles {
                    quantiles.add(took, now);
                }
            }
            Speed::Penalty => {
                let time = took.max(pace.penalty());
                self.response_time.observe(time, now, pace.decay);
            }
            Speed::Silent if judged.counted == Counted::Not => return,
            Speed::Silent => {
                if let Some(usual) = pace.usual {
                    self.response_time.seen(usual, now);
                }
            }
        }
        self.recent.set(Recent::FORGOTTEN);
        if judged.speed != Speed::Sample {
            let usual = pace.usual.unwrap_or(FIRST_PENALTY);
            let rest = usual.saturating_sub(took);
            if !rest.is_zero() {
                self.lingering.add(now + rest, now);
            }
        }
    }

    /// Counts an attempt that was admitted with `pass`, when it has come to its end. If it began
    /// before the breaker's last transition, the window does not count it.
    pub fn count(&mut self, pass: Pass, judged: Judged, took: Took, now: Instant) {
        self.totals.ended(judged.kind, took.time);
        match judged.counted {
            Counted::Not => return,
            Counted::Success => {
                self.consecutive_successes = self.consecutive_successes.saturating_add(1);
            }
            Counted::Failure | Counted::Unwanted => self.consecutive_successes = 0,
        }
        self.last = Some((now, took.time));
        if pass.generation() != self.agreed.breaker.generation() {
            return;
        }
        // One more success where all were changes nothing that strategies read.
        if judged.counted != Counted::Success || self.recent.get().success_rate < 1.0 {
            self.recent.set(Recent::FORGOTTEN);
        }
        let slow = took.slow && judged.counted != Counted::Unwanted;
        self.window.record(judged.counted, slow, took.time, now);
    }
}

#[cfg(test)]
impl EndpointState {
    /// An attempt has had the whole of its time and ended like this, under the default policy.
    pub(crate) fn record(
        &mut self,
        pass: Pass,
        outcome: crate::outcome::Outcome,
        took: Duration,
        pace: Pace,
        now: Instant,
    ) {
        self.judged(pass, outcome.into(), took, pace, now);
    }

    /// The same in these circumstances.
    pub(crate) fn judged(
        &mut self,
        pass: Pass,
        facts: crate::judge::Facts,
        took: Duration,
        pace: Pace,
        now: Instant,
    ) {
        let judged = crate::judge::judge(facts, true, &Default::default(), &Default::default());
        self.learn(pass, judged, took, pace, now);
        let slow = false;
        self.count(pass, judged, Took { time: took, slow }, now);
    }
}

/// How long an attempt took, and how to count it.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    /// From sending the request to the beginning of the answer, or to the failure.
    pub time: Duration,
    /// Whether the attempt is slow for the breaker's policy.
    pub slow: bool,
}

/// How fast a pool is, which an attempt that says nothing of speed is measured by.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The mean time of a good answer of the pool; `None` before the first.
    pub usual: Option<Duration>,
    /// The time constant of response-time averages.
    pub decay: Duration,
}

impl Pace {
    /// The least that a failure counts as, so that failing fast does not look like being fast: ten
    /// good answers of the pool. A multiple and not a constant, so that it means the same to a
    /// service of 2 ms and to one of 10 s. Of good answers only, or the penalty of one failure
    /// would raise that of the next without end.
    fn penalty(self) -> Duration {
        self.usual
            .map_or(FIRST_PENALTY, |usual| usual.saturating_mul(PENALTY_FACTOR))
    }
}

const PENALTY_FACTOR: u32 = 10;
/// What a failure counts as before the first good answer.
const FIRST_PENALTY: Duration = Duration::from_secs(1);
