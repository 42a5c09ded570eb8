//! The first message of a body of gRPC, read byte by byte.
//!
//! A message stands behind five bytes: whether it is compressed, and its length, the most
//! significant byte first (*Length-Prefixed-Message* of
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).

use alloc::vec::Vec;

use super::rule::{EventRule, Verdict, judge};

/// The reader of a body of gRPC, until the end of its first message.
#[derive(Debug)]
pub(super) struct Grpc {
    /// Whether a rule needs the message.
    keeps_data: bool,
    /// The message so far, if that is kept.
    data: Vec<u8>,
    at: At,
}

/// Where the reader is.
#[derive(Clone, Copy, Debug)]
enum At {
    Flag,
    /// In the length: so many of its bytes are still to come, and this is what the others say.
    Length(u8, u32),
    /// In the message, of which so many bytes are still to come.
    Message(u32),
}

impl Grpc {
    pub(super) const fn new(keeps_data: bool) -> Self {
        Self {
            keeps_data,
            data: Vec::new(),
            at: At::Flag,
        }
    }

    /// Reads on, to the end of the first message at most. One that is compressed is not read.
    pub(super) fn read(&mut self, bytes: &[u8], rules: &[EventRule]) -> Verdict {
        for byte in bytes {
            self.at = match self.at {
                At::Flag if *byte != 0 => return Verdict::Commit,
                At::Flag => At::Length(4, 0),
                At::Length(left, high) => {
                    let length = high << 8 | u32::from(*byte);
                    match left {
                        0 | 1 => At::Message(length),
                        _ => At::Length(left - 1, length),
                    }
                }
                At::Message(left) => {
                    if self.keeps_data {
                        self.data.push(*byte);
                    }
                    At::Message(left.saturating_sub(1))
                }
            };
            if let At::Message(0) = self.at {
                return self.judged(rules);
            }
        }
        Verdict::Undecided
    }

    /// What the rules say of the message so far.
    pub(super) fn judged(&self, rules: &[EventRule]) -> Verdict {
        judge(rules, None, &self.data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_kept_only_if_a_rule_looks_into_it() {
        for (keeps_data, kept) in [(true, b"xyz".as_slice()), (false, b"")] {
            let mut messages = Grpc::new(keeps_data);
            let begun = messages.read(b"\0\0\0\0\x04xyz", &[]);
            assert_eq!(begun, Verdict::Undecided);
            assert_eq!(messages.data, kept);
            assert_eq!(messages.read(b"!", &[]), Verdict::Commit);
        }
    }
}
