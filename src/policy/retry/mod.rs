//! Whether a failed attempt is followed by another, and when.
//!
//! [`decide`] answers with a delay or with a [`Denial`], never with a bare no: the reason is what
//! an operator asks for first. The checks run from the cheapest to the most specific. The first one
//! that fails names the reason.
//!
//! No delay is begun that would not end before the deadline: the failure now is better for the
//! client than the same failure later.
//!
//! **Cool-downs.** An answer with 429, 503 or 529 may request a cool-down of its endpoint
//! (`Retry-After`, RFC 9110 §10.2.3), and the policy may give one to answers that name no time. The
//! endpoint then gets no attempts for that time. The retry goes to another endpoint at once,
//! because the request says nothing of the others. If all endpoints are cooling down, the retry
//! waits for the one that ends first, and for the usual delay on top, so that the waiting requests
//! do not all return at the same moment. After an answer that
//! throttles without a time, the delays have a base of their own, as in the AWS SDKs.
//!
//! Example: `max_attempts` 3, exponential from 100 ms, no jitter. Attempt 1 is answered with 503 at
//! t = 0: again after 100 ms. Attempt 2 is refused at t = 110 ms, and another endpoint is untried:
//! again at once. Attempt 3 is answered with 503: stop, [`Denial::Exhausted`].

pub mod backoff;
pub mod budget;
pub mod by;
pub mod condition;
pub mod first_message;
pub mod hedge;
mod http_date;
pub mod idempotency;
pub mod jitter;
pub mod reason;
pub mod retry_after;
pub(crate) mod statuses;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use rand::Rng;

use crate::outcome::{GrpcStatus, Kind, Outcome};
use crate::retry::backoff::{Backoff, Delays, MAX_ATTEMPTS};
use crate::retry::budget::BudgetPolicy;
use crate::retry::by::RetriesBy;
use crate::retry::condition::Conditions;
use crate::retry::first_message::CommitOn;
use crate::retry::hedge::HedgePolicy;
use crate::retry::idempotency::{Methods, Repeatability};
use crate::retry::jitter::{Bounds, Jitter};
use crate::retry::reason::Denial;
use crate::time::Instant;

pub use statuses::Statuses;

/// When and how often failed attempts are repeated.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Who makes the retries. What the policy decides is the same, whoever does.
    pub by: RetriesBy,
    /// When an answer that is good so far is the client's.
    pub commit_on: CommitOn,
    /// Attempts in total, the first included, 1..=[`MAX_ATTEMPTS`].
    pub max_attempts: u8,
    /// The delays before the retries, before jitter.
    pub backoff: Delays,
    /// How the delays are spread.
    pub jitter: Jitter,
    /// The ends of the spread.
    pub bounds: Bounds,
    /// The delays after an answer that throttles without saying for how long.
    pub throttling_backoff: Delays,
    /// The ends of their spread.
    pub throttling_bounds: Bounds,
    /// The longest cool-down that an answer can request; `None` if such requests are ignored.
    pub max_cool_down: Option<Duration>,
    /// Answers whose request for a cool-down is read.
    pub retry_after_statuses: Statuses,
    /// Cool-downs after answers that name no time: that of the first entry with their status.
    pub cool_downs: Vec<(Statuses, Duration)>,
    /// The header, in lower case, with whose value a cool-down holds; `None`: it holds for all
    /// requests.
    pub retry_after_scope: Option<Box<str>>,
    /// How many retries there may be for the number of requests; `None`: any number.
    pub budget: Option<BudgetPolicy>,
    /// When a second attempt goes elsewhere before the first has failed; `None`: never.
    pub hedge: Option<HedgePolicy>,
    /// Further conditions, all of which must hold.
    pub conditions: Conditions,
    /// Whether a request that is a retry already is not retried again.
    pub stop_nested: bool,
    /// Answers that are tried again.
    pub statuses: Statuses,
    /// Statuses of gRPC that are tried again. Only the router can: a call cannot carry trailers
    /// ([`Denial::Grpc`]), so with [`RetriesBy::Calls`] they only count as wished to be retried.
    pub grpc_statuses: Vec<GrpcStatus>,
    /// Transport failures that are tried again.
    pub transports: Vec<Kind>,
    /// Methods whose requests may be repeated.
    pub methods: Methods,
    /// Largest request body in bytes that is kept for a repeat.
    pub max_request_bytes: usize,
    /// Whether an untried endpoint is tried without delay after a refused connection.
    pub immediate_failover: bool,
}

