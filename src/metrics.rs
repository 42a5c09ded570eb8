//! Every metric, by name, in one place.
//!
//! A name carries its labels as `;label=value;` parts, for Envoy's `stats_tags` to take out again: a
//! value may then contain the dots, pipes and underscores of cluster names.

use core::cell::Cell;

use crate::host::{Counter, Refused};

/// What of our own machinery has failed while the request went on without it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum InternalError {
    /// Shared bytes were no record of ours.
    UnreadableRecord = 0,
    /// A change to what the workers agree on was lost to contention.
    Contention = 1,
    /// The shared store refused to be written.
    SharedData = 2,
    /// All slots are taken: this worker counts for itself only.
    NoSlot = 3,
    /// A hostcall failed.
    Hostcall = 4,
}

impl InternalError {
    const fn name(self) -> &'static str {
        match self {
            Self::UnreadableRecord => "steerage_internal_errors_total;kind=unreadable_record;",
            Self::Contention => "steerage_internal_errors_total;kind=contention;",
            Self::SharedData => "steerage_internal_errors_total;kind=shared_data;",
            Self::NoSlot => "steerage_internal_errors_total;kind=no_slot;",
            Self::Hostcall => "steerage_internal_errors_total;kind=hostcall;",
        }
    }

    /// Counts it.
    pub(crate) fn count(self) {
        thread_local! {
            /// The counters, each defined when it is needed first.
            static COUNTERS: [Cell<Option<Counter>>; 5] = const { [const { Cell::new(None) }; 5] };
        }
        let counted = COUNTERS.with(|counters| -> Result<(), Refused> {
            let Some(cell) = counters.get(self as usize) else {
                return Ok(()); // OK because there is a cell for each.
            };
            let counter = match cell.get() {
                Some(counter) => counter,
                None => Counter::define(self.name())?,
            };
            cell.set(Some(counter));
            counter.add(1)
        });
        if let Err(refused) = counted {
            log::warn!("an internal error cannot be counted: {refused:?}");
        }
    }
}

/// Retries of one pool that were denied, by reason: `steerage_retries_denied_total{pool,reason}`.
/// Counted in memory; the host hears of them with each round.
#[derive(Debug)]
pub(crate) struct Denials {
    pool: Box<str>,
    reasons: Vec<Denied>,
}

#[derive(Debug)]
struct Denied {
    reason: &'static str,
    /// Defined when it is needed first.
    counter: Option<Counter>,
    /// Not told to the host yet.
    count: u32,
}

impl Denials {
    /// Nothing has been denied yet.
    pub(crate) fn new(pool: &str) -> Self {
        Self {
            pool: pool.into(),
            reasons: Vec::new(),
        }
    }

    /// Counts one for this reason, which is one of a few.
    pub(crate) fn count(&mut self, reason: &'static str) {
        match self
            .reasons
            .iter_mut()
            .find(|denied| denied.reason == reason)
        {
            Some(denied) => denied.count = denied.count.saturating_add(1),
            None => self.reasons.push(Denied {
                reason,
                counter: None,
                count: 1,
            }),
        }
    }

    /// Tells the host.
    pub(crate) fn flush(&mut self) {
        let pool = &self.pool;
        for denied in self.reasons.iter_mut().filter(|denied| denied.count > 0) {
            let told = denied
                .counter
                .map_or_else(
                    || {
                        let reason = denied.reason;
                        Counter::define(&format!(
                            "steerage_retries_denied_total;pool={pool};reason={reason};"
                        ))
                    },
                    Ok,
                )
                .and_then(|counter| {
                    denied.counter = Some(counter);
                    counter.add(denied.count)
                });
            match told {
                Ok(()) => denied.count = 0,
                Err(refused) => hostcall_refused("to count denied retries", refused),
            }
        }
    }
}

/// Counts and logs that a hostcall was refused while `doing` something.
pub(crate) fn hostcall_refused(doing: &str, refused: Refused) {
    InternalError::Hostcall.count();
    log::error!("the host refused {doing}: {refused:?}");
}
