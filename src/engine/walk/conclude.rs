//! One exchange in hand, and the one place where an attempt is concluded.
//!
//! A good answer of the router goes on to the client, and is judged when it has come to its end
//! ([`super::ending`]).

use core::time::Duration;

use rand::Rng;
use slab::Slab;
use steerage_policy::exchange::Attempt;
use steerage_policy::judge::Facts;
use steerage_policy::outcome::{Class, Neutral, Outcome};
use steerage_policy::retry::Decision;
use steerage_policy::time::Instant;

use super::phase::{Pending, Streaming};
use super::stream::{Call, LastAttempt, Stream, Via, Worth};
use crate::action::{Account, Action, Reason, Sending};
use crate::answer::Answer;
use crate::kept_bytes::KeptBytes;
use crate::names::StreamKey;
use crate::pool::{Ended, OVERTAKEN, SteeredPool};
use crate::timers::Timers;
use crate::turn::Turn;

/// One exchange in hand, with what of its worker it takes to walk on.
pub(crate) struct Walk<'a> {
    pub(crate) key: StreamKey,
    pub(crate) stream: &'a mut Stream,
    pub(crate) steered: &'a mut SteeredPool,
    pub(crate) calls: &'a mut Slab<Call>,
    pub(crate) kept: &'a KeptBytes,
    pub(crate) timers: &'a mut Timers,
    pub(crate) rng: &'a mut dyn Rng,
}

/// What follows an attempt.
#[derive(Clone, Copy)]
pub(super) enum Next {
    /// Others are under way that may do better.
    Others,
    /// Another attempt, after this delay.
    Again(Duration),
    /// The client is answered; in place of an answer, because the time is up.
    Answer { expired: bool },
}

