//! Virtual time, the store, and what happens when.

use core::cell::{Cell, RefCell};
use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};
use steerage_engine::action::CallId;
use steerage_engine::headers::HeaderMap;
use steerage_engine::request::Request;
use steerage_engine::settings::{PoolSettings, Settings};
use steerage_policy::pool::Pool;
use steerage_policy::time::Instant;
use steerage_shared::store::{NotWritten, Store, Version, Versioned};

use crate::log::Log;
use crate::minority::Minority;
use crate::proxy::Proxy;
use crate::upstream::{Reply, Upstream};
use crate::worker::{Ended, Worker};
use crate::{at, span};

/// From one round of a worker to the next.
pub(crate) const SYNC: Duration = Duration::from_millis(100);

/// Where a worker runs: the thread's number, and which of the VMs that have run there it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) number: usize,
    life: u32,
}

/// What happens to a worker.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// It starts, and the host's timer fires so much later for the first time.
    Start { late: Duration },
    /// The host's timer fires.
    Tick,
    /// A client's request arrives.
    Arrival,
    /// A client that has no answer yet leaves.
    Leave { stream: u64 },
    /// The router reports how a first attempt has ended.
    Answered { stream: u64, ended: Ended },
    /// A call is answered, or has taken too long.
    Called { id: CallId, ended: Ended },
    /// A health check is answered.
    Checked { id: CallId, status: u16 },
}

/// When something is to happen, and its number among all that is.
pub(crate) type Due = (Instant, u64);

/// Proxies with their workers, and upstreams.
pub(crate) struct World {
    /// What clients ask for.
    request: Request,
    /// Clients that ask for something else.
    minority: Option<Minority>,
    settings: Settings,
    pub(crate) log: RefCell<Log>,
    upstreams: Vec<Upstream>,
    workers: Vec<RefCell<Worker>>,
    /// Whether the worker of each place is alive.
    alive: Vec<Cell<bool>>,
    /// By time, and by the order in which they came up.
    events: RefCell<BTreeMap<Due, (Place, Event)>>,
    scheduled: Cell<u64>,
    now: Cell<Instant>,
    /// Until when time passes at the moment.
    end: Cell<Instant>,
    rng: RefCell<Xoshiro256PlusPlus>,
    /// Workers are dealt out to them in turn.
    proxies: Vec<Proxy>,
    /// Requests a second and worker.
    rate: Cell<f64>,
    /// Most attempts at a time that a proxy sends to an endpoint.
    cluster_limit: Option<usize>,
    /// How often a write is overtaken by another, besides those that are by chance.
    conflicts: f64,
    /// The share of clients that leave, and how long these wait.
    leaving: Option<(f64, Duration)>,
}

impl World {
    /// So many workers begin to serve requests, `rate` a second each.
    pub(crate) fn new(
        pool: Pool,
        upstreams: Vec<Upstream>,
        workers: usize,
        rate: f64,
        seed: u64,
    ) -> Self {
        assert_eq!(pool.endpoints.len(), upstreams.len());
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let place = |number| Place { number, life: 0 };
        let settings = Settings {
            sync_interval: SYNC,
            ..Settings::new([PoolSettings::of(pool)].into())
        };
        let all = (0..workers)
            .map(|number| RefCell::new(Worker::new(place(number), &settings, rng.random())))
            .collect();
        let head = [(":method", "GET"), (":path", "/"), (":authority", "shop")];
        let world = Self {
            request: Request::arrived(HeaderMap::of(&head), &settings.cluster_header, true),
            proxies: [Proxy::new(pool_of(&settings))].into(),
            settings,
            log: RefCell::default(),
            upstreams,
            workers: all,
            alive: vec![Cell::new(true); workers],
            events: RefCell::default(),
            scheduled: Cell::new(0),
            now: Cell::new(at(0.0)),
            end: Cell::new(at(0.0)),
            rng: RefCell::new(rng),
            rate: Cell::new(rate),
            minority: None,
            cluster_limit: None,
            conflicts: 0.0,
            leaving: None,
        };
        (0..workers).for_each(|number| world.begin(place(number)));
        world
    }

    /// The same with the workers in so many proxies, which know nothing of each other.
    pub(crate) fn with_proxies(self, proxies: usize) -> Self {
        let pool = pool_of(&self.settings);
        let proxies = (0..proxies).map(|_| Proxy::new(pool)).collect();
        Self { proxies, ..self }
    }

