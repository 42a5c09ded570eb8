//! The head of an answer that is the client's only with its first message.
//!
//! A 200 may be followed by a failure at once: gRPC gives its status in the trailers, a stream of
//! events opens with an error, or stays away. So the head is held behind the router, and the body
//! is looked at until its first message is there. What goes wrong before that is tried again
//! elsewhere, and the client has seen nothing.
//!
//! Only answers to requests that have arrived whole are held, because the host does not survive a
//! held answer while it still sends the request; and none of an upgrade, whose two sides wait for
//! each other. And only for so long (`commit_timeout`): after that the answer has failed like one
//! that did not come, and is the client's all the same if there is no other attempt.
//!
//! Example: an answer of `text/event-stream`. Its head comes after 20 ms and is held. A comment (`:
//! wait`) changes nothing. At 300 ms `event: error` and a blank line follow, and the policy says
//! that such an event is a failure: the attempt has failed, and the router makes another.

use core::time::Duration;

use steerage_policy::outcome::{Class, GrpcStatus, Outcome};
use steerage_policy::retry::first_message::{Body, CommitOn, Scanner, Verdict};

use super::conclude::Walk;
use super::phase::Phase;
use super::routing::Opening;
use crate::action::Flow;
use crate::answer::Answer;
use crate::names::AttemptId;
use crate::turn::Turn;

/// What the shell knows of the body of an answer whose head could be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpeningBody {
    /// How it is divided into messages; `None`: it cannot be read, and any byte will do.
    pub kind: Option<Body>,
    /// Whether bodies are known to come by while heads are held.
    pub is_seen: bool,
}

impl Walk<'_> {
    /// Whether the head of this answer waits for its first message.
    pub(crate) fn may_open(&self, answer: &Answer) -> bool {
        let retry = &self.steered.pool().retry;
        matches!(retry.commit_on, CommitOn::FirstMessage(_))
            && self.stream.by_router.is_usable
            && self.stream.request.is_complete()
            && !self.stream.request.is_upgrade()
            && answer.outcome.class() == Class::Success
            && !retry.covers(answer.outcome)
    }

    /// Holds the head of an answer until its first message is there.
    pub(super) fn open(&mut self, answer: Answer, body: OpeningBody, turn: &mut Turn<'_>) -> Flow {
        let pool = self.steered.pool();
        let CommitOn::FirstMessage(first) = &pool.retry.commit_on else {
            return Flow::Continue;
        };
        let most = first.timeout.unwrap_or_else(|| pool.timeouts.read());
        let patience = if body.is_seen {
            most
        } else {
            most.min(UNPROVEN)
        };
        let until = turn.now + patience;
        self.stream.by_router.opening = Some(Box::new(Opening {
            answer,
            scanner: body.kind.map(|kind| Scanner::new(kind, &first.rules)),
            until,
            latest: turn.now + most,
            fails_late: body.is_seen || most <= UNPROVEN,
        }));
        self.wait_until(Some(until.min(self.stream.exchange.deadline())), turn);
        Flow::Pause
    }

    /// More of the body of an answer has come whose head is held.
    pub(crate) fn attempt_body(
        &mut self,
        id: AttemptId,
        bytes: &[u8],
        end: bool,
        turn: &mut Turn<'_>,
    ) -> Flow {
        let deadline = self.stream.exchange.deadline();
        let Some(opening) = self.opening_of(id) else {
            return Flow::Continue;
        };
        let extended = (!opening.fails_late).then_some(opening.latest.min(deadline));
        if extended.is_some() {
            // It does come by while the head is held.
            opening.fails_late = true;
            opening.until = opening.latest;
        }
        let mut verdict = match &mut opening.scanner {
            Some(scanner) => scanner.feed(bytes),
            None if bytes.is_empty() => Verdict::Undecided,
            None => Verdict::Commit,
        };
        if end && verdict == Verdict::Undecided {
            verdict = last_verdict(opening);
        }
        match verdict {
            Verdict::Undecided => {
                if extended.is_some() {
                    self.wait_until(extended, turn);
                }
                return Flow::Pause;
            }
            Verdict::Commit => self.resolve(None, None, turn),
            Verdict::Failed => self.resolve(Some(Outcome::Event), None, turn),
        }
        Flow::Continue
    }

    /// The trailers of an answer have come whose head is held, with this status of gRPC if any.
    pub(crate) fn attempt_trailers(
        &mut self,
        id: AttemptId,
        status: Option<GrpcStatus>,
        turn: &mut Turn<'_>,
    ) {
        let Some(opening) = self.opening_of(id) else {
            return;
        };
        let outcome = match status {
            Some(status) if status != GrpcStatus::OK => Some(Outcome::Grpc(status)),
            _ => (last_verdict(opening) == Verdict::Failed).then_some(Outcome::Event),
        };
        self.resolve(outcome, None, turn);
    }

    /// The first message has not come in its time.
    pub(super) fn opening_late(&mut self, turn: &mut Turn<'_>) {
        let by_router = &mut self.stream.by_router;
        let (Some(opening), Some(id)) = (&mut by_router.opening, by_router.current) else {
            return;
        };
        let outcome = match last_verdict(opening) {
            Verdict::Failed => Some(Outcome::Event),
            _ if opening.fails_late => Some(Outcome::Timeout),
            _ => None,
        };
        self.resolve(outcome, Some(id), turn);
    }

    /// The head goes on. `failed`: not as the good answer that it was.
    fn resolve(&mut self, failed: Option<Outcome>, held: Option<AttemptId>, turn: &mut Turn<'_>) {
        let Some(opening) = self.stream.by_router.opening.take() else {
            return;
        };
        let mut answer = opening.answer;
        if let Some(outcome) = failed {
            answer.outcome = outcome;
        }
        if failed == Some(Outcome::Timeout)
            && let Phase::Routed(attempt) = &mut self.stream.phase
        {
            attempt.had_its_time();
        }
        self.router_attempt_ended(answer, held, turn);
    }

    fn opening_of(&mut self, id: AttemptId) -> Option<&mut Opening> {
        let by_router = &mut self.stream.by_router;
        let is_current = by_router.current == Some(id);
        by_router.opening.as_deref_mut().filter(|_| is_current)
    }
}

/// What there is of the body decides.
fn last_verdict(opening: &mut Opening) -> Verdict {
    let scanner = opening.scanner.as_mut();
    scanner.map_or(Verdict::Commit, Scanner::end)
}

/// How long a head is held while it is not known whether its body comes by meanwhile, which takes a
/// setting of the host's.
const UNPROVEN: Duration = Duration::from_secs(1);
