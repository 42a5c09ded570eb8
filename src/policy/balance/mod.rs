//! Choosing the endpoint of an attempt.
//!
//! [`Candidates`] narrows a pool down to the endpoints that a strategy may choose from, by what is
//! available, tried and preferred. A [`Balancer`] then applies the strategy; each has a file of its own, and
//! others may be written elsewhere: what they choose is checked.

mod candidates;
mod consistent_hash;
mod health_based;
mod least_connections;
mod least_response_time;
mod random;
mod round_robin;
mod weighted_round_robin;

use alloc::boxed::Box;
use core::fmt::Debug;
use core::time::Duration;

use rand::Rng;

pub use candidates::{Candidate, Candidates};
pub use consistent_hash::{HashKey, HashOn};

use consistent_hash::ConsistentHash;
use health_based::HealthBased;
use least_connections::LeastConnections;
use least_response_time::LeastResponseTime;
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
}

impl StrategyName {
    /// Every name, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::RoundRobin,
        Self::WeightedRoundRobin,
        Self::LeastConnections,
        Self::LeastResponseTime,
        Self::Random,
        Self::WeightedRandom,
        Self::HealthBased,
        Self::ConsistentHash,
    ];

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
        };
        name.name()
    }

    /// What of a request decides its endpoint, for the one strategy where something does.
    #[must_use]
    pub const fn hash_on(&self) -> Option<&HashOn> {
        match self {
            Self::ConsistentHash(hash_on) => Some(hash_on),
            _ => None,
        }
    }

    /// A balancer that has chosen nothing yet. `decay` is the time constant of the response-time
    /// averages.
    #[must_use]
    pub fn balancer(&self, decay: Duration) -> Box<dyn Balancer> {
        match self {
            Self::RoundRobin => Box::new(RoundRobin::default()),
            Self::WeightedRoundRobin => Box::new(WeightedRoundRobin::default()),
            Self::LeastConnections => Box::new(LeastConnections),
            Self::LeastResponseTime => Box::new(LeastResponseTime::new(decay)),
            Self::Random => Box::new(Random),
            Self::WeightedRandom => Box::new(WeightedRandom),
            Self::HealthBased => Box::new(HealthBased { decay }),
            Self::ConsistentHash(_) => Box::new(ConsistentHash),
        }
    }
}

/// A strategy together with what it must remember between choices.
///
/// Each worker has one for each pool, so what it remembers is what this worker has chosen. The state
/// of a candidate is of all workers together where they share it.
///
/// ```
/// use rand::Rng;
/// use steerage_policy::balance::{Balancer, Candidates, HashKey};
/// use steerage_policy::endpoint::EndpointIndex;
/// use steerage_policy::time::Instant;
///
/// /// The first one of the configuration that has fewer than so many attempts under way.
/// #[derive(Debug)]
/// struct FillUp(u32);
///
/// impl Balancer for FillUp {
///     fn pick(
///         &mut self,
///         candidates: &Candidates<'_>,
///         _key: Option<HashKey>,
///         _now: Instant,
///         _rng: &mut dyn Rng,
///     ) -> Option<EndpointIndex> {
///         let mut candidates = candidates.iter();
///         let free = candidates.find(|candidate| candidate.state.active() < self.0)?;
///         Some(free.index)
///     }
/// }
///
/// # use steerage_policy::{endpoint::Endpoint, pool::{Pool, PoolState}};
/// let pool = Pool::new("models", ["own", "rented"].map(Endpoint::new).to_vec());
/// let state = PoolState::new(&pool).balanced_by(Box::new(FillUp(2)));
/// # drop(state);
/// ```
pub trait Balancer: Debug {
    /// Chooses one of the candidates, of which there is at least one. What is none of them counts as
    /// no choice, and then one is drawn by weight.
    ///
    /// `key` is the request's hash key, where the configuration says what to hash: `hash_on`, with
    /// the strategy `consistent_hash`.
    fn pick(
        &mut self,
        candidates: &Candidates<'_>,
        key: Option<HashKey>,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Option<EndpointIndex>;
}

/// Has `balancer` choose, and sees to it that one is chosen if there is any; `None` if there is none.
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
