//! The interface of every strategy.

use core::fmt::Debug;

use rand::Rng;

use super::candidates::Candidates;
use super::key::HashKey;
use super::turn::Turn;
use crate::endpoint::EndpointIndex;
use crate::time::Instant;

/// A strategy, together with what it must remember between choices.
///
/// Each worker has one for each pool, so it remembers only the choices of this worker. The state of
/// a candidate is that of all workers, where they share it.
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
    /// Chooses one of the candidates; there is at least one. If the choice is not one of them, or
    /// `None`, one is drawn by weight.
    ///
    /// `key` is the request's hash key, if the configuration says what to hash: `hash_on`, with the
    /// strategy `consistent_hash`.
    fn pick(
        &mut self,
        candidates: &Candidates<'_>,
        key: Option<HashKey>,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Option<EndpointIndex>;

    /// Where it stands in its turn, for the balancer of the next configuration; `None` if it takes
    /// no turns.
    fn turn(&self) -> Option<Turn> {
        None
    }

    /// Goes on where the balancer of the configuration before stood. Called before the first
    /// choice.
    fn resume(&mut self, turn: Turn) {
        drop(turn);
    }
}
