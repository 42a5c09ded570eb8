//! What all workers agree on for an endpoint, and why it may not be selected.
//!
//! [`Exclusion`] lists the reasons in their order of precedence: the configuration, an operator's
//! override, a cool-down that the endpoint has requested, its breaker, its health, its limit. If
//! several hold, the first one is reported, because it is the one that must end first.
//!
//! Example: an endpoint is cooling down until 12:05, and its breaker is open until 12:01. Until
//! 12:05 the reason is the cool-down. If an operator opens its circuit at 12:02, the override is
//! the reason from then on.

use core::time::Duration;

use crate::breaker::{Admission, Breaker, BreakerPolicy, StateName};
use crate::endpoint::cool_down::CoolDown;
use crate::endpoint::operator::{Circuit, Operator};
use crate::health::{Health, HealthRecord};
use crate::time::Instant;

/// Why an endpoint may not be selected now. If several reasons hold, the first of this list is
/// reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exclusion {
    /// The configuration disables it.
    Disabled,
    /// An operator has overridden its state.
    Operator,
    /// It has requested a cool-down.
    CoolingDown,
    /// Its breaker is open, or half-open with all permits for trials taken.
    BreakerOpen,
    /// Its health is [`Health::Unhealthy`].
    Unhealthy,
    /// Its limit of attempts under way is reached.
    AtLimit,
}

impl Exclusion {
    /// Whether it is an inference from checks and traffic, which panic ignores. The others are
    /// statements, of the configuration, of an operator or of the endpoint itself, and the limit is
    /// a matter of counting: they hold in panic as well.
    #[must_use]
    pub const fn is_inferred(self) -> bool {
        matches!(self, Self::BreakerOpen | Self::Unhealthy)
    }

    /// The name in status and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Operator => "operator",
            Self::CoolingDown => "cooling_down",
            Self::BreakerOpen => "breaker_open",
            Self::Unhealthy => "unhealthy",
            Self::AtLimit => "at_limit",
        }
    }
}

/// What all workers agree on for one endpoint. It is shared, and changes only by its own rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agreed {
    /// Its circuit breaker.
    pub breaker: Breaker,
    /// The verdict on its health.
    pub health: HealthRecord,
    /// Its newest cool-down; may be past.
    pub cooling: Option<CoolDown>,
    /// An operator's overrides, which take precedence over all of that.
    pub operator: Operator,
}

impl Agreed {
    /// The verdict on its health that is in force `now`.
    #[must_use]
    pub fn verdict(&self, now: Instant) -> Health {
        let verdict = self.operator.health;
        verdict.unwrap_or_else(|| self.health.health(now))
    }

    /// Whether an attempt is admitted `now`.
    #[must_use]
    pub fn admission(&self, policy: &BreakerPolicy, now: Instant) -> Admission {
        match self.operator.circuit(now) {
            Some(Circuit::Open) => Admission::Refused,
            Some(Circuit::Closed) => Admission::Free,
            None => self.breaker.admission(policy, now),
        }
    }

    /// The state of its circuit that is in force `now`.
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

    /// When it last became available again: from its breaker, its health or a cool-down; `None` if
    /// it never was unavailable.
    #[must_use]
    pub fn returned(&self, now: Instant) -> Option<Instant> {
        let cooled = self.cooling.map(|cooling| cooling.until);
        let cooled = cooled.filter(|until| *until <= now);
        let breaker = self.breaker.closed_since();
        breaker.max(self.health.usable_since()).max(cooled)
    }

    /// Until when it cools down. `None` if it does not, or if an operator has closed its circuit.
    #[must_use]
    pub fn cooling_until(&self, now: Instant) -> Option<Instant> {
        let in_force = self.cooling?.in_force(now)?;
        let overruled = self.operator.circuit(now) == Some(Circuit::Closed);
        (!overruled).then_some(in_force)
    }

    /// Why the endpoint may not be selected `now`; `None` when it is available.
    #[must_use]
    pub fn exclusion(&self, policy: &BreakerPolicy, now: Instant) -> Option<Exclusion> {
        if self.operator.excludes(now) {
            Some(Exclusion::Operator)
        } else if self.cooling_until(now).is_some() {
            Some(Exclusion::CoolingDown)
        } else {
            self.inferred_exclusion(policy, now)
        }
    }

    /// The same by its breaker and its health alone.
    pub(crate) fn inferred_exclusion(
        &self,
        policy: &BreakerPolicy,
        now: Instant,
    ) -> Option<Exclusion> {
        if self.admission(policy, now) == Admission::Refused {
            Some(Exclusion::BreakerOpen)
        } else if self.verdict(now) == Health::Unhealthy {
            Some(Exclusion::Unhealthy)
        } else {
            None
        }
    }

    /// When an endpoint that is excluded `now` may be selected again, as far as is known.
    pub(crate) fn returns(&self, policy: &BreakerPolicy, now: Instant) -> Option<Instant> {
        let open_until = self.open_until(now);
        let until = self.cooling_until(now).max(open_until);
        // Where all permits are taken, a trial decides soon.
        let until = until.filter(|until| *until > now).unwrap_or(now + TRIAL);
        match self.exclusion(policy, until) {
            None => Some(until),
            Some(Exclusion::BreakerOpen) if open_until.is_none() => Some(until),
            Some(_) => None,
        }
    }

    /// The time from which the endpoint is certainly selectable; `None` if something may exclude
    /// it. Most endpoints are selectable most of the time, and every choice asks this of each of
    /// them.
    pub(crate) fn selectable_from(&self) -> Option<Instant> {
        let is_selectable = self.operator == Operator::default()
            && self.breaker.name() == StateName::Closed
            && !self.health.is_unhealthy();
        let from = self
            .cooling
            .map_or(Instant::ORIGIN, |cooling| cooling.until);
        is_selectable.then_some(from)
    }

    /// It requests a cool-down until then.
    pub fn cool_down(&mut self, until: Instant, now: Instant) {
        self.cooling = Some(CoolDown::request(self.cooling, until, now));
    }
}

/// How long a trial takes, for a client that is to come back after it.
const TRIAL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::breaker::Verdict;

    const MINUTE: Duration = Duration::from_secs(60);
    const NOW: Instant = Instant::from_nanos(1);

    /// Cooling down for a minute, its breaker open, and unhealthy.
    fn bad(policy: &BreakerPolicy) -> Agreed {
        let mut agreed = Agreed::default();
        let pass = agreed.breaker.free_pass();
        let failure = Verdict::Failure { consecutive: true };
        agreed.breaker.judge(policy, pass, failure, true, NOW);
        agreed.cool_down(NOW + MINUTE, NOW);
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
        agreed.cooling = None;
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
