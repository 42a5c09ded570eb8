//! An operator's overrides of an endpoint, which take precedence over checks and traffic.
//!
//! There are two. The override of *health* replaces the verdict of checks and of marks on live
//! answers. The override of the *circuit* replaces the breaker: open refuses everything; closed
//! admits everything, and also ends a cool-down. An override is in force until it is removed or its
//! time is over.
//!
//! Checks and traffic are recorded as usual meanwhile, so the endpoint is judged by what it did
//! when the override ends.
//!
//! Example: a breaker is open until 12:01. At 12:00 an operator closes the circuit for 5 minutes:
//! traffic flows. At 12:05 the breaker's own state counts again. Its time is over, so the next
//! attempt is a trial.

use core::time::Duration;

use crate::health::Health;
use crate::time::Instant;

/// The overrides of one endpoint; by default none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operator {
    /// The health that replaces the verdict.
    pub health: Option<Health>,
    circuit: Option<CircuitOverride>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CircuitOverride {
    circuit: Circuit,
    /// `None`: until it is removed.
    until: Option<Instant>,
}

/// The states that an operator can set a circuit to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circuit {
    /// Nothing is admitted.
    Open,
    /// Everything is.
    Closed,
}

/// One change of an override.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Override {
    /// The health of the endpoint; `None` removes the override.
    Health(Option<Health>),
    /// Its circuit, for a time or until the next change; `None` removes the override.
    Circuit(Option<(Circuit, Option<Duration>)>),
}

impl Operator {
    /// With this override of the circuit, and until when it holds; `None`: until it is removed.
    #[must_use]
    pub fn new(health: Option<Health>, circuit: Option<(Circuit, Option<Instant>)>) -> Self {
        Self {
            health,
            circuit: circuit.map(|(circuit, until)| CircuitOverride { circuit, until }),
        }
    }

    /// The newest override of the circuit, and until when it holds, even if that time is over: the
    /// counterpart of [`Self::new`].
    #[must_use]
    pub fn circuit_and_end(&self) -> Option<(Circuit, Option<Instant>)> {
        let circuit = self.circuit?;
        Some((circuit.circuit, circuit.until))
    }

    /// Applies a change from `now` on.
    pub fn apply(&mut self, change: Override, now: Instant) {
        match change {
            Override::Health(health) => self.health = health,
            Override::Circuit(None) => self.release_circuit(),
            Override::Circuit(Some((circuit, lasts))) => self.set_circuit(circuit, lasts, now),
        }
    }

    /// Sets the circuit, for a time or until the next change.
    pub fn set_circuit(&mut self, circuit: Circuit, lasts: Option<Duration>, now: Instant) {
        self.circuit = Some(CircuitOverride {
            circuit,
            until: lasts.map(|lasts| now + lasts),
        });
    }

    /// Removes the override of the circuit: the breaker's own state counts again.
    pub const fn release_circuit(&mut self) {
        self.circuit = None;
    }

    /// The override of the circuit that is in force `now`.
    #[must_use]
    pub fn circuit(&self, now: Instant) -> Option<Circuit> {
        Some(self.in_force(now)?.circuit)
    }

    /// Until when an override keeps the circuit open; `None` if it does not, or has no end.
    #[must_use]
    pub fn open_until(&self, now: Instant) -> Option<Instant> {
        let in_force = self.in_force(now)?;
        in_force.until.filter(|_| in_force.circuit == Circuit::Open)
    }

    /// Whether the overrides keep traffic away `now`.
    #[must_use]
    pub fn excludes(&self, now: Instant) -> bool {
        self.circuit(now) == Some(Circuit::Open) || self.health == Some(Health::Unhealthy)
    }

    fn in_force(&self, now: Instant) -> Option<CircuitOverride> {
        self.circuit
            .filter(|it| it.until.is_none_or(|until| now < until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(seconds)
    }

    #[test]
    fn a_word_holds_until_its_time_is_over_or_it_is_taken_back() {
        let mut operator = Operator::default();
        assert_eq!(operator.circuit(at(0)), None);
        operator.set_circuit(Circuit::Open, Some(Duration::from_secs(60)), at(1));
        assert_eq!(operator.circuit(at(60)), Some(Circuit::Open));
        assert_eq!(operator.open_until(at(60)), Some(at(61)));
        assert_eq!(operator.circuit(at(61)), None);
        assert_eq!(Operator::new(None, operator.circuit_and_end()), operator);
        operator.set_circuit(Circuit::Closed, None, at(70));
        assert_eq!(operator.circuit(at(1_000_000)), Some(Circuit::Closed));
        assert_eq!(operator.open_until(at(71)), None);
        operator.apply(Override::Health(Some(Health::Degraded)), at(71));
        operator.apply(Override::Circuit(None), at(71));
        operator.apply(Override::Health(None), at(71));
        assert_eq!(operator, Operator::default());
    }

    #[test]
    fn an_open_circuit_and_bad_health_keep_traffic_away() {
        let mut operator = Operator::default();
        for (health, excludes) in [
            (Health::Healthy, false),
            (Health::Degraded, false),
            (Health::Unhealthy, true),
        ] {
            operator.health = Some(health);
            assert_eq!(operator.excludes(at(0)), excludes, "{health:?}");
        }
        operator.health = Some(Health::Healthy);
        operator.set_circuit(Circuit::Open, None, at(0));
        assert!(operator.excludes(at(0)));
    }
}
