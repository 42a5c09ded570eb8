//! Plays a case through: the engine that ships, in virtual time.
//!
//! The workers share one store. Each makes a round before it acts, if its last one was a round
//! interval ago, so that nothing happens while nobody asks. A retry is ticked at the moment that it
//! is due. What is decided is read from the actions, among them the lines of the debug log.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "positions are those of the case's own workers, requests and endpoints"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use steerage_engine::action::{Account, CallId, Reason, Sending};
use steerage_engine::answer::Answer;
use steerage_engine::headers::HeaderMap;
use steerage_engine::request::Request;
use steerage_engine::settings::{PoolIndex, PoolSettings, Settings};
use steerage_engine::{Action, Actions, StreamId, StreamKey, Turn, Worker};
use steerage_policy::breaker::{Admission, Generation};
use steerage_policy::endpoint::{Agreed, EndpointIndex};
use steerage_policy::outcome::Outcome;
use steerage_policy::pool::{Pool, PoolState};
use steerage_policy::retry::Decision;
use steerage_policy::retry::idempotency::Repeatability;
use steerage_policy::retry::reason::Denial;
use steerage_policy::time::Instant;
use steerage_shared::agreement::Agreement;
use steerage_shared::key;
use steerage_shared::memory::Memory;

use crate::cases::{self, Case, Fate};
use crate::records::{Beginning, Look, Record, Records, Refusal};

/// After so long a worker has read what the others did.
pub(crate) const SYNC_INTERVAL: Duration = Duration::from_millis(100);

/// From one round to the next: a little less, because a tick handles what is due before its round.
/// No sum of whole milliseconds.
const ROUND: Duration = Duration::from_nanos(98_999_993);

/// What happens, in this order if at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The attempt of a request ends.
    Ended(usize),
    /// A health check ends: its number.
    Checked(usize),
    /// The retry of a request is due.
    Due(usize),
    /// A request arrives.
    Arrival(usize),
}

/// An attempt under way.
struct UnderWay {
    sending: Sending,
    /// `None` if the router has it.
    call: Option<CallId>,
    fate: Fate,
    begun: Beginning,
    /// The breaker's state whose trial it is.
    trial_of: Option<Generation>,
}

/// A worker, and when it has read last what the others did.
struct Member {
    worker: Worker,
    synced: Instant,
}

/// What is known of a request.
#[derive(Default)]
struct Client {
    key: Option<StreamKey>,
    tried: Vec<EndpointIndex>,
    under_way: Option<UnderWay>,
}

/// How things are before an event: of each endpoint, what a worker knows and what is agreed.
struct Before {
    known: Vec<Admission>,
    agreed: Vec<Admission>,
}

struct World<'a> {
    case: &'a Case,
    pool: &'a Pool,
    members: Vec<Member>,
    store: Memory,
    observer: Agreement,
    events: BTreeMap<(Instant, Event), ()>,
    clients: Vec<Client>,
    /// Checks that have been made: by whom, and the call of each.
    checks: Vec<(usize, CallId)>,
    /// The endpoints that have been checked.
    checked: Vec<EndpointIndex>,
    records: Records,
}

/// Plays a case through.
pub(crate) fn play(case: &Case) -> Records {
    let mut world = World::new(case);
    for (id, request) in case.requests.iter().enumerate() {
        let arrives = Instant::ORIGIN + request.arrives;
        world.events.insert((arrives, Event::Arrival(id)), ());
    }
    while let Some(((now, event), ())) = world.events.pop_first() {
        match event {
            Event::Arrival(id) => world.arrive(id, now),
            Event::Due(id) => world.retry(id, now),
            Event::Ended(id) => world.finish(id, now),
            Event::Checked(number) => world.check(number, now),
        }
        world.look(now);
    }
    world.end()
}

impl<'a> World<'a> {
    fn new(case: &'a Case) -> Self {
        let pool = &case.pool;
        let settings = Settings {
            sync_interval: ROUND,
            ..Settings::new([PoolSettings::of(pool.clone())].into())
        };
        let member = |number: u64| Member {
            worker: Worker::new(&settings, case.seed.wrapping_add(number)),
            synced: Instant::ORIGIN,
        };
        let mut world = Self {
            case,
            pool,
            members: (0..case.workers as u64).map(member).collect(),
            store: Memory::default(),
            observer: Agreement::new(key::agreement(&pool.name)),
            events: BTreeMap::new(),
            clients: case.requests.iter().map(|_| Client::default()).collect(),
            checks: Vec::new(),
            checked: Vec::new(),
            records: Records {
                attempts: Vec::new(),
                refusals: Vec::new(),
                active: Vec::new(),
                looks: Vec::new(),
                left: Vec::new(),
                agreed: Vec::new(),
                end: Instant::ORIGIN,
            },
        };
        for number in 0..case.workers {
            world.event(number, Instant::ORIGIN, |worker, turn| worker.start(turn));
            world.sync(number, Instant::ORIGIN);
        }
        world
    }

