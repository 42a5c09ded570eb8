//! A second attempt elsewhere while the router still has the first.
//!
//! It is a call of the root context, like a retry. A good answer of either goes to the client: the
//! router's streams by as always, a call's replaces what the router would have said, and the router's
//! request is reset with that. If the first attempt fails while hedges are under way, its answer is
//! paused until one of them does better or all have failed; only then is a retry decided on.
//!
//! What has lost is not held against its endpoint. A call cannot be taken back: it lasts until it is
//! answered, and counts as under way that long.
//!
//! A HEAD is not hedged: the host would not let the answer of a call keep its length without a paused
//! response to put it on.

use steerage_policy::matching::RequestHead as _;
use steerage_policy::outcome::Outcome;
use steerage_policy::time::Instant;

use super::retrying::send;
use super::timers::StreamId;
use super::worker::{Phase, Worker};

impl Worker {
    /// The router has the first attempt: waits for whatever comes first besides its answer.
    pub(super) fn await_first(&mut self, id: StreamId, now: Instant) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if let (Phase::Routed(attempt), Some(steered)) =
            (&stream.phase, self.pools.get(stream.pool))
        {
            if steered.pool.retry.hedge.is_some() && stream.request.method() != b"HEAD" {
                stream.exchange.repeatability.obstacle = stream.request.obstacle();
                let (pool, state) = (&steered.pool, &steered.state);
                stream.hedge_at = stream.exchange.hedge_due(pool, state, attempt, now);
            }
            let due = stream.first_due();
            self.wait_until(id, Some(due), now);
        }
    }

    /// The first attempt has not been answered in the time that it has before it is hedged.
    pub(super) fn hedge(&mut self, id: StreamId, now: Instant) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let Some(steered) = self.pools.get_mut(stream.pool) else {
            return; // OK because a stream's pool is one of the worker's.
        };
        let exchange = &mut stream.exchange;
        if exchange.may_hedge(&steered.pool, &mut steered.state, now)
            && let Ok(attempt) = steered.attempt(id, exchange, now, &mut self.rng)
        {
            match send(steered, &self.cluster_header, stream, &attempt, now) {
                Ok(token) => {
                    steered.log_sent(&attempt, &stream.request);
                    let call = stream.call(id, token, attempt);
                    self.calls.insert(token, call);
                    return self.await_first(id, now);
                }
                Err(refused) => {
                    log::debug!("hedge {} was not sent: {refused:?}", attempt.number());
                    let outcome = Outcome::ConnectFailure;
                    steered.record(id, &attempt, Some(&stream.request), outcome, now);
                    steered.state.end(attempt);
                }
            }
        }
        // Not within the budget, or nowhere to go: the first attempt stays alone.
        stream.hedge_at = None;
        let due = stream.first_due();
        self.wait_until(id, Some(due), now);
    }
}
