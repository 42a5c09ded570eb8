//! The attempts of an exchange whose retries the router makes.
//!
//! The shell then stands in two places: before the router, where the client's request and answer
//! pass, and behind it, where each attempt does. So the engine sees an answer before the router
//! does, decides as ever, and says by a mark on the answer whether the router is to try again, and
//! where. What breaks without an answer the router repeats by itself; there the engine names the
//! next endpoint before it does, or answers the client first if there is to be no other attempt.
//!
//! ```text
//!   answer of an attempt ──► conclude ─┬─ again, soon ──► next attempt chosen, answer marked ─┐
//!   attempt has broken off ────────────┤                                                     │
//!                                      │   the router begins it; held until its delay is over ◄┘
//!                                      ├─ again, by a call ──► the client's side holds the answer
//!                                      └─ no more ──► the answer passes, or the filter answers
//! ```
//!
//! A delay is kept at the request of the next attempt: the router begins it at once, and it is held
//! before a byte of it is sent. The router's clock for the attempt runs meanwhile, so only what is
//! short beside `read` is waited for there.
//!
//! What the router gives up on goes on by calls (no healthy host, a full cluster, a wait that is
//! long), and so does every exchange that has been hedged. An attempt that the router begins all
//! the same is held for good: it ends with the exchange.
//!
//! Example: `read` 30 s. Attempt 1 is answered with 503, and the delay is 0.1 s: attempt 2 is
//! chosen at once, the answer is marked, and the router begins attempt 2 a millisecond later. Its
//! request goes on after 0.1 s. Had the delay been 10 s, the 503 would have been held at the
//! client's side and followed by a call.

use core::time::Duration;

use steerage_policy::endpoint::EndpointIndex;
use steerage_policy::exchange::EARLY;
use steerage_policy::outcome::Outcome;

use super::conclude::{Next, Walk};
use super::first_message::OpeningBody;
use super::phase::Phase;
use super::routing::{Arriving, Destination, Veto};
use super::stream::{LastAttempt, Stream, Via, Worth};
use crate::action::{Action, Flow, Mark, Retry, Route, RouterRetries};
use crate::answer::Answer;
use crate::names::AttemptId;
use crate::turn::Turn;

