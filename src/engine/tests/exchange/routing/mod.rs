//! A host whose router makes the retries, played at random: the engine that ships, in virtual time.
//!
//! Whatever a host may do happens at some time: the router begins attempts and repeats them, or
//! refuses to; attempts fail while they are held, and when nothing is to follow; its timer ends
//! them; heads wait for their first message; clients leave. What is deferred by a host is an event
//! of its own here, so that other events come between.
//!
//! | file | what is in it |
//! |---|---|
//! | this | time, and the actions |
//! | `attempts` | what the router and upstreams do |

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "positions are those of the case's own requests"
)]

mod attempts;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};
use steerage_engine::action::{CallId, Mark, RouterRetries};
use steerage_engine::answer::Answer;
use steerage_engine::headers::HeaderMap;
use steerage_engine::settings::{PoolIndex, PoolSettings, RouterRetry, Settings};
use steerage_engine::{Action, Actions, AttemptId, StreamKey, Turn, Worker};
use steerage_policy::outcome::Outcome;
use steerage_policy::time::Instant;
use steerage_shared::memory::Memory;

use crate::cases::{Case, Fate};

/// What happens; the number is that of a request.
#[derive(Clone, Copy, Debug)]
enum Event {
    Arrives(usize),
    /// The client has sent its request to the end.
    Completes(usize),
    Leaves(usize),
    /// The stream is over: its answer has gone by.
    Over(usize),
    /// The router begins an attempt.
    Begins(usize),
    /// An attempt comes to what it was fated to.
    Ends(usize, AttemptId),
    /// The router's timer for an attempt fires.
    TimesOut(usize, AttemptId),
    /// Something follows the head of an answer that is held.
    Follows(usize, AttemptId),
    /// An answer is on its way to the client. With an outcome it is the router's own word.
    Answers(usize, Outcome),
    Called(CallId),
    /// The host has not sent a call.
    NotCalled(CallId),
    Ticks,
}

/// An attempt that the router has.
#[derive(Debug)]
struct Live {
    id: AttemptId,
    is_sent: bool,
    is_answered: bool,
    fate: Fate,
}

/// What is known of a request.
#[derive(Debug, Default)]
struct Client {
    key: Option<StreamKey>,
    retries: Option<RouterRetries>,
    try_timeout: Duration,
    /// Retries that the router has made.
    made: u8,
    begun: u64,
    live: Option<Live>,
    is_complete: bool,
    /// When the attempt that was decided on may be sent.
    due: Option<Instant>,
    /// When attempts were sent, by whom ever.
    sent: Vec<Instant>,
    /// When the client was answered.
    answered: Vec<Instant>,
    has_left: bool,
    /// Whether the router has repeated an answer that had no mark.
    is_repeated_unasked: bool,
    is_over: bool,
}

/// How a request fared.
#[derive(Debug, PartialEq)]
pub(crate) struct Fared {
    /// When its attempts were sent that were decided on.
    pub(crate) sent: Vec<Instant>,
    /// When it was answered; `None`: its client has left.
    pub(crate) answered: Option<Vec<Instant>>,
    /// Whether the router has repeated an answer that had no mark.
    pub(crate) is_repeated_unasked: bool,
}

/// What a case came to.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcomes {
    /// Of each request.
    pub(crate) requests: Vec<Fared>,
    /// What is active in the end.
    pub(crate) active: u32,
    /// What was done against a rule on the way.
    pub(crate) faults: Vec<String>,
    /// Every action.
    pub(crate) log: Vec<String>,
}

struct Host<'a> {
    case: &'a Case,
    worker: Worker,
    store: Memory,
    events: BTreeMap<(Instant, u64), Event>,
    /// How many events were put there.
    count: u64,
    timer: Option<(Instant, u64)>,
    clients: Vec<Client>,
    calls: HashMap<CallId, (usize, Outcome)>,
    luck: Xoshiro256PlusPlus,
    faults: Vec<String>,
    log: Vec<String>,
}

/// Plays a case through.
pub(crate) fn play(case: &Case) -> Outcomes {
    let mut host = Host::new(case);
    for (id, request) in case.requests.iter().enumerate() {
        host.at(Instant::ORIGIN + request.arrives, Event::Arrives(id));
    }
    while let Some(((now, number), event)) = host.events.pop_first() {
        if host.timer == Some((now, number)) {
            host.timer = None;
        }
        if host.is_done() {
            break;
        }
        if host.count > MANY {
            host.faults.push("it never ends".to_owned());
            break;
        }
        host.happens(event, now);
    }
    host.end()
}

impl<'a> Host<'a> {
    fn new(case: &'a Case) -> Self {
        let settings = Settings {
            // No round comes in between.
            sync_interval: Duration::from_secs(1 << 30),
            ..Settings::new([PoolSettings::of(case.pool.clone())].into())
        };
        let mut host = Self {
            case,
            worker: Worker::new(&settings, case.seed),
            store: Memory::default(),
            events: BTreeMap::new(),
            count: 0,
            timer: None,
            clients: case.requests.iter().map(|_| Client::default()).collect(),
            calls: HashMap::new(),
            luck: Xoshiro256PlusPlus::seed_from_u64(case.seed),
            faults: Vec::new(),
            log: Vec::new(),
        };
        let how = [RouterRetry::Told, RouterRetry::Planned][usize::from(host.one_in(2))];
        host.worker.let_router_retry(how);
        host.event(Instant::ORIGIN, |worker, turn| worker.start(turn));
        host
    }

