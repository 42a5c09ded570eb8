//! Whether the router can make the retries: what of the host's configuration that takes, and what
//! is said, once, if it lacks something.
//!
//! The module stands behind the router if a root of this VM has that role. Whether a listener's
//! router really has it among its filters shows with the first answer of an upstream that comes
//! without an attempt; whether the host chooses the cluster of a retry anew shows with the first
//! retry. In both cases the request goes on by calls, and so do all that follow.

use steerage_engine::StreamKey;
use steerage_engine::settings::RouterRetry;

use super::contexts;
use super::plugin::Plugin;
use crate::host::{self, Map};
use crate::metrics::{InternalError, hostcall_refused};

/// Roots have come or gone: tells all workers whether the router can make the retries.
pub(super) fn refresh() {
    let stands_there = contexts::stands_behind_router();
    for plugin in contexts::plugins() {
        let how = if stands_there {
            plugin.router_retry.get()
        } else {
            RouterRetry::No
        };
        plugin.with_worker(|worker| worker.let_router_retry(how));
    }
}

/// The router itself answers a stream whose retries it was to make, or passes on what it was to
/// repeat: the answer must not carry the mark. An upstream's answer without an attempt shows that
/// the module does not stand behind this router. Says whether the answer carried the mark.
#[cold]
#[inline(never)]
pub(super) fn answered(plugin: &Plugin, key: StreamKey) -> bool {
    let mark = host::few_of_header(Map::Response, &plugin.retry_mark);
    let is_marked = mark.is_ok_and(|mark| !mark.as_ref().is_empty());
    if is_marked
        && let Err(refused) = host::remove_header(Map::Response, plugin.retry_mark.as_bytes())
    {
        hostcall_refused("to remove the mark of a retry", refused);
    }
    let retry = plugin.with_worker(|worker| worker.retry_goes_to(key));
    if retry.flatten().is_some() && host::property(&CLUSTER).is_empty() {
        retried_nowhere(plugin);
    }
    let lacks = plugin.with_worker(|worker| worker.lacks_attempt(key));
    if lacks == Some(true) && host::property(&["response", "code_details"]) == b"via_upstream" {
        leave_to(RouterRetry::No, plugin);
        warn(plugin, NO_ATTEMPTS);
    }
    is_marked
}

/// A request has been answered whose retries calls make, though its pool would have the router make
/// them.
pub(super) fn passed_by(plugin: &Plugin) {
    if !contexts::stands_behind_router() {
        warn(plugin, NO_ATTEMPTS);
    }
}

/// The host has no cluster for a retry: it reads the routing header for each attempt, and that has
/// been removed. It can be written again before an attempt is sent, and not after, so retries are
/// planned ahead from now on.
fn retried_nowhere(plugin: &Plugin) {
    if plugin.router_retry.get() == RouterRetry::Told {
        leave_to(RouterRetry::Planned, plugin);
    } else {
        retried_elsewhere(plugin);
    }
}

/// The host sends a retry elsewhere than it is to go: where it went before.
pub(super) fn retried_elsewhere(plugin: &Plugin) {
    leave_to(RouterRetry::No, plugin);
    warn(plugin, NO_REFRESH);
}

fn leave_to(how: RouterRetry, plugin: &Plugin) {
    plugin.router_retry.set(how);
    plugin.with_worker(|worker| worker.let_router_retry(how));
}

fn warn(plugin: &Plugin, lacks: &str) {
    if plugin.has_warned_of_router.replace(true) {
        return;
    }
    InternalError::NoAttemptsFilter.count();
    log::warn!("\"retries\": \"router\" is not possible, and calls make the retries: {lacks}");
}

const NO_ATTEMPTS: &str = "the `attempts` filter is missing: load the module a second time, in the router's \
     upstream_http_filters, with the configuration {\"role\": \"attempts\"} and the same vm_id";

const NO_REFRESH: &str = "a retry went to another cluster than it was to: give the route's retry_policy \
     refresh_cluster_on_retry: true (Envoy 1.39 and later), and a cluster specifier that follows the filter state \
     wasm.steerage.next and lists every endpoint, or one that follows the routing header";

/// The cluster that the router has chosen.
pub(super) const CLUSTER: [&str; 2] = ["xds", "cluster_name"];
