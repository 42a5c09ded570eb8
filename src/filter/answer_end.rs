//! The end of an answer: whether it came whole, and the status that gRPC gives with it.
//!
//! What an upstream has sent to its end passes with that end, so nothing has to be asked when the
//! stream is over. Only of an answer that stops before does the host say who broke it off.
//!
//! gRPC's status comes in the trailers, or in a head that is all there is.
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses>

use steerage_engine::End;
use steerage_policy::outcome::GrpcStatus;

use super::classify;
use super::contexts::{self, Stream};
use crate::host::{self, ContextId, Map};
use crate::local_replies;

/// The head of a stream's answer is on its way to the client; `complete`: nothing follows.
pub(super) fn head(id: ContextId, stream: &Stream, complete: bool) {
    if stream.is_grpc && is_200() {
        // Of any other answer HTTP's status says it all.
        contexts::change_stream(id, |stream| stream.owes_grpc_status = true);
    }
    if complete {
        whole(id, Some(Map::Response));
    }
}

/// A stream's answer has come to its end: with this map, or with its body. One of gRPC that ends
/// without a status is UNKNOWN.
pub(super) fn whole(id: ContextId, map: Option<Map>) {
    let owes_grpc_status = contexts::change_stream(id, |stream| {
        stream.end = Some(End::default());
        stream.owes_grpc_status
    });
    if owes_grpc_status != Some(true) {
        return;
    }
    let status = map.and_then(classify::grpc_status);
    let end = End {
        is_broken: false,
        grpc_status: Some(status.unwrap_or(GrpcStatus::UNKNOWN)),
    };
    contexts::change_stream(id, |stream| stream.end = Some(end));
}

/// How the answer of a stream has ended that is over.
pub(super) fn of(stream: &Stream) -> End {
    stream.end.unwrap_or_else(|| End {
        is_broken: local_replies::is_broken(classify::flags()),
        grpc_status: None,
    })
}

fn is_200() -> bool {
    let status = host::few_of_header(Map::Response, ":status");
    status.is_ok_and(|status| classify::status(status.as_ref()) == Some(200))
}
