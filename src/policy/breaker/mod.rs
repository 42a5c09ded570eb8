//! The circuit breaker of one endpoint, which all workers share.
//!
//! ```text
//!       consecutive failures, or a high share of failures or slow calls
//!   closed ─────────────────────────────────────────────────────────────► open
//!      ▲                                                                  │ its time is over
//!      │ enough good trials                                               ▼
//!      └───────────────────────────────────────────────────────────── half-open
//!                                            a bad trial: open again, for longer
//! ```
//!
//! A [`Breaker`] is plain data. The shell reads it from what the workers share, lets one of the
//! functions here change it, and writes it back if no other worker was faster. Every function is
//! therefore a step from an old state to a new one, and knows nothing of sharing.
//!
//! **Generations.** Every transition starts a new generation, and every attempt carries the one
//! that admitted it. An answer from before the last transition is counted in the statistics and not
//! judged here: a late failure must not open a breaker that has just closed.
//!
//! **Trials.** A half-open endpoint serves at most `half_open_requests` attempts at a time, over
//! all workers. Each of them holds a permit, which is freed when the attempt ends. A permit also
//! expires, in case its worker dies.
//!
//! **Growth.** The open time doubles with each opening. It starts over only after a real recovery:
//! the breaker has stayed closed for as long as it was last open. A single good trial proves little
//! (<https://github.com/envoyproxy/envoy/issues/21142>).
//!
//! Example, threshold 3, timeout 1 s, one trial: failures at 0.1, 0.2 and 0.3 s open it until 1.3
//! s. At 1.4 s a trial is admitted and fails: open until 3.4 s. At 3.5 s a trial succeeds: closed.
//! Three failures at 4 s open it for 4 s, because it was closed for only half a second; at 9 s they
//! would open it for 1 s again.

mod in_force;
mod last_resort;
mod parts;
mod policy;

use alloc::vec::Vec;
use core::time::Duration;

use crate::time::Instant;

pub use parts::{BreakerParts, StateParts};
pub use policy::{BreakerPolicy, SlowCalls};

/// The breaker of one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    state: State,
    /// The number of this state, counted from the first.
    generation: Generation,
    /// When this state began.
    since: Instant,
    /// Consecutive failures while closed.
    failures_while_closed: u32,
    /// Consecutive failures in any state, for status.
    consecutive_failures: u32,
    /// Openings without a recovery in between.
    openings: u32,
    /// How long it was last open.
    open_time: Duration,
}

/// Counts the states of one breaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Generation(u32);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    Open {
        until: Instant,
    },
    HalfOpen {
        successes: u32,
        permits: Vec<Permit>,
    },
}

/// Identifies one trial among all workers. Drawn at random.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrialId(pub u64);

/// The permit of one trial of a half-open endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    /// The trial that holds it.
    pub trial: TrialId,
    /// When it expires unless it is freed before.
    pub expires: Instant,
}

/// The name of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateName {
    /// Traffic flows.
    Closed,
    /// Limited trials are admitted.
    HalfOpen,
    /// Nothing is admitted.
    Open,
}

impl StateName {
    /// Every state, in the order of its number in metrics.
    pub const ALL: [Self; 3] = [Self::Closed, Self::HalfOpen, Self::Open];

    /// The name in metrics and status.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

/// Whether a breaker admits an attempt now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It does.
    Free,
    /// It does as a trial, if [`Breaker::begin_trial`] grants a permit.
    Trial,
    /// It does not.
    Refused,
}

/// How an admitted attempt ended, as its breaker judges it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The endpoint did its work.
    Success,
    /// The endpoint was at fault.
    Failure {
        /// Whether it counts among the consecutive failures. An endpoint that answers 429 has no
        /// capacity but is alive: that counts in the share of failures only. A trial fails by it
        /// all the same.
        consecutive: bool,
    },
    /// The attempt says nothing of the endpoint.
    Neutral,
}

/// What an attempt was admitted as. It is judged by this when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    generation: Generation,
    trial: Option<TrialId>,
}

impl Pass {
    /// The state of the breaker that admitted it.
    #[must_use]
    pub const fn generation(self) -> Generation {
        self.generation
    }

    /// The trial's number, if it was admitted as one.
    #[must_use]
    pub const fn trial(self) -> Option<TrialId> {
        self.trial
    }
}

impl Breaker {
    /// Whether an attempt is admitted `now`.
    #[must_use]
    pub fn admission(&self, policy: &BreakerPolicy, now: Instant) -> Admission {
        match &self.state {
            State::Closed => Admission::Free,
            State::Open { until } if now < *until => Admission::Refused,
            State::Open { .. } => Admission::Trial,
            State::HalfOpen { permits, .. } => {
                if live(permits, now) < policy.half_open_requests.max(1) {
                    Admission::Trial
                } else {
                    Admission::Refused
                }
            }
        }
    }

    /// The pass of an attempt that is admitted without a trial.
    #[must_use]
    pub const fn free_pass(&self) -> Pass {
        Pass {
            generation: self.generation,
            trial: None,
        }
    }

    /// Requests a permit for a trial, which expires at `expires` unless it is freed before. `None`
    /// if all permits are taken.
    pub fn begin_trial(
        &mut self,
        policy: &BreakerPolicy,
        trial: TrialId,
        expires: Instant,
        now: Instant,
    ) -> Option<Pass> {
        match self.admission(policy, now) {
            Admission::Free => return Some(self.free_pass()),
            Admission::Refused => return None,
            Admission::Trial => {}
        }
        if let State::Open { .. } = self.state {
            let half_open = State::HalfOpen {
                successes: 0,
                permits: Vec::new(),
            };
            self.enter(half_open, now);
        }
        if let State::HalfOpen { permits, .. } = &mut self.state {
            permits.retain(|permit| now < permit.expires);
            permits.push(Permit { trial, expires });
        }
        Some(Pass {
            generation: self.generation,
            trial: Some(trial),
        })
    }

