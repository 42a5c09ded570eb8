//! What has been counted since a worker began: of an endpoint, and of a pool.
//!
//! These are plain sums. Those of several workers can be added up, and what was counted elsewhere
//! already can be subtracted. Metrics and status documents are made of them alone, so they cannot
//! disagree.
//!
//! An endpoint's totals count attempts; a pool's count requests.
//!
//! Example: a request whose first attempt failed and whose retry succeeded is one failure of the
//! first endpoint, one success of the second, and one successful request of the pool.

use alloc::vec::Vec;
use core::ops::AddAssign;
use core::time::Duration;

use crate::breaker::StateName;
use crate::health::Finding;
use crate::outcome::{Class, Kind};
use crate::retry::reason::{Denial, Trigger};
use crate::time::nanos;

/// The totals of one endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Attempts begun, also those under way.
    pub attempts: u64,
    /// Attempts ended, by [`Kind`].
    pub outcomes: [u64; Kind::ALL.len()],
    /// Response times of the attempts that were judged, in microseconds.
    pub micros: u64,
    /// Transitions of its breaker, by the new state.
    pub transitions: [u64; StateName::ALL.len()],
    /// Health checks ended, by their finding.
    pub checks: [u64; Finding::ALL.len()],
}

impl Totals {
    /// An attempt has ended, after `took`.
    pub fn ended(&mut self, kind: Kind, took: Duration) {
        add_one(&mut self.outcomes, kind as usize);
        if kind == Kind::Success || kind.is_failure() {
            self.micros = self.micros.saturating_add(micros(took));
        }
    }

    /// Its breaker has changed.
    pub fn breaker_became(&mut self, state: StateName) {
        add_one(&mut self.transitions, state as usize);
    }

    /// A health check has ended.
    pub fn checked(&mut self, finding: Finding) {
        add_one(&mut self.checks, finding as usize);
    }

    /// Attempts that ended in this way.
    #[must_use]
    pub fn of(&self, kind: Kind) -> u64 {
        at(&self.outcomes, kind as usize)
    }

    /// Attempts whose endpoint did its work.
    #[must_use]
    pub fn successes(&self) -> u64 {
        self.of(Kind::Success)
    }

    /// Attempts whose endpoint was at fault.
    #[must_use]
    pub fn failures(&self) -> u64 {
        let failed = Kind::ALL.into_iter().filter(|kind| kind.is_failure());
        failed.map(|kind| self.of(kind)).sum()
    }

    /// How often its breaker entered this state.
    #[must_use]
    pub fn became(&self, state: StateName) -> u64 {
        at(&self.transitions, state as usize)
    }

    /// Mean response time of the attempts that were judged, in seconds; 0 before the first.
    #[must_use]
    pub fn mean_seconds(&self) -> f64 {
        mean_seconds(self.micros, self.successes() + self.failures())
    }

    /// These minus `counted`, which is counted elsewhere already.
    #[must_use]
    pub fn without(mut self, counted: &Self) -> Self {
        self.attempts = self.attempts.saturating_sub(counted.attempts);
        self.micros = self.micros.saturating_sub(counted.micros);
        subtract(&mut self.outcomes, &counted.outcomes);
        subtract(&mut self.transitions, &counted.transitions);
        subtract(&mut self.checks, &counted.checks);
        self
    }
}

impl AddAssign<&Self> for Totals {
    fn add_assign(&mut self, other: &Self) {
        self.attempts = self.attempts.saturating_add(other.attempts);
        self.micros = self.micros.saturating_add(other.micros);
        add(&mut self.outcomes, &other.outcomes);
        add(&mut self.transitions, &other.transitions);
        add(&mut self.checks, &other.checks);
    }
}

/// The totals of one pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolTotals {
    /// Requests that belonged to it.
    pub requests: u64,
    /// Requests whose client got a good answer.
    pub successes: u64,
    /// Requests whose client got none.
    pub failures: u64,
    /// The time from the arrival of a request to the beginning of its answer, summed over the
    /// requests that were answered, in microseconds.
    pub micros: u64,
    /// Attempts after the first, by [`Trigger`].
    pub retries: [u64; Trigger::ALL.len()],
    /// Retries that were denied, by [`Denial`].
    pub denied: [u64; Denial::ALL.len()],
    /// Answers of upstreams, each status once, in order.
    pub statuses: Vec<(u16, u64)>,
}

impl PoolTotals {
    /// A client was answered, `took` after its request arrived.
    pub fn answered(&mut self, class: Class, took: Duration) {
        match class {
            Class::Success => self.successes = self.successes.saturating_add(1),
            Class::Failure => self.failures = self.failures.saturating_add(1),
            Class::Neutral => return,
        }
        self.micros = self.micros.saturating_add(micros(took));
    }

