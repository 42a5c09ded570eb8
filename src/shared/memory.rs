//! A store in memory with the rules of the host's shared data, for simulations and tests.
//!
//! It can be disturbed: a hook runs before a write and stands for another worker, writes can be
//! refused, and values can be overwritten as another plugin may do.
//!
//! Example: with `store.before_write(|store| store.put("a", b"x"))` every other write of the value
//! `a` conflicts, because the value has changed since it was read.

use core::cell::{Cell, RefCell};
use core::fmt;
use std::collections::BTreeMap;

use crate::store::{ABSENT, NotWritten, Store, Version, Versioned};

/// The store: values by name, each with its version.
#[derive(Default)]
pub struct Memory {
    values: RefCell<BTreeMap<String, Versioned>>,
    /// One counter for all names, as in the host.
    counter: Cell<Version>,
    writes: Cell<u32>,
    refuses: Cell<bool>,
    before_write: RefCell<Option<Hook>>,
}

type Hook = Box<dyn FnMut(&Memory)>;

impl Memory {
    /// Calls `hook` before every write from now on, except before writes of the hook itself.
    pub fn before_write(&self, hook: impl FnMut(&Self) + 'static) {
        self.before_write.replace(Some(Box::new(hook)));
    }

    /// Calls `hook` before the next write only.
    pub fn before_next_write(&self, hook: impl FnOnce(&Self) + 'static) {
        let mut hook = Some(hook);
        self.before_write(move |store| {
            if let Some(hook) = hook.take() {
                hook(store);
            }
        });
    }

    /// Removes the hook.
    pub fn undisturbed(&self) {
        self.before_write.replace(None);
    }

    /// Whether writes are refused from now on.
    pub fn refuse(&self, refuses: bool) {
        self.refuses.set(refuses);
    }

    /// Writes whatever the version is, as another plugin with the same `vm_id` may.
    pub fn put(&self, key: &str, bytes: &[u8]) {
        self.counter.set(self.counter.get() + 1);
        let value = Versioned {
            bytes: bytes.to_vec(),
            version: self.counter.get(),
        };
        self.values.borrow_mut().insert(key.to_owned(), value);
    }

    /// Removes a value as the host does: the name stays, with no bytes.
    pub fn remove(&self, key: &str) {
        self.put(key, &[]);
    }

    /// Writes the same bytes again, so that only the version changes.
    pub fn touch(&self, key: &str) {
        let bytes = self.read(key).map(|value| value.bytes);
        self.put(key, &bytes.unwrap_or_default());
    }

    /// All names that have ever been written.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.values.borrow().keys().cloned().collect()
    }

    /// How many writes through [`Store::write`] have succeeded.
    #[must_use]
    pub fn writes(&self) -> u32 {
        self.writes.get()
    }

    /// The host's `set_shared_data`: 0 stands for any version, and where a name has no value yet,
    /// any version is right.
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
        // Taken out while it runs, so that it can write without calling itself.
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
