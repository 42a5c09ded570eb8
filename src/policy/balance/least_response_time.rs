//! By response time: a draw in which each endpoint has the chance weight / (time × load), and
//! from which those are left out that are far slower than the best.
//!
//! - **time**: the average of [`crate::latency`] divided by the success rate, because it takes 1/p
//!   attempts to get a good answer from an endpoint whose attempts succeed with chance p. A failure counts
//!   as a slow answer, so failing fast does not attract.
//! - **load**: 1 + attempts under way in all workers, for its weight.
//!
//! Why a draw and not the smallest product: what a worker knows of the others is up to 100 ms old.
//! With eight workers that all take the smallest, all of them send to the same endpoint until they hear
//! that they have; the simulation (`shared/tests/simulation/scenarios`) sees a herd that a draw cannot have. Nor is the
//! smallest product fair: it levels time × load, so of two endpoints the one that takes twice as long
//! gets a quarter of the requests under load, and next to none without. A draw by 1 / (time × load) gives
//! it half of them in both cases: with little under way load is 1, and with much it is throughput × time,
//! so that throughput² goes with 1 / time².
//!
//! Why some are left out: an endpoint that has become 20 times slower would still be drawn for one request
//! in 60 with three endpoints, and one in a hundred is enough to spoil the 99th percentile. One that is
//! more than [`FAR`] times slower than the best is therefore *explored* and not drawn: it gets one attempt at a time,
//! of all workers, whenever nothing has been heard of it for `decay`; for one to two `decay`s, drawn anew
//! with each request, or all workers would find it due at the same time.
//!
//! An endpoint without history is explored in the same way, at once, and again while its first answers are far slower
//! than the rest: neither starved nor flooded. While there is none with history, the fewest attempts
//! under way for the weight decide.
//!
//! Limits: an endpoint that is left out and still busy with a long answer is explored when that has ended.
//! What has become faster is believed in with `decay`, from each exploration a little more.
//!
//! Example, weights 1, nothing under way: a 10 ms, b 20 ms, c 40 ms, d 90 ms → 100 : 50 : 25, and d is
//! explored: a gets 57 % of the requests, b 29 %, c 14 %. With 3 under way at a: 25 : 50 : 25.

use core::time::Duration;

use rand::{Rng, RngExt as _};

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
        let best = candidates
            .iter()
            .filter(|candidate| candidate.state.success_rate(now) > 0.0)
            .filter_map(|candidate| seconds_to_success(&candidate, now))
            .fold(f64::INFINITY, f64::min);
        let drawn = |candidate: &Candidate<'_>| {
            seconds_to_success(candidate, now).filter(|seconds| *seconds <= best * FAR)
        };
        let patience = self.decay.as_secs_f64() * (1.0 + rng.random::<f64>());
        let explored = candidates
            .iter()
            .filter(|candidate| {
                candidate.state.active() == 0
                    && drawn(candidate).is_none()
                    && is_unknown(candidate, patience, now)
            })
            .map(|candidate| (candidate.index, 0.0));
        if let Some(explored) = random::cheapest(explored, rng) {
            return Some(explored);
        }
        if best.is_infinite() {
            return without_history(candidates, now, rng);
        }
        let (sum, count) = candidates.iter().fold((0.0, 0.0), |(sum, count), each| {
            (sum + each.weight, count + 1.0)
        });
        random::drawn(
            || {
                candidates.iter().filter_map(move |candidate| {
                    let seconds = drawn(&candidate)?;
                    // 1 on average, so that only the ratio of weights matters.
                    let weight = (candidate.weight * count / sum).max(f64::MIN_POSITIVE);
                    let load = 1.0 + f64::from(candidate.state.active()) / weight;
                    // In units of the best, lest a product of very small numbers be none.
                    Some((candidate.index, weight * (best / seconds) / load))
                })
            },
            rng,
        )
    }
}

/// The choice while no endpoint has given a good answer yet: the smallest time × load. The time of
/// those that have not answered is the mean of those that have, or one that fails at once and is idle again would
/// get everything.
fn without_history(
    candidates: &Candidates<'_>,
    now: Instant,
    rng: &mut dyn Rng,
) -> Option<EndpointIndex> {
    let mean = mean_seconds(candidates, now);
    let costs = candidates.iter().map(|candidate| {
        let load = load(candidate.state.active(), candidate.weight);
        let seconds = seconds_to_success(&candidate, now).unwrap_or(mean);
        (candidate.index, seconds * load)
    });
    random::cheapest(costs, rng)
}

/// How long a good answer takes, as far as is known.
fn seconds_to_success(candidate: &Candidate<'_>, now: Instant) -> Option<f64> {
    let success_rate = candidate.state.success_rate(now).max(LEAST_SUCCESS_RATE);
    let seconds = candidate.state.seconds(now)?;
    Some(seconds.max(LEAST_SECONDS) / success_rate)
}

/// Whether too little is known of its speed, or for too long, to go on without it.
fn is_unknown(candidate: &Candidate<'_>, patience: f64, now: Instant) -> bool {
    let silence = candidate.state.silence(now);
    candidate.state.is_new() || silence.is_none_or(|silence| silence.as_secs_f64() > patience)
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

/// So many times slower than the best is too slow to be drawn.
const FAR: f64 = 8.0;

/// Response times below this cost alike: a clock that stood still must not make the load of an
/// endpoint invisible.
pub(super) const LEAST_SECONDS: f64 = 1e-6;

/// An endpoint whose attempts all fail still has a time: if all do, load and speed decide.
const LEAST_SUCCESS_RATE: f64 = 0.001;
