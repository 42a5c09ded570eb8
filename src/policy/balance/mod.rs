//! Chooses the endpoint of an attempt.
//!
//! [`Candidates`] narrows a pool down to the endpoints that a strategy may choose from: the
//! available ones, the untried ones, the best tier. A [`Balancer`] then applies the strategy. Each
//! strategy has a file of its own. Others may be written elsewhere; what they choose is checked.
//!
//! Example: a pool of three endpoints, one of them unavailable. A retry after a failure of the
//! second has one untried candidate left, so every strategy chooses that one.

pub(crate) mod balancer;
pub(crate) mod candidates;
mod consistent_hash;
mod credits;
mod health_based;
mod key;
mod least_connections;
mod least_response_time;
mod panic;
mod power_of_two;
mod random;
mod returning;
mod round_robin;
pub(crate) mod rules;
mod slow_start;
mod tiers;
mod turn;
mod weighted_round_robin;

use alloc::boxed::Box;
use core::time::Duration;

use rand::Rng;

pub use balancer::Balancer;
pub use candidates::{Candidate, Candidates};
pub use key::{HashKey, HashOn};
pub use panic::{Standing, panics};
pub use rules::Rules;
pub use turn::Turn;

use consistent_hash::ConsistentHash;
use health_based::HealthBased;
use least_connections::LeastConnections;
use least_response_time::LeastResponseTime;
use power_of_two::PowerOfTwo;
use random::{Random, WeightedRandom};
use round_robin::RoundRobin;
use weighted_round_robin::WeightedRoundRobin;

use crate::endpoint::EndpointIndex;
use crate::time::Instant;

/// How the endpoint of an attempt is chosen, by the names of the configuration.
#[derive(Clone, Debug, PartialEq)]
pub enum Strategy {
    /// One after the other.
    RoundRobin,
    /// One after the other, in proportion to the weights, interleaved.
    WeightedRoundRobin,
    /// The fewest attempts under way for its weight.
    LeastConnections,
    /// The shortest response time, taking the attempts under way into account.
    LeastResponseTime,
    /// Uniformly at random.
    Random,
    /// At random, in proportion to the weights.
    WeightedRandom,
    /// At random, in proportion to weight, health, success and speed.
    HealthBased,
    /// The same endpoint for the same key.
    ConsistentHash(HashOn),
    /// Of two drawn by weight, the one with fewer attempts under way for its weight.
    PowerOfTwo,
}

/// The name of a [`Strategy`] in configurations and status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrategyName {
    /// `round_robin`
    RoundRobin,
    /// `weighted_round_robin`
    WeightedRoundRobin,
    /// `least_connections`
    LeastConnections,
    /// `least_response_time`
    LeastResponseTime,
    /// `random`
    Random,
    /// `weighted_random`
    WeightedRandom,
    /// `health_based`
    HealthBased,
    /// `consistent_hash`
    ConsistentHash,
    /// `power_of_two`
    PowerOfTwo,
}

impl StrategyName {
    /// Every name, in the order of the documentation.
    pub const ALL: [Self; 9] = [
        Self::RoundRobin,
        Self::WeightedRoundRobin,
        Self::LeastConnections,
        Self::LeastResponseTime,
        Self::Random,
        Self::WeightedRandom,
        Self::HealthBased,
        Self::ConsistentHash,
        Self::PowerOfTwo,
    ];

    /// The strategy of this name; `hash_on` says what to hash. `None` for `consistent_hash` without
    /// it.
    #[must_use]
    pub fn strategy(self, hash_on: Option<HashOn>) -> Option<Strategy> {
        Some(match self {
            Self::RoundRobin => Strategy::RoundRobin,
            Self::WeightedRoundRobin => Strategy::WeightedRoundRobin,
            Self::LeastConnections => Strategy::LeastConnections,
            Self::LeastResponseTime => Strategy::LeastResponseTime,
            Self::Random => Strategy::Random,
            Self::WeightedRandom => Strategy::WeightedRandom,
            Self::HealthBased => Strategy::HealthBased,
            Self::ConsistentHash => Strategy::ConsistentHash(hash_on?),
            Self::PowerOfTwo => Strategy::PowerOfTwo,
        })
    }

    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RoundRobin => "round_robin",
            Self::WeightedRoundRobin => "weighted_round_robin",
            Self::LeastConnections => "least_connections",
            Self::LeastResponseTime => "least_response_time",
            Self::Random => "random",
            Self::WeightedRandom => "weighted_random",
            Self::HealthBased => "health_based",
            Self::ConsistentHash => "consistent_hash",
            Self::PowerOfTwo => "power_of_two",
        }
    }
}

impl Strategy {
    /// The name in configurations and status.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        let name = match self {
            Self::RoundRobin => StrategyName::RoundRobin,
            Self::WeightedRoundRobin => StrategyName::WeightedRoundRobin,
            Self::LeastConnections => StrategyName::LeastConnections,
            Self::LeastResponseTime => StrategyName::LeastResponseTime,
            Self::Random => StrategyName::Random,
            Self::WeightedRandom => StrategyName::WeightedRandom,
            Self::HealthBased => StrategyName::HealthBased,
            Self::ConsistentHash(_) => StrategyName::ConsistentHash,
            Self::PowerOfTwo => StrategyName::PowerOfTwo,
        };
        name.name()
    }

    /// What of a request decides its endpoint; `None` for strategies that do not hash.
    #[must_use]
    pub const fn hash_on(&self) -> Option<&HashOn> {
        match self {
            Self::ConsistentHash(hash_on) => Some(hash_on),
            _ => None,
        }
    }

    /// A new balancer of this strategy. `decay` is the time constant of the response-time averages.
    #[must_use]
    pub fn balancer(&self, decay: Duration) -> Box<dyn Balancer> {
        match self {
            Self::RoundRobin => Box::new(RoundRobin::default()),
            Self::WeightedRoundRobin => Box::new(WeightedRoundRobin::default()),
            Self::LeastConnections => Box::new(LeastConnections::default()),
            Self::LeastResponseTime => Box::new(LeastResponseTime::new(decay)),
            Self::Random => Box::new(Random),
            Self::WeightedRandom => Box::new(WeightedRandom),
            Self::HealthBased => Box::new(HealthBased { decay }),
            Self::ConsistentHash(_) => Box::new(ConsistentHash),
            Self::PowerOfTwo => Box::new(PowerOfTwo),
        }
    }
}

/// The choice of `balancer`, or a candidate drawn by weight if that is not a candidate; `None` if
/// there are no candidates.
pub(crate) fn choose(
    balancer: &mut dyn Balancer,
    candidates: &Candidates<'_>,
    key: Option<HashKey>,
    now: Instant,
    rng: &mut dyn Rng,
) -> Option<EndpointIndex> {
    if candidates.is_empty() {
        return None;
    }
    let chosen = balancer.pick(candidates, key, now, rng);
    chosen
        .filter(|index| candidates.contains(*index))
        .or_else(|| random::weighted(candidates, rng))
}

#[cfg(test)]
mod tests;
