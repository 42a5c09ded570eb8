//! What a worker asks of the slots of the others.

use steerage_policy::endpoint::Others;
use steerage_policy::stats::spending::Spending;
use steerage_policy::time::Instant;

use super::{Record, Slots};

impl Slots {
    /// The reports of the other workers on an endpoint, merged. `position` is the endpoint's place
    /// in this worker's configuration, and so most likely in theirs: it is tried first.
    #[must_use]
    pub fn others(&self, pool: &str, endpoint: &str, position: usize, now: Instant) -> Others {
        let mut others = Others::default();
        for record in self.others_alive(now) {
            if let Some(report) = record.endpoint(pool, endpoint, position) {
                let (active, share) = (others.active, others.share);
                others.merge(&report.now);
                if self.vm.is_some_and(|vm| record.owner.is_in_vm(vm)) {
                    others.active = active;
                    others.share = share;
                }
            }
        }
        others
    }

    /// The requests of the other workers to a pool, and what they have spent of its budget.
    #[must_use]
    pub fn spending(&self, pool: &str, now: Instant) -> Spending {
        let mut spending = Spending::default();
        for report in self
            .others_alive(now)
            .filter_map(|record| record.pools.iter().find(|report| report.pool == pool))
        {
            spending += report.spending;
        }
        spending
    }

    /// Whether a living worker has this endpoint in its configuration. A worker that has not
    /// published yet cannot see its own endpoints either, so for it every endpoint counts as
    /// configured.
    #[must_use]
    pub fn is_configured(&self, pool: &str, endpoint: &str, now: Instant) -> bool {
        let own = self.own_record();
        if own.is_none_or(|record| record.owner != self.owner) {
            return true;
        }
        self.records()
            .filter(|record| record.is_alive(now))
            .any(|record| record.endpoint(pool, endpoint, 0).is_some())
    }

    /// Whether this worker reports on a pool for all workers: of the living ones that have the
    /// pool, the one with the first slot does.
    #[must_use]
    pub fn is_reporter(&self, pool: &str, now: Instant) -> bool {
        let mut having_it = self
            .records()
            .filter(|record| record.is_alive(now))
            .filter(|record| record.pools.iter().any(|report| report.pool == pool));
        having_it
            .next()
            .is_some_and(|record| record.owner == self.owner)
    }

    /// Whether another living worker has this endpoint in its configuration.
    #[must_use]
    pub fn others_have(&self, pool: &str, endpoint: &str, now: Instant) -> bool {
        self.others_alive(now)
            .any(|record| record.endpoint(pool, endpoint, 0).is_some())
    }

    pub(super) fn others_alive(&self, now: Instant) -> impl Iterator<Item = &Record> {
        self.records()
            .filter(move |record| record.owner != self.owner && record.is_alive(now))
    }
}
