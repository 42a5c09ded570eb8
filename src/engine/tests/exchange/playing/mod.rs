//! Plays a case through: the engine that ships, in virtual time.
//!
//! The workers share one store. Each makes a round before it acts, if its last one was a round
//! interval ago, so that nothing happens while nobody asks. A retry is ticked at the moment that it
//! is due. What is decided is read from the actions, among them the lines of the debug log.
//!
//! | file | what is in it |
//! |---|---|
//! | this | time, and the workers in it |
//! | `attempts` | requests, and what becomes of their attempts |
//! | `looking` | how things are, for the records |

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "positions are those of the case's own workers, requests and endpoints"
)]

mod attempts;
mod looking;

use std::collections::BTreeMap;
use std::time::Duration;

use steerage_engine::action::{CallId, Sending};
use steerage_engine::answer::Answer;
use steerage_engine::settings::{PoolSettings, Settings};
use steerage_engine::{Action, Actions, StreamKey, Turn, Worker};
use steerage_policy::breaker::Generation;
use steerage_policy::endpoint::EndpointIndex;
use steerage_policy::outcome::Outcome;
use steerage_policy::pool::Pool;
use steerage_policy::time::Instant;
use steerage_shared::agreement::Agreement;
use steerage_shared::key;
use steerage_shared::memory::Memory;

use crate::cases::{Case, Fate};
use crate::records::{Beginning, Records};

pub(crate) use attempts::request;

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
}
