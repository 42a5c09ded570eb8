//! The headers of a message, in one block of memory.
//!
//! A map is one allocation whatever the number of headers, and is read in place. The block holds
//! the number of pairs, then the length of every name and value, then the names and values, each
//! followed by a zero byte; numbers are 32 bits, little-endian. Hosts that hand maps over in this
//! form, as proxy-wasm's do, cost no copy; for others there is [`HeaderMap::of`]. A block that
//! breaks the format reads as if it ended there.
//!
//! Example: `te: x` alone is `1 0 0 0, 2 0 0 0, 1 0 0 0, t e 0, x 0`.

use core::ops::Range;
use core::slice;

use steerage_policy::retry::condition::AnswerHead;

/// The headers of a message, in their order, repeats included. Names are in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderMap {
    block: Vec<u8>,
}

impl HeaderMap {
    /// The map of a block.
    #[must_use]
    pub const fn from_block(block: Vec<u8>) -> Self {
        Self { block }
    }

    /// A map of these pairs.
    #[must_use]
    pub fn of<T: AsRef<[u8]>>(pairs: &[(T, T)]) -> Self {
        let texts = || {
            let pairs = pairs.iter();
            pairs.flat_map(|(name, value)| [name.as_ref(), value.as_ref()])
        };
        let size: usize = texts().map(|text| text.len() + 5).sum();
        let mut block = Vec::with_capacity(4 + size);
        let number = |n: usize, block: &mut Vec<u8>| {
            // A block over 4 GiB would not fit into the memory of a module.
            block.extend_from_slice(&u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes());
        };
        number(pairs.len(), &mut block);
        for text in texts() {
            number(text.len(), &mut block);
        }
        for text in texts() {
            block.extend_from_slice(text);
            block.push(0);
        }
        Self { block }
    }

    /// The block, to be handed to a host that takes it.
    #[must_use]
    pub fn as_block(&self) -> &[u8] {
        &self.block
    }

    /// Every name with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        let (lengths, mut rest) = self.parts();
        lengths.map_while(move |[name, value]| {
            Some((text(&mut rest, *name)?, text(&mut rest, *value)?))
        })
    }

    /// The first value of `name`, which is given in lower case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter()
            .find(|(candidate, _)| *candidate == name.as_bytes())
            .map(|(_, value)| value)
    }

    /// Every name with its value, and where the name begins, for [`HeaderMap::bytes`]. The value
    /// begins behind it and a zero byte.
    pub fn located(&self) -> impl Iterator<Item = (usize, &[u8], &[u8])> + Clone {
        let (_, rest) = self.parts();
        let mut at = self.block.len() - rest.len();
        self.iter().map(move |(name, value)| {
            let start = at;
            at += name.len() + value.len() + 2;
            (start, name, value)
        })
    }

    /// The bytes of a span.
    #[must_use]
    pub fn bytes(&self, span: &Range<usize>) -> Option<&[u8]> {
        self.block.get(span.clone())
    }

    /// The lengths of every name and value, and the bytes behind them.
    fn parts(&self) -> (slice::Iter<'_, [[u8; 4]; 2]>, &[u8]) {
        let (count, pairs) = self.block.split_first_chunk().unwrap_or((&[0; 4], &[]));
        let count = size(*count).saturating_mul(8);
        let (lengths, rest) = pairs.split_at_checked(count).unwrap_or_default();
        let (lengths, _) = lengths.as_chunks::<4>();
        let (lengths, _) = lengths.as_chunks::<2>();
        (lengths.iter(), rest)
    }
}

/// Takes a text of this length, and the zero byte behind it, off the bytes that are left.
fn text<'a>(rest: &mut &'a [u8], length: [u8; 4]) -> Option<&'a [u8]> {
    let (text, behind) = rest.split_at_checked(size(length))?;
    *rest = behind.get(1..)?;
    Some(text)
}

fn size(number: [u8; 4]) -> usize {
    usize::try_from(u32::from_le_bytes(number)).unwrap_or(usize::MAX)
}

impl AnswerHead for HeaderMap {
    fn header(&self, name: &str) -> Option<&[u8]> {
        self.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_read_as_it_was_made() {
        let pairs = [("te", "x"), ("empty", ""), ("te", "y")];
        let map = HeaderMap::of(&pairs);
        let read: Vec<_> = map.iter().collect();
        let expected = pairs.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        assert_eq!(read, expected);
        assert_eq!(map.get("te"), Some(&b"x"[..]));
        assert_eq!(map.get("none"), None);
        assert_eq!(HeaderMap::from_block(map.as_block().to_vec()), map);
    }

    #[test]
    fn the_block_of_the_documentation() {
        let block = HeaderMap::of(&[("te", "x")]);
        let expected = [1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, b't', b'e', 0, b'x', 0];
        assert_eq!(block.as_block(), expected);
    }

    #[test]
    fn a_block_that_is_cut_anywhere_is_read_up_to_there() {
        let whole = HeaderMap::of(&[("a", "1"), ("b", "2")]);
        for length in 0..whole.as_block().len() {
            let cut = HeaderMap::from_block(whole.as_block()[..length].to_vec());
            assert!(cut.iter().count() <= 2, "{length}");
        }
        let huge = HeaderMap::from_block(vec![0xff; 64]);
        assert_eq!(huge.iter().count(), 0);
    }
}
