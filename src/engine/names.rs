//! How events and actions name a stream.

use crate::settings::PoolIndex;

/// The shell's name for a stream, which comes back in actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// The shell's name for an attempt that the router has begun, where the router makes the retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(pub u64);

/// A stream that the worker keeps, from [`crate::Worker::request_head`] to
/// [`crate::Worker::stream_closed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamKey {
    pub(crate) pool: PoolIndex,
    pub(crate) slot: u32,
}

impl StreamKey {
    /// The pool that the stream belongs to.
    #[must_use]
    pub const fn pool(self) -> PoolIndex {
        self.pool
    }

    pub(crate) fn position(self) -> usize {
        usize::try_from(self.slot).unwrap_or(usize::MAX)
    }
}
