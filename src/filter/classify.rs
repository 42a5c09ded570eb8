//! What an answer means: an upstream's own word, or the host's account of a failure.
//!
//! To a client both look alike, a 503 is a 503. They differ in what may be done about them: after a
//! connection that was never made, any request may be tried elsewhere; a 503 that an upstream sent
//! may have cost something already.
//!
//! The host tells the two apart in `response.code_details` for what its router did. A call has no
//! such property; there the host's own answers lack `x-envoy-upstream-service-time`. So does an early
//! answer of an upstream, to a request whose body was still on its way; then only the host's own words
//! in the body tell.

use steerage_policy::outcome::{Neutral, Outcome};

use crate::host::HeaderMap;

/// The outcome of a routed attempt that was answered with `status`; `details` is the host's
/// `response.code_details`.
/// <https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_conn_man/response_code_details>
pub(super) fn routed(status: u16, details: &[u8]) -> Outcome {
    const BEFORE_RESPONSE: &[u8] = b"upstream_reset_before_response_started{";
    match details {
        b"via_upstream" => Outcome::Answered(status),
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
            None => Outcome::Neutral(Neutral::Unknown),
        },
    }
}

/// The outcome of a call that was answered with these headers and this body; `sent_body` says that
/// the call had a body. A call whose answer broke off, or was too large for the host to hold, has no
/// headers.
pub(super) fn called(headers: &HeaderMap, body: &[u8], sent_body: bool) -> Outcome {
    const FAILED: &[u8] = b"upstream connect error or disconnect/reset before headers";
    const RESET: &[u8] = b"reset reason: ";
    let Some(status) = status(headers.get(":status").unwrap_or_default()) else {
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

/// A status as it stands in `:status`.
pub(super) fn status(text: &[u8]) -> Option<u16> {
    core::str::from_utf8(text).ok()?.parse().ok()
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

/// A live answer with this header makes its endpoint degraded.
pub(super) const DEGRADED: &str = "x-envoy-degraded";

/// A live answer with this header makes its endpoint unhealthy until checks say otherwise.
pub(super) const FAILING: &str = "x-envoy-immediate-health-check-fail";
