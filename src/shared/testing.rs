//! A store in memory with exactly the rules of the host's, and ways to disturb it.
//!
//! Example: `store.before_write(|store| store.put("a", b"x"))` puts another worker's write between
//! whatever a worker reads and what it makes of it.

use core::cell::{Cell, RefCell};
use core::fmt;
use std::collections::BTreeMap;

use crate::store::{ABSENT, NotWritten, Store, Version, Versioned};

/// The store.
#[derive(Default)]
pub(crate) struct Memory {
    values: RefCell<BTreeMap<String, Versioned>>,
    /// One counter for all names, as in the host.
    counter: Cell<Version>,
    writes: Cell<u32>,
    refuses: Cell<bool>,
    before_write: RefCell<Option<Hook>>,
}

type Hook = Box<dyn FnMut(&Memory)>;

impl Memory {
    /// Calls `hook` before every write from now on, except for the writes of the hook itself.
    pub(crate) fn before_write(&self, hook: impl FnMut(&Self) + 'static) {
        self.before_write.replace(Some(Box::new(hook)));
    }

    /// The same before the next write only.
    pub(crate) fn before_next_write(&self, hook: impl FnOnce(&Self) + 'static) {
        let mut hook = Some(hook);
        self.before_write(move |store| {
            if let Some(hook) = hook.take() {
                hook(store);
            }
        });
    }

    /// Calls no hook any more.
    pub(crate) fn undisturbed(&self) {
        self.before_write.replace(None);
    }

    /// From now on every write is refused, or is not.
    pub(crate) fn refuse(&self, refuses: bool) {
        self.refuses.set(refuses);
    }

    /// Writes whatever the version is, as a neighbour with the same `vm_id` may.
    pub(crate) fn put(&self, key: &str, bytes: &[u8]) {
        self.counter.set(self.counter.get() + 1);
        let value = Versioned {
            bytes: bytes.to_vec(),
            version: self.counter.get(),
        };
        self.values.borrow_mut().insert(key.to_owned(), value);
    }

    /// What the host makes of the removal of a value: the name stays, with no bytes.
    pub(crate) fn remove(&self, key: &str) {
        self.put(key, &[]);
    }

    /// A write that changes nothing but the version.
    pub(crate) fn touch(&self, key: &str) {
        let bytes = self.read(key).map(|value| value.bytes);
        self.put(key, &bytes.unwrap_or_default());
    }

    /// All names that have ever been written.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.values.borrow().keys().cloned().collect()
    }

    /// How many writes through [`Store::write`] have succeeded.
    pub(crate) fn writes(&self) -> u32 {
        self.writes.get()
    }

    /// The host's `set_shared_data`: it takes 0 for any version, and any version for a name that it
    /// does not know.
    fn set(&self, key: &str, bytes: &[u8], version: Version) -> Result<(), NotWritten> {
        let known = self.read(key).map(|value| value.version);
        if version != 0 && known.is_some_and(|known| known != version) {
            return Err(NotWritten::Conflict);
        }
        self.put(key, bytes);
        Ok(())
    }
}

impl Store for Memory {
    fn read(&self, key: &str) -> Option<Versioned> {
        self.values.borrow().get(key).cloned()
    }

    fn write(&self, key: &str, bytes: &[u8], version: Option<Version>) -> Result<(), NotWritten> {
        // Taken out while it runs, so that it may write itself.
        let hook = self.before_write.take();
        if let Some(mut hook) = hook {
            hook(self);
            let mut slot = self.before_write.borrow_mut();
            slot.get_or_insert(hook);
        }
        if self.refuses.get() {
            return Err(NotWritten::Refused);
        }
        self.set(key, bytes, version.unwrap_or(ABSENT))?;
        self.writes.set(self.writes.get() + 1);
        Ok(())
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("values", &self.values)
            .finish_non_exhaustive()
    }
}
