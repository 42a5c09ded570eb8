//! The first event of a stream of events, read byte by byte (WHATWG HTML §9.2.5 and §9.2.6).
//!
//! A stream is lines, which end with `\n`, `\r\n` or `\r`, and may begin with a byte order mark. A
//! line is a field with its value (`data: x`, of which one space after the colon is no part), a
//! field alone (`data`), or a comment (`: x`). A blank line ends the fields of an event.
//!
//! Two things are not as in the specification, because the question here is what the server meant
//! and not what a browser would make of it:
//!
//! - Fields without any `data` make no event. If their name is that of a rule, it is one here: the
//!   server has said that it failed.
//! - An event that breaks off before its blank line is discarded by clients. If what there is of it
//!   matches a rule, it counts here. The client would see a stream that ends without a word, where
//!   another endpoint may give a good one.

use alloc::vec::Vec;

use super::rule::{EventRule, Verdict, judge};

/// The reader of a stream of events, until its first event.
#[derive(Debug)]
pub(super) struct Sse {
    /// Whether a rule needs the data.
    keeps_data: bool,
    /// The name that the event has so far; empty: none.
    name: Vec<u8>,
    /// Its data so far, if that is kept.
    data: Vec<u8>,
    has_data: bool,
    line: Line,
    /// Whether the last byte was `\r`, so that a `\n` belongs to the same end of a line.
    after_return: bool,
}

/// Where in a line the reader is.
#[derive(Clone, Copy, Debug)]
enum Line {
    /// At the beginning of the stream, with this left of a byte order mark.
    Mark(&'static [u8]),
    /// At the beginning of a line.
    Start,
    /// In the name of a field, with this left of it.
    Name(Field, &'static [u8]),
    /// Behind the colon, where one space is no part of the value.
    Colon(Field),
    /// In the value of a field.
    Value(Field),
    /// In a comment, or in a field that says nothing here, such as `id` and `retry`.
    Ignored,
}

/// The fields that make an event.
#[derive(Clone, Copy, Debug)]
enum Field {
    Event,
    Data,
}

const MARK: &[u8] = b"\xEF\xBB\xBF";
/// What an event is called that gives no name.
const UNNAMED: &[u8] = b"message";

impl Sse {
    pub(super) const fn new(keeps_data: bool) -> Self {
        Self {
            keeps_data,
            name: Vec::new(),
            data: Vec::new(),
            has_data: false,
            line: Line::Mark(MARK),
            after_return: false,
        }
    }

    /// Reads on, to the end of the first event at most.
    pub(super) fn read(&mut self, bytes: &[u8], rules: &[EventRule]) -> Verdict {
        for byte in bytes {
            if !self.ends_fields(*byte) {
                continue;
            }
            let verdict = self.judged(rules);
            if self.has_data || verdict == Verdict::Failed {
                return verdict;
            }
            self.name.clear();
        }
        Verdict::Undecided
    }

    /// What the rules say of the fields so far, of which the last may break off within its value.
    pub(super) fn judged(&self, rules: &[EventRule]) -> Verdict {
        if !self.name.is_empty() {
            judge(rules, Some(&self.name), &self.data)
        } else if self.has_data {
            judge(rules, Some(UNNAMED), &self.data)
        } else {
            Verdict::Commit
        }
    }

    /// Reads a byte. Whether it ends a blank line, and with it the fields of an event.
    fn ends_fields(&mut self, byte: u8) -> bool {
        let belongs_to_return = self.after_return && byte == b'\n';
        self.after_return = byte == b'\r';
        if belongs_to_return {
            return false;
        }
        if !matches!(byte, b'\r' | b'\n') {
            self.line = self.after(byte);
            return false;
        }
        let is_blank = matches!(self.line, Line::Start);
        self.end_line();
        is_blank
    }

    /// Where in the line the reader is after this byte of it.
    fn after(&mut self, byte: u8) -> Line {
        match self.line {
            Line::Mark(left) => match left.split_first() {
                Some((next, [])) if *next == byte => Line::Start,
                Some((next, left)) if *next == byte => Line::Mark(left),
                _ if left.len() == MARK.len() => Line::begin(byte),
                // Half a mark is a part of some field's name.
                _ => Line::Ignored,
            },
            Line::Start => Line::begin(byte),
            Line::Name(field, left) => match left.split_first() {
                Some((next, left)) if *next == byte => Line::Name(field, left),
                None if byte == b':' => {
                    self.begin_value(field);
                    Line::Colon(field)
                }
                _ => Line::Ignored,
            },
            Line::Colon(field) if byte == b' ' => Line::Value(field),
            Line::Colon(field) | Line::Value(field) => {
                match field {
                    Field::Event => self.name.push(byte),
                    Field::Data if self.keeps_data => self.data.push(byte),
                    Field::Data => {}
                }
                Line::Value(field)
            }
            Line::Ignored => Line::Ignored,
        }
    }

    /// A later name takes the place of an earlier one, a later line of data is added.
    fn begin_value(&mut self, field: Field) {
        match field {
            Field::Event => self.name.clear(),
            Field::Data => {
                if self.has_data && self.keeps_data {
                    self.data.push(b'\n');
                }
                self.has_data = true;
            }
        }
    }

    fn end_line(&mut self) {
        if let Line::Name(field, []) = self.line {
            // A field alone has an empty value.
            self.begin_value(field);
        }
        self.line = Line::Start;
    }
}

impl Line {
    /// A line that begins with this byte.
    const fn begin(byte: u8) -> Self {
        match byte {
            b'e' => Self::Name(Field::Event, b"vent"),
            b'd' => Self::Name(Field::Data, b"ata"),
            _ => Self::Ignored,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_kept_only_if_a_rule_looks_into_it() {
        for (keeps_data, kept) in [(true, b"xyz".as_slice()), (false, b"")] {
            let mut events = Sse::new(keeps_data);
            assert_eq!(events.read(b"data: xyz\n", &[]), Verdict::Undecided);
            assert_eq!(events.data, kept);
            assert_eq!(events.read(b"\n", &[]), Verdict::Commit);
        }
    }
}
