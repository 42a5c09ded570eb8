//! What this worker shares with the others, as `steerage-shared` lays it out.
//!
//! On the timer, every `sync_interval`: publish what this worker counts, read what the others do, and
//! take over what has been agreed on. In between only failures and trials touch what is shared: an
//! endpoint that answers well costs its worker nothing.

use core::time::Duration;

use rand::{Rng, RngExt as _};
use steerage_policy::breaker::{Pass, StateName, TrialId};
use steerage_policy::endpoint::{Agreed, EndpointIndex};
use steerage_policy::exchange::{Attempt, Exchange};
use steerage_policy::outcome::{Class, Outcome};
use steerage_policy::pool::Pool;
use steerage_policy::retry::reason::Denial;
use steerage_policy::time::Instant;
use steerage_shared::agreement::Lost;
use steerage_shared::description::Description;
use steerage_shared::report::PoolReport;

use super::debugging;
use super::request::Request;
use super::timers::StreamId;
use super::worker::{SteeredPool, Worker};
use crate::host::{self, SharedData};
use crate::metrics::{InternalError, PoolMetrics};

impl Worker {
    /// A round: publishes, reads, and does the health checks that are due.
    pub(super) fn sync(&mut self, now: Instant) {
        // An operator may change it at any time; below it, log lines cost nothing.
        log::set_max_level(host::log_level());
        InternalError::define();
        for steered in &mut self.pools {
            steered.hear_agreed();
        }
        if self.pools.is_empty() {
            // An instance that only answers operators has nothing to tell, and asks when it is asked.
            return;
        }
        let reports = self
            .pools
            .iter()
            .map(|steered| PoolReport::of(&steered.pool, &steered.state, now))
            .collect();
        let trouble = self.slots.sync(&SharedData, reports, now);
        for _ in 0..trouble.unreadable {
            InternalError::UnreadableRecord.count();
        }
        if trouble.no_slot {
            InternalError::NoSlot.count();
        }
        if trouble.refused {
            InternalError::SharedData.count();
        }
        let tidies = now.since(self.tidied) >= TIDY_INTERVAL;
        if tidies {
            self.tidied = now;
        }
        for steered in &mut self.pools {
            steered.introduce(tidies);
            let SteeredPool {
                pool,
                state,
                agreement,
                metrics,
                ..
            } = steered;
            state
                .budget
                .set_others(self.slots.spending(&pool.name, now));
            let endpoints = pool.endpoints.iter().zip(state.endpoints_mut());
            for (position, (endpoint, state)) in endpoints.enumerate() {
                let cluster = &endpoint.cluster;
                state.set_others(self.slots.others(&pool.name, cluster, position, now));
            }
            if let Some(metrics) = metrics {
                metrics.tell(state, self.slots.is_reporter(&pool.name, now), now);
            }
            if tidies {
                agreement.forget_unless(&SharedData, |endpoint| {
                    self.slots.is_configured(&pool.name, endpoint, now)
                });
            }
        }
        self.check_health(now);
    }
}

impl Worker {
    /// This worker's configuration is no longer in force: what nobody else has leaves no level behind.
    pub(crate) fn retire(&mut self) {
        let now = host::now();
        for steered in &mut self.pools {
            let (pool, metrics) = (&steered.pool, &mut steered.metrics);
            for (index, _) in steered.state.endpoints() {
                if let (Some(metrics), Some(endpoint)) = (metrics.as_mut(), pool.endpoint(index))
                    && !self.slots.others_have(&pool.name, &endpoint.cluster, now)
                {
                    metrics.retire(index);
                }
            }
        }
    }
}

