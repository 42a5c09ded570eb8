//! One after the other: the next candidate after the last one chosen, in the order of the
//! configuration.
//!
//! The position is kept in the whole list of endpoints and not among today's candidates, so that an
//! endpoint that leaves or returns shifts nobody's turn.
//!
//! Example, endpoints a b c: a b c a…; while b is unavailable: a c a c….

use rand::Rng;

use super::{Balancer, Candidates, HashKey};
use crate::endpoint::EndpointIndex;
use crate::time::Instant;

/// The memory of round robin: the last one chosen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RoundRobin {
    last: Option<EndpointIndex>,
}

impl Balancer for RoundRobin {
    fn pick(
        &mut self,
        candidates: &Candidates<'_>,
        _key: Option<HashKey>,
        _now: Instant,
        _rng: &mut dyn Rng,
    ) -> Option<EndpointIndex> {
        let mut indexes = candidates.iter().map(|candidate| candidate.index);
        let first = indexes.next()?;
        let is_next = |index: &EndpointIndex| self.last.is_none_or(|last| *index > last);
        let chosen = if is_next(&first) {
            first
        } else {
            indexes.find(is_next).unwrap_or(first)
        };
        self.last = Some(chosen);
        self.last
    }
}
