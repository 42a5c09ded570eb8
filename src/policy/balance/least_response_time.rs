//! By response time: each endpoint is drawn with chance weight / (time × load). Endpoints that are
//! far slower than the best are left out.
//!
//! - **time**: the average of [`crate::stats::latency`] divided by the success rate, because it
//!   takes 1/p attempts to get a good answer if attempts succeed with chance p. A failure counts as
//!   a slow answer, so failing fast does not attract traffic.
//! - **load**: 1 + attempts under way in all workers / weight.
//!
//! **Why a draw**, and not the smallest product: what a worker knows of the others is up to 100 ms
//! old, and until then all workers would choose the same endpoint. In the simulation
//! (`engine/tests/simulation/scenarios`), 32 workers that chose the smallest product sent up to 80
//! % of the requests of a tenth of a second to one of three equal endpoints; with a draw 42 %,
//! which is chance. The smallest product does not give endpoints their share either: of 10, 20 and
//! 40 ms, with little load, the last got 3 % of the requests and not 14 %. A draw by 1 / (time ×
//! load) is proportional to speed with any load: with little, load is 1; with much, load is
//! throughput × time, so throughput² is proportional to 1 / time².
//!
//! **Why some are left out**: an endpoint that has become 20 times slower would still be drawn for
//! one request in 41 beside two good ones, and one in a hundred is enough to spoil the 99th
//! percentile. An endpoint more than [`FAR`] times slower than the best is not drawn but
//! *explored*: when there was no sample of it for one to two `decay`s, it gets one attempt, of all
//! workers. The time is drawn anew with each request, or all workers would find it due at the same
//! moment. If that attempt is as fast as it used to be, the endpoint is drawn again at once.
//!
//! **An endpoint without history** is explored at once, and again if its first answers are far
//! slower than those of the rest. It is neither starved nor flooded. While no endpoint has given a
//! good answer, the smallest time × load decides; endpoints that have not answered count with the
//! mean time of the others.
//!
//! Limits: an endpoint that is left out, and is still busy with a long answer, is explored only
//! after that answer. When all endpoints are overloaded, one without a success within the `window`
//! by chance is left out as well, although it could help, until it is explored.
//!
//! Example, weights 1, nothing under way: a 10 ms, b 20 ms, c 40 ms, d 90 ms → 4 : 2 : 1 : 0. So a
//! gets 57 % of the requests, b 29 %, c 14 %, and d one attempt in ten to twenty seconds. With 3
//! under way at a, the chances are 1 : 2 : 1 : 0.

use alloc::vec::Vec;
use core::fmt;
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
pub(super) struct LeastResponseTime {
    /// Time constant of the response-time averages.
    decay: Duration,
    /// The scores of the choice at hand. The memory is reused for the next one.
    scores: Vec<Score>,
}

/// What the choice needs to know of one candidate.
#[derive(Debug)]
struct Score {
    index: EndpointIndex,
    /// The time to get a good answer; infinite if it is not known.
    seconds: f64,
    weight: f64,
    active: u32,
    /// Whether it is idle, and its speed is not known, or was not measured for long.
    wants_exploring: bool,
    /// Its share in the draw; 0 until all scores are known.
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

/// By its name alone: every balancer's fields are printed by code that the module carries, and
/// floating-point numbers are a lot of it.
impl fmt::Debug for LeastResponseTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LeastResponseTime")
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
            let recent = candidate.state.0.recent(now);
            let seconds = recent.seconds_to_success.unwrap_or(f64::INFINITY);
            if recent.success_rate > 0.0 && seconds < best {
                best = seconds;
            }
            weights += candidate.weight;
            let active = candidate.state.0.load(now);
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
            // In units of the best, so that a product of very small numbers is not zero.
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

/// The choice while no endpoint has given a good answer: the smallest time × load. A draw would
/// give an endpoint that fails at once, and is idle again, a large share of the requests that
/// arrive before the first answers of the others.
fn without_history(
    candidates: &Candidates<'_>,
    now: Instant,
    rng: &mut dyn Rng,
) -> Option<EndpointIndex> {
    let mean = mean_seconds(candidates, now);
    let costs = candidates.iter().map(|candidate| {
        let load = load(candidate.state.0.load(now), candidate.weight);
        let recent = candidate.state.0.recent(now);
        let seconds = recent.seconds_to_success.unwrap_or(mean);
        (candidate.index, seconds * load)
    });
    random::cheapest(costs, rng)
}

/// The mean of the candidates' averages in seconds; an arbitrary number while none has one.
pub(super) fn mean_seconds(candidates: &Candidates<'_>, now: Instant) -> f64 {
    let (sum, count) = candidates
        .iter()
        .filter_map(|candidate| candidate.state.0.seconds(now))
        .fold((0.0, 0.0), |(sum, count), seconds| {
            (sum + seconds, count + 1.0)
        });
    if count > 0.0 { sum / count } else { 1.0 }
}

/// An endpoint so many times slower than the best is not drawn: more than one slow answer can make
/// of an average, and less than consecutive failures do.
const FAR: f64 = 8.0;
