//! Tables, for a terminal or as Markdown.

use std::fmt::Write as _;

/// How tables are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Text,
    Markdown,
}

/// Rows of cells under a heading. The first column is text, the others are figures.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    title: String,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with the names of its columns.
    pub(crate) fn new(title: impl Into<String>, columns: &[&str]) -> Self {
        Self {
            title: title.into(),
            rows: vec![columns.iter().map(|&name| name.to_owned()).collect()],
        }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The whole table, with a line's end.
    pub(crate) fn shown(&self, style: Style) -> String {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = format!("{}\n\n", self.title);
        for (number, row) in self.rows.iter().enumerate() {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(column, (cell, &width))| match column {
                    0 => format!("{cell:<width$}"),
                    _ => format!("{cell:>width$}"),
                })
                .collect();
            // Writing to a string cannot fail.
            let _infallible = match style {
                Style::Text => writeln!(text, "{}", cells.join("  ").trim_end()),
                Style::Markdown => writeln!(text, "| {} |", cells.join(" | ")),
            };
            if number == 0 && style == Style::Markdown {
                let figures = "---:|".repeat(columns.saturating_sub(1));
                let _infallible = writeln!(text, "|---|{figures}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_in_a_terminal_and_markdown_in_a_document() {
        let mut table = Table::new("Costs", &["who", "µs"]);
        table.row(vec!["somebody".to_owned(), "31.0".to_owned()]);
        assert_eq!(
            table.shown(Style::Text),
            "Costs\n\nwho         µs\nsomebody  31.0\n"
        );
        assert_eq!(
            table.shown(Style::Markdown),
            "Costs\n\n| who      |   µs |\n|---|---:|\n| somebody | 31.0 |\n"
        );
    }
}
