//! The events: what a shell reports to a worker.
//!
//! There is one [`Worker`] for each configuration in each thread of a proxy. An event takes the
//! time and the shared store with it ([`Turn`]); what is to be done comes back in the turn's
//! actions, and the return value says what becomes of the headers at hand.

use core::time::Duration;
use std::sync::Arc;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};
use slab::Slab;
use steerage_policy::exchange::{Attempt, Exchange};
use steerage_policy::judge::Facts;
use steerage_policy::outcome::Outcome;
use steerage_policy::pool::PoolState;
use steerage_policy::time::Instant;
use steerage_shared::slot::{Slots, WorkerId};

use crate::action::{Action, CallId, Flow};
use crate::answer::Answer;
use crate::kept_bytes::KeptBytes;
use crate::names::{StreamId, StreamKey};
use crate::pool::SteeredPool;
use crate::request::{Chunk, Request};
use crate::settings::{PoolIndex, RouterRetry, Settings};
use crate::timers::Timers;
use crate::turn::Turn;
use crate::walk::{self, Call, End, Stream, Walk};

/// The state of one worker under one configuration.
#[derive(Debug)]
pub struct Worker {
    pub(crate) pools: Vec<PoolWorker>,
    pub(crate) calls: Slab<Call>,
    pub(crate) slots: Slots,
    kept: KeptBytes,
    /// Whether anything has happened since the last round that the others may want to know.
    pub(crate) is_stirred: bool,
    /// When what is agreed was last looked through for endpoints that no worker has any more.
    pub(crate) tidied: Instant,
    /// When answers that stream for long were last looked for.
    judged: Instant,
    timers: Timers,
    /// Whether the shell stands behind the router, too, so that it can make the retries.
    pub(crate) router_retry: RouterRetry,
    /// Not `SmallRng`, which is another generator natively: the same seed decides alike everywhere.
    pub(crate) rng: Xoshiro256PlusPlus,
}

/// A pool with its streams.
#[derive(Debug)]
pub(crate) struct PoolWorker {
    pub(crate) steered: SteeredPool,
    streams: Slab<Stream>,
}

impl Worker {
    /// A worker that has seen nothing yet. Whatever it draws follows from `seed`.
    #[must_use]
    pub fn new(settings: &Settings, seed: u64) -> Self {
        let states = settings.pools.iter();
        let states = states.map(|settings| PoolState::new(&settings.pool));
        Self::with_states(settings, states.collect(), seed)
    }