    /// The same with this share of writes overtaken, whatever else happens.
    pub(crate) fn with_conflicts(self, conflicts: f64) -> Self {
        Self { conflicts, ..self }
    }

    /// The same with some clients that ask for something else.
    pub(crate) fn with_minority(self, minority: Minority) -> Self {
        let minority = Some(minority);
        Self { minority, ..self }
    }

    /// The same with clusters to which a proxy sends only so many attempts at a time.
    pub(crate) fn with_cluster_limit(self, limit: usize) -> Self {
        let cluster_limit = Some(limit);
        Self {
            cluster_limit,
            ..self
        }
    }

    /// The same with this share of clients leaving if they have no answer within `patience`.
    pub(crate) fn with_leaving(self, share: f64, patience: Duration) -> Self {
        let leaving = Some((share, patience));
        Self { leaving, ..self }
    }

    /// Lets time pass until `seconds` after the beginning.
    pub(crate) fn run_until(&self, seconds: f64) {
        let end = at(seconds);
        self.end.set(end);
        while let Some((time, place, event)) = self.pop(end) {
            self.now.set(self.now.get().max(time));
            self.happen(place, event, time);
        }
        self.now.set(end);
    }

    /// Lets time pass until `seconds` after the beginning or until `done`, which is asked every
    /// 10 ms, and gives the seconds since the beginning.
    pub(crate) fn run_until_or(&self, seconds: f64, done: impl Fn(&Self) -> bool) -> f64 {
        let mut passed = self.now.get().since(at(0.0)).as_secs_f64();
        while passed < seconds && !done(self) {
            passed += 0.01;
            self.run_until(passed);
        }
        passed
    }

    /// No more requests arrive, or so many a second and worker.
    pub(crate) fn set_rate(&self, rate: f64) {
        self.rate.set(rate);
    }

    /// A worker dies as a VM does in a trap: it does nothing any more, without notice.
    pub(crate) fn kill(&self, number: usize) {
        self.alive[number].set(false);
    }

    /// A fresh VM starts in the place of the one that died.
    pub(crate) fn replace(&self, number: usize) {
        assert!(!self.alive[number].replace(true));
        let mut worker = self.workers[number].borrow_mut();
        let life = worker.place.life + 1;
        let place = Place { number, life };
        let seed = self.rng.borrow_mut().random();
        *worker = Worker::new(place, &self.settings, seed);
        drop(worker);
        self.begin(place);
    }

    /// The workers that are alive, one after the other.
    pub(crate) fn each_worker(&self, mut look: impl FnMut(&Worker)) {
        for (worker, alive) in self.workers.iter().zip(&self.alive) {
            if alive.get() {
                look(&worker.borrow());
            }
        }
    }

    /// Whether it holds for every worker that is alive.
    pub(crate) fn all_workers(&self, such: impl Fn(&Worker) -> bool) -> bool {
        let mut all = true;
        self.each_worker(|worker| all &= such(worker));
        all
    }

    pub(crate) fn schedule(&self, time: Instant, place: Place, event: Event) -> Due {
        let due = (time, self.scheduled.get());
        self.scheduled.set(due.1 + 1);
        self.events.borrow_mut().insert(due, (place, event));
        due
    }

    /// What was to happen does not.
    pub(crate) fn cancel(&self, due: Due) {
        self.events.borrow_mut().remove(&due);
    }

    /// What an endpoint makes of a request that arrives `now`.
    pub(crate) fn reply(&self, endpoint: usize, is_odd: bool, now: Instant) -> Reply {
        let under_way = || self.log.borrow().under_way(endpoint, now);
        if self.cluster_limit.is_some_and(|limit| under_way() >= limit) {
            self.log.borrow_mut().overflowed += 1;
            return Reply::OVERFLOW;
        }
        let reply = self.upstreams[endpoint].reply(now, &mut *self.rng.borrow_mut());
        let minority = self.minority.as_ref().filter(|_| is_odd);
        match minority.and_then(|minority| Some((minority, minority.status?))) {
            Some((minority, status)) => Reply {
                retry_after: minority.retry_after,
                ..reply.with_status(status)
            },
            None => reply,
        }
    }

