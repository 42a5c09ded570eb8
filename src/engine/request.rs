//! One request as it arrived, kept so that it can be sent again.
//!
//! The head is scanned once, when it arrives. The scan finds which headers of the client must not
//! reach the router, and whether the request can be sent a second time at all; the body is kept
//! only in that case, and only up to the pool's limit.

use core::ops::Range;
use core::time::Duration;

use steerage_policy::headers::{is_control, is_hop_by_hop};
use steerage_policy::matching::RequestHead;
use steerage_policy::pool::Pool;
use steerage_policy::retry::by::RetriesBy;
use steerage_policy::retry::first_message::Body;
use steerage_policy::retry::reason::Denial;

use crate::header_values::{grpc_timeout, number};
use crate::headers::HeaderMap;
use crate::kept_bytes::{KeptBody, KeptBytes};

/// A request's head and, where it could be repeated, its body.
#[derive(Clone, Debug)]
pub struct Request {
    headers: HeaderMap,
    method: Range<usize>,
    path: Range<usize>,
    authority: Range<usize>,
    kind: Kind,
    content_length: Option<usize>,
    has_idempotency_key: bool,
    /// Whether a proxy on the way here has announced that this is a retry.
    is_retry: bool,
    /// The time that the client gives it.
    limit: Option<Duration>,
    /// Names of the client's headers that would steer the filter or the router.
    control: Vec<Range<usize>>,
    body: KeptBody,
    /// Most bytes of its body that are kept.
    most: usize,
    /// How many bytes of its body have arrived.
    size: usize,
    /// Most bytes of a body that the router repeats.
    most_by_router: usize,
    /// Whether it is a retry of another proxy's, which is not retried here.
    is_nested: bool,
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

/// Part of a request's body, as the shell reports it.
#[derive(Debug)]
pub enum Chunk {
    /// These bytes.
    Bytes(Vec<u8>),
    /// So many bytes, which were not read because [`crate::Worker::wants_body`] did not ask for
    /// them.
    Passed(usize),
    /// Bytes that the host refused to show.
    Unreadable,
}

impl Request {
    /// Scans the head of a request. `cluster_header` is the routing header, in lower case;
    /// `complete` says that no body follows.
    #[must_use]
    pub fn arrived(headers: HeaderMap, cluster_header: &str, complete: bool) -> Self {
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
            body: KeptBody::default(),
            most: 0,
            size: 0,
            most_by_router: 0,
            is_nested: false,
            obstacle: None,
            complete,
            headers: HeaderMap::default(),
        };
        for (at, name, value) in headers.located() {
            let span = || {
                let start = at + name.len() + 1;
                start..start + value.len()
            };
            match name {
                b":method" => request.method = span(),
                b":path" => request.path = span(),
                b":authority" => request.authority = span(),
                b"content-type" if Body::of(value) == Body::Grpc => {
                    request.kind = Kind::Grpc;
                }
                b"upgrade" | b":protocol" => request.kind = Kind::Upgrade,
                b"content-length" => {
                    let length = number(value);
                    request.content_length = length.and_then(|length| length.try_into().ok());
                }
                b"grpc-timeout" => request.shorten(grpc_timeout(value)),
                b"idempotency-key" => request.has_idempotency_key = !value.is_empty(),
                _ if is_control(name) || name == cluster_header.as_bytes() => {
                    match name {
                        b"x-envoy-attempt-count" => {
                            request.is_retry = number(value).is_some_and(|count| count > 1);
                        }
                        b"x-envoy-expected-rq-timeout-ms" => {
                            request.shorten(number(value).map(Duration::from_millis));
                        }
                        _ => {}
                    }
                    request.control.push(at..at + name.len());
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

    /// Holds it to its pool's rules for requests that may be repeated.
    pub(crate) fn belongs_to(&mut self, pool: &Pool) {
        let most = pool.retry.max_request_bytes;
        self.most_by_router = most;
        // The router keeps what it repeats. What it gives up on, a call repeats if it is small.
        self.most = match pool.retry.by {
            RetriesBy::Calls => most,
            RetriesBy::Router => most.min(KEPT_FOR_CALLS),
        };
        if self.content_length.is_some_and(|length| length > self.most) {
            self.give_up(Denial::BodyTooLarge);
        }
        if pool.retry.stop_nested && self.is_retry {
            self.is_nested = true;
            self.give_up(Denial::Nested);
        }
    }

    /// How many bytes its body has, if it says so.
    #[must_use]
    pub const fn content_length(&self) -> Option<usize> {
        self.content_length
    }

    /// The time that the client itself gives the request, if it says so. For gRPC a little less
    /// than that, so that the answer arrives before the client gives up by its own clock.
    #[must_use]
    pub fn limit(&self) -> Option<Duration> {
        const MARGIN: Duration = Duration::from_millis(50);
        let limit = self.limit?;
        Some(if self.is_grpc() {
            limit - MARGIN.min(limit / 20)
        } else {
            limit
        })
    }

    /// Whether the next `size` bytes of its body would be kept.
    pub(crate) fn wants(&self, size: usize, budget: &KeptBytes) -> bool {
        self.obstacle.is_none() && self.body.fits(size, self.most, budget)
    }

    /// Part of the body has arrived.
    pub(crate) fn body_arrived(&mut self, chunk: Chunk, budget: &KeptBytes) {
        self.size = self.size.saturating_add(match &chunk {
            Chunk::Bytes(bytes) => bytes.len(),
            Chunk::Passed(size) => *size,
            Chunk::Unreadable => 0,
        });
        if self.obstacle.is_some() {
            return;
        }
        match chunk {
            Chunk::Bytes(bytes) => {
                let expected = self.content_length.unwrap_or(self.most);
                let fits = self.wants(bytes.len(), budget);
                if !fits || !self.body.add(bytes, expected, budget) {
                    self.give_up(Denial::BodyTooLarge);
                }
            }
            Chunk::Passed(0) => {}
            Chunk::Passed(_) => self.give_up(Denial::BodyTooLarge),
            Chunk::Unreadable => self.give_up(Denial::IncompleteRequest),
        }
    }

    /// The client has sent all of it.
    pub(crate) const fn completed(&mut self) {
        self.complete = true;
    }

    /// It has trailers, and cannot be repeated: a call's would not be sent.
    pub(crate) fn trailers_arrived(&mut self) {
        self.give_up(Denial::Trailers);
    }

    /// Whether the client has sent all of it.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether the client may take as long as it likes to finish its request: a stream ends when
    /// the two sides agree to.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        self.kind != Kind::Plain
    }

    /// Whether it asks for a two-way stream that is not HTTP (an upgrade, CONNECT). Closing the
    /// connection is how such a stream ends.
    #[must_use]
    pub fn is_upgrade(&self) -> bool {
        self.kind == Kind::Upgrade
    }

    /// Whether the client speaks gRPC.
    #[must_use]
    pub fn is_grpc(&self) -> bool {
        self.kind == Kind::Grpc
    }

    /// Why the request cannot be sent again now; `None` when it can.
    #[must_use]
    pub fn obstacle(&self) -> Option<Denial> {
        let incomplete = (!self.complete).then_some(Denial::IncompleteRequest);
        self.obstacle.or(incomplete)
    }

    /// Why the router cannot send it again now; `None` when it can. It repeats what is still
    /// arriving, and streams, as far as it keeps what has passed.
    #[must_use]
    pub fn obstacle_by_router(&self) -> Option<Denial> {
        let size = self.content_length.unwrap_or_default().max(self.size);
        if self.is_nested {
            Some(Denial::Nested)
        } else if size > self.most_by_router {
            Some(Denial::BodyTooLarge)
        } else {
            None
        }
    }

    /// Whether the sender says that a repeat is recognised (`Idempotency-Key`).
    #[must_use]
    pub const fn has_idempotency_key(&self) -> bool {
        self.has_idempotency_key
    }

    /// Whether the client has sent headers that would steer the filter or the router.
    #[must_use]
    pub const fn has_control_headers(&self) -> bool {
        !self.control.is_empty()
    }

    /// Names of the client's headers that would steer the filter or the router.
    pub fn control_headers(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let names = self.control.iter();
        names.map(|name| self.headers.bytes(name).unwrap_or_default())
    }

    /// All headers, as they came.
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// All headers but the client's control headers.
    pub fn headers_but_control(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.headers.iter().filter(|(name, _)| !is_control(name))
    }

    /// The headers of a repeat but for what depends on the attempt: without the client's control
    /// headers, and without those that concern its own connection or this body's framing
    /// (RFC 9110 §7.6.1), which the host sets anew.
    pub fn headers_to_repeat(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.headers.iter().filter(|(name, _)| {
            !is_control(name) && !is_hop_by_hop(name) && !matches!(*name, b":path" | b":authority")
        })
    }

    /// The body as it came.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.body.bytes()
    }

    /// The same without what is kept only for a repeat.
    pub(crate) fn without_content(&self) -> Self {
        Self {
            complete: self.complete,
            kind: self.kind,
            ..Self::arrived(HeaderMap::default(), "", true)
        }
    }

    /// Frees what is kept only for a repeat.
    pub(crate) fn forget(&mut self) {
        self.headers = HeaderMap::default();
        self.body = KeptBody::default();
    }

    /// The client gives it no more time than this. None at all would mean no limit, as in Envoy.
    fn shorten(&mut self, limit: Option<Duration>) {
        if let Some(limit) = limit.filter(|limit| !limit.is_zero()) {
            self.limit = Some(self.limit.map_or(limit, |shorter| shorter.min(limit)));
        }
    }

    fn give_up(&mut self, obstacle: Denial) {
        self.obstacle.get_or_insert(obstacle);
        self.body = KeptBody::default();
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

    fn header_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let all = self.headers.iter();
        all.filter_map(move |(key, value)| (key == name.as_bytes()).then_some(value))
    }
}

/// Most bytes of a body that are kept for what the router gives up on.
const KEPT_FOR_CALLS: usize = 64 << 10;
