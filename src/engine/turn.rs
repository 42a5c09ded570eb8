//! What comes with every event.

use core::fmt;

use steerage_policy::time::Instant;
use steerage_shared::store::Store;

use crate::action::Actions;

/// What comes with every event.
pub struct Turn<'a> {
    /// The time, taken once for the event.
    pub now: Instant,
    /// What the workers share. Reading and writing it must not call back into this worker.
    pub store: &'a dyn Store,
    /// Where the actions go, after those that are there.
    pub actions: &'a mut Actions,
    /// Whether decisions are wanted as lines for the debug log.
    pub debug: bool,
}

impl<'a> Turn<'a> {
    /// A turn without debug log.
    pub fn new(now: Instant, store: &'a dyn Store, actions: &'a mut Actions) -> Self {
        Self {
            now,
            store,
            actions,
            debug: false,
        }
    }
}

impl fmt::Debug for Turn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn")
            .field("now", &self.now)
            .field("actions", &self.actions)
            .finish_non_exhaustive()
    }
}
