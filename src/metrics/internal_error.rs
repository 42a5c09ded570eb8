//! Counts internal errors: sharing, metrics or hostcalls failed, and the requests went on without.

use core::cell::Cell;

use super::name::name;
use crate::host::{Counter, Refused};

/// A failure inside the filter that no client notices.
#[derive(Clone, Copy, Debug)]
pub(crate) enum InternalError {
    /// Shared bytes are not a record of the filter.
    UnreadableRecord = 0,
    /// A change to the workers' agreement was lost to contention.
    Contention = 1,
    /// The shared store refused a write.
    SharedData = 2,
    /// All slots are taken: this worker counts for itself only.
    NoSlot = 3,
    /// A hostcall failed.
    Hostcall = 4,
    /// What an endpoint changes about its requests, its `authority` above all, loses them the
    /// route.
    AuthorityBreaksRoute = 5,
    /// The host's configuration lacks what retries by the router need, so calls make them.
    NoAttemptsFilter = 6,
    /// The first message of an answer was to be looked at, and its body is encoded.
    UnreadFirstMessage = 7,
}

impl InternalError {
    const ALL: [Self; 8] = [
        Self::UnreadableRecord,
        Self::Contention,
        Self::SharedData,
        Self::NoSlot,
        Self::Hostcall,
        Self::AuthorityBreaksRoute,
        Self::NoAttemptsFilter,
        Self::UnreadFirstMessage,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::UnreadableRecord => "unreadable_record",
            Self::Contention => "contention",
            Self::SharedData => "shared_data",
            Self::NoSlot => "no_slot",
            Self::Hostcall => "hostcall",
            Self::AuthorityBreaksRoute => "authority_breaks_route",
            Self::NoAttemptsFilter => "no_attempts_filter",
            Self::UnreadFirstMessage => "unread_first_message",
        }
    }

    /// Defines all of them at 0, so that the first failure shows as a change.
    pub(crate) fn define() {
        for kind in Self::ALL {
            if let Err(refused) = kind.counter() {
                log::warn!("a metric cannot be defined: {refused:?}");
            }
        }
    }

    /// Counts it.
    pub(crate) fn count(self) {
        if let Err(refused) = self.counter().and_then(|counter| counter.add(1)) {
            log::warn!("an internal error cannot be counted: {refused:?}");
        }
    }

    fn counter(self) -> Result<Counter, Refused> {
        thread_local! {
            /// The counters of all configurations of this VM.
            static COUNTERS: [Cell<Option<Counter>>; InternalError::ALL.len()] =
                const { [const { Cell::new(None) }; InternalError::ALL.len()] };
        }
        COUNTERS.with(|counters| {
            let cell = counters.get(self as usize);
            if let Some(counter) = cell.and_then(Cell::get) {
                return Ok(counter);
            }
            let labels = [("kind", self.name())];
            let counter = Counter::define(&name("steerage_internal_errors_total", &labels))?;
            if let Some(cell) = cell {
                cell.set(Some(counter));
            }
            Ok(counter)
        })
    }
}

/// Counts and logs that a hostcall was refused while `doing` something.
#[cold]
#[inline(never)]
pub(crate) fn hostcall_refused(doing: &str, refused: Refused) {
    InternalError::Hostcall.count();
    log::error!("the host refused {doing}: {refused:?}");
}
