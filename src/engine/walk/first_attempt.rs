//! The first attempt: a request arrives, an endpoint is chosen, and the router sends it on.
//!
//! The router makes it, so that bodies stream and connection pools, TLS and tracing are the host's.
//! Its answer goes on to the client, or it is held for a retry.

use core::time::Duration;

use rand::Rng;
use steerage_policy::balance::{HashKey, HashOn};
use steerage_policy::endpoint::Scope;
use steerage_policy::exchange::{Attempt, Exchange};
use steerage_policy::matching::RequestHead as _;
use steerage_policy::outcome::{Class, Neutral, Outcome};
use steerage_policy::pool::Pool;
use steerage_policy::retry::by::RetriesBy;
use steerage_policy::retry::idempotency::Repeatability;
use steerage_policy::retry::reason::Denial;
use steerage_policy::time::Instant;

use super::conclude::{Next, Walk};
use super::phase::Phase;
use super::routing::ByRouter;
use super::stream::{LastAttempt, Stream, Via, Worth};
use crate::action::{Account, Action, Flow, GRPC_DEADLINE_EXCEEDED, Reason, Refusal, Route};
use crate::answer::Answer;
use crate::kept_request::Kept;
use crate::names::StreamId;
use crate::pool::SteeredPool;
use crate::request::Request;
use crate::settings::RouterRetry;
use crate::trail::Trail;
use crate::turn::Turn;

/// A request has arrived: its stream with the first attempt begun, or `None` if it was refused.
/// `source` is the address that it came from, where its pool spreads requests by that.
pub(crate) fn arrive(
    steered: &mut SteeredPool,
    id: StreamId,
    mut request: Request,
    source: Option<&[u8]>,
    rng: &mut dyn Rng,
    turn: &mut Turn<'_>,
) -> Option<Stream> {
    let settings = &steered.settings;
    let pool = &settings.pool;
    let now = turn.now;
    request.belongs_to(pool);
    let repeatability = Repeatability {
        allowed: pool.retry.methods.contains(request.method()) || request.has_idempotency_key(),
        obstacle: request.obstacle(),
    };
    let key = hash_key(pool, &request, source);
    let scope = pool.retry.retry_after_scope.as_deref();
    let scope = scope.map(|header| Scope::of(request.header_values(header)));
    let is_grpc = request.is_grpc();
    let write_deadline = now + pool.timeouts.write();
    let state = &mut steered.state;
    let mut exchange = Exchange::begin(pool, state, repeatability, key, request.limit(), now);
    if let Some(scope) = scope {
        exchange.limit_to(scope);
    }
    match steered.attempt(id, &mut exchange, rng, turn) {
        Ok(attempt) => Some(Stream {
            id,
            exchange,
            last: LastAttempt::sent(&attempt),
            trail: Trail::default(),
            request: Kept::Own(request),
            phase: Phase::Routed(attempt),
            best: None,
            by_router: ByRouter::default(),
            is_answered: false,
            held: Worth::Hosts,
            overflowed: true,
            calls: Vec::new(),
            hedge_at: None,
            due: None,
            write_deadline,
        }),
        Err(denial) => {
            refuse(steered, (id, is_grpc), &mut exchange, denial, turn);
            None
        }
    }
}

/// No endpoint takes the request: the client is told so at once.
#[cold]
#[inline(never)]
fn refuse(
    steered: &mut SteeredPool,
    (id, is_grpc): (StreamId, bool),
    exchange: &mut Exchange,
    denial: Denial,
    turn: &mut Turn<'_>,
) {
    let now = turn.now;
    // No time is up when a request arrives.
    let reason = match denial {
        Denial::Overloaded => Reason::Overloaded,
        _ => Reason::NoEndpointAvailable,
    };
    let returns = exchange.returns(steered.pool(), &steered.state, now);
    exchange.answered(&mut steered.state, Class::Failure, now);
    turn.actions.push_back(Action::Refuse(Refusal {
        account: Account {
            stream: id,
            pool: steered.index,
            attempts: exchange.attempts(),
            endpoint: exchange.last_endpoint(),
            last: None,
            reason: Some(reason),
            denial: exchange.denial(),
            grpc_status: is_grpc.then(|| reason.grpc_status()),
            trail: Trail::default(),
        },
        reason,
        retry_after: returns.map(|returns| returns.since(now)),
    }));
}

