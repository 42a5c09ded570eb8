//! Headers in the form in which they cross the ABI.
//!
//! A map arrives as one buffer: the number of pairs, the sizes of every name and value, then the
//! names and values, each followed by a zero byte; numbers are 32 bits, little-endian. It is kept
//! as it came and read in place: one allocation for all headers, and values stay the bytes that
//! were sent. A buffer that breaks the format reads as if it ended there.

use core::ops::Range;

use steerage_policy::retry::condition::AnswerHead;

/// The headers of a message, in their order, repeats included.
#[derive(Debug, Default)]
pub(crate) struct HeaderMap {
    buffer: Vec<u8>,
}

impl HeaderMap {
    /// A map as the host gave it.
    pub(super) const fn from_host(buffer: Vec<u8>) -> Self {
        Self { buffer }
    }

    /// Every name with its value.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        self.spans()
            .filter_map(|(name, value)| Some((self.bytes(&name)?, self.bytes(&value)?)))
    }

    /// The first value of `name`, which is given in lower case.
    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter()
            .find(|(candidate, _)| *candidate == name.as_bytes())
            .map(|(_, value)| value)
    }

    /// Where every name and its value lie, for [`HeaderMap::bytes`].
    pub(crate) fn spans(&self) -> impl Iterator<Item = (Range<usize>, Range<usize>)> + Clone {
        let count = self.number(0).unwrap_or(0);
        let mut at = 4 + count.saturating_mul(8);
        (0..count).map_while(move |pair| {
            let mut next = |size_at: usize| {
                let start = at;
                let end = start.checked_add(self.number(size_at)?)?;
                at = end + 1;
                (end <= self.buffer.len()).then_some(start..end)
            };
            Some((next(4 + pair * 8)?, next(8 + pair * 8)?))
        })
    }

    /// The bytes of a span.
    pub(crate) fn bytes(&self, span: &Range<usize>) -> Option<&[u8]> {
        self.buffer.get(span.clone())
    }

    fn number(&self, at: usize) -> Option<usize> {
        let bytes = self.buffer.get(at..at.checked_add(4)?)?;
        usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
    }
}

impl AnswerHead for HeaderMap {
    fn header(&self, name: &str) -> Option<&[u8]> {
        self.get(name)
    }
}

/// Pairs in the form in which they cross the ABI, to be sent.
pub(super) fn encoded<T: AsRef<[u8]>>(pairs: &[(T, T)]) -> Vec<u8> {
    let texts = || {
        let pairs = pairs.iter();
        pairs.flat_map(|(name, value)| [name.as_ref(), value.as_ref()])
    };
    let size: usize = texts().map(|text| text.len() + 5).sum();
    let mut buffer = Vec::with_capacity(4 + size);
    let number = |n: usize, buffer: &mut Vec<u8>| {
        // A size over 4 GiB cannot be in a VM of 4 GiB.
        buffer.extend_from_slice(&u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes());
    };
    number(pairs.len(), &mut buffer);
    for text in texts() {
        number(text.len(), &mut buffer);
    }
    for text in texts() {
        buffer.extend_from_slice(text);
        buffer.push(0);
    }
    buffer
}

/// A property's path in the form in which it crosses the ABI: its parts, separated by zero bytes.
pub(super) fn encoded_path(parts: &[&str]) -> Vec<u8> {
    parts.join("\0").into_bytes()
}
