//! Plays a case through, as the filter drives the policy, in virtual time.
//!
//! What the workers agree on is a plain value here, to which the one that acts has exclusive
//! access. In between, a worker uses its copy, which it renews at least each [`SYNC_INTERVAL`], and
//! then publishes what it counts.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "positions are those of the case's own workers, requests and endpoints"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use rand::{SeedableRng as _, rngs::Xoshiro256PlusPlus};
use steerage_policy::balance::HashKey;
use steerage_policy::breaker::{Admission, Generation, TrialId};
use steerage_policy::endpoint::{Agreed, EndpointIndex, EndpointState, Others};
use steerage_policy::exchange::{Attempt, Exchange};
use steerage_policy::outcome::Outcome;
use steerage_policy::pool::{Pool, PoolState};
use steerage_policy::retry::Decision;
use steerage_policy::retry::idempotency::Repeatability;
use steerage_policy::time::Instant;

use crate::cases::{Case, Fate};
use crate::records::{Beginning, Look, Record, Records, Refusal};

/// After so long a worker has read what the others did.
pub(crate) const SYNC_INTERVAL: Duration = Duration::from_millis(100);

struct UnderWay {
    attempt: Attempt,
    fate: Fate,
    begun: Beginning,
    /// The breaker's state whose trial it is.
    trial_of: Option<Generation>,
}

struct Worker {
    state: PoolState,
    synced: Instant,
    /// What it has published, of each endpoint.
    published: Vec<Others>,
}

struct World<'a> {
    case: &'a Case,
    pool: &'a Pool,
    rng: Xoshiro256PlusPlus,
    workers: Vec<Worker>,
    agreed: Vec<Agreed>,
    trials: u64,
    /// Each exchange with the endpoints that it has tried.
    exchanges: BTreeMap<usize, (Exchange, Vec<EndpointIndex>)>,
    under_way: BTreeMap<(Instant, usize), UnderWay>,
    records: Records,
}

/// Plays a case through.
pub(crate) fn play(case: &Case) -> Records {
    let mut world = World::new(case);
    let mut due: BTreeMap<(Instant, usize), ()> = BTreeMap::new();
    for (id, request) in case.requests.iter().enumerate() {
        due.insert((Instant::ORIGIN + request.arrives, id), ());
    }
    let mut checks = case.checks.iter().enumerate().peekable();
    loop {
        let next_due = due.keys().next().copied();
        let next_end = world.under_way.keys().next().copied();
        let begins = match (next_due, next_end) {
            (None, None) => return world.end(),
            (due, end) => due.is_some_and(|due| end.is_none_or(|end| due < end)),
        };
        let next = if begins { next_due } else { next_end };
        let (now, id) = next.unwrap();
        let is_before =
            |check: &(usize, &(Duration, usize, bool))| Instant::ORIGIN + check.1.0 <= now;
        while let Some((number, (at, position, good))) = checks.next_if(is_before) {
            world.check(number, *position, *good, Instant::ORIGIN + *at);
        }
        if begins {
            due.remove(&(now, id));
            world.begin(id, now);
        } else if let Some(delay) = world.finish(id, now) {
            due.insert((now + delay, id), ());
        }
        world.look(now);
    }
}

impl<'a> World<'a> {
    fn new(case: &'a Case) -> Self {
        let pool = &case.pool;
        let worker = || Worker {
            state: PoolState::new(pool),
            synced: Instant::ORIGIN,
            published: vec![Others::default(); pool.endpoints.len()],
        };
        Self {
            case,
            pool,
            rng: Xoshiro256PlusPlus::seed_from_u64(case.seed),
            workers: (0..case.workers).map(|_| worker()).collect(),
            agreed: vec![Agreed::default(); pool.endpoints.len()],
            trials: 0,
            exchanges: BTreeMap::new(),
            under_way: BTreeMap::new(),
            records: Records {
                attempts: Vec::new(),
                refusals: Vec::new(),
                active: Vec::new(),
                looks: Vec::new(),
                left: Vec::new(),
                agreed: Vec::new(),
                end: Instant::ORIGIN,
            },
        }
    }

