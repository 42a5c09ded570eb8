//! What the host calls: the functions of the ABI that the module exports.
//!
//! Only what is of use is exported. The host calls what it finds, and each call into the VM costs
//! half a microsecond and more: a stream takes four of them here (create, request headers, response
//! headers, delete) and one for each part of the answer's body, of which before the router only the
//! last is of use. That, and that nothing here panics, is why the SDK's dispatcher is not used.
//!
//! Callbacks may nest: the host creates the context of a filter in front of an upstream while
//! `proxy_http_call` is still under way. Nothing is borrowed then, so a nested callback is handled
//! like any other.
//!
//! The ABI: <https://github.com/proxy-wasm/spec/tree/main/abi-versions/v0.2.1>

use steerage_engine::Flow;

use super::contexts;
use super::{answer_end, attempts, first_message, roots, streams};
use crate::host::{ContextId, Map, Token};

/// What becomes of the headers, the body or the trailers at hand, in the ABI's numbers.
fn number(flow: Flow) -> u32 {
    match flow {
        Flow::Continue => 0,
        Flow::Pause => 1,
    }
}

/// The head is held, and the host keeps what follows to itself: behind the router, where heads of
/// answers are held otherwise, a body that goes on would let its head go on.
const HOLD_ALL: u32 = 4;

/// The version of the ABI that this module speaks: its name says it.
#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// A context begins to exist: a stream's, or a root's if it has no `root`.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context: ContextId, root: ContextId) {
    contexts::create(context, root);
}

/// A context is deleted. A stream is over then: the host knows how it ended, and has logged it.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context: ContextId) {
    if !streams::over(context) && !attempts::over(context) {
        roots::deleted(context);
    }
}

/// The host goes on with 1: the VM needs nothing of its own.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(_root: ContextId, _size: usize) -> u32 {
    1
}

/// A root gets its configuration: 1 takes it, 0 refuses it.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(root: ContextId, _size: usize) -> u32 {
    roots::configure(root).into()
}

/// The timer of a root.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(root: ContextId) {
    roots::tick(root);
}

/// A call of a root has come to an end.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(
    root: ContextId,
    token: u32,
    headers: usize,
    body_size: usize,
    _trailers: usize,
) {
    roots::call_answered(root, Token(token), headers, body_size);
}

/// A request's headers have arrived.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(stream: ContextId, _count: usize, end: u32) -> u32 {
    #[cfg(feature = "sabotage")]
    super::sabotage::obey();
    let flow = streams::request_headers(stream, end != 0);
    if flow == Flow::Pause && contexts::is_attempt(stream) {
        return HOLD_ALL;
    }
    number(flow)
}

/// Part of a request's body has arrived.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(stream: ContextId, size: usize, end: u32) -> u32 {
    number(streams::request_body(stream, size, end != 0))
}

/// A request's trailers have arrived.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(stream: ContextId, _count: usize) -> u32 {
    number(streams::request_trailers(stream))
}

/// A response's headers are on their way to the client.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(stream: ContextId, count: usize, end: u32) -> u32 {
    number(streams::response_headers(stream, count, end != 0))
}

/// Part of a response's body has arrived. It matters behind the router, while the head is held; and
/// before it the end of an answer does.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_body(stream: ContextId, size: usize, end: u32) -> u32 {
    if end != 0 {
        answer_end::whole(stream, None);
    }
    number(first_message::body(stream, size, end != 0))
}

/// A response's trailers have arrived. The same holds for them.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_trailers(stream: ContextId, _count: usize) -> u32 {
    answer_end::whole(stream, Some(Map::ResponseTrailers));
    number(first_message::trailers(stream))
}
