//! What the workers agree on for one pool: the breaker and the health of each endpoint.
//!
//! One record a pool, its entries found by the endpoint's name: a changed list of endpoints keeps
//! what is known of those that stay. A change is a function from the old entry to the new one,
//! written back only if nobody was faster, and tried again on the newest state otherwise. It must
//! therefore judge the state that it is given, not the one that its caller saw.
//!
//! A worker that finds no luck in eight tries gives up: its change is lost, which is one failure not
//! counted. Blocking a worker would cost every request that it serves.
//!
//! Entries of endpoints that no living worker has configured are dropped with the next write, so
//! that the record stays as small as the configurations in force.

use serde::{Deserialize, Serialize};
use steerage_policy::endpoint::Agreed;

use crate::codec;
use crate::store::{NotWritten, Store, Version};

/// The shared record of one pool, as this worker has read it last.
#[derive(Debug)]
pub struct Agreement {
    key: String,
    version: Option<Version>,
    entries: Vec<Entry>,
    /// Whether the entries have changed since [`Agreement::take_news`].
    news: bool,
    /// Whether bytes that are no record were met since [`Agreement::take_unreadable`].
    unreadable: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    endpoint: String,
    agreed: Agreed,
}

/// Why a change did not reach the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Others were faster, every time.
    Contention,
    /// The store refused.
    Refused,
}

/// What reading the record again has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// As it was.
    None,
    /// Somebody has changed it.
    Changed,
    /// Somebody has written what is no record: it reads as empty.
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

    /// Whether anything has changed since this was asked last, by whomever.
    pub const fn take_news(&mut self) -> bool {
        core::mem::replace(&mut self.news, false)
    }

    /// Whether bytes that are no record were met since this was asked last.
    pub const fn take_unreadable(&mut self) -> bool {
        core::mem::replace(&mut self.unreadable, false)
    }

    /// Reads the record again. It is decoded only if its version has changed.
    pub fn refresh(&mut self, store: &dyn Store) -> News {
        let Some(value) = store.read(&self.key) else {
            return News::None; // Nobody has written yet.
        };
        if self.version == Some(value.version) {
            return News::None;
        }
        self.version = Some(value.version);
        self.news = true;
        match codec::decode(&value.bytes) {
            Ok(entries) => {
                self.entries = entries;
                News::Changed
            }
            Err(codec::Unreadable) => {
                self.entries.clear();
                // Empty bytes are how the host removes a value.
                if value.bytes.is_empty() {
                    News::Changed
                } else {
                    self.unreadable = true;
                    News::Unreadable
                }
            }
        }
    }

    /// Changes what is agreed on `endpoint`. Afterwards [`Agreement::get`] gives the newest state of
    /// all endpoints, whether the change was made or lost.
    ///
    /// # Errors
    /// [`Lost`] if the change did not reach the others; the answer is then that of the last try.
    pub fn change<T>(
        &mut self,
        store: &dyn Store,
        endpoint: &str,
        mut change: impl FnMut(&mut Agreed) -> T,
    ) -> (T, Result<(), Lost>) {
        self.change_among(store, endpoint, |agreed, _| change(agreed))
    }

    /// The same for a change that depends on what is agreed on the others, which it is given by name: what
    /// it was when the change was made, no longer than that.
    ///
    /// # Errors
    /// [`Lost`] if the change did not reach the others; the answer is then that of the last try.
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

    /// Drops what is agreed on endpoints that nobody has configured any more. If somebody else is
    /// writing just now, it is left for the next time.
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
        // A conflict means that the record has just changed, and is looked at again soon.
        let _ = self.write(store, entries);
    }

    fn write(&mut self, store: &dyn Store, entries: Vec<Entry>) -> Result<(), NotWritten> {
        store.write(&self.key, &codec::encode(&entries), self.version)?;
        self.entries = entries;
        self.news = true;
        // The store does not tell the new version: whatever it is, it will be read as news.
        self.version = None;
        Ok(())
    }
}

/// How often a change is tried. Even if somebody is faster every second time, one change in 256 is
/// lost.
const TRIES: u32 = 8;

#[cfg(test)]
mod tests;