    /// What a client asks for that arrives `now`, and whether it is one of the minority.
    pub(crate) fn arrival(&self, now: Instant) -> (Request, bool) {
        let minority = self.minority.as_ref().filter(|it| it.is_there(now));
        match minority.filter(|it| self.draw() < it.share) {
            Some(minority) => (minority.request(), true),
            None => (self.request.clone(), false),
        }
    }

    /// How long the next client waits; `None`: to the end.
    pub(crate) fn patience(&self) -> Option<Duration> {
        let (share, patience) = self.leaving?;
        (self.draw() < share).then_some(patience)
    }

    pub(crate) fn now(&self) -> Instant {
        self.now.get()
    }

    /// A worker starts, and requests arrive. Workers do not tick together.
    fn begin(&self, place: Place) {
        let late = span(SYNC.as_secs_f64() * self.draw());
        self.schedule(self.now(), place, Event::Start { late });
        let first = self.now() + self.until_next_request();
        self.schedule(first, place, Event::Arrival);
    }

    fn until_next_request(&self) -> Duration {
        span(-(1.0 - self.draw()).ln() / self.rate.get().max(1e-6))
    }

    fn draw(&self) -> f64 {
        self.rng.borrow_mut().random()
    }

    fn pop(&self, end: Instant) -> Option<(Instant, Place, Event)> {
        let mut events = self.events.borrow_mut();
        let entry = events.first_entry().filter(|entry| entry.key().0 <= end)?;
        let ((time, _), (place, event)) = entry.remove_entry();
        Some((time, place, event))
    }

    /// An event that is due at `due` happens, perhaps a little early.
    fn happen(&self, place: Place, event: Event, due: Instant) {
        if !self.alive[place.number].get() {
            return;
        }
        let mut worker = self.workers[place.number].borrow_mut();
        if worker.place != place {
            return;
        }
        let mut now = worker.clock(self.now());
        match event {
            // Nothing would be due before.
            Event::Tick => now = now.max(due),
            Event::Arrival if self.rate.get() == 0.0 => return,
            Event::Arrival => {
                self.schedule(now + self.until_next_request(), place, event);
            }
            _ => {}
        }
        let proxy = &self.proxies[place.number % self.proxies.len()];
        let store = Interleaved {
            world: self,
            proxy,
            now,
        };
        worker.handle(event, self, &store, now);
    }

    /// Another worker runs between what the running one has read and what it is about to write: one
    /// to which something happens within [`AT_ONCE`].
    fn let_another_run(&self) {
        let soon = self.end.get().min(self.now() + AT_ONCE);
        let idle = |place: Place| self.workers[place.number].try_borrow_mut().is_ok();
        let mut events = self.events.borrow_mut();
        let next = events
            .range(..(soon, 0))
            .find(|(_, (place, _))| idle(*place))
            .map(|(key, _)| *key);
        let Some((due, (place, event))) = next.and_then(|key| events.remove_entry(&key)) else {
            return;
        };
        drop(events);
        self.happen(place, event, due.0);
    }
}

/// The pool of the simulation.
fn pool_of(settings: &Settings) -> &Pool {
    &settings.pools[0].pool
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// The store as one of several workers sees it that run at the same time.
struct Interleaved<'a> {
    world: &'a World,
    proxy: &'a Proxy,
    /// The time of the worker that runs.
    now: Instant,
}

impl Store for Interleaved<'_> {
    fn read(&self, key: &str) -> Option<Versioned> {
        self.proxy.store.read(key)
    }

    fn write(&self, key: &str, bytes: &[u8], version: Option<Version>) -> Result<(), NotWritten> {
        let Self { world, proxy, now } = *self;
        if world.draw() < OVERTAKEN {
            world.let_another_run();
        }
        if world.draw() < world.conflicts {
            proxy.store.touch(key);
        }
        let written = proxy.store.write(key, bytes, version);
        let mut log = world.log.borrow_mut();
        match written {
            Ok(()) => proxy.written(key, pool_of(&world.settings), &mut log, now),
            Err(NotWritten::Conflict) => log.conflicts += 1,
            Err(NotWritten::Refused) => {}
        }
        written
    }
}

/// What happens within this time may as well happen at once.
const AT_ONCE: Duration = Duration::from_millis(5);

/// How often another worker runs between reading and writing, if there is one to which something
/// happens at that time.
const OVERTAKEN: f64 = 0.5;
