//! One request as it arrived, kept so that it can be sent again.
//!
//! The head is scanned once, when it arrives. It says which headers of the client must not reach
//! the router, and whether the request can be sent a second time at all; the body is kept only in
//! that case, and only up to the pool's limit.

use core::ops::Range;
use core::time::Duration;

use steerage_policy::headers::{is_control, is_hop_by_hop};
use steerage_policy::matching::RequestHead;
use steerage_policy::retry::reason::Denial;

use crate::host::{self, Body, HeaderMap};
use crate::metrics::hostcall_refused;

/// A request's head and, where it could be repeated, its body.
#[derive(Debug)]
pub(crate) struct Request {
    headers: HeaderMap,
    method: Range<usize>,
    path: Range<usize>,
    authority: Range<usize>,
    kind: Kind,
    content_length: Option<usize>,
    has_idempotency_key: bool,
    /// Whether somebody on the way here has announced that this is a retry.
    is_retry: bool,
    /// The time that the client gives it.
    limit: Option<Duration>,
    /// Names of the client's headers that would steer the filter or the router.
    control: Vec<Range<usize>>,
    body: Vec<u8>,
    /// Why the request cannot be repeated, as far as its arrival has shown.
    obstacle: Option<Denial>,
    complete: bool,
}

/// What a request is besides plain HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    Grpc,
    Upgrade,
}

impl Request {
    /// Scans the head of a request. `complete` says that no body follows.
    pub(crate) fn arrived(headers: HeaderMap, cluster_header: &str, complete: bool) -> Self {
        let mut request = Self {
            method: 0..0,
            path: 0..0,
            authority: 0..0,
            kind: Kind::Plain,
            content_length: None,
            has_idempotency_key: false,
            is_retry: false,
            limit: None,
            control: Vec::new(),
            body: Vec::new(),
            obstacle: None,
            complete,
            headers: HeaderMap::default(),
        };
        for (name, value) in headers.spans() {
            let Some((name_bytes, value_bytes)) = headers.bytes(&name).zip(headers.bytes(&value))
            else {
                continue; // OK because the spans are the map's own.
            };
            match name_bytes {
                b":method" => request.method = value,
                b":path" => request.path = value,
                b":authority" => request.authority = value,
                b"content-type" if is_grpc(value_bytes) => {
                    request.kind = Kind::Grpc;
                }
                b"upgrade" | b":protocol" => request.kind = Kind::Upgrade,
                b"content-length" => {
                    let length = number(value_bytes);
                    request.content_length = length.and_then(|length| length.try_into().ok());
                }
                b"grpc-timeout" => request.shorten(grpc_timeout(value_bytes)),
                b"idempotency-key" => request.has_idempotency_key = !value_bytes.is_empty(),
                _ if is_control(name_bytes) || name_bytes == cluster_header.as_bytes() => {
                    match name_bytes {
                        b"x-envoy-attempt-count" => {
                            request.is_retry = number(value_bytes).is_some_and(|count| count > 1);
                        }
                        b"x-envoy-expected-rq-timeout-ms" => {
                            request.shorten(number(value_bytes).map(Duration::from_millis));
                        }
                        _ => {}
                    }
                    request.control.push(name);
                }
                _ => {}
            }
        }
        request.headers = headers;
        if request.method() == b"CONNECT" {
            request.kind = Kind::Upgrade;
        }
        request.obstacle = match request.kind {
            Kind::Plain => None,
            Kind::Grpc => Some(Denial::Grpc),
            Kind::Upgrade => Some(Denial::Upgrade),
        };
        request
    }

    /// Forbids a repeat if the body is known to be larger than `limit` bytes.
    pub(crate) fn limit_body(&mut self, limit: usize) {
        if self.content_length.is_some_and(|length| length > limit) {
            self.give_up(Denial::BodyTooLarge);
        }
    }

    /// Forbids a repeat if the request is somebody else's retry already.
    pub(crate) fn stop_nested(&mut self) {
        if self.is_retry {
            self.give_up(Denial::Nested);
        }
    }

    /// How many bytes its body has, if it says so.
    pub(crate) const fn content_length(&self) -> Option<usize> {
        self.content_length
    }

    /// The time that the client itself gives the request, if it says so.
    pub(crate) const fn limit(&self) -> Option<Duration> {
        self.limit
    }

    /// `size` bytes of the body have arrived; keeps them if the request could be repeated and the
    /// body is within `limit` bytes.
    pub(crate) fn body_arrived(&mut self, size: usize, end: bool, limit: usize) {
        self.complete |= end;
        if self.obstacle.is_some() {
            return;
        }
        if self.body.len().saturating_add(size) > limit {
            self.give_up(Denial::BodyTooLarge);
            return;
        }
        match host::body(Body::Request, size) {
            Ok(chunk) if self.body.is_empty() => self.body = chunk,
            Ok(chunk) => self.body.extend_from_slice(&chunk),
            Err(refused) => {
                hostcall_refused("to read a request's body", refused);
                self.give_up(Denial::IncompleteRequest);
            }
        }
    }

