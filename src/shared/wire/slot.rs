//! What one worker publishes, on the wire.

use core::time::Duration;
use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use steerage_policy::endpoint::Others;
use steerage_policy::limit::{Share as PolicyShare, Unloaded as PolicyUnloaded};
use steerage_policy::stats::spending::Spending as PolicySpending;
use steerage_policy::stats::totals::{PoolTotals as PolicyPoolTotals, Totals as PolicyTotals};
use steerage_policy::stats::window::Counts as PolicyCounts;
use steerage_policy::time::Instant;

use super::Unreadable;
use super::number::{instant, nanos, positive, time};
use super::sequence::{All, Each};
use crate::report::{EndpointReport, PoolReport};

/// The record under the key of a slot.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Record<Pools> {
    pub(crate) owner: u64,
    pub(crate) published: u64,
    /// In nanoseconds.
    pub(crate) lasts: u64,
    pub(crate) pools: Pools,
}

/// One pool.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Pool<'a, Endpoints> {
    name: &'a str,
    spending: Spending,
    totals: PoolTotals<'a>,
    /// Buckets with what is in them, ascending. Any number is a bucket.
    times: Cow<'a, [(u16, u32)]>,
    endpoints: Endpoints,
}

#[derive(Debug, Serialize, Deserialize)]
struct Spending {
    requests: u64,
    retries: u64,
    hedges: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct PoolTotals<'a> {
    requests: u64,
    successes: u64,
    failures: u64,
    micros: u64,
    retries: [u64; 6],
    denied: [u64; 13],
    /// Strictly ascending.
    statuses: Cow<'a, [(u16, u64)]>,
}

/// One endpoint.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Endpoint<'a> {
    cluster: &'a str,
    active: u32,
    counts: Counts,
    /// Finite and not negative.
    seconds: Option<f64>,
    updated: Option<u64>,
    /// When the newest attempt ended, and how many nanoseconds it took.
    last: Option<(u64, u64)>,
    consecutive_successes: u32,
    share: Share,
    totals: Totals,
}

#[derive(Debug, Serialize, Deserialize)]
struct Counts {
    successes: u64,
    failures: u64,
    unwanted: u64,
    slow: u64,
    micros: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Share {
    workers: u32,
    limit: u32,
    pressed: Option<u64>,
    unloaded: Option<Unloaded>,
    doubted: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Unloaded {
    at: u64,
    /// Finite and not negative.
    seconds: f64,
    /// 1 or more.
    count: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Totals {
    attempts: u64,
    outcomes: [u64; 8],
    micros: u64,
    transitions: [u64; 3],
    checks: [u64; 3],
}

impl Record<()> {
    /// The bytes of what a worker publishes.
    pub(crate) fn encode(owner: u64, published: u64, lasts: u64, pools: &[PoolReport]) -> Vec<u8> {
        super::encode(&Record {
            owner,
            published,
            lasts,
            pools: Each(pools.iter().map(pool)),
        })
    }
}

/// A record as it is read.
pub(crate) type Read<'a> = Record<All<ReadPool<'a>, PoolReport>>;

type ReadPool<'a> = Pool<'a, All<Endpoint<'a>, EndpointReport>>;

fn pool(report: &PoolReport) -> Pool<'_, impl Serialize> {
    let totals = &report.totals;
    Pool {
        name: &report.pool,
        spending: Spending {
            requests: report.spending.requests,
            retries: report.spending.retries,
            hedges: report.spending.hedges,
        },
        totals: PoolTotals {
            requests: totals.requests,
            successes: totals.successes,
            failures: totals.failures,
            micros: totals.micros,
            retries: totals.retries,
            denied: totals.denied,
            statuses: Cow::Borrowed(&totals.statuses),
        },
        times: Cow::Borrowed(&report.times),
        endpoints: Each(report.endpoints.iter().map(Endpoint::from)),
    }
}

impl TryFrom<ReadPool<'_>> for PoolReport {
    type Error = Unreadable;

    fn try_from(pool: ReadPool<'_>) -> Result<Self, Unreadable> {
        Ok(Self {
            pool: pool.name.to_owned(),
            spending: PolicySpending {
                requests: pool.spending.requests,
                retries: pool.spending.retries,
                hedges: pool.spending.hedges,
            },
            totals: pool.totals.try_into()?,
            times: pool.times.into_owned(),
            endpoints: pool.endpoints.items,
        })
    }
}

impl TryFrom<PoolTotals<'_>> for PolicyPoolTotals {
    type Error = Unreadable;