impl Walk<'_> {
    /// What the router is told of the retries that it makes of this request.
    pub(super) fn router_retries(&self) -> Option<RouterRetries> {
        let request = &self.stream.request;
        if request.obstacle_by_router().is_some() {
            return None;
        }
        let retry = &self.steered.pool().retry;
        let only_connecting = !self.stream.exchange.repeatability.allowed;
        let connecting = retry.covers(Outcome::ConnectFailure);
        if retry.max_attempts < 2 || (only_connecting && !connecting) {
            return None;
        }
        Some(RouterRetries {
            only_connecting,
            connecting,
            resets: retry.covers(Outcome::Reset) || retry.covers(Outcome::Timeout),
            most: retry.max_attempts.saturating_sub(1),
        })
    }

    /// The router has begun an attempt: its request goes on, or is held.
    pub(crate) fn attempt_begins(
        &mut self,
        id: AttemptId,
        destination: Destination,
        turn: &mut Turn<'_>,
    ) -> Flow {
        let by_router = &mut self.stream.by_router;
        let Phase::Routed(attempt) = &self.stream.phase else {
            if by_router.veto.is_some() {
                // Not here: the router is not done with beginning it.
                self.wait_until(Some(turn.now), turn);
            }
            // The exchange goes on by calls, or is over. But if its answer has been let through to
            // the router, that repeats it by a rule of its own, and the client waits for what
            // comes.
            return match self.stream.by_router.arriving {
                Some(Arriving::Answer { .. }) => Flow::Continue,
                _ => Flow::Pause,
            };
        };
        let is_retry = attempt.number() > 1;
        if by_router.current.is_some() || (is_retry && !by_router.is_usable) {
            return Flow::Pause; // No other one is wanted.
        }
        by_router.clock = turn.now;
        if !is_retry {
            by_router.current = Some(id);
            self.plan(turn);
            return Flow::Continue;
        }
        if destination == Destination::Elsewhere {
            return self.stay_by_calls(turn);
        }
        by_router.current = Some(id);
        by_router.is_holding = turn.now < attempt.sent();
        let is_holding = by_router.is_holding;
        let sending = self.sending(attempt);
        turn.actions.push_back(Action::Send(Route {
            sending,
            request: Some(self.stream.request.share()),
            retries: None,
        }));
        self.plan(turn);
        self.await_first(turn);
        if is_holding {
            Flow::Pause
        } else {
            Flow::Continue
        }
    }

    /// Settles where the attempt after the one that begins would go, if the router has to know now.
    fn plan(&mut self, turn: &mut Turn<'_>) {
        if !self.stream.by_router.is_planned {
            return;
        }
        let (pool, state) = (&self.steered.settings.pool, &mut self.steered.state);
        let exchange = &mut self.stream.exchange;
        if let Some(endpoint) = exchange.plan(pool, state, turn.now, self.rng) {
            turn.actions
                .push_back(Action::Plan(self.steered.index, endpoint));
        }
    }

    /// Whether the answer to this attempt of the router's is judged as such.
    pub(crate) fn is_heard(&self, id: AttemptId) -> bool {
        let by_router = &self.stream.by_router;
        by_router.current == Some(id) && !by_router.is_holding
    }

    /// The answer to an attempt of the router's has begun. It goes on to the router, marked if that
    /// is to try again; or it is held, if it is the client's only with its first message.
    pub(crate) fn attempt_answered(
        &mut self,
        id: AttemptId,
        answer: Answer,
        body: Option<OpeningBody>,
        turn: &mut Turn<'_>,
    ) -> Flow {
        if !self.is_heard(id) {
            return Flow::Continue; // It has been given up, and its answer is judged as a late one.
        }
        if let Some(body) = body
            && self.may_open(&answer)
        {
            return self.open(answer, body, turn);
        }
        self.router_attempt_ended(answer, None, turn);
        Flow::Continue
    }

    /// An attempt of the router's has come to this answer, whose head now goes on to the router.
    /// `held`: it was held, and no callback of its own is running.
    pub(super) fn router_attempt_ended(
        &mut self,
        answer: Answer,
        held: Option<AttemptId>,
        turn: &mut Turn<'_>,
    ) {
        let Some(attempt) = self.stream.phase.first_ended() else {
            return; // It is called while the router has the attempt.
        };
        self.stream.by_router.current = None;
        let next = self.conclude(attempt, Via::Router, answer, turn);
        let arriving = match next {
            Next::Again(delay) => {
                let mark = held.map_or(Mark::AtHand, Mark::Held);
                if self.retry_by_router(delay, mark, turn) {
                    self.stream.held = Worth::Hosts; // The router drops it.
                    return;
                }
                self.follow(next, turn);
                Arriving::Held
            }
            Next::Others => {
                self.await_calls(turn);
                Arriving::Held
            }
            Next::Answer { expired } => {
                self.wait_until(None, turn);
                Arriving::Answer { expired }
            }
        };
        self.stream.by_router.arriving = Some(arriving);
        if let Some(id) = held {
            turn.actions.push_back(Action::ReleaseAnswer(id));
        }
    }

    /// An attempt of the router's has ended without an answer. The router is about to repeat it, or
    /// to answer the client.
    pub(crate) fn attempt_broke(
        &mut self,
        id: AttemptId,
        was_connected: bool,
        turn: &mut Turn<'_>,
    ) {
        let read = self.steered.pool().timeouts.read();
        let by_router = &mut self.stream.by_router;
        if by_router.current != Some(id) {
            return; // It had been answered, or given up.
        }
        let outcome = if !was_connected {
            Outcome::ConnectFailure
        } else if turn.now + EARLY >= by_router.clock + read {
            Outcome::Timeout
        } else {
            Outcome::Reset
        };
        by_router.current = None;
        by_router.opening = None;
        let was_held = core::mem::take(&mut by_router.is_holding);
        if was_held && !outcome.nothing_sent() {
            return; // Nobody was asked: the router begins it again, and it is held again.
        }
        let Some(attempt) = self.stream.phase.first_ended() else {
            return;
        };
        let answer = Answer::of_host(outcome);
        match self.conclude(attempt, Via::Call, answer, turn) {
            Next::Again(delay) => {
                if !self.retry_by_router(delay, Mark::None, turn) {
                    self.follow(Next::Again(delay), turn);
                }
            }
            Next::Others => {
                self.stream.by_router.is_usable = false;
                self.await_calls(turn);
            }
            Next::Answer { expired } => {
                self.stream.by_router.is_usable = false;
                self.stream.by_router.veto = Some(Veto { outcome, expired });
                self.await_calls(turn);
            }
        }
    }

    /// Has the router make the next attempt, after this delay. `false`: it is left to a call.
    fn retry_by_router(&mut self, delay: Duration, mark: Mark, turn: &mut Turn<'_>) -> bool {
        let stream = &mut *self.stream;
        let (by_router, exchange) = (&mut stream.by_router, &mut stream.exchange);
        let is_long = delay > self.steered.pool().timeouts.read() / 4;
        let can_wait = !is_long || stream.request.obstacle().is_some();
        let knows_where = exchange.has_plan() || !by_router.is_planned;
        let attempt = if by_router.is_usable && can_wait && knows_where {
            let attempt = self.steered.attempt(stream.id, exchange, self.rng, turn);
            attempt.ok()
        } else {
            None
        };
        exchange.drop_plan();
        let Some(attempt) = attempt else {
            // What becomes available meanwhile a call may still reach.
            by_router.is_usable = false;
            return false;
        };
        let attempt = attempt.beginning(turn.now + delay, exchange.deadline());
        stream.last = LastAttempt::sent(&attempt);
        let sending = self.sending(&attempt);
        self.stream.phase.route(attempt);
        turn.actions
            .push_back(Action::Retry(Retry { sending, mark }));
        self.await_first(turn);
        true
    }

    /// The delay of the attempt that the router has begun is over.
    pub(super) fn release(&mut self, turn: &mut Turn<'_>) {
        let by_router = &mut self.stream.by_router;
        by_router.is_holding = false;
        if let Some(id) = by_router.current {
            turn.actions.push_back(Action::Release(id));
        } else if !by_router.is_usable
            && let Some(attempt) = self.stream.phase.first_ended()
        {
            return self.call_now(attempt, turn);
        }
        if let Phase::Routed(attempt) = &mut self.stream.phase {
            attempt.request_completed(turn.now);
            self.stream.last = LastAttempt::sent(attempt);
        }
        self.await_first(turn);
    }

    /// An answer is on its way to the client. `Some`: what becomes of it is known, because it was
    /// judged as the answer of an attempt. `None`: it is to be read and judged
    /// ([`Walk::first_answered`]).
    pub(crate) fn answer_arrives(&mut self, turn: &mut Turn<'_>) -> Option<Flow> {
        let arriving = self.stream.by_router.arriving.take()?;
        self.stream.is_answered = true;
        self.stream.by_router.is_usable = false;
        Some(match arriving {
            Arriving::Held => Flow::Pause,
            Arriving::Answer { expired } => {
                self.router_answered(Next::Answer { expired }, false, turn)
            }
        })
    }

    /// The router has begun an attempt that is not to be made: the client is answered.
    pub(super) fn enforce(&mut self, veto: Veto, turn: &mut Turn<'_>) {
        self.stream.by_router.veto = None;
        self.follow(
            Next::Answer {
                expired: veto.expired,
            },
            turn,
        );
    }

    /// The router answers the client by itself, after an attempt that broke off and that no other
    /// is to follow: it says best what has happened.
    pub(super) fn router_agrees(&mut self, veto: Veto, turn: &mut Turn<'_>) -> Flow {
        self.stream.by_router.veto = None;
        if self.stream.worth() == Worth::Hosts {
            self.stream.best = None;
            self.stream.phase.answer(None);
        }
        let next = Next::Answer {
            expired: veto.expired,
        };
        self.router_answered(next, veto.outcome == Outcome::Timeout, turn)
    }
}

impl Stream {
    /// Whether the router's attempt of this name has begun and has not been answered.
    pub(crate) fn awaits_answer_of(&self, id: AttemptId) -> bool {
        self.by_router.current == Some(id) && self.awaits_answer()
    }

    /// Whether the router has been asked for an attempt that it has not begun.
    pub(super) fn awaits_attempt(&self) -> bool {
        let attempt = self.phase.routed();
        self.by_router.current.is_none() && attempt.is_some_and(|attempt| attempt.number() > 1)
    }

    /// Where the attempt goes that the router has been asked for and has not begun.
    pub(crate) fn retry_goes_to(&self) -> Option<EndpointIndex> {
        let attempt = self.phase.routed().filter(|_| self.awaits_attempt())?;
        Some(attempt.endpoint())
    }

    /// Whether the router, which makes the retries, has not begun the first attempt: the shell does
    /// not stand behind it.
    pub(crate) fn lacks_attempt(&self) -> bool {
        let attempt = self.phase.routed();
        self.by_router.is_usable
            && self.by_router.current.is_none()
            && attempt.is_some_and(|attempt| attempt.number() == 1)
    }
}
