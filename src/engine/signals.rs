//! What an upstream's answer says of its endpoint beside how the attempt went: its health, and a
//! request to be left alone.
//!
//! Example: 429 with `retry-after: 2`. All workers leave the endpoint alone for 2 s. That is all
//! that follows from it, so its breaker hears nothing of the answer.

use core::time::Duration;

use steerage_policy::endpoint::{Agreed, CoolDown, EndpointIndex, Scope};
use steerage_policy::exchange::{Attempt, Exchange};
use steerage_policy::outcome::Outcome;
use steerage_policy::pool::Pool;
use steerage_policy::retry::retry_after;
use steerage_policy::time::Instant;
use steerage_shared::scopes::ScopesNews;

use crate::action::{Action, Trouble};
use crate::answer::Answer;
use crate::headers::HeaderMap;
use crate::pool::SteeredPool;
use crate::turn::Turn;

/// What an answer has requested.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Honoured {
    /// How long its endpoint is to be left alone; zero for a time that has passed.
    pub(crate) requested: Option<Duration>,
    /// Whether it starts a cool-down, by that or by the policy.
    pub(crate) cools: bool,
}

impl SteeredPool {
    /// Takes in what an upstream's answer says of its endpoint: its health, and a request to be
    /// left alone.
    pub(crate) fn honour(
        &mut self,
        attempt: &Attempt,
        answer: &Answer,
        turn: &mut Turn<'_>,
    ) -> Honoured {
        if attempt.tries_cool_down() {
            self.tried(attempt, answer, turn);
        }
        match answer.upstream_headers() {
            Some(headers) => self.hear(attempt, answer, headers, turn),
            None => Honoured::default(),
        }
    }

    /// Begins a trial of an endpoint's cool-down; `false`: another worker was first.
    #[cold]
    #[inline(never)]
    pub(crate) fn try_cool_down(
        &mut self,
        endpoint: EndpointIndex,
        exchange: &Exchange,
        turn: &mut Turn<'_>,
    ) -> bool {
        let (mut begun, now) = (false, turn.now);
        let is_written = self.change_cool_down(endpoint, exchange.scope(), turn, &mut |cooling| {
            begun = cooling.as_mut().is_some_and(|it| it.begin_trial(now));
        });
        begun && is_written
    }

    /// Changes an endpoint's cool-down, that of a scope or the one for all; `false`: that was lost.
    #[inline(never)]
    fn change_cool_down(
        &mut self,
        index: EndpointIndex,
        scope: Option<Scope>,
        turn: &mut Turn<'_>,
        change: &mut dyn FnMut(&mut Option<CoolDown>),
    ) -> bool {
        let (Some(scope), Some(scopes)) = (scope, &mut self.scopes) else {
            let change = &mut |_: &Pool, agreed: &mut Agreed| change(&mut agreed.cooling);
            return self.write(index, turn, change).is_ok();
        };
        let Some(endpoint) = self.settings.pool.endpoint(index) else {
            return false;
        };
        let place = (endpoint.hash(), scope);
        let written = scopes.change(turn.store, place, turn.now, change);
        if let Err(lost) = written {
            turn.actions.push_back(Action::Trouble(lost.into()));
        }
        self.take_over_scopes(turn.now);
        written.is_ok()
    }

    /// Reads the cool-downs that hold for a scope, and takes them over.
    pub(crate) fn refresh_scopes(&mut self, turn: &mut Turn<'_>) {
        let Some(scopes) = &mut self.scopes else {
            return;
        };
        let news = scopes.refresh(turn.store);
        if news == ScopesNews::Unreadable {
            let trouble = Trouble::UnreadableRecord;
            turn.actions.push_back(Action::Trouble(trouble));
        }
        if news != ScopesNews::None || !self.state.scoped().is_empty() {
            self.take_over_scopes(turn.now);
        }
    }

    fn take_over_scopes(&mut self, now: Instant) {
        if let Some(scopes) = &self.scopes {
            let endpoints = self.settings.pool.endpoints.iter();
            let cool_downs = endpoints.map(|endpoint| scopes.get(endpoint.hash()));
            self.state
                .set_scoped(&self.settings.pool, cool_downs.collect(), now);
        }
    }

    /// The trial of a cool-down is answered: if well, the cool-down is over.
    #[cold]
    #[inline(never)]
    fn tried(&mut self, attempt: &Attempt, answer: &Answer, turn: &mut Turn<'_>) {
        let retry = &self.pool().retry;
        let is_good = matches!(answer.outcome, Outcome::Answered(100..=399))
            && !retry.covers(answer.outcome)
            && !retry.may_cool_down(answer.outcome);
        if is_good {
            let (sent, now) = (attempt.sent(), turn.now);
            self.change_cool_down(attempt.endpoint(), attempt.scope(), turn, &mut |cooling| {
                if let Some(cooling) = cooling {
                    cooling.end(sent, now);
                }
            });
        }
    }

    /// Few answers come with headers, and few of those say anything.
    #[cold]
    #[inline(never)]
    fn hear(
        &mut self,
        attempt: &Attempt,
        answer: &Answer,
        headers: &HeaderMap,
        turn: &mut Turn<'_>,
    ) -> Honoured {
        let (mut degraded, mut failing) = (false, false);
        for (name, _) in headers
            .iter()
            .filter(|(name, _)| name.starts_with(b"x-envoy-"))
        {
            degraded |= name == DEGRADED.as_bytes();
            failing |= name == FAILING.as_bytes();
        }
        self.mark(attempt.endpoint(), degraded, failing, turn);
        let retry = &self.pool().retry;
        if !retry.may_cool_down(answer.outcome) {
            return Honoured::default();
        }
        let requested = if retry.may_request(answer.outcome) {
            let headers: Vec<_> = headers.iter().collect();
            retry_after::requested(&headers, answer.received)
        } else {
            None
        };
        let cool_down = retry.cool_down(answer.outcome, requested);
        if let Some(cool_down) = cool_down {
            let now = turn.now;
            let until = now + cool_down;
            self.change_cool_down(attempt.endpoint(), attempt.scope(), turn, &mut |cooling| {
                *cooling = Some(CoolDown::request(*cooling, until, now));
            });
        }
        Honoured {
            requested,
            cools: cool_down.is_some(),
        }
    }
}

/// A live answer with this header makes its endpoint degraded.
pub(crate) const DEGRADED: &str = "x-envoy-degraded";

/// A live answer with this header makes its endpoint unhealthy until checks say otherwise.
const FAILING: &str = "x-envoy-immediate-health-check-fail";
