//! How many bytes of requests and answers a worker keeps at a time.
//!
//! What could be sent again, and what a client may yet get, is kept in the memory of the proxy's
//! module, which is small and ends with a trap. So all of a worker's streams keep bytes out of one
//! budget. What does not fit is not kept: a request streams through and is not repeated, an answer
//! is not there any more when a later one turns out to be no better.
//!
//! A [`Share`] of the budget lives and ends with the bytes that it is for, and so do actions that
//! carry them. Memory is counted, not content: a body that grows is given more than it holds.
//!
//! Example: of 64 MiB, 15 uploads of 4 MiB are kept. The 16th and a kept answer of 5 MiB do not fit
//! together: whichever comes last is not kept.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

/// The budget of one worker. Clones spend from the same.
#[derive(Clone, Debug)]
pub struct KeptBytes {
    /// How many bytes are kept now.
    kept: Arc<AtomicUsize>,
    /// How many may be.
    most: usize,
}

impl KeptBytes {
    /// A budget of `most` bytes.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            kept: Arc::default(),
            most,
        }
    }

    /// The same budget for another configuration of the worker, which allows `most` bytes: they may
    /// be fewer than are kept already.
    #[must_use]
    pub fn limited_to(&self, most: usize) -> Self {
        Self {
            kept: Arc::clone(&self.kept),
            most,
        }
    }

    /// How many bytes are kept now.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.kept.load(Ordering::Relaxed)
    }

    /// No part of it yet.
    pub(crate) fn share(&self) -> Share {
        Share {
            kept: Arc::clone(&self.kept),
            size: 0,
        }
    }

    fn has_room(&self, more: usize) -> bool {
        self.kept().saturating_add(more) <= self.most
    }
}

/// The part of the budget that some bytes take, as long as they are there.
#[derive(Debug)]
pub(crate) struct Share {
    kept: Arc<AtomicUsize>,
    size: usize,
}

impl Share {
    /// Makes it so many bytes; `false` and unchanged if the budget does not allow for more.
    pub(crate) fn resize(&mut self, budget: &KeptBytes, size: usize) -> bool {
        let more = size.saturating_sub(self.size);
        if more > 0 && !budget.has_room(more) {
            return false;
        }
        self.set(size);
        true
    }

    fn set(&mut self, size: usize) {
        self.kept.fetch_add(size, Ordering::Relaxed);
        self.kept.fetch_sub(self.size, Ordering::Relaxed);
        self.size = size;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// A request's body as far as it has arrived.
#[derive(Debug, Default)]
pub(crate) struct KeptBody {
    bytes: Vec<u8>,
    /// `None` before the first byte: most requests have none.
    share: Option<Share>,
}

impl KeptBody {
    /// What has arrived.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether `size` more bytes are kept: of one body at most `most`, and no more than the budget
    /// allows.
    pub(crate) fn fits(&self, size: usize, most: usize, budget: &KeptBytes) -> bool {
        let length = self.bytes.len().saturating_add(size);
        length <= most && budget.has_room(length.saturating_sub(self.bytes.capacity()))
    }

    /// Keeps what has arrived now; `false` if it does not fit. `expected` is how long the body will
    /// be, or may be at most: it is given no more memory.
    pub(crate) fn add(&mut self, bytes: Vec<u8>, expected: usize, budget: &KeptBytes) -> bool {
        if bytes.is_empty() {
            return true;
        }
        let share = self.share.get_or_insert_with(|| budget.share());
        if self.bytes.is_empty() {
            self.bytes = bytes;
            return share.resize(budget, self.bytes.capacity());
        }
        let length = self.bytes.len().saturating_add(bytes.len());
        if length > self.bytes.capacity() {
            // Twice as much, so that a body in many pieces is not copied for each of them.
            let doubled = self.bytes.capacity().saturating_mul(2).min(expected);
            let capacity = doubled.max(length);
            let capacity = if share.resize(budget, capacity) {
                capacity
            } else if share.resize(budget, length) {
                length
            } else {
                return false;
            };
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend_from_slice(&bytes);
        true
    }
}

impl Clone for KeptBody {
    /// A copy is memory as well, and counts even where there is no room for it.
    fn clone(&self) -> Self {
        let copied = |share: &Share| {
            let mut copy = Share {
                kept: Arc::clone(&share.kept),
                size: 0,
            };
            copy.set(self.bytes.len());
            copy
        };
        Self {
            bytes: self.bytes.clone(),
            share: self.share.as_ref().map(copied),
        }
    }
}
