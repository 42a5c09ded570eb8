//! One worker, which does what the filter does.

use core::time::Duration;
use std::collections::BTreeMap;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};
use steerage_policy::breaker::{Pass, StateName, TrialId};
use steerage_policy::endpoint::{Agreed, EndpointIndex};
use steerage_policy::exchange::{Attempt, Exchange};
use steerage_policy::outcome::{Class, Outcome};
use steerage_policy::pool::{Pool, PoolState};
use steerage_policy::retry::Decision;
use steerage_policy::retry::idempotency::Repeatability;
use steerage_policy::retry::reason::Denial;
use steerage_policy::time::Instant;
use steerage_shared::agreement::{Agreement, News};
use steerage_shared::key;
use steerage_shared::report::PoolReport;
use steerage_shared::slot::{Slots, WorkerId};
use steerage_shared::store::Store;

use crate::log::{Answer, Check, Sent, Transition};
use crate::world::{Event, Place, World};

/// A worker and what it knows.
#[derive(Debug)]
pub(crate) struct Worker {
    /// Its place. A worker that follows in it is another one.
    pub(crate) place: Place,
    pub(crate) state: PoolState,
    agreement: Agreement,
    slots: Slots,
    rng: Xoshiro256PlusPlus,
    /// Requests under way, by number.
    streams: BTreeMap<u64, Stream>,
    arrived: u64,
}

#[derive(Debug)]
struct Stream {
    arrived: Instant,
    exchange: Exchange,
    /// `None` while it waits for a retry.
    attempt: Option<Attempt>,
    /// The newest attempt's position in the log.
    logged: usize,
}