    /// An event, and the actions that follow.
    fn event<T>(
        &mut self,
        number: usize,
        now: Instant,
        event: impl FnOnce(&mut Worker, &mut Turn<'_>) -> T,
    ) -> (T, Actions) {
        let mut actions = Actions::new();
        let mut turn = Turn {
            debug: true,
            ..Turn::new(now, &self.store, &mut actions)
        };
        let answer = event(&mut self.members[number].worker, &mut turn);
        (answer, actions)
    }

    /// The worker that `id` falls to, which is up to date enough.
    fn worker(&mut self, id: usize, now: Instant) -> usize {
        let number = id % self.members.len();
        let member = &self.members[number];
        if member.worker.round_is_due(now) {
            // Just before: what is due now is handled by a tick of its own.
            let just_before = now.before(Duration::from_nanos(1));
            self.sync(number, just_before.max(member.synced + ROUND));
        }
        number
    }

    fn sync(&mut self, number: usize, now: Instant) {
        let ((), actions) = self.event(number, now, |worker, turn| worker.tick(turn));
        self.members[number].synced = now;
        for action in actions {
            if let Action::Check(check) = action {
                let id = self.checks.len();
                let (took, _) = self.case.checks[id % self.case.checks.len()];
                self.checks.push((number, check.id));
                self.checked.push(check.endpoint);
                self.events.insert((now + took, Event::Checked(id)), ());
            }
        }
    }

    fn check(&mut self, id: usize, now: Instant) {
        let (number, call) = self.checks[id];
        let (_, good) = self.case.checks[id % self.case.checks.len()];
        // A single bad check is a verdict if it is the first.
        let is_first = !self.checked[..id].contains(&self.checked[id]);
        let status = if good || is_first { 200 } else { 503 };
        let answer = Answer::head(Outcome::Answered(status));
        self.event(number, now, |worker, turn| {
            worker.call_answered(call, answer, turn);
        });
    }

    fn arrive(&mut self, id: usize, now: Instant) {
        let number = self.worker(id, now);
        let before = self.before(number, now);
        let arriving = &self.case.requests[id];
        let request = request(arriving);
        let is_complete = request.is_complete();
        let (key, actions) = self.event(number, now, |worker, turn| {
            let pool = PoolIndex::new(0).unwrap();
            worker.request_head(StreamId(id as u64), pool, request, None, turn)
        });
        self.clients[id].key = key;
        self.begin(id, actions, &before, now);
        let obstacle = arriving.repeatability.obstacle;
        if let Some(key) = key.filter(|_| !is_complete)
            && obstacle != Some(Denial::IncompleteRequest)
        {
            self.event(number, now, |worker, turn| {
                if obstacle == Some(Denial::Trailers) {
                    worker.request_trailers(key);
                }
                worker.request_completed(key, turn);
            });
        }
    }

    fn retry(&mut self, id: usize, now: Instant) {
        let number = self.worker(id, now);
        let before = self.before(number, now);
        let ((), actions) = self.event(number, now, |worker, turn| worker.tick(turn));
        self.begin(id, actions, &before, now);
    }

    /// The next attempt of a request has begun, or there is none.
    fn begin(&mut self, id: usize, actions: Actions, before: &Before, now: Instant) {
        let refuse = |account: &Account| match account.reason {
            Some(Reason::DeadlineExceeded) => Denial::Deadline,
            Some(Reason::Overloaded) => Denial::Overloaded,
            Some(Reason::NoEndpointAvailable) => Denial::NoEndpointAvailable,
            _ => account.denial.unwrap(),
        };
        for action in actions {
            match action {
                Action::Route(route) => self.begun(id, route.sending, None, before, now),
                Action::Call(call) => self.begun(id, call.sending, Some(call.id), before, now),
                Action::Refuse(refusal) => self.refused(id, refuse(&refusal.account), now),
                Action::Resume(account) => self.refused(id, refuse(&account), now),
                Action::Give(given) => self.refused(id, refuse(&given.account), now),
                _ => {}
            }
        }
    }

    fn begun(
        &mut self,
        id: usize,
        sending: Sending,
        call: Option<CallId>,
        before: &Before,
        now: Instant,
    ) {
        assert_eq!(
            sending.stream,
            StreamId(id as u64),
            "one exchange at a time"
        );
        let number = id % self.members.len();
        let endpoint = sending.endpoint;
        let tried = &self.clients[id].tried;
        // This attempt counts as available now, and may have taken the last trial of its endpoint.
        let all = self
            .available(number, now)
            .filter(|index| *index != endpoint);
        let all: Vec<_> = all.chain([endpoint]).collect();
        let untried = self.untried(&all, tried);
        let begun = Beginning {
            at: now,
            synced: self.members[number].synced,
            known: before.known[endpoint.position()],
            agreed: before.agreed[endpoint.position()],
            is_trial: sending.is_trial,
            untried,
        };
        let fates = &self.case.requests[id].fates;
        let mut fate = *fates.get(tried.len()).or_else(|| fates.last()).unwrap();
        if fate.took >= sending.timeout {
            fate.took = sending.timeout;
            fate.outcome = Outcome::Timeout;
        }
        let generation = self.agreed(endpoint).breaker.generation();
        let client = &mut self.clients[id];
        client.tried.push(endpoint);
        client.under_way = Some(UnderWay {
            sending,
            call,
            fate,
            begun,
            trial_of: begun.is_trial.then_some(generation),
        });
        self.events.insert((now + fate.took, Event::Ended(id)), ());
    }

    /// The untried ones of these; drained ones only if all of these are drained.
    fn untried(&self, all: &[EndpointIndex], tried: &[EndpointIndex]) -> usize {
        let endpoints = &self.case.pool.endpoints;
        let drained = |index: &EndpointIndex| endpoints[index.position()].weight.is_drained();
        let only_drained = all.iter().all(drained);
        all.iter()
            .filter(|index| only_drained || !drained(index))
            .filter(|index| !tried.contains(index))
            .count()
    }

    fn refused(&mut self, id: usize, reason: Denial, now: Instant) {
        let number = id % self.members.len();
        self.records.refusals.push(Refusal {
            at: now,
            deadline: self.deadline(id),
            reason,
            available: self.available(number, now).count(),
        });
        self.close(id);
    }

    /// The stream is over: the client has its answer.
    fn close(&mut self, id: usize) {
        let number = id % self.members.len();
        if let Some(key) = self.clients[id].key.take() {
            let is_over = self.members[number].worker.stream_closed(key);
            assert!(is_over, "a client that has its answer awaits no other");
        }
    }

    /// An attempt ends.
    fn finish(&mut self, id: usize, now: Instant) {
        let number = self.worker(id, now);
        let client = &mut self.clients[id];
        let under_way = client.under_way.take().unwrap();
        let key = client.key.unwrap();
        let (fate, call) = (under_way.fate, under_way.call);
        let answer = Answer {
            headers: Some(HeaderMap::default()),
            ..Answer::head(fate.outcome)
        };
        let ((), actions) = self.event(number, now, |worker, turn| match call {
            Some(call) => worker.call_answered(call, answer, turn),
            None => {
                worker.response_head(key, answer, turn);
            }
        });
        let exchange = self.members[number].worker.exchange(key).unwrap();
        let mut decision = Decision::Stop(None);
        let mut is_over = false;
        for action in actions {
            match action {
                Action::Debug(line) if line.starts_with("event=retry ") => {
                    decision = Decision::Again(exchange.waited());
                }
                Action::Debug(line) if line.starts_with("event=stop ") => {
                    decision = Decision::Stop(exchange.denial());
                }
                Action::Pass(_) | Action::Resume(_) | Action::Give(_) | Action::Refuse(_) => {
                    is_over = true;
                }
                _ => {}
            }
        }
        let sending = under_way.sending;
        let tried = &self.clients[id].tried;
        let untried = self.untried(&self.available(number, now).collect::<Vec<_>>(), tried);
        self.records.attempts.push(Record {
            request: id,
            number: sending.number,
            endpoint: sending.endpoint,
            deadline: self.deadline(id),
            begun: under_way.begun,
            ended: now,
            outcome: fate.outcome,
            repeatability: self.case.requests[id].repeatability,
            untried,
            decision,
        });
        match decision {
            Decision::Again(delay) => {
                assert!(!is_over, "a retry follows");
                self.events.insert((now + delay, Event::Due(id)), ());
            }
            Decision::Stop(_) => {
                assert!(is_over, "the client is answered");
                self.close(id);
            }
        }
    }

    fn deadline(&self, id: usize) -> Instant {
        Instant::ORIGIN + self.case.requests[id].arrives + self.pool.timeouts.total()
    }

    fn state(&self, number: usize) -> &PoolState {
        let pool = PoolIndex::new(0).unwrap();
        self.members[number].worker.pool_state(pool).unwrap()
    }

    /// What is agreed on an endpoint, as the store shows it.
    fn agreed(&mut self, endpoint: EndpointIndex) -> Agreed {
        self.observer.refresh(&self.store);
        let endpoint = self.pool.endpoint(endpoint).unwrap();
        self.observer.get(&endpoint.cluster)
    }

    fn all_agreed(&mut self) -> Vec<Agreed> {
        self.observer.refresh(&self.store);
        let endpoints = self.pool.endpoints.iter();
        endpoints
            .map(|endpoint| self.observer.get(&endpoint.cluster))
            .collect()
    }

    fn before(&mut self, number: usize, now: Instant) -> Before {
        let policy = &self.pool.breaker;
        let agreed = self.all_agreed().into_iter();
        Before {
            agreed: agreed.map(|it| it.breaker.admission(policy, now)).collect(),
            known: self
                .state(number)
                .endpoints()
                .map(|(_, state)| state.breaker().admission(policy, now))
                .collect(),
        }
    }

    /// The endpoints that a worker takes for available: here only breakers exclude any.
    fn available(&self, number: usize, now: Instant) -> impl Iterator<Item = EndpointIndex> {
        let policy = &self.pool.breaker;
        let states = self.state(number).endpoints();
        states
            .filter(move |(_, state)| state.breaker().admission(policy, now) != Admission::Refused)
            .map(|(index, _)| index)
    }

    /// Writes down how things are after an event.
    fn look(&mut self, now: Instant) {
        let states = (0..self.members.len()).flat_map(|number| self.state(number).endpoints());
        let active = if self.case.workers == 1 {
            states.map(|(_, state)| state.active()).sum()
        } else {
            states.map(|(_, state)| state.report(now).active).sum()
        };
        let under_way = || {
            let clients = self.clients.iter();
            clients.filter_map(|client| client.under_way.as_ref())
        };
        let count = under_way().count();
        let trials: Vec<_> = under_way()
            .filter_map(|it| Some((it.sending.endpoint.position(), it.trial_of?)))
            .collect();
        self.records.active.push((count, active));
        for (position, Agreed { breaker, .. }) in self.all_agreed().iter().enumerate() {
            let of = |trial: &&(usize, Generation)| **trial == (position, breaker.generation());
            self.records.looks.push(Look {
                state: breaker.name(),
                admission: breaker.admission(&self.pool.breaker, now),
                trials: trials.iter().filter(of).count(),
            });
        }
        self.records.end = now;
    }

    fn end(mut self) -> Records {
        self.records.agreed = self.all_agreed();
        // Twice: what one worker publishes last, the one before it reads in the second round.
        for round in 1..=2 {
            for number in 0..self.members.len() {
                self.sync(number, self.records.end + ROUND * round);
            }
        }
        let active = |number| -> u32 {
            let states = self.state(number).endpoints();
            states.map(|(_, state)| state.active()).sum()
        };
        self.records.left = (0..self.members.len()).map(active).collect();
        self.records
    }
}

/// A request as it arrives, of which this is known.
fn request(request: &cases::Request) -> Request {
    let Repeatability { allowed, obstacle } = request.repeatability;
    let path = request
        .key
        .map_or_else(|| "/".to_owned(), |key| format!("/{key}"));
    let mut head = vec![
        (":method", if allowed { "GET" } else { "POST" }),
        (":path", path.as_str()),
        (":authority", "shop"),
    ];
    head.extend(match obstacle {
        Some(Denial::Grpc) => Some(("content-type", "application/grpc")),
        Some(Denial::Upgrade) => Some(("upgrade", "websocket")),
        Some(Denial::BodyTooLarge) => Some(("content-length", "1000000")),
        _ => None,
    });
    let is_complete = matches!(obstacle, None | Some(Denial::Grpc | Denial::Upgrade));
    Request::arrived(HeaderMap::of(&head), "x-steerage-cluster", is_complete)
}
