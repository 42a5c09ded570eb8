//! One worker as a proxy runs it: the engine, and what a host remembers for it.
//!
//! An event goes to the engine first. What the engine asks for is performed when it has returned:
//! the router and calls reach the upstreams, timers become events, and answers go to the log.

use core::mem::take;
use core::time::Duration;
use std::collections::BTreeMap;

use steerage_engine::action::{Call, Check, Reason, Sending, Trouble};
use steerage_engine::answer::Answer as EngineAnswer;
use steerage_engine::headers::HeaderMap;
use steerage_engine::settings::{PoolIndex, Settings};
use steerage_engine::{Action, Actions, End, StreamId, StreamKey, Turn};
use steerage_policy::endpoint::EndpointIndex;
use steerage_policy::outcome::{Class, Outcome};
use steerage_policy::pool::PoolState;
use steerage_policy::time::Instant;
use steerage_shared::store::Store;

use crate::log::{self, Answer, Sent};
use crate::upstream::Reply;
use crate::world::{Due, Event, Place, World};

/// A worker with its host.
#[derive(Debug)]
pub(crate) struct Worker {
    /// Its place. A worker that follows in it is another one.
    pub(crate) place: Place,
    engine: steerage_engine::Worker,
    actions: Actions,
    /// Clients that wait for their answers, by the number of their stream.
    clients: BTreeMap<u64, Client>,
    arrived: u64,
    /// When the host's timer fires.
    timer: Option<Due>,
    /// How much later it fires for the first time.
    late: Duration,
    /// When the last event has happened to it: its clock does not go back.
    lived: Instant,
}

#[derive(Debug)]
struct Client {
    arrived: Instant,
    /// `None` once it is refused on arrival.
    key: Option<StreamKey>,
    /// What the router's answer came to, which is at hand or held.
    answered: Option<Outcome>,
    /// Whether it is one of the minority.
    odd: bool,
}

/// An attempt's end, as the host will report it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    outcome: Outcome,
    /// Seconds that the answer asks for.
    retry_after: Option<u32>,
    /// The attempt's position in the log.
    logged: usize,
}

impl Worker {
    /// A worker that has seen nothing yet.
    pub(crate) fn new(place: Place, settings: &Settings, seed: u64) -> Self {
        Self {
            place,
            engine: steerage_engine::Worker::new(settings, seed),
            actions: Actions::new(),
            clients: BTreeMap::new(),
            arrived: 0,
            timer: None,
            late: Duration::ZERO,
            lived: Instant::ORIGIN,
        }
    }

    /// What it knows of the pool.
    pub(crate) fn state(&self) -> &PoolState {
        self.engine.pool_state(only_pool()).unwrap()
    }

    /// Attempts under way to an endpoint in all workers, as far as this one knows.
    pub(crate) fn active(&self, endpoint: usize) -> u32 {
        let index = EndpointIndex::new(endpoint).unwrap();
        self.state().endpoint(index).unwrap().active()
    }

    /// How many clients wait for their answers.
    pub(crate) fn waiting(&self) -> usize {
        self.clients.len()
    }

    /// When an event happens to it that is to happen `now`.
    pub(crate) fn clock(&self, now: Instant) -> Instant {
        self.lived.max(now)
    }

    /// Takes in what happens to it `now`.
    pub(crate) fn handle(&mut self, event: Event, world: &World, store: &dyn Store, now: Instant) {
        self.lived = now;
        match event {
            Event::Start { late } => {
                self.late = late;
                self.turn(store, now, |engine, turn| engine.start(turn));
            }
            Event::Tick => {
                self.timer = None;
                self.turn(store, now, |engine, turn| engine.tick(turn));
            }
            Event::Arrival => self.arrive(world, store, now),
            Event::Leave { stream } => self.leave(stream, world, store, now),
            Event::Answered { stream, ended } => self.answered(stream, ended, world, store, now),
            Event::Called { id, ended } => {
                ended.note(world, now);
                let answer = ended.answer(true);
                self.turn(store, now, |engine, turn| {
                    engine.call_answered(id, answer, turn);
                });
            }
            Event::Checked { id, status } => {
                let answer = EngineAnswer::head(Outcome::Answered(status));
                self.turn(store, now, |engine, turn| {
                    engine.call_answered(id, answer, turn);
                });
            }
        }
        while let Some(action) = self.actions.pop_front() {
            self.perform(action, world, store, now);
        }
    }

