//! The same endpoint for the same key: weighted rendezvous hashing.
//!
//! Every endpoint has the score −weight / ln(h), with h in (0, 1) made of the hashes of the key and
//! of the endpoint. The highest score wins ("Weighted Distributed Hash Tables", Schindelhauer and
//! Schomaker, 2005). Rendezvous and not a ring, because a pool has few endpoints: there is no table
//! to build, weights are exact, and when an endpoint leaves, only its own keys move, each to its
//! second best.
//!
//! Hashes are of names and never of positions, so workers agree, and reordering a configuration
//! moves nothing. A request without a key goes to an endpoint drawn by weight.
//!
//! Example: for one key, a (weight 1) draws h = 0.5 → 1.44, b (weight 2) draws h = 0.3 → 1.66:
//! the key is b's.

use rand::Rng;

use super::balancer::Balancer;
use super::candidates::Candidates;
use super::key::HashKey;
use super::random;
use crate::endpoint::EndpointIndex;
use crate::time::Instant;

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
        let Some(key) = key else {
            return random::weighted(candidates, rng);
        };
        random::cheapest(
            candidates.iter().map(|candidate| {
                let score = -candidate.weight
                    / libm::log(unit(mixed(key.value() ^ candidate.endpoint.hash())));
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

/// `hash` as a number strictly between 0 and 1, of 52 bits. One bit more would round up to 1.
fn unit(hash: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "52 bits and a half fit exactly")]
    let bits = (hash >> 12) as f64;
    (bits + 0.5) / (1_u64 << 52) as f64
}
