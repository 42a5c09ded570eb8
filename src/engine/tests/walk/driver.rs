//! Hands events to one worker, and writes its actions down as short lines.

use core::time::Duration;

use steerage_engine::action::{Account, CallId, Mark, RouterRetries, Sending};
use steerage_engine::answer::Answer;
use steerage_engine::headers::HeaderMap;
use steerage_engine::request::Request;
use steerage_engine::settings::{PoolIndex, PoolSettings, Settings};
use steerage_engine::{Action, Actions, End, Flow, KeptBytes, StreamId, StreamKey, Turn, Worker};
use steerage_policy::endpoint::{Endpoint, EndpointIndex};
use steerage_policy::outcome::Outcome;
use steerage_policy::pool::{Pool, PoolState, Timeouts};
use steerage_policy::retry::backoff::Delays;
use steerage_policy::retry::hedge::{HedgeDelay, HedgePolicy};
use steerage_policy::retry::jitter::Jitter;
use steerage_policy::time::Instant;
use steerage_shared::memory::Memory;

/// So long that no round comes between the events of a test. Where the timer is set to this,
/// nothing else is due.
pub(crate) const ROUND: Duration = Duration::from_secs(3_600);

/// With this one the turn begins at the first endpoint.
pub(crate) const SEED: u64 = 7;

pub(crate) const NOTHING: [&str; 0] = [];

/// A worker, and what surrounds it.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) worker: Worker,
    /// What it keeps.
    pub(crate) kept: KeptBytes,
    settings: Settings,
    store: Memory,
    actions: Actions,
    /// When the last event was.
    millis: u64,
    /// Calls under way, in the order in which they were asked for.
    pub(crate) calls: Vec<CallId>,
    /// The bodies that they carry.
    pub(crate) bodies: Vec<Vec<u8>>,
}

impl Driver {
    /// A worker that has made its first round.
    pub(crate) fn new(pool: Pool, seed: u64) -> Self {
        let most = Settings::new(Vec::new()).max_kept_bytes;
        Self::keeping(pool, seed, KeptBytes::new(most))
    }

    /// The same with this budget of bytes.
    pub(crate) fn keeping(pool: Pool, seed: u64, kept: KeptBytes) -> Self {
        let settings = Settings {
            sync_interval: ROUND,
            ..Settings::new([PoolSettings::of(pool)].into())
        };
        let mut driver = Self {
            worker: Worker::new(&settings, seed).keeping(kept.clone()),
            kept,
            settings,
            store: Memory::default(),
            actions: Actions::new(),
            millis: 0,
            calls: Vec::new(),
            bodies: Vec::new(),
        };
        let started = driver.event(0, |worker, turn| worker.start(turn));
        assert_eq!(started.1, ["timer 1 ms"]);
        assert_eq!(driver.tick(0), ["timer 3600000 ms"]);
        driver
    }

    /// The answer has come to its end as it should, and the stream is over.
    pub(crate) fn close(&mut self, key: StreamKey) {
        self.ends(key, End::default());
    }

    /// The stream is over, and its answer has come to this end.
    pub(crate) fn ends(&mut self, key: StreamKey, end: End) {
        if !self.worker.stream_closed(key) {
            self.event(self.millis, |worker, turn| {
                worker.stream_over(key, end, turn);
            });
        }
    }

