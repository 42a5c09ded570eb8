//! The end of an exchange: which answer the client gets.
//!
//! A good answer of a retry replaces the one that is held. If no attempt was good, the client gets
//! the last answer of an upstream as it came, because it says most; and only if no upstream
//! answered at all, the last of the host's own. When time is up it gets a 504 that says so.

use steerage_policy::matching::RequestHead as _;
use steerage_policy::outcome::Class;

use super::conclude::Walk;
use super::stream::Worth;
use crate::action::{Account, Action, Given, Reason, Refusal};
use crate::turn::Turn;

impl Walk<'_> {
    /// No other attempt follows: the client gets the best answer that there is.
    pub(super) fn finish(&mut self, turn: &mut Turn<'_>) {
        if self.stream.overflowed && self.stream.worth() == Worth::Hosts {
            return self.refuse(Reason::Overloaded, Class::Failure, turn);
        }
        let best = self.stream.best.take();
        if best.is_none() && !self.stream.is_answered {
            return self.refuse(Reason::DeadlineExceeded, Class::Failure, turn);
        }
        let account = self.account(None, turn.now);
        turn.actions.push_back(match best {
            None => Action::Resume(account),
            Some(best) => Action::Give(Box::new(Given {
                account,
                answer: *best.answer,
                share: best.share,
                is_head: self.stream.request.method() == b"HEAD",
                is_held: self.stream.is_answered,
            })),
        });
        self.answered(turn);
    }

    /// The filter answers. `class` says whose fault it is.
    pub(super) fn refuse(&mut self, reason: Reason, class: Class, turn: &mut Turn<'_>) {
        self.stream
            .exchange
            .answered(&mut self.steered.state, class, turn.now);
        let is_grpc = self.stream.request.is_grpc();
        turn.actions.push_back(Action::Refuse(Refusal {
            account: Account {
                grpc_status: is_grpc.then(|| reason.grpc_status()),
                ..self.account(Some(reason), turn.now)
            },
            reason,
            retry_after: None,
        }));
        self.answered(turn);
    }

    /// The answer is on its way: nothing is awaited any more.
    pub(super) fn answered(&mut self, turn: &mut Turn<'_>) {
        self.stream.phase.answer(None);
        self.detach_calls();
        self.stream.best = None;
        self.stream.request.forget();
        self.wait_until(None, turn);
    }
}
