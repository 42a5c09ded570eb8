//! Numbers and bars as text. All arithmetic is on whole numbers, so that nothing is rounded twice.

use std::time::Duration;

/// `1,234,567`.
pub(crate) fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share in percent with one decimal, rounded down: `100.0 %` means all and nothing less.
pub(crate) fn percent(part: usize, whole: usize) -> String {
    match (part * 1_000).checked_div(whole) {
        Some(tenths) => format!("{}.{} %", tenths / 10, tenths % 10),
        None => "–".to_owned(),
    }
}

/// Milliseconds, with one decimal below 100.
pub(crate) fn millis(time: Option<Duration>) -> String {
    let Some(micros) = time.map(|time| time.as_micros()) else {
        return "–".to_owned();
    };
    let tenths = (micros + 50) / 100;
    if tenths < 1_000 {
        format!("{}.{} ms", tenths / 10, tenths % 10)
    } else {
        format!("{} ms", (micros + 500) / 1_000)
    }
}

/// A bar of `width` columns, filled to the share in steps of an eighth of a column.
pub(crate) fn bar(part: usize, whole: usize, width: usize) -> String {
    const PARTIAL: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (part.min(whole) * width * 8)
        .checked_div(whole)
        .unwrap_or_default();
    // The smallest share that there is must not look like none.
    let eighths = if part > 0 { eighths.max(1) } else { 0 };
    let full = "█".repeat(eighths / 8);
    let partial = PARTIAL.get(eighths % 8).copied().unwrap_or_default();
    format!("{:<width$}", full + partial)
}

/// The words of `text` in lines of at most [`WIDTH`] columns, indented by two, by four from the
/// second line on. A number and its unit stay together.
pub(crate) fn paragraph(text: &str) -> String {
    let text = text.replace(" %", "\u{a0}%").replace(" ms", "\u{a0}ms");
    let mut lines = String::from(" ");
    let mut column = 1;
    for word in text.split(' ') {
        let width = word.chars().count();
        if column + 1 + width > WIDTH {
            lines += "\n   ";
            column = 3;
        }
        lines.push(' ');
        lines += word;
        column += 1 + width;
    }
    lines + "\n"
}

/// Columns of everything that is shown; a terminal has 80, and some wrap in the last.
pub(crate) const WIDTH: usize = 78;

/// How emphasis is shown: by colours, or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Coloured,
}

impl Style {
    /// A heading.
    pub(crate) fn bold(self, text: &str) -> String {
        self.code("1", text)
    }

    /// What is only there to explain the rest.
    pub(crate) fn dim(self, text: &str) -> String {
        self.code("2", text)
    }

    /// Good news.
    pub(crate) fn good(self, text: &str) -> String {
        self.code("32", text)
    }

    /// Bad news.
    pub(crate) fn bad(self, text: &str) -> String {
        self.code("31", text)
    }

    fn code(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Coloured => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_thousands_separators() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn only_all_is_a_hundred_percent() {
        assert_eq!(percent(1_999, 2_000), "99.9 %");
        assert_eq!(percent(2_000, 2_000), "100.0 %");
        assert_eq!(percent(0, 7), "0.0 %");
        assert_eq!(percent(0, 0), "–");
    }

    #[test]
    fn times_have_three_digits_or_less() {
        for (micros, text) in [
            (40, "0.0 ms"),
            (5_149, "5.1 ms"),
            (99_960, "100 ms"),
            (1_204_500, "1205 ms"),
        ] {
            assert_eq!(millis(Some(Duration::from_micros(micros))), text);
        }
        assert_eq!(millis(None), "–");
    }

    #[test]
    fn paragraphs_break_between_words() {
        assert_eq!(paragraph("one two"), "  one two\n");
        let words = ["0123456789"; 8].join(" ");
        let (first, rest) = words.split_at(76);
        assert_eq!(
            paragraph(&words),
            format!("  {first}\n    {}\n", rest.trim_start())
        );
        assert_eq!(paragraph("5.0 %"), "  5.0\u{a0}%\n");
    }

    #[test]
    fn bars_always_fill_their_columns() {
        for (part, text) in [
            (0, "    "),
            (1, "▏   "),
            (50, "██  "),
            (60, "██▍ "),
            (100, "████"),
        ] {
            assert_eq!(bar(part, 100, 4), text, "{part}");
        }
        assert_eq!(bar(1, 1_000_000, 4), "▏   ");
        assert_eq!(bar(0, 0, 4), "    ");
        assert_eq!(bar(5, 4, 4), "████");
    }
}
