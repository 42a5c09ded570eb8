//! One after the other, in the order of the configuration: the candidate after the last one chosen.
//!
//! The position is one in the whole list of endpoints, and not among the candidates of the moment,
//! so an endpoint that leaves or returns does not shift the turn of the others.
//!
//! Only first attempts take a turn. A retry goes to the next untried endpoint after the one that it
//! leaves, and the turn stays where it is. If retries took turns, an endpoint that fails would get
//! every first attempt of a pool of two: its retry would be the turn of the other one.
//!
//! Example, endpoints a b c: a b c a…, from wherever it begins; while b is unavailable: a c a c….

use rand::Rng;

use super::balancer::Balancer;
use super::candidates::Candidates;
use super::key::HashKey;
use super::turn::Turn;
use crate::endpoint::EndpointIndex;
use crate::time::Instant;

/// The strategy `round_robin`: remembers the last endpoint chosen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RoundRobin {
    last: Option<EndpointIndex>,
    /// Where the turn begins while there is no last one: so much of it has passed.
    place: f64,
}

impl Balancer for RoundRobin {
    fn pick(
        &mut self,
        candidates: &Candidates<'_>,
        _key: Option<HashKey>,
        _now: Instant,
        _rng: &mut dyn Rng,
    ) -> Option<EndpointIndex> {
        if let Some(left) = candidates.tried().last() {
            return next(candidates, left.position() + 1);
        }
        let from = match self.last {
            Some(last) => last.position() + 1,
            None => self.beginning(candidates.pool_size()),
        };
        self.last = next(candidates, from);
        self.last
    }

    fn turn(&self) -> Option<Turn> {
        self.last.map(Turn::After)
    }

    fn resume(&mut self, turn: Turn) {
        match turn {
            Turn::After(last) => self.last = Some(last),
            Turn::Begin(place) => self.place = place,
            Turn::Owed(_) => {}
        }
    }
}

impl RoundRobin {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a pool has at most 1,000 endpoints"
    )]
    fn beginning(self, endpoints: usize) -> usize {
        (self.place * endpoints as f64) as usize
    }
}

/// The first candidate from a position on; from the beginning if there is none.
fn next(candidates: &Candidates<'_>, from: usize) -> Option<EndpointIndex> {
    // Most often it is the one there.
    let there = EndpointIndex::new(from).filter(|there| candidates.contains(*there));
    there.or_else(|| {
        let mut indexes = candidates.iter().map(|candidate| candidate.index);
        let first = indexes.next()?;
        let is_later = |index: &EndpointIndex| index.position() >= from;
        if is_later(&first) {
            Some(first)
        } else {
            Some(indexes.find(is_later).unwrap_or(first))
        }
    })
}