impl Walk<'_> {
    /// Concludes an attempt: its answer's wishes are honoured, it is recorded, what follows is
    /// decided, and it ends. An answer of the router that goes to the client streams on, and its
    /// attempt lasts as long; a good one is recorded at its end.
    pub(super) fn conclude(
        &mut self,
        attempt: Attempt,
        via: Via,
        answer: Answer,
        turn: &mut Turn<'_>,
    ) -> Next {
        let (outcome, id) = (answer.outcome, self.stream.id);
        let is_covered = self.steered.pool().retry.covers(outcome);
        let worth = Worth::of(&answer, is_covered);
        let may_be_bettered = self.may_be_bettered(via, outcome, worth);
        let streams = via == Via::Router
            && worth == Worth::Final
            && !may_be_bettered
            && !self.stream.request.is_upgrade();
        let honoured = self.steered.honour(&attempt, &answer, turn);
        let request = &mut self.stream.request;
        let judged = if streams && !honoured.cools {
            self.steered
                .answer_begins(id, &attempt, request, outcome, turn)
        } else {
            None
        };
        if judged.is_none() {
            let pool = &self.steered.settings.pool;
            let facts = Facts {
                cools: honoured.cools,
                ..self.stream.exchange.facts(pool, &attempt, outcome)
            };
            self.steered
                .record(id, &attempt, Some(request), facts, turn);
        }
        let pending = judged.map(|judged| Pending {
            outcome,
            judged,
            began: turn.now,
        });
        self.stream.last = LastAttempt::ended(&attempt, turn.now);
        if worth != Worth::Final
            || self.stream.exchange.attempts() > 1
            || self.steered.pool().access_log
        {
            self.stream.trail.add(&attempt, outcome, turn.now);
        }
        self.stream.overflowed &= outcome == Outcome::Neutral(Neutral::Overflow);
        if may_be_bettered {
            // A failure of a call is not worth the answer that the router still awaits.
            if self.stream.phase.is_calling() || worth == Worth::Final {
                self.stream.keep_better(via, answer, worth, Some(self.kept));
            }
            self.steered.state.end(attempt);
            return Next::Others;
        }
        if let Some(first) = self.stream.phase.first_ended() {
            self.stream.trail.add(&first, OVERTAKEN, turn.now);
            self.steered
                .overtaken(first, &mut self.stream.request, turn);
        }
        let has_final = worth == Worth::Final || self.stream.has_final();
        let obstacle = self.stream.obstacle();
        let exchange = &mut self.stream.exchange;
        let decision = if is_covered && !has_final {
            exchange.repeatability.obstacle = obstacle;
            let ended = Ended {
                attempt: &attempt,
                request: &self.stream.request,
                answer: &answer,
                requested: honoured.requested,
            };
            self.steered.decide(id, exchange, &ended, self.rng, turn)
        } else {
            Decision::Stop(None)
        };
        if let Decision::Stop(_) = decision
            && pending.is_none()
        {
            // The client gets the best of them, which is no failure.
            let class = match outcome.class() {
                _ if has_final && worth != Worth::Final => Class::Success,
                // What is given up is followed by an earlier answer, and that has failed.
                Class::Neutral if via == Via::Call => Class::Failure,
                class => class,
            };
            exchange.answered(&mut self.steered.state, class, turn.now);
        }
        let expired = !has_final && exchange.expired_with(&attempt, outcome, turn.now);
        match decision {
            Decision::Again(delay) => {
                self.stream.keep_better(via, answer, worth, Some(self.kept));
                self.steered.state.end(attempt);
                Next::Again(delay)
            }
            Decision::Stop(_) => {
                if via == Via::Call || self.stream.best.is_some() {
                    // It is given at once, and not kept.
                    self.stream.keep_better(via, answer, worth, None);
                }
                if via == Via::Router && self.stream.best.is_none() {
                    let streaming = Streaming { attempt, pending };
                    self.stream.phase.answer(Some(streaming));
                } else {
                    self.steered.state.end(attempt);
                }
                Next::Answer { expired }
            }
        }
    }

    /// Whether another attempt is under way that may do better than this one has. Only a success
    /// ends a race at once: an endpoint that is not as far as the others, or is wrongly set up, is
    /// quick to answer 404, 401 or 301.
    fn may_be_bettered(&self, via: Via, outcome: Outcome, worth: Worth) -> bool {
        let others_left = !self.stream.calls.is_empty()
            || (via == Via::Call && self.stream.phase.routed().is_some());
        let ends_race = worth == Worth::Final && matches!(outcome, Outcome::Answered(200..=299));
        others_left && !ends_race
    }

    /// The stream now waits until `due`, or for nothing in time.
    pub(super) fn wait_until(&mut self, due: Option<Instant>, turn: &mut Turn<'_>) {
        self.timers.replace(self.key, self.stream.due, due);
        self.stream.due = due;
        let period = due.and_then(|due| self.timers.rearm(due, turn.now));
        if let Some(period) = period {
            turn.actions.push_back(Action::SetTimer(period));
        }
    }

    /// Its calls concern it no longer: the client has its answer, or has left.
    pub(super) fn detach_calls(&mut self) {
        for id in self.stream.calls.drain(..) {
            if let Some(Call::Attempt { stream, .. }) = self.calls.get_mut(id.0) {
                *stream = None;
            }
        }
    }

    pub(super) fn sending(&self, attempt: &Attempt) -> Sending {
        Sending {
            stream: self.stream.id,
            pool: self.key.pool,
            endpoint: attempt.endpoint(),
            number: attempt.number(),
            timeout: attempt.timeout(),
            is_trial: attempt.pass().trial().is_some(),
        }
    }

    /// What is told with the answer that the client now gets.
    pub(super) fn account(&mut self, reason: Option<Reason>, now: Instant) -> Account {
        let mut trail = core::mem::take(&mut self.stream.trail);
        for call in &self.stream.calls {
            if let Some(Call::Attempt { attempt, .. }) = self.calls.get(call.0) {
                trail.add(attempt, OVERTAKEN, now);
            }
        }
        let last = self.stream.last;
        let took = last.took.unwrap_or_else(|| now.since(last.sent));
        Account {
            stream: self.stream.id,
            pool: self.key.pool,
            attempts: self.stream.exchange.attempts(),
            endpoint: self.stream.exchange.last_endpoint(),
            last: Some((last.endpoint, took)),
            reason,
            denial: self.stream.exchange.denial(),
            grpc_status: None,
            trail,
        }
    }
}
