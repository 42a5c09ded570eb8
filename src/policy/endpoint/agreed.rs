//! What all workers agree on for an endpoint, and why it may not be selected.
//!
//! The order of authority is the order of [`Exclusion`]: what an operator says, then the endpoint's own wish
//! for quiet, then its breaker, then its health, then its limit. Who outranks is asked first, so the reason that is told is
//! the one that would have to go first.
//!
//! Example: an endpoint is cooling down until 12:05 and its breaker is open until 12:01. Until 12:05 it is
//! told to be cooling down. An operator who opens its circuit at 12:02 is the reason from then on.

use crate::breaker::{Admission, Breaker, BreakerPolicy, StateName};
use crate::health::{Health, HealthRecord};
use crate::operator::{Circuit, Operator};
use crate::time::Instant;

/// Why an endpoint may not be selected now. When several hold, the first of this list is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exclusion {
    /// An operator says so.
    Operator,
    /// It has asked for quiet.
    CoolingDown,
    /// Its breaker is open, or half-open with all permits for trials taken.
    BreakerOpen,
    /// Its health is [`Health::Unhealthy`].
    Unhealthy,
    /// It has as many attempts under way as it takes at a time.
    AtLimit,
}

impl Exclusion {
    /// Whether it holds even when so little of a pool is available that availability is ignored: then
    /// checks and traffic are not believed, but an operator is, and room for more is a matter of counting.
    #[must_use]
    pub const fn holds_in_panic(self) -> bool {
        matches!(self, Self::Operator | Self::AtLimit)
    }

    /// The name in status and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::CoolingDown => "cooling_down",
            Self::BreakerOpen => "breaker_open",
            Self::Unhealthy => "unhealthy",
            Self::AtLimit => "at_limit",
        }
    }
}

/// What all workers agree on for one endpoint. It is shared, and changed only by its own rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agreed {
    /// Its circuit breaker.
    pub breaker: Breaker,
    /// The verdict on its health.
    pub health: HealthRecord,
    /// Until when it has asked to be left alone; may be past.
    pub cooling_until: Option<Instant>,
    /// What an operator has said, which outranks all of that.
    pub operator: Operator,
}

impl Agreed {
    /// The verdict on its health that counts `now`.
    #[must_use]
    pub fn verdict(&self, now: Instant) -> Health {
        let verdict = self.operator.health;
        verdict.unwrap_or_else(|| self.health.health(now))
    }

    /// Whether an attempt is let through `now`.
    #[must_use]
    pub fn admission(&self, policy: &BreakerPolicy, now: Instant) -> Admission {
        match self.operator.circuit(now) {
            Some(Circuit::Open) => Admission::Refused,
            Some(Circuit::Closed) => Admission::Free,
            None => self.breaker.admission(policy, now),
        }
    }

    /// The state of its circuit that counts `now`.
    #[must_use]
    pub fn circuit(&self, now: Instant) -> StateName {
        match self.operator.circuit(now) {
            Some(Circuit::Open) => StateName::Open,
            Some(Circuit::Closed) => StateName::Closed,
            None => self.breaker.name(),
        }
    }

    /// Until when its circuit is open; `None` if it is not, or if an operator has set no end.
    #[must_use]
    pub fn open_until(&self, now: Instant) -> Option<Instant> {
        match self.operator.circuit(now) {
            Some(_) => self.operator.open_until(now),
            None => self.breaker.open_until(),
        }
    }

    /// When it last came back after it was left alone: from its breaker, its health or a cool-down; `None`
    /// if it never did.
    #[must_use]
    pub fn returned(&self, now: Instant) -> Option<Instant> {
        let cooled = self.cooling_until.filter(|until| *until <= now);
        let breaker = self.breaker.closed_since();
        breaker.max(self.health.usable_since()).max(cooled)
    }

    /// Until when it has asked to be left alone; `None` when it has not, or no longer, or when an
    /// operator says that traffic may flow.
    #[must_use]
    pub fn cooling_until(&self, now: Instant) -> Option<Instant> {
        let overruled = self.operator.circuit(now) == Some(Circuit::Closed);
        self.cooling_until
            .filter(|until| *until > now && !overruled)
    }

