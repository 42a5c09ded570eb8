//! The events of attempts that the router makes, where the shell stands behind it, too.
//!
//! In this order for each attempt: it begins; it is answered, or it breaks off. Then, before the
//! router, the answer that is the client's arrives. The shell names an attempt as it likes, by a
//! number that it does not use again while the attempt lives.

use steerage_policy::endpoint::EndpointIndex;
use steerage_policy::outcome::GrpcStatus;

use crate::action::Flow;
use crate::answer::Answer;
use crate::names::{AttemptId, StreamKey};
use crate::settings::RouterRetry;
use crate::turn::Turn;
use crate::walk::{Destination, OpeningBody, Stream};
use crate::worker::Worker;

impl Worker {
    /// Says whether the shell stands behind the router, so that it can make the retries of pools
    /// that want it to. At first it does not, and all retries are calls. Requests under way stay as
    /// they are.
    pub const fn let_router_retry(&mut self, how: RouterRetry) {
        self.router_retry = how;
    }

    /// Where the router is to send the attempt that it begins next, if that is a retry.
    #[must_use]
    pub fn retry_goes_to(&self, key: StreamKey) -> Option<EndpointIndex> {
        self.stream(key)?.retry_goes_to()
    }

    /// The router has begun an attempt of a stream; its request is about to be sent.
    pub fn attempt_begins(
        &mut self,
        key: StreamKey,
        id: AttemptId,
        destination: Destination,
        turn: &mut Turn<'_>,
    ) -> Flow {
        self.walk(key).map_or(Flow::Continue, |mut walk| {
            walk.attempt_begins(id, destination, turn)
        })
    }

    /// Whether the head of this answer to an attempt is held until its first message is there, if
    /// anything follows it: only then the shell reads what does.
    pub fn may_hold(&mut self, key: StreamKey, id: AttemptId, answer: &Answer) -> bool {
        self.walk(key)
            .is_some_and(|walk| walk.is_heard(id) && walk.may_open(answer))
    }

    /// The head of an attempt's answer has come. Where it may be held, `body` says what is known of
    /// what follows; `None`: nothing does, or no head can be held.
    pub fn attempt_answered(
        &mut self,
        key: StreamKey,
        id: AttemptId,
        answer: Answer,
        body: Option<OpeningBody>,
        turn: &mut Turn<'_>,
    ) -> Flow {
        self.walk(key).map_or(Flow::Continue, |mut walk| {
            walk.attempt_answered(id, answer, body, turn)
        })
    }

    /// More of the body of an attempt's answer has come, whose head is held; `end`: the last of it.
    pub fn attempt_body(
        &mut self,
        key: StreamKey,
        id: AttemptId,
        bytes: &[u8],
        end: bool,
        turn: &mut Turn<'_>,
    ) -> Flow {
        self.walk(key).map_or(Flow::Continue, |mut walk| {
            walk.attempt_body(id, bytes, end, turn)
        })
    }

    /// The trailers of an attempt's answer have come, whose head is held, with this status of gRPC
    /// if any. The head goes on.
    pub fn attempt_trailers(
        &mut self,
        key: StreamKey,
        id: AttemptId,
        status: Option<GrpcStatus>,
        turn: &mut Turn<'_>,
    ) {
        if let Some(mut walk) = self.walk(key) {
            walk.attempt_trailers(id, status, turn);
        }
    }

    /// Whether a stream's attempt of this name has begun and has not been answered.
    #[must_use]
    pub fn awaits_answer_of(&self, key: StreamKey, id: AttemptId) -> bool {
        let stream = self.stream(key);
        stream.is_some_and(|stream| stream.awaits_answer_of(id))
    }

    /// An attempt is over and has not been answered: if its stream lives, the router is about to
    /// repeat it. Without a connection nothing was sent.
    pub fn attempt_broke(
        &mut self,
        key: StreamKey,
        id: AttemptId,
        was_connected: bool,
        turn: &mut Turn<'_>,
    ) {
        if let Some(mut walk) = self.walk(key) {
            walk.attempt_broke(id, was_connected, turn);
        }
    }

    /// An answer is on its way to the client. `None`: it has not been judged as the answer of an
    /// attempt, so the shell reads it and reports [`Worker::response_head`].
    pub fn answer_arrives(&mut self, key: StreamKey, turn: &mut Turn<'_>) -> Option<Flow> {
        self.walk(key)?.answer_arrives(turn)
    }

    /// Whether the router is to make the retries of a stream and has begun no attempt: if its
    /// answer is an upstream's, the shell does not stand behind the router.
    #[must_use]
    pub fn lacks_attempt(&self, key: StreamKey) -> bool {
        let stream = self.stream(key);
        stream.is_some_and(Stream::lacks_attempt)
    }
}
