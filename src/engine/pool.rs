//! A pool with what this worker knows of it and what it agrees on with the others.
//!
//! What a request does to a pool is here: an endpoint is chosen, an attempt begins, what it came to
//! is recorded. Only failures and trials touch what the workers share; an endpoint that answers
//! well costs its worker nothing.

use core::time::Duration;
use std::sync::Arc;

use rand::{Rng, RngExt as _};
use steerage_policy::breaker::{Pass, TrialId};
use steerage_policy::endpoint::EndpointIndex;
use steerage_policy::exchange::{Attempt, Exchange};
use steerage_policy::judge::{Facts, Judged};
use steerage_policy::outcome::{Neutral, Outcome};
use steerage_policy::pool::{Judgement, Pool, PoolState};
use steerage_policy::retry::condition::{AnswerHead, Failed};
use steerage_policy::retry::reason::Denial;
use steerage_policy::retry::{Decision, Ending};
use steerage_policy::time::{Instant, nanos};
use steerage_shared::agreement::Agreement;
use steerage_shared::key;
use steerage_shared::scopes::Scopes;

use crate::action::{Action, AttemptEnded};
use crate::answer::Answer;
use crate::debug_log;
use crate::hearing::Heard;
use crate::kept_request::Kept;
use crate::names::StreamId;
use crate::request::Request;
use crate::settings::{PoolIndex, PoolSettings};
use crate::turn::Turn;

/// An attempt that has ended, as far as it matters for what follows.
pub(crate) struct Ended<'a> {
    pub(crate) attempt: &'a Attempt,
    pub(crate) request: &'a Request,
    pub(crate) answer: &'a Answer,
    /// How long its endpoint has requested to be left alone.
    pub(crate) requested: Option<Duration>,
}

/// What a new configuration changes once in what has been agreed on before it.
#[derive(Debug, Default)]
pub(crate) struct TakesOver {
    pub(crate) is_done: bool,
    /// Whether its checks are other checks than before.
    pub(crate) rechecks: bool,
    /// When the checks were due before it.
    pub(crate) due: Vec<Option<Instant>>,
}

/// A pool of one worker.
#[derive(Debug)]
pub(crate) struct SteeredPool {
    pub(crate) index: PoolIndex,
    pub(crate) settings: Arc<PoolSettings>,
    pub(crate) state: PoolState,
    pub(crate) agreement: Agreement,
    /// Cool-downs that hold for a scope, where the pool has one.
    pub(crate) scopes: Option<Scopes>,
    /// Response times in milliseconds that are to be published, of each endpoint; empty without
    /// metrics.
    pub(crate) durations: Vec<Vec<u32>>,
    /// The answers that were read last, of each endpoint; empty where their headers say nothing.
    pub(crate) heard: Box<[Heard]>,
    /// How many good answers stream to clients that are not judged yet.
    pub(crate) streaming: u32,
    /// Whether its description has been published.
    pub(crate) is_described: bool,
    pub(crate) takes_over: TakesOver,
    /// Whether a newer configuration of its VM checks its endpoints.
    pub(crate) is_checked_elsewhere: bool,
}

impl SteeredPool {
    /// A pool of which this is known.
    pub(crate) fn new(index: PoolIndex, settings: Arc<PoolSettings>, state: PoolState) -> Self {
        let measured = if settings.metrics {
            settings.pool.endpoints.len()
        } else {
            0
        };
        Self {
            index,
            agreement: Agreement::new(key::agreement(&settings.pool.name)),
            scopes: {
                let scope = settings.pool.retry.retry_after_scope.as_ref();
                scope.map(|_| Scopes::new(key::scopes(&settings.pool.name)))
            },
            state,
            heard: Heard::of(&settings.pool),
            durations: vec![Vec::new(); measured],
            streaming: 0,
            is_described: false,
            takes_over: TakesOver::default(),
            is_checked_elsewhere: false,
            settings,
        }
    }

    /// Its policy.
    pub(crate) fn pool(&self) -> &Pool {
        &self.settings.pool
    }

