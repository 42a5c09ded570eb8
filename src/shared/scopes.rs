//! The cool-downs of one pool that hold for a scope, shared by all workers.
//!
//! They have a record of their own: there may be many, they come and go with the traffic, and what
//! is agreed on of breakers and health must not be written anew each time. It is changed by
//! compare-and-swap like that. Most pools have no scope and no such record.
//!
//! What is over is dropped with the next change. So the record holds at most
//! [`steerage_policy::endpoint::MOST_SCOPES`] entries an endpoint, and none of endpoints that are
//! configured no longer, once their cool-downs are over.

use steerage_policy::endpoint::{CoolDown, Scope, ScopedCoolDowns};
use steerage_policy::time::Instant;

use crate::agreement::Lost;
use crate::store::{NotWritten, Store, Version};
use crate::wire::scopes::{self, Endpoints};

/// The record of one pool, as this worker has read it last.
#[derive(Debug)]
pub struct Scopes {
    key: String,
    version: Option<Version>,
    endpoints: Endpoints,
}

/// What reading the record again has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopesNews {
    /// As it was.
    None,
    /// A worker has changed it.
    Changed,
    /// Its bytes are no record: it reads as empty.
    Unreadable,
}

impl Scopes {
    /// The record under `key`, not read yet.
    #[must_use]
    pub const fn new(key: String) -> Self {
        Self {
            key,
            version: None,
            endpoints: Vec::new(),
        }
    }

    /// The cool-downs of the endpoint whose cluster has this hash, as last read.
    #[must_use]
    pub fn get(&self, cluster: u64) -> ScopedCoolDowns {
        let mut endpoints = self.endpoints.iter();
        let found = endpoints.find(|(hash, _)| *hash == cluster);
        found.map(|(_, it)| it.clone()).unwrap_or_default()
    }

    /// Reads the record again. It is decoded only if its version has changed.
    pub fn refresh(&mut self, store: &dyn Store) -> ScopesNews {
        let Some(value) = store.read(&self.key) else {
            return ScopesNews::None; // It was never written.
        };
        if self.version == Some(value.version) {
            return ScopesNews::None;
        }
        self.version = Some(value.version);
        self.endpoints.clear();
        match scopes::decode(&value.bytes) {
            Ok(endpoints) => {
                self.endpoints = endpoints;
                ScopesNews::Changed
            }
            // The host removes a value by making it empty.
            Err(_) if value.bytes.is_empty() => ScopesNews::Changed,
            Err(_) => ScopesNews::Unreadable,
        }
    }

    /// Changes the cool-down of a scope at the endpoint whose cluster has this hash. If another
    /// worker writes in between, `change` is made again on what it has written. Afterwards
    /// [`Scopes::get`] gives the newest state.
    ///
    /// # Errors
    /// [`Lost`] if the change was not written.
    pub fn change(
        &mut self,
        store: &dyn Store,
        (cluster, scope): (u64, Scope),
        now: Instant,
        change: &mut dyn FnMut(&mut Option<CoolDown>),
    ) -> Result<(), Lost> {
        for _ in 0..TRIES {
            self.refresh(store);
            let mut cool_downs = self.get(cluster);
            let before = cool_downs.get(scope);
            let mut after = before;
            change(&mut after);
            if after == before {
                return Ok(());
            }
            cool_downs.change(scope, now, &mut |cooling| *cooling = after);
            let mut endpoints = self.endpoints.clone();
            endpoints.retain(|(hash, it)| *hash != cluster && it.any_in_force(now));
            endpoints.push((cluster, cool_downs));
            match store.write(&self.key, &scopes::encode(&endpoints), self.version) {
                Ok(()) => {
                    self.endpoints = endpoints;
                    // The store does not return the new version: the next read takes it as changed.
                    self.version = None;
                    return Ok(());
                }
                Err(NotWritten::Conflict) => {}
                Err(NotWritten::Refused) => return Err(Lost::Refused),
            }
        }
        Err(Lost::Contention)
    }
}

