//! The metrics of one pool and its endpoints.
//!
//! Counters and the histogram come from every worker, and the host adds them up. A gauge would be
//! whatever worker wrote last, so one worker writes it, and for all.
//!
//! All of them are defined at once: a counter that appears with its first increment would hide just
//! that one from `rate()`. Their number is bounded by the configuration.

use core::time::Duration;

use steerage_policy::breaker::StateName;
use steerage_policy::endpoint::{EndpointIndex, EndpointState};
use steerage_policy::health::{Finding, Health};
use steerage_policy::outcome::Kind;
use steerage_policy::pool::{Pool, PoolState};
use steerage_policy::retry::reason::{Denial, Trigger};
use steerage_policy::time::Instant;

use super::{hostcall_refused, name};
use crate::host::{Counter, Gauge, Histogram, Refused, milliseconds};

/// The metrics of one pool.
#[derive(Debug)]
pub(crate) struct PoolMetrics {
    requests: Count,
    /// Good ones and others.
    answers: Vec<Count>,
    retries: Vec<Count>,
    denied: Vec<Count>,
    endpoints: Vec<EndpointMetrics>,
}

/// The metrics of one endpoint.
#[derive(Debug)]
struct EndpointMetrics {
    selections: Count,
    outcomes: Vec<Count>,
    transitions: Vec<Count>,
    checks: Vec<Count>,
    duration: Option<Histogram>,
    /// Response times that the host has not been told, in milliseconds.
    durations: Vec<u32>,
    health: Level,
    breaker: Level,
    active: Level,
    limit: Level,
}

impl PoolMetrics {
    /// Defines all of them.
    pub(crate) fn define(pool: &Pool) -> Self {
        let pool_label = ("pool", &*pool.name);
        let of = |metric, label, values: &[&str]| {
            let names = values
                .iter()
                .map(|value| name(metric, &[pool_label, (label, *value)]));
            names.map(|name| Count::define(&name)).collect()
        };
        Self {
            requests: Count::define(&name("steerage_requests_total", &[pool_label])),
            answers: of("steerage_answers_total", "outcome", &["success", "failure"]),
            retries: of(
                "steerage_retries_total",
                "reason",
                &Trigger::ALL.map(Trigger::name),
            ),
            denied: of(
                "steerage_retries_denied_total",
                "reason",
                &Denial::ALL.map(Denial::name),
            ),
            endpoints: pool
                .endpoints
                .iter()
                .map(|endpoint| EndpointMetrics::define(&pool.name, &endpoint.name))
                .collect(),
        }
    }

    /// An attempt has ended after `took`.
    pub(crate) fn took(&mut self, endpoint: EndpointIndex, took: Duration) {
        if let Some(metrics) = self.endpoints.get_mut(endpoint.position()) {
            metrics.durations.push(milliseconds(took));
            if metrics.durations.len() >= MOST_WAITING {
                metrics.tell_durations();
            }
        }
    }

    /// Tells the host what has been counted since it was told last; and the levels, if this worker
    /// `speaks` for all.
    pub(crate) fn tell(&mut self, state: &PoolState, speaks: bool, now: Instant) {
        self.requests.tell(state.totals.requests);
        let answers = [state.totals.successes, state.totals.failures];
        tell(&mut self.answers, &answers);
        tell(&mut self.retries, &state.totals.retries);
        tell(&mut self.denied, &state.totals.denied);
        for (metrics, (_, state)) in self.endpoints.iter_mut().zip(state.endpoints()) {
            metrics.tell(state, speaks, now);
        }
    }

    /// Sets the levels of an endpoint that nobody has any more to those of one that nothing is known of:
    /// the host never forgets a gauge, and an open breaker would raise the alarm for ever.
    pub(crate) fn retire(&mut self, endpoint: EndpointIndex) {
        if let Some(metrics) = self.endpoints.get_mut(endpoint.position()) {
            for level in metrics.levels() {
                level.set(0);
            }
        }
    }
}

