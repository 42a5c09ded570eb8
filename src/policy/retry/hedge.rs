//! A second attempt at another endpoint while the first is still under way.
//!
//! Some answers take long for a reason that the next one does not share: a garbage collection, a
//! lost packet, a cold cache. They make the slowest percent of requests. A hedge asks another
//! endpoint too, after a delay that most attempts do not need, and the first good answer wins (J.
//! Dean, L. A. Barroso, "The Tail at Scale", CACM 2013).
//!
//! A hedge is a repeat. Only requests that may be sent twice are hedged, and a hedge counts as an
//! attempt. It is paid from the budget of retries, and must also be within a `ratio` of its own: if
//! everything becomes slow at once, hedging would double the load that made it slow.
//!
//! Example: `delay` 0.1 s, `ratio` 0.05. Of 1,000 requests, 50 take 2 s. Each of these is hedged
//! after 0.1 s, and another endpoint answers 10 ms later. 50 hedges are the most that the ratio
//! allows.

use core::time::Duration;

use crate::stats::spending::{Spending, has_room};

/// When hedges are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HedgePolicy {
    /// How long the first attempt has before it is hedged.
    pub delay: HedgeDelay,
    /// Most hedges of one request, one after each delay; at least 1.
    pub max: u8,
    /// Hedges for each request of the pool at most, 0.0..=1.0.
    pub ratio: f64,
}

/// How long an attempt has before it is hedged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HedgeDelay {
    /// This long.
    Fixed(Duration),
    /// The 95th percentile of its endpoint's recent response times. No hedge while there are too
    /// few.
    P95,
}

impl HedgePolicy {
    /// Whether one more hedge is within the ratio.
    #[must_use]
    pub fn allows(&self, spending: Spending) -> bool {
        has_room(spending.hedges, spending.requests, self.ratio, 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hedges_are_a_share_of_the_requests() {
        let policy = HedgePolicy {
            delay: HedgeDelay::P95,
            max: 1,
            ratio: 0.05,
        };
        for (requests, hedges, allowed) in [
            (0, 0, false),
            (19, 0, false),
            (20, 0, true),
            (20, 1, false),
            (40, 1, true),
        ] {
            let spending = Spending {
                requests,
                hedges,
                retries: 0,
            };
            assert_eq!(policy.allows(spending), allowed, "{spending:?}");
        }
    }
}
