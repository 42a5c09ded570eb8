//! When a pool of which nothing is available has something to offer again: a cool-down or an open
//! time ends, or a cool-down is tried.
//!
//! Example: all endpoints cool down until 12:05. A new request may be a trial of one of them, once
//! a second; the others are told to come back at 12:05.

use super::candidates::Candidates;
use crate::endpoint::operator::Circuit;
use crate::endpoint::{CoolDown, EndpointIndex, EndpointState, Exclusion};
use crate::time::Instant;

impl Candidates<'_> {
    /// The cool-down of an endpoint that holds for requests in this scope, unless an operator has
    /// overridden it.
    pub(super) fn cooling(&self, index: EndpointIndex, state: &EndpointState) -> Option<CoolDown> {
        let cooling = self.in_scope?.cooling(index, self.now)?;
        let overruled = state.agreed().operator.circuit(self.now) == Some(Circuit::Closed);
        (!overruled).then_some(cooling)
    }

    /// The endpoint whose cool-down may be tried: where every endpoint that is available otherwise
    /// cools down, the one of the best tier that was not asked for the longest time, and not within
    /// the last second.
    #[must_use]
    pub fn cooling_trial(&self) -> Option<EndpointIndex> {
        if !self.is_empty() && !self.panics() {
            return None;
        }
        let mut best = None;
        for (index, endpoint, state) in self.endpoints() {
            let agreed = state.agreed();
            match self.exclusion(index, endpoint, state) {
                None => return None,
                Some(Exclusion::CoolingDown) => {}
                Some(_) => continue,
            }
            let cooling = self.cooling(index, state).or(agreed.cooling);
            let Some(cooling) = cooling.filter(|it| it.is_trial_due(self.now)) else {
                continue;
            };
            let excludes = agreed.inferred_exclusion(self.pool.breaker(), self.now);
            if excludes.is_some() || state.is_full(self.now) {
                continue;
            }
            let rank = (
                endpoint.weight.is_drained(),
                endpoint.priority,
                cooling.asked,
            );
            if best.is_none_or(|(before, _)| rank < before) {
                best = Some((rank, index));
            }
        }
        best.map(|(_, index)| index)
    }

    /// When the first cool-down ends, if no endpoint is available before. `None` also if an
    /// endpoint is excluded only by its limit, because that may end at any time.
    #[must_use]
    pub fn cooled(&self) -> Option<Instant> {
        if !self.is_empty() || self.overloaded() {
            return None;
        }
        self.endpoints()
            .filter(|(_, endpoint, _)| endpoint.enabled)
            .filter_map(|(index, _, state)| {
                let in_scope = self.cooling(index, state).map(|it| it.until);
                let until = in_scope.max(state.cooling_until(self.now))?;
                state
                    .agreed()
                    .exclusion(self.pool.breaker(), until)
                    .is_none()
                    .then_some(until)
            })
            .min()
    }

    /// When the first endpoint may be available again, as far as is known, if none is available now
    /// and none is excluded only by its limit.
    #[must_use]
    pub fn returns(&self) -> Option<Instant> {
        if !self.is_empty() || self.overloaded() {
            return None;
        }
        self.endpoints()
            .filter(|(_, endpoint, _)| endpoint.enabled)
            .filter_map(|(index, _, state)| {
                let (agreed, breaker) = (state.agreed(), self.pool.breaker());
                match self.cooling(index, state).map(|it| it.until) {
                    Some(until) if agreed.exclusion(breaker, until).is_none() => Some(until),
                    in_scope => agreed.returns(breaker, self.now).max(in_scope),
                }
            })
            .min()
    }
}
