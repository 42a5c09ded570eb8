//! What an operator has said of an endpoint, which outranks what checks and traffic have taught.
//!
//! There are two words, each about its own matter. One on *health* stands in place of the verdict of
//! checks and of marks on live answers. One on the *circuit* stands in place of the breaker: open
//! refuses everything; closed admits everything, and also ends a cool-down, which is traffic's word
//! on the same matter. A word holds until it is taken back, or until its time is over.
//!
//! The records underneath go on as always, so an endpoint that is given back is judged by what it did
//! meanwhile.
//!
//! Example: a breaker has opened until 12:01. At 12:00 an operator closes the circuit for 5 minutes:
//! traffic flows. At 12:05 the breaker's own state counts again: its time is over, so a trial.

use core::time::Duration;

use crate::health::Health;
use crate::time::Instant;

/// The words on one endpoint; none by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operator {
    /// What its health is said to be.
    pub health: Option<Health>,
    circuit: Option<CircuitWord>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CircuitWord {
    circuit: Circuit,
    /// `None`: until it is taken back.
    until: Option<Instant>,
}

/// What an operator may say of a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circuit {
    /// Nothing is admitted.
    Open,
    /// Everything is.
    Closed,
}

/// What an operator says at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Of the endpoint's health; `None` takes the word back.
    Health(Option<Health>),
    /// Of its circuit, for so long or until it is said otherwise; `None` takes the word back.
    Circuit(Option<(Circuit, Option<Duration>)>),
}

impl Operator {
    /// With what is said of the circuit, and until when; `None` for until it is taken back.
    #[must_use]
    pub fn new(health: Option<Health>, circuit: Option<(Circuit, Option<Instant>)>) -> Self {
        Self {
            health,
            circuit: circuit.map(|(circuit, until)| CircuitWord { circuit, until }),
        }
    }

    /// What was said last of the circuit, and until when, even if that time is over: the counterpart
    /// of [`Self::new`].
    #[must_use]
    pub fn circuit_and_end(&self) -> Option<(Circuit, Option<Instant>)> {
        self.circuit.map(|word| (word.circuit, word.until))
    }

    /// Obeys from `now` on.
    pub fn hear(&mut self, word: Word, now: Instant) {
        match word {
            Word::Health(health) => self.health = health,
            Word::Circuit(None) => self.release_circuit(),
            Word::Circuit(Some((circuit, lasts))) => self.set_circuit(circuit, lasts, now),
        }
    }

    /// The circuit is to be like this, for so long or until it is said otherwise.
    pub fn set_circuit(&mut self, circuit: Circuit, lasts: Option<Duration>, now: Instant) {
        self.circuit = Some(CircuitWord {
            circuit,
            until: lasts.map(|lasts| now + lasts),
        });
    }

    /// The breaker's own state counts again.
    pub const fn release_circuit(&mut self) {
        self.circuit = None;
    }

    /// What is said of the circuit and counts `now`.
    #[must_use]
    pub fn circuit(&self, now: Instant) -> Option<Circuit> {
        Some(self.word(now)?.circuit)
    }

    /// Until when the circuit is said to be open; `None` if it is not, or without an end.
    #[must_use]
    pub fn open_until(&self, now: Instant) -> Option<Instant> {
        let word = self.word(now)?;
        word.until.filter(|_| word.circuit == Circuit::Open)
    }

    /// Whether it keeps traffic away `now`.
    #[must_use]
    pub fn excludes(&self, now: Instant) -> bool {
        self.circuit(now) == Some(Circuit::Open) || self.health == Some(Health::Unhealthy)
    }

    fn word(&self, now: Instant) -> Option<CircuitWord> {
        self.circuit
            .filter(|word| word.until.is_none_or(|until| now < until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

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
        operator.hear(Word::Health(Some(Health::Degraded)), at(71));
        operator.hear(Word::Circuit(None), at(71));
        operator.hear(Word::Health(None), at(71));
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
