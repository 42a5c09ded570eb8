//! The attempts after the first: calls, made when their delay has passed, or beside the first.
//!
//! A call belongs to the worker and not to the stream, because a host reports a call only to the
//! context that made it and drops the answer if that is gone: a client that hangs up would leave an
//! attempt that counts as active for ever. The whole answer is in hand before the client gets any
//! of it, which is the price of choosing another cluster once the router has answered.
//!
//! A hedge is a second attempt elsewhere while the router still has the first. A good answer of
//! either goes to the client: the router's streams by as always, a call's replaces it. If the first
//! attempt fails while hedges are under way, its answer is held until one of them does better or
//! all have failed; only then is a retry decided on. What has lost is not counted against its
//! endpoint.

use core::time::Duration;

use steerage_policy::exchange::Attempt;
use steerage_policy::outcome::Class;
use steerage_policy::retry::reason::Denial;

use super::conclude::{Next, Walk};
use super::phase::Phase;
use super::stream::{Call, LastAttempt, Via};
use crate::action::{self, Action, CallId, Reason};
use crate::answer::Answer;
use crate::turn::Turn;

impl Walk<'_> {
    /// Its time in the timers has come.
    pub(crate) fn due(&mut self, turn: &mut Turn<'_>) {
        self.stream.due = None;
        match &self.stream.phase {
            Phase::Waiting => self.retry(turn),
            Phase::Routed(attempt) if turn.now < self.stream.first_deadline() => {
                if self.stream.by_router.is_holding && turn.now >= attempt.sent() {
                    self.release(turn);
                } else if self.stream.by_router.opening.is_some() {
                    self.opening_late(turn);
                } else if turn.now < self.stream.silent_from() {
                    self.hedge(turn);
                } else {
                    self.silent(turn);
                }
            }
            Phase::Routed(_) => self.time_is_up(turn),
            Phase::Calling => match self.stream.by_router.veto {
                Some(veto) => self.enforce(veto, turn),
                None => self.time_is_up(turn),
            },
            Phase::Answering(_) => {}
        }
    }

    /// A retry is due.
    fn retry(&mut self, turn: &mut Turn<'_>) {
        let obstacle = self.stream.request.obstacle();
        let exchange = &mut self.stream.exchange;
        exchange.drop_plan();
        let attempt = match obstacle {
            // The router could have made it.
            Some(obstacle) => Err(obstacle),
            None => (self.steered).attempt(self.stream.id, exchange, self.rng, turn),
        };
        let denial = match attempt {
            Ok(attempt) => {
                self.stream.phase.call();
                self.call(attempt, turn);
                return self.await_calls(turn);
            }
            Err(Denial::Deadline) => {
                return self.refuse(Reason::DeadlineExceeded, Class::Failure, turn);
            }
            Err(denial) => denial,
        };
        // They may all have begun to cool down while this retry was waiting.
        let cooled = exchange.cooled(self.steered.pool(), &self.steered.state, turn.now);
        if let Some(cooled) = cooled.filter(|cooled| *cooled < exchange.deadline()) {
            return self.wait_until(Some(cooled), turn);
        }
        exchange.deny(&mut self.steered.state, denial);
        exchange.answered(&mut self.steered.state, Class::Failure, turn.now);
        self.finish(turn);
    }

    /// The first attempt has not been answered in the time that it has before it is hedged.
    fn hedge(&mut self, turn: &mut Turn<'_>) {
        let exchange = &mut self.stream.exchange;
        let state = &mut self.steered.state;
        if exchange.may_hedge(&self.steered.settings.pool, state, turn.now)
            && let Ok(attempt) = self
                .steered
                .attempt(self.stream.id, exchange, self.rng, turn)
        {
            self.call(attempt, turn);
            return self.await_first(turn);
        }
        self.stop_hedging(turn);
    }

    /// Not within the budget, or nowhere to go: the first attempt stays alone.
    fn stop_hedging(&mut self, turn: &mut Turn<'_>) {
        self.stream.hedge_at = None;
        let due = self.stream.first_due();
        self.wait_until(Some(due), turn);
    }

    /// Makes the attempt a call.
    pub(super) fn call(&mut self, attempt: Attempt, turn: &mut Turn<'_>) {
        self.stream.last = LastAttempt::sent(&attempt);
        let sending = self.sending(&attempt);
        let patience = self.stream.exchange.deadline().since(turn.now) + GRACE;
        let id = CallId(self.calls.insert(Call::Attempt {
            stream: Some(self.key),
            id: self.stream.id,
            pool: self.key.pool,
            attempt,
            until: turn.now + patience,
        }));
        self.stream.calls.push(id);
        let call = action::Call {
            id,
            sending,
            request: self.stream.request.share(),
            patience,
        };
        turn.actions.push_back(Action::Call(Box::new(call)));
    }

    /// Nothing is left to wait for but calls, and the deadline.
    pub(super) fn await_calls(&mut self, turn: &mut Turn<'_>) {
        let deadline = self.stream.exchange.deadline();
        self.wait_until(Some(deadline), turn);
    }

    /// The host has not sent a call: its cluster is unknown, empty or full. The next attempt
    /// follows at once if it may; the policy says when to stop.
    pub(crate) fn call_refused(
        &mut self,
        id: CallId,
        attempt: Attempt,
        refused: Answer,
        turn: &mut Turn<'_>,
    ) {
        self.stream.calls.retain(|call| *call != id);
        match self.conclude(attempt, Via::Call, refused, turn) {
            // A hedge: there will be no other.
            Next::Others if self.stream.awaits_answer() => self.stop_hedging(turn),
            Next::Again(Duration::ZERO) => {
                self.stream.phase.wait();
                self.retry(turn);
            }
            next => self.follow(next, turn),
        }
    }

    /// A call has been answered, or has failed.
    pub(crate) fn call_answered(
        &mut self,
        id: CallId,
        attempt: Attempt,
        answer: Answer,
        turn: &mut Turn<'_>,
    ) {
        self.stream.calls.retain(|call| *call != id);
        let next = self.conclude(attempt, Via::Call, answer, turn);
        self.follow(next, turn);
    }

    pub(super) fn follow(&mut self, next: Next, turn: &mut Turn<'_>) {
        match next {
            Next::Others => {}
            Next::Again(delay) => {
                self.stream.phase.wait();
                self.wait_until(Some(turn.now + delay), turn);
            }
            Next::Answer { expired: true } => {
                self.refuse(Reason::DeadlineExceeded, Class::Failure, turn);
            }
            Next::Answer { expired: false } => self.finish(turn),
        }
    }
}

/// How much longer than its exchange a call may take. The worker's own timer ends the exchange at
/// its deadline, and says so. The host's, which on a busy thread begins a little in the past, must
/// not be first and look like a failure.
const GRACE: Duration = Duration::from_millis(100);
