//! The bytes that workers write for each other: a checksum, then a record in `postcard`'s compact
//! form.
//!
//! Each kind of record has a file here with plain structs that serve nothing else, so that a change
//! of the policy's types cannot change the bytes by accident. They are converted at the edge:
//! `From` on the way out, `TryFrom` on the way in. Times are nanoseconds of the host's monotonic
//! clock, spans nanoseconds. A value that the policy does not have (an unknown state, a number that
//! is not finite) makes the whole record [`Unreadable`].
//!
//! The checksum is there because almost any bytes are *some* record to a compact format: what
//! another plugin wrote under our key must read as nothing, not as an open breaker.
//!
//! `golden.txt` holds one example of every record with its bytes. A change of any byte needs a new
//! `LAYOUT` in [`crate::key`].
//!
//! Example: a record of one `u8` 7 is nine bytes, eight of checksum and the 7.

pub(crate) mod agreement;
pub(crate) mod description;
pub(crate) mod number;
pub(crate) mod scopes;
pub(crate) mod sequence;
pub(crate) mod slot;

use serde::{Deserialize, Serialize};
use twox_hash::XxHash64;

/// The bytes of `record`; empty, which reads as nothing, if it cannot be encoded. Records are plain
/// data and always can.
#[must_use]
pub(crate) fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    // The payload is written behind the room for its checksum.
    let Ok(mut bytes) = postcard::to_extend(record, [0; CHECKSUM_LENGTH].to_vec()) else {
        return Vec::new();
    };
    if let Some((sum, payload)) = bytes.split_at_mut_checked(CHECKSUM_LENGTH) {
        sum.copy_from_slice(&checksum(payload));
    }
    bytes
}

/// The record in `bytes`. Its strings are borrowed from them.
///
/// # Errors
/// [`Unreadable`] if they are no record of this layout.
pub(crate) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Unreadable> {
    let (_, payload) = verify(bytes)?;
    postcard::from_bytes(payload).map_err(|_| Unreadable)
}

/// The checksum and the payload in `bytes`.
///
/// # Errors
/// [`Unreadable`] if the one is not that of the other.
pub(crate) fn verify(bytes: &[u8]) -> Result<(Checksum, &[u8]), Unreadable> {
    let (sum, payload) = bytes.split_first_chunk().ok_or(Unreadable)?;
    if *sum != checksum(payload) {
        return Err(Unreadable);
    }
    Ok((*sum, payload))
}

/// The checksum with which `bytes` begin.
pub(crate) fn checksum_of(bytes: &[u8]) -> Option<Checksum> {
    bytes.first_chunk().copied()
}

/// The first bytes of every record, made of all the others.
pub(crate) type Checksum = [u8; CHECKSUM_LENGTH];

/// Bytes that are no record of this layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

fn checksum(payload: &[u8]) -> Checksum {
    XxHash64::oneshot(SEED, payload).to_le_bytes()
}

const CHECKSUM_LENGTH: usize = 8;
/// Not 0, so that a stray hash of the same bytes is no valid checksum.
const SEED: u64 = 0x5354_4545_5241_4745;

#[cfg(test)]
mod tests;
