//! # A filter of one's own
//!
//! Steerage for a service that has machines of its own and rents more when those are busy. What the
//! configuration cannot say, this package says in Rust, for the pool `models`: every other pool stays
//! as configured.
//!
//! `make custom-filter` builds `target/custom-filter.wasm`, which an Envoy loads in place of
//! `target/steerage.wasm`. The configuration is written as for that one.

use std::time::Duration;

use steerage::rand::Rng;
use steerage::{Backoff, Balancer, Candidates, EndpointIndex, Extensions, HashKey, Instant};

steerage::filter!(extensions);

/// The extensions of the pool with this name.
fn extensions(pool: &str) -> Extensions {
    match pool {
        "models" => Extensions::new()
            .backoff(Triangular {
                step: Duration::from_millis(40),
            })
            .balancer(FillUp { limit: 2 }),
        _ => Extensions::new(),
    }
}

/// Each delay is longer than the one before by one step more: 1, 3, 6, 10 … steps.
#[derive(Debug)]
struct Triangular {
    step: Duration,
}

impl Backoff for Triangular {
    fn delay(&self, n: u8) -> Duration {
        let n = u32::from(n);
        self.step * (n * (n + 1) / 2)
    }
}

/// The first endpoint of the configuration that has room: the next one is used only while those
/// before it have `limit` attempts under way.
#[derive(Debug)]
struct FillUp {
    limit: u32,
}

impl Balancer for FillUp {
    fn pick(
        &mut self,
        candidates: &Candidates<'_>,
        _key: Option<HashKey>,
        _now: Instant,
        _rng: &mut dyn Rng,
    ) -> Option<EndpointIndex> {
        // If all are full there is no choice, and one is drawn by weight.
        candidates
            .iter()
            .find(|candidate| candidate.state.active() < self.limit)
            .map(|candidate| candidate.index)
    }
}
