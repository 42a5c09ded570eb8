//! The shortest response time, taking the attempts under way into account: smallest
//! average × (active + 1) / weight, divided by the success rate.
//!
//! The average alone would send everything to the fastest endpoint until it is not the fastest any
//! more; multiplied by what is under way, the attempts under way spread in proportion to speed. The
//! average is [`crate::latency`]'s: a slow answer counts at once, a failure counts as a slow answer.
//!
//! That alone does not keep traffic away from an endpoint that fails fast: it is free again at once,
//! while the good ones are busy, and at 64 requests under way it would draw a third of them, however
//! slow its failures are said to be. So the cost is that of a *good* answer: it takes 1/p attempts,
//! on average, to get one from an endpoint whose attempts succeed with chance p.
//!
//! An endpoint that nobody asks must not keep its reputation, good or bad, for ever:
//! - **no history yet**: it costs what the others cost on average, and
//! - **no news for longer than `decay`**: its average drifts to that mean, and
//! - in both cases it gets one attempt at a time *before* its turn, so that the next choice knows
//!   more. One at a time and only while it is unknown: a cold endpoint is neither starved, because
//!   the mean is never the minimum, nor flooded, because nobody knows yet what it bears.
//!
//! Example, decay 10 s: a 10 ms with 1 under way → 20; b 30 ms, idle → 30; c never asked, idle →
//! explored now. While c's first attempt is under way it costs 20 ms × 2 = 40, and a is next.

use core::time::Duration;

use rand::Rng;

use super::{Balancer, Candidate, Candidates, HashKey, least_connections::load, random};
use crate::endpoint::EndpointIndex;
use crate::time::Instant;

/// The strategy `least_response_time`.
#[derive(Debug)]
pub(super) struct LeastResponseTime {
    /// Time constant of the response-time averages.
    pub(super) decay: Duration,
}

impl Balancer for LeastResponseTime {
    fn pick(
        &mut self,
        candidates: &Candidates<'_>,
        _key: Option<HashKey>,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Option<EndpointIndex> {
        let unknown = candidates
            .iter()
            .filter(|candidate| {
                candidate.state.active() == 0 && is_unknown(candidate, self.decay, now)
            })
            .map(|candidate| (candidate.index, 0.0));
        if let Some(explored) = random::cheapest(unknown, rng) {
            return Some(explored);
        }
        let mean = mean_seconds(candidates, now);
        random::cheapest(
            candidates.iter().map(|candidate| {
                let seconds = candidate.state.seconds_drifted(now, self.decay, mean);
                let load = load(candidate.state.active(), candidate.weight);
                let success_rate = candidate.state.success_rate(now).max(LEAST_SUCCESS_RATE);
                let cost = seconds.max(LEAST_SECONDS) * load / success_rate;
                (candidate.index, cost)
            }),
            rng,
        )
    }
}

/// Whether too little is known of its speed to judge it.
fn is_unknown(candidate: &Candidate<'_>, decay: Duration, now: Instant) -> bool {
    let silence = candidate.state.silence(now);
    silence.is_none_or(|silence| silence > decay)
}

/// The mean of the candidates' averages in seconds; an arbitrary number while none has one.
pub(super) fn mean_seconds(candidates: &Candidates<'_>, now: Instant) -> f64 {
    let (sum, count) = candidates
        .iter()
        .filter_map(|candidate| candidate.state.seconds(now))
        .fold((0.0, 0.0), |(sum, count), seconds| {
            (sum + seconds, count + 1.0)
        });
    if count > 0.0 { sum / count } else { 1.0 }
}

/// Response times below this cost alike: a clock that stood still must not make the load of an
/// endpoint invisible.
pub(super) const LEAST_SECONDS: f64 = 1e-6;

/// An endpoint whose attempts all fail still has a cost: if all do, load and speed decide.
const LEAST_SUCCESS_RATE: f64 = 0.001;