impl RetryPolicy {
    /// Takes the delays from `backoff` instead; they are capped and spread as usual. Delays after
    /// throttling stay as they are if they have a base of their own.
    pub fn follow(&mut self, backoff: &dyn Backoff) {
        let delays = Delays::of(backoff, self.bounds.max);
        if self.throttling_bounds == self.bounds {
            self.throttling_backoff = delays.clone();
        }
        self.backoff = delays;
    }

    /// Whether this outcome is one that is tried again at all.
    #[must_use]
    pub fn covers(&self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Answered(status) => self.statuses.contains(status),
            Outcome::Grpc(status) => self.grpc_statuses.contains(&status),
            // It only arises from the policy's own rules, which name what is tried again.
            Outcome::Event => true,
            _ if outcome.nothing_sent() => self.transports.contains(&Kind::ConnectFailure),
            _ => {
                let failure = outcome.failure();
                failure.is_some_and(|failure| self.transports.contains(&failure))
            }
        }
    }

    /// Whether an answer with this outcome may request a cool-down of its endpoint.
    #[must_use]
    pub fn may_request(&self, outcome: Outcome) -> bool {
        matches!(outcome, Outcome::Answered(status) if self.retry_after_statuses.contains(status))
    }

    /// Whether an answer with this outcome may start a cool-down of its endpoint, because it
    /// requests one or is given one.
    #[must_use]
    pub fn may_cool_down(&self, outcome: Outcome) -> bool {
        self.may_request(outcome) || self.given_cool_down(outcome).is_some()
    }

    /// How long an endpoint cools down after an answer that requests a time of `requested`; `None`:
    /// not at all.
    #[must_use]
    pub fn cool_down(&self, outcome: Outcome, requested: Option<Duration>) -> Option<Duration> {
        let named = self.max_cool_down.filter(|_| self.may_request(outcome));
        let named = named.and_then(|max| Some(requested?.min(max)));
        let cool_down = named.or_else(|| self.given_cool_down(outcome))?;
        (!cool_down.is_zero()).then_some(cool_down)
    }

    /// The longest cool-down that there may be; zero if there is none.
    pub(crate) fn longest_cool_down(&self) -> Duration {
        let given = self.cool_downs.iter().map(|(_, time)| *time);
        given.chain(self.max_cool_down).max().unwrap_or_default()
    }

    /// The cool-down after an answer that names no time.
    fn given_cool_down(&self, outcome: Outcome) -> Option<Duration> {
        let Outcome::Answered(status) = outcome else {
            return None;
        };
        let mut cool_downs = self.cool_downs.iter();
        let (_, time) = cool_downs.find(|(statuses, _)| statuses.contains(status))?;
        Some(*time)
    }
}

