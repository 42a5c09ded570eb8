//! Harm on request, for tests only: never part of the module that ships.
//!
//! A request with `x-sabotage: trap` traps the VM, one with `x-sabotage: scribble` writes over what
//! the workers share, as a hostile neighbour with the same `vm_id` could.

use steerage_shared::key;
use steerage_shared::store::Store as _;

use crate::host::{self, Map, SharedData};

/// Does what the request at hand asks for.
#[expect(clippy::panic, reason = "a trap is what is asked for")]
pub(super) fn obey() {
    match host::few_of_header(Map::Request, "x-sabotage")
        .as_ref()
        .map(AsRef::as_ref)
    {
        Ok(b"trap") => panic!("sabotage"),
        Ok(b"scribble") => {
            let slots = (0..16).map(key::slot);
            for key in slots.chain([key::agreement("default")]) {
                let version = SharedData.read(&key).map(|value| value.version);
                // A conflict leaves this key to somebody who was faster.
                let _ = SharedData.write(&key, b"\xff\x00 not a record", version);
            }
        }
        _ => {}
    }
}
