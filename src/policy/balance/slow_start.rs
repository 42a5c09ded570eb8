//! Slow start: an endpoint that has become available again is a candidate in few of the choices at
//! first, and in all of them when `slow_start` is over. This does not depend on the strategy.
//!
//! Example: `slow_start` 30 s: 15 s after it returned, an endpoint is a candidate in half of the
//! choices.

use core::time::Duration;

use twox_hash::XxHash64;

use crate::endpoint::EndpointIndex;

/// In which part of the choices an endpoint is a candidate that is back for so long; 1 or more when
/// slow start is over.
pub(super) fn part(back: Duration, slow_start: Duration) -> f64 {
    (back.as_secs_f64() / slow_start.as_secs_f64()).max(LEAST_PART)
}

/// The number of an endpoint in a choice whose number is `draw`.
pub(super) fn draw(draw: u64, endpoint: EndpointIndex) -> u64 {
    XxHash64::oneshot(draw, &endpoint.position().to_le_bytes())
}

/// The part at the moment an endpoint returns: Envoy's default.
const LEAST_PART: f64 = 0.1;
