//! The documents of the admin surface, as JSON.
//!
//! Times are in seconds, dates RFC 3339. A time that is not known yet is 0, such a date is `null`.
//! The order of the fields is that of the documentation.

use core::time::Duration;

use serde::{Serialize, Serializer};
use steerage_policy::breaker::StateName;
use steerage_policy::endpoint::Exclusion;
use steerage_policy::health::Health;
use steerage_policy::limit;
use steerage_policy::retry::reason::Denial;
use steerage_policy::stats::quantile;
use steerage_policy::stats::totals::PoolTotals;
use steerage_policy::time::Instant;
use steerage_shared::description::Description;
use steerage_shared::snapshot::{EndpointSnapshot, PoolSnapshot};

use super::Clock;

/// One entry of `endpoints`.
#[derive(Serialize)]
struct Endpoint<'a> {
    pool: &'a str,
    url: &'a str,
    health: &'static str,
    available: bool,
    exclusion: Option<&'static str>,
    weight: f64,
    active_connections: u32,
    total_requests: u64,
    successful_requests: u64,
    failed_requests: u64,
    success_rate: f64,
    average_response_time: f64,
    last_response_time: f64,
    consecutive_failures: u32,
    consecutive_successes: u32,
    circuit_breaker_open: bool,
    circuit_breaker_state: &'static str,
    circuit_breaker_open_until: Option<String>,
    last_health_check: Option<String>,
    cooling_until: Option<String>,
    limit: Option<u32>,
}

/// One entry of `sizing`.
#[derive(Serialize)]
struct Sizing<'a> {
    pool: &'a str,
    url: &'a str,
    attempts_per_second: f64,
    response_time: f64,
    max_connections: u32,
    max_keepalive_connections: u32,
    keepalive_expiry: f64,
}

#[derive(Serialize)]
struct Metrics<'a> {
    total_requests: u64,
    successful_requests: u64,
    failed_requests: u64,
    success_rate: f64,
    average_response_time: f64,
    p95_response_time: f64,
    retry_attempts: u64,
    circuit_breaker_activations: u64,
    load_balancer_selections: Map<&'a str>,
    endpoint_failures: Map<&'a str>,
    status_code_distribution: Map<u16>,
    retries_denied: Map<&'static str>,
}

/// An object of counts.
struct Map<K>(Vec<(K, u64)>);

#[derive(Serialize)]
struct State {
    status: &'static str,
    healthy_endpoints: usize,
    total_endpoints: usize,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    panic: bool,
    load_balancer_strategy: String,
    response_time: f64,
}

#[derive(Serialize)]
struct Error<'a> {
    error: &'a str,
}

/// Every endpoint of every pool.
pub(super) fn endpoints(pools: &[PoolSnapshot], clock: Clock) -> Vec<u8> {
    let endpoints: Vec<Endpoint<'_>> = pools
        .iter()
        .flat_map(|pool| {
            let endpoints = pool.endpoints.iter();
            endpoints.map(|snapshot| endpoint(pool, snapshot, clock))
        })
        .collect();
    json(&endpoints)
}

fn endpoint<'a>(
    pool: &'a PoolSnapshot,
    snapshot: &'a EndpointSnapshot,
    clock: Clock,
) -> Endpoint<'a> {
    let EndpointSnapshot {
        cluster,
        now: counted,
        totals,
        agreed,
    } = snapshot;
    let now = clock.now;
    let is_full = pool.is_full(snapshot);
    let exclusion = pool.exclusion(snapshot, now);
    let exclusion = exclusion.or_else(|| is_full.then_some(Exclusion::AtLimit));
    // An endpoint that is excluded and available all the same: that is panic.
    let is_available =
        exclusion.is_none_or(|exclusion| exclusion.is_inferred() && !is_full && pool.panics(now));
    let (successes, failures) = (totals.successes(), totals.failures());
    let circuit = agreed.circuit(now);
    let consecutive_failures = agreed.breaker.consecutive_failures();
    let date = |instant: Option<Instant>| instant.map(|instant| clock.date(instant));
    Endpoint {
        pool: &pool.name,
        url: cluster,
        health: agreed.verdict(now).name(),
        available: is_available,
        exclusion: exclusion.map(Exclusion::name),
        weight: described(&pool.description, cluster).map_or(1.0, |(_, weight)| weight),
        active_connections: counted.active,
        total_requests: totals.attempts,
        successful_requests: successes,
        failed_requests: failures,
        success_rate: success_rate(successes, failures),
        average_response_time: totals.mean_seconds(),
        last_response_time: counted.last.map_or(0.0, |(_, took)| took.as_secs_f64()),
        consecutive_failures,
        // Workers merge failures that others have seen only in their next round.
        consecutive_successes: if consecutive_failures > 0 {
            0
        } else {
            counted.consecutive_successes
        },
        circuit_breaker_open: circuit == StateName::Open,
        circuit_breaker_state: circuit.name(),
        circuit_breaker_open_until: date(agreed.open_until(now)),
        last_health_check: date(agreed.health.checked()),
        cooling_until: date(agreed.cooling_until(now)),
        limit: pool.limit(snapshot),
    }
}

