//! In proportion to the weights, interleaved: smooth weighted round robin ([`super::credits`]).
//!
//! Only first attempts take a turn. A retry gets the endpoint whose turn would be next, and leaves
//! the turn where it is: an endpoint that fails would else shift everybody's turn, and could get
//! every first attempt.
//!
//! Example, weights a 5, b 1, c 1: a a b a c a a, from wherever it begins.

use rand::Rng;

use super::balancer::Balancer;
use super::candidates::Candidates;
use super::credits::{Credits, Weighted};
use super::key::HashKey;
use super::turn::Turn;
use crate::endpoint::EndpointIndex;
use crate::time::Instant;

/// The strategy `weighted_round_robin`: remembers every endpoint's credit.
#[derive(Clone, Debug, Default)]
pub(super) struct WeightedRoundRobin {
    credits: Credits,
}

impl Balancer for WeightedRoundRobin {
    fn pick(
        &mut self,
        candidates: &Candidates<'_>,
        _key: Option<HashKey>,
        _now: Instant,
        _rng: &mut dyn Rng,
    ) -> Option<EndpointIndex> {
        let weighted = || {
            candidates.iter().map(|candidate| Weighted {
                index: candidate.index,
                weight: candidate.weight,
                eligible: true,
            })
        };
        if candidates.tried().is_empty() {
            self.credits.take(weighted)
        } else {
            self.credits.peek(weighted())
        }
    }

    fn turn(&self) -> Option<Turn> {
        self.credits.turn()
    }

    fn resume(&mut self, turn: Turn) {
        self.credits.resume(turn);
    }
}
