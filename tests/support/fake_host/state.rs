//! The state of the fake, one copy for each thread, and the two ways to access it: from a test and
//! from a hostcall.
//!
//! The filter keeps its contexts in a thread-local too, so each `#[test]` thread is a fresh VM with
//! a fresh host. The state is leaked on purpose: a thread-local without a destructor stays readable
//! while the filter's own is torn down, and a context dropped there may still make hostcalls.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::headers::Headers;
use super::metrics::Metrics;
use super::numbers::{LogLevel, Status};
use super::shared::SharedData;
use super::{Call, Sent, guest};

/// The fake's memory.
#[derive(Debug)]
pub(super) struct State {
    /// Whether a [`Host`](super::Host) exists. Without one no violation is recorded.
    pub(super) live: bool,
    /// Whether the filter is registering itself, when Envoy traps all hostcalls but the log.
    pub(super) registering: bool,
    /// What the filter did that no correct filter does, in order.
    pub(super) violations: Vec<String>,
    /// Virtual time since the Unix epoch.
    pub(super) now: Duration,
    /// Ids are never reused on a thread, not even by a second host: remains of the first must not
    /// be taken for the second's.
    pub(super) last_context: u32,
    pub(super) last_token: u32,
    /// The newest number that was drawn.
    pub(super) seed: u64,
    /// The context whose callback is running, and the one that the filter chose to act for instead;
    /// 0 is none.
    pub(super) current: u32,
    pub(super) effective: u32,
    /// A reply was requested, so Envoy will treat this callback's answer as Pause.
    pub(super) stop_iteration: bool,
    /// What Envoy does after the running callback has returned.
    pub(super) deferred: VecDeque<Deferred>,
    pub(super) roots: BTreeMap<u32, RootState>,
    pub(super) streams: BTreeMap<u32, StreamState>,
    pub(super) clusters: BTreeMap<String, Cluster>,
    pub(super) calls: Vec<Call>,
    /// The answer that is being delivered, and the root that it belongs to.
    pub(super) answer: Option<(u32, Answer)>,
    /// The plugin's configuration, readable only while a root is being created or configured.
    pub(super) configuration: Option<Vec<u8>>,
    pub(super) shared: SharedData,
    pub(super) metrics: Metrics,
    /// Properties that every stream and root has.
    pub(super) properties: BTreeMap<Vec<String>, Vec<u8>>,
    pub(super) logs: Vec<(LogLevel, String)>,
    pub(super) log_level: LogLevel,
    pub(super) counts: BTreeMap<&'static str, u64>,
    /// Whether a stream ends by itself once its local reply is out.
    pub(super) finish_replied: bool,
    /// Whether a body is handed over while its headers are paused.
    pub(super) bodies_pass_paused_headers: bool,
    /// Whether the filter is an upstream filter of every cluster as well, in the same VM.
    pub(super) filters_upstreams: bool,
    /// The streams of calls, which came to it in that place.
    pub(super) upstream_streams: Vec<u32>,
}

/// A root context.
#[derive(Debug)]
pub(super) struct RootState {
    pub(super) accepted: bool,
    /// The period in force, and when the next tick is due.
    pub(super) tick: Option<(Duration, Duration)>,
}

/// A stream, kept after its end so that tests can look at its outcome.
#[derive(Debug)]
pub(super) struct StreamState {
    pub(super) root: u32,
    /// How it ended, once it has.
    pub(super) ended: Option<String>,
    pub(super) request: Flow,
    pub(super) response: Flow,
    pub(super) sent: Option<Sent>,
    /// Whether a reply went to the client in place of its response, past the filter.
    pub(super) replaced: bool,
    pub(super) properties: BTreeMap<Vec<String>, Vec<u8>>,
    /// Properties that the filter set; Envoy keeps them as filter state `wasm.NAME`.
    pub(super) filter_state: BTreeMap<Vec<String>, Vec<u8>>,
    /// Whether the router has no route for it.
    pub(super) leads_nowhere: bool,
}

/// One direction of a stream.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) stage: Stage,
    pub(super) headers: Headers,
    pub(super) headers_readable: bool,
    pub(super) trailers: Headers,
    pub(super) trailers_readable: bool,
    /// The part of the body that the filter can read.
    pub(super) body: Vec<u8>,
    /// What arrived while the headers were paused, and whether that was the end.
    pub(super) held: Vec<u8>,
    pub(super) held_trailers: Option<Headers>,
    /// The end of the stream has arrived, if only in what is held.
    pub(super) complete: bool,
    /// The body that the filter has passed on.
    pub(super) passed: Vec<u8>,
    pub(super) resumed: bool,
}

/// How far one direction of a stream has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// No headers yet.
    Waiting,
    /// The headers callback is running.
    Deciding,
    /// The headers are paused: Envoy makes no body or trailers callbacks.
    Paused,
    /// The headers went on.
    Open,
    /// The filter paused a body or trailers callback: Envoy keeps the data and repeats the
    /// callback.
    Buffering,
}

/// One of a stream's two directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Request,
    Response,
}

/// What Envoy defers until a callback has returned.
#[derive(Debug)]
pub(super) enum Deferred {
    Reply(u32),
    Resume(u32, Side),
}

/// How a cluster takes calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cluster {
    Serving,
    NoHosts,
}

/// An answer to a call.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) headers: Headers,
    pub(super) body: Vec<u8>,
    pub(super) trailers: Headers,
    /// The call was reset: in Envoy there is no answer to read then, not even an empty one.
    pub(super) reset: bool,
}

