//! One after the other, in the order of the configuration: the candidate after the last one chosen.
//!
//! The position is one in the whole list of endpoints, and not among the candidates of the moment,
//! so an endpoint that leaves or returns does not shift the turn of the others.
//!
//! Example, endpoints a b c: a b c a…; while b is unavailable: a c a c….

use rand::Rng;

use super::balancer::Balancer;
use super::candidates::Candidates;
use super::key::HashKey;
use crate::endpoint::EndpointIndex;
use crate::time::Instant;

/// The strategy `round_robin`: remembers the last endpoint chosen.
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
        // Most often it is the next one.
        let next = EndpointIndex::new(self.last.map_or(0, |last| last.position() + 1));
        let chosen = match next.filter(|next| candidates.contains(*next)) {
            Some(next) => next,
            None => {
                let mut indexes = candidates.iter().map(|candidate| candidate.index);
                let first = indexes.next()?;
                let is_later = |index: &EndpointIndex| self.last.is_none_or(|last| *index > last);
                if is_later(&first) {
                    first
                } else {
                    indexes.find(is_later).unwrap_or(first)
                }
            }
        };
        self.last = Some(chosen);
        self.last
    }
}
