//! A router that makes the retries, for the driver: what a shell behind it reports.

use core::time::Duration;

use steerage_engine::answer::Answer;
use steerage_engine::headers::HeaderMap;
use steerage_engine::request::Request;
use steerage_engine::settings::RouterRetry;
use steerage_engine::{AttemptId, Destination, Flow, OpeningBody, StreamKey};
use steerage_policy::outcome::{GrpcStatus, Outcome};
use steerage_policy::pool::Pool;
use steerage_policy::retry::by::RetriesBy;
use steerage_policy::retry::first_message::{Body, CommitOn, EventRule, FirstMessage};
use steerage_policy::retry::idempotency::Methods;

use crate::driver::{Driver, SEED, pool, request};

pub(super) const OK: Outcome = Outcome::Answered(200);
pub(super) const UNAVAILABLE: Outcome = Outcome::Answered(503);

/// The pool of the other tests, whose retries the router makes.
pub(super) fn by_router() -> Pool {
    routed(pool())
}

/// The same of this pool.
pub(super) fn routed(mut pool: Pool) -> Pool {
    pool.retry.by = RetriesBy::Router;
    pool
}

/// The same, with answers that are the client's with their first message, half a second after
/// their heads at most; an event `error` is a failure.
pub(super) fn opening() -> Pool {
    let mut pool = by_router();
    pool.retry.commit_on = CommitOn::FirstMessage(FirstMessage {
        timeout: Some(Duration::from_millis(500)),
        rules: [EventRule::Event("error".into())].into(),
    });
    pool
}

/// The same of a pool that repeats what is posted, such as gRPC's calls.
pub(super) fn posting(mut pool: Pool) -> Pool {
    pool.retry.methods = Methods::new(["POST"]);
    pool
}

/// A call of gRPC, which no call of the filter's can repeat.
pub(super) fn grpc() -> Request {
    request("POST", &[("content-type", "application/grpc")], true)
}

/// A worker whose shell stands behind the router, too.
pub(super) fn driver(pool: Pool) -> Driver {
    seeded(pool, SEED)
}

/// The same with this seed.
pub(super) fn seeded(pool: Pool, seed: u64) -> Driver {
    seeded_as(pool, seed, RouterRetry::Told)
}

/// The same of a router that learns in this way where retries go.
pub(super) fn seeded_as(pool: Pool, seed: u64, how: RouterRetry) -> Driver {
    let mut driver = Driver::new(pool, seed);
    driver.worker.let_router_retry(how);
    driver
}

/// What is known of the body of a stream of events.
pub(super) const EVENTS: Option<OpeningBody> = Some(OpeningBody {
    kind: Some(Body::Sse),
    is_seen: true,
});

/// What is known of the body of an answer of gRPC.
pub(super) const MESSAGES: Option<OpeningBody> = Some(OpeningBody {
    kind: Some(Body::Grpc),
    is_seen: true,
});

impl Driver {
    /// The router begins an attempt, where it was to go.
    pub(super) fn begins(
        &mut self,
        millis: u64,
        key: StreamKey,
        attempt: u64,
    ) -> (Flow, Vec<String>) {
        self.begins_at(millis, key, attempt, Destination::AsPlanned)
    }

    pub(super) fn begins_at(
        &mut self,
        millis: u64,
        key: StreamKey,
        attempt: u64,
        destination: Destination,
    ) -> (Flow, Vec<String>) {
        but_timers(self.event(millis, |worker, turn| {
            worker.attempt_begins(key, AttemptId(attempt), destination, turn)
        }))
    }

    /// A request arrives, and the router begins its first attempt.
    pub(super) fn begun(&mut self, millis: u64, stream: u64, request: Request) -> StreamKey {
        let key = self.request(millis, stream, request).0.unwrap();
        assert_eq!(self.begins(millis, key, 1), (Flow::Continue, Vec::new()));
        key
    }

    /// The head of an attempt's answer has come.
    pub(super) fn answered(
        &mut self,
        millis: u64,
        key: StreamKey,
        attempt: u64,
        outcome: Outcome,
    ) -> (Flow, Vec<String>) {
        self.opened(millis, key, attempt, outcome, None)
    }

    /// The same, with what is known of its body.
    pub(super) fn opened(
        &mut self,
        millis: u64,
        key: StreamKey,
        attempt: u64,
        outcome: Outcome,
        body: Option<OpeningBody>,
    ) -> (Flow, Vec<String>) {
        let answer = Answer {
            headers: Some(HeaderMap::default()),
            ..Answer::head(outcome)
        };
        but_timers(self.event(millis, |worker, turn| {
            worker.attempt_answered(key, AttemptId(attempt), answer, body, turn)
        }))
    }

    /// More of its body has come, and its end if `end`.
    pub(super) fn body(
        &mut self,
        millis: u64,
        key: StreamKey,
        attempt: u64,
        bytes: &str,
        end: bool,
    ) -> (Flow, Vec<String>) {
        but_timers(self.event(millis, |worker, turn| {
            worker.attempt_body(key, AttemptId(attempt), bytes.as_bytes(), end, turn)
        }))
    }

    /// Its trailers have come.
    pub(super) fn trailers(
        &mut self,
        millis: u64,
        key: StreamKey,
        attempt: u64,
        status: Option<GrpcStatus>,
    ) -> Vec<String> {
        but_timers(self.event(millis, |worker, turn| {
            worker.attempt_trailers(key, AttemptId(attempt), status, turn);
        }))
        .1
    }

    /// An attempt has ended without an answer.
    pub(super) fn broke(
        &mut self,
        millis: u64,
        key: StreamKey,
        attempt: u64,
        was_connected: bool,
    ) -> Vec<String> {
        but_timers(self.event(millis, |worker, turn| {
            worker.attempt_broke(key, AttemptId(attempt), was_connected, turn);
        }))
        .1
    }

    /// An answer is on its way to the client that an attempt has come to.
    pub(super) fn arrives(&mut self, millis: u64, key: StreamKey) -> (Option<Flow>, Vec<String>) {
        but_timers(self.event(millis, |worker, turn| worker.answer_arrives(key, turn)))
    }

    /// An answer of the router's own is.
    pub(super) fn routers_own(
        &mut self,
        millis: u64,
        key: StreamKey,
        outcome: Outcome,
    ) -> (Flow, Vec<String>) {
        assert_eq!(self.arrives(millis, key), (None, Vec::new()));
        but_timers(self.response(millis, key, outcome))
    }

    /// The host's timer fires.
    pub(super) fn ticks(&mut self, millis: u64) -> Vec<String> {
        but_timers(((), self.tick(millis))).1
    }

    /// The stream is over, and nothing is left.
    #[track_caller]
    pub(super) fn over(&mut self, millis: u64, key: StreamKey) {
        self.close(key);
        self.assert_idle(millis);
    }
}

/// What an event came to, but for what the host's timer is set to.
fn but_timers<T>((answer, mut lines): (T, Vec<String>)) -> (T, Vec<String>) {
    lines.retain(|line| !line.starts_with("timer "));
    (answer, lines)
}
