//! The contexts that the host numbers: roots, streams, and attempts of the router.
//!
//! A root context stands for one configuration in one worker. The host keeps the old one until its
//! last stream has ended, so everything that belongs to a configuration hangs on its root's plugin.
//! Where the module stands behind the router, too, a root of that role has one context for each
//! attempt that the router makes. The stream whose attempt it is belongs to another root.
//!
//! The table is borrowed for a look-up and never longer.

use core::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use rustc_hash::FxBuildHasher;
use steerage_engine::{AttemptId, End, StreamId, StreamKey};
use steerage_policy::time::Instant;

use super::plugin::Plugin;
use crate::Extensions;
use crate::extensions::Maker;
use crate::host::ContextId;

thread_local! {
    static CONTEXTS: RefCell<Contexts> = const { RefCell::new(Contexts::new()) };
}

/// The contexts of this VM.
struct Contexts {
    extensions: Maker,
    /// Few: one for each configuration in force or still in use.
    roots: Vec<Root>,
    /// The numbers are the host's, so no client can make them collide.
    streams: HashMap<ContextId, Stream, FxBuildHasher>,
    /// The attempts under way that came by behind the router.
    attempts: HashMap<ContextId, Attempt, FxBuildHasher>,
}

/// A root context.
struct Root {
    id: ContextId,
    /// `None` until it is configured, and in the role of attempts.
    plugin: Option<Rc<Plugin>>,
    /// Whether it stands behind the router.
    sees_attempts: bool,
}

/// What the shell knows of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    root: ContextId,
    /// Its name in the engine; `None` before its request, and if it belongs to no pool.
    pub(super) key: Option<StreamKey>,
    /// Whether the router makes its retries, so that its attempts come by.
    pub(super) is_by_router: bool,
    /// Whether the client speaks gRPC, so that an answer's status says little.
    pub(super) is_grpc: bool,
    /// Whether its answer, of gRPC, has begun and is to end with a status.
    pub(super) owes_grpc_status: bool,
    /// How its answer has ended, once it has come whole.
    pub(super) end: Option<End>,
    /// Whether the filter has answered, so that the answer that comes by is its own.
    pub(super) is_answered: bool,
}

/// What the shell knows of an attempt of the router's.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attempt {
    /// The stream that it is of.
    stream: Option<ContextId>,
    /// What is known of its answer's head.
    pub(super) head: Head,
}

/// The head of the answer to an attempt, and whether it is held.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Head {
    /// It was not held.
    #[default]
    Free,
    /// It is held, and so many bytes of the body have been read.
    Held(usize),
    /// It was held in vain and released at this time, not a byte of the body having come.
    Released(Instant),
}

impl Contexts {
    const fn new() -> Self {
        Self {
            extensions: Maker::ByName(|_| Extensions::new()),
            roots: Vec::new(),
            streams: HashMap::with_hasher(FxBuildHasher),
            attempts: HashMap::with_hasher(FxBuildHasher),
        }
    }

    fn plugin(&self, root: ContextId) -> Option<Rc<Plugin>> {
        let mut roots = self.roots.iter();
        roots.find(|known| known.id == root)?.plugin.clone()
    }

    fn sees_attempts(&self, root: ContextId) -> bool {
        let mut roots = self.roots.iter();
        roots.any(|known| known.id == root && known.sees_attempts)
    }
}

/// The host's number of a stream, which the engine was given as its name.
pub(super) fn id_of(stream: StreamId) -> ContextId {
    ContextId::try_from(stream.0).unwrap_or_default()
}

/// The host's number of an attempt.
pub(super) fn attempt_id(attempt: AttemptId) -> ContextId {
    ContextId::try_from(attempt.0).unwrap_or_default()
}

/// Makes `extensions` those of all roots to come.
pub(crate) fn register(extensions: Maker) {
    CONTEXTS.with_borrow_mut(|contexts| contexts.extensions = extensions);
}

/// The extensions of a root to come.
pub(super) fn extensions() -> Maker {
    CONTEXTS.with_borrow(|contexts| contexts.extensions)
}

/// A context begins to exist: a stream's, or a root's if it has no `root`.
pub(super) fn create(context: ContextId, root: ContextId) {
    CONTEXTS.with_borrow_mut(|contexts| {
        if root == 0 {
            contexts.roots.push(Root {
                id: context,
                plugin: None,
                sees_attempts: false,
            });
        } else if contexts.sees_attempts(root) {
            contexts.attempts.insert(context, Attempt::default());
        } else {
            let stream = Stream {
                root,
                key: None,
                is_by_router: false,
                is_grpc: false,
                owes_grpc_status: false,
                end: None,
                is_answered: false,
            };
            contexts.streams.insert(context, stream);
        }
    });
}

