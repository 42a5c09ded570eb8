//! What the host draws for workers to seed their generators with.
//!
//! A worker begins each pool's turn at a place that it draws. Tests that count turns need to know
//! where that is, so the fake draws only numbers with which it is the first endpoint.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};

/// The next seed after this one.
pub(super) fn after(seed: u64) -> u64 {
    let mut seeds = seed.wrapping_add(1)..=u64::MAX;
    seeds
        .find(|seed| begins_with_the_first(*seed))
        .unwrap_or_default()
}

/// A worker draws its identity, and then where the turns of its pools begin.
fn begins_with_the_first(seed: u64) -> bool {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let _identity: u64 = rng.random();
    (0..POOLS).all(|_| rng.random::<f64>() < FIRST)
}

/// As many pools as tests that count turns have at most.
const POOLS: usize = 3;
/// The first of up to six.
const FIRST: f64 = 0.16;
