//! A fake host under the ABI: it takes the place of Envoy, so that the whole filter runs natively
//! in a test.
//!
//! It defines the 22 `proxy_*` functions that the filter imports, and drives the filter through the
//! `proxy_on_*` functions that it exports, and through no others. A test plays client, upstreams
//! and clock, and looks at what the filter did.
//!
//! Why under the ABI and not a trait in the filter: a trait would be a second interface to keep,
//! its mock would answer what its author believed, and the wire formats and the order of callbacks
//! would stay untested. Here the very code that ships runs, and no wasm engine is needed.
//!
//! Another filter, written with the SDK, tests whether the fake has the ABI right
//! (`tests/fake_host`).
//!
//! # The rules that it enforces
//! - A stream: request headers, body, trailers; response headers; then `on_delete`. The response's
//!   body and trailers come by without a callback.
//! - While headers are paused no body callback is made; what arrives is held and handed over on a
//!   resume, unless the test asks for Envoy's other mode.
//! - The request's header map is gone once its headers went on. A single getter then says
//!   `BadArgument`, and the getter of all pairs says `Ok` and gives none: both are Envoy's answers.
//! - Replies and resumes happen after the callback has returned. A reply to a request whose
//!   response has not begun comes back through the response callbacks; a reply in place of a paused
//!   response bypasses them.
//! - A call's answer is readable only during its callback. A reset call has no answer to read.
//! - Time moves only by [`Host::advance`], which fires the ticks that fall due.
//!
//! What no correct filter does (reply twice, resume what is not paused, move a gauge below 0, reply
//! from a root, read all headers of a map that is gone) is noted as a *violation* and fails the
//! test when the [`Host`] is dropped, or at [`Host::assert_clean`]. Misuse by the test itself
//! panics at once.
//!
//! # Limits
//! - A panic in the filter crosses `extern "C"` and aborts the whole test process, as it would trap
//!   a VM. The message goes straight to standard error before that, past the test runner's capture.
//! - One [`Host`] at a time on a thread: the filter keeps its contexts in a thread-local. Tests run
//!   in threads of their own.
//! - Not modelled: callbacks and hostcalls that the filter does not use, the rewriting of replies
//!   to gRPC requests, TCP, route selection, buffer limits, limits on headers, and timeouts, which
//!   strike when a test says so.
//!
//! # Example
//! ```ignore
//! let host = Setup::new().cluster("a").cluster("b").start(Some(CONFIG), steerage::register);
//! let stream = host.request(&[(":method", "GET"), (":path", "/"), (":authority", "x")], true);
//! assert_eq!(stream.request_header("x-cluster").as_deref(), Some(&b"a"[..]));
//!
//! assert_eq!(stream.response(&[(":status", "503")], false), Action::Pause);
//! host.advance(Duration::from_millis(25));
//! let retry = host.pending_call();
//! assert_eq!(retry.cluster, "b");
//! host.answer(retry.token, &[(":status", "200")], b"hello");
//! assert_eq!(stream.sent().unwrap().status, 200);
//! assert!(stream.has_ended());
//! ```

#![allow(
    dead_code,
    unused_imports,
    reason = "each test file uses the part that it needs"
)]
#![expect(
    clippy::panic,
    reason = "test support: misuse by a test ends it with a clear message"
)]

use std::collections::BTreeMap;
use std::time::Duration;

mod abi;
mod calls;
mod drive;
pub(crate) mod guest;
pub(crate) mod headers;
mod metrics;
mod numbers;
mod replies;
mod root;
mod seed;
mod setup;
mod shared;
mod state;
mod stream;

pub(crate) use calls::{Call, Outcome};
pub(crate) use headers::{Headers, NO_HEADERS, first, headers};
pub(crate) use numbers::{Action, LogLevel};
pub(crate) use replies::Sent;
pub(crate) use root::Root;
pub(crate) use setup::Setup;
pub(crate) use state::EPOCH;
pub(crate) use stream::Stream;

use state::{Cluster, with};

/// The host of one VM, on this thread. Dropping it ends the VM and fails the test if the filter
/// broke a rule.
#[derive(Debug)]
pub(crate) struct Host {
    root: Root,
}

/// How often each hostcall was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HostCalls {
    /// Counts by name, `proxy_log` among them.
    pub(crate) by_name: BTreeMap<&'static str, u64>,
}

