//! What an upstream remembers of a request.

use std::time::Instant;

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::header::{HOST, HeaderValue};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Version};

/// A request as an [`Upstream`](crate::Upstream) saw it.
#[derive(Clone, Debug)]
pub struct Received {
    /// When its headers had arrived.
    pub at: Instant,
    /// Its version: HTTP/1.1 or HTTP/2.
    pub version: Version,
    /// Its method.
    pub method: Method,
    /// Its target as it was sent, with the query.
    pub path: String,
    /// Its headers; values are the bytes that were sent, UTF-8 or not. In HTTP/2 the authority is
    /// the header `host`.
    pub headers: HeaderMap,
    /// Its body. Empty when it was longer than [`Received::LONGEST_KEPT`]: then only the
    /// length and the hash tell of it.
    pub body: Bytes,
    /// How many bytes of body arrived.
    pub body_length: u64,
    /// [`body_hash`] of all bytes of body that arrived.
    pub body_hash: u64,
    /// Whether the request arrived to its end. False when the other side broke off, and for
    /// an early answer, which does not wait for the body.
    pub complete: bool,
    /// The connection it came on, numbered from 0 in the order of their arrival.
    pub connection: u64,
}

impl Received {
    /// Bodies longer than this, in bytes, are not kept.
    pub const LONGEST_KEPT: u64 = 1024 * 1024;

    /// One header's first value as text; bytes that are not UTF-8 appear as `U+FFFD`.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers
            .get(name)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    pub(crate) fn head(mut parts: Parts, connection: u64, at: Instant) -> Self {
        let mut path = parts.uri.to_string();
        if parts.version == Version::HTTP_2 {
            path = parts
                .uri
                .path_and_query()
                .map(ToString::to_string)
                .unwrap_or_default();
            if let Some(authority) = parts.uri.authority()
                && let Ok(host) = HeaderValue::try_from(authority.as_str())
            {
                parts.headers.entry(HOST).or_insert(host);
            }
        }
        Self {
            at,
            version: parts.version,
            method: parts.method,
            path,
            headers: parts.headers,
            body: Bytes::new(),
            body_length: 0,
            body_hash: body_hash(b""),
            complete: false,
            connection,
        }
    }

    /// Reads the body to its end, or to where the other side broke off.
    pub(crate) async fn read(&mut self, body: &mut Incoming) {
        let mut kept = Vec::new();
        self.complete = true;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                self.complete = false;
                break;
            };
            if let Some(data) = frame.data_ref() {
                self.body_length += data.len() as u64;
                self.body_hash = hash_on(self.body_hash, data);
                if self.body_length <= Self::LONGEST_KEPT {
                    kept.extend_from_slice(data);
                } else {
                    kept = Vec::new();
                }
            }
        }
        self.body = kept.into();
    }
}

/// FNV-1a of 64 bits, to compare a body too long to keep with the one that was sent.
pub fn body_hash(bytes: &[u8]) -> u64 {
    hash_on(0xcbf2_9ce4_8422_2325, bytes)
}

fn hash_on(state: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(state, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}
