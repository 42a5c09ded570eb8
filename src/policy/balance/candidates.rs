//! The endpoints of a pool that a strategy may choose from.
//!
//! It is a filter over the pool's own slices, and allocates nothing. Most of the time all endpoints
//! are available and alike. One pass finds that out, and no endpoint is examined again.
//!
//! **Preference**, best first: an endpoint with a weight before a drained one; then one that this
//! exchange has not tried before one that it has; then the tier. Being drained comes first, because
//! a drained endpoint gets traffic only when every other one is unavailable. That one has just
//! failed in this exchange does not make it unavailable.
//!
//! **Tiers** of priority take over from each other by degrees (`tiers`).
//!
//! **Panic**: where breakers and health would leave nothing available, or less than a threshold,
//! they are ignored (`panic`).
//!
//! **Slow start**: an endpoint that has become available again is a candidate in few of the choices
//! at first (`slow_start`).
//!
//! Chance enters by one number for each choice, the draw. Consistent hashing makes it of the key,
//! so that a key stays in one tier while nothing changes.
//!
//! Examples:
//!
//! - `a` (weight 1), `b` (weight 0), `c` (priority 1): the first attempt goes to `a`. It fails:
//!   `c`, because `b` is drained. It fails: `a` again.
//! - `a` and `b` have open breakers, and an operator has taken `c` out: `a` and `b` are used.
//! - Four endpoints of equal weight, of which one is available, and a threshold of 0.3: 0.25 is
//!   less, so all four are used.

use super::panic::{self, Standing};
use super::rules::Rules;
use super::slow_start;
use super::tiers::{self, Weights};
use crate::endpoint::{Endpoint, EndpointIndex, EndpointState, EndpointView, Exclusion, InScope};
use crate::exchange::tried::Tried;
use crate::time::Instant;

/// One endpoint that may be chosen.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its position in the pool.
    pub index: EndpointIndex,
    /// As configured.
    pub endpoint: &'a Endpoint,
    /// What is known of it.
    pub state: EndpointView<'a>,
    /// Its weight among the candidates, above 0. Drained endpoints compete only with each other,
    /// and count alike.
    pub weight: f64,
}

/// The endpoints that a strategy may choose from.
#[derive(Clone, Copy, Debug)]
pub struct Candidates<'a> {
    pub(super) pool: &'a dyn Rules,
    states: &'a [EndpointState],
    tried: &'a Tried,
    /// Cool-downs that hold for this request.
    pub(super) in_scope: Option<InScope<'a>>,
    /// The number that decides what is left to chance.
    draw: u64,
    pub(super) now: Instant,
    /// Whether breakers and health are ignored.
    panics: bool,
    /// The rank of all candidates; `None` if no endpoint may be chosen. If all endpoints are
    /// candidates, its priority is not used.
    best: Option<Rank>,
    /// Whether slow start may leave out endpoints.
    thins: bool,
    /// Whether all endpoints are candidates, so that none needs to be examined.
    are_all: bool,
}

/// The preference for an available endpoint; smaller is better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    drained: bool,
    tried: bool,
    priority: u32,
}

impl<'a> Candidates<'a> {
    /// The candidates of a pool. `states` are those of its endpoints, by position. `draw` is a
    /// random number, which matters if [`Candidates::needs_draw`].
    #[must_use]
    pub fn new(
        pool: &'a dyn Rules,
        states: &'a [EndpointState],
        tried: &'a Tried,
        draw: u64,
        now: Instant,
    ) -> Self {
        Self::in_scope(pool, states, tried, None, draw, now)
    }

    /// The same for a request that may be in the scope of cool-downs.
    #[must_use]
    pub fn in_scope(
        pool: &'a dyn Rules,
        states: &'a [EndpointState],
        tried: &'a Tried,
        in_scope: Option<InScope<'a>>,
        draw: u64,
        now: Instant,
    ) -> Self {
        let mut candidates = Self::all(pool, states, tried, now);
        candidates.in_scope = in_scope;
        if candidates.are_all_alike() {
            return candidates;
        }
        candidates.are_all = false;
        candidates.draw = draw;
        candidates.panics = candidates.is_panic();
        candidates.best = candidates
            .usable()
            .map(|(index, endpoint, _)| candidates.rank(index, endpoint))
            .min();
        if let Some(best) = candidates.best.filter(|best| !best.drained)
            && let Some(priority) = candidates.tier(best)
        {
            candidates.best = Some(Rank { priority, ..best });
        }
        candidates.thins = !pool.slow_start().is_zero()
            && candidates
                .ranked()
                .any(|it| candidates.passes_slow_start(&it));
        candidates
    }

