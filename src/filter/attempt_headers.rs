//! The headers that an attempt is sent with: on the router's request, on a call, on a check.
//!
//! The router watches the read timeout: as a timeout per try, which ends with the first byte of the
//! answer and so never cuts a long one, and which the router announces to the upstream in
//! `x-envoy-expected-rq-timeout-ms` by itself.

use std::borrow::Cow;

use steerage_engine::action::{self, Check, Route, RouterRetries, Sending};
use steerage_engine::request::Request;
use steerage_engine::settings::PoolIndex;
use steerage_policy::endpoint::{Endpoint, EndpointIndex};
use steerage_policy::matching::RequestHead as _;
use steerage_policy::retry::by::RetriesBy;
use steerage_policy::retry::first_message::{CommitOn, FirstMessage};

use super::contexts;
use super::plugin::{Plugin, PoolShell};
use super::stream_name;
use crate::host::{self, Map, Refused, Token};
use crate::interceptors::{AttemptInfo, Source};
use crate::metrics::hostcall_refused;

/// Tells the router where the request at hand goes, and the upstream which attempt it is.
pub(super) fn route(plugin: &Plugin, route: &Route) {
    let Some((pool, endpoint)) = target(plugin, &route.sending) else {
        return; // An attempt goes to an endpoint of its pool.
    };
    // What the route follows comes first: a header that is written has it chosen anew.
    if pool.pool().retry.by == RetriesBy::Router {
        announce(endpoint, route);
    }
    let written = write(plugin, pool, endpoint, route);
    if let Err(refused) = written {
        hostcall_refused("to steer a request", refused);
    }
    edit(plugin, pool, route);
}

/// Lets the pool's interceptors see an attempt of the router's, and logs it.
fn edit(plugin: &Plugin, pool: &PoolShell, route: &Route) {
    let info = || info(pool, &route.sending);
    if !pool.chains.leaves_attempts_alone() {
        let edits = pool.chains.on_attempt(&info(), Source::Host(Map::Request));
        if let Err(refused) = edits.write(Map::Request) {
            hostcall_refused("to change a request's headers", refused);
        }
        // Only of a stream that the router may repeat: its end forgets them.
        if route.retries.is_some() || route.sending.number > 1 {
            plugin.remember_edits(route.sending.stream, edits);
        }
    }
    if let (Some(log), Some(request)) = (&pool.chains.log, &route.request) {
        log.sent(&info(), &**request);
    }
}

/// Gives the attempt at hand, which the router makes again, what differs from the one before. Both
/// are one request to the host.
#[cold]
pub(super) fn again(plugin: &Plugin, route: &Route) {
    let (Some((pool, endpoint)), Some(request)) = (target(plugin, &route.sending), &route.request)
    else {
        return; // An attempt goes to an endpoint of its pool, and a retry has its request.
    };
    if let Some(edits) = plugin.take_edits(route.sending.stream)
        && let Err(refused) = edits.undo(Map::Request, request.headers())
    {
        hostcall_refused("to restore a request's headers", refused);
    }
    let set = |name, value: &[u8]| {
        if let Err(refused) = host::set_header(Map::Request, name, value) {
            hostcall_refused("to change a retry's headers", refused);
        }
    };
    let others = &pool.pool().endpoints;
    if others.iter().any(|endpoint| endpoint.authority.is_some()) {
        let authority = endpoint.authority.as_deref().map(str::as_bytes);
        set(
            ":authority",
            authority.unwrap_or_else(|| request.authority()),
        );
    }
    if others.iter().any(|endpoint| endpoint.path_prefix.is_some()) {
        set(":path", &path(endpoint, request));
    }
    set(ATTEMPT_COUNT, attempts(route.sending.number).as_bytes());
    set(TIME_LEFT, milliseconds(pool, &route.sending).as_bytes());
    edit(plugin, pool, route);
}

/// Tells the route where the attempt after the one at hand goes, if there is one.
pub(super) fn plan(plugin: &Plugin, pool: PoolIndex, endpoint: EndpointIndex) {
    let endpoint = plugin.pool(pool).and_then(|pool| pool.endpoint(endpoint));
    if let Some(endpoint) = endpoint {
        let (name, cluster) = (&plugin.settings.cluster_header, &endpoint.cluster);
        if let Err(refused) = host::set_header(Map::Request, name, cluster.as_bytes()) {
            hostcall_refused("to say where a retry goes", refused);
        }
    }
}

/// The path that an endpoint is asked for.
#[cold]
#[inline(never)]
fn path(endpoint: &Endpoint, request: &Request) -> Vec<u8> {
    let prefix = endpoint.path_prefix.as_deref().unwrap_or_default();
    [prefix.as_bytes(), request.path()].concat()
}

/// Tells the router by what filters note where the first attempt goes, and its attempts which
/// stream they are of if the router makes others.
fn announce(endpoint: &Endpoint, route: &Route) {
    let mut noted = host::set_filter_state(NEXT, endpoint.cluster.as_bytes());
    if route.retries.is_some() {
        let stream = contexts::id_of(route.sending.stream);
        contexts::change_stream(stream, |stream| stream.is_by_router = true);
        let named = stream_name::write(stream);
        noted = noted.and(named);
    }
    if let Err(refused) = noted {
        hostcall_refused("to note where a request goes", refused);
    }
}

