//! How the attempts of a stream find it.
//!
//! A stream and its attempts have contexts of their own, and share what filters note: there the
//! stream leaves its number. Another VM, with another vm_id, has numbers of its own, so the VM's is
//! noted with it.

use super::plugin::vm;
use crate::host::{self, ContextId, Refused};

/// Names a stream for its attempts.
pub(super) fn write(stream: ContextId) -> Result<(), Refused> {
    let [a, b, c, d] = stream.to_le_bytes();
    let [e, f, g, h] = vm().to_le_bytes();
    host::set_filter_state(STREAM, &[a, b, c, d, e, f, g, h])
}

/// The stream that the attempt at hand is of; `None` if it has none in this VM.
pub(super) fn read() -> Option<ContextId> {
    let [a, b, c, d, e, f, g, h] = host::few_property(STREAM).as_ref().try_into().ok()?;
    let is_ours = u32::from_le_bytes([e, f, g, h]) == vm();
    is_ours.then_some(u32::from_le_bytes([a, b, c, d]))
}

/// Where a stream notes its number.
const STREAM: &str = "steerage.exchange";