    /// An event at so many milliseconds: what the worker answers, and the actions.
    pub(crate) fn event<T>(
        &mut self,
        millis: u64,
        event: impl FnOnce(&mut Worker, &mut Turn<'_>) -> T,
    ) -> (T, Vec<String>) {
        self.millis = millis;
        let mut turn = Turn::new(at(millis), &self.store, &mut self.actions);
        let answer = event(&mut self.worker, &mut turn);
        let mut lines = Vec::new();
        while let Some(action) = self.actions.pop_front() {
            lines.extend(self.line(action));
        }
        (answer, lines)
    }

    /// A request without a body arrives, and is routed.
    pub(crate) fn get(&mut self, millis: u64, stream: u64) -> (StreamKey, Vec<String>) {
        let (key, lines) = self.request(millis, stream, get());
        (key.unwrap(), lines)
    }

    pub(crate) fn request(
        &mut self,
        millis: u64,
        stream: u64,
        request: Request,
    ) -> (Option<StreamKey>, Vec<String>) {
        self.event(millis, |worker, turn| {
            worker.request_head(StreamId(stream), only_pool(), request, None, turn)
        })
    }

    /// The router's answer.
    pub(crate) fn response(
        &mut self,
        millis: u64,
        key: StreamKey,
        outcome: Outcome,
    ) -> (Flow, Vec<String>) {
        let answer = Answer::head(outcome);
        self.event(millis, |worker, turn| {
            worker.response_head(key, answer, turn)
        })
    }

    /// The oldest call is answered.
    pub(crate) fn called(&mut self, millis: u64, outcome: Outcome) -> Vec<String> {
        self.called_with(millis, outcome, 0)
    }

    /// The same with a body of so many bytes.
    pub(crate) fn called_with(
        &mut self,
        millis: u64,
        outcome: Outcome,
        bytes: usize,
    ) -> Vec<String> {
        let id = self.calls.remove(0);
        let answer = Answer {
            headers: Some(HeaderMap::default()),
            body: vec![0; bytes],
            ..Answer::head(outcome)
        };
        self.event(millis, |worker, turn| {
            worker.call_answered(id, answer, turn);
        })
        .1
    }

    /// The host has not sent the newest call.
    pub(crate) fn not_called(&mut self, millis: u64) -> Vec<String> {
        let id = self.calls.pop().unwrap();
        self.event(millis, |worker, turn| {
            worker.call_refused(id, Outcome::ConnectFailure, turn);
        })
        .1
    }

    pub(crate) fn tick(&mut self, millis: u64) -> Vec<String> {
        self.event(millis, |worker, turn| worker.tick(turn)).1
    }

    /// The client leaves: as a shell reports it, which closes the stream first.
    pub(crate) fn leave(&mut self, millis: u64, key: StreamKey) -> Vec<String> {
        if self.worker.stream_closed(key) {
            return Vec::new();
        }
        self.event(millis, |worker, turn| {
            worker.stream_over(key, End::default(), turn);
        })
        .1
    }

    pub(crate) fn state(&self) -> &PoolState {
        self.worker.pool_state(only_pool()).unwrap()
    }

    /// Attempts under way at each endpoint.
    pub(crate) fn active(&self) -> Vec<u32> {
        let states = self.state().endpoints();
        states.map(|(_, state)| state.active()).collect()
    }

    /// Nothing is under way, and nothing is due but the next round.
    #[track_caller]
    pub(crate) fn assert_idle(&mut self, millis: u64) {
        assert!(self.active().iter().all(|active| *active == 0));
        assert_eq!(self.calls, []);
        assert_eq!(self.kept.kept(), 0, "bytes are kept for nothing");
        let remaining = at(0) + ROUND;
        let remaining = remaining.since(at(millis)).as_millis();
        assert_eq!(self.tick(millis), [format!("timer {remaining} ms")]);
    }

    fn line(&mut self, action: Action) -> Option<String> {
        Some(match action {
            Action::Route(route) => {
                let sending = route.sending;
                let to = self.name(sending.endpoint);
                format!(
                    "route {} to {to}, {} ms{}",
                    sending.stream.0,
                    sending.timeout.as_millis(),
                    route.retries.map(allowed).unwrap_or_default()
                )
            }
            Action::Retry(retry) => {
                let Sending {
                    endpoint, number, ..
                } = retry.sending;
                let how = match retry.mark {
                    Mark::None => String::new(),
                    Mark::AtHand => ", marked".to_owned(),
                    Mark::Held(id) => format!(", marked and released {}", id.0),
                };
                format!("retry to {}, attempt {number}{how}", self.name(endpoint))
            }
            Action::Send(route) => {
                let sending = route.sending;
                assert!(route.request.is_some(), "a retry's headers are made anew");
                format!(
                    "send to {}, {} ms, attempt {}",
                    self.name(sending.endpoint),
                    sending.timeout.as_millis(),
                    sending.number
                )
            }
            Action::Release(id) => format!("release {}", id.0),
            Action::Plan(_, endpoint) => format!("plan {}", endpoint.position()),
            Action::ReleaseAnswer(id) => format!("release answer {}", id.0),
            Action::Call(call) => {
                let sending = call.sending;
                self.calls.push(call.id);
                self.bodies.push(call.request.body().to_vec());
                assert!(
                    call.patience > sending.timeout,
                    "the engine's timer is first"
                );
                let to = self.name(sending.endpoint);
                format!(
                    "call {} to {to}, {} ms, attempt {}",
                    sending.stream.0,
                    sending.timeout.as_millis(),
                    sending.number
                )
            }
            Action::Pass(account) => format!("pass {}", told(&account)),
            Action::Resume(account) => format!("resume {}", told(&account)),
            Action::Give(given) => {
                let outcome = given.answer.outcome;
                format!("give {outcome:?} to {}", told(&given.account))
            }
            Action::Refuse(refusal) => format!("refuse {}", told(&refusal.account)),
            Action::SetTimer(period) => format!("timer {} ms", period.as_millis()),
            Action::Publish(_) => return None,
            other => format!("{other:?}"),
        })
    }

    fn name(&self, endpoint: EndpointIndex) -> &str {
        let pool = &self.settings.pool(only_pool()).unwrap().pool;
        &pool.endpoint(endpoint).unwrap().name
    }
}

/// What the router is told of its retries.
fn allowed(retries: RouterRetries) -> String {
    let RouterRetries {
        only_connecting,
        connecting,
        resets,
        most,
    } = retries;
    let kinds = [
        (!only_connecting, "marked"),
        (connecting, "refused"),
        (resets && !only_connecting, "broken"),
    ];
    let kinds = kinds.into_iter().filter(|(is_one, _)| *is_one);
    let kinds: Vec<_> = kinds.map(|(_, kind)| kind).collect();
    format!(", {most} retries of {}", kinds.join(" "))
}

/// What a client is told: the stream, the number of attempts, and why it gets no more.
fn told(account: &Account) -> String {
    let mut told = format!("{} after {}", account.stream.0, account.attempts);
    if let Some(reason) = account.reason {
        told = format!("{told}: {}", reason.name());
    }
    if let Some(denial) = account.denial {
        told = format!("{told} ({})", denial.name());
    }
    told
}

pub(crate) fn only_pool() -> PoolIndex {
    PoolIndex::new(0).unwrap()
}

pub(crate) fn at(millis: u64) -> Instant {
    Instant::ORIGIN + Duration::from_secs(1_000) + Duration::from_millis(millis)
}

/// Endpoints `a`, `b` and `c` in turn; a retry after 100 ms, 1 s for an attempt, 3 s for all.
pub(crate) fn pool() -> Pool {
    let mut pool = Pool::new("default", ["a", "b", "c"].map(Endpoint::new).to_vec());
    let [connect, read, total] = [100, 1_000, 3_000].map(Duration::from_millis);
    pool.timeouts = Timeouts::new(connect, read, read, total).unwrap();
    let delay = Duration::from_millis(100);
    pool.retry.backoff = Delays::fixed(delay, delay);
    pool.retry.jitter = Jitter::None;
    pool.retry.budget = None;
    pool
}

/// The same with a hedge after 50 ms, or two.
pub(crate) fn hedged(most: u8) -> Pool {
    let mut pool = pool();
    pool.retry.hedge = Some(HedgePolicy {
        delay: HedgeDelay::Fixed(Duration::from_millis(50)),
        max: most,
        ratio: f64::from(most),
    });
    pool
}

pub(crate) fn get() -> Request {
    request("GET", &[], true)
}

pub(crate) fn request(method: &str, headers: &[(&str, &str)], complete: bool) -> Request {
    let mut head = vec![(":method", method), (":path", "/"), (":authority", "shop")];
    head.extend_from_slice(headers);
    Request::arrived(HeaderMap::of(&head), "x-steerage-cluster", complete)
}
