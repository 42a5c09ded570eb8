//! Hands events to the engine and performs what it asks for, as hostcalls.
//!
//! Actions are performed in order when the engine has returned. One that the host refuses is
//! counted, and the request goes on as if the filter were absent as far as that is possible. A call
//! that is refused is an event in its turn.

use steerage_engine::action::{Account, Action, Given, Mark, Refusal, Retry, Trouble};
use steerage_engine::{Actions, AttemptId, StreamId, Turn, Worker};
use steerage_policy::headers::is_hop_by_hop;
use steerage_policy::time::Instant;

use super::attempt_headers::{self, NEXT, attempts};
use super::classify;
use super::contexts;
use super::held_heads;
use super::notes::{last_endpoint, note};
use super::plugin::{PendingCall, Plugin, PoolShell};
use super::router;
use super::timer;
use crate::host::{self, ContextId, Map, Refused, SharedData};
use crate::interceptors::{AnswerInfo, AttemptInfo, Edits, Source};
use crate::metrics::{InternalError, hostcall_refused};

/// What is at hand while actions are performed.
pub(super) struct Performer<'a> {
    pub(super) plugin: &'a Plugin,
    /// The context whose callback is running.
    pub(super) context: ContextId,
    /// Whether that context belongs to another root than the plugin.
    pub(super) is_abroad: bool,
    pub(super) now: Instant,
    /// The status of the response at hand, if it was read.
    pub(super) status: Option<u16>,
}

