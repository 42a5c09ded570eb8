//! The end of an answer that streamed to the client: only then is it known to be good.
//!
//! The status of an answer says little if the body breaks off, and of gRPC nothing: its status
//! comes last. So a good answer that goes to the client is judged at its end. An answer that goes
//! on for longer than the pool's `read` is judged by then as what it is so far, a success: or an
//! endpoint that serves endless streams would never do well.

use core::time::Duration;

use steerage_policy::outcome::{GrpcStatus, Outcome};

use super::stream::Stream;
use crate::pool::SteeredPool;
use crate::turn::Turn;

/// How an answer that went to a client has come to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// The upstream broke it off, or what came was no HTTP. A client that leaves breaks nothing
    /// off.
    pub is_broken: bool,
    /// The status that gRPC gave at last, if the request was gRPC and it gave one.
    pub grpc_status: Option<GrpcStatus>,
}

impl Stream {
    /// Its answer has come to its end.
    pub(crate) fn answer_ended(
        &mut self,
        steered: &mut SteeredPool,
        end: End,
        turn: &mut Turn<'_>,
    ) {
        let Some(streaming) = self.phase.streaming() else {
            return;
        };
        let Some(pending) = streaming.pending.take() else {
            return;
        };
        let failure = match end.grpc_status {
            _ if end.is_broken => Some(Outcome::Reset),
            Some(status) if status != GrpcStatus::OK => Some(Outcome::Grpc(status)),
            _ => None,
        };
        steered.streaming = steered.streaming.saturating_sub(1);
        let (attempt, began) = (&streaming.attempt, pending.began);
        match failure {
            None => steered.answer_was_good(attempt, pending.judged, began, turn),
            Some(outcome) => steered.answer_failed(self.id, attempt, outcome, began, turn),
        }
        let class = failure.unwrap_or(pending.outcome).class();
        self.exchange.answered(&mut steered.state, class, began);
    }

    /// Judges an answer that has streamed for so long as what it is so far.
    pub(crate) fn judge_if_long(
        &mut self,
        steered: &mut SteeredPool,
        long: Duration,
        turn: &mut Turn<'_>,
    ) {
        if let Some(streaming) = self.phase.streaming()
            && let Some(pending) = streaming.pending
            && turn.now.since(pending.began) >= long
        {
            self.answer_ended(steered, End::default(), turn);
        }
    }
}