    /// The worker that `number` falls to, which is up to date enough.
    fn worker(&mut self, number: usize, now: Instant) -> usize {
        let number = number % self.workers.len();
        if now.since(self.workers[number].synced) >= SYNC_INTERVAL {
            self.sync(number, now);
        }
        number
    }

    fn sync(&mut self, number: usize, now: Instant) {
        for (position, agreed) in self.agreed.iter().enumerate() {
            let mut others = Others::default();
            for (other, worker) in self.workers.iter().enumerate() {
                if other != number {
                    others.merge(&worker.published[position]);
                }
            }
            let worker = &mut self.workers[number];
            let index = EndpointIndex::new(position).unwrap();
            let state = worker.state.endpoint_mut(index).unwrap();
            state.agree(agreed.clone());
            state.set_others(others);
            worker.published[position] = state.report(now);
        }
        self.workers[number].synced = now;
    }

    /// Changes what is agreed on for an endpoint; the worker takes it over at once.
    fn change<T>(
        &mut self,
        worker: usize,
        endpoint: EndpointIndex,
        change: impl FnOnce(&Pool, &mut Agreed) -> T,
    ) -> T {
        let agreed = &mut self.agreed[endpoint.position()];
        let answer = change(self.pool, agreed);
        let state = self.workers[worker].state.endpoint_mut(endpoint).unwrap();
        state.agree(agreed.clone());
        answer
    }

    fn check(&mut self, number: usize, position: usize, good: bool, now: Instant) {
        let worker = self.worker(number, now);
        let endpoint = EndpointIndex::new(position % self.pool.endpoints.len()).unwrap();
        self.change(worker, endpoint, |pool, agreed| {
            agreed.breaker.checked(&pool.breaker, good, now);
        });
    }

    /// An exchange asks for its next attempt.
    fn begin(&mut self, id: usize, now: Instant) {
        let (case, pool) = (self.case, self.pool);
        let worker = self.worker(id, now);
        let request = &case.requests[id];
        let (mut exchange, mut tried) = self.exchanges.remove(&id).unwrap_or_else(|| {
            let key = request.key.map(|key| HashKey::of(&key.to_le_bytes()));
            let repeatability = Repeatability {
                allowed: true,
                obstacle: None,
            };
            let state = &mut self.workers[worker].state;
            let exchange = Exchange::begin(pool, state, repeatability, key, None, now);
            (exchange, Vec::new())
        });
        // Each round without a pass teaches the worker of one more endpoint that it is refused.
        for round in 0.. {
            assert!(round <= pool.endpoints.len(), "it asks for ever");
            let state = &mut self.workers[worker].state;
            let choice = match exchange.choose(pool, state, now, &mut self.rng) {
                Ok(choice) => choice,
                Err(reason) => {
                    self.records.refusals.push(Refusal {
                        at: now,
                        deadline: exchange.deadline(),
                        reason,
                        available: self.available(worker, now).count(),
                    });
                    break;
                }
            };
            let endpoint = choice.endpoint;
            let untried = self.untried(worker, &tried, now);
            let known = self.admission(self.state(worker, endpoint), now);
            let agreed = self.agreed[endpoint.position()]
                .breaker
                .admission(&pool.breaker, now);
            let pass = choice.free_pass.or_else(|| {
                self.trials += 1;
                let trial = TrialId(self.trials);
                let expires = exchange.deadline() + Duration::from_secs(1);
                self.change(worker, endpoint, |pool, agreed| {
                    agreed
                        .breaker
                        .begin_trial(&pool.breaker, trial, expires, now)
                })
            });
            let Some(pass) = pass else { continue };
            let begun = Beginning {
                at: now,
                synced: self.workers[worker].synced,
                known,
                agreed,
                is_trial: pass.trial().is_some(),
                untried,
            };
            let state = &mut self.workers[worker].state;
            let attempt = exchange.attempt(pool, state, endpoint, pass, now);
            let fate = request
                .fates
                .get(tried.len())
                .or_else(|| request.fates.last());
            let mut fate = *fate.unwrap();
            tried.push(endpoint);
            if fate.took >= attempt.timeout() {
                fate.took = attempt.timeout();
                fate.outcome = Outcome::Timeout;
            }
            let agreed = &self.agreed[endpoint.position()];
            let under_way = UnderWay {
                attempt,
                fate,
                begun,
                trial_of: begun.is_trial.then(|| agreed.breaker.generation()),
            };
            self.under_way.insert((now + fate.took, id), under_way);
            break;
        }
        self.exchanges.insert(id, (exchange, tried));
    }