fn write(
    plugin: &Plugin,
    pool: &PoolShell,
    endpoint: &Endpoint,
    route: &Route,
) -> Result<(), Refused> {
    let request = route.request.as_deref();
    let written = Written {
        cluster_header: &plugin.settings.cluster_header,
        authority_header: if plugin.route_rewrites_host {
            AUTHORITY
        } else {
            ":authority"
        },
        endpoint,
        path: request
            .filter(|_| endpoint.path_prefix.is_some())
            .map(|request| path(endpoint, request)),
        number: attempts(route.sending.number),
        timeout: try_timeout(pool, &route.sending),
        retries: route.retries.map(|retries| Retries {
            on: retry_on(retries),
            most: attempts(retries.most),
            mark: &plugin.retry_mark,
        }),
    };
    if let Some(request) = request.filter(|request| has_many_control_headers(request)) {
        return write_all(request, &written);
    }
    // What cannot be removed must not keep the request from being steered.
    let mut done = Ok(());
    for name in request.into_iter().flat_map(Request::control_headers) {
        let removed = host::remove_header(Map::Request, name);
        done = done.and(removed);
    }
    written.each(|name, value| {
        let set = host::set_header(Map::Request, name, value);
        done = done.and(set);
    });
    done
}

/// What is written into the router's request.
struct Written<'a> {
    cluster_header: &'a str,
    authority_header: &'static str,
    endpoint: &'a Endpoint,
    /// `None`: as it is.
    path: Option<Vec<u8>>,
    number: Cow<'static, str>,
    timeout: Cow<'a, str>,
    /// `None`: the router makes none.
    retries: Option<Retries<'a>>,
}

/// What the router is told of the retries that it makes.
struct Retries<'a> {
    on: &'static str,
    most: Cow<'static, str>,
    mark: &'a str,
}

impl Written<'_> {
    /// Each header with its value.
    fn each<'a>(&'a self, mut write: impl FnMut(&'a str, &'a [u8])) {
        if let Some(authority) = &self.endpoint.authority {
            write(self.authority_header, authority.as_bytes());
        }
        if let Some(path) = &self.path {
            write(":path", path);
        }
        write(self.cluster_header, self.endpoint.cluster.as_bytes());
        write(ATTEMPT_COUNT, self.number.as_bytes());
        write(TRY_TIMEOUT, self.timeout.as_bytes());
        if let Some(retries) = &self.retries {
            write(RETRY_ON, retries.on.as_bytes());
            write(MAX_RETRIES, retries.most.as_bytes());
            write(RETRIABLE_NAMES, retries.mark.as_bytes());
        }
    }
}

/// What the router repeats, in its words: answers with the mark, and what breaks without an answer.
const fn retry_on(retries: RouterRetries) -> &'static str {
    match (retries.only_connecting, retries.connecting, retries.resets) {
        (true, _, _) => "connect-failure",
        (false, true, true) => "retriable-headers,connect-failure,reset",
        (false, true, false) => "retriable-headers,connect-failure",
        (false, false, true) => "retriable-headers,reset",
        (false, false, false) => "retriable-headers",
    }
}

/// Writes all headers in one call: a client must not be able to multiply hostcalls.
#[cold]
#[inline(never)]
fn write_all(request: &Request, written: &Written<'_>) -> Result<(), Refused> {
    let mut headers: Vec<(&[u8], &[u8])> = Vec::new();
    written.each(|name, value| headers.push((name.as_bytes(), value)));
    let count = headers.len();
    for (name, value) in request.headers_but_control() {
        let mut overwriting = headers.iter().take(count);
        if !overwriting.any(|(overwritten, _)| *overwritten == name) {
            headers.push((name, value));
        }
    }
    host::set_header_map(Map::Request, &headers)
}

/// Whether writing all headers anew is cheaper than removing the client's control headers one by
/// one, and possible: the host takes no more than [`MOST_PAIRS`] at once.
fn has_many_control_headers(request: &Request) -> bool {
    request.control_headers().len() > FEW && request.headers().iter().count() <= MOST_PAIRS
}

/// Sends an attempt as a call.
#[cold]
#[inline(never)]
pub(super) fn call(plugin: &Plugin, call: &action::Call) -> Result<Token, Refused> {
    let Some((pool, endpoint)) = target(plugin, &call.sending) else {
        return Err(Refused::NOT_FOUND); // An attempt goes to an endpoint of its pool.
    };
    let request = &*call.request;
    let path = path(endpoint, request);
    let authority = endpoint.authority.as_deref().map(str::as_bytes);
    let number = attempts(call.sending.number);
    let timeout = milliseconds(pool, &call.sending);
    // The routing header is the router's and goes to no upstream.
    let cluster_header = plugin.settings.cluster_header.as_bytes();
    let mut headers: Vec<(&[u8], &[u8])> = vec![
        (b":path", &path),
        (
            b":authority",
            authority.unwrap_or_else(|| request.authority()),
        ),
        (ATTEMPT_COUNT.as_bytes(), number.as_bytes()),
        (TRY_TIMEOUT.as_bytes(), timeout.as_bytes()),
    ];
    headers.extend(
        request
            .headers_to_repeat()
            .filter(|(name, _)| *name != cluster_header),
    );
    let info = info(pool, &call.sending);
    let edits = if pool.chains.leaves_attempts_alone() {
        None
    } else {
        Some(pool.chains.on_attempt(&info, Source::List(&headers)))
    };
    if let Some(edits) = &edits {
        edits.apply(&mut headers);
    }
    let token = host::call(&endpoint.cluster, &headers, request.body(), call.patience)?;
    if let Some(log) = &pool.chains.log {
        log.sent(&info, request);
    }
    Ok(token)
}

