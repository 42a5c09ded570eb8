//! The fewest attempts under way for its weight: smallest (active + 1) / weight, ties at random.
//!
//! The + 1 counts the attempt that is about to be sent. Without it every idle endpoint would cost
//! 0, and weights would not matter until all are busy. Ties are drawn, because workers that see the
//! same numbers must not all choose the same endpoint.
//!
//! Example: a has 3 under way at weight 2 → (3 + 1) / 2 = 2; b has 1 at weight 1 → 2: drawn.

use rand::Rng;

use super::balancer::Balancer;
use super::candidates::Candidates;
use super::key::HashKey;
use super::random;
use crate::endpoint::EndpointIndex;
use crate::time::Instant;

/// The strategy `least_connections`.
#[derive(Debug)]
pub(super) struct LeastConnections;

impl Balancer for LeastConnections {
    fn pick(
        &mut self,
        candidates: &Candidates<'_>,
        _key: Option<HashKey>,
        _now: Instant,
        rng: &mut dyn Rng,
    ) -> Option<EndpointIndex> {
        random::cheapest(
            candidates.iter().map(|candidate| {
                (
                    candidate.index,
                    load(candidate.state.active(), candidate.weight),
                )
            }),
            rng,
        )
    }
}

/// (active + 1) / weight.
pub(super) fn load(active: u32, weight: f64) -> f64 {
    (f64::from(active) + 1.0) / weight
}
