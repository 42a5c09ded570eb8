//! Reads an answer: who made it, and what of it matters.
//!
//! To a client an upstream's own word and the host's account of a failure look alike, a 503 is a
//! 503. They differ in what may be done about them: after a connection that was never made, any
//! request may be tried elsewhere; a 503 that an upstream sent may have cost something already.
//!
//! The host tells the two apart in `response.code_details` for what its router did. A call has no
//! such property; there the host's own answers lack `x-envoy-upstream-service-time`. So does an
//! early answer of an upstream, to a request whose body was still on its way; then only the host's
//! own words in the body tell.
//!
//! A healthy answer costs one hostcall, for its status.

use steerage_engine::answer::Answer;
use steerage_engine::headers::HeaderMap;
use steerage_policy::balance::Strategy;
use steerage_policy::outcome::{Class, Neutral, Outcome};

use super::attempt_headers::AUTHORITY;
use super::plugin::PoolShell;
use crate::host::{self, Body, Map};
use crate::metrics::{InternalError, hostcall_refused};

/// Reads the head of the response at hand, of a stream of this pool, and its status as the client
/// would get it. Only the status, or all of the headers if the pool wants to know what they say of
/// health; who made the answer is asked only where it matters. `in_disguise` says that the host may
/// hide a failure of its own in a 200, as it does to a client that speaks gRPC.
pub(super) fn response(shell: &PoolShell, in_disguise: bool) -> (Answer, Option<u16>) {
    let pool = shell.pool();
    let weighs_health = pool.checks.is_some() || pool.strategy == Strategy::HealthBased;
    let read = if weighs_health {
        host::header_map(Map::Response).map(|headers| (status_of(&headers), Some(headers)))
    } else {
        host::few_of_header(Map::Response, ":status").map(|text| (status(text.as_ref()), None))
    };
    let (status, headers) = match read {
        Ok((Some(status), headers)) => (status, headers),
        Ok((None, _)) => return (Answer::head(UNKNOWN), None),
        Err(refused) => {
            hostcall_refused("to read a response's head", refused);
            return (Answer::head(UNKNOWN), None);
        }
    };
    let mut answer = Answer::head(Outcome::Answered(status));
    let is_covered = pool.retry.covers(answer.outcome);
    let may_cool_down = pool.retry.may_cool_down(answer.outcome);
    let may_be_hosts =
        answer.outcome.class() == Class::Failure || is_covered || may_cool_down || in_disguise;
    if may_be_hosts || status == NOT_FOUND {
        answer.outcome = asked(shell, status);
    }
    if answer.is_upstreams() {
        let matters = may_cool_down || (is_covered && pool.retry.conditions.reads_answer());
        answer.headers = match headers {
            None if matters => host::header_map(Map::Response)
                .inspect_err(|refused| {
                    hostcall_refused("to read a failed response's head", *refused);
                })
                .ok(),
            headers => headers,
        };
        if may_cool_down {
            answer.received = host::wall_time();
        }
    }
    (answer, Some(status))
}

/// Reads the answer to a call that is being delivered, with so many headers and bytes. One that
/// broke off, or was too large for the host to hold, has no headers.
pub(super) fn call(header_count: usize, body_size: usize, sent_body: bool) -> Answer {
    if header_count == 0 {
        return Answer::head(Outcome::Reset);
    }
    let read = host::header_map(Map::CallAnswer)
        .and_then(|headers| Ok((headers, host::body(Body::CallAnswer, body_size)?)));
    match read {
        Ok((headers, body)) => {
            let outcome = called(&headers, &body, sent_body);
            Answer {
                outcome,
                headers: Some(headers),
                body,
                received: host::wall_time(),
            }
        }
        Err(refused) => {
            hostcall_refused("to read a call's answer", refused);
            Answer::head(Outcome::Reset)
        }
    }
}

/// What the router's answer with this status says of its attempt: asks the host who made it.
#[cold]
fn asked(shell: &PoolShell, status: u16) -> Outcome {
    let outcome = routed(status, &host::property(&["response", "code_details"]));
    if outcome == NOT_ROUTED {
        warn_of_route(shell);
    }
    outcome
}