/// Sends a health check.
#[cold]
#[inline(never)]
pub(super) fn check(plugin: &Plugin, check: Check) -> Result<Token, Refused> {
    let pool = plugin.pool(check.pool);
    let checks = pool.and_then(|pool| pool.pool().checks.as_ref());
    let endpoint = pool.and_then(|pool| pool.endpoint(check.endpoint));
    let (Some(checks), Some(endpoint)) = (checks, endpoint) else {
        return Err(Refused::NOT_FOUND); // What is checked is an endpoint of a pool that checks.
    };
    let path = endpoint.health_check_path.as_deref();
    let mut headers: Vec<(&str, &str)> = vec![
        (":method", &checks.method),
        (":path", path.unwrap_or(&checks.path)),
        (":authority", endpoint.checked_host(checks)),
        ("user-agent", USER_AGENT),
    ];
    let own = checks.headers.iter();
    headers.extend(own.map(|(name, value)| (&**name, &**value)));
    host::call(endpoint.checked_cluster(), &headers, &[], checks.timeout)
}

/// A number of attempts. There are hardly ever more than can be written down before.
pub(super) fn attempts(number: u8) -> Cow<'static, str> {
    const WRITTEN: [&str; 5] = ["0", "1", "2", "3", "4"];
    match WRITTEN.get(usize::from(number)) {
        Some(written) => Cow::Borrowed(written),
        None => Cow::Owned(number.to_string()),
    }
}

fn target<'a>(plugin: &'a Plugin, sending: &Sending) -> Option<(&'a PoolShell, &'a Endpoint)> {
    let pool = plugin.pool(sending.pool)?;
    Some((pool, pool.endpoint(sending.endpoint)?))
}

fn info<'a>(pool: &'a PoolShell, sending: &Sending) -> AttemptInfo<'a> {
    AttemptInfo {
        pool: &pool.pool().name,
        endpoint: pool.endpoint_name(sending.endpoint),
        number: sending.number,
    }
}

/// How long the router waits for an attempt's answer: for its head, or for its first message where
/// the head is held until then. The engine watches the head then.
fn try_timeout<'a>(pool: &'a PoolShell, sending: &Sending) -> Cow<'a, str> {
    match &pool.pool().retry.commit_on {
        CommitOn::FirstMessage(FirstMessage {
            timeout: Some(timeout),
            ..
        }) if *timeout > sending.timeout => Cow::Owned(host::milliseconds(*timeout).to_string()),
        _ => milliseconds(pool, sending),
    }
}

/// The attempt's timeout in whole milliseconds. Most often it is the one that is written down
/// already.
fn milliseconds<'a>(pool: &'a PoolShell, sending: &Sending) -> Cow<'a, str> {
    if sending.timeout == pool.pool().timeouts.read() {
        Cow::Borrowed(&pool.read_timeout)
    } else {
        Cow::Owned(host::milliseconds(sending.timeout).to_string())
    }
}

/// Tells the router which host the endpoint is asked for, where its route rewrites the host by this
/// header (`host_rewrite_header`). Writing `:authority` would have the router look for a virtual
/// host of that name.
pub(super) const AUTHORITY: &str = "x-steerage-authority";

/// Where the router looks for the cluster of an attempt, retries included, as what filters note.
pub(super) const NEXT: &str = "steerage.next";

/// What the router repeats.
const RETRY_ON: &str = "x-envoy-retry-on";

/// How often.
const MAX_RETRIES: &str = "x-envoy-max-retries";

/// The header of an answer by which the router repeats it.
const RETRIABLE_NAMES: &str = "x-envoy-retriable-header-names";

/// Tells an upstream how long it has to begin its answer, in milliseconds.
const TIME_LEFT: &str = "x-envoy-expected-rq-timeout-ms";

/// Announces the attempt's number to the upstream, from 1.
const ATTEMPT_COUNT: &str = "x-envoy-attempt-count";

/// Tells the router how long the upstream may take to begin its answer, in milliseconds.
const TRY_TIMEOUT: &str = "x-envoy-upstream-rq-per-try-timeout-ms";

/// By which an upstream's access log tells checks from traffic.
const USER_AGENT: &str = "steerage-health-check";

/// More control headers than an honest client sends.
const FEW: usize = 4;

/// The host ignores a map of more than 1,024 pairs; some are added to those that came.
const MOST_PAIRS: usize = 1_000;
