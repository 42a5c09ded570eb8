//! What a server's owner and its connections have in common.

use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::received::Received;
use crate::reply::Reply;

pub(super) struct Shared {
    pub(super) behaviour: Mutex<Behaviour>,
    pub(super) received: Mutex<Vec<Received>>,
    /// Requests that have arrived, to number them.
    pub(super) arrivals: AtomicUsize,
    /// Requests that are neither answered to the end nor given up.
    pub(super) open: Arc<AtomicUsize>,
    pub(super) connections: AtomicU64,
}

#[derive(Clone)]
pub(super) struct Behaviour {
    /// Whether it answers without reading the request's body.
    pub(super) early: bool,
    pub(super) reply: Arc<Decide>,
}

type Decide = dyn Fn(&Received, usize) -> Reply + Send + Sync;

/// A behaviour that panics fails its own test; the server's records stay readable.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
