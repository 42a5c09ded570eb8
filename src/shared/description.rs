//! What a pool looks like as configured, for operators.
//!
//! The instance that answers an operator need not have the pool's configuration: one that holds
//! only `admin` shows the pools of all other instances. What those count is in their slots. What
//! does not change while a configuration is in force is here: once for all workers, and not in
//! every slot in every round.
//!
//! While an old configuration drains beside a new one, the description is that of the configuration
//! that started last. A worker writes its description once, and again only if it was lost: so the
//! two configurations do not overwrite each other in turn.

use core::time::Duration;

use steerage_policy::endpoint::Weight;
use steerage_policy::limit::Limit;
use steerage_policy::pool::Pool;

use crate::key;
use crate::store::Store;
use crate::wire::number::nanos;
use crate::wire::{self, Unreadable};

/// A pool as configured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Description {
    /// The name of its strategy.
    pub strategy: String,
    /// How many trials a half-open endpoint serves at a time.
    pub half_open_requests: u32,
    /// How many attempts each endpoint takes at a time; a dynamic limit begins with that.
    pub limit: u32,
    /// Whether the limit follows the response times.
    pub is_dynamic: bool,
    /// How long an idle connection is to be kept.
    pub keepalive_expiry: Duration,
    /// The time over which attempts are counted.
    pub window: Duration,
    /// Below which available share of the weight breakers and health are ignored; `None`: never.
    pub panic_threshold: Option<f64>,
    /// Whether its endpoints are checked, so that verdicts on their health hold.
    pub is_checked: bool,
    /// Its endpoints, in the order of the configuration.
    pub endpoints: Vec<DescribedEndpoint>,
}

/// An endpoint as configured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DescribedEndpoint {
    /// Its cluster.
    pub cluster: String,
    /// Its label.
    pub name: String,
    /// Its weight.
    pub weight: f64,
    /// Whether it may be selected at all.
    pub enabled: bool,
}

impl Description {
    /// The description of `pool`.
    #[must_use]
    pub fn of(pool: &Pool) -> Self {
        let endpoints = pool.endpoints.iter().map(|endpoint| DescribedEndpoint {
            cluster: endpoint.cluster.to_string(),
            name: endpoint.name.to_string(),
            weight: endpoint.weight.value(),
            enabled: endpoint.enabled,
        });
        Self {
            strategy: pool.strategy.name().to_owned(),
            half_open_requests: pool.breaker.half_open_requests,
            limit: pool.limit.start(),
            is_dynamic: matches!(pool.limit, Limit::Dynamic { .. }),
            keepalive_expiry: pool.keepalive.expiry,
            window: pool.breaker.window,
            panic_threshold: pool.panic_threshold,
            is_checked: pool.checks.is_some(),
            endpoints: endpoints.collect(),
        }
    }

    /// One of its endpoints.
    #[must_use]
    pub fn endpoint(&self, cluster: &str) -> Option<&DescribedEndpoint> {
        let mut endpoints = self.endpoints.iter();
        endpoints.find(|endpoint| endpoint.cluster == cluster)
    }

    /// The description of the pool with this name; `None` if there is none that can be read.
    #[must_use]
    pub fn read(store: &dyn Store, pool: &str) -> Option<Self> {
        Self::decode(&store.read(&key::description(pool))?.bytes).ok()
    }

    /// Writes it for the pool with this name. If another worker writes one at the same time, that
    /// one stays.
    pub fn write(&self, store: &dyn Store, pool: &str) {
        let key = key::description(pool);
        let version = store.read(&key).map(|value| value.version);
        let _ = store.write(&key, &self.encode(), version);
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        wire::encode(&wire::description::Record::from(self))
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        wire::decode::<wire::description::Record<'_>>(bytes)?.try_into()
    }
}

impl<'a> From<&'a Description> for wire::description::Record<'a> {
    fn from(description: &'a Description) -> Self {
        let endpoints = description.endpoints.iter();
        let endpoints = endpoints.map(|endpoint| wire::description::Endpoint {
            cluster: &endpoint.cluster,
            name: &endpoint.name,
            weight: endpoint.weight,
            enabled: endpoint.enabled,
        });
        Self {
            strategy: &description.strategy,
            half_open_requests: description.half_open_requests,
            limit: description.limit,
            is_dynamic: description.is_dynamic,
            keepalive_expiry: nanos(description.keepalive_expiry),
            window: nanos(description.window),
            panic_threshold: description.panic_threshold,
            is_checked: description.is_checked,
            endpoints: endpoints.collect(),
        }
    }
}

impl TryFrom<wire::description::Record<'_>> for Description {
    type Error = Unreadable;

    fn try_from(record: wire::description::Record<'_>) -> Result<Self, Unreadable> {
        let endpoints = record.endpoints.into_iter().map(|endpoint| {
            let weight = Weight::new(endpoint.weight).ok_or(Unreadable)?;
            Ok(DescribedEndpoint {
                cluster: endpoint.cluster.to_owned(),
                name: endpoint.name.to_owned(),
                weight: weight.value(),
                enabled: endpoint.enabled,
            })
        });
        let is_share = |threshold: f64| (0.0..=1.0).contains(&threshold);
        if !record.panic_threshold.is_none_or(is_share) {
            return Err(Unreadable);
        }
        Ok(Self {
            strategy: record.strategy.to_owned(),
            half_open_requests: record.half_open_requests,
            limit: record.limit,
            is_dynamic: record.is_dynamic,
            keepalive_expiry: Duration::from_nanos(record.keepalive_expiry),
            window: Duration::from_nanos(record.window),
            panic_threshold: record.panic_threshold,
            is_checked: record.is_checked,
            endpoints: endpoints.collect::<Result<_, _>>()?,
        })
    }
}
