//! A request under way to one endpoint.

use core::time::Duration;

use crate::breaker::Pass;
use crate::endpoint::{EndpointIndex, Scope};
use crate::pool::Pool;
use crate::time::Instant;

/// A request under way to one endpoint.
#[derive(Debug)]
#[must_use = "an attempt that does not reach `PoolState::end` counts as active for ever"]
pub struct Attempt {
    pub(super) endpoint: EndpointIndex,
    pub(super) pass: Pass,
    pub(super) number: u8,
    pub(super) sent: Instant,
    pub(super) timeout: Duration,
    pub(super) tries_cool_down: bool,
    pub(super) scope: Option<Scope>,
    /// Whether its endpoint had all the time for a first message, and has brought none.
    pub(super) had_its_time: bool,
}

impl Attempt {
    /// Its endpoint.
    #[must_use]
    pub const fn endpoint(&self) -> EndpointIndex {
        self.endpoint
    }

    /// How the endpoint's breaker admitted it.
    #[must_use]
    pub const fn pass(&self) -> Pass {
        self.pass
    }

    /// Its number in the exchange, from 1.
    #[must_use]
    pub const fn number(&self) -> u8 {
        self.number
    }

    /// When the whole request was sent, as far as is known.
    #[must_use]
    pub const fn sent(&self) -> Instant {
        self.sent
    }

    /// How long the endpoint may take to begin its answer: the read timeout, or the rest of the
    /// exchange's time if that is less.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The same as a trial of its endpoint's cool-down.
    pub const fn trying_cool_down(mut self, tries: bool) -> Self {
        self.tries_cool_down = tries;
        self
    }

    /// The requests with which its exchange shares cool-downs; `None`: with all.
    #[must_use]
    pub const fn scope(&self) -> Option<Scope> {
        self.scope
    }

    /// Whether it tries its endpoint's cool-down: a good answer ends that.
    #[must_use]
    pub const fn tries_cool_down(&self) -> bool {
        self.tries_cool_down
    }

    /// Whether its endpoint had the whole of the pool's `read` to begin its answer in, and the
    /// attempt has failed by that. A call that is given up later had begun to answer: it is only
    /// longer than the exchange lasts.
    pub(crate) fn had_whole_read(&self, pool: &Pool, now: Instant) -> bool {
        if self.had_its_time {
            return true;
        }
        let (read, took) = (pool.timeouts.read(), now.since(self.sent));
        let is_call = self.number > 1;
        self.timeout >= read && took + EARLY >= read && !(is_call && took > read + LATE)
    }

    /// The same, sent only at this time, which is before the exchange's `deadline`.
    pub fn beginning(mut self, at: Instant, deadline: Instant) -> Self {
        self.sent = self.sent.max(at);
        self.timeout = self.timeout.min(deadline.since(self.sent));
        self
    }

    /// Its answer has begun, and its endpoint had all the time that a first message may take.
    pub const fn had_its_time(&mut self) {
        self.had_its_time = true;
    }

    /// The client's request is complete only now: the endpoint's time starts here.
    pub fn request_completed(&mut self, now: Instant) {
        self.sent = self.sent.max(now);
    }
}

/// How early the proxy's own timer may fire.
pub const EARLY: Duration = Duration::from_millis(2);

/// How late it may be. A call gets this much more than its exchange lasts.
const LATE: Duration = Duration::from_millis(50);
