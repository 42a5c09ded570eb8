//! What the requests of a pool have spent on retries and hedges.

use core::ops::AddAssign;

/// Requests, retries and hedges of one pool within the trailing `ttl` of its budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spending {
    /// Requests that have arrived.
    pub requests: u64,
    /// Retries decided, hedges included.
    pub retries: u64,
    /// Hedges among them.
    pub hedges: u64,
}

impl AddAssign for Spending {
    fn add_assign(&mut self, other: Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.retries = self.retries.saturating_add(other.retries);
        self.hedges = self.hedges.saturating_add(other.hedges);
    }
}

/// Whether one more than `spent` is within `ratio` of the requests plus a reserve.
pub(crate) fn has_room(spent: u64, requests: u64, ratio: f64, reserve: f64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    let (spent, requests) = (spent as f64, requests as f64);
    spent + 1.0 <= ratio * requests + reserve + ROUNDING
}

/// 0.2 × 5 must allow one retry, whatever its binary product is.
const ROUNDING: f64 = 1e-9;
