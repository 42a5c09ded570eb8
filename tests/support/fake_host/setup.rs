//! The environment that a VM starts in.

use std::io::Write as _;
use std::panic;
use std::sync::{Mutex, PoisonError};

use super::numbers::LogLevel;
use super::state::{self, Cluster, with};
use super::{Host, Root, drive, owned};

/// What exists before the filter starts: clusters, shared data of other workers, properties.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    clusters: Vec<(String, bool)>,
    shared: Vec<(String, Vec<u8>)>,
    properties: Vec<(Vec<String>, Vec<u8>)>,
    log_level: Option<LogLevel>,
}

impl Setup {
    /// An empty world: no clusters, no shared data, log level Info.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a cluster that serves.
    pub(crate) fn cluster(mut self, name: &str) -> Self {
        self.clusters.push((name.to_owned(), true));
        self
    }

    /// Adds a cluster without hosts.
    pub(crate) fn cluster_without_hosts(mut self, name: &str) -> Self {
        self.clusters.push((name.to_owned(), false));
        self
    }

    /// Adds a value that other workers left in the shared data.
    pub(crate) fn shared(mut self, key: &str, value: &[u8]) -> Self {
        self.shared.push((key.to_owned(), value.to_vec()));
        self
    }

    /// Adds a property that every context has.
    pub(crate) fn property(mut self, path: &[&str], value: &[u8]) -> Self {
        self.properties.push((owned(path), value.to_vec()));
        self
    }

    /// Sets the level that `proxy_get_log_level` returns.
    pub(crate) fn log_level(mut self, level: LogLevel) -> Self {
        self.log_level = Some(level);
        self
    }

    /// Starts the VM and its first root.
    pub(crate) fn start(self, configuration: Option<&[u8]>, register: impl FnOnce()) -> Host {
        with(|state| {
            assert!(!state.live, "this thread already has a host");
            state.reset();
            state.live = true;
            state.registering = true;
            state.clusters = self
                .clusters
                .into_iter()
                .map(|(name, serves)| {
                    let cluster = if serves {
                        Cluster::Serving
                    } else {
                        Cluster::NoHosts
                    };
                    (name, cluster)
                })
                .collect();
            for (key, value) in &self.shared {
                state.shared.set(key, value, 0);
            }
            state.properties = self.properties.into_iter().collect();
            if let Some(level) = self.log_level {
                state.log_level = level;
            }
        });
        register_alone(register);
        with(|state| state.registering = false);
        Host {
            root: Root::new(drive::start_root(configuration).0),
        }
    }
}

/// Lets the filter register itself, one thread at a time.
///
/// The first one sets the process's logger and a panic hook, and that hook would swallow the
/// messages of failed tests; so it is put back.
fn register_alone(register: impl FnOnce()) {
    static WRAPPED: Mutex<bool> = Mutex::new(false);
    let mut wrapped = WRAPPED.lock().unwrap_or_else(PoisonError::into_inner);
    let hook = panic::take_hook();
    register();
    drop(panic::take_hook());
    if *wrapped {
        panic::set_hook(hook);
        return;
    }
    *wrapped = true;
    panic::set_hook(Box::new(move |panic| {
        if state::inside_filter() {
            // Past the runner's capture: the process is about to abort, and captured output would
            // be lost.
            let _ = writeln!(std::io::stderr(), "a panic in the filter: {panic}");
        }
        hook(panic);
    }));
}
