//! A configured root: its settings, its worker, and what the shell keeps of them.
//!
//! A callback holds the plugin while the table of contexts is free for others. The worker is taken
//! out of it for the time of an event; a nested callback that found it out would pass by, but none
//! does: during an event there are only such hostcalls as do not call back.

use core::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use rustc_hash::FxBuildHasher;
use steerage_config::Config;
use steerage_config::admin::Admin;
use steerage_engine::action::CallId;
use steerage_engine::settings::{PoolIndex, PoolSettings, RouterRetry, Settings};
use steerage_engine::{Actions, KeptBytes, StreamId, StreamKey, Worker};
use steerage_policy::endpoint::{Endpoint, EndpointIndex};
use steerage_policy::pool::Pool;
use steerage_policy::time::Instant;

use crate::PoolInfo;
use crate::extensions::Maker;
use crate::host::{self, ContextId, Token};
use crate::interceptors::{Chains, Edits};
use crate::metrics::Metrics;

thread_local! {
    /// What all roots of this VM have in common: its number, drawn at random, and what they keep,
    /// out of one memory.
    static VM: (u32, KeptBytes) = (drawn(), KeptBytes::new(0));
}

/// The number of this VM.
pub(super) fn vm() -> u32 {
    VM.with(|(vm, _)| *vm)
}

/// The upper half of a random number.
fn drawn() -> u32 {
    u32::try_from(host::random_seed() >> 32).unwrap_or_default()
}

/// A configured root.
pub(super) struct Plugin {
    /// The root context's number.
    pub(super) root: ContextId,
    pub(super) settings: Settings,
    pub(super) pools: Vec<PoolShell>,
    pub(super) admin: Option<Admin>,
    /// Whether the route rewrites the host by a header.
    pub(super) route_rewrites_host: bool,
    pub(super) metrics: Metrics,
    /// `None` during an event.
    worker: Cell<Option<Box<Worker>>>,
    /// An empty queue that was used before, for the next event.
    spare: Cell<Actions>,
    calls: RefCell<HashMap<Token, PendingCall, FxBuildHasher>>,
    /// What interceptors have changed about the newest attempt of streams whose retries the router
    /// makes: it is undone for the next.
    edits: RefCell<HashMap<StreamId, Edits, FxBuildHasher>>,
    /// The header of an answer by which the router makes another attempt. No upstream can know it.
    pub(super) retry_mark: Box<str>,
    /// What is known of how the router can make retries, if it can.
    pub(super) router_retry: Cell<RouterRetry>,
    /// Whether it has been said why calls make the retries that the router was to make.
    pub(super) has_warned_of_router: Cell<bool>,
    pub(super) timer: Cell<Timer>,
}

/// A call that is not answered yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct PendingCall {
    pub(super) id: CallId,
    /// Whether the request has a body.
    pub(super) sent_body: bool,
    /// Longest body that the answer may have; `None` for a check, which needs none.
    pub(super) most: Option<usize>,
}

/// The host's timer of one root, and what it is wanted for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timer {
    /// When it fires next; `None` before it is armed first.
    pub(super) armed: Option<Instant>,
    /// When the engine wants it.
    pub(super) engine: Option<Instant>,
    /// When a request for the admin surface is looked at next.
    pub(super) admin: Option<Instant>,
}

/// What the shell adds to a pool.
#[derive(Debug)]
pub(super) struct PoolShell {
    pub(super) settings: Arc<PoolSettings>,
    pub(super) chains: Chains,
    /// The read timeout in whole milliseconds, as the router is told with each request.
    pub(super) read_timeout: Box<str>,
    /// Whether it has been said that what an endpoint changes loses the route.
    pub(super) has_warned_of_route: Cell<bool>,
}