/// How often a change is tried, as for what is agreed on otherwise.
const TRIES: u32 = 8;

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::key;
    use crate::memory::Memory;

    fn at(seconds: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(seconds)
    }

    fn worker() -> Scopes {
        Scopes::new(key::scopes("default"))
    }

    fn request(worker: &mut Scopes, store: &Memory, cluster: u64, scope: u64, until: u64) {
        let change = &mut |cooling: &mut Option<CoolDown>| {
            *cooling = Some(CoolDown::request(*cooling, at(until), at(1)));
        };
        let written = worker.change(store, (cluster, Scope(scope)), at(1), change);
        assert_eq!(written, Ok(()));
    }

    fn until(worker: &Scopes, cluster: u64, scope: u64) -> Option<Instant> {
        worker.get(cluster).get(Scope(scope)).map(|it| it.until)
    }

    #[test]
    fn what_one_worker_changes_the_others_read() {
        let store = Memory::default();
        let (mut one, mut other) = (worker(), worker());
        assert_eq!(other.refresh(&store), ScopesNews::None);
        request(&mut one, &store, 1, 1, 30);
        request(&mut other, &store, 1, 2, 20);
        request(&mut other, &store, 2, 1, 9);
        assert_eq!(one.refresh(&store), ScopesNews::Changed);
        assert_eq!(one.refresh(&store), ScopesNews::None);
        for worker in [&one, &other] {
            assert_eq!(until(worker, 1, 1), Some(at(30)));
            assert_eq!(until(worker, 1, 2), Some(at(20)));
            assert_eq!(until(worker, 2, 1), Some(at(9)));
            assert_eq!(until(worker, 2, 2), None);
        }
    }

    #[test]
    fn of_two_workers_one_gets_the_trial() {
        let store = Memory::default();
        let (mut one, mut other) = (worker(), worker());
        request(&mut one, &store, 1, 1, 30);
        other.refresh(&store);
        let mut begun = [false; 2];
        for (worker, begun) in [&mut one, &mut other].into_iter().zip(&mut begun) {
            let change = &mut |cooling: &mut Option<CoolDown>| {
                *begun = cooling.as_mut().is_some_and(|it| it.begin_trial(at(2)));
            };
            let written = worker.change(&store, (1, Scope(1)), at(2), change);
            assert_eq!(written, Ok(()));
        }
        assert_eq!(begun, [true, false]);
    }

    #[test]
    fn what_is_over_is_dropped_with_its_endpoint() {
        let store = Memory::default();
        let mut worker = worker();
        request(&mut worker, &store, 3, 1, 2);
        let change = &mut |cooling: &mut Option<CoolDown>| {
            *cooling = Some(CoolDown::request(*cooling, at(9), at(2)));
        };
        worker.change(&store, (1, Scope(1)), at(2), change).unwrap();
        assert_eq!(worker.endpoints.len(), 1);
    }

    #[test]
    fn a_full_record_stays_small() {
        let store = Memory::default();
        let mut worker = worker();
        for scope in 0..1_200 {
            request(&mut worker, &store, 1, scope, 30 + scope);
        }
        let bytes = store.read(&key::scopes("default")).unwrap().bytes;
        assert!(bytes.len() < 50_000, "{}", bytes.len());
        assert_eq!(worker.get(1).iter().count(), 1_000);
    }

    #[test]
    fn bytes_that_are_no_record_read_as_nothing() {
        let store = Memory::default();
        let mut one = worker();
        request(&mut one, &store, 1, 1, 30);
        let version = store.read(&key::scopes("default")).map(|it| it.version);
        store
            .write(&key::scopes("default"), b"junk", version)
            .unwrap();
        assert_eq!(one.refresh(&store), ScopesNews::Unreadable);
        assert_eq!(until(&one, 1, 1), None);
        request(&mut one, &store, 1, 1, 40);
        assert_eq!(until(&one, 1, 1), Some(at(40)));
    }
}
