//! What interceptors and the log of attempts get to know of a message.

use core::fmt;
use core::time::Duration;

/// An attempt that is about to be sent.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AttemptInfo<'a> {
    /// The name of the pool.
    pub pool: &'a str,
    /// The name of the endpoint.
    pub endpoint: &'a str,
    /// From 1.
    pub number: u8,
}

/// An answer that is about to go to the client.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AnswerInfo<'a> {
    /// The name of the pool.
    pub pool: &'a str,
    /// The name of the endpoint of the last attempt: the one that ended last, or is under way. When
    /// a hedge and the first attempt race, it is the winner's.
    pub endpoint: &'a str,
    /// How many attempts there were.
    pub attempts: u8,
    /// The status that the client gets; 0 if the host does not give it.
    pub status: u16,
    /// How long that attempt took until its answer began or it failed.
    pub response_time: Duration,
}

/// A duration in seconds with three decimals.
pub(crate) struct Seconds(pub(crate) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = (self.0.as_micros() + 500) / 1_000;
        write!(f, "{}.{:03}", millis / 1_000, millis % 1_000)
    }
}
