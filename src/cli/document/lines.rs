//! Lines and columns of a text.

/// A place in a text, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// A text whose lines are known.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    text: &'a str,
    /// The first byte of each line.
    starts: Vec<usize>,
    /// The characters before each block of [`BLOCK`] bytes: a line may be as long as the file, and
    /// have thousands of findings.
    counts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        let mut counts = vec![0];
        let mut count = 0;
        for block in text.as_bytes().chunks(BLOCK) {
            count += characters(block);
            counts.push(count);
        }
        Self {
            text,
            counts,
            starts: std::iter::once(0).chain(breaks).collect(),
        }
    }

    /// The characters before this byte.
    fn before(&self, at: usize) -> usize {
        let at = at.min(self.text.len());
        let block = at / BLOCK;
        let whole = self.counts.get(block).copied();
        let rest = self.text.as_bytes().get(block * BLOCK..at);
        whole.unwrap_or_default() + characters(rest.unwrap_or_default())
    }

    /// Where this byte is.
    pub(crate) fn position(&self, at: usize) -> Position {
        let line = self.starts.partition_point(|start| *start <= at).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or_default();
        Position {
            line,
            column: self.before(at) - self.before(start) + 1,
        }
    }

    /// The byte at a line and a column that counts bytes, both from 1, as `serde_json` has them.
    pub(crate) fn byte(&self, line: usize, column: usize) -> usize {
        let start = self.starts.get(line.saturating_sub(1)).copied();
        let at = start.map_or(self.text.len(), |start| start + column.saturating_sub(1));
        at.min(self.text.len())
    }
}

/// The characters that begin in these bytes of UTF-8.
fn characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}

/// Bytes of a block.
const BLOCK: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let lines = Lines::of("é: 1\n\n  b");
        let at = |line, column| Position { line, column };
        assert_eq!(lines.position(0), at(1, 1));
        assert_eq!(lines.position(4), at(1, 4));
        assert_eq!(lines.position(6), at(2, 1));
        assert_eq!(lines.position(9), at(3, 3));
        assert_eq!(lines.position(99), at(3, 4));
        let long = format!("\n{}x", "é".repeat(2_000));
        assert_eq!(Lines::of(&long).position(4_001), at(2, 2_001));
        let exact = "x".repeat(BLOCK);
        assert_eq!(Lines::of(&exact).position(BLOCK), at(1, BLOCK + 1));
        assert_eq!(lines.byte(3, 3), 9);
        assert_eq!(lines.byte(9, 9), 10);
    }
}