    /// Chooses and begins the next attempt of an exchange, with a permit of all workers where it
    /// takes one.
    pub(crate) fn attempt(
        &mut self,
        stream: StreamId,
        exchange: &mut Exchange,
        rng: &mut dyn Rng,
        turn: &mut Turn<'_>,
    ) -> Result<Attempt, Denial> {
        let now = turn.now;
        // A permit that is refused shows in the state, so the endpoint is not chosen again; the
        // bound is for a store that refuses to be written.
        for _ in 0..=self.pool().endpoints.len() {
            let pool = &self.settings.pool;
            let choice = exchange.choose(pool, &mut self.state, now, rng)?;
            if choice.tries_cool_down && !self.try_cool_down(choice.endpoint, exchange, turn) {
                continue;
            }
            let pass = match choice.free_pass {
                Some(pass) => Some(pass),
                None => {
                    let expires = exchange.deadline() + PERMIT_GRACE;
                    self.begin_trial(choice.endpoint, expires, rng, turn)
                }
            };
            if let Some(pass) = pass {
                let pool = &self.settings.pool;
                let attempt = exchange
                    .attempt(pool, &mut self.state, choice.endpoint, pass, now)
                    .trying_cool_down(choice.tries_cool_down);
                if turn.debug {
                    let line = debug_log::begun(stream, pool, &self.state, &attempt, now);
                    turn.actions.push_back(Action::Debug(line));
                }
                return Ok(attempt);
            }
        }
        Err(Denial::NoEndpointAvailable)
    }

    /// Learns what an attempt came to, logs it, and changes its breaker if that is concerned.
    /// `request` is `None` if it is not there any more.
    pub(crate) fn record(
        &mut self,
        stream: StreamId,
        attempt: &Attempt,
        request: Option<&mut Kept>,
        facts: Facts,
        turn: &mut Turn<'_>,
    ) {
        self.note(stream, attempt, facts.outcome, turn);
        let judgement = self
            .state
            .record(&self.settings.pool, attempt, facts, turn.now);
        self.judge(judgement, turn);
        self.log_end(attempt, request, facts.outcome, turn);
    }

    /// The answer to an attempt begins and goes to the client: what it will say of the endpoint if
    /// it ends as well. `None`: it is no success, and is to be recorded now.
    pub(crate) fn answer_begins(
        &mut self,
        stream: StreamId,
        attempt: &Attempt,
        request: &mut Kept,
        outcome: Outcome,
        turn: &mut Turn<'_>,
    ) -> Option<Judged> {
        let pool = &self.settings.pool;
        let judged = self.state.answer_begins(pool, attempt, outcome, turn.now)?;
        self.streaming = self.streaming.saturating_add(1);
        self.note(stream, attempt, outcome, turn);
        self.log_end(attempt, Some(request), outcome, turn);
        Some(judged)
    }

    /// The answer to an attempt, which began at `began`, has ended as well as it began.
    pub(crate) fn answer_was_good(
        &mut self,
        attempt: &Attempt,
        judged: Judged,
        began: Instant,
        turn: &mut Turn<'_>,
    ) {
        let took = began.since(attempt.sent());
        let pool = &self.settings.pool;
        let judgement = self.state.count(pool, attempt, judged, took, turn.now);
        self.judge(judgement, turn);
    }

    /// The answer to an attempt, which began at `began`, has failed before its end, or by what it
    /// said last.
    #[cold]
    pub(crate) fn answer_failed(
        &mut self,
        stream: StreamId,
        attempt: &Attempt,
        outcome: Outcome,
        began: Instant,
        turn: &mut Turn<'_>,
    ) {
        let (pool, now) = (&self.settings.pool, turn.now);
        if turn.debug {
            let took = now.since(attempt.sent());
            let line = debug_log::ended(stream, pool, attempt, outcome, took);
            turn.actions.push_back(Action::Debug(line));
        }
        let judgement = self.state.answer_failed(pool, attempt, outcome, began, now);
        self.judge(judgement, turn);
    }

    /// Measures and shows what an attempt has come to.
    fn note(&mut self, stream: StreamId, attempt: &Attempt, outcome: Outcome, turn: &mut Turn<'_>) {
        let took = turn.now.since(attempt.sent());
        if !matches!(outcome, Outcome::Neutral(_)) {
            self.measure(attempt.endpoint(), took, turn);
        }
        if turn.debug {
            let line = debug_log::ended(stream, self.pool(), attempt, outcome, took);
            turn.actions.push_back(Action::Debug(line));
        }
    }

    /// Has the breaker of an endpoint judge an attempt, if it is concerned.
    fn judge(&mut self, judgement: Option<Judgement>, turn: &mut Turn<'_>) {
        let Some(judgement) = judgement else {
            return;
        };
        let now = turn.now;
        let ends_panic = self.change(judgement.endpoint, turn, |pool, agreed| {
            judgement.apply(pool, agreed, now)
        });
        if ends_panic == Some(true) {
            self.try_others(judgement.endpoint, turn);
        }
    }

