//! What an upstream's answer says of its endpoint beside how the attempt went: its health, and a
//! request to be left alone.
//!
//! Example: 429 with `retry-after: 2`. All workers leave the endpoint alone for 2 s. That is all
//! that follows from it, so its breaker hears nothing of the answer.

use core::time::Duration;

use steerage_policy::exchange::Attempt;
use steerage_policy::outcome::Outcome;
use steerage_policy::retry::retry_after;

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
            self.change(attempt.endpoint(), turn, |_, agreed| {
                if let Some(cooling) = &mut agreed.cooling {
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
            self.change(attempt.endpoint(), turn, |_, agreed| {
                agreed.cool_down(now + cool_down, now);
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