impl Performer<'_> {
    /// Hands an event to the worker and performs what comes out. `None` if there is no worker, or
    /// none at the moment.
    pub(super) fn event<T>(
        &self,
        event: impl FnOnce(&mut Worker, &mut Turn<'_>) -> T,
    ) -> Option<T> {
        let mut actions = self.plugin.queue();
        let result = self.turn(&mut actions, event);
        while let Some(action) = actions.pop_front() {
            self.perform(action, &mut actions);
        }
        self.plugin.give_back(actions);
        result
    }

    fn turn<T>(
        &self,
        actions: &mut Actions,
        event: impl FnOnce(&mut Worker, &mut Turn<'_>) -> T,
    ) -> Option<T> {
        let mut turn = Turn {
            now: self.now,
            store: &SharedData,
            actions,
            debug: log::log_enabled!(log::Level::Debug),
        };
        self.plugin.with_worker(|worker| event(worker, &mut turn))
    }

    fn perform(&self, action: Action, actions: &mut Actions) {
        let plugin = self.plugin;
        match action {
            Action::Route(route) => attempt_headers::route(plugin, &route),
            Action::Call(call) => {
                let sent_body = !call.request.body().is_empty();
                let sent = self.at_home(|| attempt_headers::call(plugin, &call));
                let most =
                    (plugin.pool(call.sending.pool)).map(|pool| pool.pool().max_response_bytes);
                let pending = PendingCall {
                    id: call.id,
                    sent_body,
                    most,
                };
                self.called(sent, pending, actions);
            }
            Action::Retry(retry) => self.retry(&retry),
            Action::Send(route) => attempt_headers::again(plugin, &route),
            Action::Plan(pool, endpoint) => attempt_headers::plan(plugin, pool, endpoint),
            Action::Release(attempt) => {
                let attempt = contexts::attempt_id(attempt);
                // Only what lives may be resumed: the host remembers the others for a while.
                if contexts::is_attempt(attempt) {
                    self.in_context(attempt, host::resume_request);
                }
            }
            Action::ReleaseAnswer(attempt) => self.release_answer(attempt, None),
            Action::Check(check) => {
                let sent = self.at_home(|| attempt_headers::check(plugin, check));
                let pending = PendingCall {
                    id: check.id,
                    sent_body: false,
                    most: None,
                };
                self.called(sent, pending, actions);
            }
            Action::Pass(account) => self.pass(&account),
            Action::Resume(account) => self.on_behalf_of(account.stream, || {
                self.pass(&account);
                host::resume_response()
            }),
            Action::Give(given) => self.on_behalf_of(given.account.stream, || {
                self.give(&given).or_else(|refused| {
                    if !given.is_held {
                        return Err(refused);
                    }
                    hostcall_refused("to answer a client", refused);
                    // The answer that is held is better than none.
                    host::resume_response()
                })
            }),
            Action::Refuse(refusal) => {
                self.on_behalf_of(refusal.account.stream, || self.refuse(&refusal));
            }
            Action::SetTimer(period) => {
                self.at_home(|| timer::set_for_engine(plugin, period, self.now));
            }
            Action::Publish(figures) => plugin
                .metrics
                .publish(figures, |pool| plugin.pool(pool).map(PoolShell::pool)),
            Action::Durations(pool, endpoint, durations) => {
                plugin.metrics.record(pool, endpoint, &durations);
            }
            Action::AttemptEnded(ended) => {
                if let Some(pool) = plugin.pool(ended.pool)
                    && let Some(log) = &pool.chains.log
                {
                    let info = AttemptInfo {
                        pool: &pool.pool().name,
                        endpoint: pool.endpoint_name(ended.endpoint),
                        number: ended.number,
                    };
                    let request = ended.request.as_deref();
                    log.ended(&info, request, ended.outcome, ended.took);
                }
            }
            Action::Debug(line) => log::debug!("{line}"),
            Action::Trouble(Trouble::RetryElsewhere) => router::retried_elsewhere(plugin),
            Action::Trouble(trouble) => internal_error(trouble).count(),
        }
    }

    /// A call was sent, or the engine is told that it was not.
    fn called(&self, sent: Result<host::Token, Refused>, call: PendingCall, actions: &mut Actions) {
        match sent {
            Ok(token) => self.plugin.add_call(token, call),
            Err(refused) => {
                log::debug!("a call was not sent: {refused:?}");
                let outcome = classify::refused(refused);
                self.turn(actions, |worker, turn| {
                    worker.call_refused(call.id, outcome, turn);
                });
            }
        }
    }

    /// Does something that the host does for a root: calls, and the timer. An attempt of the
    /// router's belongs to another root than its stream.
    fn at_home<T>(&self, act: impl FnOnce() -> T) -> T {
        if !self.is_abroad {
            return act();
        }
        let chosen = host::on_behalf_of(self.plugin.root);
        let done = act();
        if let Err(refused) = chosen.and_then(|()| host::on_behalf_of(self.context)) {
            hostcall_refused("to act for another root", refused);
        }
        done
    }

    /// Does something for a stream, which need not be the one whose callback is running.
    fn on_behalf_of(&self, stream: StreamId, act: impl FnOnce() -> Result<(), Refused>) {
        self.in_context(contexts::id_of(stream), act);
    }

    /// Does something in a context, which need not be the one whose callback is running.
    fn in_context(&self, context: ContextId, act: impl FnOnce() -> Result<(), Refused>) {
        let is_other = context != self.context;
        let chosen = if is_other {
            host::on_behalf_of(context)
        } else {
            Ok(())
        };
        if let Err(refused) = chosen.and_then(|()| act()) {
            hostcall_refused("to answer a client", refused);
        }
        if is_other && let Err(refused) = host::on_behalf_of(self.context) {
            hostcall_refused("to return to the context at hand", refused);
        }
    }

    /// Has the router make another attempt, and says where it goes.
    #[cold]
    #[inline(never)]
    fn retry(&self, retry: &Retry) {
        let sending = &retry.sending;
        let pool = self.plugin.pool(sending.pool);
        let Some(endpoint) = pool.and_then(|pool| pool.endpoint(sending.endpoint)) else {
            return; // An attempt goes to an endpoint of its pool.
        };
        let mark = &*self.plugin.retry_mark;
        let noted = || host::set_filter_state(NEXT, endpoint.cluster.as_bytes());
        if let Mark::Held(attempt) = retry.mark {
            self.in_context(contexts::attempt_id(attempt), noted);
            return self.release_answer(attempt, Some(mark));
        }
        let next = noted();
        let marked = match retry.mark {
            Mark::AtHand => host::set_header(Map::Response, mark, b"1"),
            _ => Ok(()),
        };
        if let Err(refused) = next.and(marked) {
            hostcall_refused("to have the router try again", refused);
        }
    }

    /// Lets the answer of an attempt go on to the router, which was held; with the `mark` by which
    /// the router makes another.
    #[cold]
    #[inline(never)]
    fn release_answer(&self, attempt: AttemptId, mark: Option<&str>) {
        let attempt = contexts::attempt_id(attempt);
        if contexts::is_attempt(attempt) {
            self.in_context(attempt, || {
                let marked =
                    mark.map_or(Ok(()), |mark| host::set_header(Map::Response, mark, b"1"));
                let resumed = host::resume_response();
                marked.and(resumed)
            });
            held_heads::released(attempt);
        }
    }

    /// Lets the answer that is at hand, or held, be marked and changed on its way to the client.
    fn pass(&self, account: &Account) {
        let Some(pool) = self.plugin.pool(account.pool) else {
            return; // A stream belongs to a pool.
        };
        if let Some(reason) = account.reason
            && let Err(refused) = host::set_header(Map::Response, REASON, reason.name().as_bytes())
        {
            hostcall_refused("to mark a response", refused);
        }
        if let Some(grpc_status) = account.grpc_status
            && let Err(refused) = host::set_header(
                Map::Response,
                "grpc-status",
                grpc_status.to_string().as_bytes(),
            )
        {
            hostcall_refused("to give a response its gRPC status", refused);
        }
        note(pool, account);
        if pool.pool().response_headers {
            let attempts = attempts(account.attempts);
            let endpoint = last_endpoint(pool, account).as_bytes();
            let marked = host::set_header(Map::Response, ENDPOINT, endpoint)
                .and_then(|()| host::set_header(Map::Response, ATTEMPTS, attempts.as_bytes()));
            if let Err(refused) = marked {
                hostcall_refused("to mark a response", refused);
            }
        }
        if pool.chains.leaves_answers_alone() {
            return;
        }
        let status = self.status.or_else(|| {
            let status = host::few_of_header(Map::Response, ":status").ok()?;
            classify::status(status.as_ref())
        });
        if let Some(info) = answer_info(pool, account, status.unwrap_or_default()) {
            let edits = pool.chains.on_answer(&info, Source::Host(Map::Response));
            if let Err(refused) = edits.write(Map::Response) {
                hostcall_refused("to change a response's headers", refused);
            }
        }
    }

    /// Gives the client a call's answer in place of the one that is held or awaited.
    #[cold]
    #[inline(never)]
    fn give(&self, given: &Given) -> Result<(), Refused> {
        let (account, answer) = (&given.account, &given.answer);
        let (Some(pool), Some(answered)) = (self.plugin.pool(account.pool), &answer.headers) else {
            return Err(Refused::NOT_FOUND); // An answer that is given has headers, and a pool.
        };
        note(pool, account);
        let status = classify::status_of(answered).unwrap_or(502);
        let attempts = attempts(account.attempts);
        let endpoint = last_endpoint(pool, account);
        let own = answered.iter().filter(|(name, _)| {
            !name.starts_with(b":") && !is_hop_by_hop(name) && !matches!(*name, b"date" | b"server")
        });
        let mut headers: Vec<(&[u8], &[u8])> = own.collect();
        if pool.pool().response_headers {
            // Another Steerage further on may have said the same of itself.
            headers
                .retain(|(name, _)| *name != ENDPOINT.as_bytes() && *name != ATTEMPTS.as_bytes());
            headers.push((ENDPOINT.as_bytes(), endpoint.as_bytes()));
            headers.push((ATTEMPTS.as_bytes(), attempts.as_bytes()));
        }
        let edits = intercept(pool, account, status, &headers);
        edits.apply(&mut headers);
        if given.is_head && given.is_held {
            // The host would take the length of a body that is not there off a reply of ours. The
            // answer that is held has no body either, so it can take on the new head as it is.
            let status = status.to_string();
            headers.insert(0, (b":status", status.as_bytes()));
            if let Some(length) = answered.get("content-length") {
                headers.push((b"content-length", length));
            }
            host::set_header_map(Map::Response, &headers)?;
            return host::resume_response();
        }
        replied(account.stream);
        host::reply(status, RETRIED, &headers, &answer.body, None)
    }

    /// Answers in place of an upstream. Interceptors see the answer if there was an attempt.
    #[cold]
    #[inline(never)]
    fn refuse(&self, refusal: &Refusal) -> Result<(), Refused> {
        let (account, reason) = (&refusal.account, refusal.reason);
        let Some(pool) = self.plugin.pool(account.pool) else {
            return Err(Refused::NOT_FOUND); // A stream belongs to a pool.
        };
        note(pool, account);
        let mut headers: Vec<(&[u8], &[u8])> = vec![(REASON.as_bytes(), reason.name().as_bytes())];
        let seconds = refusal
            .retry_after
            .map(|wait| wait.as_nanos().div_ceil(1_000_000_000).to_string());
        if let Some(seconds) = &seconds {
            headers.push((b"retry-after", seconds.as_bytes()));
        }
        let edits = intercept(pool, account, reason.status(), &headers);
        edits.apply(&mut headers);
        let body = reason.text().as_bytes();
        replied(account.stream);
        host::reply(
            reason.status(),
            reason.details(),
            &headers,
            body,
            account.grpc_status,
        )
    }
}

/// What the chain changes about an answer of these headers.
fn intercept(
    pool: &PoolShell,
    account: &Account,
    status: u16,
    headers: &[(&[u8], &[u8])],
) -> Edits {
    answer_info(pool, account, status)
        .filter(|_| !pool.chains.leaves_answers_alone())
        .map(|info| pool.chains.on_answer(&info, Source::List(headers)))
        .unwrap_or_default()
}

/// What interceptors are told of an answer; `None` if there was no attempt.
fn answer_info<'a>(pool: &'a PoolShell, account: &Account, status: u16) -> Option<AnswerInfo<'a>> {
    let (endpoint, response_time) = account.last?;
    Some(AnswerInfo {
        pool: &pool.pool().name,
        endpoint: pool.endpoint_name(endpoint),
        attempts: account.attempts,
        status,
        response_time,
    })
}

/// The answer that comes by for this stream, if any does, is the filter's own.
fn replied(stream: StreamId) {
    contexts::change_stream(contexts::id_of(stream), |stream| stream.is_answered = true);
}

const fn internal_error(trouble: Trouble) -> InternalError {
    match trouble {
        Trouble::UnreadableRecord => InternalError::UnreadableRecord,
        Trouble::Contention => InternalError::Contention,
        Trouble::SharedData => InternalError::SharedData,
        Trouble::NoSlot => InternalError::NoSlot,
        Trouble::RetryElsewhere => InternalError::NoAttemptsFilter,
    }
}

/// Says why the filter answered by itself.
const REASON: &str = "x-steerage-reason";
/// Names the endpoint of the last attempt.
const ENDPOINT: &str = "x-steerage-endpoint";
/// The number of attempts.
const ATTEMPTS: &str = "x-steerage-attempts";
/// What the access log says of an answer that a retry brought.
const RETRIED: &str = "steerage_retried";
