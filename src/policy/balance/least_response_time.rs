//! By response time: a draw in which each endpoint has the chance weight / (time × load), and
//! from which those are left out that are far slower than the best.
//!
//! - **time**: the average of [`crate::stats::latency`] divided by the success rate, because it takes 1/p
//!   attempts to get a good answer from an endpoint whose attempts succeed with chance p. A failure counts
//!   as a slow answer, so failing fast does not attract.
//! - **load**: 1 + attempts under way in all workers, for its weight.
//!
//! **Why a draw**, and not the smallest product: what a worker knows of the others is up to 100 ms old, and
//! until they hear of each other all of them take the same one. In the simulation
//! (`shared/tests/simulation/scenarios`), 32 workers that took the smallest sent up to 80 % of a tenth of a
//! second's requests to one of three equal endpoints; drawing, 42 %, which is chance. Nor does the smallest
//! product give endpoints their part: of 10, 20 and 40 ms, with little to do, the last got 3 % of
//! the requests and not 14 %. A draw by 1 / (time × load) is in proportion to speed with much load as with
//! little: with little, load is 1, and with much it is throughput × time, so that throughput² goes
//! with 1 / time².
//!
//! **Why some are left out**: an endpoint that has become 20 times slower would still be drawn for one
//! request in 41 beside two good ones, and one in a hundred is enough to spoil the 99th percentile. One
//! that is more than [`FAR`] times slower than the best is therefore *explored* and not drawn: it gets one
//! attempt at a time, of all workers, when nothing has been heard of it for `decay`. For one to two
//! `decay`s, drawn anew with each request, or all workers would find at the same time that it is due.
//! If that attempt is as fast as in its good days, the endpoint is drawn again at once.
//!
//! **An endpoint without history** is explored in the same way, at once, and again if its first answers are
//! far slower than those of the rest: neither starved nor flooded. While no endpoint has given a good answer,
//! the smallest time × load decides, with the mean of the others as the time of those that have not
//! answered.
//!
//! Limits: an endpoint that is left out and still busy with a long answer is explored when that has ended.
//! When all are overloaded, one that happens to have no success within the `window` is left out as well, although
//! it could help; until it is explored.
//!
//! Example, weights 1, nothing under way: a 10 ms, b 20 ms, c 40 ms, d 90 ms → 4 : 2 : 1 : 0, so a gets
//! 57 % of the requests, b 29 %, c 14 %, and d one in ten to twenty seconds. With 3 under way at a, the
//! chances are 1 : 2 : 1 : 0.

use alloc::vec::Vec;
use core::time::Duration;

use rand::{Rng, RngExt as _};

use super::balancer::Balancer;
use super::candidates::Candidates;
use super::key::HashKey;
use super::least_connections::load;
use super::random;
use crate::endpoint::EndpointIndex;
use crate::time::{Instant, from_seconds};

/// The strategy `least_response_time`.
#[derive(Debug)]
pub(super) struct LeastResponseTime {
    /// Time constant of the response-time averages.
    decay: Duration,
    /// The candidates of the choice at hand; the memory is used again for the next one.
    scores: Vec<Score>,
}

/// What one look at a candidate tells.
#[derive(Debug)]
struct Score {
    index: EndpointIndex,
    /// How long a good answer takes; infinite if that is not known.
    seconds: f64,
    weight: f64,
    active: u32,
    /// Whether it is idle, and too little is known of its speed, or for too long.
    wants_exploring: bool,
    /// Its part in the draw; 0 until all have been looked at.
    chance: f64,
}

impl LeastResponseTime {
    pub(super) const fn new(decay: Duration) -> Self {
        Self {
            decay,
            scores: Vec::new(),
        }
    }
}

impl Balancer for LeastResponseTime {
    fn pick(
        &mut self,
        candidates: &Candidates<'_>,
        _key: Option<HashKey>,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Option<EndpointIndex> {
        let patience = from_seconds(self.decay.as_secs_f64() * (1.0 + rng.random::<f64>()));
        let known_since = now.before(patience);
        let scores = &mut self.scores;
        scores.clear();
        let (mut best, mut weights) = (f64::INFINITY, 0.0);
        for candidate in candidates.iter() {
            let recent = candidate.state.recent(now);
            let seconds = recent.seconds_to_success.unwrap_or(f64::INFINITY);
            if recent.success_rate > 0.0 && seconds < best {
                best = seconds;
            }
            weights += candidate.weight;
            let active = candidate.state.active();
            let is_unknown = recent.is_new || recent.updated < Some(known_since);
            scores.push(Score {
                index: candidate.index,
                seconds,
                weight: candidate.weight,
                active,
                wants_exploring: active == 0 && is_unknown,
                chance: 0.0,
            });
        }
        let slowest = best * FAR;
        let is_drawn = |score: &Score| score.seconds.is_finite() && score.seconds <= slowest;
        let explored = scores
            .iter()
            .filter(|score| score.wants_exploring && !is_drawn(score))
            .map(|score| (score.index, 0.0));
        if let Some(explored) = random::cheapest(explored, rng) {
            return Some(explored);
        }
        if best.is_infinite() {
            return without_history(candidates, now, rng);
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "a pool has at most 1,000 endpoints"
        )]
        let mean_weight = weights / scores.len() as f64;
        let mut total = 0.0;
        scores.retain_mut(|score| {
            // 1 on average, so that only the ratio of weights matters.
            let weight = (score.weight / mean_weight).max(f64::MIN_POSITIVE);
            let load = 1.0 + f64::from(score.active) / weight;
            // In units of the best, lest a product of very small numbers be none.
            score.chance = weight * (best / score.seconds) / load;
            let is_drawn = is_drawn(score);
            if is_drawn {
                total += score.chance;
            }
            is_drawn
        });
        let chances = || scores.iter().map(|score| (score.index, score.chance));
        random::drawn_of(total, chances, rng)
    }
}

/// The choice while no endpoint has given a good answer: the smallest time × load. A draw would let an
/// endpoint that fails at once, and is idle again, have a good part of what comes before the others'
/// first answers.
fn without_history(
    candidates: &Candidates<'_>,
    now: Instant,
    rng: &mut dyn Rng,
) -> Option<EndpointIndex> {
    let mean = mean_seconds(candidates, now);
    let costs = candidates.iter().map(|candidate| {
        let load = load(candidate.state.active(), candidate.weight);
        let recent = candidate.state.recent(now);
        let seconds = recent.seconds_to_success.unwrap_or(mean);
        (candidate.index, seconds * load)
    });
    random::cheapest(costs, rng)
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

/// So many times slower than the best is too slow to be drawn: more than a slow answer alone can make an
/// average, less than failures in a row do.
const FAR: f64 = 8.0;
