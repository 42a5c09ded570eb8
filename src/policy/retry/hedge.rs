//! A second attempt elsewhere while the first is still under way.
//!
//! Some answers take long for no reason that the next one shares: a garbage collection, a lost
//! packet, a cold cache. Waiting for them makes the slowest percent of requests. After a delay that
//! most attempts need less than, a hedge asks another endpoint too, and the first good answer wins
//! (J. Dean, L. A. Barroso, "The Tail at Scale", CACM 2013).
//!
//! A hedge is a repeat: only requests that may be sent twice are hedged, and it counts among the
//! attempts. It is paid from the budget of retries, and must also be within a `ratio` of its own: if
//! everything becomes slow at once, hedging would double the load of those who are slow because of
//! it.
//!
//! Example: `delay` 0.1 s, `ratio` 0.05. Of 1,000 requests, 50 take 2 s. Each of these is hedged
//! after 0.1 s and answered by another endpoint 10 ms later; 50 is the most that the ratio allows.

use core::time::Duration;

use crate::stats::spending::{Spending, has_room};

/// When hedges are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HedgePolicy {
    /// How long the first attempt has.
    pub delay: HedgeDelay,
    /// Hedges of one request at most, one after each delay; at least 1.
    pub max: u8,
    /// Hedges for each request at most, 0.0..=1.0.
    pub ratio: f64,
}

/// How long an attempt has before it is hedged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HedgeDelay {
    /// This long.
    Fixed(Duration),
    /// As long as 95 % of its endpoint's answers of late took at most; there is no hedge while too few
    /// have been seen.
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
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

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
