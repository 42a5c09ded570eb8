//! What the host's account of an attempt means: who made its answer.
//!
//! The router tells by flags (`response.flags`) and, where these do not say enough, by its details
//! (`response.code_details`). A call has neither. There the host's own answers are known by their
//! words, which are those of its source.
//!
//! Flags:
//! <https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/observability/access_log/usage#config-access-log-format-response-flags>,
//! in the numbers of `envoy/stream_info/stream_info.h`. Details:
//! <https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_conn_man/response_code_details>

use steerage_policy::outcome::{Neutral, Outcome};

/// Flags with what they say of the attempt, the most telling first. `RESET`: the details say more.
const FLAGS: [(u64, Outcome); 11] = [
    (0x80, OVERFLOW), // UO: a circuit breaker of the cluster, maintenance
    (0x0800_0000 | 0x2000_0000, OVERFLOW), // drop_overload, unconditional_drop_overload
    (0x2, Outcome::ConnectFailure), // UH: no healthy host
    (0x20, Outcome::ConnectFailure), // UF: no connection
    (0x100_0000, Outcome::ConnectFailure), // NC: no such cluster
    (0x400_0000, Outcome::ConnectFailure), // DF: its name does not resolve
    (0x100, NOT_ROUTED), // NR
    (0x4, Outcome::Timeout), // UT: of the request, or of the try
    (0x8_0000, Outcome::Timeout), // UMSDR: the longest that a stream may last
    (0x1_0000, Outcome::Timeout), // SI: nothing moved for too long
    (BROKEN, Outcome::Reset),
];

/// The upstream broke off: UR, UC, UPE. LR, where the host did so, is told by its details.
const BROKEN: u64 = 0x10 | 0x40 | 0x80_0000;

/// The host refused to send it.
pub(crate) const OVERFLOW: Outcome = Outcome::Neutral(Neutral::Overflow);

/// The router found no route: nothing was sent.
pub(crate) const NOT_ROUTED: Outcome = Outcome::Neutral(Neutral::NotRouted);

/// Another filter answered, or the host does not tell.
pub(crate) const UNKNOWN: Outcome = Outcome::Neutral(Neutral::Unknown);

/// Whether an answer that had begun was broken off by its upstream.
pub(crate) const fn is_broken(flags: u64) -> bool {
    flags & BROKEN != 0
}

/// The outcome of a routed attempt that was answered with `answered`, by the host's account.
pub(crate) fn routed(answered: Outcome, flags: u64, details: impl FnOnce() -> Vec<u8>) -> Outcome {
    let by_flags = FLAGS.iter().find(|(flag, _)| flags & flag != 0);
    match by_flags {
        Some((_, Outcome::Reset)) | None => by_details(answered, &details()),
        Some((_, outcome)) => *outcome,
    }
}

fn by_details(answered: Outcome, details: &[u8]) -> Outcome {
    match details {
        b"via_upstream" => answered,
        b"route_not_found" => NOT_ROUTED,
        b"no_healthy_upstream" | b"cluster_not_found" => Outcome::ConnectFailure,
        b"maintenance_mode" | b"drop_overload" | b"unconditional_drop_overload" => OVERFLOW,
        b"response_timeout"
        | b"upstream_response_timeout"
        | b"upstream_per_try_timeout"
        | b"upstream_per_try_idle_timeout"
        | b"upstream_max_stream_duration_reached"
        | b"stream_idle_timeout" => Outcome::Timeout,
        _ if details.starts_with(b"dns_resolution_failure") => Outcome::ConnectFailure,
        // After an interim answer the host takes the answer for one that has begun.
        _ if details.starts_with(b"upstream_reset_after_response_started{") => Outcome::Reset,
        _ => match details.strip_prefix(b"upstream_reset_before_response_started{") {
            Some(reason) => reset(reason),
            // Another filter answered: the endpoint was not asked.
            None => UNKNOWN,
        },
    }
}

/// The outcome of a call that the host itself answered with this status and this body; `None`:
/// these are not its words. `sent_body` says that the call had a body.
pub(crate) fn called(status: u16, body: &[u8], sent_body: bool) -> Option<Outcome> {
    const FAILED: &[u8] = b"upstream connect error or disconnect/reset before headers";
    const RESET: &[u8] = b"reset reason: ";
    Some(match (status, body) {
        (504, b"upstream request timeout") | (408, b"upstream max stream duration reached") => {
            Outcome::Timeout
        }
        (503, b"no healthy upstream") => Outcome::ConnectFailure,
        (503, b"maintenance mode" | b"drop overload" | b"unconditional drop overload") => OVERFLOW,
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
        _ => return None,
    })
}

/// What a reset means, by the host's reason, which may be followed by more. Words are joined by
/// spaces or underscores, depending on where the host writes it.
fn reset(reason: &[u8]) -> Outcome {
    // A refused stream was not processed (RFC 9113 §8.7): as with a refused connection, nothing was
    // done.
    const NOTHING_SENT: [&[u8]; 5] = [
        b"remote connection failure",
        b"local connection failure",
        b"connection timeout",
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
    if is(b"overflow") {
        OVERFLOW
    } else if NOTHING_SENT.iter().any(|words| is(words)) {
        Outcome::ConnectFailure
    } else {
        Outcome::Reset
    }
}
