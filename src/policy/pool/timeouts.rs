//! The time limits of a pool's exchanges and attempts.

use core::fmt;
use core::time::Duration;

/// The time limits of a pool's exchanges and attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    connect: Duration,
    read: Duration,
    write: Duration,
    total: Duration,
}

impl Timeouts {
    /// - `connect`: for a connection. The clusters apply it; it is known here for the rule below.
    /// - `read`: from a sent request to the beginning of its answer, for each attempt.
    /// - `write`: for the client to finish its request.
    /// - `total`: from the arrival of the request to the beginning of the answer to the client.
    ///
    /// # Errors
    /// [`TotalTooShort`] if `total` is less than `connect` + `read`: not even one attempt would
    /// have its full time.
    pub fn new(
        connect: Duration,
        read: Duration,
        write: Duration,
        total: Duration,
    ) -> Result<Self, TotalTooShort> {
        let least = connect.saturating_add(read);
        if total < least {
            return Err(TotalTooShort { total, least });
        }
        Ok(Self {
            connect,
            read,
            write,
            total,
        })
    }

    /// For a connection to be made.
    #[must_use]
    pub const fn connect(&self) -> Duration {
        self.connect
    }

    /// From a sent request to the beginning of its answer, per attempt.
    #[must_use]
    pub const fn read(&self) -> Duration {
        self.read
    }

    /// For the client to finish its request.
    #[must_use]
    pub const fn write(&self) -> Duration {
        self.write
    }

    /// From the request's arrival to the beginning of the answer to the client.
    #[must_use]
    pub const fn total(&self) -> Duration {
        self.total
    }
}

impl Default for Timeouts {
    /// 5, 30, 30 and 60 seconds.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(30),
            write: Duration::from_secs(30),
            total: Duration::from_secs(60),
        }
    }
}

/// A `total` that leaves no time for one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TotalTooShort {
    /// The `total` that was given.
    pub total: Duration,
    /// `connect` + `read`, the least that is allowed.
    pub least: Duration,
}

impl fmt::Display for TotalTooShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "must be at least connect + read = {} s",
            self.least.as_secs_f64()
        )
    }
}

impl core::error::Error for TotalTooShort {}
