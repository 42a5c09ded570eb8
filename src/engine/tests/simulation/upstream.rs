//! How an endpoint behaves, by a script.
//!
//! An endpoint answers after a time that varies by a half; or it has a number of servers and a
//! queue before them, so that answers take longer the more requests there are. Each server works on
//! one request at a time, in the order of arrival, and does not notice that a client has given up.
//! A request that would wait too long is refused. An endpoint may also ask to be left alone, or not
//! listen at all.

use core::cell::RefCell;
use core::time::Duration;

use rand::{Rng, RngExt as _};
use steerage_policy::outcome::{Neutral, Outcome};
use steerage_policy::time::Instant;

use crate::at;

/// An endpoint, which several proxies may share.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    /// From when on it behaves how.
    script: Vec<(Instant, Behaviour)>,
    /// When each of its servers has done what is in its queue.
    servers: RefCell<Vec<Instant>>,
}

#[derive(Clone, Copy, Debug)]
struct Behaviour {
    /// Share of answers that are 503.
    failing: f64,
    /// Mean time to answer; each takes between half and one and a half of it.
    takes: Duration,
    /// Share of answers that take 20 times as long.
    stalling: f64,
    /// How many requests it works on at a time; `None`: any number.
    servers: Option<usize>,
    /// The longest wait for a server.
    queue: Duration,
    /// It answers everything with 429 and asks to be left alone for so many seconds.
    throttling: Option<u32>,
    /// Whether nothing listens.
    down: bool,
}

/// What becomes of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reply {
    pub(crate) outcome: Outcome,
    pub(crate) takes: Duration,
    /// Seconds that it asks to be left alone for.
    pub(crate) retry_after: Option<u32>,
}

impl Reply {
    /// The proxy does not send it: its cluster is at its limit.
    pub(crate) const OVERFLOW: Self = Self::of(Outcome::Neutral(Neutral::Overflow), REFUSAL);

    const fn of(outcome: Outcome, takes: Duration) -> Self {
        Self {
            outcome,
            takes,
            retry_after: None,
        }
    }

    /// The same with another status, if there is an answer at all.
    pub(crate) const fn with_status(self, status: u16) -> Self {
        match self.outcome {
            Outcome::Answered(_) => Self {
                outcome: Outcome::Answered(status),
                ..self
            },
            _ => self,
        }
    }

    /// The status that a health check sees.
    pub(crate) const fn status(&self) -> u16 {
        match self.outcome {
            Outcome::Answered(status) => status,
            _ => 503,
        }
    }
}

impl Upstream {
    /// Answers well, within so many milliseconds on average.
    pub(crate) fn sound(milliseconds: u64) -> Self {
        let behaviour = Behaviour {
            failing: 0.0,
            takes: Duration::from_millis(milliseconds),
            stalling: 0.0,
            servers: None,
            queue: Duration::MAX,
            throttling: None,
            down: false,
        };
        Self {
            script: [(Instant::ORIGIN, behaviour)].to_vec(),
            servers: RefCell::default(),
        }
    }

    /// From the beginning it has so many servers, and no request waits for one longer than `queue`.
    pub(crate) fn with_servers(mut self, servers: usize, queue: Duration) -> Self {
        for (_, behaviour) in &mut self.script {
            behaviour.servers = Some(servers);
            behaviour.queue = queue;
        }
        self
    }

    /// From `seconds` on this share of the answers is a failure.
    pub(crate) fn failing(self, failing: f64, seconds: f64) -> Self {
        self.then(seconds, |behaviour| behaviour.failing = failing)
    }

    /// From `seconds` on answers take so many milliseconds on average.
    pub(crate) fn taking(self, milliseconds: u64, seconds: f64) -> Self {
        let takes = Duration::from_millis(milliseconds);
        self.then(seconds, |behaviour| behaviour.takes = takes)
    }

    /// From `seconds` on this share of the answers takes 20 times as long.
    pub(crate) fn stalling(self, stalling: f64, seconds: f64) -> Self {
        self.then(seconds, |behaviour| behaviour.stalling = stalling)
    }

    /// From `seconds` on it has so many servers.
    pub(crate) fn serving(self, servers: usize, seconds: f64) -> Self {
        self.then(seconds, |behaviour| behaviour.servers = Some(servers))
    }

    /// From `seconds` on it asks to be left alone for so many seconds, and does nothing else.
    pub(crate) fn throttling(self, retry_after: Option<u32>, seconds: f64) -> Self {
        self.then(seconds, |behaviour| behaviour.throttling = retry_after)
    }

    /// From `seconds` on nothing listens, or something does again.
    pub(crate) fn down(self, down: bool, seconds: f64) -> Self {
        self.then(seconds, |behaviour| behaviour.down = down)
    }

    fn then(mut self, seconds: f64, change: impl Fn(&mut Behaviour)) -> Self {
        let newest = self.script.last();
        let (_, mut behaviour) = *newest.unwrap();
        change(&mut behaviour);
        self.script.push((at(seconds), behaviour));
        self
    }

    /// What becomes of a request that arrives `now`.
    pub(crate) fn reply(&self, now: Instant, rng: &mut dyn Rng) -> Reply {
        let begun = self.script.iter().rev().find(|(from, _)| *from <= now);
        let (_, behaviour) = begun.unwrap();
        if behaviour.down {
            return Reply::of(Outcome::ConnectFailure, REFUSAL);
        }
        if let Some(seconds) = behaviour.throttling {
            return Reply {
                retry_after: Some(seconds),
                ..Reply::of(Outcome::Answered(429), REFUSAL)
            };
        }
        let failing = rng.random::<f64>() < behaviour.failing;
        let stalls = behaviour.stalling > 0.0 && rng.random::<f64>() < behaviour.stalling;
        let factor = (0.5 + rng.random::<f64>()) * if stalls { 20.0 } else { 1.0 };
        let takes = Duration::try_from_secs_f64(behaviour.takes.as_secs_f64() * factor).unwrap();
        let Some(waits) = self.wait(behaviour, takes, now) else {
            return Reply::of(Outcome::Answered(503), REFUSAL);
        };
        let status = if failing { 503 } else { 200 };
        Reply::of(Outcome::Answered(status), waits + takes)
    }

    /// How long a request waits for a server that then `takes` its time; `None` if that is too
    /// long.
    fn wait(&self, behaviour: &Behaviour, takes: Duration, now: Instant) -> Option<Duration> {
        let Some(number) = behaviour.servers else {
            return Some(Duration::ZERO);
        };
        let mut servers = self.servers.borrow_mut();
        // The most idle ones come and go first.
        servers.sort_unstable_by(|one, other| other.cmp(one));
        servers.resize(number, now);
        let free = servers.iter_mut().min()?;
        let waits = free.since(now);
        if waits > behaviour.queue {
            return None;
        }
        *free = now + waits + takes;
        Some(waits)
    }
}

/// A refusal takes next to no time.
const REFUSAL: Duration = Duration::from_millis(1);