    /// The same with these states of its pools, in which a balancer may differ from the pool's
    /// strategy.
    #[must_use]
    #[inline(never)]
    pub fn with_states(settings: &Settings, mut states: Vec<PoolState>, seed: u64) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let id = WorkerId(rng.random());
        // If all workers began with the first endpoint, it would get more than its share.
        for state in &mut states {
            state.begin_at(rng.random());
        }
        let pools = settings.pools.iter().zip(states).enumerate();
        Self {
            slots: Slots::new(id).syncing_every(settings.sync_interval),
            kept: KeptBytes::new(settings.max_kept_bytes),
            is_stirred: true,
            tidied: Instant::ORIGIN,
            judged: Instant::ORIGIN,
            pools: pools
                .filter_map(|(position, (settings, state))| {
                    let index = PoolIndex::new(position)?;
                    Some(PoolWorker {
                        steered: SteeredPool::new(index, Arc::clone(settings), state),
                        streams: Slab::new(),
                    })
                })
                .collect(),
            calls: Slab::new(),
            timers: Timers::new(settings.sync_interval),
            router_retry: RouterRetry::No,
            rng,
        }
    }

    /// The same, which keeps bytes out of this budget and not out of one of its own.
    #[must_use]
    pub fn keeping(self, kept: KeptBytes) -> Self {
        Self { kept, ..self }
    }

    /// The same for one of several configurations in one VM, all of which give this number.
    #[must_use]
    pub fn in_vm(self, vm: u32) -> Self {
        Self {
            slots: self.slots.in_vm(vm),
            ..self
        }
    }

    /// The worker begins. It takes over what the workers have agreed on, so that one in place of
    /// another that died knows it from its first request, and sets the timer. Nothing is published
    /// yet: a host may also configure a worker that it only tries the configuration on, and that
    /// one never sees a tick.
    #[inline(never)]
    pub fn start(&mut self, turn: &mut Turn<'_>) {
        for pool in &mut self.pools {
            pool.steered.refresh_agreed(turn);
            let states = pool.steered.state.endpoints();
            let due = states.map(|(_, state)| state.agreed().health.due());
            pool.steered.takes_over.due = due.collect();
        }
        if let Some(period) = self.timers.start(turn.now) {
            turn.actions.push_back(Action::SetTimer(period));
        }
    }

    /// The head of a request has arrived that belongs to this pool ([`Settings::pool_of`]).
    /// `source` is the address that it came from, wanted where [`PoolSettings::hashes_source`] says
    /// so. `None`: the request is refused, and there is no stream.
    ///
    /// [`PoolSettings::hashes_source`]: crate::settings::PoolSettings::hashes_source
    pub fn request_head(
        &mut self,
        id: StreamId,
        pool: PoolIndex,
        request: Request,
        source: Option<&[u8]>,
        turn: &mut Turn<'_>,
    ) -> Option<StreamKey> {
        self.is_stirred = true;
        let pool = self.pools.get_mut(pool.position())?;
        let steered = &mut pool.steered;
        let stream = walk::arrive(steered, id, request, source, &mut self.rng, turn)?;
        let entry = pool.streams.vacant_entry();
        let key = StreamKey {
            pool: steered.index,
            slot: u32::try_from(entry.key()).unwrap_or(u32::MAX),
        };
        let mut walk = Walk {
            key,
            stream: entry.insert(stream),
            steered,
            calls: &mut self.calls,
            kept: &self.kept,
            timers: &mut self.timers,
            rng: &mut self.rng,
        };
        walk.route(self.router_retry, turn);
        Some(key)
    }

    /// Whether the next `size` bytes of a stream's body are worth reading.
    #[must_use]
    pub fn wants_body(&self, key: StreamKey, size: usize) -> bool {
        let stream = self.stream(key);
        stream.is_some_and(|stream| stream.wants(size, &self.kept))
    }

    /// Part of a request's body has arrived.
    pub fn request_body(&mut self, key: StreamKey, chunk: Chunk) {
        if let Some(walk) = self.walk(key)
            && let Some(request) = walk.stream.arriving()
        {
            request.body_arrived(chunk, walk.kept);
        }
    }

    /// A request's trailers have arrived. That it is complete is an event of its own.
    pub fn request_trailers(&mut self, key: StreamKey) {
        let stream = self.stream_mut(key);
        if let Some(request) = stream.and_then(Stream::arriving) {
            request.trailers_arrived();
        }
    }

    /// A request has been sent to its end.
    pub fn request_completed(&mut self, key: StreamKey, turn: &mut Turn<'_>) {
        if let Some(mut walk) = self.walk(key) {
            walk.request_completed(turn);
        }
    }

    /// Whether the router has a stream's first attempt and has not answered. Simulations and tests
    /// ask; a shell has no need to.
    #[must_use]
    pub fn awaits_answer(&self, key: StreamKey) -> bool {
        self.stream(key).is_some_and(Stream::awaits_answer)
    }

    /// Whether an answer to a stream's attempt of the router is wanted with all of its headers, of
    /// which there are so many. Of others the status is enough, unless that says more.
    pub fn wants_headers(&mut self, key: StreamKey, headers: usize, now: Instant) -> bool {
        self.walk(key).is_some_and(|walk| {
            let endpoint = walk.stream.routed_to();
            let heard = endpoint.and_then(|it| walk.steered.heard.get_mut(it.position()));
            heard.is_some_and(|heard| heard.hears(headers, now))
        })
    }

    /// The head of an answer is on its way to the client of a stream. One that is not the answer to
    /// the first attempt is the filter's own and passes by.
    pub fn response_head(&mut self, key: StreamKey, answer: Answer, turn: &mut Turn<'_>) -> Flow {
        self.walk(key)
            .map_or(Flow::Continue, |mut walk| walk.first_answered(answer, turn))
    }

    /// A call has been answered, or has failed.
    pub fn call_answered(&mut self, id: CallId, answer: Answer, turn: &mut Turn<'_>) {
        self.call_ended(id, answer, turn, |walk, attempt, answer, turn| {
            walk.call_answered(id, attempt, answer, turn);
        });
    }

    /// The host has not sent a call, and no answer will come: it knows no such cluster, which is a
    /// [`Outcome::ConnectFailure`], or it refuses, which says nothing of the endpoint.
    pub fn call_refused(&mut self, id: CallId, outcome: Outcome, turn: &mut Turn<'_>) {
        let refused = Answer::head(outcome);
        self.call_ended(id, refused, turn, |walk, attempt, refused, turn| {
            walk.call_refused(id, attempt, refused, turn);
        });
    }

    /// The stream is over, and its key names nothing any more. `false`: not yet, because its first
    /// attempt has not been answered, or its answer is to be judged by its end; the shell reports
    /// [`Worker::stream_over`] instead, with the time and that end.
    #[must_use]
    pub fn stream_closed(&mut self, key: StreamKey) -> bool {
        let Some(mut walk) = self.walk(key) else {
            return true;
        };
        if walk.stream.awaits_answer() || walk.stream.awaits_end() {
            return false;
        }
        walk.closed();
        self.forget_stream(key);
        true
    }

    /// The stream is over, and its key names nothing any more: the answer has come to this end, or
    /// the client has left before there was one.
    pub fn stream_over(&mut self, key: StreamKey, end: End, turn: &mut Turn<'_>) {
        if let Some(mut walk) = self.walk(key) {
            walk.stream.answer_ended(walk.steered, end, turn);
            walk.client_left(turn);
            walk.closed();
            self.forget_stream(key);
        }
    }

    /// Whether the next tick is a round.
    #[must_use]
    pub fn round_is_due(&self, now: Instant) -> bool {
        self.timers.round_is_due(now)
    }

    /// The host's timer has fired: handles all streams whose time has come, and a round if one is
    /// due.
    #[inline(never)]
    pub fn tick(&mut self, turn: &mut Turn<'_>) {
        while let Some(key) = self.timers.pop_due(turn.now) {
            if let Some(mut walk) = self.walk(key) {
                walk.due(turn);
            }
        }
        if self.timers.begin_round(turn.now) {
            if turn.now.since(self.judged) >= LOOK_FOR_LONG_ANSWERS {
                self.judged = turn.now;
                self.judge_long_answers(turn);
            }
            self.sync(turn);
        }
        let period = self.timers.rearm_after_tick(turn.now);
        turn.actions.push_back(Action::SetTimer(period));
    }

    /// What the worker knows of a pool, for simulations and tests.
    #[must_use]
    pub fn pool_state(&self, index: PoolIndex) -> Option<&PoolState> {
        let pool = self.pools.get(index.position())?;
        Some(&pool.steered.state)
    }

    /// The exchange of a stream, for simulations and tests.
    #[must_use]
    pub fn exchange(&self, key: StreamKey) -> Option<&Exchange> {
        self.stream(key).map(Stream::exchange)
    }

    #[inline(never)]
    fn call_ended(
        &mut self,
        id: CallId,
        answer: Answer,
        turn: &mut Turn<'_>,
        follow: impl FnOnce(&mut Walk<'_>, Attempt, Answer, &mut Turn<'_>),
    ) {
        let Some(call) = self.calls.try_remove(id.0) else {
            return; // Only calls made here are answered here.
        };
        self.is_stirred = true;
        let answer = call.answered(answer, turn.now);
        match call {
            Call::Attempt {
                stream: Some(key),
                attempt,
                ..
            } => {
                if let Some(mut walk) = self.walk(key) {
                    follow(&mut walk, attempt, answer, turn);
                }
            }
            Call::Attempt {
                stream: None,
                id,
                pool,
                attempt,
                ..
            } => {
                // The client has left, or has had another answer.
                if let Some(pool) = self.pools.get_mut(pool.position()) {
                    let steered = &mut pool.steered;
                    let honoured = steered.honour(&attempt, &answer, turn);
                    let facts = Facts {
                        cools: honoured.cools,
                        ..answer.outcome.into()
                    };
                    steered.record(id, &attempt, None, facts, turn);
                    steered.state.end(attempt);
                }
            }
            Call::Check { pool, endpoint } => {
                if let Some(pool) = self.pools.get_mut(pool.position()) {
                    pool.steered.check_answered(endpoint, &answer, turn);
                }
            }
        }
    }

    /// Judges the answers that have streamed for longer than an attempt may take to begin one.
    #[inline(never)]
    fn judge_long_answers(&mut self, turn: &mut Turn<'_>) {
        for pool in self.pools.iter_mut().filter(|it| it.steered.streaming > 0) {
            self.is_stirred = true;
            let long = pool.steered.pool().timeouts.read();
            for (_, stream) in &mut pool.streams {
                stream.judge_if_long(&mut pool.steered, long, turn);
            }
        }
    }

    fn forget_stream(&mut self, key: StreamKey) {
        if let Some(pool) = self.pools.get_mut(key.pool.position()) {
            pool.streams.try_remove(key.position());
        }
    }

    pub(crate) fn stream(&self, key: StreamKey) -> Option<&Stream> {
        let pool = self.pools.get(key.pool.position())?;
        pool.streams.get(key.position())
    }

    fn stream_mut(&mut self, key: StreamKey) -> Option<&mut Stream> {
        let pool = self.pools.get_mut(key.pool.position())?;
        pool.streams.get_mut(key.position())
    }

    /// Takes a stream in hand.
    pub(crate) fn walk(&mut self, key: StreamKey) -> Option<Walk<'_>> {
        self.is_stirred = true;
        let pool = self.pools.get_mut(key.pool.position())?;
        Some(Walk {
            key,
            stream: pool.streams.get_mut(key.position())?,
            steered: &mut pool.steered,
            calls: &mut self.calls,
            kept: &self.kept,
            timers: &mut self.timers,
            rng: &mut self.rng,
        })
    }
}

/// From one look for answers that stream for long to the next.
const LOOK_FOR_LONG_ANSWERS: Duration = Duration::from_secs(1);
