//! Of two drawn by weight, the one with fewer attempts under way for its weight: the smaller
//! (active + 1) / weight, and the first of them if both are equal.
//!
//! One comparison is enough to keep queues short: with n endpoints the longest is of the order of
//! log log n, where a plain draw makes it log n / log log n (M. Mitzenmacher, "The Power of Two
//! Choices in Randomized Load Balancing", IEEE TPDS 12(10), 2001). And because every request looks
//! at other two, workers that know each other's counts a little late do not all choose the same
//! endpoint, as they do where each takes the least busy of all.
//!
//! Limits: it compares attempts under way and no response times. An endpoint that fails fast has
//! few attempts under way and gets more of them; its breaker ends that.
//!
//! Example: a (weight 2, 3 under way), b (weight 1, 1 under way) and c (weight 1, idle). The first
//! draw is a with chance 2/4, the second then b or c with 1/2 each. a costs (3 + 1) / 2 = 2 and b
//! (1 + 1) / 1 = 2, so of these two the first drawn is chosen; c costs 1 and is chosen against
//! either.

use rand::Rng;

use super::balancer::Balancer;
use super::candidates::{Candidate, Candidates};
use super::key::HashKey;
use super::least_connections::load;
use super::random;
use crate::endpoint::EndpointIndex;
use crate::time::Instant;

/// The strategy `power_of_two`.
#[derive(Debug)]
pub(super) struct PowerOfTwo;

impl Balancer for PowerOfTwo {
    fn pick(
        &mut self,
        candidates: &Candidates<'_>,
        _key: Option<HashKey>,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Option<EndpointIndex> {
        let first = random::weighted(candidates, rng)?;
        let others = || {
            let others = candidates.iter().filter(|other| other.index != first);
            others.map(|other| (other.index, other.weight))
        };
        // There is no other where one candidate is left.
        let Some(second) = random::drawn(others, rng) else {
            return Some(first);
        };
        let cost = |index| {
            let mut candidates = candidates.iter();
            let drawn = candidates.find(|candidate: &Candidate<'_>| candidate.index == index);
            drawn.map(|drawn| load(drawn.state.0.load(now), drawn.weight))
        };
        Some(if cost(second) < cost(first) {
            second
        } else {
            first
        })
    }
}