/// How many connections each endpoint needs for the load that it has now.
pub(super) fn sizing(pools: &[PoolSnapshot]) -> Vec<u8> {
    let sizing = pools.iter().flat_map(|pool| {
        let described = &pool.description;
        pool.endpoints.iter().map(move |snapshot| {
            let counts = snapshot.now.counts;
            let per_second = per_second(counts.total(), described.window);
            let seconds = counts.mean_seconds().unwrap_or(0.0);
            let connections = limit::size(per_second, seconds);
            Sizing {
                pool: &pool.name,
                url: &snapshot.cluster,
                attempts_per_second: per_second,
                response_time: seconds,
                max_connections: connections,
                max_keepalive_connections: limit::keepalive_size(connections),
                keepalive_expiry: described.keepalive_expiry.as_secs_f64(),
            }
        })
    });
    json(&sizing.collect::<Vec<_>>())
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn per_second(count: u64, span: Duration) -> f64 {
    count as f64 / span.as_secs_f64().max(1e-3)
}

/// The counters of all pools together.
pub(super) fn metrics(pools: &[PoolSnapshot]) -> Vec<u8> {
    let mut totals = PoolTotals::default();
    let mut times: Vec<(u16, u32)> = Vec::new();
    let mut selections = Map(Vec::new());
    let mut failures = Map(Vec::new());
    let mut openings = 0;
    for pool in pools {
        totals += &pool.totals;
        times.extend_from_slice(&pool.times);
        for endpoint in &pool.endpoints {
            let described = described(&pool.description, &endpoint.cluster);
            let name = described.map_or(&*endpoint.cluster, |(name, _)| name);
            selections.add(name, endpoint.totals.attempts);
            failures.add(name, endpoint.totals.failures());
            openings += endpoint.totals.became(StateName::Open);
        }
    }
    // The quantile needs the times of all pools in order.
    times.sort_unstable();
    let denied = Denial::ALL.into_iter().zip(totals.denied);
    json(&Metrics {
        total_requests: totals.requests,
        successful_requests: totals.successes,
        failed_requests: totals.failures,
        success_rate: success_rate(totals.successes, totals.failures),
        average_response_time: totals.mean_seconds(),
        p95_response_time: quantile::quantile(times.iter().copied(), 0.95)
            .map_or(0.0, |time: Duration| time.as_secs_f64()),
        retry_attempts: totals.retries.iter().sum(),
        circuit_breaker_activations: openings,
        load_balancer_selections: selections,
        endpoint_failures: failures,
        status_code_distribution: Map(totals.statuses.clone()),
        retries_denied: Map(denied
            .filter(|(_, count)| *count > 0)
            .map(|(denial, count)| (denial.name(), count))
            .collect()),
    })
}

/// The state of all pools, and the status of the answer.
///
/// An endpoint at its limit counts as available: it is busy and not ill. The proxy is unhealthy
/// only when no endpoint of any pool is available: a load balancer that checks this document takes
/// the whole proxy out, and with it the pools that are well.
pub(super) fn health(pools: &[PoolSnapshot], now: Instant) -> (u16, Vec<u8>) {
    let mut totals = PoolTotals::default();
    let mut strategies: Vec<&str> = Vec::new();
    let (mut available, mut all, mut impaired, mut panic) = (0, 0, false, false);
    for pool in pools {
        panic |= pool.panics(now);
        totals += &pool.totals;
        let strategy = &*pool.description.strategy;
        if !strategies.contains(&strategy) {
            strategies.push(strategy);
        }
        for endpoint in &pool.endpoints {
            let is_available = pool.exclusion(endpoint, now).is_none();
            all += 1;
            available += usize::from(is_available);
            impaired |= !is_available || endpoint.agreed.verdict(now) == Health::Degraded;
        }
    }
    let (status, name) = match (available, impaired) {
        // Requests are served all the same.
        _ if panic => (200, "degraded"),
        (0, _) => (503, "unhealthy"),
        (_, true) => (200, "degraded"),
        (_, false) => (200, "healthy"),
    };
    let document = json(&State {
        status: name,
        healthy_endpoints: available,
        total_endpoints: all,
        panic,
        load_balancer_strategy: strategies.join(", "),
        response_time: totals.mean_seconds(),
    });
    (status, document)
}

/// An error's message.
pub(super) fn error(message: &str) -> Vec<u8> {
    json(&Error { error: message })
}

/// An endpoint's label and weight.
fn described<'a>(description: &'a Description, cluster: &str) -> Option<(&'a str, f64)> {
    let described = description.endpoint(cluster)?;
    Some((&described.name, described.weight))
}

/// 1 while there is no result yet.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn success_rate(successes: u64, failures: u64) -> f64 {
    match successes + failures {
        0 => 1.0,
        all => successes as f64 / all as f64,
    }
}

impl<K: PartialEq> Map<K> {
    /// Adds to a count: several pools may have endpoints of the same name.
    fn add(&mut self, key: K, more: u64) {
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some((_, count)) => *count = count.saturating_add(more),
            None => self.0.push((key, more)),
        }
    }
}

impl<K: Serialize> Serialize for Map<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, count)| (key, count)))
    }
}

fn json(document: &impl Serialize) -> Vec<u8> {
    // These are maps of text and numbers, which always have a JSON form.
    serde_json::to_vec(document).unwrap_or_default()
}
