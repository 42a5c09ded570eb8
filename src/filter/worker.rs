//! What a worker keeps: the pools and what it knows of them, its streams, and the calls under way.
//!
//! There is one [`Worker`] for each configuration in each worker thread. It belongs to the root
//! context; the streams hold a reference and tell it what happens. Callbacks never nest, because
//! the host puts off whatever a hostcall sets in motion until the callback has returned; so each
//! callback may borrow the worker whole.

use std::collections::HashMap;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};
use rustc_hash::FxBuildHasher;
use steerage_config::Config;
use steerage_config::admin::Admin;
use steerage_policy::endpoint::EndpointIndex;
use steerage_policy::exchange::{Attempt, Exchange};
use steerage_policy::outcome::{Neutral, Outcome};
use steerage_policy::pool::{Pool, PoolState};
use steerage_policy::time::Instant;
use steerage_shared::agreement::Agreement;
use steerage_shared::key;
use steerage_shared::slot::{Slots, WorkerId};

use super::administering::Asked;
use super::answering::Answer;
use super::intercepting::LastAttempt;
use super::request::Request;
use super::timers::{StreamId, Timers};
use crate::Extensions;
use crate::host::{self, Token};
use crate::interceptors::Chains;
use crate::metrics::{PoolMetrics, hostcall_refused};

/// The state of one worker under one configuration.
#[derive(Debug)]
pub(crate) struct Worker {
    /// The root context's number.
    pub(super) root: u32,
    pub(super) cluster_header: Box<str>,
    pub(super) pools: Vec<SteeredPool>,
    pub(super) admin: Option<Admin>,
    /// Requests for the admin surface whose body is awaited.
    pub(super) asked: Vec<(StreamId, Asked)>,
    pub(super) slots: Slots,
    /// When what is agreed was last looked through for endpoints that nobody has any more.
    pub(super) tidied: Instant,
    pub(super) streams: HashMap<StreamId, Stream, FxBuildHasher>,
    pub(super) calls: HashMap<Token, Call, FxBuildHasher>,
    pub(super) timers: Timers,
    /// Not `SmallRng`, which is another generator natively: the same seed decides alike everywhere.
    pub(super) rng: Xoshiro256PlusPlus,
}

/// A pool, what this worker knows of it, and what it agrees on with the others.
#[derive(Debug)]
pub(super) struct SteeredPool {
    pub(super) pool: Pool,
    pub(super) state: PoolState,
    pub(super) agreement: Agreement,
    /// In whole milliseconds, as the router is told with each request.
    pub(super) read_timeout: Box<str>,
    /// `None` before the first round, and if none are wanted.
    pub(super) metrics: Option<PoolMetrics>,
    pub(super) wants_metrics: bool,
    /// Whether the other workers have been told what it looks like.
    pub(super) is_described: bool,
    pub(super) chains: Chains,
}

/// A request that belongs to a pool.
#[derive(Debug)]
pub(super) struct Stream {
    /// Position of its pool.
    pub(super) pool: usize,
    pub(super) exchange: Exchange,
    pub(super) last_attempt: LastAttempt,
    pub(super) request: Request,
    pub(super) phase: Phase,
    /// The newest answer worth giving if no attempt succeeds; `None` while that is the paused
    /// response itself.
    pub(super) kept: Option<Answer>,
    /// Whether the paused response is an upstream's and not the host's own.
    pub(super) original_is_upstreams: bool,
    /// Its attempts that are calls and under way: a retry, or hedges beside the first attempt.
    pub(super) calls: Vec<Token>,
    /// When the first attempt is hedged.
    pub(super) hedge_at: Option<Instant>,
    /// Its entry in the timers.
    pub(super) due: Option<Instant>,
    /// By when the client must have finished its request.
    pub(super) write_deadline: Instant,
}

/// Where a stream stands, and what will move it on.
#[derive(Debug)]
pub(super) enum Phase {
    /// The router has the first attempt. Its answer moves the stream on, or a timer: the write
    /// deadline, the deadline of the exchange.
    Routed(Attempt),
    /// The response is paused until a retry is due: a timer.
    Waiting,
    /// The response is paused until one of the stream's calls is answered well or all of them have
    /// failed, or until the deadline.
    Calling,
    /// The answer is on its way to the client; the first attempt ends with the stream if it is the
    /// one whose answer streams by.
    Answering(Option<Attempt>),
}

/// A call under way.
#[derive(Debug)]
pub(super) enum Call {
    /// An attempt. It outlives its stream: the host cannot cancel it, and what it comes to says
    /// something of its endpoint in any case.
    Attempt {
        stream: StreamId,
        pool: usize,
        attempt: Attempt,
        /// Whether the request has a body.
        sent_body: bool,
    },
    /// A health check.
    Check {
        pool: usize,
        endpoint: EndpointIndex,
    },
}