impl SteeredPool {
    /// Chooses and begins the next attempt of an exchange, with a permit from the other workers
    /// where it takes one.
    pub(super) fn attempt(
        &mut self,
        id: StreamId,
        exchange: &mut Exchange,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Result<Attempt, Denial> {
        // A permit that is refused shows in the state, so the endpoint is not chosen again; the bound
        // is for a store that refuses to be written.
        for _ in 0..=self.pool.endpoints.len() {
            let choice = exchange.choose(&self.pool, &mut self.state, now, rng)?;
            let expires = exchange.deadline() + PERMIT_GRACE;
            let pass = choice
                .free_pass
                .or_else(|| self.begin_trial(choice.endpoint, expires, now, rng));
            if let Some(pass) = pass {
                let state = &mut self.state;
                let attempt = exchange.attempt(&self.pool, state, choice.endpoint, pass, now);
                debugging::begun(id, &self.pool, &self.state, &attempt, now);
                return Ok(attempt);
            }
        }
        Err(Denial::NoEndpointAvailable)
    }

    /// Learns what an attempt came to, logs it, and tells its breaker if that is concerned. `request` is
    /// `None` if it is not there any more.
    pub(super) fn record(
        &mut self,
        id: StreamId,
        attempt: &Attempt,
        request: Option<&Request>,
        outcome: Outcome,
        now: Instant,
    ) {
        let took = now.since(attempt.sent());
        if let (Some(metrics), true) = (&mut self.metrics, outcome.class() != Class::Neutral) {
            metrics.took(attempt.endpoint(), took);
        }
        debugging::ended(id, &self.pool, attempt, outcome, took);
        let judgement = self.state.record(&self.pool, attempt, outcome, now);
        if let Some(judgement) = judgement {
            self.change(judgement.endpoint, now, |pool, agreed| {
                judgement.apply(pool, agreed, now);
            });
        }
        self.log_ended(attempt, request, outcome, now);
    }

    /// Changes what the workers agree on for an endpoint.
    pub(super) fn change<T>(
        &mut self,
        index: EndpointIndex,
        now: Instant,
        change: impl Fn(&Pool, &mut Agreed) -> T,
    ) -> Option<T> {
        let pool = &self.pool;
        let endpoint = pool.endpoint(index)?;
        let ((answer, before), written) =
            self.agreement
                .change_among(&SharedData, &endpoint.cluster, |agreed, others| {
                    let before = agreed.clone();
                    let answer = change(pool, agreed);
                    let is_open = |(cluster, agreed): &(&str, &Agreed)| {
                        let closed = agreed.breaker.name() == StateName::Closed;
                        !closed && pool.endpoints.iter().any(|it| &*it.cluster == *cluster)
                    };
                    pool.limit_open(&before, agreed, others.filter(is_open).count());
                    (answer, before)
                });
        let after = self.agreement.get(&endpoint.cluster);
        if let Some(state) = self.state.endpoint_mut(index) {
            let (from, to) = (before.breaker.name(), after.breaker.name());
            if written.is_ok() && from != to {
                state.totals_mut().breaker_became(to);
            }
            state.agree(after.clone());
        }
        if written.is_ok() {
            debugging::changed(pool, endpoint, &before, &after, now);
        }
        match written {
            Ok(()) => Some(answer),
            Err(lost) => {
                match lost {
                    Lost::Contention => InternalError::Contention.count(),
                    Lost::Refused => InternalError::SharedData.count(),
                }
                None
            }
        }
    }

    fn begin_trial(
        &mut self,
        endpoint: EndpointIndex,
        expires: Instant,
        now: Instant,
        rng: &mut dyn Rng,
    ) -> Option<Pass> {
        let trial = TrialId(rng.random());
        self.change(endpoint, now, |pool, agreed| {
            agreed
                .breaker
                .begin_trial(&pool.breaker, trial, expires, now)
        })
        .flatten()
    }

    /// Reads what has been agreed on, and takes it over if there is news.
    pub(super) fn hear_agreed(&mut self) {
        self.agreement.refresh(&SharedData);
        if self.agreement.take_unreadable() {
            InternalError::UnreadableRecord.count();
        }
        if !self.agreement.take_news() {
            return;
        }
        let endpoints = self.pool.endpoints.iter();
        for (endpoint, state) in endpoints.zip(self.state.endpoints_mut()) {
            state.agree(self.agreement.get(&endpoint.cluster));
        }
    }

    /// Tells the others and the host what there is, once; the others again if it was lost.
    fn introduce(&mut self, again: bool) {
        let (pool, name) = (&self.pool, &self.pool.name);
        let is_lost = || Description::read(&SharedData, name).is_none();
        if !self.is_described || (again && is_lost()) {
            self.is_described = true;
            Description::of(pool).write(&SharedData, name);
        }
        if self.wants_metrics && self.metrics.is_none() {
            self.metrics = Some(PoolMetrics::define(pool));
        }
    }
}

/// From one look for what is agreed on endpoints that nobody has any more to the next.
const TIDY_INTERVAL: Duration = Duration::from_secs(1);

/// How long after its exchange's deadline a permit expires: long enough that it never does while
/// its attempt could still end by itself.
const PERMIT_GRACE: Duration = Duration::from_secs(1);