impl Host {
    /// Starts a VM with one root and no clusters; [`Setup`] does the same with more of a world
    /// around it.
    ///
    /// `register` is what the filter does when its module is loaded.
    pub(crate) fn start(configuration: Option<&[u8]>, register: impl FnOnce()) -> Self {
        Setup::new().start(configuration, register)
    }

    /// The first root.
    pub(crate) fn root(&self) -> Root {
        self.root
    }

    /// Whether the first root accepted its configuration.
    pub(crate) fn accepted(&self) -> bool {
        self.root.accepted()
    }

    /// Adds a root with another configuration to the VM, as a configuration update does.
    pub(crate) fn add_root(&self, configuration: Option<&[u8]>) -> Root {
        Root::new(drive::start_root(configuration).0)
    }

    /// Opens a stream on the first root; see [`Root::request`].
    pub(crate) fn request<N: AsRef<str>, V: AsRef<[u8]>>(
        &self,
        headers: &[(N, V)],
        end_of_stream: bool,
    ) -> Stream {
        self.root.request(headers, end_of_stream)
    }

    /// From now on the filter is an upstream filter of every cluster as well, in the same VM: each
    /// call comes by it as a stream, which begins while the call is being made.
    pub(crate) fn filter_upstreams(&self) {
        with(|state| state.filters_upstreams = true);
    }

    /// The streams of calls so far, in the order in which they began.
    pub(crate) fn upstream_streams(&self) -> Vec<Stream> {
        let ids = with(|state| state.upstream_streams.clone());
        ids.into_iter().map(Stream::new).collect()
    }

    /// Makes a cluster known, and one that serves.
    pub(crate) fn add_cluster(&self, name: &str) {
        with(|state| state.clusters.insert(name.to_owned(), Cluster::Serving));
    }

    /// Takes every host out of a cluster: calls to it fail at once, with `InternalFailure` and no
    /// callback.
    pub(crate) fn drain_cluster(&self, name: &str) {
        with(|state| state.clusters.insert(name.to_owned(), Cluster::NoHosts));
    }

    /// Makes a cluster unknown, as its removal by CDS does.
    pub(crate) fn remove_cluster(&self, name: &str) {
        with(|state| state.clusters.remove(name));
    }

    /// Virtual time since the Unix epoch. It starts at the same moment in every test.
    pub(crate) fn now(&self) -> Duration {
        with(|state| state.now)
    }

    /// Moves time on, and fires each tick that falls due on the way at its own time.
    pub(crate) fn advance(&self, by: Duration) {
        let until = self.now() + by;
        while let Some((due, root)) = self.next_tick().filter(|(due, _)| *due <= until) {
            with(|state| state.now = due);
            drive::tick(root);
        }
        with(|state| state.now = until);
    }

    /// Moves time on without any tick, as a worker that is busy elsewhere does. The tick is late
    /// then, not lost.
    pub(crate) fn stall(&self, by: Duration) {
        with(|state| state.now += by);
    }

    /// How long until the first root's next tick; `None` while its timer is off.
    pub(crate) fn tick_in(&self) -> Option<Duration> {
        self.root.tick_in()
    }

    /// When the next tick of any root is due, and whose it is.
    fn next_tick(&self) -> Option<(Duration, u32)> {
        with(|state| {
            state
                .roots
                .iter()
                .filter_map(|(id, root)| root.tick.map(|(_, due)| (due.max(state.now), *id)))
                .min()
        })
    }

    /// A shared value and its counter; `None` for a key that was never written. A removed key reads
    /// as empty.
    pub(crate) fn shared(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        with(|state| {
            state
                .shared
                .get(key)
                .map(|(value, cas)| (value.to_vec(), cas))
        })
    }

    /// Every shared key.
    pub(crate) fn shared_keys(&self) -> Vec<String> {
        with(|state| state.shared.keys())
    }

    /// Writes a shared value, as another worker does.
    pub(crate) fn set_shared(&self, key: &str, value: &[u8]) {
        with(|state| state.shared.set(key, value, 0));
    }

    /// Lets another worker win a race: its write of `value` lands just before the filter's next
    /// write of `key`.
    ///
    /// Called several times, the filter loses as many races.
    pub(crate) fn race_shared(&self, key: &str, value: &[u8]) {
        with(|state| state.shared.race(key, value));
    }

    /// A counter's or a gauge's value by name; `None` if it was never defined.
    pub(crate) fn metric(&self, name: &str) -> Option<u64> {
        with(|state| state.metrics.value(name))
    }

