//! All that the workers have published, merged for an operator.
//!
//! A snapshot is made from the store alone: any instance under the same `vm_id` can take one, even
//! if it has no pool itself. Living workers decide which pools and endpoints there are and what is
//! under way. Counts since the beginning include workers that are gone.
//!
//! Cost: every slot is read and decoded, so this is for operators and not for requests.

use steerage_policy::balance::{Standing, panics};
use steerage_policy::breaker::BreakerPolicy;
use steerage_policy::endpoint::{Agreed, Exclusion, Others};
use steerage_policy::stats::totals::{PoolTotals, Totals};
use steerage_policy::time::Instant;

use crate::agreement::Agreement;
use crate::description::Description;
use crate::key;
use crate::report::PoolReport;
use crate::slot::records;
use crate::store::Store;

/// One pool, of all workers together.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolSnapshot {
    /// Its name.
    pub name: String,
    /// As configured, if that is known.
    pub description: Description,
    /// What has been counted since the beginning.
    pub totals: PoolTotals,
    /// How long recent requests took: buckets of [`steerage_policy::stats::quantile`], ascending. A
    /// bucket is there once for every worker that has something in it.
    pub times: Vec<(u16, u32)>,
    /// Its endpoints, in the order of the configuration.
    pub endpoints: Vec<EndpointSnapshot>,
}

/// One endpoint, of all workers together.
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointSnapshot {
    /// Its cluster.
    pub cluster: String,
    /// What is counted of the present.
    pub now: Others,
    /// What has been counted since the beginning.
    pub totals: Totals,
    /// What the workers agree on.
    pub agreed: Agreed,
}

/// Every pool that a living worker has.
#[must_use]
pub fn take(store: &dyn Store, now: Instant) -> Vec<PoolSnapshot> {
    let (living, gone): (Vec<_>, Vec<_>) = records(store)
        .into_iter()
        .partition(|record| record.is_alive(now));
    let mut pools: Vec<PoolSnapshot> = Vec::new();
    for report in living.iter().flat_map(|record| &record.pools) {
        if !pools.iter().any(|pool| pool.name == report.pool) {
            pools.push(PoolSnapshot::new(store, &report.pool));
        }
        if let Some(pool) = pools.iter_mut().find(|pool| pool.name == report.pool) {
            pool.add_living(report);
        }
    }
    for report in gone.iter().flat_map(|record| &record.pools) {
        if let Some(pool) = pools.iter_mut().find(|pool| pool.name == report.pool) {
            pool.add_counted(report);
        }
    }
    for pool in &mut pools {
        // Each worker's buckets are ascending, but not all of them together.
        pool.times.sort_unstable();
        let mut agreement = Agreement::new(key::agreement(&pool.name));
        agreement.refresh(store);
        let is_checked = pool.description.is_checked;
        for endpoint in &mut pool.endpoints {
            endpoint.agreed = agreement.get(&endpoint.cluster);
            if !is_checked {
                endpoint.agreed.health = endpoint.agreed.health.unchecked();
            }
        }
    }
    pools
}