impl Plugin {
    /// The plugin of a configuration. Whatever its worker draws follows from `seed`.
    ///
    /// # Errors
    /// The `params` that an extension refuses.
    #[inline(never)]
    pub(super) fn new(
        root: ContextId,
        config: Config,
        extensions: Maker,
        seed: u64,
    ) -> Result<Self, String> {
        let mut states = Vec::new();
        let mut pools = Vec::new();
        for configured in config.pools {
            let mut pool = configured.pool;
            let mut chains = Chains::new(configured.interceptors, &config.cluster_header);
            let made = extensions.make(&PoolInfo {
                name: &pool.name,
                params: &configured.params,
                endpoints: &pool.endpoints,
            });
            let made =
                made.map_err(|error| format!("params of the pool {}: {error}", pool.name))?;
            states.push(made.install(&mut pool, &mut chains));
            pools.push(PoolShell {
                read_timeout: host::milliseconds(pool.timeouts.read()).to_string().into(),
                settings: Arc::new(PoolSettings {
                    pool,
                    metrics: configured.metrics,
                    attempt_log: chains.log.is_some(),
                }),
                chains,
                has_warned_of_route: Cell::new(false),
            });
        }
        let settings = Settings {
            cluster_header: config.cluster_header,
            sync_interval: config.sync_interval,
            max_kept_bytes: config.max_kept_bytes,
            pools: pools
                .iter()
                .map(|pool| Arc::clone(&pool.settings))
                .collect(),
        };
        let most = settings.max_kept_bytes;
        let (vm, kept) = VM.with(|(vm, kept)| (*vm, kept.limited_to(most)));
        let worker = Worker::with_states(&settings, states, seed);
        let worker = worker.keeping(kept).in_vm(vm);
        Ok(Self {
            root,
            settings,
            pools,
            admin: config.admin,
            route_rewrites_host: config.route_rewrites_host,
            metrics: Metrics::default(),
            worker: Cell::new(Some(Box::new(worker))),
            spare: Cell::default(),
            calls: RefCell::default(),
            edits: RefCell::default(),
            retry_mark: format!("x-steerage-retry-{vm:08x}").into(),
            router_retry: Cell::new(RouterRetry::Told),
            has_warned_of_router: Cell::new(false),
            timer: Cell::default(),
        })
    }

    /// An event that needs no time and asks for nothing; `None` if the worker is out.
    pub(super) fn with_worker<T>(&self, event: impl FnOnce(&mut Worker) -> T) -> Option<T> {
        let mut worker = self.worker.take()?;
        let result = event(&mut worker);
        self.worker.set(Some(worker));
        Some(result)
    }

    /// Whether an answer to a stream's attempt, with so many headers, is wanted with all of them.
    pub(super) fn wants_headers(&self, key: StreamKey, headers: usize, now: Instant) -> bool {
        self.with_worker(|worker| worker.wants_headers(key, headers, now)) == Some(true)
    }

    /// An empty queue for the actions of an event.
    pub(super) fn queue(&self) -> Actions {
        self.spare.take()
    }

    /// Gives back a queue whose actions are performed.
    pub(super) fn give_back(&self, actions: Actions) {
        self.spare.set(actions);
    }

    /// A call has been sent.
    pub(super) fn add_call(&self, token: Token, call: PendingCall) {
        self.calls.borrow_mut().insert(token, call);
    }

    /// A call is answered.
    pub(super) fn remove_call(&self, token: Token) -> Option<PendingCall> {
        self.calls.borrow_mut().remove(&token)
    }

    /// What interceptors have changed about the newest attempt of a stream.
    pub(super) fn remember_edits(&self, stream: StreamId, edits: Edits) {
        if !edits.is_empty() {
            self.edits.borrow_mut().insert(stream, edits);
        }
    }

    /// The same, which is forgotten.
    pub(super) fn take_edits(&self, stream: StreamId) -> Option<Edits> {
        self.edits.borrow_mut().remove(&stream)
    }

    /// The pool at `index`.
    pub(super) fn pool(&self, index: PoolIndex) -> Option<&PoolShell> {
        self.pools.get(index.position())
    }
}

impl PoolShell {
    /// Its policy.
    pub(super) fn pool(&self) -> &Pool {
        &self.settings.pool
    }

    /// The endpoint at `index`.
    pub(super) fn endpoint(&self, index: EndpointIndex) -> Option<&Endpoint> {
        self.pool().endpoint(index)
    }

    /// The name of the endpoint at `index`.
    pub(super) fn endpoint_name(&self, index: EndpointIndex) -> &str {
        self.endpoint(index).map_or("", |endpoint| &endpoint.name)
    }
}
