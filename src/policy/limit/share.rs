//! What workers publish of their part in an endpoint's limit.

use crate::time::Instant;

/// What a worker publishes of its part in an endpoint's limit, or the combination of what several
/// have.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Share {
    /// Workers that have ever sent an attempt to the endpoint. The proxy's main thread never does.
    pub workers: u32,
    /// The sum of their limits, if these are dynamic.
    pub limit: u32,
    /// When one of them last needed more than half of its limit.
    pub pressed: Option<Instant>,
    /// The newest measurement of the response time without load.
    pub unloaded: Option<Unloaded>,
    /// Since when one of them doubts that measurement.
    pub doubted: Option<Instant>,
}

impl Share {
    /// Adds what another worker has published.
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

/// Response times of an endpoint that was not busy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unloaded {
    /// When they were measured. Those of one time are of one measurement.
    pub at: Instant,
    /// Their sum, in seconds.
    pub seconds: f64,
    /// The number of response times, at least 1.
    pub count: u32,
}

impl Unloaded {
    pub(super) const fn one(at: Instant, seconds: f64) -> Self {
        Self {
            at,
            seconds,
            count: 1,
        }
    }

    /// The newer of two, or their sum if they are of one measurement.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        if self.at != other.at {
            return if other.at > self.at { other } else { self };
        }
        Self {
            at: self.at,
            seconds: self.seconds + other.seconds,
            count: self.count.saturating_add(other.count),
        }
    }
}
