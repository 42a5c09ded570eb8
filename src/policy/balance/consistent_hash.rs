//! The same endpoint for the same key: weighted rendezvous hashing.
//!
//! Every endpoint scores −weight / ln(h), with h in (0, 1) made of the key's and the endpoint's
//! hashes; the highest score wins ("Weighted Distributed Hash Tables", Schindelhauer and Schomaker,
//! 2005). Rendezvous and not a ring: a pool has few endpoints, so there is no table to build, weights
//! are exact, and when an endpoint leaves, only the keys that it had move, each to its second best.
//!
//! Hashes come from names and never from positions: workers agree, and reordering a configuration
//! moves nothing. A request without the key goes anywhere.
//!
//! Example: for one key, a (weight 1) draws h = 0.5 → 1.44, b (weight 2) draws h = 0.3 → 1.66:
//! the key is b's.

use alloc::boxed::Box;

use rand::Rng;
use twox_hash::XxHash64;

use super::{Balancer, Candidates, random};
use crate::endpoint::EndpointIndex;
use crate::matching::{RequestHead, path_without_query};
use crate::time::Instant;

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
    /// The key of a request; `None` if it has none, and for [`HashOn::SourceIp`], which is not in
    /// the request's head.
    pub fn key(&self, head: &impl RequestHead) -> Option<HashKey> {
        let value = match self {
            Self::Header(name) => head.header(name)?,
            Self::Cookie(name) => parameter(head.header("cookie")?, b';', name)?,
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

/// The strategy `consistent_hash`.
#[derive(Debug)]
pub(super) struct ConsistentHash;

impl Balancer for ConsistentHash {
    fn pick(
        &mut self,
        candidates: &Candidates<'_>,
        key: Option<HashKey>,
        _now: Instant,
        rng: &mut dyn Rng,
    ) -> Option<EndpointIndex> {
        let Some(HashKey(key)) = key else {
            return random::weighted(candidates, rng);
        };
        random::cheapest(
            candidates.iter().map(|candidate| {
                let score =
                    -candidate.weight / libm::log(unit(mixed(key ^ candidate.endpoint.hash())));
                (candidate.index, -score)
            }),
            rng,
        )
    }
}

/// Spreads the bits of `hash`: the finaliser of SplitMix64, which lets every input bit change every
/// output bit.
const fn mixed(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// `hash` as a number strictly between 0 and 1, of 52 bits: one more would round up to 1.
fn unit(hash: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "52 bits and a half fit exactly")]
    let bits = (hash >> 12) as f64;
    (bits + 0.5) / (1_u64 << 52) as f64
}

/// Unlike the seed of endpoints' names: a key that is an endpoint's name would cancel it out.
const KEY_SEED: u64 = 1;