impl Default for RetryPolicy {
    /// What a configuration without `retry_policy` gets.
    fn default() -> Self {
        let bounds = Bounds {
            base: Duration::from_millis(25),
            max: Duration::from_secs(60),
        };
        Self {
            by: RetriesBy::default(),
            commit_on: CommitOn::default(),
            max_attempts: 3,
            backoff: Delays::exponential(bounds.base, 2.0, bounds.max),
            jitter: Jitter::Full,
            bounds,
            throttling_backoff: Delays::exponential(bounds.base, 2.0, bounds.max),
            throttling_bounds: bounds,
            max_cool_down: Some(Duration::from_secs(300)),
            retry_after_statuses: Statuses::new([429..=429, 503..=503, 529..=529].to_vec()),
            cool_downs: Vec::new(),
            retry_after_scope: None,
            budget: Some(BudgetPolicy::default()),
            hedge: None,
            conditions: Conditions::default(),
            stop_nested: false,
            statuses: Statuses::default(),
            grpc_statuses: [GrpcStatus::UNAVAILABLE, GrpcStatus::RESOURCE_EXHAUSTED].to_vec(),
            transports: Kind::TRANSPORT.to_vec(),
            methods: Methods::default(),
            max_request_bytes: 65_536,
            immediate_failover: true,
        }
    }
}

/// How an attempt ended, with what its answer says about another attempt.
#[derive(Clone, Copy, Debug)]
pub struct Ending {
    /// How it ended.
    pub outcome: Outcome,
    /// The cool-down that its answer requests, which may be zero.
    pub requested: Option<Duration>,
    /// Whether the policy's conditions hold.
    pub conditions_hold: bool,
}

impl From<Outcome> for Ending {
    /// An ending that requests nothing, under a policy without conditions.
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            requested: None,
            conditions_hold: true,
        }
    }
}

/// An attempt that has just ended, as [`decide`] needs to know it.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// Attempts so far, this one included.
    pub attempt: u8,
    /// How it ended.
    pub ending: Ending,
    /// The delay waited before it; zero before the first.
    pub waited: Duration,
    /// Whether the request may be sent again.
    pub repeatability: Repeatability,
    /// Whether an available endpoint has not been tried in this exchange.
    pub untried_left: bool,
    /// When the first cool-down ends, if no endpoint is available before.
    pub cooled: Option<Instant>,
    /// When the answer to the client must have begun.
    pub deadline: Instant,
}

/// What follows an attempt that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Another attempt, after this delay.
    Again(Duration),
    /// No other attempt, for this reason. `None`: the outcome is not one that is tried again, most
    /// often a success.
    Stop(Option<Denial>),
}

/// Decides what follows an attempt that ended `now`.
pub fn decide(policy: &RetryPolicy, ended: &Ended, now: Instant, rng: &mut dyn Rng) -> Decision {
    let outcome = ended.ending.outcome;
    if !policy.covers(outcome) {
        return Decision::Stop(None);
    }
    if !ended.ending.conditions_hold {
        return Decision::Stop(Some(Denial::Condition));
    }
    if ended.attempt >= policy.max_attempts.min(MAX_ATTEMPTS) {
        return Decision::Stop(Some(Denial::Exhausted));
    }
    if let Err(denial) = ended.repeatability.after(outcome) {
        return Decision::Stop(Some(denial));
    }
    let delay = delay(policy, ended, now, rng);
    if now + delay >= ended.deadline {
        return Decision::Stop(Some(Denial::Deadline));
    }
    Decision::Again(delay)
}

fn delay(policy: &RetryPolicy, ended: &Ended, now: Instant, rng: &mut dyn Rng) -> Duration {
    let Ending {
        outcome, requested, ..
    } = ended.ending;
    let refused = outcome.nothing_sent();
    let cools = policy.cool_down(outcome, requested).is_some();
    if ended.untried_left && (cools || (refused && policy.immediate_failover)) {
        return Duration::ZERO;
    }
    let throttles =
        outcome == Outcome::Answered(429) || (policy.may_request(outcome) && requested.is_some());
    let (backoff, bounds) = if throttles && !cools {
        (&policy.throttling_backoff, policy.throttling_bounds)
    } else {
        (&policy.backoff, policy.bounds)
    };
    let delay = policy
        .jitter
        .apply(backoff.delay(ended.attempt), ended.waited, bounds, rng);
    let cooled = ended.cooled.map_or(Duration::ZERO, |at| at.since(now));
    cooled.saturating_add(delay)
}

#[cfg(test)]
mod tests;
