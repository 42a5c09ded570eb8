//! The metrics of one pool and its endpoints.
//!
//! Every worker publishes its counters and histograms, and the host adds them up. A gauge keeps
//! only the last write, so one worker, the reporter, writes the gauges for all.
//!
//! All metrics are defined at once: a counter that appears with its first increment would hide that
//! increment from `rate()`. The configuration bounds their number.

use steerage_engine::figures::{EndpointFigures, PoolFigures};
use steerage_policy::breaker::StateName;
use steerage_policy::endpoint::EndpointIndex;
use steerage_policy::health::{Finding, Health};
use steerage_policy::outcome::Kind;
use steerage_policy::pool::Pool;
use steerage_policy::retry::reason::{Denial, Trigger};

use super::internal_error::hostcall_refused;
use super::name::name;
use crate::host::{Counter, Gauge, Histogram, Refused};

/// The metrics of one pool.
#[derive(Debug)]
pub(super) struct PoolMetrics {
    requests: Count,
    /// Good ones and others.
    answers: Vec<Count>,
    retries: Vec<Count>,
    denied: Vec<Count>,
    panic: Level,
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
    health: Level,
    breaker: Level,
    active: Level,
    limit: Level,
}

impl PoolMetrics {
    /// Defines all of them.
    pub(super) fn define(pool: &Pool) -> Self {
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
            panic: Level::define(&name("steerage_pool_panic", &[pool_label])),
            endpoints: pool
                .endpoints
                .iter()
                .map(|endpoint| EndpointMetrics::define(&pool.name, &endpoint.name))
                .collect(),
        }
    }

    /// Adds what has been counted since the last time, and sets the gauges if this worker is the
    /// reporter.
    pub(super) fn publish(&mut self, figures: &PoolFigures) {
        self.requests.publish(figures.requests);
        publish(&mut self.answers, &figures.answers);
        publish(&mut self.retries, &figures.retries);
        publish(&mut self.denied, &figures.denied);
        if figures.is_reporter {
            self.panic.set(figures.panics.into());
        } else {
            self.panic.published = None;
        }
        for (metrics, endpoint) in self.endpoints.iter_mut().zip(&figures.endpoints) {
            metrics.publish(endpoint, figures.is_reporter);
        }
    }

    /// No worker has an endpoint of it any more: nothing is known of the pool.
    pub(super) fn retire_pool(&mut self) {
        self.panic.set(0);
    }

    /// How many endpoints it has.
    pub(super) fn size(&self) -> usize {
        self.endpoints.len()
    }

    /// Records response times of an endpoint, in milliseconds.
    pub(super) fn record(&self, endpoint: EndpointIndex, durations: &[u32]) {
        if let Some(metrics) = self.endpoints.get(endpoint.position()) {
            metrics.record(durations);
        }
    }

    /// Sets the gauges of an endpoint back to 0, as of one that nothing is known of.
    pub(super) fn retire(&mut self, endpoint: EndpointIndex) {
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
            health: Level::define(&plain("steerage_endpoint_health")),
            breaker: Level::define(&plain("steerage_endpoint_breaker")),
            active: Level::define(&plain("steerage_endpoint_active")),
            limit: Level::define(&plain("steerage_endpoint_limit")),
        }
    }

    fn publish(&mut self, figures: &EndpointFigures, is_reporter: bool) {
        let totals = &figures.totals;
        self.selections.publish(totals.attempts);
        publish(&mut self.outcomes, &totals.outcomes);
        publish(&mut self.transitions, &totals.transitions);
        publish(&mut self.checks, &totals.checks);
        self.record(&figures.durations);
        if !is_reporter {
            // Another worker sets them. When this one is the reporter again, it must write them
            // all.
            for level in self.levels() {
                level.published = None;
            }
            return;
        }
        self.health.set(match figures.health {
            Health::Unknown => 0,
            Health::Unhealthy => 1,
            Health::Degraded => 2,
            Health::Healthy => 3,
        });
        self.breaker.set(match figures.circuit {
            StateName::Closed => 0,
            StateName::HalfOpen => 1,
            StateName::Open => 2,
        });
        self.active.set(figures.active.into());
        self.limit.set(figures.limit.into());
    }

    fn record(&self, durations: &[u32]) {
        let Some(histogram) = self.duration else {
            return;
        };
        for duration in durations {
            if let Err(refused) = histogram.record((*duration).into()) {
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

/// A counter, and how much of it this worker has published.
#[derive(Debug)]
struct Count {
    counter: Option<Counter>,
    published: u64,
}

impl Count {
    fn define(name: &str) -> Self {
        Self {
            counter: defined(Counter::define(name)),
            published: 0,
        }
    }

    /// Adds the increase up to `total`.
    fn publish(&mut self, total: u64) {
        let (Some(counter), more) = (self.counter, total.saturating_sub(self.published)) else {
            return;
        };
        if more > 0 {
            match counter.add(more) {
                Ok(()) => self.published = total,
                Err(refused) => hostcall_refused("to count", refused),
            }
        }
    }
}

fn publish(counts: &mut [Count], totals: &[u64]) {
    for (count, total) in counts.iter_mut().zip(totals) {
        count.publish(*total);
    }
}

/// A gauge, and what this worker has set it to while it is the reporter.
#[derive(Debug)]
struct Level {
    gauge: Option<Gauge>,
    published: Option<u64>,
}

impl Level {
    fn define(name: &str) -> Self {
        Self {
            gauge: defined(Gauge::define(name)),
            published: None,
        }
    }

    fn set(&mut self, value: u64) {
        if let (Some(gauge), true) = (self.gauge, self.published != Some(value)) {
            match gauge.set(value) {
                Ok(()) => self.published = Some(value),
                Err(refused) => hostcall_refused("to set a gauge", refused),
            }
        }
    }
}

/// A metric, or `None` if the host refuses it: the filter goes on without.
fn defined<T>(metric: Result<T, Refused>) -> Option<T> {
    metric
        .inspect_err(|refused| hostcall_refused("to define a metric", *refused))
        .ok()
}
