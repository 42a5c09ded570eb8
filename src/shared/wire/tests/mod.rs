//! The bytes of records: that they are as before, and that only valid ones are read.

use super::*;

mod golden;
mod ranges;

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