impl Worker {
    /// A worker that has seen nothing yet.
    pub(crate) fn new(place: Place, pool: &Pool, interval: Duration, seed: u64) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        Self {
            place,
            state: PoolState::new(pool),
            agreement: Agreement::new(key::agreement(&pool.name)),
            slots: Slots::new(WorkerId(rng.random())).syncing_every(interval),
            rng,
            streams: BTreeMap::new(),
            arrived: 0,
        }
    }

    /// Takes in what happens to it `now`.
    pub(crate) fn handle(&mut self, event: Event, world: &World, store: &dyn Store, now: Instant) {
        match event {
            Event::Round => self.sync(world, store, now),
            Event::Arrival => {
                let repeatability = Repeatability {
                    allowed: true,
                    obstacle: None,
                };
                let exchange =
                    Exchange::begin(&world.pool, &mut self.state, repeatability, None, None, now);
                self.arrived += 1;
                self.attempt(self.arrived, now, exchange, world, store, now);
            }
            Event::Retry { stream } => {
                let waiting = self.streams.remove(&stream).unwrap();
                let (arrived, exchange) = (waiting.arrived, waiting.exchange);
                self.attempt(stream, arrived, exchange, world, store, now);
            }
            Event::Ended { stream, outcome } => self.ended(stream, outcome, world, store, now),
            Event::Checked { endpoint, status } => {
                let checks = world.pool.checks.as_ref().unwrap();
                let finding = checks.finding(Some(status));
                self.change(endpoint, world, store, now, |pool, agreed| {
                    agreed.health.take_finding(checks, finding, now);
                    let good = finding.is_good();
                    agreed.breaker.checked(&pool.breaker, good, now);
                });
            }
        }
    }

    /// Attempts under way to an endpoint in all workers, as far as this one knows.
    pub(crate) fn active(&self, endpoint: usize) -> u32 {
        let index = EndpointIndex::new(endpoint).unwrap();
        self.state.endpoint(index).unwrap().active()
    }

    fn sync(&mut self, world: &World, store: &dyn Store, now: Instant) {
        let unreadable = self.agreement.refresh(store) == News::Unreadable;
        self.take_over(world);
        let reports = [PoolReport::of(&world.pool, &self.state, now)].to_vec();
        let trouble = self.slots.sync(store, reports, now);
        world.log.borrow_mut().unreadable += trouble.unreadable + u32::from(unreadable);
        let pool = &world.pool;
        let endpoints = pool.endpoints.iter().zip(self.state.endpoints_mut());
        for (position, (endpoint, state)) in endpoints.enumerate() {
            let cluster = &endpoint.cluster;
            state.set_others(self.slots.others(&pool.name, cluster, position, now));
        }
        self.state
            .budget
            .set_others(self.slots.spending(&pool.name, now));
        self.agreement.forget_unless(store, |endpoint| {
            self.slots.is_configured(&pool.name, endpoint, now)
        });
        self.check(world, store, now);
    }

    fn take_over(&mut self, world: &World) {
        if self.agreement.take_news() {
            let endpoints = world.pool.endpoints.iter();
            for (endpoint, state) in endpoints.zip(self.state.endpoints_mut()) {
                state.agree(self.agreement.get(&endpoint.cluster));
            }
        }
    }

    /// Makes the health checks that are due and that it is the first to claim.
    fn check(&mut self, world: &World, store: &dyn Store, now: Instant) {
        let Some(checks) = &world.pool.checks else {
            return;
        };
        let endpoints = self.state.endpoints();
        let due: Vec<_> = endpoints
            .filter(|(_, state)| state.agreed().health.check_is_due(now))
            .map(|(index, _)| index)
            .collect();
        for index in due {
            let draw = self.rng.random();
            let claimed = self.change(index, world, store, now, |_, agreed| {
                agreed.health.claim_check(checks, draw, now)
            });
            if claimed == Some(true) {
                let (worker, endpoint) = (self.place.number, index.position());
                let check = Check {
                    at: now,
                    worker,
                    endpoint,
                };
                world.log.borrow_mut().checks.push(check);
                let (status, takes) = world.answer(endpoint, now);
                let event = Event::Checked {
                    endpoint: index,
                    status,
                };
                world.schedule(now + takes, self.place, event);
            }
        }
    }

    /// Sends the next attempt of an exchange.
    fn attempt(
        &mut self,
        stream: u64,
        arrived: Instant,
        mut exchange: Exchange,
        world: &World,
        store: &dyn Store,
        now: Instant,
    ) {
        let Ok(attempt) = self.begin(&mut exchange, world, store, now) else {
            let took = now.since(arrived);
            world.log.borrow_mut().answer(Answer {
                arrived,
                took,
                good: false,
            });
            return;
        };
        let endpoint = attempt.endpoint().position();
        let (status, takes) = world.answer(endpoint, now);
        let logged = world.log.borrow_mut().attempt(Sent {
            at: now,
            ends: now + takes,
            worker: self.place.number,
            endpoint,
            trial: attempt.pass().trial().is_some(),
        });
        let (time, outcome) = if takes < attempt.timeout() {
            (takes, Outcome::Answered(status))
        } else {
            (attempt.timeout(), Outcome::Timeout)
        };
        world.schedule(now + time, self.place, Event::Ended { stream, outcome });
        let attempt = Some(attempt);
        let sent = Stream {
            arrived,
            exchange,
            attempt,
            logged,
        };
        self.streams.insert(stream, sent);
    }

    fn begin(
        &mut self,
        exchange: &mut Exchange,
        world: &World,
        store: &dyn Store,
        now: Instant,
    ) -> Result<Attempt, Denial> {
        for _ in 0..=world.pool.endpoints.len() {
            let choice = exchange.choose(&world.pool, &mut self.state, now, &mut self.rng)?;
            let expires = exchange.deadline() + PERMIT_GRACE;
            let pass = choice
                .free_pass
                .or_else(|| self.begin_trial(choice.endpoint, expires, world, store, now));
            if let Some(pass) = pass {
                let state = &mut self.state;
                return Ok(exchange.attempt(&world.pool, state, choice.endpoint, pass, now));
            }
        }
        Err(Denial::NoEndpointAvailable)
    }

    fn begin_trial(
        &mut self,
        endpoint: EndpointIndex,
        expires: Instant,
        world: &World,
        store: &dyn Store,
        now: Instant,
    ) -> Option<Pass> {
        let trial = TrialId(self.rng.random());
        self.change(endpoint, world, store, now, |pool, agreed| {
            let breaker = &mut agreed.breaker;
            breaker.begin_trial(&pool.breaker, trial, expires, now)
        })
        .flatten()
    }

    fn ended(&mut self, id: u64, outcome: Outcome, world: &World, store: &dyn Store, now: Instant) {
        let stream = self.streams.remove(&id).unwrap();
        let (mut exchange, logged) = (stream.exchange, stream.logged);
        let attempt = stream.attempt.unwrap();
        let pool = &world.pool;
        if outcome != Outcome::Timeout {
            // Perhaps a little earlier than planned, to be between another worker's read and write.
            world.log.borrow_mut().sent[logged].ends = now;
        }
        if let Some(judgement) = self.state.record(pool, &attempt, outcome, now) {
            self.change(judgement.endpoint, world, store, now, |pool, agreed| {
                judgement.apply(pool, agreed, now);
            });
        }
        let rng = &mut self.rng;
        let decision = exchange.ended(pool, &mut self.state, outcome.into(), now, rng);
        self.state.end(attempt);
        if let Decision::Again(delay) = decision {
            let waiting = Stream {
                exchange,
                attempt: None,
                ..stream
            };
            self.streams.insert(id, waiting);
            world.schedule(now + delay, self.place, Event::Retry { stream: id });
        } else {
            world.log.borrow_mut().answer(Answer {
                arrived: stream.arrived,
                took: now.since(stream.arrived),
                good: outcome.class() == Class::Success,
            });
        }
    }

    /// Changes what the workers agree on, and logs what came of it.
    fn change<T>(
        &mut self,
        index: EndpointIndex,
        world: &World,
        store: &dyn Store,
        now: Instant,
        change: impl Fn(&Pool, &mut Agreed) -> T,
    ) -> Option<T> {
        let endpoint = world.pool.endpoint(index).unwrap();
        let (mut old, mut new) = (Agreed::default(), Agreed::default());
        let agreement = &mut self.agreement;
        let (answer, written) =
            agreement.change_among(store, &endpoint.cluster, |agreed, others| {
                old = agreed.clone();
                let answer = change(&world.pool, agreed);
                let open = others.filter(|(_, other)| other.breaker.name() != StateName::Closed);
                world.pool.limit_open(&old, agreed, open.count());
                new = agreed.clone();
                answer
            });
        let state = self.state.endpoint_mut(index).unwrap();
        state.agree(self.agreement.get(&endpoint.cluster));
        let mut log = world.log.borrow_mut();
        log.changes += u32::from(old != new);
        if written.is_err() {
            log.lost += 1;
            return None;
        }
        if old.breaker.generation() != new.breaker.generation() {
            log.transitions.push(Transition {
                at: now,
                endpoint: index.position(),
                to: new.breaker.name(),
                until: new.breaker.open_until(),
            });
        }
        Some(answer)
    }
}

/// As in the filter.
const PERMIT_GRACE: Duration = Duration::from_secs(1);