    fn turn<T>(
        &mut self,
        store: &dyn Store,
        now: Instant,
        event: impl FnOnce(&mut steerage_engine::Worker, &mut Turn<'_>) -> T,
    ) -> T {
        let mut turn = Turn::new(now, store, &mut self.actions);
        event(&mut self.engine, &mut turn)
    }

    fn arrive(&mut self, world: &World, store: &dyn Store, now: Instant) {
        self.arrived += 1;
        let stream = self.arrived;
        let (request, odd) = world.arrival(now);
        let key = self.turn(store, now, |engine, turn| {
            engine.request_head(StreamId(stream), only_pool(), request, None, turn)
        });
        let client = Client {
            arrived: now,
            key,
            answered: None,
            odd,
        };
        self.clients.insert(stream, client);
        if let Some(patience) = world.patience() {
            world.schedule(now + patience, self.place, Event::Leave { stream });
        }
    }

    fn leave(&mut self, stream: u64, world: &World, store: &dyn Store, now: Instant) {
        let Some(client) = self.clients.remove(&stream) else {
            return; // It has its answer.
        };
        let key = client.key.unwrap();
        if !self.engine.stream_closed(key) {
            self.turn(store, now, |engine, turn| {
                engine.stream_over(key, End::default(), turn);
            });
        }
        world.log.borrow_mut().left += 1;
    }

    /// The router reports the end of a first attempt.
    fn answered(
        &mut self,
        stream: u64,
        ended: Ended,
        world: &World,
        store: &dyn Store,
        now: Instant,
    ) {
        let Some(client) = self.clients.get_mut(&stream) else {
            return; // The client has its answer, or has left; the host has given the attempt up.
        };
        ended.note(world, now);
        client.answered = Some(ended.outcome);
        let key = client.key.unwrap();
        let answer = ended.answer(false);
        self.turn(store, now, |engine, turn| {
            engine.response_head(key, answer, turn);
        });
    }

    fn perform(&mut self, action: Action, world: &World, store: &dyn Store, now: Instant) {
        match action {
            Action::Route(route) => {
                let (sending, stream) = (route.sending, route.sending.stream.0);
                let reply = self.reply(sending, world, now);
                let (takes, ended) = self.send(sending, reply, false, world, now);
                world.schedule(now + takes, self.place, Event::Answered { stream, ended });
            }
            Action::Call(call) => self.call(&call, world, store, now),
            Action::Check(check) => self.check(check, world, now),
            Action::Pass(account) | Action::Resume(account) => {
                let stream = account.stream.0;
                let outcome = self.clients[&stream].answered.unwrap();
                self.close(stream, Some(outcome), account.reason, world, store, now);
            }
            Action::Give(given) => {
                let stream = given.account.stream.0;
                let outcome = given.answer.outcome;
                self.close(stream, Some(outcome), None, world, store, now);
            }
            Action::Refuse(refusal) => {
                let stream = refusal.account.stream.0;
                self.close(stream, None, Some(refusal.reason), world, store, now);
            }
            Action::SetTimer(period) => {
                if let Some(due) = self.timer.take() {
                    world.cancel(due);
                }
                let due = now + period + take(&mut self.late);
                self.timer = Some(world.schedule(due, self.place, Event::Tick));
            }
            Action::Trouble(trouble) => {
                let mut log = world.log.borrow_mut();
                match trouble {
                    Trouble::UnreadableRecord => log.unreadable += 1,
                    Trouble::Contention | Trouble::SharedData => {
                        log.changes += 1;
                        log.lost += 1;
                    }
                    Trouble::NoSlot | Trouble::RetryElsewhere => {}
                }
            }
            // Calls make the retries here.
            Action::Retry(_)
            | Action::Plan(..)
            | Action::Send(_)
            | Action::Release(_)
            | Action::ReleaseAnswer(_)
            | Action::Publish(_)
            | Action::Durations(..)
            | Action::AttemptEnded(_)
            | Action::Debug(_) => {}
        }
    }

    /// What the endpoint makes of an attempt.
    fn reply(&self, sending: Sending, world: &World, now: Instant) -> Reply {
        let client = self.clients.get(&sending.stream.0);
        let is_odd = client.is_some_and(|client| client.odd);
        world.reply(sending.endpoint.position(), is_odd, now)
    }

    /// Makes a call, or reports at once that nothing listens there.
    fn call(&mut self, call: &Call, world: &World, store: &dyn Store, now: Instant) {
        let (id, sending) = (call.id, call.sending);
        let reply = self.reply(sending, world, now);
        if reply.outcome == Outcome::ConnectFailure {
            world.log.borrow_mut().refused_calls += 1;
            return self.turn(store, now, |engine, turn| {
                engine.call_refused(id, Outcome::ConnectFailure, turn);
            });
        }
        let client = self.clients.get(&sending.stream.0);
        let key = client.and_then(|client| client.key);
        let is_hedge = key.is_some_and(|key| self.engine.awaits_answer(key));
        let (takes, ended) = self.send(sending, reply, is_hedge, world, now);
        world.schedule(now + takes, self.place, Event::Called { id, ended });
    }

    fn check(&self, check: Check, world: &World, now: Instant) {
        let (id, endpoint) = (check.id, check.endpoint.position());
        world.log.borrow_mut().checks.push(log::Check {
            at: now,
            worker: self.place.number,
            endpoint,
        });
        let reply = world.reply(endpoint, false, now);
        let status = reply.status();
        world.schedule(now + reply.takes, self.place, Event::Checked { id, status });
    }

    /// Sends an attempt: how long it takes and what it comes to, by its timeout at the latest.
    fn send(
        &self,
        sending: Sending,
        reply: Reply,
        is_hedge: bool,
        world: &World,
        now: Instant,
    ) -> (Duration, Ended) {
        let logged = world.log.borrow_mut().attempt(Sent {
            at: now,
            ends: now + reply.takes,
            worker: self.place.number,
            endpoint: sending.endpoint.position(),
            trial: sending.is_trial,
            hedge: is_hedge,
        });
        let (takes, outcome) = if reply.takes < sending.timeout {
            (reply.takes, reply.outcome)
        } else {
            (sending.timeout, Outcome::Timeout)
        };
        let ended = Ended {
            outcome,
            retry_after: reply.retry_after,
            logged,
        };
        (takes, ended)
    }

    /// A client gets its answer, all of it at once.
    fn close(
        &mut self,
        stream: u64,
        outcome: Option<Outcome>,
        reason: Option<Reason>,
        world: &World,
        store: &dyn Store,
        now: Instant,
    ) {
        let client = self.clients.remove(&stream).unwrap();
        let good = outcome.is_some_and(|outcome| outcome.class() == Class::Success);
        world.log.borrow_mut().answer(Answer {
            arrived: client.arrived,
            took: now.since(client.arrived),
            good: good && reason.is_none(),
            odd: client.odd,
            reason,
        });
        if let Some(key) = client.key {
            self.turn(store, now, |engine, turn| {
                engine.stream_over(key, End::default(), turn);
            });
        }
    }
}

impl Ended {
    /// Perhaps a little earlier than planned, to be between another worker's read and write.
    fn note(self, world: &World, now: Instant) {
        // An upstream does not notice that its answer is no longer wanted.
        if self.outcome != Outcome::Timeout {
            world.log.borrow_mut().sent[self.logged].ends = now;
        }
    }

    /// As the shell would report it: it reads a good answer's headers only if it has to hold them.
    fn answer(self, is_calls: bool) -> EngineAnswer {
        let is_good = self.outcome.class() == Class::Success;
        let seconds = self.retry_after.map(|seconds| seconds.to_string());
        let headers = match &seconds {
            Some(seconds) => Some(HeaderMap::of(&[("retry-after", seconds.as_str())])),
            None => (is_calls || !is_good).then(HeaderMap::default),
        };
        EngineAnswer {
            headers,
            ..EngineAnswer::head(self.outcome)
        }
    }
}

/// The pool of the simulation.
fn only_pool() -> PoolIndex {
    PoolIndex::new(0).unwrap()
}
