//! What of a pool decides which of its endpoints may be chosen.

use core::time::Duration;

use crate::breaker::BreakerPolicy;
use crate::endpoint::Endpoint;

/// What of a pool decides which of its endpoints may be chosen.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The endpoints, in the order of the configuration.
    pub endpoints: &'a [Endpoint],
    /// When their breakers open, and how they close again.
    pub breaker: &'a BreakerPolicy,
    /// How long slow start lasts; zero: there is none.
    pub slow_start: Duration,
    /// Availability is ignored when less than this share of the pool, 0.0..=1.0, is available; 0:
    /// never.
    pub panic_threshold: f64,
}
