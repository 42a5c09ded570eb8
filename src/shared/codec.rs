//! Records as bytes: a checksum, then the record in `postcard`'s compact form.
//!
//! The checksum is there because almost any bytes are *some* record to a compact format: what a
//! neighbour wrote under our key must read as nothing, not as an open breaker.
//!
//! Example: a record of one `u8` 7 is nine bytes, eight of checksum and the 7.

use serde::Serialize;
use serde::de::DeserializeOwned;
use twox_hash::XxHash64;

/// The bytes of `record`; empty, which reads as nothing, if it cannot be written down. Records are
/// plain data and always can.
#[must_use]
pub fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    let Ok(payload) = postcard::to_allocvec(record) else {
        return Vec::new();
    };
    let mut bytes = checksum(&payload).to_vec();
    bytes.extend_from_slice(&payload);
    bytes
}

/// The record in `bytes`.
///
/// # Errors
/// [`Unreadable`] if they are no record of this layout.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    let (sum, payload) = bytes.split_at_checked(CHECKSUM_LENGTH).ok_or(Unreadable)?;
    if sum != checksum(payload) {
        return Err(Unreadable);
    }
    postcard::from_bytes(payload).map_err(|_| Unreadable)
}

/// Bytes that are no record of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

fn checksum(payload: &[u8]) -> [u8; CHECKSUM_LENGTH] {
    XxHash64::oneshot(SEED, payload).to_le_bytes()
}

const CHECKSUM_LENGTH: usize = 8;
/// Not 0, so that a stray hash of the same bytes does not check out.
const SEED: u64 = 0x5354_4545_5241_4745;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_decodes_and_nothing_else_does() {
        let bytes = encode(&(7_u8, Some("a")));
        assert_eq!(
            decode::<(u8, Option<String>)>(&bytes),
            Ok((7, Some("a".into())))
        );
        for position in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[position] ^= 1;
            assert_eq!(decode::<(u8, Option<String>)>(&damaged), Err(Unreadable));
            let cut = decode::<(u8, Option<String>)>(&bytes[..position]);
            assert_eq!(cut, Err(Unreadable));
        }
    }
}