impl PoolSnapshot {
    /// A pool without any reports yet.
    fn new(store: &dyn Store, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            description: Description::read(store, name).unwrap_or_default(),
            totals: PoolTotals::default(),
            times: Vec::new(),
            endpoints: Vec::new(),
        }
    }

    fn add_living(&mut self, report: &PoolReport) {
        for published in &report.endpoints {
            if !self
                .endpoints
                .iter()
                .any(|known| known.cluster == published.endpoint)
            {
                self.endpoints.push(EndpointSnapshot {
                    cluster: published.endpoint.clone(),
                    now: Others::default(),
                    totals: Totals::default(),
                    agreed: Agreed::default(),
                });
            }
            if let Some(endpoint) = self.endpoint_mut(&published.endpoint) {
                endpoint.now.merge(&published.now);
            }
        }
        self.times.extend_from_slice(&report.times);
        self.add_counted(report);
    }

    fn add_counted(&mut self, report: &PoolReport) {
        self.totals += &report.totals;
        for published in &report.endpoints {
            if let Some(endpoint) = self.endpoint_mut(&published.endpoint) {
                endpoint.totals += &published.totals;
            }
        }
    }

    /// How many attempts this endpoint takes at a time, over all workers, if that is known.
    #[must_use]
    pub fn limit(&self, endpoint: &EndpointSnapshot) -> Option<u32> {
        let limit = match endpoint.now.share.limit {
            current if self.description.is_dynamic && current > 0 => current,
            // No worker has sent an attempt there yet.
            _ => self.description.limit,
        };
        (limit > 0).then_some(limit)
    }

    /// Why this endpoint may not be selected `now`, its limit apart, as far as its breaker and its
    /// health are observed.
    #[must_use]
    pub fn exclusion(&self, endpoint: &EndpointSnapshot, now: Instant) -> Option<Exclusion> {
        let described = self.description.endpoint(&endpoint.cluster);
        if described.is_some_and(|described| !described.enabled) {
            return Some(Exclusion::Disabled);
        }
        let policy = BreakerPolicy {
            half_open_requests: self.description.half_open_requests,
            ..BreakerPolicy::default()
        };
        endpoint.agreed.exclusion(&policy, now)
    }

    /// Whether this endpoint has as many attempts under way as it takes.
    #[must_use]
    pub fn is_full(&self, endpoint: &EndpointSnapshot) -> bool {
        let limit = self.limit(endpoint);
        limit.is_some_and(|limit| endpoint.now.active >= limit)
    }

    /// Whether so little of the pool is available that breakers and health are ignored.
    #[must_use]
    pub fn panics(&self, now: Instant) -> bool {
        let standings = self.endpoints.iter().map(|endpoint| {
            let described = self.description.endpoint(&endpoint.cluster);
            let standing = match self.exclusion(endpoint, now) {
                _ if self.is_full(endpoint) => Standing::Excluded,
                None => Standing::Available,
                Some(it) if it.is_inferred() => Standing::Missing,
                Some(_) => Standing::Excluded,
            };
            (described.map_or(1.0, |it| it.weight), standing)
        });
        panics(self.description.panic_threshold, standings)
    }

    fn endpoint_mut(&mut self, cluster: &str) -> Option<&mut EndpointSnapshot> {
        self.endpoints
            .iter_mut()
            .find(|endpoint| endpoint.cluster == cluster)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;
    use crate::slot::{DEAD_AFTER, Slots, WorkerId};
    use core::time::Duration;
    use steerage_policy::endpoint::Endpoint;
    use steerage_policy::endpoint::operator::Circuit;
    use steerage_policy::outcome::{Class, Kind};
    use steerage_policy::pool::{Pool, PoolState};

    const START: Instant = Instant::from_nanos(1_000_000_000_000);

    /// A worker that has had this many good requests, each of this many milliseconds.
    fn publish(store: &Memory, id: u64, pool: &Pool, requests: u64, millis: u64, now: Instant) {
        let mut state = PoolState::new(pool);
        for endpoint in state.endpoints_mut().take(1) {
            endpoint.attempt_started();
            for _ in 0..requests {
                let took = Duration::from_millis(millis);
                endpoint.totals_mut().ended(Kind::Success, took);
            }
        }
        state.totals.requests = requests;
        for _ in 0..requests {
            let took = Duration::from_millis(millis);
            state.totals.answered(Class::Success, took);
        }
        let report = PoolReport::of(pool, &state, now);
        Slots::new(WorkerId(id)).sync(store, false, || vec![report], now);
    }

    #[test]
    fn the_living_are_added_up_and_what_the_dead_have_counted_is_not_forgotten() {
        let store = Memory::default();
        let pool = Pool::new("p", ["a", "b"].map(Endpoint::new).to_vec());
        publish(&store, 1, &pool, 1, 10, START);
        let now = START + DEAD_AFTER;
        publish(&store, 2, &pool, 2, 10, now);
        publish(&store, 3, &pool, 3, 20, now);
        Description::of(&pool).write(&store, "p");
        let mut agreement = Agreement::new(key::agreement("p"));
        let (_, written) = agreement.change(&store, "b", |agreed| {
            agreed.operator.set_circuit(Circuit::Open, None, now);
        });
        assert_eq!(written, Ok(()));
        let pools = take(&store, now);
        let [snapshot] = pools.as_slice() else {
            unreachable!("one pool was published: {pools:?}");
        };
        assert_eq!(snapshot.description.strategy, "round_robin");
        assert_eq!(snapshot.totals.requests, 6);
        assert!((snapshot.totals.mean_seconds() - 0.015).abs() < 1e-9);
        let names: Vec<_> = snapshot.endpoints.iter().map(|e| &*e.cluster).collect();
        assert_eq!(names, ["a", "b"]);
        let (a, b) = (&snapshot.endpoints[0], &snapshot.endpoints[1]);
        assert_eq!(snapshot.limit(a), Some(100));
        assert_eq!((a.now.active, a.totals.successes()), (2, 6));
        assert_eq!(b.agreed.operator.circuit(now), Some(Circuit::Open));
        assert!(
            take(&store, now + DEAD_AFTER).is_empty(),
            "no worker is alive"
        );
    }
}
