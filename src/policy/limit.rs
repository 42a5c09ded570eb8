//! How many attempts an endpoint takes at a time.
//!
//! An endpoint that is sent more than it can serve at once makes the rest wait in its own queue, where
//! nobody can help them. At its limit it is not available: the attempt goes elsewhere, or the client hears
//! at once that all are full and can come back.
//!
//! **A fixed limit** counts over all workers. What the others have under way is as old as their last round,
//! so a worker could find the endpoint full, let its own attempts run out, and meanwhile be starved by
//! those who found it empty; all of them together would swing between none and all of the limit each. Hence
//! each worker may always use its even part of the limit, and shares only what goes beyond: when
//! all of them are busy, each has its part and the sum is the limit.
//!
//! **A dynamic limit** follows the response times (`gradient`). Each worker has one of its own, and that of
//! the endpoint is their sum.
//!
//! Limits: a worker hears of the others once a round, so together they can exceed a fixed limit by what
//! they admit within two rounds. A worker never has less than one attempt of a dynamic limit.
//!
//! Example: a limit of 10, two workers. The first has 7 under way and has heard of 3 of the other's: it is
//! full. The other has ended its 3 and has heard of 7: it may begin 3, or 5 if the first had 9.

mod gradient;
mod unloaded;

use core::time::Duration;

use crate::time::Instant;

pub use unloaded::Unloaded;

pub(crate) use gradient::{Ended, Gradient};

/// Most attempts at a time to each endpoint of a pool, over all workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Always the same, at least 1.
    Fixed(u32),
    /// It follows the response times.
    Dynamic {
        /// Where it begins.
        start: u32,
        /// What it never exceeds, at least 1.
        most: u32,
    },
}

impl Limit {
    /// The contract's default.
    pub const DEFAULT: Self = Self::Fixed(100);

    /// What is never exceeded.
    #[must_use]
    pub const fn most(self) -> u32 {
        match self {
            Self::Fixed(most) | Self::Dynamic { most, .. } => most,
        }
    }

    /// Where it begins.
    #[must_use]
    pub const fn start(self) -> u32 {
        match self {
            Self::Fixed(start) | Self::Dynamic { start, .. } => start,
        }
    }
}

/// Where a dynamic limit begins if nothing says more: low enough to do no harm, and doubled within a
/// second if the endpoint can take it.
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

/// How many attempts are under way at a time when so many a second take so many seconds each, by
/// Little's law (<https://en.wikipedia.org/wiki/Little%27s_law>), and a fifth more: at least 1.
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

/// What a worker tells the others of its part in an endpoint's limit, or what several have told.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Share {
    /// Workers that have ever sent an attempt there. The proxy's main thread never does.
    pub workers: u32,
    /// The sum of their limits, if these are dynamic.
    pub limit: u32,
    /// When one of them last needed more than half of its limit.
    pub pressed: Option<Instant>,
    /// The newest measurement of the response time without load.
    pub unloaded: Option<Unloaded>,
    /// Since when one of them doubts that.
    pub doubted: Option<Instant>,
}

impl Share {
    /// Puts what another worker has told to it.
    pub fn merge(&mut self, other: &Self) {
        self.workers = self.workers.saturating_add(other.workers);
        self.limit = self.limit.saturating_add(other.limit);
        self.pressed = self.pressed.max(other.pressed);
        self.doubted = self.doubted.max(other.doubted);
        self.unloaded = match (self.unloaded, other.unloaded) {
            (Some(one), Some(other)) => Some(one.merged(other)),
            (one, other) => one.or(other),
        };
    }
}

/// Whether a fixed limit is reached. `own` attempts of this worker are under way and `all` of all
/// workers, of which `workers` use the endpoint.
pub(crate) fn is_reached(most: u32, own: u32, all: u32, workers: u32) -> bool {
    all >= most && own >= most / workers.max(1)
}

#[cfg(test)]
mod tests;
