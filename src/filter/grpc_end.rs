//! The status that an answer of gRPC ends with.
//!
//! It comes in the trailers, or in a head that is all there is. The host would tell it later, with
//! its log, at the price of one more call into the VM for every stream; and of an answer that its
//! client has cancelled it would make a status, too.
//!
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses>

use core::cell::Cell;

use steerage_policy::outcome::GrpcStatus;

use super::classify;
use super::contexts::{self, GrpcEnd};
use crate::host::{self, ContextId, Map};

thread_local! {
    /// Whether any client has spoken gRPC. Most often none has.
    static SPOKEN: Cell<bool> = const { Cell::new(false) };
}

/// A client speaks gRPC.
pub(super) fn spoken() {
    SPOKEN.set(true);
}

/// The head of a stream's answer of gRPC is on its way to the client; `complete`: with all that it
/// says.
pub(super) fn head(id: ContextId, complete: bool) {
    let status = host::few_of_header(Map::Response, ":status");
    if !status.is_ok_and(|status| classify::status(status.as_ref()) == Some(200)) {
        return;
    }
    contexts::change_stream(id, |stream| stream.grpc_end = GrpcEnd::Due);
    if complete {
        over(id, Some(Map::Response));
    }
}

/// The answer of a stream, of gRPC or not, is over: with this map, or with its body.
pub(super) fn over(id: ContextId, map: Option<Map>) {
    if !SPOKEN.get() {
        return;
    }
    if let Some((stream, _)) = contexts::stream(id)
        && let GrpcEnd::Due = stream.grpc_end
    {
        let status = map.and_then(classify::grpc_status);
        let came = GrpcEnd::Came(status.unwrap_or(GrpcStatus::UNKNOWN));
        contexts::change_stream(id, |stream| stream.grpc_end = came);
    }
}
