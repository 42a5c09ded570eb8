//! What the workers of one proxy share, with an observer that writes down what they agree on.

use core::cell::RefCell;

use steerage_policy::endpoint::Agreed;
use steerage_policy::pool::Pool;
use steerage_policy::time::Instant;
use steerage_shared::agreement::Agreement;
use steerage_shared::key;
use steerage_shared::memory::Memory;

use crate::log::{Log, Transition};

/// A proxy.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) store: Memory,
    /// The key of what the workers agree on.
    key: String,
    observer: RefCell<Observer>,
}

#[derive(Debug)]
struct Observer {
    agreement: Agreement,
    /// What was agreed on each endpoint when it last looked.
    seen: Vec<Agreed>,
}

impl Proxy {
    /// A proxy that has just started.
    pub(crate) fn new(pool: &Pool) -> Self {
        let key = key::agreement(&pool.name);
        let observer = Observer {
            agreement: Agreement::new(key.clone()),
            seen: vec![Agreed::default(); pool.endpoints.len()],
        };
        Self {
            store: Memory::default(),
            key,
            observer: RefCell::new(observer),
        }
    }

    /// A worker has written: the log gets what came of it.
    pub(crate) fn written(&self, key: &str, pool: &Pool, log: &mut Log, now: Instant) {
        if key != self.key {
            return;
        }
        log.changes += 1;
        let Observer { agreement, seen } = &mut *self.observer.borrow_mut();
        agreement.refresh(&self.store);
        for (endpoint, (configured, seen)) in pool.endpoints.iter().zip(seen).enumerate() {
            let new = agreement.get(&configured.cluster);
            if new.breaker.generation() != seen.breaker.generation() {
                log.transitions.push(Transition {
                    at: now,
                    endpoint,
                    to: new.breaker.name(),
                    until: new.breaker.open_until(),
                });
            }
            *seen = new;
        }
    }
}