    /// An attempt after the first has begun.
    pub fn retried(&mut self, trigger: Trigger) {
        add_one(&mut self.retries, trigger as usize);
    }

    /// A retry has been denied.
    pub fn denied(&mut self, denial: Denial) {
        add_one(&mut self.denied, denial as usize);
    }

    /// An upstream has answered.
    pub fn status(&mut self, status: u16) {
        self.add_statuses(status, 1);
    }

    /// Mean time from the arrival of a request to the beginning of its answer, in seconds; 0 before
    /// the first.
    #[must_use]
    pub fn mean_seconds(&self) -> f64 {
        mean_seconds(self.micros, self.successes + self.failures)
    }

    /// These minus `counted`, which is counted elsewhere already.
    #[must_use]
    pub fn without(mut self, counted: &Self) -> Self {
        self.requests = self.requests.saturating_sub(counted.requests);
        self.successes = self.successes.saturating_sub(counted.successes);
        self.failures = self.failures.saturating_sub(counted.failures);
        self.micros = self.micros.saturating_sub(counted.micros);
        subtract(&mut self.retries, &counted.retries);
        subtract(&mut self.denied, &counted.denied);
        for (status, count) in &mut self.statuses {
            let counted = counted.statuses.iter().find(|(other, _)| other == status);
            *count = count.saturating_sub(counted.map_or(0, |(_, count)| *count));
        }
        self
    }

    fn add_statuses(&mut self, status: u16, more: u64) {
        match self.statuses.binary_search_by_key(&status, |(of, _)| *of) {
            Ok(position) => {
                if let Some((_, count)) = self.statuses.get_mut(position) {
                    *count = count.saturating_add(more);
                }
            }
            Err(position) => self.statuses.insert(position, (status, more)),
        }
    }
}

impl AddAssign<&Self> for PoolTotals {
    fn add_assign(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.successes = self.successes.saturating_add(other.successes);
        self.failures = self.failures.saturating_add(other.failures);
        self.micros = self.micros.saturating_add(other.micros);
        add(&mut self.retries, &other.retries);
        add(&mut self.denied, &other.denied);
        for (status, count) in &other.statuses {
            self.add_statuses(*status, *count);
        }
    }
}

fn add_one(counts: &mut [u64], position: usize) {
    if let Some(count) = counts.get_mut(position) {
        *count = count.saturating_add(1);
    }
}

fn add(counts: &mut [u64], more: &[u64]) {
    for (count, more) in counts.iter_mut().zip(more) {
        *count = count.saturating_add(*more);
    }
}

fn subtract(counts: &mut [u64], less: &[u64]) {
    for (count, less) in counts.iter_mut().zip(less) {
        *count = count.saturating_sub(*less);
    }
}

fn at(counts: &[u64], position: usize) -> u64 {
    counts.get(position).copied().unwrap_or(0)
}

fn micros(time: Duration) -> u64 {
    nanos(time) / 1_000
}

#[expect(clippy::cast_precision_loss, reason = "sums stay far below 2^53 µs")]
fn mean_seconds(micros: u64, count: u64) -> f64 {
    if count == 0 {
        0.0
    } else {
        micros as f64 / 1e6 / count as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn an_endpoints_attempts_are_counted_by_what_they_came_to() {
        let mut totals = Totals::default();
        let twice = [Kind::Success];
        for kind in Kind::ALL.into_iter().chain(twice) {
            totals.ended(kind, 3 * MS);
        }
        assert_eq!(totals.outcomes, [2, 1, 1, 1, 1, 1, 1, 1]);
        assert_eq!((totals.successes(), totals.failures()), (2, 5));
        assert!((totals.mean_seconds() - 0.003).abs() < 1e-9);
    }

    #[test]
    fn what_is_taken_off_and_added_again_is_as_it_was() {
        let mut one = PoolTotals::default();
        for status in [503, 200, 200, 404] {
            one.status(status);
        }
        one.answered(Class::Success, 2 * MS);
        one.retried(Trigger::Status);
        one.denied(Denial::Budget);
        let mut other = PoolTotals::default();
        other.status(200);
        other.status(201);
        other.answered(Class::Failure, 4 * MS);
        let mut both = one.clone();
        both += &other;
        assert_eq!(both.statuses, [(200, 3), (201, 1), (404, 1), (503, 1)]);
        assert!((both.mean_seconds() - 0.003).abs() < 1e-9);
        let mut again = both.clone().without(&one);
        assert_eq!(again.statuses.first(), Some(&(200, 1)));
        again += &one;
        assert_eq!(again, both);
    }
}