    /// Trailers have arrived: the request is complete and cannot be repeated.
    pub(crate) fn trailers_arrived(&mut self) {
        self.complete = true;
        self.give_up(Denial::Trailers);
    }

    /// Whether the client has sent all of it.
    pub(crate) const fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether the client may take as long as it likes to finish its request: a stream ends when
    /// the two sides agree to.
    pub(crate) fn is_stream(&self) -> bool {
        self.kind != Kind::Plain
    }

    /// Why the request cannot be sent again now; `None` when it can.
    pub(crate) fn obstacle(&self) -> Option<Denial> {
        if self.obstacle.is_some() {
            self.obstacle
        } else if !self.complete {
            Some(Denial::IncompleteRequest)
        } else {
            None
        }
    }

    /// Whether the sender says that a repeat is recognised (`Idempotency-Key`).
    pub(crate) const fn has_idempotency_key(&self) -> bool {
        self.has_idempotency_key
    }

    /// Names of the client's headers that would steer the filter or the router.
    pub(crate) fn control_headers(&self) -> impl Iterator<Item = &[u8]> {
        self.control
            .iter()
            .filter_map(|name| self.headers.bytes(name))
    }

    /// Whether removing them one by one is cheaper than writing all headers anew, or the only way: the
    /// host takes no more than [`MOST_PAIRS`] at once.
    pub(crate) fn has_few_control_headers(&self) -> bool {
        self.control.len() <= FEW || self.headers.spans().count() > MOST_PAIRS
    }

    /// All headers but the client's control headers.
    pub(crate) fn headers_but_control(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.headers.iter().filter(|(name, _)| !is_control(name))
    }

    /// The headers of a repeat but for what depends on the attempt: without the client's control
    /// headers, and without those that concern its own connection or this body's framing
    /// (RFC 9110 §7.6.1), which the host sets anew.
    pub(crate) fn headers_to_repeat(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.headers.iter().filter(|(name, _)| {
            !is_control(name) && !is_hop_by_hop(name) && !matches!(*name, b":path" | b":authority")
        })
    }

    /// The body as it came.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Frees what is kept only for a repeat.
    pub(crate) fn forget(&mut self) {
        self.headers = HeaderMap::default();
        self.body = Vec::new();
    }

    /// The client gives it no more time than this. None at all would mean no limit, as in Envoy.
    fn shorten(&mut self, limit: Option<Duration>) {
        if let Some(limit) = limit.filter(|limit| !limit.is_zero()) {
            self.limit = Some(self.limit.map_or(limit, |shorter| shorter.min(limit)));
        }
    }

    fn give_up(&mut self, obstacle: Denial) {
        self.obstacle.get_or_insert(obstacle);
        self.body = Vec::new();
    }
}

impl RequestHead for Request {
    fn method(&self) -> &[u8] {
        self.headers.bytes(&self.method).unwrap_or_default()
    }

    fn path(&self) -> &[u8] {
        self.headers.bytes(&self.path).unwrap_or_default()
    }

    fn authority(&self) -> &[u8] {
        self.headers.bytes(&self.authority).unwrap_or_default()
    }

    fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.get(name)
    }
}

/// Whether a content type is gRPC's: `application/grpc`, or that with a `+` and the encoding. Not
/// gRPC-Web, whose trailers are part of the body.
fn is_grpc(content_type: &[u8]) -> bool {
    content_type
        .strip_prefix(b"application/grpc")
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// The number that a value is, if it is one.
fn number(value: &[u8]) -> Option<u64> {
    core::str::from_utf8(value).ok()?.parse().ok()
}

/// The time that a gRPC client gives its call: at most eight digits and a unit, e.g. `100m` for
/// 100 ms. <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>
fn grpc_timeout(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    let count = number(digits).filter(|_| digits.len() <= 8)?;
    Some(match unit {
        b'H' => Duration::from_secs(count * 3_600),
        b'M' => Duration::from_secs(count * 60),
        b'S' => Duration::from_secs(count),
        b'm' => Duration::from_millis(count),
        b'u' => Duration::from_micros(count),
        b'n' => Duration::from_nanos(count),
        _ => return None,
    })
}

/// More control headers than an honest client sends.
const FEW: usize = 4;

/// The host ignores a map of more than 1,024 pairs; some are added to those that came.
const MOST_PAIRS: usize = 1_000;
