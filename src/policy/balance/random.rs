//! Draws: uniformly, by weight, and among equals.
//!
//! Each takes one pass over the candidates, or two short ones, and allocates nothing.
//!
//! Example, weights 1, 2, 1: a draw of 0.8 of the total 4 is 3.2. Minus 1 and minus 2 leaves 0.2,
//! which falls into the third.

use rand::{Rng, RngExt as _};

use super::balancer::Balancer;
use super::candidates::Candidates;
use super::key::HashKey;
use crate::endpoint::EndpointIndex;
use crate::time::Instant;

/// The strategy `random`: every candidate has the same chance.
#[derive(Debug)]
pub(super) struct Random;

impl Balancer for Random {
    fn pick(
        &mut self,
        candidates: &Candidates<'_>,
        _key: Option<HashKey>,
        _now: Instant,
        rng: &mut dyn Rng,
    ) -> Option<EndpointIndex> {
        let equals = candidates.iter().map(|candidate| (candidate.index, 0.0));
        cheapest(equals, rng)
    }
}

/// The strategy `weighted_random`: in proportion to the weights.
#[derive(Debug)]
pub(super) struct WeightedRandom;

impl Balancer for WeightedRandom {
    fn pick(
        &mut self,
        candidates: &Candidates<'_>,
        _key: Option<HashKey>,
        _now: Instant,
        rng: &mut dyn Rng,
    ) -> Option<EndpointIndex> {
        weighted(candidates, rng)
    }
}

/// In proportion to the weights.
pub(super) fn weighted(candidates: &Candidates<'_>, rng: &mut dyn Rng) -> Option<EndpointIndex> {
    drawn(
        || {
            candidates
                .iter()
                .map(|candidate| (candidate.index, candidate.weight))
        },
        rng,
    )
}

/// In proportion to the shares, which `shares` lists anew with each call. If their sum is zero,
/// every candidate has the same chance.
pub(super) fn drawn<I>(shares: impl Fn() -> I, rng: &mut dyn Rng) -> Option<EndpointIndex>
where
    I: Iterator<Item = (EndpointIndex, f64)>,
{
    let total = shares().map(|(_, share)| share).sum();
    drawn_of(total, shares, rng)
}

/// The same, if the sum of the shares is known.
pub(super) fn drawn_of<I>(
    total: f64,
    shares: impl Fn() -> I,
    rng: &mut dyn Rng,
) -> Option<EndpointIndex>
where
    I: Iterator<Item = (EndpointIndex, f64)>,
{
    if total <= 0.0 {
        return cheapest(shares().map(|(index, _)| (index, 0.0)), rng);
    }
    let mut left = rng.random::<f64>() * total;
    let mut last = None;
    for (index, share) in shares().filter(|(_, share)| *share > 0.0) {
        last = Some(index);
        left -= share;
        if left < 0.0 {
            break;
        }
    }
    // Rounding may leave a rest after the last one, which then gets it.
    last
}

/// The candidate of the lowest cost. Equals have the same chance.
pub(super) fn cheapest(
    costs: impl Iterator<Item = (EndpointIndex, f64)>,
    rng: &mut dyn Rng,
) -> Option<EndpointIndex> {
    let mut best: Option<(EndpointIndex, f64)> = None;
    let mut equals = 0_u32;
    for (index, cost) in costs {
        match best {
            Some((_, lowest)) if cost > lowest => {}
            Some((_, lowest)) if cost == lowest => {
                // The k-th equal replaces the choice with chance 1/k, so all of them have the same
                // chance.
                equals = equals.saturating_add(1);
                if rng.random_range(0..equals) == 0 {
                    best = Some((index, cost));
                }
            }
            _ => {
                best = Some((index, cost));
                equals = 1;
            }
        }
    }
    best.map(|(index, _)| index)
}