    /// Why the endpoint may not be selected `now`; `None` when it is available.
    #[must_use]
    pub fn exclusion(&self, policy: &BreakerPolicy, now: Instant) -> Option<Exclusion> {
        if self.operator.excludes(now) {
            Some(Exclusion::Operator)
        } else if self.cooling_until(now).is_some() {
            Some(Exclusion::CoolingDown)
        } else if self.admission(policy, now) == Admission::Refused {
            Some(Exclusion::BreakerOpen)
        } else if self.verdict(now) == Health::Unhealthy {
            Some(Exclusion::Unhealthy)
        } else {
            None
        }
    }

    /// From when on nothing of this keeps the endpoint from being selected, whatever the time; `None` if
    /// something may. Most endpoints are like this most of the time, and it is asked of each for every
    /// choice.
    pub(crate) fn calm_from(&self) -> Option<Instant> {
        let is_calm = self.operator == Operator::default()
            && self.breaker.name() == StateName::Closed
            && !self.health.is_unhealthy();
        is_calm.then(|| self.cooling_until.unwrap_or(Instant::ORIGIN))
    }

    /// It asks to be left alone until then. Of several wishes the longest holds: a later answer of
    /// another of its hosts must not cut one short.
    pub fn cool_down(&mut self, until: Instant) {
        self.cooling_until = self.cooling_until.max(Some(until));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::breaker::Verdict;
    use core::time::Duration;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const MINUTE: Duration = Duration::from_secs(60);
    const NOW: Instant = Instant::from_nanos(1);

    /// Cooling down for a minute, its breaker open, and unhealthy.
    fn bad(policy: &BreakerPolicy) -> Agreed {
        let mut agreed = Agreed::default();
        let pass = agreed.breaker.free_pass();
        let failure = Verdict::Failure { in_row: true };
        agreed.breaker.judge(policy, pass, failure, true, NOW);
        agreed.cool_down(NOW + MINUTE);
        agreed.health.fail_immediately();
        agreed
    }

    #[test]
    fn an_operators_word_outranks_a_cool_down() {
        let policy = BreakerPolicy::default();
        let mut agreed = bad(&policy);
        assert_eq!(agreed.exclusion(&policy, NOW), Some(Exclusion::CoolingDown));
        agreed.operator.set_circuit(Circuit::Open, None, NOW);
        assert_eq!(agreed.exclusion(&policy, NOW), Some(Exclusion::Operator));
        agreed.operator.set_circuit(Circuit::Closed, None, NOW);
        agreed.operator.health = Some(Health::Degraded);
        assert_eq!(agreed.exclusion(&policy, NOW), None);
        assert_eq!(agreed.cooling_until(NOW), None);
        agreed.operator.health = Some(Health::Unhealthy);
        assert_eq!(agreed.exclusion(&policy, NOW), Some(Exclusion::Operator));
    }

    #[test]
    fn a_word_on_the_circuit_says_nothing_of_health_and_the_other_way_round() {
        let policy = BreakerPolicy::default();
        let mut agreed = bad(&policy);
        agreed.operator.set_circuit(Circuit::Closed, None, NOW);
        assert_eq!(agreed.exclusion(&policy, NOW), Some(Exclusion::Unhealthy));
        agreed.operator.release_circuit();
        agreed.operator.health = Some(Health::Healthy);
        let later = NOW + MINUTE;
        assert_eq!(agreed.verdict(later), Health::Healthy);
        agreed.cooling_until = None;
        assert_eq!(agreed.exclusion(&policy, NOW), Some(Exclusion::BreakerOpen));
    }

    #[test]
    fn an_endpoint_that_is_given_back_is_as_its_own_records_say() {
        let policy = BreakerPolicy::default();
        let mut agreed = bad(&policy);
        let before = agreed.clone();
        agreed
            .operator
            .set_circuit(Circuit::Closed, Some(MINUTE), NOW);
        assert_eq!(agreed.circuit(NOW), StateName::Closed);
        assert_eq!(agreed.open_until(NOW), None);
        agreed.operator.release_circuit();
        assert_eq!(agreed, before);
        assert_eq!(agreed.circuit(NOW), StateName::Open);
        assert_eq!(agreed.open_until(NOW), Some(NOW + policy.timeout));
        agreed
            .operator
            .set_circuit(Circuit::Open, Some(MINUTE / 2), NOW);
        assert_eq!(agreed.open_until(NOW), Some(NOW + MINUTE / 2));
    }
}