    /// An attempt ends; the delay of the next one, if there is to be one.
    fn finish(&mut self, id: usize, now: Instant) -> Option<Duration> {
        let pool = self.pool;
        let worker = self.worker(id, now);
        let UnderWay {
            attempt,
            fate,
            begun,
            ..
        } = self.under_way.remove(&(now, id)).unwrap();
        let (mut exchange, tried) = self.exchanges.remove(&id).unwrap();
        exchange.repeatability = fate.repeatability;
        let state = &mut self.workers[worker].state;
        if let Some(judgement) = state.record(pool, &attempt, fate.outcome, now) {
            self.change(worker, judgement.endpoint, |pool, agreed| {
                judgement.apply(pool, agreed, now);
            });
        }
        let state = &mut self.workers[worker].state;
        let ending = fate.outcome.into();
        let decision = exchange.ended(pool, state, ending, now, &mut self.rng);
        self.records.attempts.push(Record {
            request: id,
            number: attempt.number(),
            endpoint: attempt.endpoint(),
            deadline: exchange.deadline(),
            begun,
            ended: now,
            outcome: fate.outcome,
            repeatability: fate.repeatability,
            untried: self.untried(worker, &tried, now),
            decision,
        });
        self.workers[worker].state.end(attempt);
        self.exchanges.insert(id, (exchange, tried));
        match decision {
            Decision::Again(delay) => Some(delay),
            Decision::Stop(_) => None,
        }
    }

    fn state(&self, worker: usize, endpoint: EndpointIndex) -> &EndpointState {
        self.workers[worker].state.endpoint(endpoint).unwrap()
    }

    fn admission(&self, state: &EndpointState, now: Instant) -> Admission {
        state.breaker().admission(&self.pool.breaker, now)
    }

    /// The endpoints that a worker takes for available: here only breakers exclude any.
    fn available(&self, worker: usize, now: Instant) -> impl Iterator<Item = EndpointIndex> {
        let states = self.workers[worker].state.endpoints();
        states
            .filter(move |(_, state)| self.admission(state, now) != Admission::Refused)
            .map(|(index, _)| index)
    }

    /// The untried ones among those; drained ones only where nothing else is available.
    fn untried(&self, worker: usize, tried: &[EndpointIndex], now: Instant) -> usize {
        let drained =
            |index: &EndpointIndex| self.pool.endpoints[index.position()].weight.is_drained();
        let only_drained = self.available(worker, now).all(|index| drained(&index));
        self.available(worker, now)
            .filter(|index| only_drained || !drained(index))
            .filter(|index| !tried.contains(index))
            .count()
    }

    /// Writes down how things are after an event.
    fn look(&mut self, now: Instant) {
        let states = self
            .workers
            .iter()
            .flat_map(|worker| worker.state.endpoints());
        let active = if self.case.workers == 1 {
            states.map(|(_, state)| state.active()).sum()
        } else {
            states.map(|(_, state)| state.report(now).active).sum()
        };
        self.records.active.push((self.under_way.len(), active));
        for (position, Agreed { breaker, .. }) in self.agreed.iter().enumerate() {
            let trials = self.under_way.values().filter(|under_way| {
                under_way.attempt.endpoint().position() == position
                    && under_way.trial_of == Some(breaker.generation())
            });
            self.records.looks.push(Look {
                state: breaker.name(),
                admission: breaker.admission(&self.pool.breaker, now),
                trials: trials.count(),
            });
        }
        self.records.end = now;
    }

    fn end(mut self) -> Records {
        let now = self.records.end;
        // Twice: what one worker publishes last, the one before it reads in the second round.
        for number in (0..self.workers.len()).chain(0..self.workers.len()) {
            self.sync(number, now);
        }
        let workers = self.workers.iter();
        self.records.left = workers
            .map(|worker| {
                worker
                    .state
                    .endpoints()
                    .map(|(_, state)| state.active())
                    .sum()
            })
            .collect();
        self.records.agreed = self.agreed;
        self.records
    }
}