/// A root is configured.
pub(super) fn configure(plugin: Rc<Plugin>) {
    let replaced = CONTEXTS.with_borrow_mut(|contexts| {
        let mut roots = contexts.roots.iter_mut();
        let root = roots.find(|root| root.id == plugin.root)?;
        root.plugin.replace(plugin)
    });
    // Only now, when nothing is borrowed.
    drop(replaced);
}

/// A root stands behind the router.
pub(super) fn see_attempts(root: ContextId) {
    CONTEXTS.with_borrow_mut(|contexts| {
        let mut roots = contexts.roots.iter_mut();
        if let Some(root) = roots.find(|known| known.id == root) {
            root.sees_attempts = true;
        }
    });
}

/// Whether a root of this VM stands behind the router.
pub(super) fn stands_behind_router() -> bool {
    CONTEXTS.with_borrow(|contexts| contexts.roots.iter().any(|root| root.sees_attempts))
}

/// An attempt is one of this stream.
pub(super) fn attempt_of(attempt: ContextId, stream: ContextId) {
    CONTEXTS.with_borrow_mut(|contexts| {
        if let Some(attempt) = contexts.attempts.get_mut(&attempt) {
            attempt.stream = Some(stream);
        }
    });
}

/// Whether the router has this attempt under way.
pub(super) fn is_attempt(id: ContextId) -> bool {
    CONTEXTS.with_borrow(|contexts| contexts.attempts.contains_key(&id))
}

/// The steered stream that an attempt is of, with its name in the engine, while both are there.
pub(super) fn stream_of(attempt: ContextId) -> Option<(StreamKey, Stream, Rc<Plugin>)> {
    CONTEXTS.with_borrow(|contexts| {
        let id = contexts.attempts.get(&attempt)?.stream?;
        let stream = *contexts.streams.get(&id)?;
        Some((stream.key?, stream, contexts.plugin(stream.root)?))
    })
}

/// What is known of an attempt; `None`: there is none of that number.
pub(super) fn attempt(id: ContextId) -> Option<Attempt> {
    CONTEXTS.with_borrow(|contexts| contexts.attempts.get(&id).copied())
}

/// Changes what is known of an attempt.
pub(super) fn change_attempt(id: ContextId, change: impl FnOnce(&mut Attempt)) {
    CONTEXTS.with_borrow_mut(|contexts| {
        if let Some(attempt) = contexts.attempts.get_mut(&id) {
            change(attempt);
        }
    });
}

/// Changes what is known of the head of an attempt's answer.
pub(super) fn set_head(attempt: ContextId, head: Head) {
    change_attempt(attempt, |attempt| attempt.head = head);
}

/// Forgets an attempt. `false`: there is none of that number.
pub(super) fn remove_attempt(id: ContextId) -> bool {
    CONTEXTS.with_borrow_mut(|contexts| contexts.attempts.remove(&id).is_some())
}

/// What a root is configured with; `None` until it is.
pub(super) fn plugin(root: ContextId) -> Option<Rc<Plugin>> {
    CONTEXTS.with_borrow(|contexts| contexts.plugin(root))
}

/// What all roots are configured with, from the oldest on.
pub(super) fn plugins() -> Vec<Rc<Plugin>> {
    CONTEXTS.with_borrow(|contexts| {
        let mut plugins: Vec<_> = contexts
            .roots
            .iter()
            .filter_map(|root| root.plugin.clone())
            .collect();
        plugins.sort_unstable_by_key(|plugin| plugin.root);
        plugins
    })
}

/// A stream with its plugin; `None` if it came by before there was a configuration.
pub(super) fn stream(id: ContextId) -> Option<(Stream, Rc<Plugin>)> {
    CONTEXTS.with_borrow(|contexts| {
        let stream = *contexts.streams.get(&id)?;
        Some((stream, contexts.plugin(stream.root)?))
    })
}

/// Changes what the shell knows of a stream; `None`: there is none of that number.
pub(super) fn change_stream<T>(id: ContextId, change: impl FnOnce(&mut Stream) -> T) -> Option<T> {
    CONTEXTS.with_borrow_mut(|contexts| contexts.streams.get_mut(&id).map(change))
}

/// Forgets a stream. The outer `None`: there is none of that number.
pub(super) fn remove_stream(id: ContextId) -> Option<Option<(Stream, Rc<Plugin>)>> {
    CONTEXTS.with_borrow_mut(|contexts| {
        let stream = contexts.streams.remove(&id)?;
        let plugin = contexts.plugin(stream.root);
        Some(plugin.map(|plugin| (stream, plugin)))
    })
}

/// Forgets a root, and gives its plugin. The outer `None`: there is none of that number.
pub(super) fn remove_root(id: ContextId) -> Option<Option<Rc<Plugin>>> {
    CONTEXTS.with_borrow_mut(|contexts| {
        let position = contexts.roots.iter().position(|root| root.id == id)?;
        Some(contexts.roots.swap_remove(position).plugin)
    })
}