impl Walk<'_> {
    /// Hands the first attempt, just begun, to the router.
    ///
    /// `router_retry`: whether the router can make the retries.
    pub(crate) fn route(&mut self, router_retry: RouterRetry, turn: &mut Turn<'_>) {
        let can_retry = router_retry != RouterRetry::No;
        let retries = if can_retry && self.steered.pool().retry.by == RetriesBy::Router {
            self.router_retries()
        } else {
            None
        };
        self.stream.by_router.is_usable = retries.is_some();
        self.stream.by_router.is_planned = router_retry == RouterRetry::Planned;
        let Some(attempt) = self.stream.phase.routed() else {
            return; // It begins in this phase.
        };
        let settings = &self.steered.settings;
        let endpoint = settings.pool.endpoint(attempt.endpoint());
        let needs_request = self.stream.request.has_control_headers()
            || settings.attempt_log
            || endpoint.is_some_and(|endpoint| endpoint.path_prefix.is_some());
        turn.actions.push_back(Action::Route(Route {
            sending: self.sending(attempt),
            request: needs_request.then(|| self.stream.request.share()),
            retries,
        }));
        self.await_first(turn);
    }

    /// The client has sent its request to the end: the endpoint's time starts, the client's ends.
    pub(crate) fn request_completed(&mut self, turn: &mut Turn<'_>) {
        self.stream.request.completed();
        if let Phase::Routed(attempt) = &mut self.stream.phase {
            attempt.request_completed(turn.now);
            self.stream.by_router.clock = turn.now;
            self.await_first(turn);
        }
    }

    /// The answer's head is on its way to the client.
    pub(crate) fn first_answered(&mut self, answer: Answer, turn: &mut Turn<'_>) -> Flow {
        let was_answered = core::mem::replace(&mut self.stream.is_answered, true);
        if self.stream.awaits_attempt() && !answer.is_upstreams() {
            return self.router_gave_up(&answer, turn);
        }
        if let Some(veto) = self.stream.by_router.veto {
            return self.router_agrees(veto, turn);
        }
        self.stream.by_router.is_usable = false;
        let Some(attempt) = self.stream.phase.first_ended() else {
            return if was_answered || self.stream.phase.is_answering() {
                Flow::Continue // An answer of our own passes by.
            } else {
                self.late(answer, turn)
            };
        };
        let timed_out = answer.outcome == Outcome::Timeout;
        let next = self.conclude(attempt, Via::Router, answer, turn);
        self.router_answered(next, timed_out, turn)
    }

    /// The answer of the router's attempt is on its way to the client, and this follows.
    pub(super) fn router_answered(
        &mut self,
        next: Next,
        timed_out: bool,
        turn: &mut Turn<'_>,
    ) -> Flow {
        match next {
            Next::Others => {
                self.await_calls(turn);
                Flow::Pause
            }
            Next::Again(delay) => {
                self.stream.phase.wait();
                self.wait_until(Some(turn.now + delay), turn);
                Flow::Pause
            }
            Next::Answer { .. } if self.stream.best.is_some() => {
                self.finish(turn);
                Flow::Pause
            }
            Next::Answer { expired } => {
                let overloaded = self.stream.overflowed.then_some(Reason::Overloaded);
                let reason = expired.then_some(Reason::DeadlineExceeded).or(overloaded);
                // The host would say UNAVAILABLE, which a client takes leave to repeat.
                let is_late = timed_out && self.stream.request.is_grpc();
                let account = Account {
                    grpc_status: is_late.then_some(GRPC_DEADLINE_EXCEEDED),
                    ..self.account(reason, turn.now)
                };
                turn.actions.push_back(Action::Pass(account));
                self.detach_calls();
                self.stream.request.forget();
                self.wait_until(None, turn);
                Flow::Continue
            }
        }
    }

    /// The router's own timer has not ended the first attempt, though its time is over: after an
    /// interim answer (1xx) the host takes it to be answering. It fails as it would have, but the
    /// host holds no answer; and the router goes on until the client is answered.
    #[cold]
    pub(super) fn silent(&mut self, turn: &mut Turn<'_>) {
        let Some(first) = self.stream.phase.first_ended() else {
            return; // It is called while the router has the first attempt.
        };
        if self.stream.request.method() == b"HEAD" {
            // As with hedges: there would be nothing to put a call's head on.
            self.give_up(first, Outcome::Timeout, turn);
            return self.refuse(Reason::DeadlineExceeded, Class::Failure, turn);
        }
        self.stream.by_router.is_usable = false;
        let silence = Answer::head(Outcome::Timeout);
        match self.conclude(first, Via::Call, silence, turn) {
            Next::Others => self.await_calls(turn),
            next => self.follow(next, turn),
        }
    }

    /// The router answers the first attempt all the same, which has been given up. A good answer is
    /// the client's; others are held like any.
    #[cold]
    fn late(&mut self, answer: Answer, turn: &mut Turn<'_>) -> Flow {
        let outcome = answer.outcome;
        let is_covered = self.steered.pool().retry.covers(outcome);
        let worth = Worth::of(&answer, is_covered);
        if worth != Worth::Final {
            self.stream.keep_better(Via::Router, answer, worth, None);
            return Flow::Pause;
        }
        let state = &mut self.steered.state;
        self.stream
            .exchange
            .answered(state, outcome.class(), turn.now);
        let account = self.account(None, turn.now);
        turn.actions.push_back(Action::Pass(account));
        self.answered(turn);
        Flow::Continue
    }

    /// The router has the first attempt: waits for whatever comes first besides its answer.
    pub(super) fn await_first(&mut self, turn: &mut Turn<'_>) {
        let Stream {
            phase,
            request,
            exchange,
            ..
        } = &mut *self.stream;
        let Some(attempt) = phase.routed() else {
            return;
        };
        let (pool, state) = (&self.steered.settings.pool, &self.steered.state);
        // A HEAD is not hedged: the host would not let the answer of a call keep its length without
        // a held answer to put it on.
        let is_hedged = pool.retry.hedge.is_some() && attempt.number() == 1;
        self.stream.hedge_at = if is_hedged && request.method() != b"HEAD" {
            exchange.repeatability.obstacle = request.obstacle();
            exchange.hedge_due(pool, state, attempt, turn.now)
        } else {
            None
        };
        let due = self.stream.first_due();
        self.wait_until(Some(due), turn);
    }

    /// A limit in time is reached while an answer is awaited: the exchange's, or the client's for
    /// finishing its request.
    #[cold]
    pub(super) fn time_is_up(&mut self, turn: &mut Turn<'_>) {
        let client_is_late = !self.stream.request.is_complete();
        if let Some(first) = self.stream.phase.first_ended() {
            // An endpoint that waits for the client's request is not to blame.
            let outcome = if client_is_late {
                Outcome::Neutral(Neutral::WriteTimeout)
            } else {
                Outcome::Timeout
            };
            self.give_up(first, outcome, turn);
        }
        if self.stream.has_final() {
            let state = &mut self.steered.state;
            self.stream
                .exchange
                .answered(state, Class::Success, turn.now);
            return self.finish(turn);
        }
        if client_is_late && turn.now < self.stream.exchange.deadline() {
            self.refuse(Reason::WriteTimeout, Class::Neutral, turn);
        } else {
            self.refuse(Reason::DeadlineExceeded, Class::Failure, turn);
        }
    }

    /// The client has left, and the first attempt's answer with it. If it was a trial, its permit
    /// is free again.
    pub(crate) fn client_left(&mut self, turn: &mut Turn<'_>) {
        if let Some(first) = self.stream.phase.first_ended() {
            self.give_up(first, Outcome::Neutral(Neutral::ClientGone), turn);
        }
    }

    /// The stream is over: it leaves nothing behind.
    pub(crate) fn closed(&mut self) {
        self.detach_calls();
        self.timers.replace(self.key, self.stream.due, None);
        if let Phase::Answering(streaming) = &mut self.stream.phase
            && let Some(streaming) = streaming.take()
        {
            self.steered.state.end(streaming.attempt);
        }
    }

    /// Ends an attempt that will not be answered any more.
    pub(super) fn give_up(&mut self, attempt: Attempt, outcome: Outcome, turn: &mut Turn<'_>) {
        let request = Some(&mut self.stream.request);
        self.steered
            .record(self.stream.id, &attempt, request, outcome.into(), turn);
        self.stream.last = LastAttempt::ended(&attempt, turn.now);
        self.stream.trail.add(&attempt, outcome, turn.now);
        self.steered.state.end(attempt);
    }
}

