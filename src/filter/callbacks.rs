//! What the host calls: the functions of the ABI that the module exports, and the contexts that the host
//! numbers.
//!
//! A root context stands for one configuration in one worker. The host keeps the old one until its last
//! stream has ended, so everything that belongs to a configuration hangs on its root.
//!
//! Only what is of use is exported. The host calls what it finds, and each call into the VM costs half a
//! microsecond and more: a stream takes four of them here (create, request headers, response headers,
//! delete) and no call for each part of the answer's body, for the log and for the end, which would come to
//! nothing. That, and that nothing here panics, is why the SDK's dispatcher is not used.
//!
//! Callbacks never nest: the host puts off whatever a hostcall sets in motion until the callback has
//! returned. The one exception, memory for what a hostcall returns, touches nothing of this.
//!
//! The ABI: <https://github.com/proxy-wasm/spec/tree/main/abi-versions/v0.2.1>

use core::cell::RefCell;
use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use super::timers::StreamId;
use super::worker::Worker;
use crate::Extensions;
use crate::host::{self, Token};

thread_local! {
    static CONTEXTS: RefCell<Contexts> = const { RefCell::new(Contexts::new()) };
}

/// The contexts of this VM.
struct Contexts {
    extensions: fn(&str) -> Extensions,
    /// Few: one for each configuration in force or still in use.
    roots: Vec<Root>,
    /// The root of each stream. The numbers are the host's, so nobody can make them collide.
    streams: HashMap<StreamId, RootId, FxBuildHasher>,
}

/// A root context, by the host's number for it.
type RootId = u32;

/// A root context.
struct Root {
    id: RootId,
    /// `None` until it is configured.
    worker: Option<Worker>,
}

/// What becomes of the headers, the body or the trailers at hand. The numbers are the ABI's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// They go on.
    Continue = 0,
    /// They are held back.
    Pause = 1,
}

/// Makes `extensions` those of all roots to come.
pub(crate) fn register(extensions: fn(&str) -> Extensions) {
    CONTEXTS.with_borrow_mut(|contexts| contexts.extensions = extensions);
}

impl Contexts {
    const fn new() -> Self {
        Self {
            extensions: |_| Extensions::new(),
            roots: Vec::new(),
            streams: HashMap::with_hasher(FxBuildHasher),
        }
    }

    /// The worker of a root; `None` until it is configured.
    fn worker(&mut self, root: RootId) -> Option<&mut Worker> {
        let mut roots = self.roots.iter_mut();
        roots.find(|known| known.id == root)?.worker.as_mut()
    }

    /// The worker that a stream belongs to; `None` if it came by before there was a configuration.
    fn worker_of(&mut self, stream: StreamId) -> Option<&mut Worker> {
        let root = *self.streams.get(&stream)?;
        self.worker(root)
    }

    /// Refusing a configuration makes the host keep the one in force, or not start.
    fn configure(&mut self, root: RootId) -> bool {
        match steerage_config::parse(&host::configuration()) {
            Ok(config) => {
                let mut worker = Worker::new(root, config, self.extensions);
                worker.start();
                if let Some(known) = self.roots.iter_mut().find(|known| known.id == root) {
                    known.worker = Some(worker);
                }
                true
            }
            Err(errors) => {
                log::error!("the configuration is refused:\n{errors}");
                false
            }
        }
    }

    fn delete(&mut self, context: u32) {
        if let Some(root) = self.streams.remove(&context) {
            if let Some(worker) = self.worker(root) {
                worker.stream_closed(context);
            }
            return;
        }
        // The configuration has been replaced and the last of its streams has ended.
        if let Some(worker) = self.worker(context) {
            worker.retire();
        }
        self.roots.retain(|root| root.id != context);
    }
}

/// Lets the worker of a stream decide; a stream without one goes on.
fn decide(stream: StreamId, decision: impl FnOnce(&mut Worker) -> Action) -> u32 {
    CONTEXTS.with_borrow_mut(|contexts| {
        let worker = contexts.worker_of(stream);
        worker.map_or(Action::Continue, decision) as u32
    })
}

/// Tells the worker of a root.
fn tell(root: RootId, what: impl FnOnce(&mut Worker)) {
    CONTEXTS.with_borrow_mut(|contexts| {
        contexts.worker(root).map(what);
    });
}

/// The version of the ABI that this module speaks: its name says it.
#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// A context begins to exist: a stream's, or a root's if it has no `root`.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context: u32, root: RootId) {
    CONTEXTS.with_borrow_mut(|contexts| {
        if root == 0 {
            contexts.roots.push(Root {
                id: context,
                worker: None,
            });
        } else {
            contexts.streams.insert(context, root);
        }
    });
}

/// A context has come to its end.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context: u32) {
    CONTEXTS.with_borrow_mut(|contexts| contexts.delete(context));
}

/// The host goes on with 1: the VM needs nothing of its own.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(_root: RootId, _size: usize) -> u32 {
    1
}

/// A root gets its configuration: 1 takes it, 0 refuses it.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(root: RootId, _size: usize) -> u32 {
    CONTEXTS.with_borrow_mut(|contexts| contexts.configure(root).into())
}

/// The timer of a root.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(root: RootId) {
    tell(root, Worker::tick);
}

/// A call of a root has come to an end.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(
    root: RootId,
    token: u32,
    headers: usize,
    body_size: usize,
    _trailers: usize,
) {
    tell(root, |worker| {
        worker.call_answered(Token(token), headers, body_size);
    });
}

/// A request's headers have arrived.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(stream: StreamId, _count: usize, end: u32) -> u32 {
    #[cfg(feature = "sabotage")]
    super::sabotage::obey();
    decide(stream, |worker| worker.request_headers(stream, end != 0))
}

/// A part of a request's body has arrived.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(stream: StreamId, size: usize, end: u32) -> u32 {
    decide(stream, |worker| worker.request_body(stream, size, end != 0))
}

/// A request's trailers have arrived.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(stream: StreamId, _count: usize) -> u32 {
    decide(stream, |worker| worker.request_trailers(stream))
}

/// A response's headers are on their way to the client.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(stream: StreamId, _count: usize, _end: u32) -> u32 {
    decide(stream, |worker| worker.response_headers(stream))
}
