//! The round: what this worker shares with the others, as `steerage-shared` lays it out.
//!
//! On the timer, every `sync_interval`: publish what this worker counts, read what the others do,
//! take over what has been agreed on, and make the health checks that are due.

use core::time::Duration;

use steerage_policy::endpoint::EndpointIndex;
use steerage_policy::time::Instant;
use steerage_shared::description::Description;
use steerage_shared::report::PoolReport;
use steerage_shared::slot::Slots;

use crate::action::{Action, Trouble};
use crate::figures::{EndpointFigures, PoolFigures};
use crate::pool::SteeredPool;
use crate::settings::PoolIndex;
use crate::turn::Turn;
use crate::worker::{PoolWorker, Worker};

impl Worker {
    /// A round. Where nothing has happened since the last, here or elsewhere, there is nothing to
    /// add up: a worker that has no traffic costs next to nothing.
    #[inline(never)]
    pub(crate) fn sync(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now;
        let mut news = core::mem::take(&mut self.is_stirred);
        let is_quiet = !news;
        for pool in &mut self.pools {
            news |= pool.steered.refresh_agreed(turn);
            if !pool.steered.takes_over.is_done {
                pool.steered.take_over(turn);
            }
        }
        // A worker that only answers operators has nothing to publish, and reads when it is asked.
        if !self.pools.is_empty() {
            self.publish_slot(is_quiet, turn);
            news |= self.slots.take_news();
            let tidies = now.since(self.tidied) >= TIDY_INTERVAL;
            if tidies {
                self.tidied = now;
            }
            // Breakers and cool-downs also change with time.
            if news || tidies {
                self.take_in(tidies, turn);
            }
        }
        for pool in &mut self.pools {
            let steered = &mut pool.steered;
            steered.check_health(&mut self.calls, &mut self.rng, turn);
        }
    }

    /// Takes in what the others have published, and publishes the metrics.
    #[inline(never)]
    fn take_in(&mut self, tidies: bool, turn: &mut Turn<'_>) {
        let mut figures = Vec::new();
        for pool in &mut self.pools {
            let steered = &mut pool.steered;
            steered.publish_description(tidies, turn);
            steered.merge_others(&self.slots, turn);
            if steered.settings.metrics {
                let is_reporter = self.slots.is_reporter(&steered.pool().name, turn.now);
                figures.push(steered.take_figures(is_reporter, turn.now));
            }
            if tidies {
                steered.forget_unconfigured(&self.slots, turn);
            }
        }
        turn.actions.push_back(Action::Publish(figures));
    }

    /// Another configuration of the VM has begun or ended, and with it which of them reports what
    /// is under way: publishes at once, if there is news. Whether a newer one checks for this one
    /// is said next, by [`Worker::checks_for`].
    #[inline(never)]
    pub fn republish(&mut self, turn: &mut Turn<'_>) {
        for pool in &mut self.pools {
            pool.steered.state.is_followed();
            pool.steered.is_checked_elsewhere = false;
        }
        if self.slots.has_published() {
            self.publish_slot(false, turn);
        }
    }

    /// This configuration has come to its end: brings what it has counted to an end. Returns its
    /// endpoints that no other worker has: their levels must not stay behind.
    #[inline(never)]
    pub fn retire(&mut self, turn: &mut Turn<'_>) -> Vec<(PoolIndex, EndpointIndex)> {
        let reports = reports(&self.pools, turn.now);
        self.slots.withdraw(turn.store, reports, turn.now);
        let mut figures = Vec::new();
        for pool in &mut self.pools {
            if pool.steered.settings.metrics {
                figures.push(pool.steered.take_figures(false, turn.now));
            }
        }
        turn.actions.push_back(Action::Publish(figures));
        let mut orphans = Vec::new();
        for steered in self.pools.iter().map(|pool| &pool.steered) {
            let pool = steered.pool();
            for (index, _) in steered.state.endpoints() {
                if let Some(endpoint) = pool.endpoint(index)
                    && !self
                        .slots
                        .others_have(&pool.name, &endpoint.cluster, turn.now)
                {
                    orphans.push((steered.index, index));
                }
            }
        }
        orphans
    }

    #[inline(never)]
    fn publish_slot(&mut self, is_quiet: bool, turn: &mut Turn<'_>) {
        let pools = &self.pools;
        let reports = || reports(pools, turn.now);
        let met = self.slots.sync(turn.store, is_quiet, reports, turn.now);
        let unreadable = (0..met.unreadable).map(|_| Trouble::UnreadableRecord);
        let no_slot = met.no_slot.then_some(Trouble::NoSlot);
        let refused = met.refused.then_some(Trouble::SharedData);
        let troubles = unreadable.chain(no_slot).chain(refused);
        turn.actions.extend(troubles.map(Action::Trouble));
    }
}

impl SteeredPool {
    /// Publishes what the pool looks like, once; again if that was lost.
    #[inline(never)]
    fn publish_description(&mut self, again: bool, turn: &Turn<'_>) {
        let (pool, name) = (&self.settings.pool, &self.settings.pool.name);
        let is_lost = || Description::read(turn.store, name).is_none();
        if !self.is_described || (again && is_lost()) {
            self.is_described = true;
            Description::of(pool).write(turn.store, name);
        }
    }

    /// Takes in what the other workers have published.
    #[inline(never)]
    fn merge_others(&mut self, slots: &Slots, turn: &Turn<'_>) {
        let (pool, now) = (&self.settings.pool, turn.now);
        self.state
            .budget
            .set_others(slots.spending(&pool.name, now));
        let endpoints = pool.endpoints.iter().zip(self.state.endpoints_mut());
        for (position, (endpoint, state)) in endpoints.enumerate() {
            state.set_others(slots.others(&pool.name, &endpoint.cluster, position, now));
        }
    }

    /// Copies out the figures; response times are handed over.
    #[inline(never)]
    fn take_figures(&mut self, is_reporter: bool, now: Instant) -> PoolFigures {
        let totals = &self.state.totals;
        let endpoints = self.state.endpoints().zip(&mut self.durations);
        PoolFigures {
            pool: self.index,
            is_reporter,
            requests: totals.requests,
            answers: [totals.successes, totals.failures],
            retries: totals.retries,
            denied: totals.denied,
            panics: self.state.panics(&self.settings.pool, now),
            endpoints: endpoints
                .map(|((_, state), durations)| {
                    EndpointFigures::of(state, core::mem::take(durations), now)
                })
                .collect(),
        }
    }

    /// Drops what is agreed on endpoints that no worker has configured any more.
    #[inline(never)]
    fn forget_unconfigured(&mut self, slots: &Slots, turn: &Turn<'_>) {
        let name = &self.settings.pool.name;
        self.agreement.forget_unless(turn.store, |endpoint| {
            slots.is_configured(name, endpoint, turn.now)
        });
    }
}

fn reports(pools: &[PoolWorker], now: Instant) -> Vec<PoolReport> {
    let pools = pools.iter().map(|pool| &pool.steered);
    let reports = pools.map(|pool| PoolReport::of(pool.pool(), &pool.state, now));
    reports.collect()
}

/// From one look for what is agreed on endpoints that no worker has any more to the next.
const TIDY_INTERVAL: Duration = Duration::from_secs(1);