    /// An endpoint has come back in panic: the others that are open are tried at once.
    fn try_others(&mut self, recovered: EndpointIndex, turn: &mut Turn<'_>) {
        let now = turn.now;
        let open: Vec<_> = self
            .state
            .endpoints()
            .filter(|(index, state)| {
                *index != recovered && state.breaker().open_until() > Some(now)
            })
            .map(|(index, _)| index)
            .collect();
        for index in open {
            self.change(index, turn, |_, agreed| agreed.breaker.end_open_time(now));
        }
    }

    /// An attempt has been overtaken by another, and is given up.
    pub(crate) fn overtaken(&mut self, attempt: Attempt, request: &mut Kept, turn: &mut Turn<'_>) {
        self.log_end(&attempt, Some(request), OVERTAKEN, turn);
        let now = turn.now;
        let judgement = self.state.overtaken(&self.settings.pool, attempt, now);
        if let Some(judgement) = judgement {
            self.change(judgement.endpoint, turn, |pool, agreed| {
                judgement.apply(pool, agreed, now);
            });
        }
    }

    /// Decides what follows an attempt whose outcome is one that is tried again.
    pub(crate) fn decide(
        &mut self,
        stream: StreamId,
        exchange: &mut Exchange,
        ended: &Ended<'_>,
        rng: &mut dyn Rng,
        turn: &mut Turn<'_>,
    ) -> Decision {
        let (outcome, now) = (ended.answer.outcome, turn.now);
        let pool = &self.settings.pool;
        let headers = ended.answer.upstream_headers();
        let failed = Failed {
            outcome,
            took: now.since(ended.attempt.sent()),
            request: ended.request,
            answer: headers.map(|headers| headers as &dyn AnswerHead),
        };
        let ending = Ending {
            outcome,
            requested: ended.requested,
            conditions_hold: pool.retry.conditions.hold(&failed),
        };
        let decision = exchange.ended(pool, &mut self.state, ending, now, rng);
        if turn.debug
            && let Some(line) = debug_log::decided(stream, decision)
        {
            turn.actions.push_back(Action::Debug(line));
        }
        decision
    }

    fn begin_trial(
        &mut self,
        endpoint: EndpointIndex,
        expires: Instant,
        rng: &mut dyn Rng,
        turn: &mut Turn<'_>,
    ) -> Option<Pass> {
        let (trial, now) = (TrialId(rng.random()), turn.now);
        self.change(endpoint, turn, |pool, agreed| {
            let breaker = &mut agreed.breaker;
            breaker.begin_trial(&pool.breaker, trial, expires, now)
        })
        .flatten()
    }

    /// Notes a response time for the metrics.
    fn measure(&mut self, endpoint: EndpointIndex, took: Duration, turn: &mut Turn<'_>) {
        let Some(durations) = self.durations.get_mut(endpoint.position()) else {
            return;
        };
        let millis = nanos(took).div_ceil(1_000_000);
        durations.push(u32::try_from(millis).unwrap_or(u32::MAX));
        if durations.len() >= MOST_DURATIONS {
            let durations = core::mem::take(durations);
            let action = Action::Durations(self.index, endpoint, durations);
            turn.actions.push_back(action);
        }
    }

    fn log_end(
        &self,
        attempt: &Attempt,
        request: Option<&mut Kept>,
        outcome: Outcome,
        turn: &mut Turn<'_>,
    ) {
        if self.settings.attempt_log {
            let ended = AttemptEnded {
                pool: self.index,
                endpoint: attempt.endpoint(),
                number: attempt.number(),
                outcome,
                took: turn.now.since(attempt.sent()),
                request: request.map(Kept::share),
            };
            let action = Action::AttemptEnded(Box::new(ended));
            turn.actions.push_back(action);
        }
    }
}

/// How long after its exchange's deadline a permit expires: long enough that it never does while
/// its attempt could still end by itself.
const PERMIT_GRACE: Duration = Duration::from_secs(1);

/// Most response times of an endpoint that wait for the next round.
const MOST_DURATIONS: usize = 1_024;

/// What an attempt comes to that another was faster than.
pub(crate) const OVERTAKEN: Outcome = Outcome::Neutral(Neutral::Overtaken);
