//! Clients in front of several workers, in virtual time: each sends its next request a while after
//! the last one was answered. Workers agree on breakers at once where they change them, and read of
//! others' changes and of what is under way there once a tenth of a second, as they do in a proxy.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::*;
use crate::breaker::Pass;
use crate::endpoint::Others;
use crate::exchange::{Attempt, Exchange};
use crate::pool::PoolState;
use crate::retry::Decision;
use crate::retry::idempotency::Repeatability;

/// The workers of one proxy with their clients.
pub(super) struct Fleet {
    pub(super) pool: Pool,
    pub(super) agreed: Vec<Agreed>,
    pub(super) now: Instant,
    workers: Vec<Worker>,
    rng: Xoshiro256PlusPlus,
    events: BTreeMap<(Instant, u64), Event>,
    sent: u64,
}

struct Worker {
    state: PoolState,
    published: Vec<Others>,
}

/// What happens next.
enum Event {
    /// A worker publishes and reads.
    Sync(usize),
    /// A client of this worker sends its next request.
    Send(usize),
    /// A retry is due.
    Retry(usize, Exchange),
    /// An attempt has ended.
    End(usize, Exchange, Attempt, Outcome),
}

/// What was seen in a while.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// First attempts, by endpoint.
    pub(super) first: Vec<u32>,
    /// Retries, by endpoint.
    pub(super) retries: Vec<u32>,
    /// Requests with a good answer.
    pub(super) served: u32,
    /// When the others ended.
    pub(super) failed: Vec<Instant>,
    /// The difference of attempts under way at the first two endpoints, on average.
    pub(super) gap: f64,
}

impl Seen {
    /// An endpoint's share of the first attempts.
    pub(super) fn share(&self, endpoint: usize) -> f64 {
        f64::from(self.first[endpoint]) / f64::from(self.first.iter().sum::<u32>())
    }
}

impl Fleet {
    /// `clients` says how many there are at each worker.
    pub(super) fn new(strategy: Strategy, endpoints: &str, clients: &[usize], seed: u64) -> Self {
        let endpoints = endpoints.split_whitespace().map(|text| parsed(text).0);
        let mut pool = Pool::new("pool", endpoints.collect());
        pool.strategy = strategy;
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let none = alloc::vec![Others::default(); pool.endpoints.len()];
        let mut fleet = Self {
            agreed: pool.endpoints.iter().map(|_| Agreed::default()).collect(),
            now: Instant::ORIGIN,
            workers: clients
                .iter()
                .map(|_| {
                    let mut state = PoolState::new(&pool);
                    state.begin_at(rng.random());
                    Worker {
                        state,
                        published: none.clone(),
                    }
                })
                .collect(),
            rng,
            events: BTreeMap::new(),
            sent: 0,
            pool,
        };
        for (worker, clients) in clients.iter().enumerate() {
            fleet.soon(SYNC, Event::Sync(worker));
            for _ in 0..*clients {
                fleet.soon(Duration::from_millis(50), Event::Send(worker));
            }
        }
        fleet
    }

    /// Lets `seconds` pass. `pause` lies between an answer and the client's next request. `answer`
    /// says what an endpoint does with an attempt: how many milliseconds it takes, and its outcome.
    pub(super) fn run(
        &mut self,
        seconds: f64,
        pause: Duration,
        answer: impl Fn(Instant, usize) -> (u64, Outcome),
    ) -> Seen {
        let begin = self.now;
        let end = begin + crate::time::from_seconds(seconds);
        let none = || self.pool.endpoints.iter().map(|_| 0).collect();
        let mut seen = Seen {
            first: none(),
            retries: none(),
            ..Seen::default()
        };
        while let Some(entry) = self.events.first_entry().filter(|it| it.key().0 < end) {
            let ((now, _), event) = entry.remove_entry();
            seen.gap += self.gap() * now.since(self.now).as_secs_f64() / seconds;
            self.now = now;
            match event {
                Event::Sync(worker) => {
                    self.sync(worker);
                    self.after(SYNC, Event::Sync(worker));
                }
                Event::Send(worker) => {
                    let state = &mut self.workers[worker].state;
                    let exchange = Exchange::begin(&self.pool, state, REPEATABLE, None, None, now);
                    self.attempt(worker, exchange, pause, &answer, &mut seen);
                }
                Event::Retry(worker, exchange) => {
                    self.attempt(worker, exchange, pause, &answer, &mut seen);
                }
                Event::End(worker, mut exchange, attempt, outcome) => {
                    self.record(worker, &attempt, outcome);
                    let state = &mut self.workers[worker].state;
                    state.end(attempt);
                    let ending = outcome.into();
                    match exchange.ended(&self.pool, state, ending, now, &mut self.rng) {
                        Decision::Again(delay) => self.after(delay, Event::Retry(worker, exchange)),
                        Decision::Stop(_) => {
                            if outcome == Outcome::Answered(200) {
                                seen.served += 1;
                            } else {
                                seen.failed.push(now);
                            }
                            self.after(pause, Event::Send(worker));
                        }
                    }
                }
            }
        }
        self.now = end;
        seen
    }