    /// Whether [`Breaker::judge`] would change anything. The healthy path needs no access to what
    /// the workers share if not. A success may miss a change that another worker has just made; a
    /// failure always asks, and is judged by the newest state.
    #[must_use]
    pub const fn would_change(&self, pass: Pass, verdict: Verdict, exceeded: bool) -> bool {
        match verdict {
            Verdict::Success => pass.trial.is_some() || self.failures_while_closed > 0 || exceeded,
            Verdict::Failure { .. } => {
                self.generation.0 == pass.generation.0 || pass.trial.is_some()
            }
            Verdict::Neutral => pass.trial.is_some(),
        }
    }

    /// Judges an attempt that has ended. `exceeded`: the attempts of the window are bad enough to
    /// open the breaker.
    pub fn judge(
        &mut self,
        policy: &BreakerPolicy,
        pass: Pass,
        verdict: Verdict,
        exceeded: bool,
        now: Instant,
    ) {
        let current = pass.generation == self.generation;
        match &mut self.state {
            State::Closed if current => {
                match verdict {
                    Verdict::Success => {
                        self.failures_while_closed = 0;
                        self.consecutive_failures = 0;
                    }
                    Verdict::Failure { consecutive: true } => {
                        self.failures_while_closed = self.failures_while_closed.saturating_add(1);
                        self.consecutive_failures = self.consecutive_failures.saturating_add(1);
                    }
                    Verdict::Failure { consecutive: false } => {}
                    Verdict::Neutral => return,
                }
                if exceeded || self.failures_while_closed >= policy.failure_threshold.max(1) {
                    self.open(policy, now);
                }
            }
            State::HalfOpen { successes, permits } => {
                permits.retain(|permit| Some(permit.trial) != pass.trial);
                if !current || pass.trial.is_none() {
                    return;
                }
                match verdict {
                    Verdict::Success => {
                        *successes = successes.saturating_add(1);
                        if *successes >= policy.success_threshold {
                            self.enter(State::Closed, now);
                        }
                        self.consecutive_failures = 0;
                    }
                    Verdict::Failure { .. } => {
                        self.consecutive_failures = self.consecutive_failures.saturating_add(1);
                        self.open(policy, now);
                    }
                    Verdict::Neutral => {}
                }
            }
            State::Closed | State::Open { .. } => {}
        }
    }

    /// A health check has ended. A good one serves as a trial of an endpoint that waits for one. A
    /// bad one counts among the consecutive failures, and fails a half-open endpoint.
    pub fn checked(&mut self, policy: &BreakerPolicy, good: bool, now: Instant) {
        let trial = TrialId(0);
        let verdict = if good {
            Verdict::Success
        } else {
            Verdict::Failure { consecutive: true }
        };
        let pass = match self.admission(policy, now) {
            Admission::Free => self.free_pass(),
            // A check is no load: it needs no free permit, only the state.
            Admission::Trial | Admission::Refused => match &self.state {
                State::Open { until } if now < *until => return,
                State::Open { .. } => match self.begin_trial(policy, trial, now, now) {
                    Some(pass) => pass,
                    None => return,
                },
                State::Closed | State::HalfOpen { .. } => Pass {
                    generation: self.generation,
                    trial: Some(trial),
                },
            },
        };
        self.judge(policy, pass, verdict, false, now);
    }

    /// The state's name. An open breaker whose time is over stays open until a trial begins.
    #[must_use]
    pub const fn name(&self) -> StateName {
        match self.state {
            State::Closed => StateName::Closed,
            State::HalfOpen { .. } => StateName::HalfOpen,
            State::Open { .. } => StateName::Open,
        }
    }

    /// Until when it is open; `None` if it is not.
    #[must_use]
    pub const fn open_until(&self) -> Option<Instant> {
        match self.state {
            State::Open { until } => Some(until),
            State::Closed | State::HalfOpen { .. } => None,
        }
    }

    /// Since when it has been closed again; `None` if it is not closed, or has never opened.
    #[must_use]
    pub fn closed_since(&self) -> Option<Instant> {
        let again = self.state == State::Closed && self.generation.0 > 0;
        again.then_some(self.since)
    }

    /// The number of this state. Statistics from before it say nothing about it.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// Consecutive failures that it has judged, including those before it opened and those of
    /// trials.
    #[must_use]
    pub const fn consecutive_failures(&self) -> u32 {
        self.consecutive_failures
    }

    /// Consecutive failures since it closed; 0 while it is not closed.
    #[must_use]
    pub const fn failures_while_closed(&self) -> u32 {
        self.failures_while_closed
    }

    fn open(&mut self, policy: &BreakerPolicy, now: Instant) {
        let recovered = self.state == State::Closed && now.since(self.since) >= self.open_time;
        self.openings = if recovered {
            1
        } else {
            self.openings.saturating_add(1)
        };
        self.open_time = policy.open_time(self.openings);
        let until = now + self.open_time;
        self.enter(State::Open { until }, now);
    }

    fn enter(&mut self, state: State, now: Instant) {
        self.state = state;
        self.generation = Generation(self.generation.0.wrapping_add(1));
        self.since = now;
        self.failures_while_closed = 0;
    }
}

/// The number of permits that are held.
fn live(permits: &[Permit], now: Instant) -> u32 {
    let count = permits.iter().filter(|permit| now < permit.expires).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
