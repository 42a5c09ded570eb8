//! What of a request decides its endpoint, for consistent hashing.

use alloc::boxed::Box;

use twox_hash::XxHash64;

use crate::matching::{RequestHead, path_without_query};

/// What of a request decides its endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashOn {
    /// The value of this header, named in lower case.
    Header(Box<str>),
    /// The value of this cookie.
    Cookie(Box<str>),
    /// The value of this query parameter, as it is written in the path.
    Query(Box<str>),
    /// The client's address, without its port.
    SourceIp,
    /// The path without the query.
    Path,
}

impl HashOn {
    /// The key of a request. `None` if the request has none, and for [`HashOn::SourceIp`], which is
    /// not in the request's head.
    pub fn key(&self, head: &impl RequestHead) -> Option<HashKey> {
        let value = match self {
            Self::Header(name) => head.header(name)?,
            // Over HTTP/2 each cookie may be a header of its own (RFC 9113 §8.2.3).
            Self::Cookie(name) => head
                .header_values("cookie")
                .find_map(|cookies| parameter(cookies, b';', name))?,
            Self::Query(name) => {
                let path = head.path();
                let query = path.get(path_without_query(path).len() + 1..)?;
                parameter(query, b'&', name)?
            }
            Self::Path => path_without_query(head.path()),
            Self::SourceIp => return None,
        };
        Some(HashKey::of(value))
    }
}

/// The value of `name` in `name=value` pairs; spaces around a pair do not count.
fn parameter<'a>(pairs: &'a [u8], separator: u8, name: &str) -> Option<&'a [u8]> {
    pairs.split(|&byte| byte == separator).find_map(|pair| {
        pair.trim_ascii()
            .strip_prefix(name.as_bytes())?
            .strip_prefix(b"=")
    })
}

/// The hash of what decides a request's endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashKey(u64);

impl HashKey {
    /// The key of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(XxHash64::oneshot(KEY_SEED, bytes))
    }

    /// The hash: the same for the same bytes in every worker, process and build.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }
}

/// Not the seed of endpoints' names: a key that equals an endpoint's name would cancel it out.
const KEY_SEED: u64 = 1;