    fn attempt(
        &mut self,
        worker: usize,
        mut exchange: Exchange,
        pause: Duration,
        answer: impl Fn(Instant, usize) -> (u64, Outcome),
        seen: &mut Seen,
    ) {
        let Some((index, pass)) = self.choose(worker, &exchange) else {
            seen.failed.push(self.now);
            return self.after(pause.max(Duration::from_millis(1)), Event::Send(worker));
        };
        let (now, position) = (self.now, index.position());
        let state = &mut self.workers[worker].state;
        let attempt = exchange.attempt(&self.pool, state, index, pass, now);
        let counts = match attempt.number() {
            1 => &mut seen.first,
            _ => &mut seen.retries,
        };
        counts[position] += 1;
        let (milliseconds, outcome) = answer(now, position);
        // No two take the same time, as everywhere.
        let took = Duration::from_micros(milliseconds * self.rng.random_range(950..=1_050));
        self.after(took, Event::End(worker, exchange, attempt, outcome));
    }

    fn choose(&mut self, worker: usize, exchange: &Exchange) -> Option<(EndpointIndex, Pass)> {
        let now = self.now;
        for _ in 0..=self.pool.endpoints.len() {
            let state = &mut self.workers[worker].state;
            let choice = exchange
                .choose(&self.pool, state, now, &mut self.rng)
                .ok()?;
            if let Some(pass) = choice.free_pass {
                return Some((choice.endpoint, pass));
            }
            let agreed = &mut self.agreed[choice.endpoint.position()];
            let (trial, expires) = (TrialId(self.rng.random()), exchange.deadline());
            let policy = &self.pool.breaker;
            let pass = agreed.breaker.begin_trial(policy, trial, expires, now);
            state.endpoint_mut(choice.endpoint)?.agree(agreed.clone());
            if let Some(pass) = pass {
                return Some((choice.endpoint, pass));
            }
        }
        None
    }

    fn record(&mut self, worker: usize, attempt: &Attempt, outcome: Outcome) {
        let (now, pool) = (self.now, &self.pool);
        let state = &mut self.workers[worker].state;
        let Some(judgement) = state.record(pool, attempt, outcome.into(), now) else {
            return;
        };
        let index = judgement.endpoint;
        if judgement.apply(pool, &mut self.agreed[index.position()], now) {
            for agreed in &mut self.agreed {
                agreed.breaker.end_open_time(now);
            }
        }
        for (state, agreed) in state.endpoints_mut().zip(&self.agreed) {
            state.agree(agreed.clone());
        }
    }

    fn sync(&mut self, worker: usize) {
        let now = self.now;
        let own = &mut self.workers[worker];
        own.published = own
            .state
            .endpoints()
            .map(|(_, state)| state.report(now))
            .collect();
        let others: Vec<_> = (0..self.pool.endpoints.len())
            .map(|position| {
                let mut all = Others::default();
                for (other, published) in self.workers.iter().enumerate() {
                    if other != worker {
                        all.merge(&published.published[position]);
                    }
                }
                all
            })
            .collect();
        let states = self.workers[worker].state.endpoints_mut();
        for ((state, others), agreed) in states.zip(others).zip(&self.agreed) {
            state.set_others(others);
            state.agree(agreed.clone());
        }
    }

    /// The difference of attempts under way at the first two endpoints, for their weight.
    fn gap(&self) -> f64 {
        let active = |position: usize| -> f64 {
            let workers = self.workers.iter();
            let own =
                workers.map(|worker| worker.state.endpoints[position].report(self.now).active);
            f64::from(own.sum::<u32>())
        };
        (active(0) - active(1)).abs()
    }

    /// At a time drawn within `within`.
    fn soon(&mut self, within: Duration, event: Event) {
        let part: f64 = self.rng.random();
        let after = crate::time::from_seconds(within.as_secs_f64() * part);
        self.after(after, event);
    }

    fn after(&mut self, delay: Duration, event: Event) {
        self.sent += 1;
        self.events.insert((self.now + delay, self.sent), event);
    }
}

/// How often workers publish and read.
const SYNC: Duration = Duration::from_millis(100);

const REPEATABLE: Repeatability = Repeatability {
    allowed: true,
    obstacle: None,
};