    /// All endpoints of a pool, when they are known to be available and alike. A pool has at least
    /// one.
    pub(crate) fn all(
        pool: &'a dyn Rules,
        states: &'a [EndpointState],
        tried: &'a Tried,
        now: Instant,
    ) -> Self {
        Self {
            pool,
            states,
            tried,
            in_scope: None,
            draw: 0,
            now,
            panics: false,
            best: (!states.is_empty()).then(Rank::default),
            thins: false,
            are_all: true,
        }
    }

    /// Whether all endpoints of the pool are candidates.
    pub(crate) const fn are_all(&self) -> bool {
        self.are_all
    }

    /// Whether the candidates of `pool` depend on chance.
    #[must_use]
    pub fn needs_draw(pool: &dyn Rules) -> bool {
        let mut priorities = pool.endpoints().iter().map(|endpoint| endpoint.priority);
        let first = priorities.next();
        !pool.slow_start().is_zero() || priorities.any(|priority| Some(priority) != first)
    }

    /// What the exchange has tried; nothing before its first attempt.
    #[must_use]
    pub const fn tried(&self) -> &'a Tried {
        self.tried
    }

    /// How many endpoints the pool has.
    #[must_use]
    pub fn pool_size(&self) -> usize {
        self.states.len()
    }

    /// All candidates, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = Candidate<'a>> + '_ {
        self.ranked()
            .filter(|candidate| !self.thins || self.passes_slow_start(candidate))
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.best.is_none()
    }

    /// Whether the endpoint at `index` is one of them.
    #[must_use]
    pub fn contains(&self, index: EndpointIndex) -> bool {
        let position = index.position();
        if self.are_all {
            return position < self.states.len();
        }
        let (Some(endpoint), Some(state)) = (
            self.pool.endpoints().get(position),
            self.states.get(position),
        ) else {
            return false;
        };
        self.is_usable(index, endpoint, state)
            && Some(self.rank(index, endpoint)) == self.best
            && (!self.thins || self.passes_slow_start(&candidate(index, endpoint, state)))
    }

    /// Whether all candidates were tried before in this exchange; true if there are none.
    #[must_use]
    pub fn all_tried(&self) -> bool {
        self.best.is_none_or(|rank| rank.tried)
    }

    /// Whether breakers and health are ignored, because too little is left otherwise.
    #[must_use]
    pub const fn panics(&self) -> bool {
        self.panics
    }

    /// Whether there is no candidate, and at least one endpoint is excluded only by its limit.
    #[must_use]
    pub fn overloaded(&self) -> bool {
        let may_panic = self.pool.panic_threshold().is_some();
        self.best.is_none()
            && self.endpoints().any(|(index, endpoint, state)| {
                match self.exclusion(index, endpoint, state) {
                    Some(Exclusion::AtLimit) => true,
                    Some(exclusion) => {
                        may_panic && exclusion.is_inferred() && state.is_full(self.now)
                    }
                    None => false,
                }
            })
    }

    /// Whether all endpoints are available and of the same rank: the first attempt of an exchange,
    /// one tier, and nothing that distinguishes them.
    fn are_all_alike(&self) -> bool {
        let breaker = self.pool.breaker();
        let endpoints = self.pool.endpoints();
        let priority = endpoints.first().map(|first| first.priority);
        let sets_apart = |(endpoint, state): (&Endpoint, &EndpointState)| {
            Some(endpoint.priority) != priority
                || endpoint.weight.is_drained()
                || !endpoint.enabled
                || state.exclusion(breaker, self.now).is_some()
        };
        self.pool.slow_start().is_zero()
            && self.tried.is_empty()
            && !self.in_scope.is_some_and(|it| it.any_cools(self.now))
            && !endpoints.iter().zip(self.states).any(sets_apart)
    }

    /// The endpoints of the best rank.
    fn ranked(&self) -> impl Iterator<Item = Candidate<'a>> + '_ {
        let is_best = |(index, endpoint, state): &(EndpointIndex, &Endpoint, &EndpointState)| {
            self.are_all
                || (self.is_usable(*index, endpoint, state)
                    && Some(self.rank(*index, endpoint)) == self.best)
        };
        self.endpoints()
            .filter(is_best)
            .map(|(index, endpoint, state)| candidate(index, endpoint, state))
    }

    /// The endpoints that may be chosen at all.
    fn usable(
        &self,
    ) -> impl Iterator<Item = (EndpointIndex, &'a Endpoint, &'a EndpointState)> + '_ {
        self.endpoints()
            .filter(|(index, endpoint, state)| self.is_usable(*index, endpoint, state))
    }

    pub(super) fn endpoints(
        &self,
    ) -> impl Iterator<Item = (EndpointIndex, &'a Endpoint, &'a EndpointState)> + use<'a> {
        let endpoints = self.pool.endpoints().iter().zip(self.states).enumerate();
        endpoints.filter_map(|(position, (endpoint, state))| {
            Some((EndpointIndex::new(position)?, endpoint, state))
        })
    }

    fn is_usable(&self, index: EndpointIndex, endpoint: &Endpoint, state: &EndpointState) -> bool {
        self.exclusion(index, endpoint, state)
            .is_none_or(|exclusion| {
                self.panics && exclusion.is_inferred() && !state.is_full(self.now)
            })
    }

    pub(super) fn exclusion(
        &self,
        index: EndpointIndex,
        endpoint: &Endpoint,
        state: &EndpointState,
    ) -> Option<Exclusion> {
        if !endpoint.enabled {
            return Some(Exclusion::Disabled);
        }
        let exclusion = state.exclusion(self.pool.breaker(), self.now);
        match exclusion {
            Some(Exclusion::Operator | Exclusion::CoolingDown) => exclusion,
            _ if self.cooling(index, state).is_some() => Some(Exclusion::CoolingDown),
            _ => exclusion,
        }
    }

    fn rank(&self, index: EndpointIndex, endpoint: &Endpoint) -> Rank {
        Rank {
            drained: endpoint.weight.is_drained(),
            tried: self.tried.contains(index),
            priority: endpoint.priority,
        }
    }

    /// Whether so little of the pool is available that breakers and health are ignored.
    fn is_panic(&self) -> bool {
        let standings = self.endpoints().map(|(index, endpoint, state)| {
            let standing = match self.exclusion(index, endpoint, state) {
                None => Standing::Available,
                // A full endpoint would not be available if its breaker closed.
                Some(it) if it.is_inferred() && !state.is_full(self.now) => Standing::Missing,
                Some(_) => Standing::Excluded,
            };
            (endpoint.weight.value(), standing)
        });
        panic::panics(self.pool.panic_threshold(), standings)
    }

    /// The tier of this choice, among those with endpoints that differ from `best` in their tier
    /// only; `None` if all endpoints are in one tier.
    fn tier(&self, best: Rank) -> Option<u32> {
        let (endpoints, overprovisioning) = (self.pool.endpoints(), self.pool.overprovisioning());
        tiers::choose(
            endpoints,
            overprovisioning,
            fraction(self.draw),
            |priority| {
                let mut weights = Weights::default();
                for (index, endpoint, state) in self.endpoints() {
                    if endpoint.priority == priority {
                        weights.all += endpoint.weight.value();
                        if self.is_usable(index, endpoint, state) {
                            weights.usable += endpoint.weight.value();
                            weights.has_best |=
                                self.rank(index, endpoint) == Rank { priority, ..best };
                        }
                    }
                }
                weights
            },
        )
    }

    /// Whether slow start lets an endpoint be a candidate of this choice.
    fn passes_slow_start(&self, candidate: &Candidate<'_>) -> bool {
        let returned = candidate.state.0.agreed().returned(self.now);
        returned.is_none_or(|returned| {
            let ramp = slow_start::part(self.now.since(returned), self.pool.slow_start());
            ramp >= 1.0 || fraction(slow_start::draw(self.draw, candidate.index)) < ramp
        })
    }
}

fn candidate<'a>(
    index: EndpointIndex,
    endpoint: &'a Endpoint,
    state: &'a EndpointState,
) -> Candidate<'a> {
    Candidate {
        index,
        endpoint,
        state: EndpointView(state),
        weight: if endpoint.weight.is_drained() {
            1.0
        } else {
            endpoint.weight.value()
        },
    }
}

/// A number in 0.0..1.0, of 53 of these bits.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
fn fraction(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}