impl State {
    fn new() -> Self {
        Self {
            live: false,
            registering: false,
            violations: Vec::new(),
            now: EPOCH,
            last_context: 0,
            last_token: 0,
            seed: 0,
            current: 0,
            effective: 0,
            stop_iteration: false,
            deferred: VecDeque::new(),
            roots: BTreeMap::new(),
            streams: BTreeMap::new(),
            clusters: BTreeMap::new(),
            calls: Vec::new(),
            answer: None,
            configuration: None,
            shared: SharedData::default(),
            metrics: Metrics::default(),
            properties: BTreeMap::new(),
            logs: Vec::new(),
            log_level: LogLevel::Info,
            counts: BTreeMap::new(),
            finish_replied: true,
            bodies_pass_paused_headers: false,
            filters_upstreams: false,
            upstream_streams: Vec::new(),
        }
    }

    /// Forgets everything but the ids, for the next host on this thread.
    pub(super) fn reset(&mut self) {
        *self = Self {
            last_context: self.last_context,
            last_token: self.last_token,
            ..Self::new()
        };
    }

    /// Records a mistake of the filter. It cannot panic here: a panic inside a hostcall would abort
    /// the process.
    pub(super) fn violation(&mut self, what: impl Into<String>) {
        if self.live {
            self.violations.push(what.into());
        }
    }

    /// The context that a hostcall acts for.
    pub(super) fn context(&self) -> u32 {
        if self.effective != 0 && self.knows(self.effective) {
            self.effective
        } else {
            self.current
        }
    }

    /// The root of the context that a hostcall acts for.
    pub(super) fn root(&self) -> u32 {
        let context = self.context();
        self.streams
            .get(&context)
            .map_or(context, |stream| stream.root)
    }

    /// Whether a context exists and has not been deleted.
    pub(super) fn knows(&self, context: u32) -> bool {
        self.roots.contains_key(&context) || self.living(context).is_some()
    }

    /// The stream that a hostcall acts for, unless it acts for a root.
    pub(super) fn stream(&mut self) -> Option<&mut StreamState> {
        let context = self.context();
        self.living_mut(context)
    }

    pub(super) fn living(&self, id: u32) -> Option<&StreamState> {
        self.streams
            .get(&id)
            .filter(|stream| stream.ended.is_none())
    }

    pub(super) fn living_mut(&mut self, id: u32) -> Option<&mut StreamState> {
        self.streams
            .get_mut(&id)
            .filter(|stream| stream.ended.is_none())
    }
}

impl StreamState {
    pub(super) fn new(root: u32) -> Self {
        Self {
            root,
            ended: None,
            request: Flow::new(),
            response: Flow::new(),
            sent: None,
            replaced: false,
            properties: BTreeMap::new(),
            filter_state: BTreeMap::new(),
            leads_nowhere: false,
        }
    }

    /// A property that Envoy computes: so far `request.total_size`, of all that has arrived,
    /// whether the filter was given it or not, and of the headers while they are there.
    pub(super) fn computed(&self, path: &[String]) -> Option<Vec<u8>> {
        if path == ["response", "flags"] {
            return Some(vec![0; 8]); // Nothing has gone wrong, as far as the test has said.
        }
        if path != ["request", "total_size"] {
            return None;
        }
        let Flow {
            headers,
            held,
            body,
            passed,
            ..
        } = &self.request;
        let pairs = headers.iter().filter(|_| self.request.headers_readable);
        let head: usize = pairs.map(|(name, value)| name.len() + value.len()).sum();
        let size = head + held.len() + body.len() + passed.len();
        Some(u64::try_from(size).ok()?.to_le_bytes().to_vec())
    }

    pub(super) fn flow(&mut self, side: Side) -> &mut Flow {
        match side {
            Side::Request => &mut self.request,
            Side::Response => &mut self.response,
        }
    }
}

impl Flow {
    fn new() -> Self {
        Self {
            stage: Stage::Waiting,
            headers: Headers::new(),
            headers_readable: false,
            trailers: Headers::new(),
            trailers_readable: false,
            body: Vec::new(),
            held: Vec::new(),
            held_trailers: None,
            complete: false,
            passed: Vec::new(),
            resumed: false,
        }
    }
}

thread_local! {
    static STATE: &'static RefCell<State> = Box::leak(Box::new(RefCell::new(State::new())));
}

/// A test's access. Never held across a call into the filter.
pub(super) fn with<R>(look: impl FnOnce(&mut State) -> R) -> R {
    STATE.with(|state| look(&mut state.borrow_mut()))
}

/// A hostcall's access: counts the call, and records a violation if it is made outside any
/// callback.
///
/// It never panics. If the fake itself calls into the filter while it borrows its state, which
/// would be a mistake of the fake, the hostcall fails.
pub(super) fn hostcall(name: &'static str, answer: impl FnOnce(&mut State) -> Status) -> Status {
    STATE.with(|state| match state.try_borrow_mut() {
        Ok(mut state) => {
            guest::outside(|| *state.counts.entry(name).or_default() += 1);
            if name != "proxy_log" {
                if state.registering {
                    state.violation(format!("{name} was called while the filter registered"));
                } else if state.current == 0 && name != "proxy_get_current_time_nanoseconds" {
                    state.violation(format!("{name} was called outside any callback"));
                }
            }
            guest::outside(|| answer(&mut state))
        }
        Err(_) => Status::InternalFailure,
    })
}

/// Whether the filter is running on this thread, for the panic hook, which must not panic itself.
pub(super) fn inside_filter() -> bool {
    STATE
        .try_with(|state| state.try_borrow().is_ok_and(|state| state.current != 0))
        .unwrap_or(false)
}

/// When every test begins: 2025-06-15 12:00:00 UTC, an arbitrary constant.
pub(crate) const EPOCH: Duration = Duration::from_secs(1_749_988_800);
