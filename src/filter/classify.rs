//! Reads an answer: who made it, and what of it matters.
//!
//! To a client an upstream's own word and the host's account of a failure look alike, a 503 is a
//! 503. They differ in what may be done about them: after a connection that was never made, any
//! request may be tried elsewhere; a 503 that an upstream sent may have cost something already.
//!
//! The host tells the two apart for what its router did, and `local_replies.rs` reads what it says.
//! A call has no such account; there the host's own answers lack `x-envoy-upstream-service-time`.
//! So does an early answer of an upstream, to a request whose body was still on its way; then only
//! the host's own words in the body tell.
//!
//! Over gRPC every answer is a 200. Its own status comes at the end, which may be the head.
//!
//! A healthy answer costs one hostcall, for its status.

use steerage_engine::answer::Answer;
use steerage_engine::headers::HeaderMap;
use steerage_policy::outcome::{Class, GrpcStatus, Neutral, Outcome};

use super::attempt_headers::AUTHORITY;
use super::plugin::PoolShell;
use crate::host::{self, Body, Map, Refused};
use crate::local_replies::{self, NOT_ROUTED, UNKNOWN};
use crate::metrics::{InternalError, hostcall_refused};

/// Reads the head of the response at hand, of a stream of this pool, and its status as the client
/// would get it. Only the status, or `whole`, all of the headers, for what they say of health; who
/// made the answer is asked only where it matters.
pub(super) fn response(shell: &PoolShell, is_grpc: bool, whole: bool) -> (Answer, Option<u16>) {
    read(shell, is_grpc, whole, asked)
}

/// The same for the response to an attempt of the router's, where it comes from the upstream: there
/// is no question of who made it.
pub(super) fn attempt(shell: &PoolShell, is_grpc: bool, whole: bool) -> (Answer, Option<u16>) {
    read(shell, is_grpc, whole, |_, outcome| outcome)
}

fn read(
    shell: &PoolShell,
    is_grpc: bool,
    whole: bool,
    who_made: fn(&PoolShell, Outcome) -> Outcome,
) -> (Answer, Option<u16>) {
    let pool = shell.pool();
    let read = if whole {
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
    if is_grpc && let Some(status) = grpc_failure(Map::Response) {
        answer.outcome = Outcome::Grpc(status);
    }
    let is_covered = pool.retry.covers(answer.outcome);
    let may_cool_down = pool.retry.may_cool_down(answer.outcome);
    let may_be_hosts = answer.outcome.class() == Class::Failure || is_covered || may_cool_down;
    if may_be_hosts || status == NOT_FOUND {
        answer.outcome = who_made(shell, answer.outcome);
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

/// The flags of the stream at hand; none if the host does not tell.
pub(super) fn flags() -> u64 {
    u64::from_le_bytes(eight(host::few_property("response\0flags").as_ref()))
}

fn eight(bytes: &[u8]) -> [u8; 8] {
    bytes.try_into().unwrap_or_default()
}

/// The status of gRPC in the head of the response at hand, or in its trailers, if it is there: in
/// the head it says that the answer is over.
pub(super) fn grpc_status(map: Map) -> Option<GrpcStatus> {
    let status = host::few_of_header(map, "grpc-status").ok()?;
    let status = core::str::from_utf8(status.as_ref()).ok()?;
    status.parse().ok().map(GrpcStatus)
}

/// The same, if it is not OK.
pub(super) fn grpc_failure(map: Map) -> Option<GrpcStatus> {
    grpc_status(map).filter(|status| *status != GrpcStatus::OK)
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

/// What a call has come to that the host has not sent. It says which cluster it does not know; of
/// one that is full, and of one without a host, it says the same.
pub(super) fn refused(refused: Refused) -> Outcome {
    match refused {
        Refused::BAD_ARGUMENT => Outcome::ConnectFailure,
        _ => Outcome::Neutral(Neutral::Overflow),
    }
}

/// What the router's answer says of its attempt: asks the host who made it.
#[cold]
fn asked(shell: &PoolShell, answered: Outcome) -> Outcome {
    let details = || host::property(&["response", "code_details"]);
    let outcome = local_replies::routed(answered, flags(), details);
    if outcome == NOT_ROUTED {
        warn_of_route(shell);
    }
    outcome
}

/// The outcome of a call that was answered with these headers and this body; `sent_body` says that
/// the call had a body.
fn called(headers: &HeaderMap, body: &[u8], sent_body: bool) -> Outcome {
    let Some(status) = status_of(headers) else {
        return Outcome::Reset;
    };
    let answered = Outcome::Answered(status);
    if headers.get("x-envoy-upstream-service-time").is_some() {
        return answered;
    }
    local_replies::called(status, body, sent_body).unwrap_or(answered)
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
