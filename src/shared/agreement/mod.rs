//! What the workers agree on for one pool: the breaker and the health of each endpoint.
//!
//! There is one record a pool, with an entry for each endpoint, found by name: a changed list of
//! endpoints keeps what is known of those that stay. A change is a function from the old entry to
//! the new one. It is written only if the record is still the one that was read, and otherwise made
//! again on the newest state. So it must judge the state that it is given, not the one that its
//! caller saw.
//!
//! After eight conflicts a worker gives up: its change is lost, which is one failure not counted.
//! Blocking the worker instead would delay every request that it serves.
//!
//! Entries of endpoints that no living worker has configured are dropped, so the record stays as
//! small as the configurations in force.

use steerage_policy::endpoint::Agreed;

use crate::store::{NotWritten, Store, Version};
use crate::wire::sequence::{All, Each};
use crate::wire::{self, Unreadable};

/// The shared record of one pool, as this worker has read it last.
#[derive(Debug)]
pub struct Agreement {
    key: String,
    version: Option<Version>,
    entries: Vec<Entry>,
    /// Whether the entries have changed since [`Agreement::take_news`].
    news: bool,
    /// Whether bytes that are no record were read since [`Agreement::take_unreadable`].
    unreadable: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) endpoint: String,
    pub(crate) agreed: Agreed,
}

/// Why a change was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Other workers were faster, every time.
    Contention,
    /// The store refused.
    Refused,
}

/// What reading the record again has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// As it was.
    None,
    /// A worker has changed it.
    Changed,
    /// Its bytes are no record any more: it reads as empty.
    Unreadable,
}

impl Agreement {
    /// The record under `key`, not read yet.
    #[must_use]
    pub const fn new(key: String) -> Self {
        Self {
            key,
            version: None,
            entries: Vec::new(),
            news: false,
            unreadable: false,
        }
    }

    /// What is agreed on `endpoint`, as last read.
    #[must_use]
    pub fn get(&self, endpoint: &str) -> Agreed {
        self.entries
            .iter()
            .find(|entry| entry.endpoint == endpoint)
            .map(|entry| entry.agreed.clone())
            .unwrap_or_default()
    }

    /// Whether anything has changed since this was asked last, by this worker or another one.
    pub const fn take_news(&mut self) -> bool {
        core::mem::replace(&mut self.news, false)
    }

    /// Whether bytes that are no record were read since this was asked last.
    pub const fn take_unreadable(&mut self) -> bool {
        core::mem::replace(&mut self.unreadable, false)
    }

    /// Reads the record again. It is decoded only if its version has changed.
    pub fn refresh(&mut self, store: &dyn Store) -> News {
        let Some(value) = store.read(&self.key) else {
            return News::None; // It was never written.
        };
        if self.version == Some(value.version) {
            return News::None;
        }
        self.version = Some(value.version);
        self.news = true;
        match decode(&value.bytes) {
            Ok(entries) => {
                self.entries = entries;
                News::Changed
            }
            Err(Unreadable) => {
                self.entries.clear();
                // The host removes a value by making it empty.
                if value.bytes.is_empty() {
                    News::Changed
                } else {
                    self.unreadable = true;
                    News::Unreadable
                }
            }
        }
    }

    /// Changes what is agreed on `endpoint`. Afterwards [`Agreement::get`] gives the newest state
    /// of all endpoints, whether the change was written or lost.
    ///
    /// # Errors
    /// [`Lost`] if the change was not written; the answer is then that of the last try.
    pub fn change<T>(
        &mut self,
        store: &dyn Store,
        endpoint: &str,
        mut change: impl FnMut(&mut Agreed) -> T,
    ) -> (T, Result<(), Lost>) {
        self.change_among(store, endpoint, |agreed, _| change(agreed))
    }

    /// The same for a change that depends on the other endpoints. It is given their names and what
    /// is agreed on them at the time of the change.
    ///
    /// # Errors
    /// [`Lost`] if the change was not written; the answer is then that of the last try.
    pub fn change_among<T>(
        &mut self,
        store: &dyn Store,
        endpoint: &str,
        mut change: impl FnMut(&mut Agreed, &mut dyn Iterator<Item = (&str, &Agreed)>) -> T,
    ) -> (T, Result<(), Lost>) {
        let mut tries = 0;
        loop {
            self.refresh(store);
            let old = self.get(endpoint);
            let mut new = old.clone();
            let others = self
                .entries
                .iter()
                .filter(|entry| entry.endpoint != endpoint);
            let mut others = others.map(|entry| (&*entry.endpoint, &entry.agreed));
            let answer = change(&mut new, &mut others);
            if new == old {
                return (answer, Ok(()));
            }
            let mut entries = self.entries.clone();
            match entries.iter_mut().find(|entry| entry.endpoint == endpoint) {
                Some(entry) => entry.agreed = new,
                None => entries.push(Entry {
                    endpoint: endpoint.to_owned(),
                    agreed: new,
                }),
            }
            tries += 1;
            match self.write(store, entries) {
                Ok(()) => return (answer, Ok(())),
                Err(NotWritten::Conflict) if tries < TRIES => {}
                Err(NotWritten::Conflict) => return (answer, Err(Lost::Contention)),
                Err(NotWritten::Refused) => return (answer, Err(Lost::Refused)),
            }
        }
    }

    /// Drops what is agreed on endpoints that are no longer configured. If another worker writes at
    /// the same time, the next call does it.
    pub fn forget_unless(&mut self, store: &dyn Store, is_configured: impl Fn(&str) -> bool) {
        self.refresh(store);
        if self
            .entries
            .iter()
            .all(|entry| is_configured(&entry.endpoint))
        {
            return;
        }
        let mut entries = self.entries.clone();
        entries.retain(|entry| is_configured(&entry.endpoint));
        // After a conflict the record is read again soon.
        let _ = self.write(store, entries);
    }

    fn write(&mut self, store: &dyn Store, entries: Vec<Entry>) -> Result<(), NotWritten> {
        store.write(&self.key, &encode(&entries), self.version)?;
        self.entries = entries;
        self.news = true;
        // The store does not return the new version: the next read takes it as changed.
        self.version = None;
        Ok(())
    }
}

/// How often a change is tried. Even where every second write conflicts, only one change in 256 is
/// lost.
const TRIES: u32 = 8;

pub(crate) fn encode(entries: &[Entry]) -> Vec<u8> {
    let entries = entries.iter();
    wire::encode(&Each(entries.map(|entry| {
        wire::agreement::Entry::new(&entry.endpoint, &entry.agreed)
    })))
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Entry>, Unreadable> {
    let entries: All<wire::agreement::Entry<'_>, Entry> = wire::decode(bytes)?;
    Ok(entries.items)
}

impl From<wire::agreement::Entry<'_>> for Entry {
    fn from(entry: wire::agreement::Entry<'_>) -> Self {
        Self {
            endpoint: entry.cluster.to_owned(),
            agreed: entry.into(),
        }
    }
}

#[cfg(test)]
mod tests;
