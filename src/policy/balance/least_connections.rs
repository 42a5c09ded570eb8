//! The fewest attempts under way for its weight: smallest active / (weight × success rate), ties in
//! turn by the same weight.
//!
//! **Ties.** Attempts come in whole numbers. Two endpoints are tied where one more attempt decides
//! which of them is ahead: each has less under way for its weight than every other one would have
//! with one more. With equal weights that is where both have the same number. With 80 : 20 it is
//! wherever neither is a whole attempt ahead: at low load, a strict comparison would give an
//! endpoint that is idle the next attempt, whatever its weight, and one that counts the attempt to
//! come would starve it. In turn by weight, both get their share at any load ([`super::credits`]).
//!
//! **Success rate.** An endpoint that fails fast is always idle. Its attempts count as under way
//! for as long as a usual answer takes, and its weight in proportion to the success rate of the
//! window, at least [`LEAST_SUCCESS_RATE`] of it.
//!
//! **Other workers.** What they have under way is known up to two rounds late. If each worker
//! corrected the whole difference that it reads, they would all send everything to the same
//! endpoint until the next round, and then to the other one. So each corrects its part: it counts
//! its own attempts in full, and of the others' the nth part, n being the number of workers.
//!
//! Example: a has 3 under way at weight 2, b has 1 at weight 1: 1.5 and 1. With one more they would
//! have 2 and 2, so they are tied, and a gets two attempts of three. With 4 under way a has 2, as
//! much as b would have: b is chosen.

use rand::Rng;

use super::balancer::Balancer;
use super::candidates::{Candidate, Candidates};
use super::credits::{Credits, Weighted};
use super::key::HashKey;
use super::turn::Turn;
use crate::endpoint::EndpointIndex;
use crate::time::Instant;

/// The strategy `least_connections`: remembers whose turn it is among equals.
#[derive(Debug, Default)]
pub(super) struct LeastConnections {
    credits: Credits,
    /// The turn of the retries, so that they are spread, too, and leave that of first attempts
    /// alone.
    retries: Credits,
}

impl Balancer for LeastConnections {
    fn pick(
        &mut self,
        candidates: &Candidates<'_>,
        _key: Option<HashKey>,
        now: Instant,
        _rng: &mut dyn Rng,
    ) -> Option<EndpointIndex> {
        let part = part_of_others(candidates);
        let weight = |candidate: &Candidate<'_>| {
            let rate = candidate.state.0.success_rate(now).max(LEAST_SUCCESS_RATE);
            // Not 0, by which attempts under way could not be divided.
            (candidate.weight * rate).max(LEAST_WEIGHT)
        };
        let active = |candidate: &Candidate<'_>| {
            let state = candidate.state.0;
            let others = state.active().saturating_sub(state.active_here());
            f64::from(state.load_here(now)) + part * f64::from(others)
        };
        let with_one_more = candidates
            .iter()
            .map(|candidate| (active(&candidate) + 1.0) / weight(&candidate))
            .fold(f64::INFINITY, f64::min);
        let weighted = || {
            candidates.iter().map(|candidate| {
                let weight = weight(&candidate);
                Weighted {
                    index: candidate.index,
                    weight,
                    eligible: active(&candidate) / weight < with_one_more,
                }
            })
        };
        if candidates.tried().is_empty() {
            self.credits.take(weighted)
        } else {
            self.retries.take(weighted)
        }
    }

    fn turn(&self) -> Option<Turn> {
        self.credits.turn()
    }

    fn resume(&mut self, turn: Turn) {
        if let Turn::Begin(_) = turn {
            self.retries.resume(turn.clone());
        }
        self.credits.resume(turn);
    }
}

/// How much of what other workers have under way counts here.
fn part_of_others(candidates: &Candidates<'_>) -> f64 {
    let others = candidates.iter().map(|it| it.state.0.other_workers()).max();
    1.0 / (f64::from(others.unwrap_or_default()) + 1.0)
}

/// (active + 1) / weight.
pub(super) fn load(active: u32, weight: f64) -> f64 {
    (f64::from(active) + 1.0) / weight
}

const LEAST_WEIGHT: f64 = 1e-300;

/// The success rate counts as at least this.
const LEAST_SUCCESS_RATE: f64 = 0.05;
