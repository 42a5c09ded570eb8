//! At random, in proportion to weight × health × success rate × relative speed.
//!
//! Health counts 1 (HEALTHY), 0.5 (UNKNOWN) or 0.25 (DEGRADED). The success rate is that of the
//! window. The relative speed is the fastest candidate's response time over this one's, so 1 for
//! the fastest and 0.1 for one ten times slower. An endpoint without history counts as fast as the
//! mean. If all products are zero, all candidates have the same chance.
//!
//! Example: a weight 1, HEALTHY, 90 % success, 10 ms → 0.9; b weight 2, UNKNOWN, 100 %, 20 ms →
//! 2 × 0.5 × 1 × 0.5 = 0.5. a gets 64 % of the traffic.

use core::fmt;
use core::time::Duration;

use rand::Rng;

use super::balancer::Balancer;
use super::candidates::{Candidate, Candidates};
use super::key::HashKey;
use super::least_response_time::mean_seconds;
use super::random;
use crate::endpoint::{EndpointIndex, LEAST_SECONDS};
use crate::time::Instant;

/// The strategy `health_based`.
pub(super) struct HealthBased {
    /// Time constant of the response-time averages.
    pub(super) decay: Duration,
}

/// By its name alone: every balancer's fields are printed by code that the module carries, and
/// floating-point numbers are a lot of it.
impl fmt::Debug for HealthBased {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HealthBased")
    }
}

impl Balancer for HealthBased {
    fn pick(
        &mut self,
        candidates: &Candidates<'_>,
        _key: Option<HashKey>,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Option<EndpointIndex> {
        let mean = mean_seconds(candidates, now);
        let seconds = |candidate: &Candidate<'_>| {
            candidate
                .state
                .0
                .seconds_drifted(now, self.decay, mean)
                .max(LEAST_SECONDS)
        };
        let fastest = candidates
            .iter()
            .map(|candidate| seconds(&candidate))
            .fold(f64::INFINITY, f64::min);
        random::drawn(
            || {
                candidates.iter().map(move |candidate| {
                    let share = candidate.weight
                        * candidate.state.0.health(now).factor()
                        * candidate.state.0.success_rate(now)
                        * (fastest / seconds(&candidate));
                    (candidate.index, share)
                })
            },
            rng,
        )
    }
}