/// The outcome of a routed attempt that was answered with `status`; `details` is the host's
/// `response.code_details`.
///
/// <https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_conn_man/response_code_details>
fn routed(status: u16, details: &[u8]) -> Outcome {
    const BEFORE_RESPONSE: &[u8] = b"upstream_reset_before_response_started{";
    match details {
        b"via_upstream" => Outcome::Answered(status),
        b"route_not_found" => NOT_ROUTED,
        b"no_healthy_upstream" | b"cluster_not_found" | b"maintenance_mode" => {
            Outcome::ConnectFailure
        }
        b"response_timeout"
        | b"upstream_response_timeout"
        | b"upstream_per_try_timeout"
        | b"upstream_per_try_idle_timeout"
        | b"upstream_max_stream_duration_reached" => Outcome::Timeout,
        _ => match details.strip_prefix(BEFORE_RESPONSE) {
            Some(reason) => reset(reason),
            // Another filter answered: the endpoint was not asked.
            None => UNKNOWN,
        },
    }
}

/// The outcome of a call that was answered with these headers and this body; `sent_body` says that
/// the call had a body.
fn called(headers: &HeaderMap, body: &[u8], sent_body: bool) -> Outcome {
    const FAILED: &[u8] = b"upstream connect error or disconnect/reset before headers";
    const RESET: &[u8] = b"reset reason: ";
    let Some(status) = status_of(headers) else {
        return Outcome::Reset;
    };
    if headers.get("x-envoy-upstream-service-time").is_some() {
        return Outcome::Answered(status);
    }
    match (status, body) {
        (504, b"upstream request timeout") => Outcome::Timeout,
        (503, b"no healthy upstream") => Outcome::ConnectFailure,
        (_, text) if text.starts_with(FAILED) => {
            let reason = text
                .windows(RESET.len())
                .position(|window| window == RESET)
                .and_then(|at| text.get(at + RESET.len()..));
            reset(reason.unwrap_or_default())
        }
        // The host's words are missing where it answers a HEAD: what it was, the status tells.
        (504, b"") if !sent_body => Outcome::Timeout,
        (502 | 503, b"") if !sent_body => Outcome::Reset,
        _ => Outcome::Answered(status),
    }
}

/// The status among these headers.
pub(super) fn status_of(headers: &HeaderMap) -> Option<u16> {
    headers.get(":status").and_then(status)
}

/// A status as it stands in `:status`: three digits (RFC 9110 §15).
pub(super) fn status(text: &[u8]) -> Option<u16> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| u16::from(byte - b'0'));
    match *text {
        [hundreds, tens, ones] => Some(digit(hundreds)? * 100 + digit(tens)? * 10 + digit(ones)?),
        _ => None,
    }
}

/// What a reset means, by the host's reason, which may be followed by more. Words are joined by
/// spaces or underscores, depending on where the host writes it.
fn reset(reason: &[u8]) -> Outcome {
    // A refused stream was not processed (RFC 9113 §8.7), and an overflow is the cluster's own
    // limit: as with a refused connection, nothing was done.
    const NOTHING_SENT: [&[u8]; 6] = [
        b"remote connection failure",
        b"local connection failure",
        b"connection timeout",
        b"overflow",
        b"remote refused stream reset",
        b"local refused stream reset",
    ];
    let is = |words: &[u8]| {
        reason.len() >= words.len()
            && words
                .iter()
                .zip(reason)
                .all(|(word, given)| word == given || (*word == b' ' && *given == b'_'))
    };
    if NOTHING_SENT.iter().any(|words| is(words)) {
        Outcome::ConnectFailure
    } else {
        Outcome::Reset
    }
}

/// The router found no route. It had one before the filter wrote the request's headers, or the
/// filter would not have been asked; so it is said where an endpoint changes what routes are chosen
/// by.
fn warn_of_route(shell: &PoolShell) {
    let pool = shell.pool();
    let mut endpoints = pool.endpoints.iter();
    if !endpoints.any(|endpoint| endpoint.authority.is_some() || endpoint.path_prefix.is_some()) {
        return;
    }
    InternalError::AuthorityBreaksRoute.count();
    if !shell.has_warned_of_route.replace(true) {
        log::warn!(
            "pool {}: the host finds no route for the `authority` or the `path_prefix` of an endpoint, so first \
             attempts fail with 404 and calls follow: give the route `host_rewrite_header: {AUTHORITY}` and this \
             configuration `\"host_rewrite_header\": true`, or the virtual host the domain `*`",
            pool.name
        );
    }
}

/// The status that a router without a route answers with.
const NOT_FOUND: u16 = 404;

/// The router found no route: nothing was sent.
const NOT_ROUTED: Outcome = Outcome::Neutral(Neutral::NotRouted);

/// Another filter answered, or the host does not tell.
const UNKNOWN: Outcome = Outcome::Neutral(Neutral::Unknown);