    fn at(&mut self, at: Instant, event: Event) {
        self.count += 1;
        self.events.insert((at, self.count), event);
    }

    /// One in so many.
    fn one_in(&mut self, many: u32) -> bool {
        self.luck.random_range(0..many) == 0
    }

    fn soon(&mut self) -> Duration {
        Duration::from_micros(self.luck.random_range(0..400_000))
    }

    /// Whether nothing is left but the timer.
    fn is_done(&self) -> bool {
        self.calls.is_empty() && self.clients.iter().all(|client| client.is_over)
    }

    /// An event of the worker, and what follows. Says whether the answer at hand got the mark.
    fn event<T>(
        &mut self,
        now: Instant,
        event: impl FnOnce(&mut Worker, &mut Turn<'_>) -> T,
    ) -> (T, bool) {
        let mut actions = Actions::new();
        let mut turn = Turn::new(now, &self.store, &mut actions);
        let answer = event(&mut self.worker, &mut turn);
        let mut is_marked = false;
        for action in actions {
            self.log.push(format!("{now:?} {action:?}"));
            is_marked |= self.perform(action, now);
        }
        (answer, is_marked)
    }

    fn perform(&mut self, action: Action, now: Instant) -> bool {
        match action {
            Action::Route(route) => {
                let id = request_of(route.sending.stream.0);
                let client = &mut self.clients[id];
                client.retries = route.retries;
                client.try_timeout = route.sending.timeout;
                client.due = Some(now);
                let event = if self.one_in(12) {
                    Event::Answers(id, Outcome::ConnectFailure)
                } else {
                    Event::Begins(id)
                };
                self.at(now, event);
            }
            Action::Retry(retry) => {
                let id = request_of(retry.sending.stream.0);
                let key = self.clients[id].key.unwrap();
                let waited = self.worker.exchange(key).unwrap().waited();
                self.clients[id].due = Some(now + waited);
                match retry.mark {
                    Mark::None => {}
                    Mark::AtHand => return true,
                    Mark::Held(_) => self.marked(id, now),
                }
            }
            Action::Call(call) => {
                let id = request_of(call.sending.stream.0);
                self.sends(id, now);
                if self.one_in(12) {
                    self.calls.insert(call.id, (id, Outcome::ConnectFailure));
                    self.at(now, Event::NotCalled(call.id));
                } else {
                    let fate = self.fate(id);
                    self.calls.insert(call.id, (id, fate.outcome));
                    let took = fate.took.min(call.patience);
                    self.at(now + took, Event::Called(call.id));
                }
            }
            Action::Release(attempt) => {
                let id = request_of(attempt.0 / EACH);
                let live = self.clients[id].live.as_ref();
                if live.is_some_and(|live| live.id == attempt && !live.is_sent) {
                    self.attempt_sent(id, now);
                } else {
                    self.faults.push(format!("{action:?} without an attempt"));
                }
            }
            Action::ReleaseAnswer(attempt) => {
                let id = request_of(attempt.0 / EACH);
                self.passes_on(id, now);
            }
            Action::Pass(account) => {
                let id = request_of(account.stream.0);
                self.answered(id, now);
                let streams = self.soon();
                self.at(now + streams, Event::Over(id));
            }
            Action::Resume(account) => self.replied(account.stream.0, now),
            Action::Give(given) => self.replied(given.account.stream.0, now),
            Action::Refuse(refusal) => self.replied(refusal.account.stream.0, now),
            Action::SetTimer(period) => {
                if let Some(timer) = self.timer.take() {
                    self.events.remove(&timer);
                }
                self.at(now + period, Event::Ticks);
                self.timer = Some((now + period, self.count));
            }
            _ => {}
        }
        false
    }

    fn replied(&mut self, stream: u64, now: Instant) {
        let id = request_of(stream);
        self.answered(id, now);
        self.at(now, Event::Over(id));
    }

    fn answered(&mut self, id: usize, now: Instant) {
        self.clients[id].answered.push(now);
    }

    /// An attempt is sent, by whom ever.
    fn sends(&mut self, id: usize, now: Instant) {
        let client = &mut self.clients[id];
        client.sent.push(now);
        // A hedge has no delay.
        let is_early =
            client.due.is_some_and(|due| now < due) && self.case.pool.retry.hedge.is_none();
        if is_early {
            self.faults.push(format!("{id} is sent early, at {now:?}"));
        }
    }

    /// What becomes of the attempt that is made next.
    fn fate(&self, id: usize) -> Fate {
        let fates = &self.case.requests[id].fates;
        let number = self.clients[id].sent.len().saturating_sub(1);
        *fates.get(number).or_else(|| fates.last()).unwrap()
    }

    fn end(self) -> Outcomes {
        let pool = self.worker.pool_state(PoolIndex::new(0).unwrap()).unwrap();
        let requests = self.clients.into_iter().map(|client| Fared {
            sent: client.sent,
            answered: (!client.has_left).then_some(client.answered),
            is_repeated_unasked: client.is_repeated_unasked,
        });
        Outcomes {
            active: pool.endpoints().map(|(_, state)| state.active()).sum(),
            requests: requests.collect(),
            faults: self.faults,
            log: self.log,
        }
    }
}

fn request_of(stream: u64) -> usize {
    usize::try_from(stream).unwrap()
}

fn answer(outcome: Outcome) -> Answer {
    Answer {
        headers: Some(HeaderMap::default()),
        ..Answer::head(outcome)
    }
}

/// So many names of attempts each request has.
const EACH: u64 = 1_000;

/// More events than any case has.
const MANY: u64 = 10_000;
