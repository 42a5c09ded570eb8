//! The contexts that the host numbers: roots and streams.
//!
//! A root context stands for one configuration in one worker. The host keeps the old one until its
//! last stream has ended, so everything that belongs to a configuration hangs on its root's plugin.
//! The table is borrowed for a look-up and never longer.

use core::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use rustc_hash::FxBuildHasher;
use steerage_engine::StreamKey;

use super::plugin::Plugin;
use crate::Extensions;
use crate::host::ContextId;

thread_local! {
    static CONTEXTS: RefCell<Contexts> = const { RefCell::new(Contexts::new()) };
}

/// The contexts of this VM.
struct Contexts {
    extensions: fn(&str) -> Extensions,
    /// Few: one for each configuration in force or still in use.
    roots: Vec<Root>,
    /// The numbers are the host's, so no client can make them collide.
    streams: HashMap<ContextId, Stream, FxBuildHasher>,
}

/// A root context.
struct Root {
    id: ContextId,
    /// `None` until it is configured.
    plugin: Option<Rc<Plugin>>,
}

/// What the shell knows of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    root: ContextId,
    /// Its name in the engine; `None` before its request, and if it belongs to no pool.
    pub(super) key: Option<StreamKey>,
    /// Whether the client speaks gRPC, so that an answer's status says little.
    pub(super) is_grpc: bool,
    /// Whether the filter has answered, so that the answer that comes by is its own.
    pub(super) is_answered: bool,
}

impl Contexts {
    const fn new() -> Self {
        Self {
            extensions: |_| Extensions::new(),
            roots: Vec::new(),
            streams: HashMap::with_hasher(FxBuildHasher),
        }
    }

    fn plugin(&self, root: ContextId) -> Option<Rc<Plugin>> {
        let mut roots = self.roots.iter();
        roots.find(|known| known.id == root)?.plugin.clone()
    }
}

/// Makes `extensions` those of all roots to come.
pub(crate) fn register(extensions: fn(&str) -> Extensions) {
    CONTEXTS.with_borrow_mut(|contexts| contexts.extensions = extensions);
}

/// The extensions of a root to come.
pub(super) fn extensions() -> fn(&str) -> Extensions {
    CONTEXTS.with_borrow(|contexts| contexts.extensions)
}

/// A context begins to exist: a stream's, or a root's if it has no `root`.
pub(super) fn create(context: ContextId, root: ContextId) {
    CONTEXTS.with_borrow_mut(|contexts| {
        if root == 0 {
            contexts.roots.push(Root {
                id: context,
                plugin: None,
            });
        } else {
            let stream = Stream {
                root,
                key: None,
                is_grpc: false,
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

/// Changes what the shell knows of a stream.
pub(super) fn change_stream(id: ContextId, change: impl FnOnce(&mut Stream)) {
    CONTEXTS.with_borrow_mut(|contexts| {
        if let Some(stream) = contexts.streams.get_mut(&id) {
            change(stream);
        }
    });
}

/// Forgets a stream. The outer `None`: there is none of that number.
pub(super) fn remove_stream(id: ContextId) -> Option<Option<(Stream, Rc<Plugin>)>> {
    CONTEXTS.with_borrow_mut(|contexts| {
        let stream = contexts.streams.remove(&id)?;
        let plugin = contexts.plugin(stream.root);
        Some(plugin.map(|plugin| (stream, plugin)))
    })
}

/// Forgets a root, and gives its plugin.
pub(super) fn remove_root(id: ContextId) -> Option<Rc<Plugin>> {
    CONTEXTS.with_borrow_mut(|contexts| {
        let position = contexts.roots.iter().position(|root| root.id == id)?;
        contexts.roots.swap_remove(position).plugin
    })
}
