//! What is kept of one exchange, and of its calls.

use core::time::Duration;

use steerage_policy::endpoint::EndpointIndex;
use steerage_policy::exchange::{Attempt, EARLY, Exchange};
use steerage_policy::outcome::{Class, Outcome};
use steerage_policy::retry::reason::Denial;
use steerage_policy::time::Instant;

use super::phase::Phase;
use super::routing::ByRouter;
use crate::action::CallId;
use crate::answer::Answer;
use crate::kept_bytes::{KeptBytes, Share};
use crate::kept_request::Kept;
use crate::names::{StreamId, StreamKey};
use crate::settings::PoolIndex;
use crate::trail::Trail;

/// What an answer is worth to the client, beside others to the same request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Worth {
    /// The host's own account of a failure.
    Hosts,
    /// An upstream's answer, which says more.
    Upstreams,
    /// An upstream's answer that is no failure and is not tried again.
    Final,
}

impl Worth {
    /// The worth of `answer`; `is_covered` says that one like it is tried again.
    pub(super) fn of(answer: &Answer, is_covered: bool) -> Self {
        if !answer.is_upstreams() {
            Self::Hosts
        } else if is_covered || answer.outcome.class() == Class::Failure {
            Self::Upstreams
        } else {
            Self::Final
        }
    }
}

/// How an attempt was made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Via {
    /// By the router, whose answer passes to the client or is held by the host.
    Router,
    /// As a call: a retry or a hedge; or by the router, which has no answer to hold.
    Call,
}

/// A request that belongs to a pool.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(super) id: StreamId,
    pub(super) exchange: Exchange,
    pub(super) request: Kept,
    pub(super) phase: Phase,
    pub(super) last: LastAttempt,
    /// Its attempts that have ended.
    pub(super) trail: Trail,
    /// The newest answer worth giving if no attempt succeeds; `None` while that is the answer that
    /// is held.
    pub(super) best: Option<Best>,
    /// Whether the router has answered: before that, none of its answers is held.
    pub(super) is_answered: bool,
    /// What the answer that is held is worth.
    pub(super) held: Worth,
    /// How the router stands with it, where that makes the retries.
    pub(super) by_router: ByRouter,
    /// Whether the host itself has refused to send every attempt so far.
    pub(super) overflowed: bool,
    /// Its attempts that are calls and under way: a retry, or hedges beside the first attempt.
    pub(super) calls: Vec<CallId>,
    /// When the first attempt is hedged.
    pub(super) hedge_at: Option<Instant>,
    /// Its entry in the timers.
    pub(super) due: Option<Instant>,
    /// By when the client must have finished its request.
    pub(super) write_deadline: Instant,
}

/// An answer of a call that is kept.
#[derive(Debug)]
pub(super) struct Best {
    pub(super) answer: Box<Answer>,
    worth: Worth,
    /// Its part of the worker's budget; `None` if it is given at once.
    pub(super) share: Option<Share>,
}

/// The last attempt of a stream, as far as it says something of the answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastAttempt {
    pub(super) endpoint: EndpointIndex,
    pub(super) sent: Instant,
    /// How long it took; `None` while it is under way.
    pub(super) took: Option<Duration>,
}

/// A call under way.
#[derive(Debug)]
pub(crate) enum Call {
    /// An attempt. It outlives its stream: the host cannot cancel it, and what it comes to says
    /// something of its endpoint in any case.
    Attempt {
        /// `None` when the client has left or has its answer.
        stream: Option<StreamKey>,
        /// The stream's name, for the log.
        id: StreamId,
        pool: PoolIndex,
        attempt: Attempt,
        /// When the host cuts it off.
        until: Instant,
    },
    /// A health check.
    Check {
        pool: PoolIndex,
        endpoint: EndpointIndex,
    },
}

impl Call {
    /// What it has come to, if this answer arrives `now`. One that the host cuts off because its
    /// time is over looks like one that its upstream has broken off.
    pub(crate) fn answered(&self, answer: Answer, now: Instant) -> Answer {
        match self {
            Self::Attempt { until, .. }
                if answer.outcome == Outcome::Reset && now + EARLY >= *until =>
            {
                Answer::head(Outcome::Timeout)
            }
            _ => answer,
        }
    }
}

impl Stream {
    /// Whether the router has its first attempt and has not answered.
    pub(crate) const fn awaits_answer(&self) -> bool {
        self.phase.routed().is_some()
    }

    /// Where the attempt went that the router has.
    pub(crate) fn routed_to(&self) -> Option<EndpointIndex> {
        self.phase.routed().map(Attempt::endpoint)
    }

    /// Whether a good answer streams to the client that is not judged yet.
    pub(crate) const fn awaits_end(&self) -> bool {
        self.phase.awaits_end()
    }

    /// Its exchange.
    pub(crate) const fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// Its request, while the client's body may still matter.
    pub(crate) fn arriving(&mut self) -> Option<&mut Kept> {
        self.awaits_answer().then_some(&mut self.request)
    }

    /// Whether the next `size` bytes of its body would be kept.
    pub(crate) fn wants(&self, size: usize, budget: &KeptBytes) -> bool {
        self.awaits_answer() && self.request.wants(size, budget)
    }

    /// Why it cannot be sent again now, by whatever makes its next attempt.
    pub(super) fn obstacle(&self) -> Option<Denial> {
        if self.by_router.is_usable {
            self.request.obstacle_by_router()
        } else {
            self.request.obstacle()
        }
    }

    /// Keeps `answer` if it is worth as much as what is kept, for then it is newer, or more. The
    /// router's answer is held by the host. One that the `budget` has no room for is dropped, and
    /// what is kept stays; `None`: it is given at once.
    pub(super) fn keep_better(
        &mut self,
        via: Via,
        answer: Answer,
        worth: Worth,
        budget: Option<&KeptBytes>,
    ) {
        if worth < self.worth() {
            return;
        }
        if via == Via::Router {
            self.held = worth;
            self.best = None;
            return;
        }
        let Some(headers) = &answer.headers else {
            return;
        };
        let size = headers.as_block().len() + answer.body.capacity();
        let mut new = budget.map(KeptBytes::share);
        let share = self.best.as_mut().map_or(&mut new, |best| &mut best.share);
        if let (Some(budget), Some(share)) = (budget, &mut *share)
            && !share.resize(budget, size)
        {
            return;
        }
        let share = share.take();
        self.best = Some(Best {
            answer: Box::new(answer),
            worth,
            share,
        });
    }

    /// Whether it has an answer that no other attempt is made after.
    pub(super) fn has_final(&self) -> bool {
        self.worth() == Worth::Final
    }

    /// What the client would get now is worth this.
    pub(super) fn worth(&self) -> Worth {
        self.best.as_ref().map_or(self.held, |best| best.worth)
    }
}

impl LastAttempt {
    /// It has been sent.
    pub(super) const fn sent(attempt: &Attempt) -> Self {
        Self {
            endpoint: attempt.endpoint(),
            sent: attempt.sent(),
            took: None,
        }
    }

    /// It has been answered, or has failed.
    pub(super) fn ended(attempt: &Attempt, now: Instant) -> Self {
        Self {
            took: Some(now.since(attempt.sent())),
            ..Self::sent(attempt)
        }
    }
}
