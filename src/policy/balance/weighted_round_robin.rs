//! In proportion to the weights, interleaved: nginx's smooth weighted round robin
//! (`ngx_http_upstream_round_robin.c`, "smooth weighted balancing algorithm").
//!
//! Every candidate has a credit. A choice adds each candidate's weight to its credit, takes the
//! highest credit (the first of equals) and subtracts the sum of all weights from it. A deadline
//! queue would give the same proportions, but needs an ordered structure where one short loop is
//! enough.
//!
//! Credits are whole millionths of a weight. Sums of fractions such as 0.1 would round differently
//! in different orders, and equal endpoints would no longer take strict turns.
//!
//! Example, weights a 5, b 1, c 1:
//!
//! | credits after adding | chosen | credits after |
//! |---|---|---|
//! | 5 1 1 | a | −2 1 1 |
//! | 3 2 2 | a | −4 2 2 |
//! | 1 3 3 | b | 1 −4 3 |
//! | 6 −3 4 | a | −1 −3 4 |
//! | 4 −2 5 | c | 4 −2 −2 |
//! | 9 −1 −1 | a | 2 −1 −1 |
//! | 7 0 0 | a | 0 0 0 |

use alloc::vec::Vec;

use rand::Rng;

use super::balancer::Balancer;
use super::candidates::Candidates;
use super::key::HashKey;
use crate::endpoint::EndpointIndex;
use crate::time::Instant;

/// The strategy `weighted_round_robin`: remembers every endpoint's credit.
#[derive(Clone, Debug, Default)]
pub(super) struct WeightedRoundRobin {
    /// By position in the pool; grows when it is first needed.
    credits: Vec<i64>,
}

impl Balancer for WeightedRoundRobin {
    fn pick(
        &mut self,
        candidates: &Candidates<'_>,
        _key: Option<HashKey>,
        _now: Instant,
        _rng: &mut dyn Rng,
    ) -> Option<EndpointIndex> {
        let mut total = 0;
        let mut best: Option<(EndpointIndex, i64)> = None;
        for candidate in candidates.iter() {
            let weight = millionths(candidate.weight);
            let credit = self.credit(candidate.index)?;
            *credit += weight;
            total += weight;
            if best.is_none_or(|(_, highest)| *credit > highest) {
                best = Some((candidate.index, *credit));
            }
        }
        let (chosen, _) = best?;
        *self.credit(chosen)? -= total;
        Some(chosen)
    }
}

impl WeightedRoundRobin {
    fn credit(&mut self, index: EndpointIndex) -> Option<&mut i64> {
        let position = index.position();
        if position >= self.credits.len() {
            self.credits.resize(position + 1, 0);
        }
        self.credits.get_mut(position)
    }
}

/// A weight in millionths, at least one.
fn millionths(weight: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "weights are at most a million"
    )]
    let millionths = (weight * 1e6 + 0.5) as i64;
    millionths.max(1)
}
