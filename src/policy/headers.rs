//! Headers that steer requests or connections, and may not be changed.
//!
//! Some headers steer the filter or the router behind it. A client's copies of them are removed.
//! Others concern one connection, or the framing of one body. They are not repeated on another
//! attempt. Interceptors may change neither. Names are in lower case, as bytes.
//!
//! Example: `x-envoy-max-retries` steers the router, `transfer-encoding` frames one body, and
//! `:path` and `host` decide where a request goes. `x-tenant` is none of these.

/// Whether a header steers this filter or the router's own retries and timeouts. Such a header is
/// set by the operator and not by the client.
#[must_use]
pub fn is_control(name: &[u8]) -> bool {
    if name.starts_with(b"x-steerage-") {
        return true;
    }
    let Some(rest) = name.strip_prefix(b"x-envoy-") else {
        return false;
    };
    matches!(
        rest,
        b"attempt-count"
            | b"expected-rq-timeout-ms"
            | b"hedge-on-per-try-timeout"
            | b"is-timeout-retry"
            | b"max-retries"
            | b"retriable-header-names"
            | b"retriable-status-codes"
            | b"retry-grpc-on"
            | b"retry-on"
            | b"upstream-alt-stat-name"
            | b"upstream-rq-per-try-timeout-ms"
            | b"upstream-rq-timeout-alt-response"
            | b"upstream-rq-timeout-ms"
            | b"upstream-stream-duration-ms"
    )
}

/// Whether a header concerns one connection or the framing of one body. The host frames what it
/// sends itself. A length left over from another body would stall the receiver.
#[must_use]
pub fn is_hop_by_hop(name: &[u8]) -> bool {
    matches!(
        name,
        b"connection"
            | b"content-length"
            | b"expect"
            | b"keep-alive"
            | b"proxy-connection"
            | b"te"
            | b"trailer"
            | b"transfer-encoding"
            | b"upgrade"
    )
}

/// Whether this is a token of RFC 9110 §5.6.2, as names of headers and methods are.
#[must_use]
pub fn is_token(text: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(is_part)
}

/// Whether an interceptor may set, add or remove a header. The routing header, whose name is
/// configured, is forbidden as well.
#[must_use]
pub fn is_changeable(name: &[u8]) -> bool {
    !name.starts_with(b":") && name != b"host" && !is_control(name) && !is_hop_by_hop(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_routes_frames_or_steers_is_nobodys_to_change() {
        for name in [
            ":path",
            "host",
            "content-length",
            "te",
            "x-steerage-cluster",
            "x-envoy-attempt-count",
        ] {
            assert!(!is_changeable(name.as_bytes()), "{name}");
        }
        for name in ["x-tenant", "authorization", "x-envoy-decorator-operation"] {
            assert!(is_changeable(name.as_bytes()), "{name}");
        }
    }
}
