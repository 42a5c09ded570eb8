//! What workers share in Envoy: the key-value store with compare-and-swap.
//!
//! In Envoy it lives in the process and outlasts a VM; here it lives in one test's thread.
//! A test plays the other workers itself, through [`Host::set_shared`](super::Host::set_shared) and
//! [`Host::race_shared`](super::Host::race_shared).

use std::collections::{BTreeMap, VecDeque};

use super::numbers::Status;

/// The key-value store.
#[derive(Debug, Default)]
pub(super) struct SharedData {
    entries: BTreeMap<String, (Vec<u8>, u32)>,
    races: BTreeMap<String, VecDeque<Vec<u8>>>,
    last_cas: u32,
}

impl SharedData {
    /// The value and its counter. A removed key reads as an empty value, because the ABI cannot
    /// delete.
    pub(super) fn get(&self, key: &str) -> Option<(&[u8], u32)> {
        self.entries
            .get(key)
            .map(|(value, cas)| (value.as_slice(), *cas))
    }

    /// Writes a value. `cas` 0 is unconditional, and so is any `cas` on a key that does not exist.
    pub(super) fn set(&mut self, key: &str, value: &[u8], cas: u32) -> Status {
        if let Some(other) = self.races.get_mut(key).and_then(VecDeque::pop_front) {
            self.write(key, &other);
        }
        let expected = self.entries.get(key).map(|(_, cas)| *cas);
        if cas != 0 && expected.is_some_and(|expected| expected != cas) {
            return Status::CasMismatch;
        }
        self.write(key, value);
        Status::Ok
    }

    /// Lets another worker's write of `value` land just before the filter's next write of `key`.
    pub(super) fn race(&mut self, key: &str, value: &[u8]) {
        self.races
            .entry(key.to_owned())
            .or_default()
            .push_back(value.to_vec());
    }

    /// Every key ever written, in order.
    pub(super) fn keys(&self) -> Vec<String> {
        self.entries.keys().cloned().collect()
    }

    fn write(&mut self, key: &str, value: &[u8]) {
        // One counter serves the whole store, so that a value written twice never has the same
        // counter again.
        self.last_cas += 1;
        self.entries
            .insert(key.to_owned(), (value.to_vec(), self.last_cas));
    }
}
