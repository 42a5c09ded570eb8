//! What of a pool decides which of its endpoints may be chosen.

use core::fmt;
use core::time::Duration;

use crate::breaker::BreakerPolicy;
use crate::endpoint::Endpoint;

/// What of a pool decides which of its endpoints may be chosen.
///
/// A trait and not a copy of these values, because most choices read none of them.
pub trait Rules {
    /// The endpoints, in the order of the configuration; at least one.
    fn endpoints(&self) -> &[Endpoint];

    /// When their breakers open, and how they close again.
    fn breaker(&self) -> &BreakerPolicy;

    /// How long slow start lasts; zero: there is none.
    fn slow_start(&self) -> Duration;

    /// Breakers and health are ignored where they would leave nothing available, and when less than
    /// this share of the pool's weight, 0.0..=1.0, is available; `None`: never.
    fn panic_threshold(&self) -> Option<f64>;

    /// How many times its available share a tier of priority carries; 0: everything, as long as one
    /// of its endpoints is available.
    fn overprovisioning(&self) -> f64;
}

/// Not all of a pool: that would link the code to show every part of it, 15 kB.
impl fmt::Debug for dyn Rules + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("endpoints", &self.endpoints().len())
            .finish_non_exhaustive()
    }
}