impl Stream {
    /// When something happens to the first attempt if it is not answered.
    pub(super) fn first_due(&self) -> Instant {
        if let Some(opening) = &self.by_router.opening {
            return opening.until.min(self.exchange.deadline());
        }
        let mut due = self.first_deadline().min(self.silent_from());
        if self.by_router.is_holding
            && let Some(attempt) = self.phase.routed()
        {
            due = due.min(attempt.sent());
        }
        self.hedge_at.map_or(due, |hedge| hedge.min(due))
    }

    /// When the host must have said that the first attempt has run out of time. Before its request
    /// is complete an attempt has no time.
    pub(super) fn silent_from(&self) -> Instant {
        match self.phase.routed() {
            Some(attempt) if self.request.is_complete() => {
                attempt.sent() + attempt.timeout() + HOSTS_TIMER
            }
            _ => self.exchange.deadline(),
        }
    }

    /// What the first attempt waits for besides its answer: the client's request, or the deadline.
    pub(super) fn first_deadline(&self) -> Instant {
        if self.request.is_complete() || self.request.is_stream() {
            self.exchange.deadline()
        } else {
            self.write_deadline.min(self.exchange.deadline())
        }
    }
}

/// How late the host's own timer may be.
const HOSTS_TIMER: Duration = Duration::from_millis(250);

/// The request's hash key, where its pool's strategy asks for one.
#[inline(never)]
fn hash_key(pool: &Pool, request: &Request, source: Option<&[u8]>) -> Option<HashKey> {
    match pool.strategy.hash_on()? {
        HashOn::SourceIp => {
            // `address:port`; an IPv6 address stands in brackets.
            let source = source?;
            let port = source.iter().rposition(|&byte| byte == b':')?;
            source.get(..port).map(HashKey::of)
        }
        hash_on => hash_on.key(request),
    }
}