impl Worker {
    /// A worker that has seen nothing yet.
    pub(crate) fn new(root: u32, config: Config, extensions: fn(&str) -> Extensions) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(host::random_seed());
        Self {
            root,
            slots: Slots::new(WorkerId(rng.random())).syncing_every(config.sync_interval),
            tidied: Instant::ORIGIN,
            pools: config
                .pools
                .into_iter()
                .map(|configured| {
                    let mut pool = configured.pool;
                    let mut chains = Chains::new(configured.interceptors, &config.cluster_header);
                    SteeredPool {
                        state: extensions(&pool.name).install(&mut pool, &mut chains),
                        agreement: Agreement::new(key::agreement(&pool.name)),
                        read_timeout: host::milliseconds(pool.timeouts.read()).to_string().into(),
                        metrics: None,
                        wants_metrics: configured.metrics,
                        is_described: false,
                        chains,
                        pool,
                    }
                })
                .collect(),
            cluster_header: config.cluster_header,
            admin: config.admin,
            asked: Vec::new(),
            streams: HashMap::default(),
            calls: HashMap::default(),
            timers: Timers::new(config.sync_interval),
            rng,
        }
    }

    /// Takes over what the workers have agreed on, so that a VM in place of one that trapped knows it
    /// from its first request, and starts the timer. Nothing is published yet: the host also configures
    /// a VM that it only tries the configuration on, and that one never sees a tick.
    pub(crate) fn start(&mut self) {
        for steered in &mut self.pools {
            steered.hear_agreed();
        }
        self.rearm(host::now());
    }

    /// The host's timer has fired: handles all streams whose time has come.
    pub(crate) fn tick(&mut self) {
        let now = host::now();
        while let Some(id) = self.timers.pop_due(now) {
            let Some(stream) = self.streams.get_mut(&id) else {
                self.look_at_asked(id, now);
                continue;
            };
            stream.due = None;
            match stream.phase {
                Phase::Waiting => self.retry(id),
                Phase::Routed(_) if now < stream.first_deadline() => self.hedge(id, now),
                Phase::Routed(_) | Phase::Calling => self.time_is_up(id, now),
                Phase::Answering(_) => {}
            }
        }
        if self.timers.is_round_due(now) {
            self.sync(now);
        }
        let period = self.timers.rearm_after_tick(now);
        if let Err(refused) = host::set_tick_period(period) {
            hostcall_refused("to set the timer", refused);
        }
    }

    /// The stream is over, whatever came of it.
    pub(crate) fn stream_closed(&mut self, id: StreamId) {
        self.forget_asked(id);
        let Some(stream) = self.streams.remove(&id) else {
            return; // OK because most often this is a request that belongs to no pool.
        };
        self.timers.replace(id, stream.due, None);
        let Some(steered) = self.pools.get_mut(stream.pool) else {
            return; // OK because a stream's pool is one of the worker's.
        };
        match stream.phase {
            Phase::Routed(attempt) => {
                // Nobody will know what it came to; if it was a trial, its permit is free again.
                let request = Some(&stream.request);
                steered.record(
                    id,
                    &attempt,
                    request,
                    Outcome::Neutral(Neutral::ClientGone),
                    host::now(),
                );
                steered.state.end(attempt);
            }
            Phase::Answering(Some(attempt)) => steered.state.end(attempt),
            Phase::Answering(None) | Phase::Waiting | Phase::Calling => {}
        }
    }

    /// The stream now waits until `due`, or for nothing in time.
    pub(super) fn wait_until(&mut self, id: StreamId, due: Option<Instant>, now: Instant) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        self.timers.replace(id, stream.due, due);
        stream.due = due;
        self.rearm(now);
    }

    /// Sets the host's timer if something is due before it fires.
    pub(super) fn rearm(&mut self, now: Instant) {
        if let Some(period) = self.timers.rearm(now)
            && let Err(refused) = host::set_tick_period(period)
        {
            hostcall_refused("to set the timer", refused);
        }
    }
}

impl Stream {
    /// When something happens to the first attempt if it is not answered.
    pub(super) fn first_due(&self) -> Instant {
        let deadline = self.first_deadline();
        self.hedge_at.map_or(deadline, |hedge| hedge.min(deadline))
    }

    /// What the first attempt waits for besides its answer: the client's request, or the deadline.
    fn first_deadline(&self) -> Instant {
        if self.request.is_complete() || self.request.is_stream() {
            self.exchange.deadline()
        } else {
            self.write_deadline.min(self.exchange.deadline())
        }
    }
}