    fn try_from(totals: PoolTotals<'_>) -> Result<Self, Unreadable> {
        let statuses = totals.statuses.into_owned();
        if !statuses.is_sorted_by(|(one, _), (next, _)| one < next) {
            return Err(Unreadable);
        }
        Ok(Self {
            requests: totals.requests,
            successes: totals.successes,
            failures: totals.failures,
            micros: totals.micros,
            retries: totals.retries,
            denied: totals.denied,
            statuses,
        })
    }
}

impl<'a> From<&'a EndpointReport> for Endpoint<'a> {
    fn from(report: &'a EndpointReport) -> Self {
        let (now, totals) = (&report.now, &report.totals);
        Self {
            cluster: &report.endpoint,
            active: now.active,
            counts: Counts {
                successes: now.counts.successes,
                failures: now.counts.failures,
                unwanted: now.counts.unwanted,
                slow: now.counts.slow,
                micros: now.counts.micros,
            },
            seconds: now.seconds,
            updated: time(now.updated),
            last: now
                .last
                .map(|(ended, took)| (ended.as_nanos(), nanos(took))),
            consecutive_successes: now.consecutive_successes,
            share: Share {
                workers: now.share.workers,
                limit: now.share.limit,
                pressed: time(now.share.pressed),
                unloaded: now.share.unloaded.map(Unloaded::from),
                doubted: time(now.share.doubted),
            },
            totals: Totals {
                attempts: totals.attempts,
                outcomes: totals.outcomes,
                micros: totals.micros,
                transitions: totals.transitions,
                checks: totals.checks,
            },
        }
    }
}

impl TryFrom<Endpoint<'_>> for EndpointReport {
    type Error = Unreadable;

    fn try_from(endpoint: Endpoint<'_>) -> Result<Self, Unreadable> {
        let Endpoint {
            counts,
            share,
            totals,
            ..
        } = endpoint;
        let ended = |(ended, took)| (Instant::from_nanos(ended), Duration::from_nanos(took));
        let now = Others {
            active: endpoint.active,
            counts: PolicyCounts {
                successes: counts.successes,
                failures: counts.failures,
                unwanted: counts.unwanted,
                slow: counts.slow,
                micros: counts.micros,
            },
            seconds: endpoint.seconds.map(positive).transpose()?,
            updated: instant(endpoint.updated),
            last: endpoint.last.map(ended),
            consecutive_successes: endpoint.consecutive_successes,
            share: PolicyShare {
                workers: share.workers,
                limit: share.limit,
                pressed: instant(share.pressed),
                unloaded: share.unloaded.map(PolicyUnloaded::try_from).transpose()?,
                doubted: instant(share.doubted),
            },
        };
        Ok(Self {
            endpoint: endpoint.cluster.to_owned(),
            now,
            totals: PolicyTotals {
                attempts: totals.attempts,
                outcomes: totals.outcomes,
                micros: totals.micros,
                transitions: totals.transitions,
                checks: totals.checks,
            },
        })
    }
}

impl From<PolicyUnloaded> for Unloaded {
    fn from(unloaded: PolicyUnloaded) -> Self {
        Self {
            at: unloaded.at.as_nanos(),
            seconds: unloaded.seconds,
            count: unloaded.count,
        }
    }
}

impl TryFrom<Unloaded> for PolicyUnloaded {
    type Error = Unreadable;

    fn try_from(unloaded: Unloaded) -> Result<Self, Unreadable> {
        if unloaded.count == 0 {
            return Err(Unreadable);
        }
        Ok(Self {
            at: Instant::from_nanos(unloaded.at),
            seconds: positive(unloaded.seconds)?,
            count: unloaded.count,
        })
    }
}