    /// Every counter and gauge.
    pub(crate) fn metrics(&self) -> BTreeMap<String, u64> {
        with(|state| state.metrics.all())
    }

    /// What a histogram was given, in order; `None` if it was never defined.
    pub(crate) fn histogram(&self, name: &str) -> Option<Vec<u64>> {
        with(|state| state.metrics.samples(name).map(<[u64]>::to_vec))
    }

    /// What the filter logged, in order, at every log level.
    pub(crate) fn logs(&self) -> Vec<(LogLevel, String)> {
        with(|state| state.logs.clone())
    }

    /// Sets a property that every context has unless its stream sets another: `&["source",
    /// "address"]`.
    pub(crate) fn set_property(&self, path: &[&str], value: &[u8]) {
        with(|state| state.properties.insert(owned(path), value.to_vec()));
    }

    /// Sets whether a stream ends by itself once its local reply is out, which is the default.
    ///
    /// Turned off, a test ends it with [`Stream::finish`], and can look at the time between.
    pub(crate) fn finish_replied(&self, yes: bool) {
        with(|state| state.finish_replied = yes);
    }

    /// Sets whether a body is handed over while its headers are paused: Envoy's
    /// `allow_on_headers_stop_iteration`, off by default.
    pub(crate) fn pass_bodies_by_paused_headers(&self, yes: bool) {
        with(|state| state.bodies_pass_paused_headers = yes);
    }

    /// Counts the hostcalls that happen meanwhile.
    pub(crate) fn count_hostcalls<R>(&self, work: impl FnOnce() -> R) -> HostCalls {
        self.counted(work).1
    }

    /// Counts the hostcalls that happen meanwhile, and passes on what the work gave.
    pub(crate) fn counted<R>(&self, work: impl FnOnce() -> R) -> (R, HostCalls) {
        let before = with(|state| state.counts.clone());
        let result = work();
        let mut by_name = with(|state| state.counts.clone());
        by_name.retain(|name, count| {
            *count -= before.get(name).copied().unwrap_or(0);
            *count > 0
        });
        (result, HostCalls { by_name })
    }

    /// What the filter did so far that no correct filter does.
    pub(crate) fn violations(&self) -> Vec<String> {
        with(|state| state.violations.clone())
    }

    /// Takes the violations, for a test that provoked them.
    pub(crate) fn take_violations(&self) -> Vec<String> {
        with(|state| std::mem::take(&mut state.violations))
    }

    /// Fails the test if the filter broke a rule.
    #[track_caller]
    pub(crate) fn assert_clean(&self) {
        let violations = self.violations();
        assert!(
            violations.is_empty(),
            "the filter broke the host's rules: {violations:#?}"
        );
    }

    /// Streams that have not ended.
    pub(crate) fn open_streams(&self) -> Vec<Stream> {
        with(|state| {
            state
                .streams
                .iter()
                .filter(|(_, stream)| stream.ended.is_none())
                .map(|(id, _)| Stream::new(*id))
                .collect()
        })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // While a test unwinds the filter must not run any more: a second panic would abort, and
        // the message of the first would be lost.
        if !std::thread::panicking() {
            for stream in self.open_streams() {
                stream.client_gone();
            }
            for root in with(|state| state.roots.keys().copied().collect::<Vec<_>>()) {
                drive::stop_root(root);
            }
        }
        let violations = with(|state| {
            state.live = false;
            std::mem::take(&mut state.violations)
        });
        if !violations.is_empty() {
            let message = format!("the filter broke the host's rules: {violations:#?}");
            if std::thread::panicking() {
                eprintln!("{message}");
            } else {
                panic!("{message}");
            }
        }
    }
}

impl HostCalls {
    /// How many there were without `proxy_log`, which costs nothing while its level is off.
    pub(crate) fn total(&self) -> u64 {
        self.by_name.values().sum::<u64>() - self.logs()
    }

    /// How often something was logged.
    pub(crate) fn logs(&self) -> u64 {
        self.of("proxy_log")
    }

    /// How often one hostcall was made.
    pub(crate) fn of(&self, name: &str) -> u64 {
        self.by_name.get(name).copied().unwrap_or(0)
    }
}

fn owned(path: &[&str]) -> Vec<String> {
    path.iter().map(|part| (*part).to_owned()).collect()
}
