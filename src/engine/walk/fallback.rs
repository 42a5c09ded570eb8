//! What the router was to make, and does not: the attempt becomes a call, if its request can be
//! one.

use steerage_policy::exchange::Attempt;
use steerage_policy::outcome::{Class, Neutral, Outcome};
use steerage_policy::retry::reason::Denial;

use super::conclude::Walk;
use super::routing::Veto;
use super::stream::{Via, Worth};
use crate::action::{Action, Flow, Trouble};
use crate::answer::Answer;
use crate::turn::Turn;

impl Walk<'_> {
    /// The host does not send retries where they are to go, or has none for them: the attempt that
    /// is due becomes a call.
    pub(super) fn stay_by_calls(&mut self, turn: &mut Turn<'_>) -> Flow {
        turn.actions
            .push_back(Action::Trouble(Trouble::RetryElsewhere));
        if !self.call_instead(turn) {
            let outcome = Outcome::ConnectFailure;
            let answer = Answer::of_host(outcome);
            self.stream
                .keep_better(Via::Call, answer, Worth::Hosts, None);
            self.stream.phase.call();
            self.stream.by_router.veto = Some(Veto {
                outcome,
                expired: false,
            });
            self.wait_until(Some(turn.now), turn);
        }
        Flow::Pause
    }

    /// The attempt that the router was to make next has not been sent and is not going to be: it
    /// becomes a call, if its request can be one. `false`: it cannot, and has ended.
    fn call_instead(&mut self, turn: &mut Turn<'_>) -> bool {
        self.stream.by_router.is_usable = false;
        let Some(attempt) = self.stream.phase.first_ended() else {
            return false; // It is called while the router has the attempt.
        };
        let obstacle = self.stream.request.obstacle();
        if let Some(denial) = obstacle {
            self.not_sent(attempt, denial, turn);
            return false;
        }
        if turn.now < attempt.sent() {
            self.stream.phase.route(attempt);
            self.stream.by_router.is_holding = true;
            self.await_first(turn);
        } else {
            self.call_now(attempt, turn);
        }
        true
    }

    /// Makes an attempt that has begun already a call.
    pub(super) fn call_now(&mut self, attempt: Attempt, turn: &mut Turn<'_>) {
        self.call(attempt, turn);
        self.await_calls(turn);
    }

    /// An attempt that was decided on cannot be made.
    fn not_sent(&mut self, attempt: Attempt, denial: Denial, turn: &mut Turn<'_>) {
        self.give_up(attempt, Outcome::Neutral(Neutral::Overflow), turn);
        let exchange = &mut self.stream.exchange;
        exchange.deny(&mut self.steered.state, denial);
        exchange.answered(&mut self.steered.state, Class::Failure, turn.now);
        self.stream.phase.answer(None);
    }

    /// The router answers the client in place of the attempt that it was to make: a limit of its
    /// own is reached. `answer` is its word, or the answer before, which then goes on.
    pub(super) fn router_gave_up(&mut self, answer: &Answer, turn: &mut Turn<'_>) -> Flow {
        self.stream.held = Worth::of(answer, true);
        if self.call_instead(turn) {
            return Flow::Pause;
        }
        let account = self.account(None, turn.now);
        turn.actions.push_back(Action::Pass(account));
        self.answered(turn);
        Flow::Continue
    }
}