impl EndpointMetrics {
    fn define(pool: &str, endpoint: &str) -> Self {
        let labels = [("pool", pool), ("endpoint", endpoint)];
        let plain = |metric| name(metric, &labels);
        let of = |metric, label, values: &[&str]| {
            let [pool, endpoint] = labels;
            let names = values
                .iter()
                .map(|value| name(metric, &[pool, endpoint, (label, *value)]));
            names.map(|name| Count::define(&name)).collect()
        };
        Self {
            selections: Count::define(&plain("steerage_selections_total")),
            outcomes: of(
                "steerage_attempts_total",
                "outcome",
                &Kind::ALL.map(Kind::name),
            ),
            transitions: of(
                "steerage_breaker_transitions_total",
                "to",
                &StateName::ALL.map(StateName::name),
            ),
            checks: of(
                "steerage_health_checks_total",
                "verdict",
                &Finding::ALL.map(Finding::name),
            ),
            duration: defined(Histogram::define(&plain("steerage_attempt_duration_ms"))),
            durations: Vec::new(),
            health: Level::define(&plain("steerage_endpoint_health")),
            breaker: Level::define(&plain("steerage_endpoint_breaker")),
            active: Level::define(&plain("steerage_endpoint_active")),
            limit: Level::define(&plain("steerage_endpoint_limit")),
        }
    }

    fn tell(&mut self, state: &EndpointState, speaks: bool, now: Instant) {
        let totals = state.totals();
        self.selections.tell(totals.attempts);
        tell(&mut self.outcomes, &totals.outcomes);
        tell(&mut self.transitions, &totals.transitions);
        tell(&mut self.checks, &totals.checks);
        self.tell_durations();
        if !speaks {
            // Another writes them: should it be this worker's turn again, all of them are news.
            for level in self.levels() {
                level.told = None;
            }
            return;
        }
        self.health.set(match state.health(now) {
            Health::Unknown => 0,
            Health::Unhealthy => 1,
            Health::Degraded => 2,
            Health::Healthy => 3,
        });
        self.breaker.set(match state.agreed().circuit(now) {
            StateName::Closed => 0,
            StateName::HalfOpen => 1,
            StateName::Open => 2,
        });
        self.active.set(state.active().into());
        self.limit.set(state.limit().into());
    }

    fn tell_durations(&mut self) {
        for duration in self.durations.drain(..) {
            let Some(histogram) = self.duration else {
                return;
            };
            if let Err(refused) = histogram.record(duration.into()) {
                return hostcall_refused("to record a response time", refused);
            }
        }
    }

    const fn levels(&mut self) -> [&mut Level; 4] {
        [
            &mut self.health,
            &mut self.breaker,
            &mut self.active,
            &mut self.limit,
        ]
    }
}

/// A counter, and what the host has been told of it by this worker.
#[derive(Debug)]
struct Count {
    counter: Option<Counter>,
    told: u64,
}

impl Count {
    fn define(name: &str) -> Self {
        Self {
            counter: defined(Counter::define(name)),
            told: 0,
        }
    }

    /// So much has been counted in all.
    fn tell(&mut self, total: u64) {
        let (Some(counter), more) = (self.counter, total.saturating_sub(self.told)) else {
            return;
        };
        if more > 0 {
            match counter.add(more) {
                Ok(()) => self.told = total,
                Err(refused) => hostcall_refused("to count", refused),
            }
        }
    }
}

fn tell(counts: &mut [Count], totals: &[u64]) {
    for (count, total) in counts.iter_mut().zip(totals) {
        count.tell(*total);
    }
}

/// A gauge, and what this worker has set it to while it speaks for all.
#[derive(Debug)]
struct Level {
    gauge: Option<Gauge>,
    told: Option<u64>,
}

impl Level {
    fn define(name: &str) -> Self {
        Self {
            gauge: defined(Gauge::define(name)),
            told: None,
        }
    }

    fn set(&mut self, value: u64) {
        if let (Some(gauge), true) = (self.gauge, self.told != Some(value)) {
            match gauge.set(value) {
                Ok(()) => self.told = Some(value),
                Err(refused) => hostcall_refused("to set a gauge", refused),
            }
        }
    }
}

/// A metric that the host refuses is done without.
fn defined<T>(metric: Result<T, Refused>) -> Option<T> {
    metric
        .inspect_err(|refused| hostcall_refused("to define a metric", *refused))
        .ok()
}

/// Most response times of an endpoint that wait for the next round.
const MOST_WAITING: usize = 1_024;
