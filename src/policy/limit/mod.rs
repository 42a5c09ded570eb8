//! How many attempts may be under way at an endpoint.
//!
//! An endpoint that gets more than it can serve at once makes the rest wait in its own queue, where
//! no other endpoint can serve them. At its limit it is not available: the attempt goes to another
//! endpoint, or the client learns at once that all are full.
//!
//! **A fixed limit** counts over all workers. What the others have under way is known as of the
//! last round only. If workers shared the whole limit, one could see the endpoint full, let its own
//! attempts end, and then find the limit taken by workers that saw it empty; all workers would
//! swing between nothing and the whole limit. Therefore each worker may always use its even part,
//! and shares only what exceeds that. When all workers are busy, each has its part, and the sum is
//! the limit.
//!
//! **A dynamic limit** follows the response times (`gradient`). Each worker has a limit of its own,
//! and the endpoint's limit is their sum.
//!
//! Limits: a worker reads the others' counts once a round, so together they can exceed a fixed
//! limit by what they admit within two rounds. A worker always has at least one attempt of a
//! dynamic limit.
//!
//! Example: a limit of 10, two workers. The first has 7 under way and has read 3 of the other: it
//! is full. The other has ended its 3 and has read 7: it may begin 3, or 5 if the first had 9.

mod gradient;
mod share;
mod unloaded;

use core::time::Duration;

pub use share::{Share, Unloaded};

pub(crate) use gradient::{Ended, Gradient};

/// Most attempts at a time to each endpoint of a pool, over all workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// A constant, at least 1.
    Fixed(u32),
    /// It follows the response times.
    Dynamic {
        /// Where it starts.
        start: u32,
        /// Its maximum, at least 1.
        most: u32,
    },
}

impl Limit {
    /// The limit without configuration.
    pub const DEFAULT: Self = Self::Fixed(100);

    /// The maximum.
    #[must_use]
    pub const fn most(self) -> u32 {
        match self {
            Self::Fixed(most) | Self::Dynamic { most, .. } => most,
        }
    }

    /// Where it starts.
    #[must_use]
    pub const fn start(self) -> u32 {
        match self {
            Self::Fixed(start) | Self::Dynamic { start, .. } => start,
        }
    }
}

/// Where a dynamic limit starts by default: low enough to do no harm, and doubled within a second
/// if the endpoint can take more.
pub const DEFAULT_START: u32 = 20;

/// What the clusters should do with idle connections. The filter only passes it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// Most idle connections that are kept.
    pub most: u32,
    /// How long an idle connection is kept.
    pub expiry: Duration,
}

impl Default for Keepalive {
    /// 20 connections, 5 seconds.
    fn default() -> Self {
        Self {
            most: 20,
            expiry: Duration::from_secs(5),
        }
    }
}

/// The number of attempts under way when `per_second` of them take `seconds` each, by Little's law
/// (<https://en.wikipedia.org/wiki/Little%27s_law>), and a fifth more: at least 1.
///
/// Example: 50 a second of 0.3 s each are 15 at a time, so the size is 18.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, and there is nothing below 1"
)]
pub fn size(per_second: f64, seconds: f64) -> u32 {
    // 0.1 + 0.2 must not become one more than 0.3.
    let rounding = 1e-9;
    libm::ceil(per_second * seconds * HEADROOM - rounding).max(1.0) as u32
}

const HEADROOM: f64 = 1.2;

/// How many idle connections to keep of so many: half of them, at most 50.
#[must_use]
pub fn keepalive_size(connections: u32) -> u32 {
    connections.div_ceil(2).min(MOST_KEPT)
}

const MOST_KEPT: u32 = 50;

/// Whether a fixed limit is reached. `own` attempts of this worker are under way, and `all` of all
/// workers. `workers` of them use the endpoint.
pub(crate) fn is_reached(most: u32, own: u32, all: u32, workers: u32) -> bool {
    all >= most && own >= most / workers.max(1)
}

#[cfg(test)]
mod tests;
