//! Attempts under way, counted over all configurations of one worker.
//!
//! A configuration that is replaced keeps the attempts that it has begun until they end. The one
//! that follows has begun none of them, but its endpoints still work on them: so the two share a
//! count. Only one of them reports it to other workers, the newest: an attempt counts once.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// The attempts under way at one endpoint, as one configuration sees them.
#[derive(Debug)]
pub(crate) struct InFlight {
    /// Those that it has begun itself.
    own: u32,
    /// Its number among those that share the count, from 1.
    number: u32,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    active: AtomicU32,
    /// The number of the newest configuration.
    newest: AtomicU32,
    /// Which one reports; 0: the first that asks.
    reporter: AtomicU32,
}

impl InFlight {
    /// None yet, counted together with those of `other`.
    pub(crate) fn beside(other: &Self) -> Self {
        Self::joining(Arc::clone(&other.shared))
    }

    fn joining(shared: Arc<Shared>) -> Self {
        let number = shared.newest.fetch_add(1, Relaxed).wrapping_add(1);
        shared.reporter.store(number, Relaxed);
        Self {
            own: 0,
            number,
            shared,
        }
    }

    /// How many there are.
    pub(crate) fn active(&self) -> u32 {
        self.shared.active.load(Relaxed)
    }

    /// Whether this configuration reports them.
    pub(crate) fn is_reporter(&self) -> bool {
        let reporter = &self.shared.reporter;
        let _ = reporter.compare_exchange(0, self.number, Relaxed, Relaxed);
        reporter.load(Relaxed) == self.number
    }

    /// Whether another configuration begins attempts, too.
    pub(crate) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.shared) > 1
    }

    /// One begins.
    pub(crate) fn begin(&mut self) {
        self.own = self.own.saturating_add(1);
        self.shared.active.fetch_add(1, Relaxed);
    }

    /// One that this configuration has begun has ended.
    pub(crate) fn end(&mut self) {
        self.release(self.own.min(1));
    }

    fn release(&mut self, ended: u32) {
        self.own = self.own.saturating_sub(ended);
        self.shared.active.fetch_sub(ended, Relaxed);
    }
}

impl Default for InFlight {
    /// None yet, counted alone.
    fn default() -> Self {
        Self::joining(Arc::default())
    }
}

impl Clone for InFlight {
    /// A copy of a state is another worker's.
    fn clone(&self) -> Self {
        let mut copy = Self::default();
        copy.own = self.own;
        copy.shared.active.store(self.own, Relaxed);
        copy
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.release(self.own);
        let reporter = &self.shared.reporter;
        let _ = reporter.compare_exchange(self.number, 0, Relaxed, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_counts_in_all_configurations_and_is_reported_by_the_newest() {
        let mut old = InFlight::default();
        old.begin();
        old.begin();
        assert!(old.is_reporter());
        let mut new = InFlight::beside(&old);
        assert_eq!(new.active(), 2);
        assert!(new.is_reporter() && !old.is_reporter());
        new.begin();
        old.end();
        assert_eq!((old.active(), new.active()), (2, 2));
        let newest = InFlight::beside(&new);
        assert!(newest.is_reporter() && !new.is_reporter());
        // The one in between ends with an attempt under way.
        drop(new);
        assert_eq!((old.active(), newest.active()), (1, 1));
        assert!(newest.is_reporter());
        drop(newest);
        assert!(old.is_reporter(), "one of them always reports");
        old.end();
        old.end();
        assert_eq!(old.active(), 0, "never below");
    }

    #[test]
    fn a_copy_counts_alone() {
        let mut one = InFlight::default();
        one.begin();
        let mut copy = one.clone();
        copy.begin();
        assert_eq!((one.active(), copy.active()), (1, 2));
        assert!(one.is_reporter() && copy.is_reporter());
        drop(copy);
        assert_eq!(one.active(), 1);
    }
}
