//! What is in one slot: a worker's reports, and until when it is taken to be alive.

use core::time::Duration;

use steerage_policy::time::Instant;

use crate::report::{EndpointReport, PoolReport, find};
use crate::wire::number::nanos;
use crate::wire::{self, Unreadable};

/// Identifies a worker among all of one proxy; drawn at random.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerId(pub u64);

impl WorkerId {
    /// The same as one of several of a VM, which have the upper half in common.
    pub(super) const fn in_vm(self, vm: u32) -> Self {
        Self((vm as u64) << 32 | self.0 & 0xffff_ffff)
    }

    pub(super) const fn is_in_vm(self, vm: u32) -> bool {
        self.0 >> 32 == vm as u64
    }
}

/// The record of one slot.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) owner: WorkerId,
    pub(crate) published: Instant,
    /// How long after that the owner is taken to be alive.
    pub(crate) lasts: Duration,
    pub(crate) pools: Vec<PoolReport>,
}

impl Record {
    pub(crate) fn is_alive(&self, now: Instant) -> bool {
        now.since(self.published) < self.lasts
    }

    /// The report of an endpoint. `position` is where it most likely is, and is tried first.
    pub(super) fn endpoint(
        &self,
        pool: &str,
        endpoint: &str,
        position: usize,
    ) -> Option<&EndpointReport> {
        find(&self.pools, pool, endpoint, position)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let published = self.published.as_nanos();
        wire::slot::Record::encode(self.owner.0, published, nanos(self.lasts), &self.pools)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let record: wire::slot::Read<'_> = wire::decode(bytes)?;
        Ok(Self {
            owner: WorkerId(record.owner),
            published: Instant::from_nanos(record.published),
            lasts: Duration::from_nanos(record.lasts),
            pools: record.pools.items,
        })
    }
}
