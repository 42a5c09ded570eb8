//! What workers share in Envoy: the key-value store with compare-and-swap, and the queues.
//!
//! In Envoy both live in the process and outlast a VM; here they live in one test's thread.
//! A test plays the other workers itself, through [`Host::set_shared`](super::Host::set_shared) and
//! [`Host::race_shared`](super::Host::race_shared).

use std::collections::{BTreeMap, VecDeque};

use proxy_wasm::types::Status;

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

/// The queues. A queue belongs to the root that registered its name last.
#[derive(Debug, Default)]
pub(super) struct Queues {
    queues: Vec<Queue>,
}

#[derive(Debug)]
struct Queue {
    name: String,
    root: u32,
    items: VecDeque<Vec<u8>>,
}

impl Queues {
    pub(super) fn register(&mut self, name: &str, root: u32) -> u32 {
        if let Some(id) = self.resolve(name) {
            if let Some(queue) = self.queue(id) {
                queue.root = root;
            }
            return id;
        }
        self.queues.push(Queue {
            name: name.to_owned(),
            root,
            items: VecDeque::new(),
        });
        u32::try_from(self.queues.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn resolve(&self, name: &str) -> Option<u32> {
        let place = self.queues.iter().position(|queue| queue.name == name)?;
        u32::try_from(place + 1).ok()
    }

    /// Appends an item and names the root that must hear of it.
    pub(super) fn enqueue(&mut self, id: u32, item: &[u8]) -> Option<u32> {
        let queue = self.queue(id)?;
        queue.items.push_back(item.to_vec());
        Some(queue.root)
    }

    /// `None`: no such queue. `Some(None)`: nothing in it.
    pub(super) fn dequeue(&mut self, id: u32) -> Option<Option<Vec<u8>>> {
        Some(self.queue(id)?.items.pop_front())
    }

    fn queue(&mut self, id: u32) -> Option<&mut Queue> {
        let place = usize::try_from(id).ok()?.checked_sub(1)?;
        self.queues.get_mut(place)
    }
}
